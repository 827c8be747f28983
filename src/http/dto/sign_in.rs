//! What is asked and answered about signing in to the page.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::Role;
use crate::app::FieldError;
use crate::app::budget::Purpose;
use crate::app::sign_in::NewLink;
use crate::http::body::RequestBody;
use crate::json::Bounds;

/// Longest life of a link, in seconds: a day.
const MAX_TTL_S: u32 = 86_400;
/// Life of a link that says none.
const TTL_S: u32 = 3600;
/// Longest life of a session that a link makes, in seconds: half a day.
const MAX_SESSION_TTL_S: u32 = 43_200;
/// Life of a session that says none.
const SESSION_TTL_S: u32 = 28_800;

/// Who a link is to sign in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInLinkRequest {
    /// Who is signed in: the owner of what he sends.
    #[schema(min_length = 1, max_length = 255)]
    pub sub: String,
    /// As what. A backend makes no link for `admin`.
    pub role: Role,
    /// How long the link may be used, in seconds; 3600 if left out.
    #[schema(minimum = 1, maximum = 86400)]
    pub ttl_s: Option<u32>,
    /// How long the session lives, in seconds; 28800 if left out.
    #[schema(minimum = 1, maximum = 43200)]
    pub session_ttl_s: Option<u32>,
    /// Where he goes then, below the root of the page, like `/exercises/sum`; `/` if left out. Visible ASCII, one `/` at its
    /// start, no backslash, no part that is `.` or `..`.
    #[schema(min_length = 1, max_length = 2048)]
    pub path: Option<String>,
}

impl RequestBody for SignInLinkRequest {
    const BOUNDS: Bounds = Bounds { bytes: 16 << 10, string_bytes: 8 << 10, values: 100 };
    const PURPOSE: Purpose = Purpose::Small;
    /// `None` only beside an error.
    type Asked = Option<NewLink>;

    fn asked(self, errors: &mut Vec<FieldError>) -> Option<NewLink> {
        let Self { sub, role, ttl_s, session_ttl_s, path } = self;
        let mut seconds = |pointer: &str, asked: Option<u32>, default: u32, most: u32| {
            let seconds = asked.unwrap_or(default);
            if !(1..=most).contains(&seconds) {
                errors.push(FieldError::body(pointer, format!("must be between 1 and {most}")));
            }
            Duration::from_secs(u64::from(seconds))
        };
        let ttl = seconds("/ttl_s", ttl_s, TTL_S, MAX_TTL_S);
        let session_ttl = seconds("/session_ttl_s", session_ttl_s, SESSION_TTL_S, MAX_SESSION_TTL_S);
        let path = path.map_or_else(|| Ok(crate::app::sign_in::PagePath::default()), |path| path.parse());
        match (sub.parse(), path) {
            (Ok(subject), Ok(path)) => Some(NewLink { subject, role: role.into(), ttl, session_ttl, path }),
            (subject, path) => {
                errors.extend(subject.err().map(|error| FieldError::body("/sub", error.to_string())));
                errors.extend(path.err().map(|error| FieldError::body("/path", error.to_string())));
                None
            }
        }
    }
}

/// A link that signs its reader in, once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    /// What is to be opened in a browser. Who has it can sign in: hand it to its user alone.
    #[schema(format = "uri")]
    pub url: String,
    /// When it is over.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// A token to make a session of.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The token.
    #[schema(min_length = 1)]
    pub token: String,
}

impl std::fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRequest").finish_non_exhaustive()
    }
}

impl RequestBody for SessionRequest {
    const BOUNDS: Bounds = Bounds { bytes: 20 << 10, string_bytes: 18 << 10, values: 100 };
    const PURPOSE: Purpose = Purpose::Proof;
    type Asked = Self;

    fn asked(self, _errors: &mut Vec<FieldError>) -> Self {
        self
    }
}
