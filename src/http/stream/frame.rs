//! What readers are sent: each event as its lines, made once for all who see the same.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use metrics::Counter;
use serde::Serialize;

use crate::app::host_events::{HostChange, HostEntry, HostNotice};
use crate::app::hosts::HostView;
use crate::app::rejudges::mark;
use crate::app::{App, Caller};
use crate::domain::event::Event;
use crate::domain::ids::SubmissionId;
use crate::domain::rejudge::Rejudge;
use crate::feed::Notice;
use crate::http::dto::event::{StreamEvent, StreamReset, StreamSnapshot};
use crate::http::dto::host_event::{HostEvent, HostRemoved, HostsSnapshot};
use crate::http::dto::rejudge::{RejudgeChanged, RejudgeEvent};
use crate::http::dto::report::Detail;
use crate::http::dto::submission::Submission;

use super::{LOG_OF_HOSTS, LOG_OF_OWNER, LOG_OF_REJUDGE, LOG_OF_SUBMISSION};

/// What tells a place.
const POSITION: &str = "queue.position";
/// Bytes that the lines of most events need.
const ROOM: usize = 384;
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

/// The lines of a notice of a log of submissions.
pub(super) fn of_log(app: &App, notice: &Notice, view: &View) -> Result<Bytes, serde_json::Error> {
    let (kind, told) = match notice {
        Notice::Event(entry) => {
            let kind = entry.body.name();
            let make =
                |event: &Event| lines(kind, &StreamEvent::of(event, &view.caller), Some(&view.id(event)));
            (kind, entry.view(view.key(), make)?)
        }
        Notice::Position(place) => (POSITION, lines(POSITION, &StreamEvent::of_position(place), None)?),
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
    count(kind);
    Ok(told)
}

/// The lines of what is told of hosts and queue, which is the same for all.
pub(super) fn of_hosts(notice: HostNotice) -> Result<Bytes, serde_json::Error> {
    let (kind, told) = match notice {
        HostNotice::Reset => {
            let reset = HostEvent::Reset(StreamReset { submission_id: None });
            ("stream.reset", lines("stream.reset", &reset, None)?)
        }
        HostNotice::Snapshot { hosts, queue, end } => {
            let hosts = hosts.into_iter().map(Into::into).collect();
            let snapshot = HostEvent::Snapshot(HostsSnapshot { hosts, queue: queue.into() });
            ("hosts.snapshot", lines("hosts.snapshot", &snapshot, Some(&format!("{LOG_OF_HOSTS}{end}")))?)
        }
        HostNotice::Change(entry) => (name(&entry.change), entry.lines(of_change)?),
    };
    count(kind);
    Ok(told)
}

/// The lines of how judging again stands.
pub(super) fn of_rejudge(standing: &Rejudge) -> Result<Bytes, serde_json::Error> {
    let kind = "rejudge.changed";
    count(kind);
    let event = RejudgeEvent::Changed(Box::new(RejudgeChanged { rejudge: standing.into() }));
    lines(kind, &event, Some(&format!("{LOG_OF_REJUDGE}{}", mark(standing))))
}

const fn name(change: &HostChange) -> &'static str {
    match change {
        HostChange::Changed(_) => "host.changed",
        HostChange::Removed(_) => "host.removed",
        HostChange::Queue(_) => "queue.changed",
    }
}

fn of_change(entry: &HostEntry) -> Result<Bytes, serde_json::Error> {
    let (kind, id) = (name(&entry.change), format!("{LOG_OF_HOSTS}{}", entry.place));
    let event = match &entry.change {
        HostChange::Changed(host) => HostEvent::Changed(Box::new(HostView::clone(host).into())),
        HostChange::Removed(name) => HostEvent::Removed(HostRemoved { name: name.to_string() }),
        HostChange::Queue(queue) => HostEvent::Queue(queue.clone().into()),
    };
    lines(kind, &event, Some(&id))
}

fn count(kind: &'static str) {
    /// Most of what is told: looked up once, and not each time.
    static POSITIONS: LazyLock<Counter> = LazyLock::new(|| counter(POSITION));
    if kind == POSITION { POSITIONS.increment(1) } else { counter(kind).increment(1) }
}

fn counter(kind: &'static str) -> Counter {
    metrics::counter!("guichet_events_sent_total", "event" => kind)
}

fn lines(kind: &str, data: &impl Serialize, id: Option<&str>) -> Result<Bytes, serde_json::Error> {
    let mut lines = Vec::with_capacity(ROOM);
    for part in ["event: ", kind, "\ndata: "] {
        lines.extend_from_slice(part.as_bytes());
    }
    write_line(&mut lines, data)?;
    if let Some(id) = id {
        lines.extend_from_slice(b"\nid: ");
        lines.extend_from_slice(id.as_bytes());
    }
    lines.extend_from_slice(b"\n\n");
    Ok(lines.into())
}

/// Appends JSON on one line for every reader: some split at more characters than CR and LF.
fn write_line(lines: &mut Vec<u8>, data: &impl Serialize) -> Result<(), serde_json::Error> {
    let begin = lines.len();
    serde_json::to_writer(&mut *lines, data)?;
    let json = lines.get(begin..).unwrap_or_default();
    let splits = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    if !json.is_ascii() && String::from_utf8_lossy(json).contains(splits) {
        // These characters stand in strings only, where an escape means the same.
        let json = String::from_utf8_lossy(json).replace('\u{85}', "\\u0085");
        let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        lines.truncate(begin);
        lines.extend_from_slice(json.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{lines, random_ms};

    #[test]
    fn no_character_of_an_output_ends_a_line() {
        let lines = lines("x", &"a\r\nb\u{2028}c\u{85}d\u{2029}e\u{b}", Some("1")).unwrap();

        let text = std::str::from_utf8(&lines).unwrap();
        assert!(text.is_ascii());
        let line = text.strip_prefix("event: x\ndata: ").and_then(|rest| rest.strip_suffix("\nid: 1\n\n"));
        assert_eq!(line.map(|line| line.lines().count()), Some(1));
        assert_eq!(
            serde_json::from_str::<String>(line.unwrap()).unwrap(),
            "a\r\nb\u{2028}c\u{85}d\u{2029}e\u{b}"
        );
    }

    #[test]
    fn readers_come_back_between_one_and_five_seconds() {
        assert!((0..100).all(|_| (1000..=5000).contains(&random_ms())));
    }
}
