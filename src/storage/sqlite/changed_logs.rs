//! Which logs changed between two looks, of all logs at once, and where their submissions stand in the queue.
//!
//! One writer appends events, so their row ids follow the order of commits. Row ids are given again once the newest
//! events were pruned, and a `VACUUM` deals them anew: the event at the mark is another one then, or none, and
//! nothing can be told from it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, submission_id};
use crate::domain::ids::SubmissionId;
use crate::domain::queue::QueueKey;
use crate::storage::{ChangedLog, ChangedLogs, EventPlace, LogChanges, LogMark, QueueEntry, Result};

/// Events that are looked at; with more of them any log may have changed.
const MOST: u32 = 10_000;

/// An event without its body, beside the state of its submission and its place if that is queued.
#[derive(sqlx::FromRow)]
struct Heading {
    row: i64,
    submission_id: Vec<u8>,
    seq: i64,
    owner: String,
    is_ended: bool,
    runtime: Option<String>,
    priority: i64,
    rank: Option<i64>,
    ticket: Option<i64>,
    round: i64,
    attempt: i64,
}

impl Heading {
    fn place(&self) -> Result<(i64, SubmissionId, i64)> {
        Ok((self.row, submission_id("events", &self.submission_id)?, self.seq))
    }

    /// The log before this event.
    fn log(&self, submission: SubmissionId) -> Result<ChangedLog> {
        Ok(ChangedLog {
            submission,
            owner: Row { table: "events", key: &self.row }.owner("owner", &self.owner)?,
            queued: self.queued(submission)?,
            is_ended: self.is_ended,
            newest: 0,
            events: Vec::new(),
        })
    }

    fn queued(&self, submission: SubmissionId) -> Result<Option<QueueEntry>> {
        let of = Row { table: "submissions", key: &submission };
        let Some(runtime) = &self.runtime else { return Ok(None) };
        Ok(Some(QueueEntry {
            submission,
            owner: of.owner("owner", &self.owner)?,
            runtime: of.text("runtime", runtime)?,
            key: QueueKey {
                priority: of.priority(self.priority)?,
                rank: of.present("rank", self.rank)?,
                ticket: of.present("ticket", self.ticket)?,
            },
            round: of.number("round", self.round)?,
            attempt: of.number("attempt", self.attempt)?,
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
                s.state IN ('finished', 'failed', 'cancelled') AS is_ended, \
                CASE WHEN s.state = 'queued' THEN s.runtime END AS runtime, \
                s.priority, s.rank, s.ticket, s.round, s.attempt \
         FROM events AS e CROSS JOIN submissions AS s ON s.id = e.submission_id \
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
        let (row, submission, seq) = heading.place()?;
        let log = match logs.entry(submission) {
            Entry::Occupied(log) => log.into_mut(),
            Entry::Vacant(place) => place.insert(heading.log(submission)?),
        };
        log.newest = seq;
        log.events.push(EventPlace(row));
    }
    Ok(Some((ChangedLogs::These(logs.into_values().collect()), LogMark { newest })))
}
