//! Links that sign their reader in, and sessions that were ended.

use std::time::Duration;

use rusqlite::params;

use super::SqliteStorage;
use super::rows::Row;
use super::writer::Tx;
use crate::domain::sign_in::{Role, SessionId, SignInLink};
use crate::domain::time::Timestamp;
use crate::storage::{LinkDigest, Result, SignIns};

/// Subject, role, life of the session, path, end of the link.
type Stored = (String, String, i64, String, i64);

impl SignIns for SqliteStorage {
    async fn add_sign_in_link(&self, digest: LinkDigest, link: SignInLink) -> Result<()> {
        self.inner.writer.write("add_sign_in_link", move |tx| add(tx, &digest, &link)).await
    }

    async fn sign_in_link(&self, digest: LinkDigest, now: Timestamp) -> Result<Option<SignInLink>> {
        let stored: Option<Stored> = sqlx::query_as(
            "SELECT subject, role, session_ttl_ms, path, expires_at FROM sign_in_links \
             WHERE digest = ?1 AND expires_at > ?2",
        )
        .bind(digest.as_slice())
        .bind(now.millis())
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        stored.map(link).transpose()
    }

    async fn use_sign_in_link(&self, digest: LinkDigest, now: Timestamp) -> Result<Option<SignInLink>> {
        self.inner.writer.write("use_sign_in_link", move |tx| take(tx, &digest, now)).await
    }

    async fn end_session(&self, id: SessionId, expires_at: Timestamp) -> Result<()> {
        let end = move |tx: &mut Tx| {
            tx.execute(
                "INSERT INTO ended_sessions (id, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![id.uuid().as_bytes().as_slice(), expires_at.millis()],
            )?;
            Ok(())
        };
        self.inner.writer.write("end_session", end).await
    }

    async fn is_session_ended(&self, id: SessionId) -> Result<bool> {
        let ended = sqlx::query_scalar("SELECT count(*) > 0 FROM ended_sessions WHERE id = ?1")
            .bind(id.uuid().as_bytes().as_slice())
            .fetch_one(&mut *self.reader().await?)
            .await?;
        Ok(ended)
    }
}

fn add(tx: &Tx, digest: &LinkDigest, link: &SignInLink) -> Result<()> {
    let SignInLink { subject, role, session_ttl, path, expires_at } = link;
    let session_ttl_ms = i64::try_from(session_ttl.as_millis()).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO sign_in_links (digest, subject, role, session_ttl_ms, path, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            digest.as_slice(),
            subject.as_str(),
            role.name(),
            session_ttl_ms,
            path.as_str(),
            expires_at.millis()
        ],
    )?;
    Ok(())
}

fn take(tx: &Tx, digest: &LinkDigest, now: Timestamp) -> Result<Option<SignInLink>> {
    let taken: Option<Stored> = tx.first(
        "DELETE FROM sign_in_links WHERE digest = ?1 AND expires_at > ?2 \
         RETURNING subject, role, session_ttl_ms, path, expires_at",
        params![digest.as_slice(), now.millis()],
        |row| row.try_into(),
    )?;
    taken.map(link).transpose()
}

/// Deletes what is over: links that were not used, and what is known of sessions.
pub(super) fn forget(tx: &Tx, now: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM sign_in_links WHERE expires_at <= ?1", [now.millis()])?;
    tx.execute("DELETE FROM ended_sessions WHERE expires_at <= ?1", [now.millis()])?;
    Ok(())
}

fn link((subject, role, session_ttl_ms, path, expires_at): Stored) -> Result<SignInLink> {
    let row = Row { table: "sign_in_links", key: &subject };
    Ok(SignInLink {
        subject: row.text("subject", &subject)?,
        role: row.present("role", Role::from_name(&role))?,
        session_ttl: Duration::from_millis(row.number("session_ttl_ms", session_ttl_ms)?),
        path: row.text("path", &path)?,
        expires_at: Timestamp::from_millis(expires_at),
    })
}
