//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use guichet::cli::{doctor, openapi, runtime, token};
use guichet::config::Config;
use guichet::serve;

/// The counter where programming exercises queue and get graded.
///
/// Exit codes: 0 done · 1 failed · 2 wrong arguments · 4 stopped before running submissions had ended.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    /// Settings file; without it `guichet.toml` in the working folder, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and run submissions, until SIGTERM or SIGINT
    Serve,
    /// Bring the database up to date
    Migrate,
    /// Print the OpenAPI document
    Openapi {
        /// Compare it with `openapi/openapi.json` instead; exits with 1 if they differ
        #[arg(long)]
        check: bool,
    },
    /// Print a token signed with the generated key
    Token(token::Arguments),
    /// Show, make or try the images of the languages
    Runtime {
        #[command(subcommand)]
        action: runtime::Action,
    },
    /// Look for what keeps the service from its work, and say what to do about it; exits with 1 if something does
    Doctor,
}

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _failpoints = fail::FailScenario::setup();
    let cli = Cli::parse();
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|threads| threads.block_on(run(cli)));
    match ended {
        Ok(code) => code,
        Err(error) => {
            // Nothing can be done about a closed standard error.
            drop(writeln!(std::io::stderr(), "guichet: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = || Config::load(cli.config.as_deref());
    match cli.command {
        Command::Serve => serve::serve(config()?).await,
        Command::Migrate => serve::migrate(config()?).await,
        Command::Openapi { check } => openapi::run(check),
        Command::Token(arguments) => token::run(&config()?, &arguments),
        Command::Runtime { action } => runtime::run_configured(&config()?, &action).await,
        Command::Doctor => doctor::run_configured(&config()?).await,
    }
}
