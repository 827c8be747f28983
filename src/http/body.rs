//! Bodies, query and path, taken strictly: each extractor answers a [`Problem`] that names what is wrong.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::app::budget::{Overloaded, Purpose, Share};
use crate::app::{FieldError, Location};
use crate::clock::Patience;
use crate::domain::ids::{ExerciseId, SubmissionId};
use crate::http::auth::extract::caller_of;
use crate::http::headers::IDEMPOTENCY_KEY;
use crate::http::problem::{Code, Problem};
use crate::http::state::HttpState;
use crate::json::{self, Bounds, Excess, Measure};

/// How long a body may take to come, in time that this process lives through.
pub const WITHIN: Duration = Duration::from_secs(30);
/// Longest body: an exercise or a batch of 32 MiB in base64, and the rest.
pub const MAX_BODY_BYTES: usize = 48 << 20;
/// Most values of a body: a batch of 100 submissions of 256 files each, with null for what a file does not have, has
/// 104,000.
pub const MAX_VALUES: usize = 130_000;
/// Bytes as sent for each byte that counts: a character may be written as an escape of six.
const SENT_FOR_EACH: usize = 6;
/// Longest body that is read, or answered, on the thread that serves requests.
pub const READ_AT_ONCE: usize = 64 << 10;
/// What a value takes once it is read, beside its bytes.
const VALUE_BYTES: usize = 100;

/// What may stand in a body, and what it comes to.
pub trait RequestBody: DeserializeOwned + Send + 'static {
    /// What its text may come to.
    const BOUNDS: Bounds;
    /// From which memory it is taken.
    const PURPOSE: Purpose;
    /// What it asks for.
    type Asked: Send + 'static;

    /// What it asks for; what is wrong with it goes to `errors`.
    fn asked(self, errors: &mut Vec<FieldError>) -> Self::Asked;
}

/// A body of JSON, as it is known once nothing is wrong with it.
#[derive(Debug)]
pub struct JsonBody<T: RequestBody> {
    /// What it asks for.
    pub asked: T::Asked,
    /// SHA-256 of method, path and what the body says, if the request has an idempotency key: the same for the same
    /// request, whatever the order of its keys, its white space and its escapes.
    pub digest: Option<[u8; 32]>,
    /// Held until what is asked for is done.
    pub memory: Share,
}

impl<T: RequestBody> FromRequest<HttpState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, Problem> {
        let announced = check_headers(request.headers(), &T::BOUNDS)?;
        let caller = caller_of(request.extensions());
        if caller.is_none() && T::PURPOSE != Purpose::Proof {
            return Err(Problem::unauthorized("a token is needed"));
        }
        let mut memory = state.app.budget().share(T::PURPOSE, caller)?;
        let what = format!("{} {}\n", request.method(), request.uri().path());
        let named = request.headers().contains_key(IDEMPOTENCY_KEY).then_some(what);
        let collecting = collect(request, announced, &T::BOUNDS, &mut memory);
        let bytes = Patience::in_eighths(WITHIN).wait_for(collecting).await.ok_or_else(|| {
            Problem::new(Code::RequestTimeout, format!("it must come within {} s", WITHIN.as_secs()))
        })??;
        if bytes.len() <= READ_AT_ONCE {
            return Self::read(&bytes, named.as_deref(), memory);
        }
        // One after the other, so that all cores but one serve the others.
        let turn =
            Arc::clone(&state.long_bodies).acquire_owned().await.map_err(|_closed| Problem::internal())?;
        let reading = state.tasks.tracker().spawn_blocking(move || {
            // Here, since a request that is given up ends before its body is read.
            let _turn = turn;
            Self::read(&bytes, named.as_deref(), memory)
        });
        reading.await.map_err(|_panicked| Problem::internal())?
    }
}

impl<T: RequestBody> JsonBody<T> {
    /// A whole body; `named` is its method and path if it has an idempotency key.
    fn read(bytes: &[u8], named: Option<&str>, memory: Share) -> Result<Self, Problem> {
        let text = json::Text::of_request(bytes).map_err(|error| match error {
            json::ParseError::Malformed(detail) => Problem::new(Code::MalformedBody, detail),
            json::ParseError::DuplicateKey(detail) => Problem::field(Location::Body, "", detail),
        })?;
        let value: T = json::read(text).map_err(|misfits| {
            let told = |misfit: json::Misfit| FieldError::body(misfit.pointer, misfit.message);
            Problem::invalid(Code::ValidationFailed, misfits.into_iter().map(told).collect())
        })?;
        let digest = named.map(|what| digest_of(what, text));
        let mut errors = Vec::new();
        let asked = value.asked(&mut errors);
        refuse(errors)?;
        Ok(Self { asked, digest, memory })
    }
}

/// That the body may be read; answers its announced length.
fn check_headers(headers: &HeaderMap, bounds: &Bounds) -> Result<Option<usize>, Problem> {
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
        Some(length) if length > most_sent(bounds) => Err(too_large(bounds)),
        Some(_) | None => Ok(announced),
    }
}

const fn most_sent(bounds: &Bounds) -> usize {
    bounds.bytes * SENT_FOR_EACH
}

fn too_large(bounds: &Bounds) -> Problem {
    let Bounds { bytes, string_bytes, values: _ } = bounds;
    let detail = format!(
        "the body may have {bytes} bytes, and a string in it {string_bytes}; an escape counts as what it stands for"
    );
    Problem::new(Code::PayloadTooLarge, detail)
}

/// That there is never memory enough for a request.
pub(super) fn never_fits(most: usize) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("the service has memory for {most} bytes of a request and its parts"),
    )
}

/// Reads a body as long as it is within its bounds and there is memory for it.
async fn collect(
    request: Request,
    announced: Option<usize>,
    bounds: &Bounds,
    memory: &mut Share,
) -> Result<Vec<u8>, Problem> {
    if let Some(most) = announced.and_then(|length| memory.too_small_for(length)) {
        return Err(never_fits(most));
    }
    let mut bytes = Vec::new();
    let mut measure = Measure::default();
    let mut body = request.into_body();
    let mut since_pause = 0;
    while let Some(frame) = body.frame().await {
        let broken = |_source| Problem::new(Code::MalformedBody, "the body ended before its end");
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + piece.len() > most_sent(bounds) {
            return Err(too_large(bounds));
        }
        measure.add(&piece, bounds).map_err(|excess| match excess {
            Excess::Bytes => too_large(bounds),
            Excess::Values => {
                let most = bounds.values;
                Problem::new(Code::PayloadTooLarge, format!("the body may have {most} values"))
            }
            Excess::Depth => Problem::new(Code::MalformedBody, "recursion limit exceeded"),
        })?;
        // As sent, as read and as stored.
        let sum = bytes.len() + piece.len() + 2 * measure.bytes() + VALUE_BYTES * measure.values();
        if let Some(most) = memory.too_small_for(sum) {
            return Err(never_fits(most));
        }
        memory.grow_to(sum)?;
        bytes.try_reserve(piece.len()).map_err(|_none_left| Overloaded)?;
        bytes.extend_from_slice(&piece);
        since_pause += piece.len();
        if since_pause >= READ_AT_ONCE {
            // A sender that is faster than we would keep this thread.
            since_pause = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(bytes)
}

fn digest_of(what: &str, text: json::Text<'_>) -> [u8; 32] {
    let mut hasher = Hasher(digest::Context::new(&digest::SHA256));
    hasher.0.update(what.as_bytes());
    // It takes all that is written.
    text.write_canonical(&mut hasher).unwrap_or_default();
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(hasher.0.finish().as_ref()) {
        *to = *from;
    }
    digest
}

struct Hasher(digest::Context);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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

/// A parameter of the path.
pub async fn parameter(parts: &mut Parts, state: &HttpState, name: &str) -> Result<String, Problem> {
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
