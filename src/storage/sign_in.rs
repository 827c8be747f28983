//! What the database is asked about signing in to the page: links that are used once, and sessions that were ended.

use std::future::Future;

use super::Result;
use crate::domain::sign_in::{SessionId, SignInLink};
use crate::domain::time::Timestamp;

/// The SHA-256 of what is in a link.
pub type LinkDigest = [u8; 32];

/// Links and sessions, a part of [`super::Storage`]. Every method is one transaction; what is over, `prune` deletes.
pub trait SignIns {
    /// Stores a link.
    fn add_sign_in_link(
        &self,
        digest: LinkDigest,
        link: SignInLink,
    ) -> impl Future<Output = Result<()>> + Send;

    /// A link, if it was not used and is not over; nothing is changed.
    fn sign_in_link(
        &self,
        digest: LinkDigest,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<SignInLink>>> + Send;

    /// Uses a link up; of several callers at once one gets it.
    fn use_sign_in_link(
        &self,
        digest: LinkDigest,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<SignInLink>>> + Send;

    /// Notes that a session was ended before its time, which is `expires_at`.
    fn end_session(&self, id: SessionId, expires_at: Timestamp) -> impl Future<Output = Result<()>> + Send;

    /// Whether a session was ended.
    fn is_session_ended(&self, id: SessionId) -> impl Future<Output = Result<bool>> + Send;
}
