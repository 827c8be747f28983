//! `guichet submission`: what was sent to a running service.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use guichet_client::Client;
use guichet_client::types::{Submission, SubmissionFile, TestReport};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::api::{self, Asked, Error, read, shown};
use crate::cli::table::table;
use crate::config::Config;

/// What is asked of it.
pub type Command = Asked<Action>;

/// What to do with a submission.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show the submissions that you may see, newest first
    List {
        /// Only those for this exercise
        #[arg(long, value_name = "ID")]
        exercise: Option<String>,
        /// Only those of this owner
        #[arg(long)]
        owner: Option<String>,
        /// Only those that are so: draft, queued, running, finished, failed, cancelled
        #[arg(long)]
        state: Option<String>,
        /// Only those that came to this
        #[arg(long)]
        verdict: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show a submission and how its tests went
    Show {
        /// Its id
        id: String,
    },
    /// Cancel a submission
    Cancel {
        /// Its id
        id: String,
    },
    /// Have a submission judged again, with the newest version of its exercise
    Rejudge {
        /// Its id
        id: String,
    },
    /// List a submission's files, or fetch them
    Files {
        /// Its id
        id: String,
        /// Folder that they go to; what is there already stays as it is
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
}

/// Carries it out.
pub async fn run(config: &Config, command: &Command) -> ExitCode {
    api::ended(carry_out(config, command, &mut std::io::stdout()).await.map(|()| 0))
}

async fn carry_out(config: &Config, command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let client = api::client(config, &command.connection)?;
    let answer = match &command.action {
        Action::List { exercise, owner, state, verdict, limit } => {
            let filters = api::given(&[
                ("exercise_id", exercise),
                ("owner", owner),
                ("state", state),
                ("verdict", verdict),
            ]);
            let items = client.list(&["v1", "submissions"], &filters, *limit).await?;
            if !command.json {
                return list(items, out);
            }
            json!({ "items": items })
        }
        Action::Show { id } => {
            let answer: Value = client.get(&["v1", "submissions", id]).await?;
            if !command.json {
                return show(&read(answer)?, out);
            }
            answer
        }
        Action::Cancel { id } => {
            let answer = act(&client, id, "cancel").await?;
            if !command.json {
                return told(read(answer)?, out);
            }
            answer
        }
        Action::Rejudge { id } => {
            let answer = act(&client, id, "rejudge").await?;
            if !command.json {
                return told(read(answer)?, out);
            }
            answer
        }
        Action::Files { id, to } => {
            let answer: Value = client.get(&["v1", "submissions", id]).await?;
            let files = read::<Submission>(answer.clone())?.files.unwrap_or_default();
            if let Some(folder) = to {
                fetch(&client, id, &files, folder).await?;
            }
            if !command.json {
                return list_files(&files, out);
            }
            json!({ "files": answer.get("files") })
        }
    };
    writeln!(out, "{answer:#}")?;
    Ok(())
}

/// Has the service do something with a submission.
async fn act(client: &Client, id: &str, what: &str) -> Result<Value, Error> {
    Ok(client.act(Method::POST, &["v1", "submissions", id, what], &[]).await?)
}

/// What became of it.
fn told(submission: Submission, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let Submission { id, state, .. } = submission;
    writeln!(out, "{} is {}", shown(&id), shown(state.as_str()))?;
    Ok(())
}

/// Writes the files below a folder.
async fn fetch(client: &Client, id: &str, files: &[SubmissionFile], folder: &Path) -> Result<(), Error> {
    for SubmissionFile { path, .. } in files {
        let place = below(folder, path)
            .ok_or_else(|| Error::Unfit(format!("{} would lie outside of the folder", shown(path))))?;
        let bytes = client.submission_file(id, path).await?;
        write_new(&place, &bytes)
            .map_err(|error| Error::Unfit(format!("{} cannot be written: {error}", place.display())))?;
    }
    Ok(())
}

fn write_new(place: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(place)?.write_all(bytes)
}

/// A path of another's below a folder of ours; `None` if it leads out of it.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let is_within = path.components().all(|part| matches!(part, Component::Normal(_)));
    (is_within && path.components().next().is_some()).then(|| folder.join(path))
}

fn list(items: Vec<Value>, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let submissions: Vec<Submission> = read(Value::Array(items))?;
    let rows: Vec<_> = submissions.iter().map(row).collect();
    let headings = ["ID", "OWNER", "EXERCISE", "RUNTIME", "STATE", "SCORE", "CREATED"];
    write!(out, "{}", table(headings, &rows))?;
    Ok(())
}

fn row(submission: &Submission) -> [String; 7] {
    [
        submission.id.clone(),
        submission.owner.clone(),
        submission.exercise_id.clone().unwrap_or_else(|| "-".to_owned()),
        submission.runtime.clone(),
        outcome(submission),
        score(submission).unwrap_or_else(|| "-".to_owned()),
        submission.created_at.clone(),
    ]
    .map(|cell| shown(&cell))
}

/// Its verdict, or where it is.
fn outcome(submission: &Submission) -> String {
    match (&submission.result, submission.position) {
        (Some(result), _) => result.verdict.to_string(),
        (None, Some(place)) => format!("{}, place {place}", submission.state),
        (None, None) => submission.state.to_string(),
    }
}

fn score(submission: &Submission) -> Option<String> {
    let result = submission.result.as_ref()?;
    Some(format!("{} of {}", result.score?, result.max_score?))
}

fn show(submission: &Submission, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let Submission { id, owner, exercise_id, runtime, created_at, result, failure, .. } = submission;
    let what = exercise_id.as_deref().unwrap_or("a run");
    let facts = [id, owner, what, runtime, created_at].join(" · ");
    writeln!(out, "{}", shown(&facts))?;
    let score = score(submission).map(|score| format!(", {score}")).unwrap_or_default();
    writeln!(out, "{}{score}", shown(&outcome(submission)))?;
    if let Some(failure) = failure {
        writeln!(out, "{}", shown(&failure.message))?;
    }
    let tests = result.as_ref().and_then(|result| result.tests.as_deref()).unwrap_or_default();
    if !tests.is_empty() {
        let rows: Vec<_> = tests.iter().map(test_row).collect();
        write!(out, "\n{}", table(["TEST", "VERDICT", "CPU", "MEMORY"], &rows))?;
    }
    Ok(())
}

fn test_row(test: &TestReport) -> [String; 4] {
    let cells = [
        test.name.clone(),
        test.verdict.to_string(),
        format!("{} ms", test.usage.cpu_time_ms),
        format!("{} KiB", test.usage.memory_bytes / 1024),
    ];
    cells.map(|cell| shown(&cell))
}

fn list_files(files: &[SubmissionFile], out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let row = |SubmissionFile { path, bytes }: &SubmissionFile| [shown(path), bytes.to_string()];
    write!(out, "{}", table(["PATH", "BYTES"], &files.iter().map(row).collect::<Vec<_>>()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::below;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let folder = Path::new("fetched");

        assert_eq!(below(folder, "a/main.py"), Some(PathBuf::from("fetched/a/main.py")));
        for path in ["", "/etc/passwd", "../main.py", "a/../../b", "./..", "."] {
            assert_eq!(below(folder, path), None, "{path:?}");
        }
    }
}
