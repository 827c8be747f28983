//! Deleting what is older than it should get. Numbers that were given never come again.

use super::idempotency::KEPT_MS;
use super::legacy;
use super::rows::{Row, submission_id};
use super::writer::{Tx, Writer};
use crate::domain::time::Timestamp;
use crate::storage::{Result, Retention};

/// Submissions that go in one transaction: others wait no longer than that.
const BATCH: u32 = 100;

/// Deletes in small transactions; answers how many submissions went.
pub(super) async fn prune(writer: &Writer, retention: Retention, now: Timestamp) -> Result<u64> {
    let before = |age: std::time::Duration| {
        now.millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
    };
    let (ended_before, logged_before) = (before(retention.submissions), before(retention.events));
    let keys_before = now.millis().saturating_sub(KEPT_MS);
    writer.write("prune", move |tx| Box::pin(forget(tx, keys_before))).await?;
    while writer.write("prune", move |tx| Box::pin(legacy::forget(tx, ended_before, BATCH))).await? > 0 {}
    while writer.write("prune", move |tx| Box::pin(logs(tx, logged_before))).await? > 0 {}
    let mut gone = 0_u64;
    loop {
        let batch = writer.write("prune", move |tx| Box::pin(submissions(tx, ended_before))).await?;
        if batch == 0 {
            return Ok(gone);
        }
        gone = gone.saturating_add(batch);
    }
}

/// Idempotency keys that hold no longer, and ranks that say no more than the class does.
async fn forget(tx: &mut Tx, before: i64) -> Result<()> {
    sqlx::query("DELETE FROM idempotency_keys WHERE created_at <= ?1")
        .bind(before)
        .execute(tx.db().await?)
        .await?;
    sqlx::query(
        "DELETE FROM owner_ranks WHERE last_rank < \
         (SELECT started FROM classes WHERE classes.priority = owner_ranks.priority)",
    )
    .execute(tx.db().await?)
    .await?;
    Ok(())
}

async fn logs(tx: &mut Tx, before: i64) -> Result<u64> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "UPDATE submissions SET log_kept = 0 WHERE id IN (SELECT id FROM submissions \
         WHERE finished_at IS NOT NULL AND log_kept = 1 AND finished_at < ?1 ORDER BY finished_at LIMIT ?2) \
         RETURNING id",
    )
    .bind(before)
    .bind(BATCH)
    .fetch_all(tx.db().await?)
    .await?;
    let mut gone = 0_u64;
    for id in ids {
        sqlx::query("DELETE FROM events WHERE submission_id = ?1").bind(id).execute(tx.db().await?).await?;
        gone = gone.saturating_add(1);
    }
    Ok(gone)
}

async fn submissions(tx: &mut Tx, before: i64) -> Result<u64> {
    let gone: Vec<(Vec<u8>, String)> = sqlx::query_as(
        "DELETE FROM submissions WHERE id IN (SELECT id FROM submissions \
         WHERE state IN ('finished', 'failed', 'cancelled') AND finished_at IS NOT NULL AND finished_at < ?1 \
         UNION ALL SELECT id FROM submissions WHERE state = 'draft' AND created_at < ?1 LIMIT ?2) RETURNING id, owner",
    )
    .bind(before)
    .bind(BATCH)
    .fetch_all(tx.db().await?)
    .await?;
    let mut count = 0_u64;
    for (id, owner) in gone {
        // Whoever follows a draft hears that nothing will come.
        let id = submission_id("submissions", &id)?;
        tx.hint_log(id, &Row { table: "submissions", key: &id }.text("owner", &owner)?, None);
        count = count.saturating_add(1);
    }
    Ok(count)
}
