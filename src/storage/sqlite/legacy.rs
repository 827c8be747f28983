//! Submissions by the ids of original backends, and the inbox into which these write drafts by themselves.
//!
//! A draft leaves the inbox in the transaction that takes it in, or in the one that stores or replaces the same
//! submission's files by another way: what is in the inbox is always newer than what is stored.

use rusqlite::params;
use sqlx::sqlite::SqliteConnection;

use super::commands;
use super::rows::key;
use super::submissions::{self, Insert};
use super::writer::Tx;
use crate::domain::exercise::SourceFile;
use crate::domain::pace::Pace;
use crate::domain::submission::{LegacyRef, Purpose, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{DraftBounds, Intake, LegacyDraft, LegacyEnqueued, LegacyStanding, QueueCaps, Result};

/// Most bytes of a name in the inbox that are read: no rule lets a longer one through.
const MAX_NAME_BYTES: i64 = 1024;

/// The names in a draft.
const NAMES: &str = "SELECT iif(octet_length(owner) <= ?3, CAST(owner AS BLOB), x''), \
            iif(octet_length(exercise_id) <= ?3, CAST(exercise_id AS BLOB), x''), \
            iif(octet_length(runtime) <= ?3, CAST(runtime AS BLOB), x'') \
     FROM legacy_drafts WHERE backend = ?1 AND legacy_id = ?2";
/// How many files a draft has, their bytes, and those of the longest path.
const SIZES: &str = "SELECT count(*), coalesce(sum(octet_length(content)), 0), coalesce(max(octet_length(path)), 0) \
     FROM legacy_draft_files WHERE backend = ?1 AND legacy_id = ?2";
/// Its files by their paths.
const FILES: &str = "SELECT CAST(path AS BLOB), CAST(content AS BLOB) FROM legacy_draft_files \
     WHERE backend = ?1 AND legacy_id = ?2 ORDER BY path";

type Names = (Vec<u8>, Vec<u8>, Vec<u8>);
type Sizes = (i64, i64, i64);
type Files = Vec<(Vec<u8>, Vec<u8>)>;

/// What is known of an id, read at one moment.
pub(super) async fn standing(
    db: &mut SqliteConnection,
    legacy: &LegacyRef,
    bounds: DraftBounds,
) -> Result<LegacyStanding> {
    let stored = submissions::by_legacy(db, legacy).await?;
    let (backend, id) = (legacy.backend.as_str(), legacy.legacy_id.as_str());
    let names: Option<Names> =
        sqlx::query_as(NAMES).bind(backend).bind(id).bind(MAX_NAME_BYTES).fetch_optional(&mut *db).await?;
    let Some(names) = names else { return Ok(LegacyStanding { stored, draft: None }) };
    let sizes: Sizes = sqlx::query_as(SIZES).bind(backend).bind(id).fetch_one(&mut *db).await?;
    let files: Option<Files> = if is_within(sizes, bounds) {
        Some(sqlx::query_as(FILES).bind(backend).bind(id).fetch_all(db).await?)
    } else {
        None
    };
    Ok(LegacyStanding { stored, draft: Some(draft(names, files)) })
}

/// The draft that the inbox holds, for the writer.
fn stored_draft(tx: &Tx, legacy: &LegacyRef, bounds: DraftBounds) -> Result<Option<LegacyDraft>> {
    let key @ (backend, id) = (legacy.backend.as_str(), legacy.legacy_id.as_str());
    let names: Option<Names> = tx.first(NAMES, params![backend, id, MAX_NAME_BYTES], |row| row.try_into())?;
    let Some(names) = names else { return Ok(None) };
    let sizes: Sizes = tx.one(SIZES, key, |row| row.try_into())?;
    let files: Option<Files> =
        if is_within(sizes, bounds) { Some(tx.rows(FILES, key, |row| row.try_into())?) } else { None };
    Ok(Some(draft(names, files)))
}

/// Whether the files of a draft are no more than may be read.
fn is_within((count, bytes, longest): Sizes, bounds: DraftBounds) -> bool {
    let within = |value: i64, most: usize| usize::try_from(value).is_ok_and(|value| value <= most);
    within(count, bounds.files) && within(bytes, bounds.bytes) && within(longest, bounds.path_bytes)
}

fn draft((owner, exercise_id, runtime): Names, files: Option<Files>) -> LegacyDraft {
    let file = |(path, content): (_, Vec<u8>)| SourceFile { path: text(path), content: content.into() };
    LegacyDraft {
        owner: text(owner),
        exercise_id: text(exercise_id),
        runtime: text(runtime),
        files: files.map(|files| files.into_iter().map(file).collect()),
    }
}

/// What is no UTF-8 becomes a text that no rule lets through.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|_source| "\0".to_owned())
}

/// Takes the draft in that was checked, if any, and queues what is a draft or changed since it was graded.
pub(super) fn enqueue(
    tx: &mut Tx,
    legacy: &LegacyRef,
    intake: Option<Intake>,
    pace: Pace,
    now: Timestamp,
) -> Result<LegacyEnqueued> {
    let stored = submissions::stored_by_legacy(tx, legacy)?.map(|placed| placed.submission);
    if let Some(active) = stored.as_ref().filter(|submission| !submission.state.is_editable()) {
        return Ok(LegacyEnqueued::Unchanged(active.id));
    }
    let bounds = intake.as_ref().map_or(DraftBounds::default(), |intake| intake.bounds);
    let held = stored_draft(tx, legacy, bounds)?;
    if held.as_ref() != intake.as_ref().map(|intake| &intake.draft) {
        return Ok(LegacyEnqueued::InboxChanged);
    }
    match (stored, intake) {
        (None, None) => Ok(LegacyEnqueued::Unknown),
        (None, Some(Intake { submission, .. })) => {
            let id = submission.id;
            let asked = Insert { new: vec![submission], key: None, caps: QueueCaps::NONE, pace, now };
            submissions::insert(tx, asked)?;
            Ok(LegacyEnqueued::Queued(id))
        }
        (Some(stored), None) => {
            let changed = commands::is_changed(tx, stored.id)?;
            queue_if(changed, tx, stored, &pace, now)
        }
        (Some(mut stored), Some(Intake { submission: new, .. })) => {
            if stored.owner != new.owner || !is_same_exercise(&stored.purpose, &new.purpose) {
                return Ok(LegacyEnqueued::BelongsElsewhere);
            }
            commands::store_files(tx, &stored, new.files)?;
            let other_runtime = stored.runtime != new.runtime;
            if other_runtime {
                tx.execute(
                    "UPDATE submissions SET runtime = ?2 WHERE id = ?1",
                    params![key(stored.id), new.runtime.as_str()],
                )?;
                stored.runtime = new.runtime;
            }
            let changed = other_runtime || commands::is_changed(tx, stored.id)?;
            queue_if(changed, tx, stored, &pace, now)
        }
    }
}

fn queue_if(
    changed: bool,
    tx: &mut Tx,
    stored: Submission,
    pace: &Pace,
    now: Timestamp,
) -> Result<LegacyEnqueued> {
    let id = stored.id;
    if !changed {
        return Ok(LegacyEnqueued::Unchanged(id));
    }
    commands::enter(tx, stored, pace, now)?;
    Ok(LegacyEnqueued::Queued(id))
}

fn is_same_exercise(one: &Purpose, other: &Purpose) -> bool {
    match (one, other) {
        (Purpose::Graded(one), Purpose::Graded(other)) => one.id == other.id,
        (Purpose::Run { .. }, _) | (_, Purpose::Run { .. }) => false,
    }
}

/// Lets go what the inbox holds for a submission: it was written before what is stored now.
pub(super) fn supersede(tx: &Tx, submission: &Submission) -> Result<()> {
    if let Some(legacy) = &submission.legacy {
        tx.execute(
            "DELETE FROM legacy_drafts WHERE backend = ?1 AND legacy_id = ?2",
            [legacy.backend.as_str(), legacy.legacy_id.as_str()],
        )?;
    }
    Ok(())
}

/// Deletes up to `limit` drafts that nobody asked for; answers how many.
pub(super) fn forget(tx: &Tx, before: i64, limit: u32) -> Result<usize> {
    Ok(tx.execute(
        "DELETE FROM legacy_drafts WHERE (backend, legacy_id) IN \
         (SELECT backend, legacy_id FROM legacy_drafts WHERE updated_at < ?1 LIMIT ?2)",
        params![before, limit],
    )?)
}
