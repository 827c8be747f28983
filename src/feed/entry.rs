//! An entry of a log on its way to all who follow it.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::domain::event::Event;

/// An event, and what readers who see the same are sent of it.
#[derive(Debug)]
pub struct LogEntry {
    event: Event,
    /// Whether nothing came behind it, and its submission had ended, when it was read.
    ends_log: bool,
    /// By the key of what is seen; a handful. The lock is held while one is made, so that it is made once.
    views: Mutex<Vec<(u8, Bytes)>>,
}

impl LogEntry {
    pub(super) const fn new(event: Event, ends_log: bool) -> Self {
        Self { event, ends_log, views: Mutex::new(Vec::new()) }
    }

    pub(super) const fn ends_log(&self) -> bool {
        self.ends_log
    }

    /// What readers are sent who see the same; made for the first of them.
    ///
    /// * `seen` — tells apart what different readers see of the same event.
    pub fn view<E>(&self, seen: u8, make: impl FnOnce(&Event) -> Result<Bytes, E>) -> Result<Bytes, E> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, view)) = views.iter().find(|(key, _)| *key == seen) {
            return Ok(view.clone());
        }
        let view = make(&self.event)?;
        views.push((seen, view.clone()));
        Ok(view)
    }
}

impl From<Event> for LogEntry {
    fn from(event: Event) -> Self {
        Self::new(event, false)
    }
}

impl Deref for LogEntry {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

impl PartialEq for LogEntry {
    fn eq(&self, other: &Self) -> bool {
        self.event == other.event
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::LogEntry;
    use crate::domain::event::{Epoch, Event, EventBody};
    use crate::domain::ids::SubmissionId;
    use crate::domain::time::Timestamp;

    #[test]
    fn what_two_readers_see_alike_is_made_once() {
        let entry = LogEntry::from(Event {
            submission: SubmissionId::generate(),
            seq: 1,
            epoch: Epoch::from_bits(1),
            owner: "alice".parse().unwrap(),
            owner_seq: 1,
            round: 1,
            attempt: 0,
            at: Timestamp::from_millis(0),
            body: EventBody::Started { position_before: 1 },
        });
        let mut made = Vec::new();
        for seen in [0, 1, 0, 1] {
            let view = entry.view::<()>(seen, |_event| {
                made.push(seen);
                Ok(Bytes::from(vec![seen]))
            });
            assert_eq!(view, Ok(Bytes::from(vec![seen])));
        }

        assert_eq!(made, [0, 1]);
        assert_eq!(entry.view(2, |_event| Err(())), Err(()));
    }
}
