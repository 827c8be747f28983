//! Leases: taken in the queue's order, renewed, and lost. Each write names its lease; (round, attempt) is the
//! fence.

use rusqlite::params;

use super::ending::{self, Outcome};
use super::exercises::{self, ExerciseRow};
use super::losses::{self, Loss};
use super::rows::{Row, SubmissionRow, json, key, select_submissions};
use super::versions::Versions;
use super::writer::Tx;
use super::{events, queue};
use crate::domain::event::{EventBody, Progress};
use crate::domain::exercise::SourceFile;
use crate::domain::ids::WorkerId;
use crate::domain::lease::{AttemptCaps, Guarded, Lease, Losses, REST_AFTER_LOSS};
use crate::domain::submission::{
    Failure, FailureCode, FileSize, GivenUp, LostReason, State, StateName, Submission, Work,
};
use crate::domain::time::Timestamp;
use crate::domain::verdict::CheckerFault;
use crate::storage::{Change, Ending, Leased, Placed, Renewed, Rescue, Rescued, Result, Runnable};

/// A submission that was just leased, before its exercise is decoded.
pub(super) struct NewLease {
    leased: Leased,
    exercise: Option<ExerciseRow>,
}

impl NewLease {
    /// Decodes the exercise: outside the transaction, for it may be long.
    pub(super) fn complete(self, versions: &Versions) -> Result<Leased> {
        let Self { mut leased, exercise } = self;
        if let Some(row) = exercise {
            leased.work.exercise = Some(versions.keep(row)?);
        }
        Ok(leased)
    }
}

/// Leases the first queued submission of what can run.
pub(super) fn next(
    tx: &mut Tx,
    versions: &Versions,
    worker: &WorkerId,
    runnable: &[Runnable],
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<NewLease>> {
    let Some(Placed { mut submission, position }) = first_of(tx, worker, runnable, now)? else {
        return Ok(None);
    };
    let of = Row { table: "submissions", key: &submission.id };
    let State::Queued { key: place, queued_at, attempt } = submission.state else {
        return Err(of.wrong("state"));
    };
    let position_before = of.present("position", position)?;
    let attempt = attempt.saturating_add(1);
    submission.state = State::Running { key: place, queued_at, attempt, started_at: now };
    tx.execute(
        "UPDATE submissions SET state = 'running', attempt = ?2, started_at = ?3, worker = ?4, lease_until = ?5 \
         WHERE id = ?1",
        params![key(submission.id), attempt, now.millis(), worker.as_str(), until.millis()],
    )?;
    events::append(tx, &submission, &EventBody::Started { position_before }, now)?;
    tx.hint(Change::Unqueued);
    let files: Vec<SourceFile> = tx.rows(
        "SELECT path, content FROM files WHERE submission_id = ?1 ORDER BY ordinal",
        [key(submission.id)],
        |row| Ok(SourceFile { path: row.get(0)?, content: row.get::<_, Vec<u8>>(1)?.into() }),
    )?;
    submission.files = Some(files.iter().map(FileSize::of).collect());
    let known = submission.purpose.exercise().and_then(|named| versions.get(named));
    let exercise = match submission.purpose.exercise() {
        Some(named) if known.is_none() => {
            Some(of.present("exercise_version", exercises::stored_version(tx, named)?)?)
        }
        Some(_) | None => None,
    };
    let lease = Lease { submission: submission.id, round: submission.round, attempt, worker: worker.clone() };
    let leased = Leased { work: Work { lease, submission, files, exercise: known }, queued_at };
    Ok(Some(NewLease { leased, exercise }))
}

/// The first queued submission of what can run that does not rest after losses. Of those that were lost with more
/// than one instance one runs at a time: what ran beside the one that is to blame is not lost with it again.
fn first_of(tx: &Tx, worker: &WorkerId, runnable: &[Runnable], now: Timestamp) -> Result<Option<Placed>> {
    let rest_ms = i64::try_from(REST_AFTER_LOSS.as_millis()).unwrap_or(i64::MAX);
    // The first of each runtime and companion, and of these the first: what waits for others is not walked over. Few
    // companions are waited for, often none.
    let row = tx.first(
        select_submissions!(
            without files,
            "WHERE s.rowid = ( \
               WITH RECURSIVE awaited (companion) AS ( \
                 SELECT min(companion) FROM submissions INDEXED BY submissions_companion_queue \
                   WHERE state = 'queued' AND companion <> '' \
                 UNION ALL SELECT ( \
                   SELECT min(q.companion) FROM submissions AS q INDEXED BY submissions_companion_queue \
                   WHERE q.state = 'queued' AND q.companion <> '' AND q.companion > awaited.companion) \
                   FROM awaited WHERE awaited.companion IS NOT NULL), \
               asked (runtime, companion) AS ( \
                 SELECT json_extract(value, '$.runtime'), '' FROM json_each(?1) \
                 UNION ALL SELECT json_extract(one.value, '$.runtime'), awaited.companion \
                   FROM awaited CROSS JOIN json_each(?1) AS one \
                   CROSS JOIN json_each(one.value, '$.companions') AS beside \
                   WHERE beside.value = awaited.companion) \
               SELECT f.rowid FROM asked JOIN submissions AS f ON f.rowid = ( \
                 SELECT q.rowid FROM submissions AS q INDEXED BY submissions_runtime_queue \
                 WHERE q.state = 'queued' AND q.runtime = asked.runtime AND q.companion = asked.companion AND (q.attempt = 0 OR NOT coalesce(( \
                   SELECT ?2 >= rests_from AND ?2 < rests_from + rest_ms \
                     OR EXISTS (SELECT 1 FROM submissions AS r WHERE r.state = 'running' AND 1 < ( \
                       SELECT count(*) FROM attempts AS s WHERE s.submission_id = r.id AND s.round = r.round \
                       AND s.reason = ?4 AND s.handed_back = 0)) \
                   FROM ( \
                     SELECT max(l.ended_at, coalesce((SELECT since FROM instances WHERE worker = ?5), l.ended_at)) \
                         AS rests_from, coalesce(l.rest_ms, ?3) AS rest_ms, \
                       count(*) OVER () AS losses \
                     FROM attempts AS l \
                     WHERE l.submission_id = q.id AND l.round = q.round AND l.reason = ?4 AND l.handed_back = 0 \
                     ORDER BY l.attempt DESC LIMIT 1) \
                   WHERE losses > 1 \
                 ), FALSE)) \
                 ORDER BY q.priority, q.rank, q.ticket LIMIT 1) \
               ORDER BY f.priority, f.rank, f.ticket LIMIT 1)"
        ),
        params![json(runnable)?, now.millis(), rest_ms, LostReason::InstanceLost.name(), worker.as_str()],
        SubmissionRow::read,
    )?;
    row.map(Placed::try_from).transpose()
}

/// Renews leases that are held.
pub(super) fn renew(tx: &Tx, leases: &[Lease], until: Timestamp) -> Result<Vec<Renewed>> {
    let mut renewed = Vec::with_capacity(leases.len());
    for Lease { submission, round, attempt, worker } in leases {
        let cancel_requested: Option<bool> = tx.first(
            "UPDATE submissions SET lease_until = ?5 WHERE id = ?1 AND state = 'running' AND round = ?2 \
             AND attempt = ?3 AND worker = ?4 RETURNING cancel_requested_at IS NOT NULL",
            params![key(*submission), round, attempt, worker.as_str(), until.millis()],
            |row| row.get(0),
        )?;
        renewed.push(match cancel_requested {
            Some(false) => Renewed::Held,
            Some(true) => Renewed::CancelRequested,
            None => Renewed::Lost,
        });
    }
    Ok(renewed)
}

/// A running submission under a lease that is held.
struct Held {
    submission: Submission,
    cancel_requested: bool,
}

fn held(tx: &Tx, lease: &Lease) -> Result<Option<Held>> {
    let Lease { submission, round, attempt, worker } = lease;
    let row = tx.first(
        select_submissions!(
            listed,
            "WHERE s.id = ?1 AND s.state = 'running' AND s.round = ?2 AND s.attempt = ?3 AND s.worker = ?4"
        ),
        params![key(*submission), round, attempt, worker.as_str()],
        SubmissionRow::read,
    )?;
    let Some(row) = row else { return Ok(None) };
    let cancel_requested = row.cancel_requested_at.is_some();
    let Placed { submission, .. } = row.try_into()?;
    Ok(Some(Held { submission, cancel_requested }))
}

/// Writes the progress of a running attempt into its log.
pub(super) fn record(tx: &mut Tx, lease: &Lease, progress: Vec<Progress>, now: Timestamp) -> Result<Guarded> {
    let Some(held) = held(tx, lease)? else { return Ok(Guarded::LeaseLost) };
    for step in progress {
        events::append(tx, &held.submission, &step.into(), now)?;
    }
    Ok(Guarded::LeaseHeld)
}

/// Ends a running attempt; a wish to cancel wins over a result.
pub(super) fn finish(
    tx: &mut Tx,
    lease: &Lease,
    progress: Vec<Progress>,
    how: Ending,
    now: Timestamp,
) -> Result<Guarded> {
    let Some(held) = held(tx, lease)? else { return Ok(Guarded::LeaseLost) };
    let outcome = match how {
        Ending::Finished(result) if !held.cancel_requested => Outcome::Finished(result),
        Ending::Failed(fault) if !held.cancel_requested => Outcome::Failed(Failure {
            code: FailureCode::CheckerFailed,
            message: CheckerFault::MESSAGE.to_owned(),
            attempts: losses::all(tx, &held.submission)?,
            checker: Some(fault),
        }),
        Ending::Finished(_) | Ending::Failed(_) | Ending::Cancelled => Outcome::Cancelled,
    };
    ending::end(tx, held.submission, progress, outcome, now)?;
    Ok(Guarded::LeaseHeld)
}

/// Gives an attempt up.
pub(super) fn give_up(
    tx: &mut Tx,
    lease: &Lease,
    given_up: GivenUp,
    caps: AttemptCaps,
    now: Timestamp,
) -> Result<Guarded> {
    let Some(held) = held(tx, lease)? else { return Ok(Guarded::LeaseLost) };
    lose(tx, held, given_up, caps, now)?;
    Ok(Guarded::LeaseHeld)
}

/// Gives up the leases of workers that are gone, those that stood first in the queue first.
pub(super) fn rescue(tx: &mut Tx, whose: &Rescue, caps: AttemptCaps, now: Timestamp) -> Result<Vec<Rescued>> {
    let (expired, living) = match whose {
        Rescue::Expired => (Some(now.millis()), None),
        Rescue::Others(worker) => (None, Some(worker.as_str())),
    };
    let rows = tx.rows(
        select_submissions!(
            listed,
            "WHERE s.state = 'running' AND (s.lease_until <= ?1 OR s.worker <> ?2) \
             ORDER BY s.priority, s.rank, s.ticket"
        ),
        params![expired, living],
        SubmissionRow::read,
    )?;
    let mut rescued = Vec::with_capacity(rows.len());
    for row in rows {
        let cancel_requested = row.cancel_requested_at.is_some();
        let Placed { submission, .. } = row.try_into()?;
        let id = submission.id;
        let lost = Held { submission, cancel_requested };
        let state = lose(tx, lost, LostReason::InstanceLost.into(), caps, now)?;
        rescued.push(Rescued { submission: id, state });
    }
    if let Rescue::Others(worker) = whose {
        losses::take_over(tx, worker, now)?;
    }
    Ok(rescued)
}

/// Gives an attempt back that was stopped on purpose: no loss.
pub(super) fn hand_back(tx: &mut Tx, lease: &Lease, given_up: GivenUp, now: Timestamp) -> Result<Guarded> {
    let Some(held) = held(tx, lease)? else { return Ok(Guarded::LeaseLost) };
    if held.cancel_requested {
        ending::end(tx, held.submission, vec![], Outcome::Cancelled, now)?;
        return Ok(Guarded::LeaseHeld);
    }
    losses::write(tx, &held.submission, given_up.reason, Loss::HandedBack, now)?;
    requeue(tx, held.submission, given_up, now)?;
    Ok(Guarded::LeaseHeld)
}

/// Takes the lease away: back to the queue at the old place, or to an end.
fn lose(tx: &mut Tx, held: Held, given_up: GivenUp, caps: AttemptCaps, now: Timestamp) -> Result<StateName> {
    let Held { submission, cancel_requested } = held;
    let GivenUp { reason, .. } = given_up;
    losses::write(tx, &submission, reason, Loss::Lost, now)?;
    if cancel_requested {
        ending::end(tx, submission, vec![], Outcome::Cancelled, now)?;
        return Ok(StateName::Cancelled);
    }
    let counted = losses::count(tx, &submission)?;
    if !caps.allow_another(counted) {
        let attempts = losses::all(tx, &submission)?;
        let message = message(reason, submission.state.attempt(), counted);
        let failure = Failure { code: reason.into(), message, attempts, checker: None };
        ending::end(tx, submission, vec![], Outcome::Failed(failure), now)?;
        return Ok(StateName::Failed);
    }
    requeue(tx, submission, given_up, now)?;
    Ok(StateName::Queued)
}

/// Queues a running submission again at its old place.
fn requeue(tx: &mut Tx, mut submission: Submission, given_up: GivenUp, now: Timestamp) -> Result<()> {
    let of = Row { table: "submissions", key: &submission.id };
    let State::Running { key: place, queued_at, attempt, .. } = submission.state else {
        return Err(of.wrong("state"));
    };
    tx.execute(
        "UPDATE submissions SET state = 'queued', started_at = NULL, worker = NULL, lease_until = NULL \
         WHERE id = ?1",
        [key(submission.id)],
    )?;
    submission.state = State::Queued { key: place, queued_at, attempt };
    let GivenUp { reason, container } = given_up;
    let position = queue::place(tx, &submission)?;
    events::append(tx, &submission, &EventBody::Requeued { reason, position, container }, now)?;
    tx.hint(Change::Queued);
    Ok(())
}

fn message(reason: LostReason, attempt: u32, losses: Losses) -> String {
    let what = match reason {
        LostReason::HostLost => "the host that ran it was lost",
        LostReason::ContainerLost => "its container was lost",
        LostReason::InstanceLost => "the instance that ran it was lost",
    };
    let Losses { any, container } = losses;
    format!(
        "{what} at attempt {attempt}; it was lost {any} times in this round, {container} of them with its container"
    )
}
