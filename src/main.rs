//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use guichet::cli::document::Document;
use guichet::cli::{container, doctor, exercise, host, rejudge, runtime, submission, token};
use guichet::config::Config;
use guichet::serve;

/// The counter where programming exercises queue and get graded.
///
/// Exit codes: 0 done · 1 failed · 2 wrong arguments · 3 no service answers · 4 stopped before running submissions had ended ·
/// 5 a reference solution did not get what it must get.
#[derive(Debug, Parser)]
#[command(version = env!("GUICHET_VERSION"), propagate_version = true)]
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
    /// Print the reference of all settings, as Markdown
    Settings {
        /// Compare it with `docs/settings.md` instead; exits with 1 if they differ
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
    /// Show, add, empty or remove the Docker hosts of a running service
    Host(host::Command),
    /// Show or kill the containers of a running service
    Container(container::Command),
    /// Show, store, check or judge again the exercises of a running service
    Exercise(exercise::Command),
    /// Show or decide about submissions of an exercise that are judged again
    Rejudge(rejudge::Command),
    /// Show, cancel or fetch the submissions of a running service
    Submission(submission::Command),
    /// Submit a program for an exercise of a running service
    ///
    /// Exit codes with --watch: 0 accepted · 10 wrong answer · 11 compilation error · 12 runtime error · 13 time limit ·
    /// 14 memory limit · 15 output limit · 19 a verdict of a newer service · 20 failed · 21 cancelled.
    Submit(submission::Submit),
    /// Run a program without grading it, as the runtimes of a running service run it
    ///
    /// What it writes goes where this command writes. Exit codes: as of `guichet submit --watch`.
    Run(submission::Run),
    /// Look for what keeps the service from its work, and say what to do about it; exits with 1 if something does
    Doctor,
    /// Print what lets a shell complete these commands
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page of each command
    Man {
        /// The folder that they go to
        folder: PathBuf,
    },
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
        Command::Openapi { check } => Document::OpenApi.run(check),
        Command::Settings { check } => Document::Settings.run(check),
        Command::Token(arguments) => token::run(&config()?, &arguments),
        Command::Runtime { action } => runtime::run_configured(&config()?, &action).await,
        Command::Host(command) => Ok(host::run(&config()?, &command).await),
        Command::Container(command) => Ok(container::run(&config()?, &command).await),
        Command::Exercise(command) => Ok(exercise::run(&config()?, &command).await),
        Command::Rejudge(command) => Ok(rejudge::run(&config()?, &command).await),
        Command::Submission(command) => Ok(submission::run(&config()?, &command).await),
        Command::Submit(command) => Ok(command.run(&config()?).await),
        Command::Run(command) => Ok(command.run(&config()?).await),
        Command::Doctor => doctor::run_configured(&config()?).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "guichet", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { folder } => {
            clap_mangen::generate_to(Cli::command(), folder)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
