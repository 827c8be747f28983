//! `guichet submit` and `guichet run`: a program is sent to a running service, and followed until it has ended; and `guichet
//! submission`, which looks at what was sent.

mod command;
mod send;
mod tell;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::FalseyValueParser;
use guichet_client::Client;
use serde_json::Value;

pub use self::command::{Command, run};
use self::send::{Sources, request};
use self::tell::{Lines, Style};
use super::api::{self, Connection, Error, shown};
use crate::config::Config;

/// Exit codes of verdicts.
const VERDICTS: [(&str, u8); 7] = [
    ("accepted", 0),
    ("wrong_answer", 10),
    ("compilation_error", 11),
    ("runtime_error", 12),
    ("time_limit_exceeded", 13),
    ("memory_limit_exceeded", 14),
    ("output_limit_exceeded", 15),
];
/// A verdict of a newer service.
const OTHER_VERDICT: u8 = 19;
/// It did not come to a verdict.
const FAILED: u8 = 20;
const CANCELLED: u8 = 21;

/// What is sent where, and how that is shown.
#[derive(Clone, Debug, Args)]
struct Program {
    #[command(flatten)]
    connection: Connection,
    /// The program's files; of several, one is named as the runtime's entry file, such as main.py
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Its runtime; without it, the one whose files have the ending of the first
    #[arg(long)]
    runtime: Option<String>,
    /// Print what the service tells, as JSON: one object a line
    #[arg(long)]
    json: bool,
    /// Use no colours
    #[arg(long, env = "NO_COLOR", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    no_color: bool,
}

/// Submits a program for an exercise.
#[derive(Clone, Debug, Args)]
pub struct Submit {
    #[command(flatten)]
    program: Program,
    /// The exercise
    #[arg(long, value_name = "ID")]
    exercise: String,
    /// Follow it until it has ended; the exit code tells the verdict
    #[arg(long)]
    watch: bool,
}

/// Runs a program without grading it.
#[derive(Clone, Debug, Args)]
pub struct Run {
    #[command(flatten)]
    program: Program,
    /// What it reads from its standard input: a file, or - for that of this command
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Its arguments
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

impl Submit {
    /// Carries it out.
    pub async fn run(&self, config: &Config) -> ExitCode {
        api::ended(self.carry_out(config).await)
    }

    async fn carry_out(&self, config: &Config) -> Result<u8, Error> {
        let Self { program, exercise, watch } = self;
        let client = api::client(config, &program.connection)?;
        let sources = Sources::read(&program.files)?;
        let body = request(&client, sources, program.runtime.as_deref(), |body| {
            body.insert("exercise_id".to_owned(), Value::from(exercise.as_str()));
        })
        .await?;
        let submission = send::submit(&client, &body).await?;
        if *watch {
            return follow(&client, program, &submission, true).await;
        }
        let mut out = std::io::stdout();
        if program.json {
            tell::json_line(&mut out, &submission)?;
        } else {
            tell::id(&mut out, &submission)?;
        }
        Ok(0)
    }
}

impl Run {
    /// Carries it out.
    pub async fn run(&self, config: &Config) -> ExitCode {
        api::ended(self.carry_out(config).await)
    }

    async fn carry_out(&self, config: &Config) -> Result<u8, Error> {
        let Self { program, stdin, arguments } = self;
        let client = api::client(config, &program.connection)?;
        let sources = Sources::read(&program.files)?;
        let run = send::run_of(stdin.as_deref(), arguments)?;
        let body = request(&client, sources, program.runtime.as_deref(), |body| {
            body.insert("run".to_owned(), run);
        })
        .await?;
        let submission = send::submit(&client, &body).await?;
        follow(&client, program, &submission, false).await
    }
}

/// Tells what becomes of a submission until it has ended; answers the exit code for that.
///
/// * `grades` — whether it is graded, and not only run.
async fn follow(client: &Client, program: &Program, submission: &Value, grades: bool) -> Result<u8, Error> {
    let id = send::id_of(submission)?;
    let is_terminal = std::io::stderr().is_terminal();
    let colours = !program.no_color && std::io::stdout().is_terminal() && is_terminal;
    let mut lines = Lines::new(Style { is_terminal, colours }, grades);
    let mut ended = None;
    let mut story = client.follow(id);
    while let Some(told) = story.next().await? {
        if program.json {
            tell::json_line(&mut std::io::stdout(), &told.data)?;
        } else {
            lines.event(&told.name, &told.data)?;
        }
        ended = told.data.get("submission").cloned().or(ended);
    }
    let ended = match ended {
        Some(ended) => ended,
        // All was told before.
        None => client.get(&["v1", "submissions", id]).await?,
    };
    match (program.json, grades) {
        (true, _) => {}
        (false, true) => lines.graded(&ended)?,
        (false, false) => lines.ran(&ended)?,
    }
    Ok(code_of(&ended))
}

/// The exit code for a submission that has ended.
fn code_of(submission: &Value) -> u8 {
    match submission.get("state").and_then(Value::as_str) {
        Some("finished") => {
            let verdict = submission.pointer("/result/verdict").and_then(Value::as_str);
            let known = VERDICTS.iter().find(|(name, _)| Some(*name) == verdict);
            known.map_or(OTHER_VERDICT, |(_, code)| *code)
        }
        Some("cancelled") => CANCELLED,
        _ => FAILED,
    }
}

/// Text of a field, as a terminal may have it.
fn text_of<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn shown_of(value: &Value, pointer: &str) -> String {
    shown(text_of(value, pointer).unwrap_or("?"))
}
