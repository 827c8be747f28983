//! Which logs changed between two looks, of all logs at once.
//!
//! One writer appends events, so their row ids follow the order of commits. Row ids are given again once the newest
//! events were pruned, and a `VACUUM` deals them anew: the event at the mark is another one then, or none, and
//! nothing can be told from it.

use std::collections::HashSet;

use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, submission_id};
use crate::domain::ids::{Owner, SubmissionId};
use crate::storage::{ChangedLogs, LogChanges, LogMark, Result};

/// Events that are looked at; with more of them any log may have changed.
const MOST: u32 = 10_000;

/// An event without its body: row id, submission, number, owner.
type Heading = (i64, Vec<u8>, i64, String);

/// Which logs changed since `mark` was given; within one read transaction.
pub(super) async fn since(db: &mut SqliteConnection, mark: Option<LogMark>) -> Result<LogChanges> {
    if let Some(mark) = mark
        && let Some(changes) = known(db, mark).await?
    {
        return Ok(changes);
    }
    let newest: Option<Heading> =
        sqlx::query_as("SELECT rowid, submission_id, seq, owner FROM events ORDER BY rowid DESC LIMIT 1")
            .fetch_optional(db)
            .await?;
    let newest = newest.as_ref().map(place).transpose()?;
    Ok(LogChanges { logs: ChangedLogs::Any, mark: LogMark { newest } })
}

/// The logs that changed, if that can be told.
async fn known(db: &mut SqliteConnection, mark: LogMark) -> Result<Option<LogChanges>> {
    let headings: Vec<Heading> = sqlx::query_as(
        "SELECT rowid, submission_id, seq, owner FROM events WHERE rowid >= ?1 ORDER BY rowid LIMIT ?2",
    )
    .bind(mark.newest.map_or(0, |(row, _, _)| row))
    .bind(MOST)
    .fetch_all(db)
    .await?;
    if u32::try_from(headings.len()).is_ok_and(|found| found >= MOST) {
        return Ok(None);
    }
    let first = headings.first().map(place).transpose()?;
    if mark.newest.is_some() && first != mark.newest {
        return Ok(None);
    }
    let mut newest = mark.newest;
    let mut logs = HashSet::new();
    for heading in headings.get(usize::from(newest.is_some())..).unwrap_or_default() {
        let at = place(heading)?;
        newest = Some(at);
        logs.insert((at.1, owner(heading)?));
    }
    Ok(Some(LogChanges { logs: ChangedLogs::These(logs.into_iter().collect()), mark: LogMark { newest } }))
}

fn place((row, submission, seq, _): &Heading) -> Result<(i64, SubmissionId, i64)> {
    Ok((*row, submission_id("events", submission)?, *seq))
}

fn owner((row, _, _, owner): &Heading) -> Result<Owner> {
    Row { table: "events", key: row }.text("owner", owner)
}
