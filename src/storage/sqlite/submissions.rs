//! Submissions: stored, found, listed.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{QueryBuilder, query_as, query_scalar};

use super::queue::{Entrance, Refusal};
use super::rows::{Row, SubmissionRow, json, key, select_submissions, submission_id};
use super::writer::Tx;
use super::{events, idempotency, legacy, queue};
use crate::domain::event::EventBody;
use crate::domain::exercise::SourceFile;
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::pace::Pace;
use crate::domain::submission::{FileSize, LegacyRef, NewSubmission, State, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{
    Change, IdempotencyKey, Inserted, ListCursor, Placed, Position, QueueCaps, Result, SubmissionFilter,
};

/// A submission by its id.
const BY_ID: &str = select_submissions!(whole, "WHERE s.id = ?1");
/// The same, unless it is a copy that only shows what would come of another.
const SHOWN_BY_ID: &str = select_submissions!(whole, "WHERE s.id = ?1 AND s.set_aside IS NOT 'preview'");
/// A submission by its id at a backend.
const BY_LEGACY: &str = select_submissions!(whole, "WHERE s.backend = ?1 AND s.legacy_id = ?2");

/// What is asked by [`insert`].
pub(super) struct Insert {
    pub(super) new: Vec<NewSubmission>,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) caps: QueueCaps,
    pub(super) pace: Pace,
    pub(super) now: Timestamp,
}

/// Stores new submissions, all or none.
pub(super) fn insert(tx: &mut Tx, asked: Insert) -> Result<Inserted> {
    let Insert { new, key, caps, pace, now } = asked;
    if let Some(key) = &key
        && let Some(before) = idempotency::stored(tx, key, now)?
    {
        return Ok(before);
    }
    if let Some((index, submission)) = taken_legacy_id(tx, &new)? {
        return Ok(Inserted::LegacyIdTaken { index, submission });
    }
    let mut entrance = Entrance::default();
    let wanted = new.iter().filter(|new| new.enqueue).map(|new| &new.owner);
    match entrance.refusal(tx, wanted, caps)? {
        None => {}
        Some(Refusal::Full) => return Ok(Inserted::QueueFull),
        Some(Refusal::Owner(owner)) => return Ok(Inserted::TooManyQueued(owner)),
    }
    if let Some(owner) = too_many_drafts(tx, &new, caps.drafts_per_owner)? {
        return Ok(Inserted::TooManyDrafts(owner));
    }
    let mut stored = Vec::with_capacity(new.len());
    for new in new {
        stored.push(store(tx, &mut entrance, new, now)?);
    }
    // When all are in: a later one may stand before an earlier one.
    let mut placed = Vec::with_capacity(stored.len());
    for submission in stored {
        let queued = submission.state.queue_key().is_some();
        let position = if queued { Some(announce(tx, &submission, &pace, now)?) } else { None };
        placed.push(Placed { submission, position });
    }
    if let Some(key) = &key {
        idempotency::keep(tx, key, &placed, now)?;
    }
    Ok(Inserted::Stored(placed))
}

/// Writes the event of a submission that entered the queue; its place.
pub(super) fn announce(tx: &mut Tx, queued: &Submission, pace: &Pace, now: Timestamp) -> Result<Position> {
    let position = queue::place(tx, queued)?;
    let eta = pace.eta(position, &queued.runtime);
    events::append(tx, queued, &EventBody::Queued { position, eta }, now)?;
    tx.hint(Change::Queued);
    Ok(position)
}

/// The first of `new` whose id at a backend is taken, also by one before it, and who has it.
fn taken_legacy_id(tx: &Tx, new: &[NewSubmission]) -> Result<Option<(usize, SubmissionId)>> {
    let mut seen: HashMap<&LegacyRef, SubmissionId> = HashMap::new();
    for (index, submission) in new.iter().enumerate() {
        let Some(legacy) = &submission.legacy else { continue };
        if let Some(before) = seen.insert(legacy, submission.id) {
            return Ok(Some((index, before)));
        }
        let stored: Option<Vec<u8>> = tx.first(
            "SELECT id FROM submissions WHERE backend = ?1 AND legacy_id = ?2",
            [legacy.backend.as_str(), legacy.legacy_id.as_str()],
            |row| row.get(0),
        )?;
        if let Some(stored) = stored {
            return Ok(Some((index, submission_id("submissions", &stored)?)));
        }
    }
    Ok(None)
}

/// An owner of more than `most` drafts, `new` ones included.
fn too_many_drafts(tx: &Tx, new: &[NewSubmission], most: u64) -> Result<Option<Owner>> {
    let mut wanted: BTreeMap<&Owner, u64> = BTreeMap::new();
    for new in new.iter().filter(|new| !new.enqueue) {
        *wanted.entry(&new.owner).or_default() += 1;
    }
    for (owner, wanted) in wanted.into_iter().filter(|_| most < u64::MAX) {
        let stored: i64 = tx.one(
            "SELECT count(*) FROM submissions WHERE owner = ?1 AND state = 'draft'",
            [owner.as_str()],
            |row| row.get(0),
        )?;
        if u64::try_from(stored).unwrap_or(0).saturating_add(wanted) > most {
            return Ok(Some(owner.clone()));
        }
    }
    Ok(None)
}

/// Writes a new submission with its files.
fn store(tx: &Tx, entrance: &mut Entrance, new: NewSubmission, now: Timestamp) -> Result<Submission> {
    let state = if new.enqueue {
        let key = entrance.key(tx, new.priority, &new.owner)?;
        State::Queued { key, queued_at: now, attempt: 0 }
    } else {
        State::Draft
    };
    let submission = Submission {
        id: new.id,
        owner: new.owner,
        legacy: new.legacy,
        purpose: new.purpose,
        runtime: new.runtime,
        priority: new.priority,
        metadata: new.metadata,
        created_at: now,
        round: 1,
        state,
        result: None,
        failure: None,
        files: Some(new.files.iter().map(FileSize::of).collect()),
    };
    write_row(tx, &submission, &digest(&new.files))?;
    write_files(tx, submission.id, new.files)?;
    legacy::supersede(tx, &submission)?;
    Ok(submission)
}

/// The same for what checks an exercise: it is set aside.
pub(super) fn store_aside(
    tx: &Tx,
    entrance: &mut Entrance,
    new: NewSubmission,
    now: Timestamp,
) -> Result<Submission> {
    let id = new.id;
    // It counts among its owner's from when it is queued, which is after it was set aside.
    let draft = NewSubmission { enqueue: false, ..new };
    let stored = store(tx, entrance, draft, now)?;
    let queue_key = entrance.key(tx, stored.priority, &stored.owner)?;
    tx.execute(
        "UPDATE submissions SET set_aside = 'check', state = 'queued', rank = ?2, ticket = ?3, queued_at = ?4, \
         queued_digest = files_digest WHERE id = ?1",
        params![key(id), queue_key.rank, queue_key.ticket, now.millis()],
    )?;
    Ok(Submission { state: State::Queued { key: queue_key, queued_at: now, attempt: 0 }, ..stored })
}

/// Writes a new submission's row, and its owner's if he is new.
fn write_row(tx: &Tx, submission: &Submission, digest: &[u8]) -> Result<()> {
    let owner = submission.owner.as_str();
    tx.execute("INSERT INTO owners (name) VALUES (?1) ON CONFLICT DO NOTHING", [owner])?;
    let exercise = submission.purpose.exercise();
    let queued = submission.state.queue_key();
    tx.execute(
        "INSERT INTO submissions (id, owner, backend, legacy_id, exercise_id, exercise_version, run, runtime, \
         priority, metadata, created_at, files_digest, queued_digest, round, attempt, state, rank, ticket, \
         queued_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1, 0, ?14, ?15, ?16, ?17)",
        params![
            key(submission.id),
            owner,
            submission.legacy.as_ref().map(|legacy| legacy.backend.as_str()),
            submission.legacy.as_ref().map(|legacy| legacy.legacy_id.as_str()),
            exercise.map(|exercise| exercise.id.as_str()),
            exercise.map(|exercise| exercise.version),
            submission.purpose.run().map(json).transpose()?,
            submission.runtime.as_str(),
            submission.priority.class(),
            submission.metadata.as_str(),
            submission.created_at.millis(),
            digest,
            queued.map(|_| digest),
            submission.state.name().name(),
            queued.map(|key| key.rank),
            queued.map(|key| key.ticket),
            queued.map(|_| submission.created_at.millis()),
        ],
    )?;
    Ok(())
}

/// Stores files of a submission in their order.
pub(super) fn write_files(tx: &Tx, id: SubmissionId, files: Vec<SourceFile>) -> Result<()> {
    for (ordinal, file) in (0_i64..).zip(files) {
        tx.execute(
            "INSERT INTO files (submission_id, ordinal, path, content) VALUES (?1, ?2, ?3, ?4)",
            params![key(id), ordinal, file.path, file.content.into_bytes()],
        )?;
    }
    Ok(())
}

/// SHA-256 of paths and bytes, the same in whatever order they are sent.
pub(super) fn digest(files: &[SourceFile]) -> Vec<u8> {
    let mut sorted: Vec<&SourceFile> = files.iter().collect();
    sorted.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let mut hash = Sha256::new();
    for part in sorted.iter().flat_map(|file| [file.path.as_bytes(), file.content.as_bytes()]) {
        // Lengths keep what ends one part from reading as the start of the next.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// Rows as domain values.
pub(super) fn placed(rows: Vec<SubmissionRow>) -> Result<Vec<Placed>> {
    rows.into_iter().map(Placed::try_from).collect()
}

/// A submission and its place.
pub(super) async fn by_id(db: &mut SqliteConnection, id: SubmissionId) -> Result<Option<Placed>> {
    let row: Option<SubmissionRow> = query_as(SHOWN_BY_ID).bind(key(id)).fetch_optional(db).await?;
    row.map(Placed::try_from).transpose()
}

/// Those of some submissions that are not stored.
pub(super) async fn missing(db: &mut SqliteConnection, of: &[SubmissionId]) -> Result<Vec<SubmissionId>> {
    let asked: Vec<String> = of.iter().map(|id| id.uuid().simple().to_string()).collect();
    let missing: Vec<Vec<u8>> = query_scalar(
        "SELECT unhex(asked.value) FROM json_each(?1) AS asked \
         WHERE NOT EXISTS (SELECT 1 FROM submissions AS s WHERE s.id = unhex(asked.value))",
    )
    .bind(json(&asked)?)
    .fetch_all(db)
    .await?;
    missing.iter().map(|id| submission_id("submissions", id)).collect()
}

/// The submission with that id at a backend.
pub(super) async fn by_legacy(db: &mut SqliteConnection, legacy: &LegacyRef) -> Result<Option<Placed>> {
    let row: Option<SubmissionRow> = query_as(BY_LEGACY)
        .bind(legacy.backend.as_str())
        .bind(legacy.legacy_id.as_str())
        .fetch_optional(db)
        .await?;
    row.map(Placed::try_from).transpose()
}

/// The row of a submission, for the writer.
pub(super) fn row(tx: &Tx, id: SubmissionId) -> Result<Option<SubmissionRow>> {
    Ok(tx.first(BY_ID, [key(id)], SubmissionRow::read)?)
}

/// A submission and its place, for the writer.
pub(super) fn stored(tx: &Tx, id: SubmissionId) -> Result<Option<Placed>> {
    row(tx, id)?.map(Placed::try_from).transpose()
}

/// The submission with that id at a backend, for the writer.
pub(super) fn stored_by_legacy(tx: &Tx, legacy: &LegacyRef) -> Result<Option<Placed>> {
    let names = [legacy.backend.as_str(), legacy.legacy_id.as_str()];
    tx.first(BY_LEGACY, names, SubmissionRow::read)?.map(Placed::try_from).transpose()
}

/// One file of a submission.
pub(super) async fn file(
    db: &mut SqliteConnection,
    id: SubmissionId,
    path: &str,
) -> Result<Option<SourceFile>> {
    let content: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT content FROM files WHERE submission_id = ?1 AND path = ?2")
            .bind(key(id))
            .bind(path)
            .fetch_optional(db)
            .await?;
    Ok(content.map(|content| SourceFile { path: path.to_owned(), content: content.into() }))
}

/// All files of a submission, in their order.
pub(super) async fn files(db: &mut SqliteConnection, id: SubmissionId) -> Result<Vec<SourceFile>> {
    let files: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT path, content FROM files WHERE submission_id = ?1 ORDER BY ordinal")
            .bind(key(id))
            .fetch_all(db)
            .await?;
    Ok(files.into_iter().map(|(path, content)| SourceFile { path, content: content.into() }).collect())
}

/// All files of a submission without their bytes, for the writer.
pub(super) fn file_sizes(tx: &Tx, id: SubmissionId) -> Result<Vec<FileSize>> {
    let sizes: Vec<(String, i64)> = tx.rows(
        "SELECT path, length(content) FROM files WHERE submission_id = ?1 ORDER BY ordinal",
        [key(id)],
        |row| row.try_into(),
    )?;
    let of = Row { table: "files", key: &id };
    sizes
        .into_iter()
        .map(|(path, bytes)| Ok(FileSize { path, bytes: of.number("content", bytes)? }))
        .collect()
}

/// Submissions that match, newest first, without the tests of their results.
pub(super) async fn list(
    db: &mut SqliteConnection,
    filter: &SubmissionFilter,
    after: Option<ListCursor>,
    limit: u32,
) -> Result<Vec<Placed>> {
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new(select_submissions!(listed, "WHERE s.set_aside IS NULL"));
    // A plus sign keeps the index of a column from being used: another narrows the list further, or keeps its
    // order. Indexes of states are for ended and for other ones.
    let of_owner = filter.owner.is_some();
    let narrowed = of_owner || filter.exercise_id.is_some() || filter.legacy_id.is_some();
    if let Some(owner) = &filter.owner {
        query.push(if filter.legacy_id.is_some() { " AND +s.owner = " } else { " AND s.owner = " });
        query.push_bind(owner.as_str());
    }
    if let Some(exercise) = &filter.exercise_id {
        query.push(if of_owner { " AND +s.exercise_id = " } else { " AND s.exercise_id = " });
        query.push_bind(exercise.as_str());
    }
    if let Some(state) = filter.state {
        query.push(if narrowed { " AND +s.state = " } else { " AND s.state = " }).push_bind(state.name());
        query.push(if state.is_ended() {
            " AND s.finished_at IS NOT NULL"
        } else {
            " AND s.finished_at IS NULL"
        });
    }
    if let Some(verdict) = filter.verdict {
        query.push(if narrowed { " AND +s.verdict = " } else { " AND s.verdict = " });
        query.push_bind(verdict.name());
    }
    if let Some(backend) = &filter.backend {
        query.push(if filter.legacy_id.is_some() { " AND s.backend = " } else { " AND +s.backend = " });
        query.push_bind(backend.as_str());
    }
    if let Some(legacy_id) = &filter.legacy_id {
        query.push(" AND s.legacy_id = ").push_bind(legacy_id.as_str());
    }
    if let Some(instant) = filter.created_after {
        query.push(" AND s.created_at >= ").push_bind(instant.millis());
    }
    if let Some(instant) = filter.created_before {
        query.push(" AND s.created_at < ").push_bind(instant.millis());
    }
    if let Some(cursor) = after {
        query.push(" AND (s.created_at, s.id) < (").push_bind(cursor.created_at.millis());
        query.push(", ").push_bind(key(cursor.id)).push(")");
    }
    query.push(" ORDER BY s.created_at DESC, s.id DESC LIMIT ").push_bind(i64::from(limit));
    placed(query.build_query_as().fetch_all(db).await?)
}
