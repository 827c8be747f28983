//! What commands ask a running service: a small client of the REST API.

use std::io::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::token::local_token;
use crate::app::Role;
use crate::chain::Chain;
use crate::config::Config;

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a stream may be quiet: the service writes at least every 15 s.
const QUIET: Duration = Duration::from_secs(40);

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

/// Why a command had no success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service said no.
    #[error("{0}")]
    Refused(Problem),
    /// No service answered.
    #[error("no answer from {url}: {}", Chain(source))]
    Unreachable {
        /// Where.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// Another program than Guichet answered, or one between it and us.
    #[error("{url} is not answered by Guichet: {reason}")]
    Foreign {
        /// What was asked.
        url: Url,
        /// What came instead.
        reason: String,
    },
    /// There is no token, and none can be made.
    #[error("{0}")]
    NoToken(anyhow::Error),
    /// What was asked for is not there, or not as the command needs it.
    #[error("{0}")]
    Unfit(String),
    /// Standard output is closed.
    #[error("cannot write the answer")]
    Output(#[from] std::io::Error),
}

/// What the service says instead of an answer (RFC 9457).
#[derive(Debug, Deserialize)]
pub struct Problem {
    title: String,
    code: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Deserialize)]
struct FieldProblem {
    #[serde(default)]
    pointer: String,
    message: String,
}

impl Problem {
    /// Which problem it is.
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { title, code, detail, errors } = self;
        write!(f, "{}", shown(title))?;
        if let Some(detail) = detail {
            write!(f, ": {}", shown(detail))?;
        }
        write!(f, " ({})", shown(code))?;
        for FieldProblem { pointer, message } in errors {
            write!(f, "\n  {} {}", shown(pointer), shown(message))?;
        }
        Ok(())
    }
}

/// Text of others as a terminal may have it: without control characters.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What is read of an answer.
///
/// # Errors
/// [`Error::Unfit`] if the answer has something else.
pub fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|error| Error::Unfit(format!("the service's answer has {error}")))
}

/// A service that is asked.
#[derive(Debug)]
pub struct Api<'a> {
    client: Client,
    url: Url,
    token: Option<SecretString>,
    config: &'a Config,
}

impl<'a> Api<'a> {
    /// The service that the arguments and settings name; it is not asked yet.
    ///
    /// # Errors
    /// [`Error::NoToken`] if one is needed.
    pub fn new(config: &'a Config, connection: &Connection) -> Result<Self, Error> {
        let Connection { url, token } = connection.clone();
        let url = url.map_or_else(|| local_url(config), Ok)?;
        if token.is_none() && !is_local(&url) {
            let reason =
                anyhow::anyhow!("{url} needs an admin's token: name one by GUICHET_TOKEN or --token");
            return Err(Error::NoToken(reason));
        }
        let client = Client::builder()
            .timeout(ANSWER)
            .read_timeout(QUIET)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| Error::Unreachable { url: url.clone(), source })?;
        Ok(Self { client, url, token, config })
    }

    /// The resource at `path`, whose segments are taken as they are.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get(&self, path: &[&str]) -> Result<Value, Error> {
        self.ask(Method::GET, self.at(path), None).await
    }

    /// All entries of a list, of however many pages.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list(&self, path: &[&str], filters: &[(&str, &str)]) -> Result<Vec<Value>, Error> {
        self.first(path, filters, usize::MAX).await
    }

    /// The first entries of a list, at most so many, of however many pages.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn first(
        &self,
        path: &[&str],
        filters: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Value>, Error> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.at(path);
            if !filters.is_empty() {
                url.query_pairs_mut().extend_pairs(filters);
            }
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let mut page = self.ask(Method::GET, url, None).await?;
            if let Some(Value::Array(entries)) = page.get_mut("items").map(Value::take) {
                items.extend(entries);
            }
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }

    /// An event stream, behind the event of that id; `None` if nothing follows it. It breaks when nothing comes for a while.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn events(&self, path: &[&str], last_id: Option<&str>) -> Result<Option<Response>, Error> {
        let url = self.at(path);
        let mut request = self.client.get(url.clone()).bearer_auth(self.token()?).timeout(Duration::MAX);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.map_err(|source| unreachable(&url, source))?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::NO_CONTENT => Ok(None),
            _refused => self.read(&url, answer).await.map(|_no_stream| None),
        }
    }

    /// What the service answers to a request with a body; null if it answers without one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send(&self, method: Method, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.ask(method, self.at(path), Some(body.to_string())).await
    }

    /// What the service answers to a request without a body that has it do something.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn post(&self, path: &[&str]) -> Result<Value, Error> {
        self.ask(Method::POST, self.at(path), None).await
    }

    /// The bytes at `path`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn bytes(&self, path: &[&str]) -> Result<Vec<u8>, Error> {
        let url = self.at(path);
        let request = self.client.get(url.clone()).bearer_auth(self.token()?);
        let answer = request.send().await.map_err(|source| unreachable(&url, source))?;
        if !answer.status().is_success() {
            return self.read(&url, answer).await.map(|_no_bytes| Vec::new());
        }
        Ok(answer.bytes().await.map_err(|source| unreachable(&url, source))?.into())
    }

    /// Deletes the resource at `path`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, path: &[&str], options: &[(&str, &str)]) -> Result<(), Error> {
        let mut url = self.at(path);
        if !options.is_empty() {
            url.query_pairs_mut().extend_pairs(options);
        }
        self.ask(Method::DELETE, url, None).await.map(drop)
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn ask(&self, method: Method, url: Url, body: Option<String>) -> Result<Value, Error> {
        let mut request = self.client.request(method, url.clone()).bearer_auth(self.token()?);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.map_err(|source| unreachable(&url, source))?;
        self.read(&url, answer).await
    }

    async fn read(&self, url: &Url, answer: Response) -> Result<Value, Error> {
        let status = answer.status();
        let text = answer.text().await.map_err(|source| unreachable(url, source))?;
        let foreign = |reason: String| Error::Foreign { url: url.clone(), reason };
        if status.is_success() {
            if text.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_str(&text).map_err(|error| foreign(error.to_string()));
        }
        match serde_json::from_str(&text) {
            Ok(problem) => Err(Error::Refused(problem)),
            Err(_not_ours) => Err(foreign(format!("its status is {status}"))),
        }
    }

    fn token(&self) -> Result<String, Error> {
        match &self.token {
            Some(token) => Ok(token.expose_secret().trim().to_owned()),
            None => local_token(self.config, LOCAL_SUBJECT, Role::Admin, TOKEN_TTL).map_err(Error::NoToken),
        }
    }
}

fn unreachable(url: &Url, source: reqwest::Error) -> Error {
    Error::Unreachable { url: url.clone(), source: source.without_url() }
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
        Error::Unreachable { .. } | Error::Foreign { .. } => ExitCode::from(EXIT_UNREACHABLE),
        Error::Refused(_) | Error::NoToken(_) | Error::Unfit(_) | Error::Output(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, is_local};

    #[test]
    fn the_local_key_signs_for_services_of_this_machine_only() {
        let local = |url: &str| is_local(&url.parse().unwrap());

        assert!(["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"].into_iter().all(local));
        assert!(
            !["http://10.0.0.1", "https://judge.example", "http://localhost.example"].into_iter().any(local)
        );
    }

    #[test]
    fn a_problem_is_told_with_title_detail_code_and_fields_and_without_control_characters() {
        let text = r#"{"type":"/problems/x","title":"No\u001b[1m","status":422,"code":"validation_failed","detail":"1 field is wrong",
            "errors":[{"in":"body","pointer":"/url","message":"must be a URL"}]}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();

        assert_eq!(problem.to_string(), "No [1m: 1 field is wrong (validation_failed)\n  /url must be a URL");
    }
}
