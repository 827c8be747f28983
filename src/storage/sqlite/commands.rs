//! What people ask of a stored submission: to queue it, to replace its files, to take it back.

use rusqlite::params;

use super::ending::{self, Outcome};
use super::queue::{Entrance, Refusal};
use super::rows::{Row, key};
use super::writer::Tx;
use super::{legacy, submissions};
use crate::domain::exercise::SourceFile;
use crate::domain::ids::SubmissionId;
use crate::domain::lease::Lease;
use crate::domain::pace::Pace;
use crate::domain::queue::Priority;
use crate::domain::submission::{State, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{CancelRequested, Change, Enqueued, FilesReplaced, Placed, QueueCaps, Rejudged, Result};

/// Queues a draft, or an ended submission whose files changed since they entered the queue.
pub(super) fn enqueue(
    tx: &mut Tx,
    id: SubmissionId,
    caps: QueueCaps,
    pace: &Pace,
    now: Timestamp,
) -> Result<Enqueued> {
    let Some(placed) = submissions::stored(tx, id)? else { return Ok(Enqueued::NotFound) };
    if !placed.submission.state.is_editable() || !is_changed(tx, id)? {
        return Ok(Enqueued::Unchanged(placed));
    }
    let owner = std::iter::once(&placed.submission.owner);
    match Entrance::default().refusal(tx, owner, caps)? {
        None => Ok(Enqueued::Queued(enter(tx, placed.submission, pace, now)?)),
        Some(Refusal::Full) => Ok(Enqueued::QueueFull),
        Some(Refusal::Owner(_)) => Ok(Enqueued::TooManyQueued),
    }
}

/// The submission in the class that it had before it was judged again.
fn with_own_priority(tx: &Tx, submission: Submission) -> Result<Submission> {
    let changed = tx.execute(
        "UPDATE submissions SET priority = own_priority, own_priority = NULL \
         WHERE id = ?1 AND own_priority IS NOT NULL",
        [key(submission.id)],
    )?;
    if changed == 0 { Ok(submission) } else { again(tx, submission.id) }
}

/// Queues what finished or failed for a new round, in the class `rejudge`.
pub(super) fn rejudge(
    tx: &mut Tx,
    id: SubmissionId,
    caps: QueueCaps,
    pace: &Pace,
    now: Timestamp,
) -> Result<Rejudged> {
    let Some(Placed { submission, .. }) = submissions::stored(tx, id)? else { return Ok(Rejudged::NotFound) };
    match submission.state {
        State::Queued { .. } | State::Running { .. } => return Ok(Rejudged::Active),
        State::Finished(_) | State::Failed(_) if submission.purpose.run().is_none() => {}
        State::Draft | State::Finished(_) | State::Failed(_) | State::Cancelled(_) => {
            return Ok(Rejudged::NotGraded);
        }
    }
    // It is not its owner who asks.
    let caps = QueueCaps { per_owner: u64::MAX, ..caps };
    if Entrance::default().refusal(tx, std::iter::once(&submission.owner), caps)?.is_some() {
        return Ok(Rejudged::QueueFull);
    }
    let newest: Option<u32> = tx.one(
        "SELECT coalesce((SELECT version FROM exercises WHERE id = exercise_id AND deleted_at IS NULL), exercise_version) \
         FROM submissions WHERE id = ?1",
        [key(id)],
        |row| row.get(0),
    )?;
    let of = Row { table: "submissions", key: &id };
    judge_with(tx, id, of.present("exercise_version", newest)?)?;
    let submission = Submission { priority: Priority::Rejudge, ..again(tx, id)? };
    Ok(Rejudged::Queued(Box::new(enter_class(tx, submission, pace, now)?)))
}

/// Has a submission judged with that version of its exercise from now on, and keeps the class that it had.
pub(super) fn judge_with(tx: &Tx, id: SubmissionId, version: u32) -> Result<()> {
    tx.execute(
        "UPDATE submissions SET own_priority = coalesce(own_priority, priority), exercise_version = ?2 WHERE id = ?1",
        params![key(id), version],
    )?;
    Ok(())
}

/// A submission that is known to be there, as it is now.
pub(super) fn again(tx: &Tx, id: SubmissionId) -> Result<Submission> {
    let of = Row { table: "submissions", key: &id };
    Ok(of.present("id", submissions::stored(tx, id)?)?.submission)
}

/// Whether the files are others than those that entered the queue last; those of a draft never did.
pub(super) fn is_changed(tx: &Tx, id: SubmissionId) -> Result<bool> {
    let changed = "SELECT queued_digest IS NOT files_digest FROM submissions WHERE id = ?1";
    Ok(tx.one(changed, [key(id)], |row| row.get(0))?)
}

/// Queues a draft, or an ended submission for a new round, in the class that it had before it was judged again.
pub(super) fn enter(tx: &mut Tx, submission: Submission, pace: &Pace, now: Timestamp) -> Result<Placed> {
    let submission = with_own_priority(tx, submission)?;
    enter_class(tx, submission, pace, now)
}

/// The same in the class that it says.
pub(super) fn enter_class(
    tx: &mut Tx,
    mut submission: Submission,
    pace: &Pace,
    now: Timestamp,
) -> Result<Placed> {
    if submission.state.is_ended() {
        submission.round = submission.round.saturating_add(1);
    }
    let queue_key = Entrance::default().key(tx, submission.priority, &submission.owner)?;
    tx.execute(
        "UPDATE submissions SET state = 'queued', round = ?2, attempt = 0, rank = ?3, ticket = ?4, \
         queued_at = ?5, priority = ?6, started_at = NULL, finished_at = NULL, failure = NULL, \
         queued_digest = files_digest WHERE id = ?1",
        params![
            key(submission.id),
            submission.round,
            queue_key.rank,
            queue_key.ticket,
            now.millis(),
            submission.priority.class()
        ],
    )?;
    submission.state = State::Queued { key: queue_key, queued_at: now, attempt: 0 };
    submission.failure = None;
    let position = submissions::announce(tx, &submission, pace, now)?;
    Ok(Placed { position: Some(position), submission })
}

/// Replaces all files of a draft or ended submission.
pub(super) fn replace_files(tx: &Tx, id: SubmissionId, files: Vec<SourceFile>) -> Result<FilesReplaced> {
    let Some(mut placed) = submissions::stored(tx, id)? else {
        return Ok(FilesReplaced::NotFound);
    };
    if !placed.submission.state.is_editable() {
        return Ok(FilesReplaced::Active);
    }
    store_files(tx, &placed.submission, files)?;
    placed.submission.files = Some(submissions::file_sizes(tx, id)?);
    Ok(FilesReplaced::Replaced(placed))
}

/// Gives a submission these files in place of those it has.
pub(super) fn store_files(tx: &Tx, submission: &Submission, files: Vec<SourceFile>) -> Result<()> {
    legacy::supersede(tx, submission)?;
    let changed = tx.execute(
        "UPDATE submissions SET files_digest = ?2 WHERE id = ?1 AND files_digest <> ?2",
        params![key(submission.id), submissions::digest(&files)],
    )?;
    if changed > 0 {
        tx.execute("DELETE FROM files WHERE submission_id = ?1", [key(submission.id)])?;
        submissions::write_files(tx, submission.id, files)?;
    }
    Ok(())
}

/// Cancels what is a draft or queued; of what is running, stores the wish.
pub(super) fn cancel(tx: &mut Tx, id: SubmissionId, now: Timestamp) -> Result<CancelRequested> {
    let Some(row) = submissions::row(tx, id)? else { return Ok(CancelRequested::NotFound) };
    let worker = row.worker.clone();
    let placed = Placed::try_from(row)?;
    match placed.submission.state {
        State::Finished(_) | State::Failed(_) => Ok(CancelRequested::Ended),
        State::Cancelled(_) => Ok(CancelRequested::Cancelled(placed)),
        State::Running { attempt, .. } => {
            tx.execute(
                "UPDATE submissions SET cancel_requested_at = coalesce(cancel_requested_at, ?2) WHERE id = ?1",
                params![key(id), now.millis()],
            )?;
            let round = placed.submission.round;
            tx.hint(Change::Cancel { submission: id, round });
            let of = Row { table: "submissions", key: &id };
            let worker = of.text("worker", &of.present("worker", worker)?)?;
            Ok(CancelRequested::Running(Lease { submission: id, round, attempt, worker }))
        }
        State::Draft | State::Queued { .. } => {
            if placed.position.is_some() {
                tx.hint(Change::Unqueued);
            }
            ending::end(tx, placed.submission, vec![], Outcome::Cancelled, now)?;
            let of = Row { table: "submissions", key: &id };
            let cancelled = of.present("id", submissions::stored(tx, id)?)?;
            Ok(CancelRequested::Cancelled(cancelled))
        }
    }
}
