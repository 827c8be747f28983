//! Who is told what: the logs' followers, places in the queue, wake-ups.
//!
//! A follower reads its log from the database, page by page as its reader takes it, so nothing piles up here. What
//! this room keeps in memory is who waits for what: one slot per open stream. Commits only ring a bell
//! ([`crate::storage::Change`]); a bell that is lost costs a delay until the next poll, never an event.
//!
//! Invariant: a follower registers its slot before it first reads the log.

mod ending;
mod follower;
mod places;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, watch};

use crate::domain::event::Event;
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::pace::{Eta, Pace};
use crate::domain::queue::PositionReason;
use crate::shutdown::Tasks;
use crate::storage::{self, Change, Placed, Storage as _, Store};

pub use follower::Follower;
use slots::Slots;

/// Pause between two rounds of pushed places.
const COALESCE: Duration = Duration::from_millis(200);
/// Longest time between two looks at the database, should a bell be lost.
const POLL: Duration = Duration::from_secs(2);

/// Where a follower wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// At the start of the log.
    Start,
    /// Behind the event with this number.
    After(i64),
    /// At a place that cannot be read: the follower is told to start anew.
    Unreadable,
}

/// What a wish to follow comes to.
#[derive(Debug)]
pub enum Follow {
    /// There may be something to tell.
    Live(Follower),
    /// The log ended at the place asked for; nothing will come.
    Ended,
}

/// What a follower is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An entry of the log.
    Event(Event),
    /// A place in the queue as it is now: a view, not a fact.
    Position(Position),
    /// The log can't be continued from the asked place; what follows starts anew.
    Reset,
    /// The owner's unfinished submissions.
    Snapshot {
        /// Queued and running ones.
        items: Vec<Placed>,
        /// Where the owner's log stood at that moment.
        owner_seq: i64,
    },
}

/// A submission's place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which submission.
    pub submission: SubmissionId,
    /// Its round.
    pub round: u32,
    /// Attempts lost so far.
    pub attempt: u32,
    /// Its place, 1 = next.
    pub position: u64,
    /// When it may start.
    pub eta: Option<Eta>,
    /// Why it changed.
    pub reason: PositionReason,
}

/// The room's handle.
#[derive(Clone, Debug)]
pub struct Feed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Store,
    slots: Slots,
    queue_changed: Notify,
    pace: watch::Receiver<Pace>,
}

impl Feed {
    /// Starts to listen for commits and to push places.
    pub fn start(storage: Store, pace: watch::Receiver<Pace>, tasks: &Tasks) -> Self {
        let inner = Inner { storage, slots: Slots::default(), queue_changed: Notify::new(), pace };
        let feed = Self { inner: Arc::new(inner) };
        tasks.start(feed.clone().listen(tasks.soft().clone()));
        tasks.start(places::push(feed.clone(), tasks.soft().clone()));
        feed
    }

    /// Follows one submission's log.
    pub async fn follow(&self, id: SubmissionId, from: Resume) -> storage::Result<Follow> {
        Follower::of_submission(self.clone(), id, from).await
    }

    /// Follows the log of all submissions of an owner; it never ends by itself.
    pub fn follow_owner(&self, owner: &Owner, from: Resume) -> Follower {
        Follower::of_owner(self.clone(), owner.clone(), from)
    }

    /// Waits for the end of a submission's round going on; the submission then, or `None` if there is none.
    pub async fn ended(&self, id: SubmissionId) -> storage::Result<Option<Placed>> {
        ending::wait(self.clone(), id).await
    }

    /// Open followers.
    pub fn followers(&self) -> usize {
        self.inner.slots.count()
    }

    async fn listen(self, stop: tokio_util::sync::CancellationToken) {
        let mut changes = self.inner.storage.changes();
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(Change::Log { submission, owner }) => self.inner.slots.wake(submission, &owner),
                Ok(Change::Queue) => self.inner.queue_changed.notify_one(),
                Ok(Change::Cancel { .. }) => {}
                Err(RecvError::Lagged(_)) => {
                    self.inner.slots.wake_all();
                    self.inner.queue_changed.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }
}
