//! The end of a round: its state, its result and its ending event, in one place.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::events::{self, append_events};
use super::rows::{json, key};
use super::writer::Tx;
use crate::domain::event::{EventBody, Progress};
use crate::domain::submission::{Ended, Failure, State, Submission};
use crate::domain::time::Timestamp;
use crate::domain::verdict::SubmissionResult;
use crate::storage::{Result, RoundEnd};

/// A finished submission of at most so many bytes is handed to whoever waits for it: hints pile up while nobody hears
/// them, and a larger one can be read.
const HANDED_BYTES: usize = 16 << 10;

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
pub(super) async fn end(
    tx: &mut Tx,
    mut submission: Submission,
    progress: Vec<Progress>,
    outcome: Outcome,
    now: Timestamp,
) -> Result<()> {
    let attempt = submission.state.attempt();
    let started_at = match submission.state.started_at() {
        None if attempt > 0 => last_start(tx.db().await?, &submission, attempt).await?,
        known => known,
    };
    let ended = Ended { attempt, started_at, finished_at: now };
    let (mut verdict, mut summary, mut tests, mut shown) = (None, None, None, None);
    submission.failure = None;
    submission.state = match outcome {
        Outcome::Finished(mut result) => {
            result.round = submission.round;
            verdict = Some(result.verdict.name());
            let reports = std::mem::take(&mut result.tests);
            summary = Some(json(&result)?);
            tests = Some(json(&reports)?);
            result.tests = reports;
            shown = Some(*result);
            State::Finished(ended)
        }
        Outcome::Failed(failure) => {
            submission.failure = Some(failure);
            State::Failed(ended)
        }
        Outcome::Cancelled => State::Cancelled(ended),
    };
    let bytes = summary.as_ref().map_or(0, String::len) + tests.as_ref().map_or(0, String::len);
    let document = last_events(tx, &mut submission, progress)?;
    // SQLx counts the numbers that each statement of a script skips: as many as there are values, and the rest are NULL.
    sqlx::query(concat!(
        "INSERT INTO results (submission_id, round, summary, tests) \
         SELECT id, round, ?7, ?8 FROM submissions WHERE id = ?3 AND ?7 IS NOT NULL; \
         UPDATE submissions SET state = ?4, started_at = ?5, finished_at = ?2, failure = ?9, \
         result_round = CASE WHEN ?6 IS NULL THEN result_round ELSE round END, verdict = coalesce(?6, verdict), \
         queued_digest = files_digest, rank = NULL, ticket = NULL, queued_at = NULL, \
         worker = NULL, lease_until = NULL, cancel_requested_at = NULL WHERE id = ?3; ",
        append_events!()
    ))
    .bind(document)
    .bind(now.millis())
    .bind(key(submission.id))
    .bind(submission.state.name().name())
    .bind(started_at.map(Timestamp::millis))
    .bind(verdict)
    .bind(summary)
    .bind(tests)
    .bind(submission.failure.as_ref().map(json).transpose()?)
    .execute(tx.db().await?)
    .await?;
    let (id, owner) = (submission.id, submission.owner.clone());
    let finished = shown.filter(|_result| bytes + given_bytes(&submission) <= HANDED_BYTES);
    let finished = finished.map(|result| Arc::new(Submission { result: Some(result), ..submission }));
    tx.hint_log(id, &owner, Some(RoundEnd { finished }));
    Ok(())
}

/// What a submission was sent with, but for its files.
fn given_bytes(submission: &Submission) -> usize {
    submission.purpose.run().map_or(0, |run| run.stdin.len())
}

/// The last events of the round; the ending one holds the submission without its result.
fn last_events(tx: &mut Tx, submission: &mut Submission, progress: Vec<Progress>) -> Result<String> {
    submission.result = None;
    let shown = Box::new(submission.clone());
    let body = match submission.state {
        State::Finished(_) => Some(EventBody::Finished { submission: shown }),
        State::Failed(_) => Some(EventBody::Failed { submission: shown }),
        State::Cancelled(_) => Some(EventBody::Cancelled { submission: shown }),
        State::Draft | State::Queued { .. } | State::Running { .. } => None,
    };
    let mut entries: Vec<_> = progress.into_iter().map(|step| (&*submission, step.into())).collect();
    entries.extend(body.map(|body| (&*submission, body)));
    events::document(tx, &entries)
}

/// When the last attempt of a submission began that is queued again.
async fn last_start(db: &mut SqliteConnection, of: &Submission, attempt: u32) -> Result<Option<Timestamp>> {
    let started_at: Option<i64> = sqlx::query_scalar(
        "SELECT started_at FROM attempts WHERE submission_id = ?1 AND round = ?2 AND attempt = ?3",
    )
    .bind(key(of.id))
    .bind(i64::from(of.round))
    .bind(i64::from(attempt))
    .fetch_optional(db)
    .await?;
    Ok(started_at.map(Timestamp::from_millis))
}
