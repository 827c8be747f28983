//! Who is told what: the logs' followers, places in the queue, wake-ups.
//!
//! A follower reads its log from the database until it has caught up. What comes then, one task reads for all of them
//! (`tail`) and puts into their mailboxes, one for each open stream: an entry is shared by all who follow its log, and a
//! stream that takes nothing keeps a few of them waiting and catches up again. Commits give a hint
//! ([`crate::storage::Change`]); a request that waits for nothing but an end reads once, when a round has ended. Once a second
//! the tail reads without a hint: one that is lost costs a delay, never an event, and an open stream costs nothing while
//! nothing happens.
//!
//! Invariant: a follower's mailbox is open before it first reads the log.

mod begun;
mod bell;
mod ending;
mod entry;
mod follower;
mod mailboxes;
mod order;
mod places;
mod reading;
mod tail;

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::domain::event::LogPlace;
use crate::domain::ids::{LegacyId, Owner, SubmissionId};
use crate::domain::pace::{Eta, Pace};
use crate::domain::queue::PositionReason;
use crate::shutdown::Tasks;
use crate::storage::{self, Change, Placed, Storage as _, Store};

use begun::Begun;
pub use bell::Bell;
pub use ending::Waiter;
use ending::Waiters;
pub use entry::LogEntry;
pub use follower::Follower;
use mailboxes::{Crowd, Mailboxes};

/// Followers that read their logs again at the same time: there may be thousands, and requests read, too.
const READERS: usize = 2;

/// Refusals that a slow listener may fall behind.
const REFUSALS: usize = 256;

/// A draft of an original backend that can't be queued. It has no log: those who listen now are told, and it is not told
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDraft {
    /// Whose it is.
    pub owner: Owner,
    /// Its id at the backend.
    pub legacy_id: LegacyId,
}

/// Where a follower wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// At the start of the log.
    Start,
    /// From there on.
    After(LogPlace),
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
    Event(Arc<LogEntry>),
    /// A place in the queue as it is now: a view, not a fact.
    Position(Position),
    /// The log can't be continued from the asked place; what follows starts anew.
    Reset,
    /// The owner's unfinished submissions.
    Snapshot {
        /// Queued and running ones.
        items: Vec<Placed>,
        /// Where the owner's log ended at that moment.
        end: LogPlace,
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
    /// Open streams.
    mailboxes: Mailboxes,
    /// Those who wait for an end only.
    waiters: Waiters,
    /// Submissions of followers that have just begun: their places are to be told.
    begun: Begun,
    /// Those who are told a place, to be rung for.
    crowd: Crowd,
    /// Rung when something was committed.
    committed: Notify,
    /// Cancelled when streams are to end.
    ending: CancellationToken,
    /// Followers that read their logs again at the same time.
    readers: Semaphore,
    pace: watch::Receiver<Pace>,
    refusals: broadcast::Sender<RefusedDraft>,
}

impl Feed {
    /// Starts to listen for commits and to push places.
    pub fn start(storage: Store, pace: watch::Receiver<Pace>, tasks: &Tasks) -> Self {
        let (mailboxes, waiters) = (Mailboxes::default(), Waiters::default());
        let (refusals, _) = broadcast::channel(REFUSALS);
        let inner = Inner {
            storage,
            mailboxes,
            waiters,
            begun: Begun::default(),
            crowd: Crowd::default(),
            committed: Notify::new(),
            ending: CancellationToken::new(),
            readers: Semaphore::new(READERS),
            pace,
            refusals,
        };
        let feed = Self { inner: Arc::new(inner) };
        // Until the end: a client may wait for a run that is going on.
        tasks.start(feed.clone().listen(tasks.hard().clone()));
        tasks.start(tail::run(feed.clone(), tasks.clone()));
        let (ringing, stop) = (feed.clone(), tasks.hard().clone());
        tasks.start(async move { ringing.inner.crowd.run(stop).await });
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

    /// A place among those who are told of the end of a submission's round, from now on.
    pub fn waiter(&self, id: SubmissionId) -> Waiter {
        Waiter::new(self.clone(), id)
    }

    /// Tells those who listen that a draft can't be queued.
    pub fn refuse_draft(&self, refused: RefusedDraft) {
        // There may be no listener.
        drop(self.inner.refusals.send(refused));
    }

    /// Drafts that are refused from now on.
    pub fn refused_drafts(&self) -> broadcast::Receiver<RefusedDraft> {
        self.inner.refusals.subscribe()
    }

    /// Cancelled after the soft stop, once followers have been handed what was committed before: streams end then.
    pub fn ending(&self) -> &CancellationToken {
        &self.inner.ending
    }

    /// Open followers.
    pub fn followers(&self) -> usize {
        self.inner.mailboxes.count()
    }

    /// Rings when something was committed, and tells ends to those who wait for one.
    async fn listen(self, stop: CancellationToken) {
        let mut changes = self.inner.storage.changes();
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(Change::Log { .. }) => self.inner.committed.notify_one(),
                Ok(Change::RoundEnded { submission, .. }) => {
                    self.inner.waiters.wake(submission);
                    self.inner.committed.notify_one();
                }
                Ok(Change::Deleted { submission, owner }) => {
                    self.inner.mailboxes.have_read(submission, &owner);
                    self.inner.waiters.wake(submission);
                }
                Ok(Change::Queued | Change::Unqueued | Change::Cancel { .. }) => {}
                Err(RecvError::Lagged(_)) => {
                    self.inner.waiters.wake_all();
                    // A draft may have been deleted, which no event tells.
                    self.have_all_read();
                    self.inner.committed.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Has all followers read their logs, a few at a time.
    fn have_all_read(&self) {
        let mut bells = Vec::new();
        self.inner.mailboxes.have_all_read(&mut bells);
        self.inner.crowd.add(bells);
    }

    /// Has the places of these submissions be told, as they are from now on.
    fn tell_places_of(&self, submissions: Vec<SubmissionId>) {
        if !submissions.is_empty() {
            self.inner.begun.add(submissions);
            self.inner.committed.notify_one();
        }
    }
}
