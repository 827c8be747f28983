//! One open stream of the hosts: all that there is, and then each change.

use std::task::{Context, Poll};

use super::log::Behind;
use super::{HostEvents, HostNotice};
use crate::domain::event::LogPlace;
use crate::feed::{Bell, Resume};

/// Reads what is told of hosts and queue, in order.
#[derive(Debug)]
pub struct HostFollower {
    events: HostEvents,
    key: u64,
    bell: Bell,
    at: At,
}

/// Where its next notice comes from.
#[derive(Clone, Copy, Debug)]
enum At {
    /// All that there is.
    Start,
    /// It asked for what stands behind a place.
    Asked(LogPlace),
    /// It cannot go on from where it asked to.
    Nowhere,
    /// What stands behind the change of this number.
    Behind(i64),
}

impl HostFollower {
    pub(super) const fn new(events: HostEvents, key: u64, bell: Bell, from: Resume) -> Self {
        let at = match from {
            Resume::Start => At::Start,
            Resume::After(place) => At::Asked(place),
            Resume::Unreadable => At::Nowhere,
        };
        Self { events, key, bell, at }
    }

    /// Wakes the task that polls the follower, though there may be nothing to tell.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// The next thing to tell.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<HostNotice> {
        self.bell.register(context.waker());
        let shared = self.events.lock();
        let log = &shared.log;
        let Some((hosts, queue)) = log.current() else { return Poll::Pending };
        let (at, notice) = match self.at {
            At::Start => {
                let (hosts, queue, end) = (hosts.to_vec(), queue.clone(), log.end());
                (At::Behind(end.seq()), HostNotice::Snapshot { hosts, queue, end })
            }
            At::Nowhere => (At::Start, HostNotice::Reset),
            At::Asked(place) => match log.number(place).map(|number| (number, log.behind(number))) {
                Some((number, Behind::Entry(entry))) => (At::Behind(number + 1), HostNotice::Change(entry)),
                Some((number, Behind::Nothing)) => {
                    self.at = At::Behind(number);
                    return Poll::Pending;
                }
                Some((_, Behind::Forgotten)) | None => (At::Start, HostNotice::Reset),
            },
            At::Behind(number) => match log.behind(number) {
                Behind::Entry(entry) => (At::Behind(number + 1), HostNotice::Change(entry)),
                Behind::Nothing => return Poll::Pending,
                Behind::Forgotten => (At::Start, HostNotice::Reset),
            },
        };
        self.at = at;
        Poll::Ready(notice)
    }
}

impl Drop for HostFollower {
    fn drop(&mut self) {
        self.events.leave(self.key);
    }
}
