//! The event logs: written with the change they tell of, read in order and without gaps.
//!
//! The body of an ending event holds its submission without the result; the result that was the newest then
//! stays in `results` and joins when the event is read, so that it reads the same for ever.

use rusqlite::params;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, json, key, select_submissions, submission_id};
use super::submissions;
use super::writer::Tx;
use crate::domain::event::{Epoch, Event, EventBody, LogPlace};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::submission::Submission;
use crate::domain::time::Timestamp;
use crate::storage::{EventPlace, LogPage, Result, Snapshot};

/// Appends an event to the log of a submission that is, in the database, as it was after the change: behind the last
/// event of its log and of its owner's. An ending event shows the result that its submission's row names.
/// What is set aside is in the log of no owner, and how a copy goes on is not written.
///
/// It is told after the commit, but for the end of a round, which `ending` tells.
pub(super) fn append(tx: &mut Tx, of: &Submission, body: &EventBody, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO events (submission_id, seq, owner, owner_seq, epoch, epoch_before, owner_epoch_before, \
                             round, attempt, at, body, result_round) \
         SELECT s.id, s.last_event + 1, o.name, o.last_event + 1, (SELECT max(number) FROM epochs), \
                s.last_epoch, o.last_epoch, s.round, s.attempt, ?2, ?3, CASE WHEN ?4 THEN s.result_round END \
         FROM submissions AS s CROSS JOIN owners AS o ON o.name = iif(s.set_aside IS NULL, s.owner, ?6) \
         WHERE s.id = ?1 AND (s.set_aside IS NOT 'preview' OR NOT ?5)",
        params![
            key(of.id),
            at.millis(),
            json(body)?,
            body.shows_result(),
            body.is_progress(),
            Owner::of_what_is_set_aside().as_str()
        ],
    )?;
    if !body.ends_round() {
        tx.hint_log(of.id, &of.owner);
    }
    Ok(())
}

/// An event beside what its log says; all else is `NULL` if there is no event.
#[derive(sqlx::FromRow)]
struct EventRow {
    /// Number of the log's last event.
    log_end: i64,
    /// Whether the event before it, or the log's last if there is none, was written in the asked epoch.
    follows: bool,
    submission_id: Option<Vec<u8>>,
    seq: Option<i64>,
    epoch: Option<i64>,
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
        let mut body: EventBody = of.json("body", of.present("body", self.body.as_deref())?)?;
        if let Some(submission) = body.submission_mut()
            && let Some(summary) = &self.summary
        {
            submission.result = Some(of.result(summary, self.tests.as_deref())?);
        }
        Ok(Some(Event {
            submission,
            seq: of.present("seq", self.seq)?,
            epoch: epoch(of.present("epoch", self.epoch)?),
            owner: of.owner("owner", of.present("owner", self.owner.as_deref())?)?,
            owner_seq: of.present("owner_seq", self.owner_seq)?,
            round: of.number("round", of.present("round", self.round)?)?,
            attempt: of.number("attempt", of.present("attempt", self.attempt)?)?,
            at: Timestamp::from_millis(of.present("at", self.at)?),
            body,
        }))
    }
}

fn epoch(token: i64) -> Epoch {
    Epoch::from_bits(token.cast_unsigned())
}

fn token(of: LogPlace) -> Option<i64> {
    of.epoch().map(|epoch| epoch.bits().cast_signed())
}

/// Events of a submission's log behind `after`; its start is before the oldest event that is kept.
pub(super) async fn of_submission(
    db: &mut SqliteConnection,
    id: SubmissionId,
    after: LogPlace,
    limit: u32,
) -> Result<LogPage> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT s.last_event AS log_end, \
                coalesce(e.epoch_before, s.last_epoch) IS (SELECT number FROM epochs WHERE token = ?4) AS follows, \
                e.submission_id, e.seq, p.token AS epoch, e.owner, e.owner_seq, e.round, e.attempt, \
                e.at, e.body, r.summary, r.tests \
         FROM submissions AS s LEFT JOIN events AS e ON e.submission_id = s.id AND e.seq > ?2 \
         LEFT JOIN epochs AS p ON p.number = e.epoch \
         LEFT JOIN results AS r ON r.submission_id = e.submission_id AND r.round = e.result_round \
         WHERE s.id = ?1 ORDER BY e.seq LIMIT ?3",
    )
    .bind(key(id))
    .bind(after.seq())
    .bind(i64::from(limit))
    .bind(token(after))
    .fetch_all(db)
    .await?;
    let log = Log::of(rows)?;
    let next = log.events.first().map_or(log.end, |event| event.seq.saturating_sub(1));
    let is_known = after == LogPlace::Start || (log.follows && next == after.seq());
    Ok(if is_known { LogPage::Events(log.events) } else { LogPage::Unknown })
}

/// Events of all logs of an owner behind `after`, up to the first that is not kept.
pub(super) async fn of_owner(
    db: &mut SqliteConnection,
    owner: &Owner,
    after: LogPlace,
    limit: u32,
) -> Result<LogPage> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT o.last_event AS log_end, \
                coalesce(e.owner_epoch_before, o.last_epoch) IS (SELECT number FROM epochs WHERE token = ?4) \
                AS follows, \
                e.submission_id, e.seq, p.token AS epoch, e.owner, e.owner_seq, e.round, e.attempt, \
                e.at, e.body, r.summary, r.tests \
         FROM owners AS o LEFT JOIN events AS e ON e.owner = o.name AND e.owner_seq > ?2 \
         LEFT JOIN epochs AS p ON p.number = e.epoch \
         LEFT JOIN results AS r ON r.submission_id = e.submission_id AND r.round = e.result_round \
         WHERE o.name = ?1 ORDER BY e.owner_seq LIMIT ?3",
    )
    .bind(owner.as_str())
    .bind(after.seq())
    .bind(i64::from(limit))
    .bind(token(after))
    .fetch_all(db)
    .await?;
    let log = Log::of(rows)?;
    let next = log.events.first().map_or(log.end, |event| event.owner_seq.saturating_sub(1));
    if next != after.seq() || !(log.follows || after == LogPlace::Start) {
        return Ok(LogPage::Unknown);
    }
    let kept = (next.saturating_add(1)..).zip(log.events).take_while(|(seq, event)| event.owner_seq == *seq);
    Ok(LogPage::Events(kept.map(|(_, event)| event).collect()))
}

/// The events at these places, oldest first; those that are gone are left out.
pub(super) async fn at(db: &mut SqliteConnection, places: &[EventPlace]) -> Result<Vec<Event>> {
    let rows: Vec<i64> = places.iter().map(|EventPlace(row)| *row).collect();
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT 0 AS log_end, false AS follows, \
                e.submission_id, e.seq, p.token AS epoch, e.owner, e.owner_seq, e.round, e.attempt, \
                e.at, e.body, r.summary, r.tests \
         FROM json_each(?1) AS asked CROSS JOIN events AS e ON e.rowid = asked.value \
         LEFT JOIN epochs AS p ON p.number = e.epoch \
         LEFT JOIN results AS r ON r.submission_id = e.submission_id AND r.round = e.result_round \
         ORDER BY e.rowid",
    )
    .bind(json(&rows)?)
    .fetch_all(db)
    .await?;
    Ok(Log::of(rows)?.events)
}

/// A piece of a log.
struct Log {
    /// Number of the last event ever written to the log.
    end: i64,
    /// Whether it follows an event that was written in the asked epoch.
    follows: bool,
    events: Vec<Event>,
}

impl Log {
    fn of(rows: Vec<EventRow>) -> Result<Self> {
        let (end, follows) = rows.first().map_or((0, false), |row| (row.log_end, row.follows));
        let events: Result<Vec<Option<Event>>> = rows.into_iter().map(EventRow::event).collect();
        Ok(Self { end, follows, events: events?.into_iter().flatten().collect() })
    }
}

/// An owner's unfinished submissions, and where his log ends; within one read transaction.
pub(super) async fn snapshot(db: &mut SqliteConnection, owner: &Owner) -> Result<Snapshot> {
    let end: Option<(i64, i64)> = sqlx::query_as(
        "SELECT o.last_event, p.token FROM owners AS o JOIN epochs AS p ON p.number = o.last_epoch \
         WHERE o.name = ?1 AND o.last_event > 0",
    )
    .bind(owner.as_str())
    .fetch_optional(&mut *db)
    .await?;
    let rows = sqlx::query_as(select_submissions!(
        listed,
        "WHERE s.owner = ?1 AND s.state IN ('queued', 'running') AND s.set_aside IS NULL ORDER BY s.created_at, s.id"
    ))
    .bind(owner.as_str())
    .fetch_all(db)
    .await?;
    let end = end.map_or(LogPlace::Start, |(seq, token)| LogPlace::Behind { seq, epoch: epoch(token) });
    Ok(Snapshot { items: submissions::placed(rows)?, end })
}
