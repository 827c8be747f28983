//! An exercise's submissions, judged again.
//!
//! ```text
//! waiting ──► judging ──► judged | failed | left_out      an item: one submission
//! running ──► ended ──► applied                           all of them; what stands behind `ended` is for previews alone
//!    └──────────┴─────► cancelled
//! ```
//!
//! An item is judged by a new round of its submission or, in a preview, by a copy of it that is set aside (`feed`). The end of
//! what is judged settles its item in the same transaction (`settle`), so that whatever process goes on finds all as it is.

mod apply;
mod feed;
mod settle;

use rusqlite::params;

pub(super) use self::apply::forget;
pub(super) use self::settle::note_end;
use super::SqliteStorage;
use super::rows::{Row, json, submission_id};
use super::writer::Tx;
use crate::domain::ids::{ExerciseId, RejudgeId};
use crate::domain::pace::Pace;
use crate::domain::rejudge::{Grade, Rejudge, RejudgeFilter, RejudgeMode, RejudgeState};
use crate::domain::submission::ExerciseRef;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::storage::{NewRejudge, QueueCaps, RejudgeBegun, RejudgeChange, RejudgeDecided, Rejudges, Result};

/// Whether one goes on.
const ANY_RUNNING: &str = "SELECT EXISTS (SELECT 1 FROM rejudges WHERE state = 'running')";
/// How it stands.
const STANDING: &str = "SELECT exercise_id, exercise_version, mode, state, created_at, ended_at, total, ended, changed, \
     failed, left_out FROM rejudges WHERE id = ?1";

impl Rejudges for SqliteStorage {
    async fn begin_rejudge(&self, new: NewRejudge, now: Timestamp) -> Result<RejudgeBegun> {
        self.inner.writer.write("begin_rejudge", move |tx| begin(tx, &new, now)).await
    }

    async fn continue_rejudges(&self, caps: QueueCaps, pace: Pace, now: Timestamp) -> Result<u64> {
        let any: bool = sqlx::query_scalar(ANY_RUNNING).fetch_one(&mut *self.reader().await?).await?;
        if !any {
            return Ok(0);
        }
        self.inner.writer.write("continue_rejudges", move |tx| feed::next(tx, caps, &pace, now)).await
    }

    async fn rejudge_standing(&self, id: RejudgeId) -> Result<Option<Rejudge>> {
        let row: Option<StandingRow> =
            sqlx::query_as(STANDING).bind(key(id)).fetch_optional(&mut *self.reader().await?).await?;
        row.map(|row| row.rejudge(id)).transpose()
    }

    async fn rejudge_changes(&self, id: RejudgeId, after: u64, limit: u32) -> Result<Vec<RejudgeChange>> {
        let rows: Vec<ChangeRow> = sqlx::query_as(
            "SELECT ordinal, submission_id, owner, before_verdict, before_score, before_max_score, \
             after_verdict, after_score, after_max_score FROM rejudge_items \
             WHERE rejudge_id = ?1 AND changed = 1 AND ordinal > ?2 ORDER BY ordinal LIMIT ?3",
        )
        .bind(key(id))
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.into_iter().map(RejudgeChange::try_from).collect()
    }

    async fn apply_rejudge(&self, id: RejudgeId, now: Timestamp) -> Result<RejudgeDecided> {
        self.inner.writer.write("apply_rejudge", move |tx| apply::apply(tx, id, now)).await
    }

    async fn cancel_rejudge(&self, id: RejudgeId, now: Timestamp) -> Result<RejudgeDecided> {
        self.inner.writer.write("cancel_rejudge", move |tx| apply::cancel(tx, id, now)).await
    }
}

/// How an id is stored.
fn key(id: RejudgeId) -> Vec<u8> {
    id.uuid().as_bytes().to_vec()
}

fn rejudge_id(bytes: &[u8]) -> Result<RejudgeId> {
    Ok(RejudgeId::from_uuid(submission_id("rejudges", bytes)?.uuid()))
}

/// A row of [`STANDING`].
#[derive(sqlx::FromRow)]
struct StandingRow {
    exercise_id: String,
    exercise_version: i64,
    mode: String,
    state: String,
    created_at: i64,
    ended_at: Option<i64>,
    total: i64,
    ended: i64,
    changed: i64,
    failed: i64,
    left_out: i64,
}

impl StandingRow {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            exercise_id: row.get("exercise_id")?,
            exercise_version: row.get("exercise_version")?,
            mode: row.get("mode")?,
            state: row.get("state")?,
            created_at: row.get("created_at")?,
            ended_at: row.get("ended_at")?,
            total: row.get("total")?,
            ended: row.get("ended")?,
            changed: row.get("changed")?,
            failed: row.get("failed")?,
            left_out: row.get("left_out")?,
        })
    }

    fn rejudge(self, id: RejudgeId) -> Result<Rejudge> {
        let of = Row { table: "rejudges", key: &id };
        Ok(Rejudge {
            id,
            exercise: ExerciseRef {
                id: of.text("exercise_id", &self.exercise_id)?,
                version: of.number("exercise_version", self.exercise_version)?,
            },
            mode: of.present("mode", RejudgeMode::from_name(&self.mode))?,
            state: of.present("state", RejudgeState::from_name(&self.state))?,
            created_at: Timestamp::from_millis(self.created_at),
            ended_at: self.ended_at.map(Timestamp::from_millis),
            total: of.number("total", self.total)?,
            ended: of.number("ended", self.ended)?,
            changed: of.number("changed", self.changed)?,
            failed: of.number("failed", self.failed)?,
            left_out: of.number("left_out", self.left_out)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    ordinal: i64,
    submission_id: Vec<u8>,
    owner: String,
    before_verdict: Option<String>,
    before_score: Option<i64>,
    before_max_score: Option<i64>,
    after_verdict: String,
    after_score: Option<i64>,
    after_max_score: Option<i64>,
}

impl TryFrom<ChangeRow> for RejudgeChange {
    type Error = crate::storage::Error;

    fn try_from(row: ChangeRow) -> Result<Self> {
        let submission = submission_id("rejudge_items", &row.submission_id)?;
        let of = Row { table: "rejudge_items", key: &submission };
        let before = row.before_verdict.as_deref();
        Ok(Self {
            place: of.number("ordinal", row.ordinal)?,
            submission,
            owner: of.text("owner", &row.owner)?,
            before: before
                .map(|verdict| grade_of(&of, verdict, row.before_score, row.before_max_score))
                .transpose()?,
            after: grade_of(&of, &row.after_verdict, row.after_score, row.after_max_score)?,
        })
    }
}

/// What stands in columns of verdict and points.
fn grade_of(of: &Row<'_>, verdict: &str, score: Option<i64>, max_score: Option<i64>) -> Result<Grade> {
    let points = |value: Option<i64>| value.map(|value| of.number("score", value)).transpose();
    Ok(Grade {
        verdict: of.present("verdict", Verdict::from_name(verdict))?,
        score: points(score)?,
        max_score: points(max_score)?,
    })
}

/// How it stands, for the writer.
fn standing(tx: &Tx, id: RejudgeId) -> Result<Option<Rejudge>> {
    let row = tx.first(STANDING, [key(id)], StandingRow::read)?;
    row.map(|row| row.rejudge(id)).transpose()
}

/// The one that goes on for an exercise, or waits for a decision.
fn open(tx: &Tx, exercise: &ExerciseId) -> Result<Option<RejudgeId>> {
    let open: Option<Vec<u8>> = tx.first(
        "SELECT id FROM rejudges WHERE exercise_id = ?1 \
         AND (state = 'running' OR (state = 'ended' AND mode = 'preview'))",
        [exercise.as_str()],
        |row| row.get(0),
    )?;
    open.map(|id| rejudge_id(&id)).transpose()
}

fn begin(tx: &Tx, new: &NewRejudge, now: Timestamp) -> Result<RejudgeBegun> {
    let NewRejudge { id, exercise, mode, filter, runtimes, asked_by } = new;
    let version: Option<u32> = tx.first(
        "SELECT version FROM exercises WHERE id = ?1 AND deleted_at IS NULL",
        [exercise.as_str()],
        |row| row.get(0),
    )?;
    let Some(version) = version else { return Ok(RejudgeBegun::NotFound) };
    if let Some(open) = open(tx, exercise)? {
        return Ok(RejudgeBegun::Busy(open));
    }
    let runtimes: Vec<_> =
        runtimes.iter().filter(|known| filter.runtime.as_ref().is_none_or(|only| only == *known)).collect();
    tx.execute(
        "INSERT INTO rejudges (id, exercise_id, exercise_version, mode, state, asked_by, created_at, total, ended) \
         VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, 0, 0)",
        params![key(*id), exercise.as_str(), version, mode.name(), asked_by.as_str(), now.millis()],
    )?;
    let RejudgeFilter { runtime: _, verdict, created_after, created_before } = filter;
    let total = tx.execute(
        "INSERT INTO rejudge_items (rejudge_id, ordinal, submission_id, owner) \
         SELECT ?1, row_number() OVER (ORDER BY created_at, id), id, owner FROM submissions \
         WHERE exercise_id = ?2 AND run IS NULL AND set_aside IS NULL \
           AND (state IN ('finished', 'failed') OR (state IN ('queued', 'running') AND exercise_version < ?3)) \
           AND runtime IN (SELECT value FROM json_each(?4)) AND (?5 IS NULL OR verdict = ?5) \
           AND (?6 IS NULL OR created_at >= ?6) AND (?7 IS NULL OR created_at < ?7)",
        params![
            key(*id),
            exercise.as_str(),
            version,
            json(&runtimes)?,
            verdict.map(Verdict::name),
            created_after.map(Timestamp::millis),
            created_before.map(Timestamp::millis)
        ],
    )?;
    tx.execute(
        "UPDATE rejudges SET total = ?2, state = iif(?2 = 0, 'ended', 'running'), ended_at = iif(?2 = 0, ?3, NULL) \
         WHERE id = ?1",
        params![key(*id), i64::try_from(total).unwrap_or(i64::MAX), now.millis()],
    )?;
    let of = Row { table: "rejudges", key: id };
    Ok(RejudgeBegun::Begun(of.present("id", standing(tx, *id)?)?))
}
