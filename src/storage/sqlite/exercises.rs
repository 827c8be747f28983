//! Exercises and their versions. A version never changes; a deletion leaves all of them.

use rusqlite::params;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, json};
use super::versions::Versions;
use super::writer::Tx;
use crate::domain::exercise::{Exercise, ExerciseSpec};
use crate::domain::ids::ExerciseId;
use crate::domain::submission::ExerciseRef;
use crate::domain::time::Timestamp;
use crate::storage::{Error, ExercisePage, ExercisePut, Expected, ListedExercise, Result};

/// A version as it is stored; reading its document may take a while.
#[derive(sqlx::FromRow)]
pub(super) struct ExerciseRow {
    pub(super) exercise_id: String,
    pub(super) version: i64,
    pub(super) created_at: i64,
    pub(super) spec: String,
}

impl ExerciseRow {
    /// Reads it by the order of its columns.
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (exercise_id, version, created_at, spec) = row.try_into()?;
        Ok(Self { exercise_id, version, created_at, spec })
    }

    /// How long its document is, never 0.
    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.spec.len()).unwrap_or(u64::MAX).max(1)
    }
}

impl TryFrom<ExerciseRow> for Exercise {
    type Error = Error;

    fn try_from(row: ExerciseRow) -> Result<Self> {
        let name = format!("{} {}", row.exercise_id, row.version);
        let of = Row { table: "exercise_versions", key: &name };
        Ok(Self {
            id: of.text("exercise_id", &row.exercise_id)?,
            version: of.number("version", row.version)?,
            updated_at: Timestamp::from_millis(row.created_at),
            spec: of.json("spec", &row.spec)?,
        })
    }
}

/// Whether the stored exercise (`None`: none, or deleted) is as expected.
fn is_expected(stored: Option<u32>, expected: Expected) -> bool {
    match expected {
        Expected::Anything => true,
        Expected::Existing => stored.is_some(),
        Expected::Absent => stored.is_none(),
        Expected::Version(version) => stored == Some(version),
    }
}

/// The newest version of an exercise that isn't deleted.
const NEWEST: &str = "SELECT v.exercise_id, v.version, v.created_at, v.spec FROM exercises AS e \
     JOIN exercise_versions AS v ON v.exercise_id = e.id AND v.version = e.version \
     WHERE e.id = ?1 AND e.deleted_at IS NULL";
/// Its number alone.
const NEWEST_VERSION: &str = "SELECT version FROM exercises WHERE id = ?1 AND deleted_at IS NULL";
/// A version of an exercise, also of a deleted one.
const VERSION: &str = "SELECT exercise_id, version, created_at, spec FROM exercise_versions \
     WHERE exercise_id = ?1 AND version = ?2";

/// The outline of an exercise that isn't deleted, as lists show it.
const OUTLINE: &str = "SELECT v.exercise_id, v.version, v.created_at, o.spec, o.test_count FROM exercise_outlines AS o \
     JOIN exercise_versions AS v ON v.exercise_id = o.exercise_id AND v.version = o.version WHERE o.exercise_id = ?1";

/// An exercise with the document that is stored of it.
pub(super) struct Written {
    spec: ExerciseSpec,
    document: String,
}

impl Written {
    /// Writes the document, which may take a while.
    pub(super) fn of(spec: ExerciseSpec) -> Result<Self> {
        Ok(Self { document: json(&spec)?, spec })
    }
}

/// Stores an exercise as a new version, unless the newest says the same.
pub(super) fn put(
    tx: &Tx,
    versions: &Versions,
    id: &ExerciseId,
    written: Written,
    expected: Expected,
    now: Timestamp,
) -> Result<ExercisePut> {
    let Written { mut spec, document } = written;
    let stored = tx.first(NEWEST, [id.as_str()], ExerciseRow::read)?.map(Exercise::try_from).transpose()?;
    if !is_expected(stored.as_ref().map(|exercise| exercise.version), expected) {
        return Ok(ExercisePut::VersionMismatch);
    }
    let exists = stored.is_some();
    if let Some(stored) = stored
        && stored.spec == spec
    {
        return Ok(ExercisePut::Unchanged(stored));
    }
    let version: u32 = tx.one(
        "INSERT INTO exercises (id, version, created_at) VALUES (?1, 1, ?2) \
         ON CONFLICT DO UPDATE SET version = version + 1, deleted_at = NULL RETURNING version",
        params![id.as_str(), now.millis()],
        |row| row.get(0),
    )?;
    tx.execute(
        "INSERT INTO exercise_versions (exercise_id, version, created_at, spec) VALUES (?1, ?2, ?3, ?4)",
        params![id.as_str(), version, now.millis(), document],
    )?;
    if let Some(companion) = spec.kind.companion() {
        tx.execute(
            "INSERT INTO exercise_companions (exercise_id, version, runtime) VALUES (?1, ?2, ?3)",
            params![id.as_str(), version, companion.as_str()],
        )?;
    }
    write_outline(tx, id, version, &mut spec)?;
    versions.outdate(id, version);
    let exercise = Exercise { id: id.clone(), version, updated_at: now, spec };
    Ok(if exists { ExercisePut::Changed(exercise) } else { ExercisePut::Created(exercise) })
}

/// Stores what lists show of the newest version, which is left as it was.
fn write_outline(tx: &Tx, id: &ExerciseId, version: u32, spec: &mut ExerciseSpec) -> Result<()> {
    let (tests, solutions) = (std::mem::take(spec.kind.tests_mut()), std::mem::take(&mut spec.solutions));
    let outline = json(spec);
    let test_count = tests.len();
    (*spec.kind.tests_mut(), spec.solutions) = (tests, solutions);
    tx.execute(
        "INSERT INTO exercise_outlines (exercise_id, version, test_count, spec) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET version = excluded.version, test_count = excluded.test_count, spec = excluded.spec",
        params![id.as_str(), version, i64::try_from(test_count).unwrap_or(i64::MAX), outline?],
    )?;
    Ok(())
}

/// What lists show of an exercise that isn't deleted.
async fn outline(db: &mut SqliteConnection, id: &ExerciseId) -> Result<Option<ListedExercise>> {
    let row: Option<(String, i64, i64, String, i64)> =
        sqlx::query_as(OUTLINE).bind(id.as_str()).fetch_optional(db).await?;
    let Some((exercise_id, version, created_at, spec, test_count)) = row else { return Ok(None) };
    let test_count = Row { table: "exercise_outlines", key: id }.number("test_count", test_count)?;
    let exercise = ExerciseRow { exercise_id, version, created_at, spec }.try_into()?;
    Ok(Some(ListedExercise { exercise, test_count }))
}

/// Which version of an exercise that isn't deleted is the newest.
pub(super) async fn newest_version(
    db: &mut SqliteConnection,
    id: &ExerciseId,
) -> Result<Option<ExerciseRef>> {
    let version: Option<i64> =
        sqlx::query_scalar(NEWEST_VERSION).bind(id.as_str()).fetch_optional(db).await?;
    let of = Row { table: "exercises", key: id };
    version
        .map(|version| Ok(ExerciseRef { id: id.clone(), version: of.number("version", version)? }))
        .transpose()
}

/// A version of an exercise, also of a deleted one.
pub(super) async fn version(db: &mut SqliteConnection, of: &ExerciseRef) -> Result<Option<ExerciseRow>> {
    let version = sqlx::query_as(VERSION).bind(of.id.as_str()).bind(i64::from(of.version));
    Ok(version.fetch_optional(db).await?)
}

/// A version of an exercise, also of a deleted one, for the writer.
pub(super) fn stored_version(tx: &Tx, of: &ExerciseRef) -> Result<Option<ExerciseRow>> {
    Ok(tx.first(VERSION, params![of.id.as_str(), of.version], ExerciseRow::read)?)
}

/// Bytes of exercises after which a page ends.
const PAGE_BYTES: i64 = 8 << 20;

/// Exercises behind `after`, newest first: up to `limit`, fewer if they are large, at least one if there is one.
pub(super) async fn list(
    db: &mut SqliteConnection,
    after: Option<&ExerciseId>,
    limit: u32,
) -> Result<ExercisePage> {
    // Sizes first: they are known without reading what is large.
    let found: Vec<(String, i64)> = sqlx::query_as(
        "SELECT e.id, octet_length(o.spec) FROM exercises AS e \
         JOIN exercise_outlines AS o ON o.exercise_id = e.id \
         WHERE e.deleted_at IS NULL AND (?1 IS NULL OR (e.created_at, e.id) < \
           (SELECT last.created_at, last.id FROM exercises AS last WHERE last.id = ?1)) \
         ORDER BY e.created_at DESC, e.id DESC LIMIT ?2",
    )
    .bind(after.map(ExerciseId::as_str))
    .bind(i64::from(limit).saturating_add(1))
    .fetch_all(&mut *db)
    .await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut bytes = 0_i64;
    for (id, size) in &found {
        bytes = bytes.saturating_add(*size);
        if items.len() == most || (bytes > PAGE_BYTES && !items.is_empty()) {
            return Ok(ExercisePage { items, more: true });
        }
        let of = Row { table: "exercises", key: id };
        let id = of.present("id", id.parse().ok())?;
        items.push(of.present("version", outline(db, &id).await?)?);
    }
    Ok(ExercisePage { items, more: false })
}

/// Deletes an exercise; its versions stay for the submissions that were graded with them.
pub(super) fn delete(
    tx: &Tx,
    versions: &Versions,
    id: &ExerciseId,
    expected: Expected,
    now: Timestamp,
) -> Result<Option<bool>> {
    let stored: Option<u32> = tx.first(NEWEST_VERSION, [id.as_str()], |row| row.get(0))?;
    let Some(version) = stored else { return Ok(None) };
    if !is_expected(stored, expected) {
        return Ok(Some(false));
    }
    versions.outdate(id, version.saturating_add(1));
    tx.execute("UPDATE exercises SET deleted_at = ?2 WHERE id = ?1", params![id.as_str(), now.millis()])?;
    Ok(Some(true))
}
