//! Judging what belongs to an exercise: its submissions again, and its reference solutions.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use guichet_client::Client;
use guichet_client::types::{Check, CheckBegun, CheckItem, CheckState};
use reqwest::Method;
use serde_json::{Map, Value};

use crate::cli::api::{Error, read, shown};
use crate::cli::rejudge;
use crate::cli::table::table;

/// The command ended since a solution did not get what it must get.
const EXIT_NOT_OK: u8 = 5;
/// Pause between two looks how far a check is.
const PAUSE: Duration = Duration::from_millis(300);

/// Which submissions are judged again, and when what comes out counts.
#[derive(Clone, Debug, Args)]
pub struct Again {
    /// The exercise's id
    id: String,
    /// Show first what would change; `guichet rejudge apply` or `cancel` decides
    #[arg(long)]
    preview: bool,
    /// Only those of this runtime
    #[arg(long)]
    runtime: Option<String>,
    /// Only those that came to this
    #[arg(long)]
    verdict: Option<String>,
    /// Only those stored at or after this instant, like 2026-11-30T08:00:00Z
    #[arg(long, value_name = "INSTANT")]
    created_after: Option<String>,
    /// Only those stored before this instant
    #[arg(long, value_name = "INSTANT")]
    created_before: Option<String>,
    /// Wait until all were judged
    #[arg(long)]
    wait: bool,
}

impl Again {
    fn request(&self) -> Value {
        let mode = if self.preview { "preview" } else { "apply" };
        let mut request = Map::from_iter([("mode".to_owned(), mode.into())]);
        let filters = [
            ("runtime", &self.runtime),
            ("verdict", &self.verdict),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
        ];
        for (name, value) in filters {
            request.extend(value.clone().map(|value| (name.to_owned(), value.into())));
        }
        request.into()
    }
}

/// Has an exercise's submissions judged again.
pub(super) async fn again(
    client: &Client,
    asked: &Again,
    as_json: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let path = ["v1", "exercises", &asked.id, "rejudge"];
    let mut answer: Value = client.send(Method::POST, &path, &asked.request()).await?;
    if asked.wait
        && let Some(id) = answer.get("id").and_then(Value::as_str).map(str::to_owned)
    {
        answer = rejudge::wait(client, &id).await?;
    }
    rejudge::tell(answer, as_json, out)
}

/// Has an exercise's reference solutions judged and shows how they did; the exit code.
pub(super) async fn check(
    client: &Client,
    id: &str,
    as_json: bool,
    out: &mut (dyn Write + Send),
) -> Result<u8, Error> {
    let begun: CheckBegun = client.act(Method::POST, &["v1", "exercises", id, "check"], &[]).await?;
    let (answer, check) = loop {
        let answer: Value = client.get(&["v1", "checks", &begun.id]).await?;
        let check: Check = read(answer.clone())?;
        if check.state != CheckState::Running {
            break (answer, check);
        }
        tokio::time::sleep(PAUSE).await;
    };
    if as_json {
        writeln!(out, "{answer:#}")?;
    } else {
        let rows: Vec<_> = check.items.iter().map(row).collect();
        write!(out, "{}", table(["SOLUTION", "EXPECTED", "VERDICT", "OK"], &rows))?;
    }
    Ok(if check.ok == Some(true) { 0 } else { EXIT_NOT_OK })
}

fn row(item: &CheckItem) -> [String; 4] {
    let expected: Vec<_> = item.expected_verdicts.iter().map(ToString::to_string).collect();
    let cells = [
        item.solution.clone(),
        expected.join(" or "),
        item.verdict.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        if item.ok == Some(true) { "yes" } else { "no" }.to_owned(),
    ];
    cells.map(|cell| shown(&cell))
}
