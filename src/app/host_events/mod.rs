//! The Docker hosts and the queue, as operators follow them: each change once, for all who follow.
//!
//! While a stream is open, one task (`watch`) looks at hosts and queue when either says that it has changed, and at most
//! every 220 ms; what differs from the look before goes into a log in memory, which followers read. While none is open,
//! nothing is looked at. The ids of the log name the epoch of the process: no follower
//! goes on from what another process told.

mod follower;
mod log;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::hosts::HostView;
use super::queue::QueueView;
use super::{App, Caller, Error, hosts};
use crate::domain::event::LogPlace;
use crate::domain::host::HostName;
use crate::feed::{Bell, Resume};
pub use follower::HostFollower;
use log::Log;

/// Pause between two looks: a follower is told of one kind for one host at most five times a second.
const PAUSE: Duration = Duration::from_millis(220);

/// What became different.
#[derive(Clone, Debug, PartialEq)]
pub enum HostChange {
    /// A host is new, or is not as it was.
    Changed(Box<HostView>),
    /// A host is no more.
    Removed(HostName),
    /// The queue is not as it was.
    Queue(QueueView),
}

/// A change on its way to all who follow.
#[derive(Debug)]
pub struct HostEntry {
    /// The place behind it in the log.
    pub place: LogPlace,
    /// What became different.
    pub change: HostChange,
    /// All readers see the same.
    lines: OnceLock<Bytes>,
}

impl HostEntry {
    const fn new(place: LogPlace, change: HostChange) -> Self {
        Self { place, change, lines: OnceLock::new() }
    }

    /// What readers are sent; made for the first of them.
    pub fn lines<E>(&self, make: impl FnOnce(&Self) -> Result<Bytes, E>) -> Result<Bytes, E> {
        if let Some(lines) = self.lines.get() {
            return Ok(lines.clone());
        }
        let lines = make(self)?;
        Ok(self.lines.get_or_init(|| lines).clone())
    }
}

/// What a follower is told.
#[derive(Clone, Debug)]
pub enum HostNotice {
    /// It cannot be gone on from the place asked for, or too much has been missed: what follows begins anew.
    Reset,
    /// All hosts, in the order of the settings, and the queue.
    Snapshot {
        /// The hosts.
        hosts: Vec<HostView>,
        /// The queue.
        queue: QueueView,
        /// The place from which changes follow.
        end: LogPlace,
    },
    /// A change.
    Change(Arc<HostEntry>),
}

/// What is told of the hosts, and who follows it; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct HostEvents {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Held for looks into memory only.
    shared: Mutex<Shared>,
    /// How many follow.
    followers: Sender<usize>,
}

#[derive(Debug)]
struct Shared {
    log: Log,
    bells: BTreeMap<u64, Bell>,
    opened: u64,
}

impl Default for HostEvents {
    fn default() -> Self {
        let shared = Shared { log: Log::default(), bells: BTreeMap::new(), opened: 0 };
        Self { inner: Arc::new(Inner { shared: Mutex::new(shared), followers: Sender::new(0) }) }
    }
}

impl HostEvents {
    fn follow(&self, from: Resume) -> HostFollower {
        let bell = Bell::default();
        let mut shared = self.lock();
        shared.opened += 1;
        let key = shared.opened;
        shared.bells.insert(key, bell.clone());
        self.inner.followers.send_replace(shared.bells.len());
        drop(shared);
        HostFollower::new(self.clone(), key, bell, from)
    }

    fn leave(&self, key: u64) {
        let mut shared = self.lock();
        shared.bells.remove(&key);
        self.inner.followers.send_replace(shared.bells.len());
    }

    fn followers(&self) -> Receiver<usize> {
        self.inner.followers.subscribe()
    }

    /// Takes in how hosts and queue are now.
    ///
    /// * `queue` — `None` if it cannot be told now: it is taken to be as it was.
    fn note(&self, hosts: Vec<HostView>, queue: Option<QueueView>) {
        let mut shared = self.lock();
        if shared.log.note(hosts, queue) {
            shared.bells.values().for_each(Bell::ring);
        }
    }

    /// From now on nothing is looked at.
    fn rest(&self) {
        self.lock().log.rest();
    }

    /// Locks; what a panicking holder left is still a valid log.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.inner.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Follows the Docker hosts and the queue; it never ends by itself.
    ///
    /// * `from` — behind this place; at the start, or where it cannot be gone on from there, with all that there is.
    pub fn follow_hosts(&self, caller: &Caller, from: Resume) -> Result<HostFollower, Error> {
        hosts::administers(caller)?;
        Ok(self.host_events.follow(from))
    }

    /// Whether hosts and queue are looked at now, for followers.
    pub fn looks_at_hosts(&self) -> bool {
        self.host_events.lock().log.current().is_some()
    }

    /// Looks at hosts and queue for those who follow them, until `stop`.
    pub async fn watch_hosts(self, stop: CancellationToken) {
        tokio::select! {
            () = watch::run(&self) => {}
            () = stop.cancelled() => {}
        }
    }
}
