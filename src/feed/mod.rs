//! Who is told what: the logs' followers, places in the queue, wake-ups.
//!
//! A follower reads its log from the database, page by page as its reader takes it, so nothing piles up here. What
//! this room keeps in memory is who waits for what: one mailbox per open stream. Commits ring a bell
//! ([`crate::storage::Change`]); a request that waits for nothing but an end reads once, when a round has ended. Once a
//! second one task asks the database which logs changed and rings for their followers: a bell that is
//! lost costs a delay, never an event, and an open stream costs nothing while nothing happens.
//!
//! Invariant: a follower registers its mailbox before it first reads the log.

mod ending;
mod follower;
mod mailboxes;
mod order;
mod places;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::domain::event::{Event, LogPlace};
use crate::domain::ids::{LegacyId, Owner, SubmissionId};
use crate::domain::pace::{Eta, Pace};
use crate::domain::queue::PositionReason;
use crate::shutdown::Tasks;
use crate::storage::{
    self, Change, ChangedLog, ChangedLogs, LogChanges, LogMark, Placed, Storage as _, Store,
};

pub use ending::Waiter;
use ending::Waiters;
pub use follower::Follower;
use mailboxes::{Begun, Mailboxes};

/// Pause between two looks at which logs changed, should a bell be lost.
const POLL: Duration = Duration::from_secs(1);

/// Refusals that a slow listener may fall behind.
const REFUSALS: usize = 256;

/// A draft of an original backend that can't be queued. It has no log: whoever listens now is told, nobody later.
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
    Event(Event),
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
    queue_changed: Notify,
    /// Rung when logs changed, for the case that the bell above was lost.
    queue_may_have_changed: Notify,
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
            queue_changed: Notify::new(),
            queue_may_have_changed: Notify::new(),
            pace,
            refusals,
        };
        let feed = Self { inner: Arc::new(inner) };
        // Until the end: somebody may wait for a run that is going on.
        tasks.start(feed.clone().listen(tasks.hard().clone()));
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

    /// A place among those who are told of the end of a submission's round, from now on.
    pub fn waiter(&self, id: SubmissionId) -> Waiter {
        Waiter::new(self.clone(), id)
    }

    /// Tells whoever listens that a draft can't be queued.
    pub fn refuse_draft(&self, refused: RefusedDraft) {
        // Nobody may be listening.
        drop(self.inner.refusals.send(refused));
    }

    /// Drafts that are refused from now on.
    pub fn refused_drafts(&self) -> broadcast::Receiver<RefusedDraft> {
        self.inner.refusals.subscribe()
    }

    /// Open followers.
    pub fn followers(&self) -> usize {
        self.inner.mailboxes.count()
    }

    async fn listen(self, stop: CancellationToken) {
        let mut changes = self.inner.storage.changes();
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut mark = None;
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                _now = poll.tick() => {
                    mark = self.look(mark).await;
                    continue;
                }
                change = changes.recv() => change,
            };
            match change {
                Ok(Change::Log { submission, owner }) => self.inner.mailboxes.wake(submission, &owner),
                Ok(Change::RoundEnded { submission, owner }) => {
                    self.inner.mailboxes.wake(submission, &owner);
                    self.inner.waiters.wake(submission);
                }
                Ok(Change::Queue) => self.inner.queue_changed.notify_one(),
                Ok(Change::Cancel { .. }) => {}
                Err(RecvError::Lagged(_)) => self.wake_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Rings for the followers of all logs that changed since `mark`; answers how far that was.
    async fn look(&self, mark: Option<LogMark>) -> Option<LogMark> {
        match self.inner.storage.changed_logs(mark).await {
            Ok(LogChanges { logs: ChangedLogs::Any, mark, .. }) => {
                self.wake_all();
                Some(mark)
            }
            Ok(LogChanges { logs: ChangedLogs::These(logs), mark, .. }) => {
                if !logs.is_empty() {
                    self.inner.queue_may_have_changed.notify_one();
                }
                for ChangedLog { submission, owner, .. } in logs {
                    self.inner.mailboxes.wake(submission, &owner);
                    self.inner.waiters.wake(submission);
                }
                Some(mark)
            }
            Err(error) => {
                tracing::warn!(error = %crate::chain::Chain(&error), "it could not be read which logs changed");
                mark
            }
        }
    }

    /// Has the places of these submissions be told, as they are from now on.
    fn tell_places_of(&self, submissions: Vec<SubmissionId>) {
        self.inner.begun.add(submissions);
        self.inner.queue_changed.notify_one();
    }

    fn wake_all(&self) {
        self.inner.mailboxes.wake_all();
        self.inner.waiters.wake_all();
        self.inner.queue_changed.notify_one();
    }
}
