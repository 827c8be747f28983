//! What readers are sent: each event as its lines, made once for all who see the same.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::app::{App, Caller};
use crate::domain::event::Event;
use crate::domain::ids::SubmissionId;
use crate::feed::Notice;
use crate::http::dto::event::{StreamEvent, StreamReset, StreamSnapshot};
use crate::http::dto::report::Detail;
use crate::http::dto::submission::Submission;

use super::{LOG_OF_OWNER, LOG_OF_SUBMISSION};

/// When a reader comes back after a broken connection.
const RETRY: Duration = Duration::from_secs(2);

/// What one reader sees.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Who reads.
    pub(super) caller: Caller,
    /// The submission that the stream is about; `None`: all of an owner.
    pub(super) submission: Option<SubmissionId>,
}

impl View {
    /// Two readers with the same key see the same of an event.
    fn key(&self) -> u8 {
        u8::from(self.caller.sees_hidden()) * 2 + u8::from(self.submission.is_some())
    }

    fn id(&self, event: &Event) -> String {
        match self.submission {
            Some(_) => format!("{LOG_OF_SUBMISSION}{}", event.place()),
            None => format!("{LOG_OF_OWNER}{}", event.owner_place()),
        }
    }
}

/// What a stream begins with.
pub(super) fn first() -> Bytes {
    retry(RETRY.as_millis())
}

/// What a stream ends with that ends at the same time as others: another moment to come back for each.
pub(super) fn come_back_later() -> Bytes {
    retry(random_ms().into())
}

fn retry(millis: u128) -> Bytes {
    format!("retry: {millis}\n\n").into()
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

/// The lines of a notice.
pub(super) fn of(app: &App, notice: &Notice, view: &View) -> Result<Bytes, serde_json::Error> {
    let (kind, told) = match notice {
        Notice::Event(entry) => {
            let kind = entry.body.name();
            let make =
                |event: &Event| lines(kind, &StreamEvent::of(event, &view.caller), Some(&view.id(event)));
            (kind, entry.view(view.key(), make)?)
        }
        Notice::Position(place) => {
            let kind = "queue.position";
            (kind, lines(kind, &StreamEvent::of_position(place), None)?)
        }
        Notice::Reset => {
            let submission_id = view.submission.map(|id| id.to_string());
            let kind = "stream.reset";
            (kind, lines(kind, &StreamEvent::Reset(StreamReset { submission_id }), None)?)
        }
        Notice::Snapshot { items, end } => {
            let of = |placed| Submission::of(app, placed, Detail::Listed, &view.caller);
            let snapshot = StreamSnapshot { items: items.iter().map(of).collect() };
            let (kind, id) = ("stream.snapshot", format!("{LOG_OF_OWNER}{end}"));
            (kind, lines(kind, &StreamEvent::Snapshot(snapshot), Some(&id))?)
        }
    };
    metrics::counter!("guichet_events_sent_total", "event" => kind).increment(1);
    Ok(told)
}

fn lines(kind: &str, data: &StreamEvent, id: Option<&str>) -> Result<Bytes, serde_json::Error> {
    let data = to_line(data)?;
    Ok(match id {
        Some(id) => format!("event: {kind}\ndata: {data}\nid: {id}\n\n"),
        None => format!("event: {kind}\ndata: {data}\n\n"),
    }
    .into())
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
