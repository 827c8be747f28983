//! Headers with a meaning of their own: `Prefer`, `Idempotency-Key`, entity tags and preconditions.

use std::time::Duration;

use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::app::Location;
use crate::chain::Chain;
use crate::http::problem::Problem;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The header whose key makes a request safe to repeat.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest time a request may wait, in seconds.
pub const MAX_WAIT_S: u64 = 60;
/// Longest idempotency key.
const MAX_KEY_BYTES: usize = 255;

/// `Prefer: wait=N` (RFC 7240): how long a caller would wait for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    seconds: u64,
}

impl Wait {
    /// The preference in `headers`, at most [`MAX_WAIT_S`]; one that makes no sense is none.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        for preference in preferences.flat_map(|value| value.split(',')) {
            let (named, _parameters) = preference.split_once(';').unwrap_or((preference, ""));
            let Some((name, value)) = named.split_once('=') else { continue };
            let digits = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("wait")
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
            {
                return Some(Self { seconds: digits.parse().unwrap_or(u64::MAX).min(MAX_WAIT_S) });
            }
        }
        None
    }

    /// The time.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Tells that it was followed.
    pub fn applied(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&format!("wait={}", self.seconds)) {
            headers.insert(PREFERENCE_APPLIED, value);
        }
    }
}

/// The `Idempotency-Key`: 1 to 255 visible ASCII characters, bare or quoted.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let wrong = || {
        Problem::field(Location::Header, "Idempotency-Key", "must be 1 to 255 visible ASCII characters, once")
    };
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(wrong());
    }
    let text = value.to_str().map_err(|_source| wrong())?;
    let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    let key = if quoted { text.get(1..text.len() - 1).unwrap_or_default() } else { text };
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    Ok(Some(key.to_owned()))
}

/// Whether `Accept` asks for `wanted` rather than for `usual`, which is answered if it says nothing of either
/// (RFC 9110 §12.5.1).
pub fn prefers(headers: &HeaderMap, wanted: &str, usual: &str) -> bool {
    let ranges: Vec<(&str, f32)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(range)
        .collect();
    let named = |kind: &str| {
        ranges.iter().find(|(range, _)| range.eq_ignore_ascii_case(kind)).map(|(_, quality)| *quality)
    };
    let family = |kind: &str| {
        let (family, _) = kind.split_once('/').unwrap_or((kind, ""));
        named(&format!("{family}/*"))
    };
    // Any kind would do for `*/*`: what is usual does.
    let asked = named(wanted).or_else(|| family(wanted)).unwrap_or(0.0);
    let otherwise = named(usual).or_else(|| family(usual));
    asked > 0.0 && otherwise.is_none_or(|otherwise| asked > otherwise)
}

/// A range of `Accept` and its quality; one that makes no sense is wanted as little as can be said.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (kind, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
}

/// Entity tags of a precondition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any.
    Any,
    /// These, as sent; weak ones begin with `W/`.
    Listed(Vec<String>),
}

impl Tags {
    /// The tags of a header, or `None` if it isn't there.
    pub fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut listed = Vec::new();
        let mut there = false;
        for value in headers.get_all(name) {
            there = true;
            for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if tag == "*" {
                    return Some(Self::Any);
                }
                listed.push(tag.to_owned());
            }
        }
        there.then_some(Self::Listed(listed))
    }

    /// Whether `tag` (strong) is among them; weak ones count only if `weak_too`.
    fn has(&self, tag: &str, comparison: Comparison) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|other| match comparison {
                Comparison::Strong => other == tag,
                Comparison::Weak => other.strip_prefix("W/").unwrap_or(other) == tag,
            }),
        }
    }

    /// Whether `tag` is among them (strong comparison, RFC 9110 §8.8.3.2).
    pub fn match_strongly(&self, tag: &str) -> bool {
        self.has(tag, Comparison::Strong)
    }
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Strong,
    Weak,
}

/// An answer of JSON with its entity tag, or 304 if the caller has it already.
///
/// * `tag` — the tag with its quotes, or `None` for one over the answer's bytes.
pub fn tagged<T: Serialize>(request: &HeaderMap, value: &T, tag: Option<&str>) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(error = %Chain(&error), "an answer cannot be written as JSON");
        Problem::internal()
    })?;
    Ok(tagged_bytes(request, bytes, HeaderValue::from_static("application/json"), tag))
}

/// An answer of bytes with its entity tag, or 304 if the caller has it already.
///
/// * `tag` — the tag with its quotes, or `None` for one over the bytes.
pub fn tagged_bytes(request: &HeaderMap, bytes: Vec<u8>, kind: HeaderValue, tag: Option<&str>) -> Response {
    let tag = tag.map_or_else(|| tag_of(&bytes), str::to_owned);
    let known =
        Tags::of(request, &header::IF_NONE_MATCH).is_some_and(|tags| tags.has(&tag, Comparison::Weak));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], bytes).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Cookie"));
    response
}

fn tag_of(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let short = digest.as_ref().get(..16).unwrap_or_default();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(short))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Tags, Wait, idempotency_key, prefers, tagged};

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
    }

    #[test]
    fn a_wait_is_at_most_a_minute() {
        assert_eq!(Wait::of(&with("prefer", "respond-async, wait=7")), Some(Wait { seconds: 7 }));
        assert_eq!(Wait::of(&with("prefer", "wait=99999999999999999999")), Some(Wait { seconds: 60 }));
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_none() {
        assert_eq!(Wait::of(&with("prefer", "wait=-1")), None);
        assert_eq!(Wait::of(&with("prefer", "wait")), None);
    }

    #[test]
    fn an_idempotency_key_may_be_quoted() {
        let bare = idempotency_key(&with("idempotency-key", "k-1")).unwrap();

        assert_eq!(idempotency_key(&with("idempotency-key", "\"k-1\"")).unwrap(), bare);
    }

    #[test]
    fn an_idempotency_key_of_nothing_is_refused() {
        assert!(idempotency_key(&with("idempotency-key", "")).is_err());
        assert!(idempotency_key(&with("idempotency-key", "\"\"")).is_err());
        assert!(idempotency_key(&with("idempotency-key", "a b")).is_err());
    }

    #[test]
    fn what_accept_prefers_is_asked_for() {
        let asks = |value| prefers(&with("accept", value), "text/csv", "application/json");

        assert!(asks("text/csv"));
        assert!(asks("text/csv, */*;q=0.1"));
        assert!(asks("Text/CSV;charset=utf-8, application/json;q=0.5"));
        assert!(asks("text/*"));
        assert!(!asks("application/json"));
        assert!(!asks("*/*"));
        assert!(!asks("text/csv;q=0.5, application/json"));
        assert!(!asks("application/json, text/csv"));
        assert!(!asks("text/csv;q=0"));
        assert!(!asks("text/csv;q=x"));
        assert!(!prefers(&HeaderMap::new(), "text/csv", "application/json"));
    }

    #[test]
    fn a_weak_tag_never_matches_strongly() {
        let tags = Tags::of(&with("if-match", "W/\"1\", \"2\""), &header::IF_MATCH).unwrap();

        assert!(!tags.match_strongly("\"1\""));
        assert!(tags.match_strongly("\"2\""));
    }

    #[test]
    fn what_the_caller_has_is_not_sent_again() {
        let first = tagged(&HeaderMap::new(), &"x", None).unwrap();
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());

        assert_eq!(tagged(&again, &"x", None).unwrap().status(), 304);
        assert_eq!(tagged(&again, &"y", None).unwrap().status(), 200);
    }
}
