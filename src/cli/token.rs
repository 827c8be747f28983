//! `guichet token`: a token signed with the generated key.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::app::{Caller, Role};
use crate::auth::{generate_key_if_missing, mint};
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
/// If keys are configured: only who has the private key can sign then.
pub fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        config.auth.keys.is_empty(),
        "auth.keys is set: tokens come from who holds those keys, not from here"
    );
    config.make_data_folder()?;
    let key = config.generated_key_path();
    generate_key_if_missing(&key)?;
    let caller = Caller { subject: arguments.sub.parse()?, role: arguments.role };
    let token = mint(&key, &config.auth, &caller, arguments.ttl, Clock::System.now())?;
    writeln!(std::io::stdout(), "{token}")?;
    Ok(ExitCode::SUCCESS)
}
