//! Submissions: stored, found, listed.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{QueryBuilder, Row as _, query_as};

use super::queue::{Entrance, Refusal};
use super::rows::{Row, SubmissionRow, json, key, position, select_submissions, submission_id};
use super::writer::Tx;
use super::{events, idempotency, legacy, queue};
use crate::domain::event::EventBody;
use crate::domain::exercise::SourceFile;
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::pace::Pace;
use crate::domain::submission::{LegacyRef, NewSubmission, State, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{
    IdempotencyKey, Inserted, ListCursor, Placed, Position, QueueCaps, Result, SubmissionFilter,
};

/// What is asked by [`insert`].
pub(super) struct Insert {
    pub(super) new: Vec<NewSubmission>,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) caps: QueueCaps,
    pub(super) pace: Pace,
    pub(super) now: Timestamp,
}

/// Stores new submissions, all or none.
pub(super) async fn insert(tx: &mut Tx, asked: Insert) -> Result<Inserted> {
    let Insert { new, key, caps, pace, now } = asked;
    if let Some(key) = &key
        && let Some(before) = idempotency::replay(tx.db().await?, key, now).await?
    {
        return Ok(before);
    }
    if let Some((index, submission)) = taken_legacy_id(tx, &new).await? {
        return Ok(Inserted::LegacyIdTaken { index, submission });
    }
    let mut entrance = Entrance::default();
    let wanted = new.iter().filter(|new| new.enqueue).map(|new| &new.owner);
    match entrance.refusal(tx, wanted, caps).await? {
        None => {}
        Some(Refusal::Full) => return Ok(Inserted::QueueFull),
        Some(Refusal::Owner(owner)) => return Ok(Inserted::TooManyQueued(owner)),
    }
    if let Some(owner) = too_many_drafts(tx, &new, caps.drafts_per_owner).await? {
        return Ok(Inserted::TooManyDrafts(owner));
    }
    let (stored, only_position) = store(tx, entrance, new, now).await?;
    let queued: Vec<&Submission> =
        stored.iter().filter(|submission| submission.state.queue_key().is_some()).collect();
    let positions = match only_position {
        Some(position) => vec![position],
        None => queue::positions(tx.db().await?, &queued).await?,
    };
    announce(tx, &queued, &positions, &pace, now).await?;
    let mut positions = positions.into_iter();
    let place = |submission: Submission| {
        let position = submission.state.queue_key().and_then(|_| positions.next());
        Placed { submission, position }
    };
    let placed: Vec<Placed> = stored.into_iter().map(place).collect();
    if let Some(key) = &key {
        idempotency::keep(tx.db().await?, key, &placed, now).await?;
    }
    Ok(Inserted::Stored(placed))
}

/// Writes the events of submissions that entered the queue.
///
/// * `positions` — their places, when all are in: a later one may stand before an earlier one.
pub(super) async fn announce(
    tx: &mut Tx,
    queued: &[&Submission],
    positions: &[Position],
    pace: &Pace,
    now: Timestamp,
) -> Result<()> {
    if queued.is_empty() {
        return Ok(());
    }
    let mut entries = Vec::with_capacity(queued.len());
    for (submission, position) in queued.iter().zip(positions) {
        entries.push((*submission, EventBody::Queued { position: *position, eta: pace.eta(*position) }));
    }
    events::append(tx, &entries, now).await?;
    tx.hint_entered();
    Ok(())
}

/// The first of `new` whose id at a backend is taken, also by one before it, and who has it.
async fn taken_legacy_id(tx: &mut Tx, new: &[NewSubmission]) -> Result<Option<(usize, SubmissionId)>> {
    let mut seen: HashMap<&LegacyRef, SubmissionId> = HashMap::new();
    for (index, submission) in new.iter().enumerate() {
        let Some(legacy) = &submission.legacy else { continue };
        if let Some(before) = seen.insert(legacy, submission.id) {
            return Ok(Some((index, before)));
        }
        let stored: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT id FROM submissions WHERE backend = ?1 AND legacy_id = ?2")
                .bind(legacy.backend.as_str())
                .bind(legacy.legacy_id.as_str())
                .fetch_optional(tx.db().await?)
                .await?;
        if let Some(stored) = stored {
            return Ok(Some((index, submission_id("submissions", &stored)?)));
        }
    }
    Ok(None)
}

/// An owner of more than `most` drafts, `new` ones included.
async fn too_many_drafts(tx: &mut Tx, new: &[NewSubmission], most: u64) -> Result<Option<Owner>> {
    let mut wanted: BTreeMap<&Owner, u64> = BTreeMap::new();
    for new in new.iter().filter(|new| !new.enqueue) {
        *wanted.entry(&new.owner).or_default() += 1;
    }
    for (owner, wanted) in wanted.into_iter().filter(|_| most < u64::MAX) {
        let stored: i64 =
            sqlx::query_scalar("SELECT count(*) FROM submissions WHERE owner = ?1 AND state = 'draft'")
                .bind(owner.as_str())
                .fetch_one(tx.db().await?)
                .await?;
        if u64::try_from(stored).unwrap_or(0).saturating_add(wanted) > most {
            return Ok(Some(owner.clone()));
        }
    }
    Ok(None)
}

/// Writes new submissions; of a single one that enters the queue, the place is read in the same turn.
async fn store(
    tx: &mut Tx,
    mut entrance: Entrance,
    new: Vec<NewSubmission>,
    now: Timestamp,
) -> Result<(Vec<Submission>, Option<Position>)> {
    let (is_only, mut position) = (new.len() == 1, None);
    let mut stored = Vec::with_capacity(new.len());
    for new in new {
        let state = if new.enqueue {
            let key = entrance.key(tx, new.priority, &new.owner).await?;
            State::Queued { key, queued_at: now, attempt: 0 }
        } else {
            State::Draft
        };
        let digest = digest(&new.files);
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
        };
        let mut files = (0_i64..).zip(new.files);
        if is_only && new.enqueue {
            position = Some(write_row_and_place(tx.db().await?, &submission, &digest, files.next()).await?);
        } else {
            writing(write_row!(), &submission, &digest, files.next())?.execute(tx.db().await?).await?;
        }
        write_files(tx.db().await?, submission.id, files).await?;
        legacy::supersede(tx.db().await?, &submission).await?;
        stored.push(submission);
    }
    Ok((stored, position))
}

/// Stores a submission with its owner, and with its first file: most have one.
///
/// `SQLx` counts the numbers that each statement of a script skips: as many as there are values, and the rest are NULL.
/// A statement behind these may name `?1` only.
macro_rules! write_row {
    () => {
        "INSERT INTO owners (name) VALUES (?2) ON CONFLICT DO NOTHING; \
         INSERT INTO submissions (id, owner, backend, legacy_id, exercise_id, exercise_version, run, runtime, \
         priority, metadata, created_at, files_digest, queued_digest, round, attempt, state, rank, ticket, \
         queued_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 1, 0, ?14, ?15, ?16, ?17); \
         INSERT INTO files (submission_id, ordinal, path, content) \
         SELECT ?1, 0, ?18, ?19 WHERE ?18 IS NOT NULL"
    };
}
use write_row;

/// Stores a submission that enters the queue; its place.
async fn write_row_and_place(
    db: &mut SqliteConnection,
    submission: &Submission,
    digest: &[u8],
    first: Option<(i64, SourceFile)>,
) -> Result<Position> {
    let script = concat!(write_row!(), "; SELECT ", position!(), " FROM submissions AS s WHERE s.id = ?1");
    let position: i64 = writing(script, submission, digest, first)?.fetch_one(db).await?.try_get(0)?;
    Row { table: "submissions", key: &submission.id }.number("position", position)
}

/// `script`, which begins with `write_row!`, with its values.
fn writing(
    script: &'static str,
    submission: &Submission,
    digest: &[u8],
    first: Option<(i64, SourceFile)>,
) -> Result<Query<'static, Sqlite, SqliteArguments>> {
    let exercise = submission.purpose.exercise();
    let queued = submission.state.queue_key();
    let (path, content) = first.map(|(_, file)| (file.path, file.content.into_bytes())).unzip();
    Ok(sqlx::query(script)
        .bind(key(submission.id))
        .bind(submission.owner.as_str().to_owned())
        .bind(submission.legacy.as_ref().map(|legacy| legacy.backend.as_str()))
        .bind(submission.legacy.as_ref().map(|legacy| legacy.legacy_id.as_str()))
        .bind(exercise.map(|exercise| exercise.id.as_str()))
        .bind(exercise.map(|exercise| i64::from(exercise.version)))
        .bind(submission.purpose.run().map(json).transpose()?)
        .bind(submission.runtime.as_str().to_owned())
        .bind(i64::from(submission.priority.class()))
        .bind(json(&submission.metadata)?)
        .bind(submission.created_at.millis())
        .bind(digest.to_vec())
        .bind(queued.map(|_| digest.to_vec()))
        .bind(submission.state.name().name())
        .bind(queued.map(|key| key.rank))
        .bind(queued.map(|key| key.ticket))
        .bind(queued.map(|_| submission.created_at.millis()))
        .bind(path)
        .bind(content))
}

/// Stores files of a submission with their places among them.
pub(super) async fn write_files(
    db: &mut SqliteConnection,
    id: SubmissionId,
    files: impl Iterator<Item = (i64, SourceFile)>,
) -> Result<()> {
    for (ordinal, file) in files {
        sqlx::query("INSERT INTO files (submission_id, ordinal, path, content) VALUES (?1, ?2, ?3, ?4)")
            .bind(key(id))
            .bind(ordinal)
            .bind(file.path)
            .bind(file.content.into_bytes())
            .execute(&mut *db)
            .await?;
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
    row(db, id).await?.map(Placed::try_from).transpose()
}

/// The row of a submission.
pub(super) async fn row(db: &mut SqliteConnection, id: SubmissionId) -> Result<Option<SubmissionRow>> {
    let found = query_as(select_submissions!("r.tests", "WHERE s.id = ?1"));
    Ok(found.bind(key(id)).fetch_optional(db).await?)
}

/// The submission with that id at a backend.
pub(super) async fn by_legacy(db: &mut SqliteConnection, legacy: &LegacyRef) -> Result<Option<Placed>> {
    let row: Option<SubmissionRow> =
        query_as(select_submissions!("r.tests", "WHERE s.backend = ?1 AND s.legacy_id = ?2"))
            .bind(legacy.backend.as_str())
            .bind(legacy.legacy_id.as_str())
            .fetch_optional(db)
            .await?;
    row.map(Placed::try_from).transpose()
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

/// Submissions that match, newest first, without the tests of their results.
pub(super) async fn list(
    db: &mut SqliteConnection,
    filter: &SubmissionFilter,
    after: Option<ListCursor>,
    limit: u32,
) -> Result<Vec<Placed>> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(select_submissions!("NULL", "WHERE true"));
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
