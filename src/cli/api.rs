//! What commands that ask a running service have in common: where it is, with what token, and how they end.

use std::io::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
pub use guichet_client::plain as shown;
use guichet_client::{Client, Token, Url};
use secrecy::SecretString;
use serde_json::Value;

use super::token::local_token;
use crate::app::Role;
use crate::config::Config;

/// How long a token of the local key lives: each request has a new one.
const TOKEN_TTL: Duration = Duration::from_mins(1);

/// Subject of such a token: who did it, in the log.
const LOCAL_SUBJECT: &str = "local-admin";

/// The command ended since no service answered.
const EXIT_UNREACHABLE: u8 = 3;

/// Where the service is, and who asks.
#[derive(Clone, Debug, Args)]
pub struct Connection {
    /// Where the service is; without it, the one of the settings on this machine
    #[arg(long, env = "GUICHET_URL", global = true, value_name = "URL")]
    url: Option<Url>,
    /// An admin's token; without it, one signed with the generated key if the service is on this machine
    #[arg(long, env = "GUICHET_TOKEN", global = true, hide_env_values = true, value_name = "TOKEN")]
    token: Option<SecretString>,
}

/// What a command about the resources of a running service is given: which service, how it shows the answer, what to do.
#[derive(Clone, Debug, Args)]
pub struct Asked<A: Subcommand> {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Print what the service answers, as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) action: A,
}

/// Why a command had no success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service said no, or did not answer.
    #[error(transparent)]
    Service(#[from] guichet_client::Error),
    /// What was asked for is not there, or not as the command needs it.
    #[error("{0}")]
    Unfit(String),
    /// Standard output is closed.
    #[error("cannot write the answer")]
    Output(#[from] std::io::Error),
}

/// What is read of an answer.
///
/// # Errors
/// [`Error::Service`] if the answer has something else.
pub fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Error> {
    Ok(serde_json::from_value(answer).map_err(guichet_client::Error::Unknown)?)
}

/// The service that the arguments and settings name; it is not asked yet.
///
/// # Errors
/// [`Error::Unfit`] if a token is needed and there is none.
pub fn client(config: &Config, connection: &Connection) -> Result<Client, Error> {
    let Connection { url, token } = connection.clone();
    let url = url.map_or_else(|| local_url(config), Ok)?;
    let token = match token {
        Some(token) => Token::Fixed(token),
        None if is_local(&url) => {
            let config = config.clone();
            Token::Made(Box::new(move || {
                Ok(local_token(&config, LOCAL_SUBJECT, Role::Admin, TOKEN_TTL)?.into())
            }))
        }
        None => {
            let reason = format!("{url} needs an admin's token: name one by GUICHET_TOKEN or --token");
            return Err(Error::Unfit(reason));
        }
    };
    Ok(Client::new(url, token)?)
}

/// The service of the settings, as this machine reaches it.
fn local_url(config: &Config) -> Result<Url, Error> {
    let mut address = config.server.listen;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        if let Ok(loopback) = loopback.parse() {
            address.set_ip(loopback);
        }
    }
    format!("http://{address}").parse().map_err(|error| Error::Unfit(format!("{address}: {error}")))
}

/// Whether the URL names this machine: only there does the key of the data folder prove anything.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The filters of a list that are given.
pub fn given<'a>(filters: &[(&'a str, &'a Option<String>)]) -> Vec<(&'a str, &'a str)> {
    filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect()
}

/// The exit code of a command: its own, or that of what went wrong, which is told.
pub fn ended(outcome: Result<u8, Error>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    // Nothing can be done about a closed standard error.
    drop(writeln!(std::io::stderr(), "guichet: {error}"));
    match error {
        Error::Service(guichet_client::Error::Unreachable { .. } | guichet_client::Error::Foreign { .. }) => {
            ExitCode::from(EXIT_UNREACHABLE)
        }
        Error::Service(_) | Error::Unfit(_) | Error::Output(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn the_local_key_signs_for_services_of_this_machine_only() {
        let local = |url: &str| is_local(&url.parse().unwrap());

        assert!(["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"].into_iter().all(local));
        assert!(
            !["http://10.0.0.1", "https://judge.example", "http://localhost.example"].into_iter().any(local)
        );
    }
}
