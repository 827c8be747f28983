//! The event logs: written with the change they tell of, read in order and without gaps.
//!
//! The body of an ending event holds its submission without the result; the result that was the newest then
//! stays in `results` and joins when the event is read, so that it reads the same for ever.

use rusqlite::params;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, json, key, select_submissions, submission_id};
use super::submissions;
use super::writer::Tx;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::submission::Submission;
use crate::domain::time::Timestamp;
use crate::storage::{LogPage, Result, Snapshot};

/// Appends an event to the log of a submission that is, in the database, as it was after the change: behind the last
/// event of its log and of its owner's. An ending event shows the result that its submission's row names.
///
/// It is told after the commit, but for the end of a round, which `ending` tells.
pub(super) fn append(tx: &mut Tx, of: &Submission, body: &EventBody, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO events (submission_id, seq, owner, owner_seq, round, attempt, at, body, result_round) \
         SELECT s.id, s.last_event + 1, o.name, o.last_event + 1, s.round, s.attempt, ?2, ?3, \
                CASE WHEN ?4 THEN s.result_round END \
         FROM submissions AS s CROSS JOIN owners AS o ON o.name = s.owner WHERE s.id = ?1",
        params![key(of.id), at.millis(), json(body)?, body.ends_round()],
    )?;
    if !body.ends_round() {
        tx.hint_log(of.id, &of.owner, None);
    }
    Ok(())
}

/// An event beside the number where its log ends; all else is `NULL` if there is no event.
#[derive(sqlx::FromRow)]
struct EventRow {
    log_end: i64,
    submission_id: Option<Vec<u8>>,
    seq: Option<i64>,
    owner: Option<String>,
    owner_seq: Option<i64>,
    round: Option<i64>,
    attempt: Option<i64>,
    at: Option<i64>,
    body: Option<String>,
    summary: Option<String>,
    tests: Option<String>,
}

impl EventRow {
    fn event(self) -> Result<Option<Event>> {
        let Some(id) = self.submission_id else { return Ok(None) };
        let submission = submission_id("events", &id)?;
        let name = format!("{submission} {}", self.seq.unwrap_or(0));
        let of = Row { table: "events", key: &name };
        let mut body = of.json("body", of.present("body", self.body.as_deref())?)?;
        if let EventBody::Finished { submission }
        | EventBody::Failed { submission }
        | EventBody::Cancelled { submission } = &mut body
            && let Some(summary) = &self.summary
        {
            submission.result = Some(of.result(summary, self.tests.as_deref())?);
        }
        Ok(Some(Event {
            submission,
            seq: of.present("seq", self.seq)?,
            owner: of.text("owner", of.present("owner", self.owner.as_deref())?)?,
            owner_seq: of.present("owner_seq", self.owner_seq)?,
            round: of.number("round", of.present("round", self.round)?)?,
            attempt: of.number("attempt", of.present("attempt", self.attempt)?)?,
            at: Timestamp::from_millis(of.present("at", self.at)?),
            body,
        }))
    }
}

/// Events of a submission's log behind `after`; 0 stands before the oldest event that is kept.
pub(super) async fn of_submission(
    db: &mut SqliteConnection,
    id: SubmissionId,
    after: i64,
    limit: u32,
) -> Result<LogPage> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT s.last_event AS log_end, e.submission_id, e.seq, e.owner, e.owner_seq, e.round, e.attempt, \
                e.at, e.body, r.summary, r.tests \
         FROM submissions AS s LEFT JOIN events AS e ON e.submission_id = s.id AND e.seq > ?2 \
         LEFT JOIN results AS r ON r.submission_id = e.submission_id AND r.round = e.result_round \
         WHERE s.id = ?1 ORDER BY e.seq LIMIT ?3",
    )
    .bind(key(id))
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    let Log { end, events } = Log::of(rows)?;
    let start = events.first().map(|event| event.seq);
    Ok(match start {
        None if after == end || after == 0 => LogPage::Events(Vec::new()),
        None => LogPage::Unknown,
        Some(start) if after != 0 && start != after.saturating_add(1) => LogPage::Unknown,
        Some(_) => LogPage::Events(events),
    })
}

/// Events of all logs of an owner behind `after`, up to the first that is not kept.
pub(super) async fn of_owner(
    db: &mut SqliteConnection,
    owner: &Owner,
    after: i64,
    limit: u32,
) -> Result<LogPage> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT o.last_event AS log_end, e.submission_id, e.seq, e.owner, e.owner_seq, e.round, e.attempt, \
                e.at, e.body, r.summary, r.tests \
         FROM owners AS o LEFT JOIN events AS e ON e.owner = o.name AND e.owner_seq > ?2 \
         LEFT JOIN results AS r ON r.submission_id = e.submission_id AND r.round = e.result_round \
         WHERE o.name = ?1 ORDER BY e.owner_seq LIMIT ?3",
    )
    .bind(owner.as_str())
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    let Log { end, events } = Log::of(rows)?;
    let events: Vec<Event> = (after.saturating_add(1)..)
        .zip(events)
        .take_while(|(seq, event)| event.owner_seq == *seq)
        .map(|(_, event)| event)
        .collect();
    if events.is_empty() && after != end {
        return Ok(LogPage::Unknown);
    }
    Ok(LogPage::Events(events))
}

/// A piece of a log, and the number of the last event ever written to it.
struct Log {
    end: i64,
    events: Vec<Event>,
}

impl Log {
    fn of(rows: Vec<EventRow>) -> Result<Self> {
        let end = rows.first().map_or(0, |row| row.log_end);
        let events: Result<Vec<Option<Event>>> = rows.into_iter().map(EventRow::event).collect();
        Ok(Self { end, events: events?.into_iter().flatten().collect() })
    }
}

/// An owner's unfinished submissions, and where his log ends; within one read transaction.
pub(super) async fn snapshot(db: &mut SqliteConnection, owner: &Owner) -> Result<Snapshot> {
    let end: Option<i64> = sqlx::query_scalar("SELECT last_event FROM owners WHERE name = ?1")
        .bind(owner.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let rows = sqlx::query_as(select_submissions!(
        listed,
        "WHERE s.owner = ?1 AND s.state IN ('queued', 'running') ORDER BY s.created_at, s.id"
    ))
    .bind(owner.as_str())
    .fetch_all(db)
    .await?;
    Ok(Snapshot { items: submissions::placed(rows)?, owner_seq: end.unwrap_or(0) })
}
