//! Idempotency keys: what a request stored, for 24 hours.

use rusqlite::params;
use sqlx::sqlite::SqliteConnection;

use super::rows::{key as id_key, submission_id};
use super::submissions;
use super::writer::Tx;
use crate::domain::time::Timestamp;
use crate::storage::{IdempotencyKey, Inserted, Placed, Result};

/// How long a key is kept, in milliseconds.
pub(super) const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Bytes of an id.
const ID_BYTES: usize = 16;

/// What a key that is young enough stored.
const STORED: &str =
    "SELECT digest, submissions FROM idempotency_keys WHERE subject = ?1 AND key = ?2 AND created_at > ?3";

/// What the key stored, as it is now; `None` if the key is unknown or too old.
pub(super) async fn replay(
    db: &mut SqliteConnection,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<Inserted>> {
    let stored: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(STORED)
        .bind(key.subject.as_str())
        .bind(&key.key)
        .bind(oldest(now))
        .fetch_optional(&mut *db)
        .await?;
    let Some((digest, ids)) = stored else { return Ok(None) };
    if digest != key.digest {
        return Ok(Some(Inserted::KeyReused));
    }
    let mut placed = Vec::with_capacity(ids.len() / ID_BYTES);
    for id in ids.chunks(ID_BYTES) {
        placed.push(submissions::by_id(db, submission_id("idempotency_keys", id)?).await?);
    }
    Ok(replayed(placed))
}

/// What the key stored, as it is now, for the writer; `None` if the key is unknown or too old.
pub(super) fn stored(tx: &Tx, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Inserted>> {
    let stored: Option<(Vec<u8>, Vec<u8>)> =
        tx.first(STORED, params![key.subject.as_str(), key.key, oldest(now)], |row| row.try_into())?;
    let Some((digest, ids)) = stored else { return Ok(None) };
    if digest != key.digest {
        return Ok(Some(Inserted::KeyReused));
    }
    let ids = ids.chunks(ID_BYTES).map(|id| submission_id("idempotency_keys", id));
    let placed: Result<Vec<_>> = ids.map(|id| submissions::stored(tx, id?)).collect();
    Ok(replayed(placed?))
}

/// When a key that still holds was stored at the earliest.
const fn oldest(now: Timestamp) -> i64 {
    now.millis().saturating_sub(KEPT_MS)
}

/// What a key stored; if that was pruned in part, the key is gone with it.
fn replayed(placed: Vec<Option<Placed>>) -> Option<Inserted> {
    placed.into_iter().collect::<Option<Vec<_>>>().map(Inserted::Replayed)
}

/// Keeps a key with what it stored.
pub(super) fn keep(tx: &Tx, key: &IdempotencyKey, stored: &[Placed], now: Timestamp) -> Result<()> {
    let ids: Vec<u8> = stored.iter().flat_map(|placed| id_key(placed.submission.id)).collect();
    tx.execute(
        "INSERT INTO idempotency_keys (subject, key, digest, submissions, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET digest = excluded.digest, \
         submissions = excluded.submissions, created_at = excluded.created_at",
        params![key.subject.as_str(), key.key, key.digest.as_slice(), ids, now.millis()],
    )?;
    Ok(())
}
