//! Server-sent events: one task an open stream, a short queue to its reader, and an end that is always reached.
//!
//! The task takes from a follower what the reader can take; nothing else piles up. It ends with the log, with the
//! reader, with the reader's token or ticket, when the reader takes nothing for `STALLED`, and at the soft stop.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::app::{App, Caller, TooManyStreams};
use crate::chain::Chain;
use crate::domain::event::LogPlace;
use crate::domain::ids::SubmissionId;
use crate::domain::time::Timestamp;
use crate::feed::{Follow, Follower, Notice};
use crate::http::dto::event::{StreamEvent, StreamReset, StreamSnapshot};
use crate::http::dto::report::Detail;
use crate::http::dto::submission::Submission;
use crate::http::problem::{Code, Problem};
use crate::http::server::Stalled;
use crate::http::state::HttpState;

/// Events that wait for a reader.
const BUFFER: usize = 16;
/// How long a reader may take nothing.
const STALLED: Duration = Duration::from_secs(30);
/// Pause between two comments, so that no proxy closes a quiet stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a reader comes back after a broken connection, in milliseconds.
const RETRY_MS: u64 = 2000;

/// How ids begin in the log of one submission, and in that of an owner: who comes with an id of the other kind is told
/// to start anew.
pub const LOG_OF_SUBMISSION: &str = "";
/// See [`LOG_OF_SUBMISSION`].
pub const LOG_OF_OWNER: &str = "o";

/// Who reads a stream.
#[derive(Clone, Debug)]
pub struct Audience {
    /// Who reads.
    pub caller: Caller,
    /// When his token or ticket is over.
    pub expires_at: Timestamp,
    /// The submission that the stream is about; `None`: all of an owner.
    pub submission: Option<SubmissionId>,
    /// Whether the reader's connection ended because he took nothing.
    pub stalled: Stalled,
}

/// The answer to a wish to follow.
///
/// # Errors
/// A 429 if the caller has too many streams open.
pub fn respond(state: &HttpState, follow: Follow, audience: Audience) -> Result<Response, Problem> {
    let follower = match follow {
        Follow::Live(follower) => follower,
        Follow::Ended => return Ok(StatusCode::NO_CONTENT.into_response()),
    };
    let counted = state.streams.open(&audience.caller).map_err(|TooManyStreams| {
        Problem::new(Code::RateLimited, TooManyStreams.to_string()).retry_after(5)
    })?;
    let (events, reader) = mpsc::channel(BUFFER);
    let producer = Producer { app: state.app.clone(), audience, events };
    let stop = state.tasks.soft().clone();
    state.tasks.start(async move {
        let open = metrics::gauge!("guichet_streams_open");
        open.increment(1.0);
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Stop,
            end = producer.run(follower) => end,
        };
        let end = if end == End::Reader && producer.audience.stalled.is_so() { End::Stalled } else { end };
        if end == End::Stalled {
            let subject = &producer.audience.caller.subject;
            tracing::info!(%subject, "a stream ends: its reader took nothing for too long");
        }
        if matches!(end, End::Stop | End::Expired) {
            // Not all at once: each reader is told another moment to come back.
            let spread = Event::default().retry(Duration::from_millis(random_ms()));
            producer.events.try_send(Ok(spread)).unwrap_or_default();
        }
        metrics::counter!("guichet_streams_ended_total", "reason" => end.name()).increment(1);
        open.decrement(1.0);
        drop(counted);
    });
    let beat = KeepAlive::new().interval(HEARTBEAT).text("keep-alive");
    let mut response = Sse::new(ReceiverStream::new(reader)).keep_alive(beat).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Between one and five seconds.
fn random_ms() -> u64 {
    let mut bytes = [0; 2];
    // Without random bytes all come back after three seconds, which is no harm.
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => 1000 + u64::from(u16::from_le_bytes(bytes)) % 4001,
        Err(_) => 3000,
    }
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The log ended.
    Log,
    /// The reader went away.
    Reader,
    /// The reader took nothing for too long.
    Stalled,
    /// The reader's token or ticket is over.
    Expired,
    /// The process stops.
    Stop,
    /// The log can't be read now.
    Fault,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Reader => "reader",
            Self::Stalled => "stalled",
            Self::Expired => "expired",
            Self::Stop => "stop",
            Self::Fault => "fault",
        }
    }
}

struct Producer {
    app: App,
    audience: Audience,
    events: mpsc::Sender<Result<Event, Infallible>>,
}

impl Producer {
    async fn run(&self, mut follower: Follower) -> End {
        let left_ms = self.audience.expires_at.millis_since(self.app.clock().now());
        let expired = tokio::time::sleep(Duration::from_millis(left_ms));
        tokio::pin!(expired);
        if let Err(end) = self.send(Event::default().retry(Duration::from_millis(RETRY_MS))).await {
            return end;
        }
        loop {
            let notice = tokio::select! {
                biased;
                () = &mut expired => return End::Expired,
                () = self.events.closed() => return End::Reader,
                notice = follower.next() => notice,
            };
            let sent = match notice {
                Ok(Some(notice)) => self.tell(notice).await,
                Ok(None) => return End::Log,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "a stream ends: the log cannot be read");
                    return End::Fault;
                }
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    async fn send(&self, event: Event) -> Result<(), End> {
        match tokio::time::timeout(STALLED, self.events.send(Ok(event))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_closed)) => Err(End::Reader),
            Err(_elapsed) => Err(End::Stalled),
        }
    }

    async fn tell(&self, notice: Notice) -> Result<(), End> {
        let (kind, id, data) = self.shown(&notice);
        let Ok(data) = to_line(&data) else { return Err(End::Fault) };
        let event = Event::default().event(kind).data(data);
        let event = match id {
            Some(id) if self.audience.submission.is_some() => event.id(format!("{LOG_OF_SUBMISSION}{id}")),
            Some(id) => event.id(format!("{LOG_OF_OWNER}{id}")),
            None => event,
        };
        metrics::counter!("guichet_events_sent_total", "event" => kind).increment(1);
        self.send(event).await
    }

    /// Type, id and data of what the reader is told.
    fn shown(&self, notice: &Notice) -> (&'static str, Option<LogPlace>, StreamEvent) {
        let Audience { caller, submission, .. } = &self.audience;
        match notice {
            Notice::Event(event) => {
                let id = if submission.is_some() { event.place() } else { event.owner_place() };
                (event.body.name(), Some(id), StreamEvent::of(event, caller))
            }
            Notice::Position(place) => ("queue.position", None, StreamEvent::of_position(place)),
            Notice::Reset => {
                let submission_id = submission.map(|id| id.to_string());
                ("stream.reset", None, StreamEvent::Reset(StreamReset { submission_id }))
            }
            Notice::Snapshot { items, end } => {
                let of = |placed| Submission::of(&self.app, placed, Detail::Listed, caller);
                let items = items.iter().map(of).collect();
                ("stream.snapshot", Some(*end), StreamEvent::Snapshot(StreamSnapshot { items }))
            }
        }
    }
}

/// JSON on one line for every reader: some split at more characters than CR and LF.
fn to_line(data: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(data)?;
    let splits = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    if !json.contains(splits) {
        return Ok(json);
    }
    // These characters stand in strings only, where an escape means the same.
    Ok(json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
}

#[cfg(test)]
mod tests {
    use super::{random_ms, to_line};

    #[test]
    fn no_character_of_an_output_ends_a_line() {
        let line = to_line(&"a\r\nb\u{2028}c\u{85}d\u{2029}e\u{b}").unwrap();

        assert_eq!(line.lines().count(), 1);
        assert!(line.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), "a\r\nb\u{2028}c\u{85}d\u{2029}e\u{b}");
    }

    #[test]
    fn readers_come_back_between_one_and_five_seconds() {
        assert!((0..100).all(|_| (1000..=5000).contains(&random_ms())));
    }
}
