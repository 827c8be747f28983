//! Requests of HTTP/1 whose head two servers could read in two ways: refused before a route sees them, and their
//! connection closed, since the next request may not begin where it seems to.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Lets through what has one meaning.
///
/// * 400: HTTP/1.1 without `Host`, or any request with two (RFC 9112 §3.2). HTTP/2 names the host elsewhere.
/// * 501: a `Transfer-Encoding` other than `chunked` alone (RFC 9112 §6.1). What is no valid one, or stands beside a
///   `Content-Length` that it contradicts, hyper has refused before.
pub async fn require_one_meaning(request: Request, next: Next) -> Response {
    match refusal(request.version(), request.headers()) {
        None => next.run(request).await,
        Some((status, reason)) => {
            let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
            (status, close, reason).into_response()
        }
    }
}

fn refusal(version: Version, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let hosts = headers.get_all(header::HOST).iter().count();
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        return Some((StatusCode::BAD_REQUEST, "a request has one Host header\n"));
    }
    let is_chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if codings.iter().count() > 1 || !codings.iter().all(is_chunked) {
        return Some((StatusCode::NOT_IMPLEMENTED, "the only transfer coding is chunked\n"));
    }
    None
}
