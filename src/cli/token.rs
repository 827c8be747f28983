//! `guichet token`: a token signed with the generated key, which `serve` makes at its first start.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::app::{Caller, Role};
use crate::auth::mint;
use crate::clock::Clock;
use crate::config::Config;
use crate::units::parse_duration;

/// What the token says.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Whose token it is
    #[arg(long)]
    sub: String,
    /// student, teacher, backend or admin
    #[arg(long, default_value = "student", value_parser = role)]
    role: Role,
    /// How long it lives: a number with a unit (s, m, h or d)
    #[arg(long, default_value = "24h", value_parser = ttl)]
    ttl: Duration,
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "must be student, teacher, backend or admin".to_owned())
}

fn ttl(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a number with a unit: s, m, h or d".to_owned())
}

/// Prints the token alone on standard output.
///
/// # Errors
/// That there is no key here, or that no token can be made with it.
pub fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let token = local_token(config, &arguments.sub, arguments.role, arguments.ttl)?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(ExitCode::SUCCESS)
}

/// A token signed with the generated key.
///
/// # Errors
/// If keys are configured: only who has the private key can sign then. If there is no key, or this user may not read
/// it; none is made then, since no service would take its tokens.
pub(super) fn local_token(
    config: &Config,
    subject: &str,
    role: Role,
    ttl: Duration,
) -> anyhow::Result<String> {
    anyhow::ensure!(
        config.auth.keys.is_empty(),
        "auth.keys is set: tokens come from who holds those keys, not from here"
    );
    let key = std::path::absolute(config.generated_key_path())?;
    look_for_key(&key)?;
    let caller = Caller { subject: subject.parse()?, role };
    Ok(mint(&key, &config.auth, &caller, ttl, Clock::System.now())?)
}

fn look_for_key(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let Err(error) = std::fs::File::open(path) else { return Ok(()) };
    Err(match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!(
            "there is no key at {shown}: `guichet serve` makes it at its first start; if the service has another data \
             folder, name it by GUICHET_DATA_DIR, or its settings by --config"
        ),
        ErrorKind::PermissionDenied => {
            anyhow::anyhow!(
                "{shown} is closed to this user: run the command as the user that the service runs as"
            )
        }
        _ => anyhow::Error::new(error).context(format!("cannot read the key {shown}")),
    })
}
