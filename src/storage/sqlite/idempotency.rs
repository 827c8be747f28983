//! Idempotency keys: what a request stored, for 24 hours.

use sqlx::sqlite::SqliteConnection;

use super::rows::{key as id_key, submission_id};
use super::submissions;
use crate::domain::time::Timestamp;
use crate::storage::{IdempotencyKey, Inserted, Placed, Result};

/// How long a key is kept, in milliseconds.
pub(super) const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Bytes of an id.
const ID_BYTES: usize = 16;

/// What the key stored, as it is now; `None` if the key is unknown or too old.
pub(super) async fn replay(
    db: &mut SqliteConnection,
    key: &IdempotencyKey,
    now: Timestamp,
) -> Result<Option<Inserted>> {
    let stored: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT digest, submissions FROM idempotency_keys WHERE subject = ?1 AND key = ?2 AND created_at > ?3",
    )
    .bind(key.subject.as_str())
    .bind(&key.key)
    .bind(now.millis().saturating_sub(KEPT_MS))
    .fetch_optional(&mut *db)
    .await?;
    let Some((digest, ids)) = stored else { return Ok(None) };
    if digest != key.digest {
        return Ok(Some(Inserted::KeyReused));
    }
    let mut placed = Vec::with_capacity(ids.len() / ID_BYTES);
    for id in ids.chunks(ID_BYTES) {
        match submissions::by_id(db, submission_id("idempotency_keys", id)?).await? {
            Some(submission) => placed.push(submission),
            // What it stored was pruned, and the key with it.
            None => return Ok(None),
        }
    }
    Ok(Some(Inserted::Replayed(placed)))
}

/// Keeps a key with what it stored.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    key: &IdempotencyKey,
    stored: &[Placed],
    now: Timestamp,
) -> Result<()> {
    let ids: Vec<u8> = stored.iter().flat_map(|placed| id_key(placed.submission.id)).collect();
    sqlx::query(
        "INSERT INTO idempotency_keys (subject, key, digest, submissions, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET digest = excluded.digest, \
         submissions = excluded.submissions, created_at = excluded.created_at",
    )
    .bind(key.subject.as_str())
    .bind(&key.key)
    .bind(key.digest.as_slice())
    .bind(ids)
    .bind(now.millis())
    .execute(db)
    .await?;
    Ok(())
}
