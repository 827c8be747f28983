//! The page's session: a cookie in place of a token, which no script can read.
//!
//! The cookie holds who its user is and until when, sealed with the installation's secret and bound to the keys that tokens are
//! checked with: who changes `auth.keys` ends all sessions. A session that its user ends is noted in the database. It has no
//! `Path` of its own, so browsers send it to what lies beside the address that set it: `/v1`, also behind a proxy that takes a
//! prefix off; and no end, so that one that is over still comes, and can be told from none.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use crate::app::sign_in::SessionId;
use crate::app::{Caller, Role};
use crate::auth::Verified;
use crate::domain::ids::Owner;
use crate::domain::time::Timestamp;
use crate::http::origin;
use crate::http::problem::{Code, Problem};
use crate::http::seal::{self, Purpose};
use crate::http::state::HttpState;

/// The cookie's name.
pub const COOKIE: &str = "guichet_session";
/// The header that each request by cookie has that changes something. A page of another origin could send it only if it were let.
const PAGE: HeaderName = HeaderName::from_static("x-guichet-page");

/// A session, as its cookie has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Who is signed in, and until when.
    pub verified: Verified,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    id: SessionId,
    sub: Owner,
    role: String,
    exp: Timestamp,
}

impl Session {
    /// A new session of that caller.
    pub fn begin(verified: Verified) -> Self {
        Self { id: SessionId::generate(), verified }
    }

    fn seal(&self, secret: &[u8], keys: &str) -> Result<String, serde_json::Error> {
        let Verified { caller, expires_at } = &self.verified;
        let sealed = Sealed {
            id: self.id,
            sub: caller.subject.clone(),
            role: caller.role.name().to_owned(),
            exp: *expires_at,
        };
        Ok(seal::seal(secret, Purpose::Session, keys, &serde_json::to_string(&sealed)?))
    }

    /// The session in a text, if it was made here and with these keys; also one that is over.
    fn open(secret: &[u8], keys: &str, text: &str) -> Option<Self> {
        let sealed: Sealed = serde_json::from_str(&seal::open(secret, Purpose::Session, keys, text)?).ok()?;
        let caller = Caller { subject: sealed.sub, role: Role::from_name(&sealed.role)? };
        Some(Self { id: sealed.id, verified: Verified { caller, expires_at: sealed.exp } })
    }

    /// The header that gives a browser this session.
    pub fn cookie(&self, state: &HttpState, request: &HeaderMap) -> Result<HeaderValue, Problem> {
        let sealed = self
            .seal(state.app.secret(), state.verifier.fingerprint())
            .map_err(|_source| Problem::internal())?;
        set_cookie(&sealed, "", state, request)
    }
}

/// The header that takes a browser's session away.
pub fn no_cookie(state: &HttpState, request: &HeaderMap) -> Result<HeaderValue, Problem> {
    set_cookie("", "; Max-Age=0", state, request)
}

fn set_cookie(
    value: &str,
    end: &str,
    state: &HttpState,
    request: &HeaderMap,
) -> Result<HeaderValue, Problem> {
    let secure = if origin::is_https(request, state.public_url.as_ref()) { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{COOKIE}={value}; HttpOnly; SameSite=Strict{secure}{end}"))
        .map_err(|_source| Problem::internal())
}

/// The session that a request shows, though it may be over.
///
/// # Errors
/// A 401 if it shows none, one that was not made here, or one that doesn't count here: for a page of another origin, or for
/// a change without the header of the page.
pub fn shown(state: &HttpState, method: &Method, headers: &HeaderMap) -> Result<Session, Problem> {
    let text = cookie(headers)?.ok_or_else(|| Problem::unauthorized("a token is needed"))?;
    if !origin::is_own(headers, state.public_url.as_ref()) {
        return Err(Problem::unauthorized("a session counts for pages of this service alone"));
    }
    if !method.is_safe() && headers.get(PAGE).is_none_or(|value| value != "1") {
        return Err(Problem::unauthorized("with a session, a change needs the header X-Guichet-Page: 1"));
    }
    Session::open(state.app.secret(), state.verifier.fingerprint(), text)
        .ok_or_else(|| Problem::unauthorized("the session was not made here, or with other keys"))
}

/// That a session goes on.
///
/// # Errors
/// A 401 that says that it is over.
pub async fn check(state: &HttpState, session: &Session) -> Result<(), Problem> {
    if session.verified.expires_at <= state.app.clock().now()
        || state.app.is_session_ended(session.id).await?
    {
        return Err(over());
    }
    Ok(())
}

/// That a session is over.
pub fn over() -> Problem {
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    Problem::new(Code::SessionExpired, "sign in again").with_header(header::WWW_AUTHENTICATE, challenge)
}

/// The text of the session's cookie.
///
/// # Errors
/// A 401 for two that differ: a page of a neighbouring name could have set one of them.
fn cookie(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, value)| (name == COOKIE).then_some(value));
    let first = values.next();
    if values.any(|other| Some(other) != first) {
        return Err(Problem::unauthorized("two sessions prove no one"));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Session, cookie};
    use crate::app::{Caller, Role};
    use crate::auth::Verified;
    use crate::domain::time::Timestamp;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn session() -> Session {
        let caller = Caller { subject: "alice".parse().unwrap(), role: Role::Student };
        Session::begin(Verified { caller, expires_at: Timestamp::from_millis(5000) })
    }

    fn sent(cookies: &[&'static str]) -> HeaderMap {
        cookies.iter().map(|value| (header::COOKIE, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_session_reads_back_where_and_with_the_keys_it_was_made() {
        let session = session();
        let text = session.seal(SECRET, "keys").unwrap();

        assert_eq!(Session::open(SECRET, "keys", &text), Some(session));
        assert_eq!(Session::open(SECRET, "other keys", &text), None);
        assert_eq!(Session::open(b"another installation", "keys", &text), None);
    }

    #[test]
    fn the_cookie_is_found_among_others_and_two_prove_no_one() {
        let among = sent(&["a=1; guichet_session=x.y ;b", "guichet_session2=z"]);

        assert_eq!(cookie(&among).unwrap(), Some("x.y"));
        assert_eq!(cookie(&sent(&["a=guichet_session=1"])).unwrap(), None);
        assert_eq!(cookie(&sent(&["guichet_session=x; guichet_session=x"])).unwrap(), Some("x"));
        assert!(cookie(&sent(&["guichet_session=x; guichet_session=y"])).is_err());
        assert!(cookie(&sent(&["guichet_session=x", "guichet_session=y"])).is_err());
    }
}
