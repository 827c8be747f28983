//! `guichet rejudge`: an exercise's submissions that are judged again by a running service.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use guichet_client::Client;
use guichet_client::types::{Grade, Rejudge, RejudgeChange};
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{self, Asked, Error, read, shown};
use super::table::table;
use crate::config::Config;

/// Pause between two looks how far it is.
const PAUSE: Duration = Duration::from_millis(500);

/// What is asked of it.
pub type Command = Asked<Action>;

/// What to do with submissions that are judged again.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show how it stands
    Show {
        /// Its id, as `guichet exercise rejudge` printed it
        id: String,
    },
    /// Show which submissions have another verdict or other points
    Changes {
        /// Its id
        id: String,
    },
    /// Have what differs in a preview count, all of it in one step
    Apply {
        /// Its id
        id: String,
    },
    /// Drop a preview, also one that goes on
    Cancel {
        /// Its id
        id: String,
    },
}

/// Carries it out.
pub async fn run(config: &Config, command: &Command) -> ExitCode {
    api::ended(carry_out(config, command, &mut std::io::stdout()).await.map(|()| 0))
}

async fn carry_out(config: &Config, command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let client = api::client(config, &command.connection)?;
    let answer: Value = match &command.action {
        Action::Show { id } => client.get(&["v1", "rejudges", id]).await?,
        Action::Changes { id } => {
            let items = client.list(&["v1", "rejudges", id, "changes"], &[], usize::MAX).await?;
            if !command.json {
                return changes(items, out);
            }
            writeln!(out, "{:#}", json!({ "items": items }))?;
            return Ok(());
        }
        Action::Apply { id } => client.act(Method::POST, &["v1", "rejudges", id, "apply"], &[]).await?,
        Action::Cancel { id } => client.act(Method::POST, &["v1", "rejudges", id, "cancel"], &[]).await?,
    };
    tell(answer, command.json, out)
}

/// How it stands.
pub(super) fn tell(answer: Value, as_json: bool, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    if as_json {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    let Rejudge { id, state, mode, total, ended, changed, failed, left_out, .. } = read(answer)?;
    let mut facts = vec![format!("{ended} of {total} judged"), format!("{changed} changed")];
    for (count, what) in [(failed, "failed"), (left_out, "left out")] {
        if count > 0 {
            facts.push(format!("{count} {what}"));
        }
    }
    let facts = format!("{mode} is {state}: {}", facts.join(", "));
    writeln!(out, "{} {}", shown(&id), shown(&facts))?;
    Ok(())
}

/// Waits until nothing is judged any more; how it stands then.
pub(super) async fn wait(client: &Client, id: &str) -> Result<Value, Error> {
    loop {
        let answer: Value = client.get(&["v1", "rejudges", id]).await?;
        if answer.get("state").and_then(Value::as_str) != Some("running") {
            return Ok(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn changes(items: Vec<Value>, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let changes: Vec<RejudgeChange> = read(Value::Array(items))?;
    let row = |change: &RejudgeChange| {
        let RejudgeChange { submission_id, owner, before, after } = change;
        [submission_id.clone(), owner.clone(), came_to(before), came_to(after)].map(|cell| shown(&cell))
    };
    let rows: Vec<_> = changes.iter().map(row).collect();
    write!(out, "{}", table(["SUBMISSION", "OWNER", "BEFORE", "AFTER"], &rows))?;
    Ok(())
}

fn came_to(grade: &Grade) -> String {
    let Some(verdict) = &grade.verdict else { return "-".to_owned() };
    match (grade.score, grade.max_score) {
        (Some(score), Some(most)) => format!("{verdict}, {score} of {most}"),
        (Some(_), None) | (None, _) => verdict.to_string(),
    }
}
