//! Deleting what is older than it should get. Numbers that were given never come again.

use rusqlite::params;

use super::idempotency::KEPT_MS;
use super::rows::{Row, submission_id};
use super::writer::{Tx, Writer};
use super::{checks, legacy, rejudges, sign_in};
use crate::domain::time::Timestamp;
use crate::storage::{Change, Result, Retention};

/// Submissions that go in one transaction: others wait no longer than that.
const BATCH: u32 = 100;

/// Deletes in small transactions; answers how many submissions went.
pub(super) async fn prune(writer: &Writer, retention: Retention, now: Timestamp) -> Result<u64> {
    let before = |age: std::time::Duration| {
        now.millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
    };
    let (ended_before, logged_before) = (before(retention.submissions), before(retention.events));
    let keys_before = now.millis().saturating_sub(KEPT_MS);
    writer.write("prune", move |tx| forget(tx, keys_before)).await?;
    writer.write("prune", move |tx| sign_in::forget(tx, now)).await?;
    while writer.write("prune", move |tx| legacy::forget(tx, ended_before, BATCH)).await? > 0 {}
    writer.write("prune", move |tx| checks::forget(tx, ended_before)).await?;
    while writer.write("prune", move |tx| rejudges::forget(tx, ended_before)).await? > 0 {}
    while writer.write("prune", move |tx| logs(tx, logged_before)).await? > 0 {}
    let mut gone = 0_u64;
    loop {
        let batch = writer.write("prune", move |tx| submissions(tx, ended_before)).await?;
        if batch == 0 {
            return Ok(gone);
        }
        gone = gone.saturating_add(batch);
    }
}

/// Idempotency keys that hold no longer, and ranks that say no more than the class does.
fn forget(tx: &Tx, before: i64) -> Result<()> {
    tx.execute("DELETE FROM idempotency_keys WHERE created_at <= ?1", [before])?;
    tx.execute(
        "DELETE FROM owner_ranks WHERE last_rank < \
         (SELECT started FROM classes WHERE classes.priority = owner_ranks.priority)",
        [],
    )?;
    Ok(())
}

fn logs(tx: &Tx, before: i64) -> Result<u64> {
    let ids: Vec<Vec<u8>> = tx.rows(
        "UPDATE submissions SET log_kept = 0 WHERE id IN (SELECT id FROM submissions \
         WHERE finished_at IS NOT NULL AND log_kept = 1 AND finished_at < ?1 ORDER BY finished_at LIMIT ?2) \
         RETURNING id",
        params![before, BATCH],
        |row| row.get(0),
    )?;
    let mut gone = 0_u64;
    for id in ids {
        tx.execute("DELETE FROM events WHERE submission_id = ?1", [id])?;
        gone = gone.saturating_add(1);
    }
    Ok(gone)
}

fn submissions(tx: &mut Tx, before: i64) -> Result<u64> {
    let gone: Vec<(Vec<u8>, String)> = tx.rows(
        "DELETE FROM submissions WHERE id IN (SELECT id FROM submissions \
         WHERE state IN ('finished', 'failed', 'cancelled') AND finished_at IS NOT NULL AND finished_at < ?1 \
         UNION ALL SELECT id FROM submissions WHERE state = 'draft' AND created_at < ?1 LIMIT ?2) RETURNING id, owner",
        params![before, BATCH],
        |row| row.try_into(),
    )?;
    let mut count = 0_u64;
    for (id, owner) in gone {
        // Followers of a draft hear that nothing will come.
        let id = submission_id("submissions", &id)?;
        let owner = Row { table: "submissions", key: &id }.text("owner", &owner)?;
        tx.hint(Change::Deleted { submission: id, owner });
        count = count.saturating_add(1);
    }
    Ok(count)
}
