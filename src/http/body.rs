//! Bodies, query and path, taken strictly: each extractor answers a [`Problem`] that names what is wrong.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::{FieldError, Location};
use crate::domain::ids::{ExerciseId, SubmissionId};
use crate::http::dto::exercise_request::ExerciseRequest;
use crate::http::dto::queue::TicketRequest;
use crate::http::dto::submission_request::{
    SubmissionBatchRequest, SubmissionFilesRequest, SubmissionRequest,
};
use crate::http::headers::IDEMPOTENCY_KEY;
use crate::http::problem::{Code, Problem};
use crate::http::state::HttpState;
use crate::json;

/// Longest body of one submission: 1 MiB of files in base64 or with every byte escaped twice, and the rest.
const SUBMISSION_BYTES: usize = 3 << 20;
/// Longest body of an exercise or a batch: 32 MiB in base64, and the rest.
const LARGE_BYTES: usize = 48 << 20;
/// Longest body of small things.
const SMALL_BYTES: usize = 16 << 10;
/// Bodies that may be in memory at the same time, of each kind.
const ROOM_BYTES: usize = 64 << 20;
/// How long a request waits for room.
const ROOM_WITHIN: Duration = Duration::from_secs(5);
/// How long a body may take to come.
const WITHIN: Duration = Duration::from_secs(30);

/// What may stand in a body, and how long it may be.
pub trait RequestBody: DeserializeOwned {
    /// Most bytes of the body as sent.
    const MAX_BYTES: usize;
}

impl RequestBody for SubmissionRequest {
    const MAX_BYTES: usize = SUBMISSION_BYTES;
}

impl RequestBody for SubmissionFilesRequest {
    const MAX_BYTES: usize = SUBMISSION_BYTES;
}

impl RequestBody for SubmissionBatchRequest {
    const MAX_BYTES: usize = LARGE_BYTES;
}

impl RequestBody for ExerciseRequest {
    const MAX_BYTES: usize = LARGE_BYTES;
}

impl RequestBody for TicketRequest {
    const MAX_BYTES: usize = SMALL_BYTES;
}

/// A body of JSON.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of method, path and what the body says, if the request has an idempotency key: the same for the same
    /// request, whatever the order of its keys, its white space and its escapes.
    pub digest: Option<[u8; 32]>,
    /// Held until the request is answered.
    _room: OwnedSemaphorePermit,
}

/// Memory for bodies that are being read and worked on, in bytes as sent. Parsed they take some times as much.
///
/// Exercises and batches have room of their own, so that single submissions never wait behind them.
#[derive(Clone, Debug)]
pub struct BodyRoom {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// How long a request waits for room.
    within: Duration,
}

impl Default for BodyRoom {
    fn default() -> Self {
        let room = || Arc::new(Semaphore::new(kibibytes(ROOM_BYTES)));
        Self { small: room(), large: room(), within: ROOM_WITHIN }
    }
}

impl BodyRoom {
    /// Room for a body of `bytes` among those of at most `most`; a problem if none is free in time.
    async fn take(&self, bytes: usize, most: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let room = if most > SUBMISSION_BYTES { &self.large } else { &self.small };
        let wanted = u32::try_from(kibibytes(bytes)).unwrap_or(u32::MAX);
        match tokio::time::timeout(self.within, Arc::clone(room).acquire_many_owned(wanted)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                Err(Problem::new(Code::Unavailable, "too many large requests at once").retry_after(5))
            }
        }
    }
}

/// Whole KiB, at least 1.
const fn kibibytes(bytes: usize) -> usize {
    bytes / 1024 + 1
}

impl<T: RequestBody> FromRequest<HttpState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, Problem> {
        let announced = check_headers(request.headers(), T::MAX_BYTES)?;
        let room = state.bodies.take(announced.unwrap_or(T::MAX_BYTES), T::MAX_BYTES).await?;
        let what = format!("{} {}\n", request.method(), request.uri().path());
        let is_keyed = request.headers().contains_key(IDEMPOTENCY_KEY);
        let bytes = collect(request, T::MAX_BYTES).await?;
        let value = json::parse_request(&bytes).map_err(|error| match error {
            json::ParseError::Malformed(detail) => Problem::new(Code::MalformedBody, detail),
            json::ParseError::DuplicateKey(detail) => Problem::field(Location::Body, "", detail),
        })?;
        drop(bytes);
        let digest = is_keyed.then(|| digest_of(what.as_bytes(), json::canonical(&value).as_bytes()));
        let value = json::read(value).map_err(|misfits| {
            let told = |misfit: json::Misfit| FieldError::body(misfit.pointer, misfit.message);
            Problem::invalid(Code::ValidationFailed, misfits.into_iter().map(told).collect())
        })?;
        Ok(Self { value, digest, _room: room })
    }
}

/// That the body may be read; answers its announced length.
fn check_headers(headers: &HeaderMap, most: usize) -> Result<Option<usize>, Problem> {
    let unsupported = |detail: &str| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = media.split_once(';').unwrap_or((media, ""));
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return unsupported("Content-Type must be application/json");
    }
    let charset = parameters.trim().to_ascii_lowercase();
    if !matches!(charset.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"") {
        return unsupported("the charset must be UTF-8");
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return unsupported("content codings are not taken");
    }
    let announced: Option<usize> =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match announced {
        Some(length) if length > most => Err(too_large(most)),
        Some(_) | None => Ok(announced),
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("the body may have {most} bytes"))
}

async fn collect(request: Request, most: usize) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), most).collect();
    match tokio::time::timeout(WITHIN, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large(most)),
        Ok(Err(_broken)) => Err(Problem::new(Code::MalformedBody, "the body ended before its end")),
        Err(_elapsed) => {
            let seconds = WITHIN.as_secs();
            Err(Problem::new(Code::RequestTimeout, format!("it must come within {seconds} s")))
        }
    }
}

fn digest_of(what: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(what);
    context.update(bytes);
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    digest
}

/// The query; parameters that nobody asked for are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<HttpState> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Problem> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_rejection| Problem::field(Location::Query, "", "cannot be read"))?;
        json::read_query(pairs.0)
            .map(Self)
            .map_err(|misfit| Problem::field(Location::Query, misfit.pointer, misfit.message))
    }
}

async fn parameter(parts: &mut Parts, state: &HttpState, name: &str) -> Result<String, Problem> {
    let parameters =
        RawPathParams::from_request_parts(parts, state).await.map_err(|_rejection| Problem::not_found())?;
    let found = parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(Problem::not_found)
}

/// The submission that the path names; what is no id names nothing.
#[derive(Clone, Copy, Debug)]
pub struct SubmissionPath(pub SubmissionId);

impl FromRequestParts<HttpState> for SubmissionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let id = parameter(parts, state, "id").await?;
        id.parse().map(Self).map_err(|_malformed| Problem::not_found())
    }
}

/// The file of a submission that the path names.
#[derive(Clone, Debug)]
pub struct FilePath {
    /// Whose file.
    pub submission: SubmissionId,
    /// Its path, with `/`.
    pub path: String,
}

impl FromRequestParts<HttpState> for FilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let SubmissionPath(submission) = SubmissionPath::from_request_parts(parts, state).await?;
        Ok(Self { submission, path: parameter(parts, state, "path").await? })
    }
}

/// The exercise that the path names.
#[derive(Clone, Debug)]
pub struct ExercisePath(String);

impl FromRequestParts<HttpState> for ExercisePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        parameter(parts, state, "id").await.map(Self)
    }
}

impl ExercisePath {
    /// The id of something that should exist: what is no id names nothing.
    pub fn existing(&self) -> Result<ExerciseId, Problem> {
        self.0.parse().map_err(|_malformed| Problem::not_found())
    }

    /// The id of something that may be made.
    pub fn writable(&self) -> Result<ExerciseId, Problem> {
        self.0.parse().map_err(|error: crate::domain::ids::InvalidId| {
            Problem::field(Location::Path, "id", error.to_string())
        })
    }
}

/// Refuses a request if anything was found wrong with it.
pub fn refuse(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() { Ok(()) } else { Err(Problem::invalid(Code::ValidationFailed, errors)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BodyRoom, LARGE_BYTES, SUBMISSION_BYTES};

    #[tokio::test]
    async fn a_request_beyond_the_room_for_bodies_is_refused_and_the_next_one_is_not() {
        let room = BodyRoom { within: Duration::ZERO, ..BodyRoom::default() };
        let held = room.take(LARGE_BYTES, LARGE_BYTES).await.unwrap();

        let refused = room.take(LARGE_BYTES, LARGE_BYTES).await;
        let single = room.take(SUBMISSION_BYTES, SUBMISSION_BYTES).await;

        assert!(refused.is_err());
        assert!(single.is_ok());
        drop(held);
        assert!(room.take(LARGE_BYTES, LARGE_BYTES).await.is_ok());
    }
}
