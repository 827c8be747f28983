//! `guichet exercise`: the exercises of a running service, and packages of exercises.

mod judging;

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use guichet_client::types::Exercise;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::api::{self, Asked, Error, read, shown};
use crate::cli::package;
use crate::cli::table::table;
use crate::config::Config;

/// What is asked of it.
pub type Command = Asked<Action>;

/// What to do with an exercise.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the exercises
    List,
    /// Show an exercise; with --json as `put` takes it
    Show {
        /// Its id
        id: String,
    },
    /// Store an exercise, or a new version of it
    Put {
        /// A file with its JSON, or - for standard input
        file: PathBuf,
        /// Its id; without it, the `id` in the file, or else the file's name without its ending
        #[arg(long)]
        id: Option<String>,
    },
    /// Have what was submitted for an exercise judged again, with its newest version
    Rejudge(judging::Again),
    /// Judge an exercise's reference solutions, and end with 5 if one does not get what it must get
    Check {
        /// Its id
        id: String,
    },
    /// Check a package without any service: what is wrong with it, and what an import would leave out
    Validate {
        /// A folder or a zip: of our own format, or an ICPC or Kattis problem package
        package: PathBuf,
    },
    /// Store the exercise of a package, or a new version of it
    Import {
        /// A folder or a zip: of our own format, or an ICPC or Kattis problem package
        package: PathBuf,
        /// Its id; without it, the one that the package names, or else the name of its folder or file
        #[arg(long)]
        id: Option<String>,
    },
    /// Write an exercise to a zip of our own format
    Export {
        /// Its id
        id: String,
        /// The file, which must not be there yet; without it, the id with the ending .zip
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// Carries it out.
pub async fn run(config: &Config, command: &Command) -> ExitCode {
    api::ended(carry_out(config, command, &mut std::io::stdout()).await)
}

async fn carry_out(config: &Config, command: &Command, out: &mut (dyn Write + Send)) -> Result<u8, Error> {
    if let Action::Validate { package } = &command.action {
        return Ok(u8::from(!package::validate(config, package, command.json, out)?));
    }
    let client = api::client(config, &command.connection)?;
    match &command.action {
        Action::Validate { .. } => {}
        Action::Import { package, id } => {
            let answer = package::import(&client, package, id.clone()).await?;
            if command.json {
                writeln!(out, "{answer:#}")?;
            } else {
                package::tell_import(&answer, out)?;
            }
        }
        Action::Export { id, to } => {
            let to = package::export(&client, id, to.clone()).await?;
            writeln!(out, "{}", shown(&to.display().to_string()))?;
        }
        Action::List => {
            let items = client.list(&["v1", "exercises"], &[], usize::MAX).await?;
            if command.json {
                writeln!(out, "{:#}", json!({ "items": items }))?;
            } else {
                list(items, out)?;
            }
        }
        Action::Show { id } => {
            let answer: Value = client.get(&["v1", "exercises", id]).await?;
            if command.json {
                writeln!(out, "{answer:#}")?;
            } else {
                show(&read(answer)?, out)?;
            }
        }
        Action::Put { file, id } => {
            let mut body = content(file)?;
            let own = id_in(&body);
            let id = id.clone().or_else(|| own.clone()).or_else(|| id_of(file));
            if own.is_some() && own != id {
                forget_the_original(&mut body);
            }
            let id = id.ok_or_else(|| Error::Unfit("the exercise has no id: name one by --id".to_owned()))?;
            let answer: Value = client.send(Method::PUT, &["v1", "exercises", &id], &body).await?;
            if command.json {
                writeln!(out, "{answer:#}")?;
            } else {
                let Exercise { id, version, test_count, .. } = read(answer)?;
                writeln!(out, "{} is stored: version {version}, {}", shown(&id), tests(test_count))?;
            }
        }
        Action::Rejudge(asked) => judging::again(&client, asked, command.json, out).await?,
        Action::Check { id } => return judging::check(&client, id, command.json, out).await,
    }
    Ok(0)
}

/// The JSON in a file.
fn content(file: &Path) -> Result<Value, Error> {
    let name = file.display();
    let mut text = String::new();
    let taken = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    taken.map_err(|error| Error::Unfit(format!("{name} cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| Error::Unfit(format!("{name} is no JSON: {error}")))
}

/// What the service says of the exercise that another one is a copy of.
fn forget_the_original(exercise: &mut Value) {
    if let Some(fields) = exercise.as_object_mut() {
        for said in ["id", "version", "updated_at", "test_count"] {
            fields.remove(said);
        }
    }
}

fn id_in(exercise: &Value) -> Option<String> {
    exercise.get("id").and_then(Value::as_str).map(str::to_owned)
}

fn id_of(file: &Path) -> Option<String> {
    (file != Path::new("-")).then(|| file.file_stem()?.to_str().map(str::to_owned)).flatten()
}

fn list(items: Vec<Value>, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let exercises: Vec<Exercise> = read(Value::Array(items))?;
    let rows: Vec<_> = exercises.iter().map(row).collect();
    write!(out, "{}", table(["ID", "VERSION", "TESTS", "RUNTIMES", "TITLE"], &rows))?;
    Ok(())
}

fn row(exercise: &Exercise) -> [String; 5] {
    [
        exercise.id.clone(),
        exercise.version.to_string(),
        exercise.test_count.to_string(),
        runtimes(exercise),
        exercise.title.clone(),
    ]
    .map(|cell| shown(&cell))
}

fn show(exercise: &Exercise, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let Exercise { id, version, title, kind, test_count, statement, .. } = exercise;
    writeln!(out, "{}", shown(title))?;
    let facts =
        [id.clone(), format!("version {version}"), kind.to_string(), tests(*test_count), runtimes(exercise)];
    writeln!(out, "{}", shown(&facts.join(" · ")))?;
    if !statement.is_empty() {
        writeln!(out)?;
        for line in statement.lines() {
            writeln!(out, "{}", shown(line))?;
        }
    }
    Ok(())
}

fn runtimes(exercise: &Exercise) -> String {
    exercise.runtimes.join(", ")
}

fn tests(count: u32) -> String {
    format!("{count} {}", if count == 1 { "test" } else { "tests" })
}
