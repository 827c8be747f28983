//! Submissions by the ids of original backends, and the inbox into which these write drafts by themselves.
//!
//! A draft leaves the inbox in the transaction that takes it in, or in the one that stores or replaces the same
//! submission's files by another way: what is in the inbox is always newer than what is stored.

use sqlx::sqlite::SqliteConnection;

use super::rows::key;
use super::submissions::{self, Insert};
use super::wishes;
use super::writer::Tx;
use crate::domain::exercise::SourceFile;
use crate::domain::pace::Pace;
use crate::domain::submission::{LegacyRef, Purpose, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{DraftBounds, Intake, LegacyDraft, LegacyEnqueued, LegacyStanding, QueueCaps, Result};

/// Most bytes of a name in the inbox that are read: no rule lets a longer one through.
const MAX_NAME_BYTES: i64 = 1024;

/// What is known of an id, read at one moment.
pub(super) async fn standing(
    db: &mut SqliteConnection,
    legacy: &LegacyRef,
    bounds: DraftBounds,
) -> Result<LegacyStanding> {
    let stored = submissions::by_legacy(db, legacy).await?;
    Ok(LegacyStanding { stored, draft: draft(db, legacy, bounds).await? })
}

/// The draft that the inbox holds.
async fn draft(
    db: &mut SqliteConnection,
    legacy: &LegacyRef,
    bounds: DraftBounds,
) -> Result<Option<LegacyDraft>> {
    let names: Option<(Vec<u8>, Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT iif(octet_length(owner) <= ?3, CAST(owner AS BLOB), x''), \
                iif(octet_length(exercise_id) <= ?3, CAST(exercise_id AS BLOB), x''), \
                iif(octet_length(runtime) <= ?3, CAST(runtime AS BLOB), x'') \
         FROM legacy_drafts WHERE backend = ?1 AND legacy_id = ?2",
    )
    .bind(legacy.backend.as_str())
    .bind(legacy.legacy_id.as_str())
    .bind(MAX_NAME_BYTES)
    .fetch_optional(&mut *db)
    .await?;
    let Some((owner, exercise_id, runtime)) = names else { return Ok(None) };
    let files = draft_files(db, legacy, bounds).await?;
    Ok(Some(LegacyDraft {
        owner: text(owner),
        exercise_id: text(exercise_id),
        runtime: text(runtime),
        files,
    }))
}

/// The files of a draft by their paths, unless they are more than `bounds` lets be read.
async fn draft_files(
    db: &mut SqliteConnection,
    legacy: &LegacyRef,
    bounds: DraftBounds,
) -> Result<Option<Vec<SourceFile>>> {
    let (count, bytes, longest): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(octet_length(content)), 0), coalesce(max(octet_length(path)), 0) \
         FROM legacy_draft_files WHERE backend = ?1 AND legacy_id = ?2",
    )
    .bind(legacy.backend.as_str())
    .bind(legacy.legacy_id.as_str())
    .fetch_one(&mut *db)
    .await?;
    let within = |value: i64, most: usize| usize::try_from(value).is_ok_and(|value| value <= most);
    if !within(count, bounds.files) || !within(bytes, bounds.bytes) || !within(longest, bounds.path_bytes) {
        return Ok(None);
    }
    let files: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT CAST(path AS BLOB), CAST(content AS BLOB) FROM legacy_draft_files \
         WHERE backend = ?1 AND legacy_id = ?2 ORDER BY path",
    )
    .bind(legacy.backend.as_str())
    .bind(legacy.legacy_id.as_str())
    .fetch_all(db)
    .await?;
    let file = |(path, content): (_, Vec<u8>)| SourceFile { path: text(path), content: content.into() };
    Ok(Some(files.into_iter().map(file).collect()))
}

/// What is no UTF-8 becomes a text that no rule lets through.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|_source| "\0".to_owned())
}

/// Takes the draft in that was checked, if any, and queues what is a draft or changed since it was graded.
pub(super) async fn enqueue(
    tx: &mut Tx,
    legacy: &LegacyRef,
    intake: Option<Intake>,
    pace: Pace,
    now: Timestamp,
) -> Result<LegacyEnqueued> {
    let stored = submissions::by_legacy(tx.db().await?, legacy).await?.map(|placed| placed.submission);
    if let Some(active) = stored.as_ref().filter(|submission| !submission.state.is_editable()) {
        return Ok(LegacyEnqueued::Unchanged(active.id));
    }
    let bounds = intake.as_ref().map_or(DraftBounds::default(), |intake| intake.bounds);
    let held = draft(tx.db().await?, legacy, bounds).await?;
    if held.as_ref() != intake.as_ref().map(|intake| &intake.draft) {
        return Ok(LegacyEnqueued::InboxChanged);
    }
    match (stored, intake) {
        (None, None) => Ok(LegacyEnqueued::Unknown),
        (None, Some(Intake { submission, .. })) => {
            let id = submission.id;
            let asked = Insert { new: vec![submission], key: None, caps: QueueCaps::NONE, pace, now };
            submissions::insert(tx, asked).await?;
            Ok(LegacyEnqueued::Queued(id))
        }
        (Some(stored), None) => {
            let changed = wishes::is_changed(tx, stored.id).await?;
            queue_if(changed, tx, stored, pace, now).await
        }
        (Some(mut stored), Some(Intake { submission: new, .. })) => {
            if stored.owner != new.owner || !is_same_exercise(&stored.purpose, &new.purpose) {
                return Ok(LegacyEnqueued::BelongsElsewhere);
            }
            wishes::store_files(tx, &stored, new.files).await?;
            let other_runtime = stored.runtime != new.runtime;
            if other_runtime {
                sqlx::query("UPDATE submissions SET runtime = ?2 WHERE id = ?1")
                    .bind(key(stored.id))
                    .bind(new.runtime.as_str())
                    .execute(tx.db().await?)
                    .await?;
                stored.runtime = new.runtime;
            }
            let changed = other_runtime || wishes::is_changed(tx, stored.id).await?;
            queue_if(changed, tx, stored, pace, now).await
        }
    }
}

async fn queue_if(
    changed: bool,
    tx: &mut Tx,
    stored: Submission,
    pace: Pace,
    now: Timestamp,
) -> Result<LegacyEnqueued> {
    let id = stored.id;
    if !changed {
        return Ok(LegacyEnqueued::Unchanged(id));
    }
    wishes::enter(tx, stored, &pace, now).await?;
    Ok(LegacyEnqueued::Queued(id))
}

fn is_same_exercise(one: &Purpose, other: &Purpose) -> bool {
    match (one, other) {
        (Purpose::Graded(one), Purpose::Graded(other)) => one.id == other.id,
        (Purpose::Run { .. }, _) | (_, Purpose::Run { .. }) => false,
    }
}

/// Lets go what the inbox holds for a submission: it was written before what is stored now.
pub(super) async fn supersede(db: &mut SqliteConnection, submission: &Submission) -> Result<()> {
    if let Some(legacy) = &submission.legacy {
        sqlx::query("DELETE FROM legacy_drafts WHERE backend = ?1 AND legacy_id = ?2")
            .bind(legacy.backend.as_str())
            .bind(legacy.legacy_id.as_str())
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Deletes up to `limit` drafts that nobody asked for; answers how many.
pub(super) async fn forget(tx: &mut Tx, before: i64, limit: u32) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM legacy_drafts WHERE (backend, legacy_id) IN \
         (SELECT backend, legacy_id FROM legacy_drafts WHERE updated_at < ?1 LIMIT ?2)",
    )
    .bind(before)
    .bind(limit)
    .execute(tx.db().await?)
    .await?;
    Ok(done.rows_affected())
}
