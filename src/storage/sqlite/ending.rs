//! The end of a round: its state, its result and its ending event, in one place.

use rusqlite::params;

use super::events;
use super::rejudges;
use super::rows::{json, key};
use super::submissions;
use super::writer::Tx;
use crate::domain::event::{EventBody, Progress};
use crate::domain::submission::{Ended, Failure, State, Submission};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{SubmissionResult, Verdict};
use crate::storage::{Change, Result};

/// How a round ends.
pub(super) enum Outcome {
    /// It was graded.
    Finished(Box<SubmissionResult>),
    /// It could not be run.
    Failed(Failure),
    /// It was taken back.
    Cancelled,
}

/// Ends the round going on of a draft, queued or running submission; `progress` is told before its end.
pub(super) fn end(
    tx: &mut Tx,
    mut submission: Submission,
    progress: Vec<Progress>,
    outcome: Outcome,
    now: Timestamp,
) -> Result<()> {
    let attempt = submission.state.attempt();
    let started_at = match submission.state.started_at() {
        None if attempt > 0 => last_start(tx, &submission, attempt)?,
        known => known,
    };
    let ended = Ended { attempt, started_at, finished_at: now };
    (submission.result, submission.failure) = (None, None);
    // None is replaced while it runs: these are what was graded, and what the ending event shows for ever.
    submission.files = Some(submissions::file_sizes(tx, submission.id)?);
    submission.state = match &outcome {
        Outcome::Finished(_) => State::Finished(ended),
        Outcome::Failed(failure) => {
            submission.failure = Some(failure.clone());
            State::Failed(ended)
        }
        Outcome::Cancelled => State::Cancelled(ended),
    };
    let graded = match outcome {
        Outcome::Finished(result) => {
            let verdict = result.verdict;
            write_result(tx, &submission, *result)?;
            Some(verdict)
        }
        Outcome::Failed(_) | Outcome::Cancelled => None,
    };
    tx.execute(
        "UPDATE submissions SET state = ?2, started_at = ?3, finished_at = ?4, failure = ?5, \
         result_round = CASE WHEN ?6 IS NULL THEN result_round ELSE round END, verdict = coalesce(?6, verdict), \
         queued_digest = files_digest, rank = NULL, ticket = NULL, queued_at = NULL, \
         worker = NULL, lease_until = NULL, cancel_requested_at = NULL WHERE id = ?1",
        params![
            key(submission.id),
            submission.state.name().name(),
            started_at.map(Timestamp::millis),
            now.millis(),
            submission.failure.as_ref().map(json).transpose()?,
            graded.map(Verdict::name),
        ],
    )?;
    for step in progress {
        events::append(tx, &submission, &step.into(), now)?;
    }
    if let Some(body) = rejudges::note_end(tx, &submission, now)? {
        events::append(tx, &submission, &body, now)?;
    }
    if let Some(body) = ending_event(&submission) {
        events::append(tx, &submission, &body, now)?;
    }
    tx.hint(Change::RoundEnded { submission: submission.id, owner: submission.owner });
    Ok(())
}

/// Stores the result of the round going on.
fn write_result(tx: &Tx, of: &Submission, mut result: SubmissionResult) -> Result<()> {
    result.round = of.round;
    let tests = std::mem::take(&mut result.tests);
    tx.execute(
        "INSERT INTO results (submission_id, round, summary, tests, exercise_version) VALUES (?1, ?2, ?3, ?4, \
           (SELECT exercise_version FROM submissions WHERE id = ?1))",
        params![key(of.id), of.round, json(&result)?, json(&tests)?],
    )?;
    Ok(())
}

/// The event of a round's end; it holds the submission without its result.
fn ending_event(ended: &Submission) -> Option<EventBody> {
    let submission = Box::new(ended.clone());
    match ended.state {
        State::Finished(_) => Some(EventBody::Finished { submission }),
        State::Failed(_) => Some(EventBody::Failed { submission }),
        State::Cancelled(_) => Some(EventBody::Cancelled { submission }),
        State::Draft | State::Queued { .. } | State::Running { .. } => None,
    }
}

/// When the last attempt of a submission began that is queued again.
fn last_start(tx: &Tx, of: &Submission, attempt: u32) -> Result<Option<Timestamp>> {
    let started_at: Option<i64> = tx.first(
        "SELECT started_at FROM attempts WHERE submission_id = ?1 AND round = ?2 AND attempt = ?3",
        params![key(of.id), of.round, attempt],
        |row| row.get(0),
    )?;
    Ok(started_at.map(Timestamp::from_millis))
}
