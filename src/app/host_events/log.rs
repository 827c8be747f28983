//! What was told of hosts and queue: how they are now, and the newest changes. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{HostChange, HostEntry};
use crate::app::hosts::HostView;
use crate::app::queue::QueueView;
use crate::domain::event::{Epoch, LogPlace};

/// Changes that are kept for followers that read slowly, or come back.
const MOST_ENTRIES: usize = 1024;

/// How hosts and queue are, and how they became so.
#[derive(Debug)]
pub(super) struct Log {
    epoch: Epoch,
    /// Number of the newest change; the first look counts as the first.
    seq: i64,
    hosts: Vec<HostView>,
    /// `None` before the first look.
    queue: Option<QueueView>,
    newest: VecDeque<Arc<HostEntry>>,
    /// Whether what is held is how it is, and not how it was when a follower was there last.
    is_current: bool,
}

/// What stands behind a place.
#[derive(Debug)]
pub(super) enum Behind {
    /// A change.
    Entry(Arc<HostEntry>),
    /// Nothing yet.
    Nothing,
    /// A change that is not kept any more.
    Forgotten,
}

impl Default for Log {
    fn default() -> Self {
        // No other process has the number.
        let (epoch, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self {
            epoch: Epoch::from_bits(epoch),
            seq: 0,
            hosts: Vec::new(),
            queue: None,
            newest: VecDeque::new(),
            is_current: false,
        }
    }
}

impl Log {
    /// Takes in a look; whether there is something to tell that there was not before.
    pub(super) fn note(&mut self, hosts: Vec<HostView>, queue: Option<QueueView>) -> bool {
        let Some(queue) = queue.or_else(|| self.queue.clone()) else { return false };
        let (was_current, seq) = (self.is_current, self.seq);
        if self.queue.is_none() {
            self.seq = 1;
        } else {
            for change in self.changes(&hosts, &queue) {
                self.append(change);
            }
        }
        (self.hosts, self.queue, self.is_current) = (hosts, Some(queue), true);
        !was_current || self.seq != seq
    }

    fn changes(&self, hosts: &[HostView], queue: &QueueView) -> Vec<HostChange> {
        let is_gone = |host: &&HostView| hosts.iter().all(|other| other.name != host.name);
        let gone = self.hosts.iter().filter(is_gone).map(|host| HostChange::Removed(host.name.clone()));
        let changed = hosts.iter().filter(|host| !self.hosts.contains(host));
        let changed = changed.map(|host| HostChange::Changed(Box::new(host.clone())));
        let queue = (self.queue.as_ref() != Some(queue)).then(|| HostChange::Queue(queue.clone()));
        gone.chain(changed).chain(queue).collect()
    }

    fn append(&mut self, change: HostChange) {
        self.seq += 1;
        if self.newest.len() == MOST_ENTRIES {
            self.newest.pop_front();
        }
        self.newest.push_back(Arc::new(HostEntry::new(self.end(), change)));
    }

    /// What is held is not looked at any more.
    pub(super) const fn rest(&mut self) {
        self.is_current = false;
    }

    /// How it is now: the hosts and the queue, unless that is not known.
    pub(super) fn current(&self) -> Option<(&[HostView], &QueueView)> {
        self.queue.as_ref().filter(|_| self.is_current).map(|queue| (self.hosts.as_slice(), queue))
    }

    /// The place behind the newest change.
    pub(super) const fn end(&self) -> LogPlace {
        LogPlace::Behind { seq: self.seq, epoch: self.epoch }
    }

    /// The number of the change before a place that was told by this process.
    pub(super) fn number(&self, place: LogPlace) -> Option<i64> {
        let is_ours = place.epoch() == Some(self.epoch) && place.seq() <= self.seq;
        is_ours.then(|| place.seq())
    }

    /// What stands behind the change of that number.
    pub(super) fn behind(&self, number: i64) -> Behind {
        match usize::try_from(self.seq.saturating_sub(number)) {
            Ok(0) | Err(_) => Behind::Nothing,
            Ok(missed) => {
                let index = self.newest.len().checked_sub(missed);
                let entry = index.and_then(|index| self.newest.get(index));
                entry.map_or(Behind::Forgotten, |entry| Behind::Entry(Arc::clone(entry)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Behind, HostChange, HostView, Log, MOST_ENTRIES, QueueView};
    use crate::domain::event::{Epoch, LogPlace};
    use crate::domain::host::{HostMode, HostSource};
    use crate::domain::time::Timestamp;
    use crate::pool::{HostState, SlotCounts, SubmissionCounts};
    use crate::storage::QueueFigures;

    fn host(name: &str, busy: u32) -> HostView {
        let long_ago = Timestamp::from_millis(0);
        HostView {
            name: name.parse().unwrap(),
            url: "unix:///run/docker.sock".to_owned(),
            certs: None,
            source: HostSource::Config,
            mode: HostMode::Active,
            drained: false,
            state: HostState::Healthy,
            since: long_ago,
            next_attempt_at: None,
            engine: None,
            warnings: Vec::new(),
            slots: SlotCounts { configured: None, total: 2, busy },
            runtimes: Vec::new(),
            submissions: SubmissionCounts::default(),
            last_error: None,
            created_at: long_ago,
        }
    }

    fn queue(queued: u64) -> QueueView {
        let figures = QueueFigures { queued, ..QueueFigures::default() };
        QueueView { figures, slots_total: 2, slots_free: 2, oldest_queued_s: 0, blocked_by: None, eta: None }
    }

    fn told(log: &Log, mut after: i64) -> Vec<HostChange> {
        let mut changes = Vec::new();
        while let Behind::Entry(entry) = log.behind(after) {
            after += 1;
            assert_eq!(log.number(entry.place), Some(after));
            changes.push(entry.change.clone());
        }
        changes
    }

    #[test]
    fn each_difference_between_two_looks_is_told_once() {
        let mut log = Log::default();
        assert!(log.note(vec![host("a", 0), host("b", 0)], Some(queue(0))));

        assert!(!log.note(vec![host("a", 0), host("b", 0)], Some(queue(0))));
        assert!(log.note(vec![host("b", 1), host("c", 0)], Some(queue(3))));

        let expected = [
            HostChange::Removed("a".parse().unwrap()),
            HostChange::Changed(Box::new(host("b", 1))),
            HostChange::Changed(Box::new(host("c", 0))),
            HostChange::Queue(queue(3)),
        ];
        assert_eq!(told(&log, 1), expected);
    }

    #[test]
    fn nothing_is_shown_that_is_not_looked_at() {
        let mut log = Log::default();
        assert!(!log.note(vec![host("a", 0)], None), "the queue is not known");
        assert!(log.current().is_none());
        log.note(vec![host("a", 0)], Some(queue(0)));

        log.rest();
        assert!(log.current().is_none());
        assert!(log.note(vec![host("a", 1)], None));

        assert_eq!(log.current(), Some(([host("a", 1)].as_slice(), &queue(0))));
        assert_eq!(told(&log, 1), [HostChange::Changed(Box::new(host("a", 1)))]);
    }

    #[test]
    fn a_place_of_another_process_or_of_the_future_is_unknown() {
        let mut log = Log::default();
        log.note(Vec::new(), Some(queue(0)));
        let LogPlace::Behind { seq, epoch } = log.end() else { panic!("no number") };
        let other = Epoch::from_bits(!epoch.bits());

        assert_eq!(log.number(log.end()), Some(1));
        assert_eq!(log.number(LogPlace::Behind { seq, epoch: other }), None);
        assert_eq!(log.number(LogPlace::Behind { seq: seq + 1, epoch }), None);
        assert_eq!(log.number(LogPlace::Start), None);
    }

    #[test]
    fn what_is_too_old_is_forgotten_and_said_to_be() {
        let mut log = Log::default();
        let most = i64::try_from(MOST_ENTRIES).unwrap();
        for queued in 0..=MOST_ENTRIES {
            log.note(Vec::new(), Some(queue(u64::try_from(queued).unwrap())));
        }
        assert_eq!(told(&log, 1).len(), MOST_ENTRIES);

        log.note(Vec::new(), Some(queue(0)));

        assert!(matches!(log.behind(1), Behind::Forgotten));
        assert!(matches!(log.behind(2), Behind::Entry(_)));
        assert!(matches!(log.behind(most + 2), Behind::Nothing));
    }
}
