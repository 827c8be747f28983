//! A zip archive as a body: taken whole, within its bound and the memory for requests.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;

use crate::app::budget::{Overloaded, Purpose, Share};
use crate::clock::Patience;
use crate::http::auth::extract::caller_of;
use crate::http::body::{MAX_BODY_BYTES, READ_AT_ONCE, WITHIN, never_fits};
use crate::http::problem::{Code, Problem};
use crate::http::state::HttpState;

/// What archives are called.
const MEDIA: [&str; 2] = ["application/zip", "application/x-zip-compressed"];

/// The bytes of an archive; nothing was asked of them yet.
#[derive(Debug)]
pub struct ZipBody {
    /// As sent.
    pub bytes: Vec<u8>,
    /// Held until what is asked for is done.
    pub memory: Share,
}

impl FromRequest<HttpState> for ZipBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, Problem> {
        let announced = check_headers(request.headers())?;
        let Some(caller) = caller_of(request.extensions()) else {
            return Err(Problem::unauthorized("a token is needed"));
        };
        let mut memory = state.app.budget().share(Purpose::Large, Some(caller))?;
        if let Some(most) = announced.and_then(|length| memory.too_small_for(length)) {
            return Err(never_fits(most));
        }
        let collecting = collect(request, &mut memory);
        let bytes = Patience::in_eighths(WITHIN).wait_for(collecting).await.ok_or_else(|| {
            Problem::new(Code::RequestTimeout, format!("it must come within {} s", WITHIN.as_secs()))
        })??;
        Ok(Self { bytes, memory })
    }
}

/// That the body may be read; answers its announced length.
fn check_headers(headers: &HeaderMap) -> Result<Option<usize>, Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let unsupported = |detail: &str| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let media = header(header::CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default();
    if !MEDIA.iter().any(|known| media.trim().eq_ignore_ascii_case(known)) {
        return unsupported("Content-Type must be application/zip");
    }
    if header(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return unsupported("content codings are not taken");
    }
    let announced: Option<usize> = header(header::CONTENT_LENGTH).and_then(|value| value.parse().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) { Err(too_large()) } else { Ok(announced) }
}

fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("the archive may have {MAX_BODY_BYTES} bytes"))
}

async fn collect(request: Request, memory: &mut Share) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut body = request.into_body();
    let mut since_pause = 0;
    while let Some(frame) = body.frame().await {
        let broken = |_source| Problem::new(Code::MalformedBody, "the body ended before its end");
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        let sum = bytes.len() + piece.len();
        if sum > MAX_BODY_BYTES {
            return Err(too_large());
        }
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
