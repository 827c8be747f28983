//! What happens around every handler: request ids, log lines, figures, problems written down, safe headers.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use tracing::Instrument as _;

use crate::clock::Patience;
use crate::http::body;
use crate::http::problem::{Code, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 128;
/// What is thrown away of a body that nobody wanted, so that its sender reads the answer.
const MAX_DRAINED: usize = 64 << 20;
/// How long that may take, within the time that the body may take in all.
const DRAIN: Duration = Duration::from_secs(10);

/// Gives the request an id, writes problems down, sets headers, counts and logs.
pub async fn frame(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = known_name(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request.id = id, http.method = method, http.route = route);
    let response = next.run(request).instrument(span.clone()).await;
    let mut response = write_problem(response, &id);
    set_headers(response.headers_mut(), &id);
    let status = response.status();
    let duration = started.elapsed();
    let labels = [("method", method.to_owned()), ("route", route), ("status", status.as_str().to_owned())];
    metrics::counter!("guichet_http_requests_total", &labels).increment(1);
    metrics::histogram!("guichet_http_request_seconds", &labels).record(duration.as_secs_f64());
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(http.status = status.as_u16(), duration_ms, "answered"));
    response
}

/// The method's name; those that nobody serves are one to figures and logs, whatever a caller makes up.
fn known_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// A problem becomes its body; an error that axum answered by itself becomes a problem.
fn write_problem(mut response: Response, id: &str) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match of_status(response.status()) {
            Some(problem) if !is_typed(&response) => problem,
            Some(_) | None => return response,
        },
    };
    let mut written = (problem.code.status(), Json(problem.body(id))).into_response();
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            written.headers_mut().append(name.clone(), value.clone());
        }
    }
    written.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    written
}

/// What a request is answered that no route sees.
pub fn refuse(request: &HeaderMap, problem: Problem) -> Response {
    let id = request_id(request);
    let mut response = write_problem(problem.into_response(), &id);
    set_headers(response.headers_mut(), &id);
    response
}

fn is_typed(response: &Response) -> bool {
    let json = HeaderValue::from_static("application/problem+json");
    response.headers().get(header::CONTENT_TYPE) == Some(&json)
}

fn of_status(status: StatusCode) -> Option<Problem> {
    match status {
        StatusCode::NOT_FOUND => Some(Problem::not_found()),
        StatusCode::METHOD_NOT_ALLOWED => {
            Some(Problem::new(Code::MethodNotAllowed, "the header Allow names those it has"))
        }
        status if status.is_server_error() => Some(Problem::internal()),
        _ => None,
    }
}

fn set_headers(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    let unless_set = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in unless_set {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// What a handler that panicked answers. The panic hook has logged it.
pub fn after_panic(_panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::internal().into_response()
}

/// Reads the rest of a body that a handler left, so that a client that still sends it reads the answer and not a
/// broken connection. Nothing of it is kept.
pub async fn drain(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Who asks first sends nothing unless it is read.
    let waits = request.headers().contains_key(header::EXPECT);
    let touched = Arc::new(AtomicBool::new(false));
    let (parts, body) = request.into_parts();
    let shared = Arc::new(Mutex::new(body.into_data_stream()));
    let reader = {
        let (shared, touched) = (shared.clone(), touched.clone());
        futures_util::stream::poll_fn(move |context| {
            touched.store(true, Ordering::Relaxed);
            shared.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
        })
    };
    let mut answering = pin!(next.run(Request::from_parts(parts, Body::from_stream(reader))));
    let mut patience = Patience::in_eighths(body::WITHIN);
    let response = match patience.wait_for(&mut answering).await {
        Some(response) => response,
        None => answering.await,
    };
    if response.status().as_u16() < 400 || (waits && !touched.load(Ordering::Relaxed)) {
        return response;
    }
    let mut rest = futures_util::stream::poll_fn(move |context| {
        shared.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    });
    let throw_away = async {
        let mut thrown = 0;
        while let Some(Ok(chunk)) = rest.next().await {
            thrown += chunk.len();
            if thrown > MAX_DRAINED {
                break;
            }
        }
    };
    patience.shorten_to(DRAIN);
    if patience.wait_for(throw_away).await.is_none() {
        tracing::debug!("a body that nobody wanted did not end");
    }
    response
}
