//! What people ask of a stored submission: to queue it, to replace its files, to take it back.

use super::ending::{self, Outcome};
use super::queue::{Entrance, Refusal};
use super::rows::{Row, key};
use super::writer::Tx;
use super::{legacy, queue, submissions};
use crate::domain::exercise::SourceFile;
use crate::domain::ids::SubmissionId;
use crate::domain::lease::Lease;
use crate::domain::pace::Pace;
use crate::domain::submission::{State, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{CancelRequested, Change, Enqueued, FilesReplaced, Placed, QueueCaps, Result};

/// Queues a draft, or an ended submission whose files changed since they entered the queue.
pub(super) async fn enqueue(
    tx: &mut Tx,
    id: SubmissionId,
    caps: QueueCaps,
    pace: &Pace,
    now: Timestamp,
) -> Result<Enqueued> {
    let Some(placed) = submissions::by_id(tx.db().await?, id).await? else { return Ok(Enqueued::NotFound) };
    if !placed.submission.state.is_editable() || !is_changed(tx, id).await? {
        return Ok(Enqueued::Unchanged(placed));
    }
    let owner = std::iter::once(&placed.submission.owner);
    match Entrance::default().refusal(tx, owner, caps).await? {
        None => Ok(Enqueued::Queued(enter(tx, placed.submission, pace, now).await?)),
        Some(Refusal::Full) => Ok(Enqueued::QueueFull),
        Some(Refusal::Owner(_)) => Ok(Enqueued::TooManyQueued),
    }
}

/// Whether the files are others than those that entered the queue last; those of a draft never did.
pub(super) async fn is_changed(tx: &mut Tx, id: SubmissionId) -> Result<bool> {
    let changed = "SELECT queued_digest IS NOT files_digest FROM submissions WHERE id = ?1";
    Ok(sqlx::query_scalar(changed).bind(key(id)).fetch_one(tx.db().await?).await?)
}

/// Queues a draft, or an ended submission for a new round.
pub(super) async fn enter(
    tx: &mut Tx,
    mut submission: Submission,
    pace: &Pace,
    now: Timestamp,
) -> Result<Placed> {
    if submission.state.is_ended() {
        submission.round = submission.round.saturating_add(1);
    }
    let queue_key = Entrance::default().key(tx, submission.priority, &submission.owner).await?;
    sqlx::query(
        "UPDATE submissions SET state = 'queued', round = ?2, attempt = 0, rank = ?3, ticket = ?4, \
         queued_at = ?5, started_at = NULL, finished_at = NULL, failure = NULL, queued_digest = files_digest \
         WHERE id = ?1",
    )
    .bind(key(submission.id))
    .bind(i64::from(submission.round))
    .bind(queue_key.rank)
    .bind(queue_key.ticket)
    .bind(now.millis())
    .execute(tx.db().await?)
    .await?;
    submission.state = State::Queued { key: queue_key, queued_at: now, attempt: 0 };
    submission.failure = None;
    let positions = queue::positions(tx.db().await?, &[&submission]).await?;
    submissions::announce(tx, &[&submission], &positions, pace, now).await?;
    Ok(Placed { position: positions.first().copied(), submission })
}

/// Replaces all files of a draft or ended submission.
pub(super) async fn replace_files(
    tx: &mut Tx,
    id: SubmissionId,
    files: Vec<SourceFile>,
) -> Result<FilesReplaced> {
    let Some(placed) = submissions::by_id(tx.db().await?, id).await? else {
        return Ok(FilesReplaced::NotFound);
    };
    if !placed.submission.state.is_editable() {
        return Ok(FilesReplaced::Active);
    }
    store_files(tx, &placed.submission, files).await?;
    Ok(FilesReplaced::Replaced(placed))
}

/// Gives a submission these files in place of those it has.
pub(super) async fn store_files(tx: &mut Tx, submission: &Submission, files: Vec<SourceFile>) -> Result<()> {
    legacy::supersede(tx.db().await?, submission).await?;
    let changed =
        sqlx::query("UPDATE submissions SET files_digest = ?2 WHERE id = ?1 AND files_digest <> ?2")
            .bind(key(submission.id))
            .bind(submissions::digest(&files))
            .execute(tx.db().await?)
            .await?
            .rows_affected();
    if changed > 0 {
        sqlx::query("DELETE FROM files WHERE submission_id = ?1")
            .bind(key(submission.id))
            .execute(tx.db().await?)
            .await?;
        submissions::write_files(tx.db().await?, submission.id, (0..).zip(files)).await?;
    }
    Ok(())
}

/// Cancels what is a draft or queued; of what is running, stores the wish.
pub(super) async fn cancel(tx: &mut Tx, id: SubmissionId, now: Timestamp) -> Result<CancelRequested> {
    let Some(row) = submissions::row(tx.db().await?, id).await? else { return Ok(CancelRequested::NotFound) };
    let worker = row.worker.clone();
    let placed = Placed::try_from(row)?;
    match placed.submission.state {
        State::Finished(_) | State::Failed(_) => Ok(CancelRequested::Ended),
        State::Cancelled(_) => Ok(CancelRequested::Cancelled(placed)),
        State::Running { attempt, .. } => {
            sqlx::query(
                "UPDATE submissions SET cancel_requested_at = coalesce(cancel_requested_at, ?2) WHERE id = ?1",
            )
            .bind(key(id))
            .bind(now.millis())
            .execute(tx.db().await?)
            .await?;
            let round = placed.submission.round;
            tx.hint(Change::Cancel { submission: id, round });
            let of = Row { table: "submissions", key: &id };
            let worker = of.text("worker", &of.present("worker", worker)?)?;
            Ok(CancelRequested::Running(Lease { submission: id, round, attempt, worker }))
        }
        State::Draft | State::Queued { .. } => {
            if placed.position.is_some() {
                tx.hint(Change::Queue);
            }
            ending::end(tx, placed.submission, vec![], Outcome::Cancelled, now).await?;
            let of = Row { table: "submissions", key: &id };
            let cancelled = of.present("id", submissions::by_id(tx.db().await?, id).await?)?;
            Ok(CancelRequested::Cancelled(cancelled))
        }
    }
}
