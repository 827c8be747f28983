//! Signing in to the page: links that a platform makes for its users, and sessions that end before their time.
//!
//! What is in a link is random and told once, to its maker; the database has its SHA-256. What a session's cookie is made of is the
//! concern of `http`.

use std::time::Duration;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{App, Caller, Error};
use crate::domain::ids::Owner;
use crate::domain::time::Timestamp;
use crate::storage::{LinkDigest, SignIns as _};

pub use crate::domain::sign_in::{PagePath, Role, SessionId, SignInLink};

/// Longest text that is looked at as what is in a link.
const MAX_SECRET: usize = 64;

/// A link that is to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Who is to be signed in.
    pub subject: Owner,
    /// As what.
    pub role: Role,
    /// How long the link may be used.
    pub ttl: Duration,
    /// How long the session lives.
    pub session_ttl: Duration,
    /// Where he goes then.
    pub path: PagePath,
}

/// A link that was made.
#[derive(Clone, Debug)]
pub struct MadeLink {
    /// What is in it.
    pub secret: String,
    /// From then on it is worth nothing.
    pub expires_at: Timestamp,
}

impl App {
    /// Makes a link that signs its reader in, once.
    ///
    /// * `bound` — what the link opens with: the fingerprint of the keys.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that the caller may let no one in with; nothing is stored then.
    pub async fn make_sign_in_link(
        &self,
        caller: &Caller,
        new: NewLink,
        bound: &str,
    ) -> Result<MadeLink, Error> {
        let NewLink { subject, role, ttl, session_ttl, path } = new;
        if !caller.role.may_let_in(role) {
            return Err(Error::Forbidden("a link gives no right that its maker has not himself"));
        }
        let mut random = [0_u8; 32];
        rand::fill(&mut random).map_err(|_source| {
            Error::Unavailable(crate::storage::Error::unavailable("the system gives no random bytes"))
        })?;
        let secret = URL_SAFE_NO_PAD.encode(random);
        let expires_at = self.clock().now().plus(ttl);
        tracing::info!(
            audit = true, caller = %caller.subject, caller.role = caller.role.name(), %subject, role = role.name(),
            "a sign-in link is made"
        );
        let link = SignInLink { subject, role, session_ttl, path, expires_at };
        self.inner.storage.add_sign_in_link(digest_of(&secret, bound), link).await?;
        Ok(MadeLink { secret, expires_at })
    }

    /// The link with that in it, if it may be used; nothing is changed.
    pub async fn sign_in_link(&self, secret: &str, bound: &str) -> Result<Option<SignInLink>, Error> {
        if secret.len() > MAX_SECRET {
            return Ok(None);
        }
        Ok(self.inner.storage.sign_in_link(digest_of(secret, bound), self.clock().now()).await?)
    }

    /// Uses the link with that in it up; of several at once one gets it.
    pub async fn use_sign_in_link(&self, secret: &str, bound: &str) -> Result<Option<SignInLink>, Error> {
        let used = self.inner.storage.use_sign_in_link(digest_of(secret, bound), self.clock().now()).await?;
        if let Some(link) = &used {
            tracing::info!(audit = true, subject = %link.subject, role = link.role.name(), "a sign-in link is used");
        }
        Ok(used)
    }

    /// Ends a session that would be over at `expires_at`.
    pub async fn end_session(&self, id: SessionId, expires_at: Timestamp) -> Result<(), Error> {
        Ok(self.inner.storage.end_session(id, expires_at).await?)
    }

    /// Whether a session was ended.
    pub async fn is_session_ended(&self, id: SessionId) -> Result<bool, Error> {
        Ok(self.inner.storage.is_session_ended(id).await?)
    }
}

fn digest_of(secret: &str, bound: &str) -> LinkDigest {
    let mut bytes = LinkDigest::default();
    let both = [bound, secret].join("\0");
    let digest = digest::digest(&digest::SHA256, both.as_bytes());
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    bytes
}
