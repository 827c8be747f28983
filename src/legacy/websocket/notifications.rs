//! What a user is told of his submissions: the feed's notices as the original packets. Pure.
//!
//! It remembers, of those that wait, how he calls them and the place he was told last, so that no place is told twice.

use std::collections::BTreeMap;

use super::message::{Fault, Packet, Target};
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::SubmissionId;
use crate::domain::submission::Submission;
use crate::domain::verdict::Verdict;
use crate::feed::Notice;

/// His waiting submissions; ids sort by age.
#[derive(Debug, Default)]
pub struct Notifications {
    waiting: BTreeMap<SubmissionId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    name: String,
    place: u64,
}

/// How its user calls a submission: by the id of his backend, else by ours.
pub fn name(submission: &Submission) -> String {
    match &submission.legacy {
        Some(legacy) => legacy.legacy_id.to_string(),
        None => submission.id.to_string(),
    }
}

/// The submission whose name must be known before `notice` can be told.
pub fn nameless(notice: &Notice) -> Option<SubmissionId> {
    match notice {
        Notice::Event(entry) => match entry.body {
            EventBody::Queued { .. } | EventBody::Requeued { .. } => Some(entry.submission),
            EventBody::Started { .. }
            | EventBody::Compiled { .. }
            | EventBody::TestFinished { .. }
            | EventBody::Rejudged { .. }
            | EventBody::Finished { .. }
            | EventBody::Failed { .. }
            | EventBody::Cancelled { .. } => None,
        },
        // A place is only told of what waits.
        Notice::Position(_) | Notice::Reset | Notice::Snapshot { .. } => None,
    }
}

impl Notifications {
    /// What `notice` says; `name` is that of the submission that was [`nameless`].
    pub fn take(&mut self, notice: Notice, name: Option<String>) -> Vec<Packet> {
        match notice {
            Notice::Event(entry) => self.take_event(&entry, name),
            Notice::Position(place) => match self.waiting.get_mut(&place.submission) {
                Some(waiting) if waiting.place != place.position => {
                    waiting.place = place.position;
                    vec![waiting.packet()]
                }
                Some(_) | None => Vec::new(),
            },
            Notice::Reset => Vec::new(),
            Notice::Snapshot { items, .. } => {
                self.waiting.clear();
                for item in items {
                    if let Some(place) = item.position {
                        let name = self::name(&item.submission);
                        self.waiting.insert(item.submission.id, Waiting { name, place });
                    }
                }
                self.places()
            }
        }
    }

    /// The place of everything that waits.
    pub fn places(&self) -> Vec<Packet> {
        self.waiting.values().map(Waiting::packet).collect()
    }

    fn take_event(&mut self, event: &Event, name: Option<String>) -> Vec<Packet> {
        let id = event.submission;
        match &event.body {
            EventBody::Queued { position, .. } => vec![self.wait(id, name, *position)],
            EventBody::Requeued { position, container, .. } => {
                let lost = container.clone().map(|id| Packet::Error(Fault::Execution(Target::Container(id))));
                let place = self.wait(id, name, *position);
                lost.into_iter().chain([place]).collect()
            }
            EventBody::Started { .. } => {
                self.waiting.remove(&id);
                Vec::new()
            }
            EventBody::Compiled { .. } | EventBody::TestFinished { .. } | EventBody::Rejudged { .. } => {
                Vec::new()
            }
            EventBody::Finished { submission } => {
                self.waiting.remove(&id);
                executed(submission)
            }
            EventBody::Failed { submission } => {
                self.waiting.remove(&id);
                vec![Packet::Error(Fault::Execution(target(submission)))]
            }
            EventBody::Cancelled { submission } => {
                self.waiting.remove(&id);
                vec![Packet::Error(Fault::NotFound(target(submission)))]
            }
        }
    }

    fn wait(&mut self, id: SubmissionId, name: Option<String>, place: u64) -> Packet {
        let waiting = Waiting { name: name.unwrap_or_else(|| id.to_string()), place };
        let packet = waiting.packet();
        self.waiting.insert(id, waiting);
        packet
    }
}

impl Waiting {
    fn packet(&self) -> Packet {
        Packet::Place { id: self.name.clone(), place: self.place }
    }
}

fn target(submission: &Submission) -> Target {
    Target::Exercise(name(submission))
}

fn executed(submission: &Submission) -> Vec<Packet> {
    let verdict = submission.result.as_ref().map(|result| result.verdict);
    let mut packets = Vec::new();
    if verdict == Some(Verdict::CompilationError) {
        packets.push(Packet::Error(Fault::Execution(target(submission))));
    }
    packets.push(Packet::Executed { id: name(submission) });
    packets
}
