//! Server-sent events of submissions, of hosts and of judging again: an open stream is the body of its answer, and an end that is always reached.
//!
//! It has no task and no timer of its own: its connection takes from a follower what it can write, and `pulse` wakes it
//! when it was quiet for long or is over. It ends with the log, with the reader, with the reader's token, session or ticket, when
//! the reader takes nothing for 30 s, and at the soft stop.

mod body;
mod frame;
mod open;
mod pulse;
mod sessions;
mod source;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use crate::app::Caller;
use crate::app::host_events::HostFollower;
use crate::app::rejudges::RejudgeFollower;
use crate::domain::ids::SubmissionId;
use crate::domain::time::Timestamp;
use crate::feed::Follow;
use crate::http::problem::Problem;
use crate::http::server::Stalled;
use crate::http::state::HttpState;
use body::{Progress, StreamBody};
use frame::View;
use open::Open;
pub use pulse::Pulse;
pub use sessions::{SessionEnd, Sessions};
use source::Source;

/// How ids begin in the log of one submission, and in that of an owner: who comes with an id of the other kind is told
/// to start anew.
pub const LOG_OF_SUBMISSION: &str = "";
/// See [`LOG_OF_SUBMISSION`].
pub const LOG_OF_OWNER: &str = "o";
/// How ids begin in the log of hosts and queue.
pub const LOG_OF_HOSTS: &str = "h";

/// How ids begin in the stream of what is judged again.
pub const LOG_OF_REJUDGE: &str = "r";

/// Who reads a stream.
#[derive(Clone, Debug)]
pub struct Audience {
    /// Who reads.
    pub caller: Caller,
    /// When his token, session or ticket is over.
    pub expires_at: Timestamp,
    /// Whether his session was ended; `None` without one.
    pub session: Option<Arc<SessionEnd>>,
    /// The submission that the stream is about; `None`: all of an owner, or the hosts.
    pub submission: Option<SubmissionId>,
    /// Whether the reader's connection ended because he took nothing.
    pub stalled: Stalled,
}

/// The answer to a wish to follow.
///
/// # Errors
/// A 429 if the caller has too many streams open, a 503 if there is no memory for one more.
pub fn respond(state: &HttpState, follow: Follow, audience: Audience) -> Result<Response, Problem> {
    match follow {
        Follow::Live(follower) => open(state, Source::Log(follower), audience),
        Follow::Ended => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// The answer to a wish to follow the hosts.
///
/// # Errors
/// As of [`respond`].
pub fn respond_with_hosts(
    state: &HttpState,
    follower: HostFollower,
    audience: Audience,
) -> Result<Response, Problem> {
    open(state, Source::Hosts(follower), audience)
}

/// The answer to a wish to follow how judging again goes on.
///
/// # Errors
/// As of [`respond`].
pub fn respond_with_rejudge(
    state: &HttpState,
    follower: RejudgeFollower,
    audience: Audience,
) -> Result<Response, Problem> {
    open(state, Source::Rejudge(follower), audience)
}

fn open(state: &HttpState, source: Source, audience: Audience) -> Result<Response, Problem> {
    let Audience { caller, expires_at, session, submission, stalled } = audience;
    let counted = state.streams.open(&caller)?;
    let left = Duration::from_millis(expires_at.millis_since(state.app.clock().now()));
    let subject = caller.subject.clone();
    let now = Instant::now();
    let open = Arc::new(Open::new(subject, Some(source), (now, now + left), stalled, counted).of(session));
    open.listen_for_sign_out();
    state.pulse.enter(open.first_look(), &open);
    let body = StreamBody {
        app: state.app.clone(),
        view: View { caller, submission },
        open,
        pulse: Arc::clone(&state.pulse),
        progress: Progress::New,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::new(body)).into_response())
}
