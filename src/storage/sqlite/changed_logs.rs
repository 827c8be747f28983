//! Which logs changed between two looks, of all logs at once, and where their submissions stand in the queue.
//!
//! One writer appends events, so their row ids follow the order of commits. Row ids are given again once the newest
//! events were pruned, and a `VACUUM` deals them anew: the event at the mark is another one then, or none, and
//! nothing can be told from it.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, submission_id};
use crate::domain::ids::SubmissionId;
use crate::domain::queue::QueueKey;
use crate::storage::{ChangedLog, ChangedLogs, LogChanges, LogMark, QueueEntry, Result};

/// Events that are looked at; with more of them any log may have changed.
const MOST: u32 = 10_000;

/// An event without its body, beside the place of its submission if that is queued.
#[derive(sqlx::FromRow)]
struct Heading {
    row: i64,
    submission_id: Vec<u8>,
    seq: i64,
    owner: String,
    runtime: Option<String>,
    priority: Option<i64>,
    rank: Option<i64>,
    ticket: Option<i64>,
    round: Option<i64>,
    attempt: Option<i64>,
}

impl Heading {
    fn place(&self) -> Result<(i64, SubmissionId, i64)> {
        Ok((self.row, submission_id("events", &self.submission_id)?, self.seq))
    }

    fn log(self) -> Result<ChangedLog> {
        let submission = submission_id("events", &self.submission_id)?;
        let owner = Row { table: "events", key: &self.row }.text("owner", &self.owner)?;
        let queued = self.queued(submission)?;
        Ok(ChangedLog { submission, owner, queued })
    }

    fn queued(&self, submission: SubmissionId) -> Result<Option<QueueEntry>> {
        let of = Row { table: "submissions", key: &submission };
        let Some(runtime) = &self.runtime else { return Ok(None) };
        Ok(Some(QueueEntry {
            submission,
            owner: of.text("owner", &self.owner)?,
            runtime: of.text("runtime", runtime)?,
            key: QueueKey {
                priority: of.priority(of.present("priority", self.priority)?)?,
                rank: of.present("rank", self.rank)?,
                ticket: of.present("ticket", self.ticket)?,
            },
            round: of.number("round", of.present("round", self.round)?)?,
            attempt: of.number("attempt", of.present("attempt", self.attempt)?)?,
        }))
    }
}

/// Which logs changed since `mark` was given; within one read transaction.
pub(super) async fn since(db: &mut SqliteConnection, mark: Option<LogMark>) -> Result<LogChanges> {
    let queued: i64 = sqlx::query_scalar("SELECT sum(queued) FROM classes").fetch_one(&mut *db).await?;
    let queued = Row { table: "classes", key: &"all" }.number("queued", queued)?;
    if let Some(mark) = mark
        && let Some((logs, mark)) = known(db, mark).await?
    {
        return Ok(LogChanges { logs, queued, mark });
    }
    let newest: Option<(i64, Vec<u8>, i64)> =
        sqlx::query_as("SELECT rowid, submission_id, seq FROM events ORDER BY rowid DESC LIMIT 1")
            .fetch_optional(db)
            .await?;
    let newest = match newest {
        Some((row, submission, seq)) => Some((row, submission_id("events", &submission)?, seq)),
        None => None,
    };
    Ok(LogChanges { logs: ChangedLogs::Any, queued, mark: LogMark { newest } })
}

/// The logs that changed and how far that is, if it can be told.
async fn known(db: &mut SqliteConnection, mark: LogMark) -> Result<Option<(ChangedLogs, LogMark)>> {
    let mut headings: Vec<Heading> = sqlx::query_as(
        "SELECT e.rowid AS \"row\", e.submission_id, e.seq, e.owner, \
                q.runtime, q.priority, q.rank, q.ticket, q.round, q.attempt \
         FROM events AS e LEFT JOIN submissions AS q ON q.id = e.submission_id AND q.state = 'queued' \
         WHERE e.rowid >= ?1 ORDER BY e.rowid LIMIT ?2",
    )
    .bind(mark.newest.map_or(0, |(row, _, _)| row))
    .bind(MOST)
    .fetch_all(db)
    .await?;
    if u32::try_from(headings.len()).is_ok_and(|found| found >= MOST) {
        return Ok(None);
    }
    if mark.newest.is_some() {
        if headings.first().map(Heading::place).transpose()? != mark.newest {
            return Ok(None);
        }
        drop(headings.remove(0));
    }
    let newest = headings.last().map(Heading::place).transpose()?.or(mark.newest);
    let mut logs = HashMap::new();
    for heading in headings {
        let log = heading.log()?;
        logs.insert(log.submission, log);
    }
    Ok(Some((ChangedLogs::These(logs.into_values().collect()), LogMark { newest })))
}
