//! Requests of HTTP/1 whose head two servers could read in two ways: refused before a route sees them, and their
//! connection closed, since the next request may not begin where it seems to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::layers;
use crate::http::problem::{Code, Problem};

/// Shortest time between two lines of the log.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Lets through what has one meaning.
///
/// * 400: HTTP/1.1 without `Host`, or any request with two (RFC 9112 §3.2). HTTP/2 names the host elsewhere.
/// * 501: a `Transfer-Encoding` other than `chunked` alone (RFC 9112 §6.1). What is no valid one, or stands beside a
///   `Content-Length` that it contradicts, hyper has refused before.
pub async fn require_one_meaning(
    State(refusals): State<Arc<Refusals>>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(request.version(), request.headers()) {
        None => next.run(request).await,
        Some((code, detail)) => {
            refusals.log(code, Instant::now());
            let problem = Problem::new(code, detail);
            let closing = problem.with_header(header::CONNECTION, HeaderValue::from_static("close"));
            layers::refuse(request.headers(), closing)
        }
    }
}

fn refusal(version: Version, headers: &HeaderMap) -> Option<(Code, &'static str)> {
    let hosts = headers.get_all(header::HOST).iter().count();
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        return Some((Code::MalformedRequest, "a request has one Host header"));
    }
    let is_chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if codings.iter().count() > 1 || !codings.iter().all(is_chunked) {
        return Some((Code::UnsupportedTransferCoding, "the only transfer coding is chunked"));
    }
    None
}

/// Refused requests on their way into the log: one line a second for all of them, for they cost their senders nothing.
#[derive(Debug, Default)]
pub struct Refusals {
    unlogged: Mutex<Unlogged>,
}

#[derive(Debug, Default)]
struct Unlogged {
    logged_at: Option<Instant>,
    count: u64,
}

impl Refusals {
    fn log(&self, code: Code, now: Instant) {
        if let Some(unlogged) = self.another(now) {
            tracing::warn!(
                code = code.name(),
                unlogged,
                "a request that could be read in two ways is refused"
            );
        }
    }

    /// How many were not logged since the last line, if there may be another one.
    fn another(&self, now: Instant) -> Option<u64> {
        let mut unlogged = self.unlogged.lock().unwrap_or_else(PoisonError::into_inner);
        if unlogged.logged_at.is_some_and(|logged| now.saturating_duration_since(logged) < BETWEEN_LINES) {
            unlogged.count = unlogged.count.saturating_add(1);
            return None;
        }
        unlogged.logged_at = Some(now);
        Some(std::mem::take(&mut unlogged.count))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{BETWEEN_LINES, Refusals};

    #[test]
    fn refused_requests_are_logged_once_a_second_with_the_number_of_the_others() {
        let (refusals, now) = (Refusals::default(), Instant::now());

        let lines = [now, now, now + BETWEEN_LINES / 2, now + BETWEEN_LINES].map(|at| refusals.another(at));

        assert_eq!(lines, [Some(0), None, None, Some(2)]);
    }
}
