//! Checks of exercises: what is judged for the solutions is set aside, and how it ended is read from there.

use rusqlite::params;

use super::SqliteStorage;
use super::queue::Entrance;
use super::rows::{Row, json, key, submission_id};
use super::submissions;
use super::writer::Tx;
use crate::domain::check::{Check, CheckItem};
use crate::domain::ids::CheckId;
use crate::domain::pace::Pace;
use crate::domain::submission::{ExerciseRef, StateName};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::storage::{CheckBegun, Checks, NewCheck, NewCheckItem, QueueCaps, Result};

impl Checks for SqliteStorage {
    async fn begin_check(
        &self,
        new: NewCheck,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> Result<CheckBegun> {
        self.inner.writer.write("begin_check", move |tx| begin(tx, new, caps, &pace, now)).await
    }

    async fn check(&self, id: CheckId) -> Result<Option<Check>> {
        let mut read = self.inner.readers.begin().await?;
        let found: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT exercise_id, exercise_version, created_at FROM checks WHERE id = ?1")
                .bind(check_key(id))
                .fetch_optional(&mut *read)
                .await?;
        let Some((exercise, version, created_at)) = found else { return Ok(None) };
        let rows: Vec<ItemRow> = sqlx::query_as(
            "SELECT i.solution, i.expected_verdicts, i.submission_id, s.state, \
               iif(s.state = 'finished', s.verdict, NULL) AS verdict \
             FROM check_items AS i LEFT JOIN submissions AS s ON s.id = i.submission_id \
             WHERE i.check_id = ?1 ORDER BY i.ordinal",
        )
        .bind(check_key(id))
        .fetch_all(&mut *read)
        .await?;
        read.rollback().await?;
        let of = Row { table: "checks", key: &id };
        let exercise = ExerciseRef {
            id: of.text("exercise_id", &exercise)?,
            version: of.number("exercise_version", version)?,
        };
        let items: Result<_> = rows.into_iter().map(CheckItem::try_from).collect();
        Ok(Some(Check { id, exercise, created_at: Timestamp::from_millis(created_at), items: items? }))
    }
}

/// How an id is stored.
fn check_key(id: CheckId) -> Vec<u8> {
    id.uuid().as_bytes().to_vec()
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    solution: String,
    expected_verdicts: String,
    submission_id: Vec<u8>,
    state: Option<String>,
    verdict: Option<String>,
}

impl TryFrom<ItemRow> for CheckItem {
    type Error = crate::storage::Error;

    fn try_from(row: ItemRow) -> Result<Self> {
        let submission = submission_id("check_items", &row.submission_id)?;
        let of = Row { table: "check_items", key: &submission };
        let state = row.state.map(|name| of.present("state", StateName::from_name(&name))).transpose()?;
        let verdict = row.verdict.map(|name| of.present("verdict", Verdict::from_name(&name))).transpose()?;
        Ok(Self {
            solution: row.solution,
            expected_verdicts: of.json("expected_verdicts", &row.expected_verdicts)?,
            submission,
            state,
            verdict,
        })
    }
}

fn begin(tx: &mut Tx, new: NewCheck, caps: QueueCaps, pace: &Pace, now: Timestamp) -> Result<CheckBegun> {
    let NewCheck { id, exercise, asked_by, items } = new;
    let mut entrance = Entrance::default();
    let caps = QueueCaps { per_owner: u64::MAX, ..caps };
    if entrance.refusal(tx, items.iter().map(|item| &item.submission.owner), caps)?.is_some() {
        return Ok(CheckBegun::QueueFull);
    }
    tx.execute(
        "INSERT INTO checks (id, exercise_id, exercise_version, asked_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            check_key(id),
            exercise.id.as_str(),
            exercise.version,
            asked_by.as_str(),
            now.millis()
        ],
    )?;
    let mut stored = Vec::with_capacity(items.len());
    for (ordinal, item) in (1_i64..).zip(items) {
        let NewCheckItem { solution, expected_verdicts, submission } = item;
        tx.execute(
            "INSERT INTO check_items (check_id, ordinal, solution, expected_verdicts, submission_id) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![check_key(id), ordinal, solution, json(&expected_verdicts)?, key(submission.id)],
        )?;
        stored.push(submissions::store_aside(tx, &mut entrance, submission, now)?);
    }
    for queued in stored {
        submissions::announce(tx, &queued, pace, now)?;
    }
    Ok(CheckBegun::Begun)
}

/// Deletes checks that were asked for before that instant.
pub(super) fn forget(tx: &Tx, before: i64) -> Result<()> {
    tx.execute("DELETE FROM checks WHERE created_at < ?1", [before])?;
    Ok(())
}
