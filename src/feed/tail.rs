//! The one reader of what is new in all logs, for all who follow one, or a place, or wait for an end.
//!
//! It reads what was committed behind a mark when a hint came, and once a second besides: a hint that is lost costs a delay,
//! never an event. What this process and others commit is read alike, in the order of commits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::mailboxes::{Mailbox, ring};
use super::places::Places;
use super::{Feed, LogEntry};
use crate::chain::Chain;
use crate::domain::ids::SubmissionId;
use crate::domain::pace::Pace;
use crate::shutdown::Tasks;
use crate::storage::{self, ChangedLog, ChangedLogs, EventPlace, LogChanges, LogMark, Storage as _};

/// Pause between two looks at what is new, should a hint be lost, or while nothing is followed.
const POLL: Duration = Duration::from_secs(1);
/// Pause between two readings that hints ask for.
const PAUSE: Duration = Duration::from_millis(5);
/// Pause after a reading that failed.
const FAULT: Duration = Duration::from_millis(200);
/// Entries that are read at one time: an ending event carries a whole result. Followers come to take them before more are
/// handed out.
const PAGE: usize = 16;

/// Why it looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something was committed, or a follower begins.
    Hint,
    /// It was time.
    Poll,
    /// The pace changed, or places are due that were held back.
    Places,
    /// Streams are to end; what was committed before is told before.
    Stop,
}

/// Reads what is new and tells it, until the hard stop. At the soft one it has the streams end once they were handed what
/// had been committed.
pub(super) async fn run(feed: Feed, tasks: Tasks) {
    let mut pace = feed.inner.pace.clone();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = feed.inner.ending.clone();
    // A hard stop right behind the soft one may be seen first; what waits for the end of the streams ends all the same.
    let _ends_them = ending.clone().drop_guard();
    let mut tail = Tail { feed, mark: None, places: Places::default() };
    loop {
        let due = tail.places.due();
        let cause = tokio::select! {
            () = tasks.hard().cancelled() => return,
            () = tasks.soft().cancelled(), if !ending.is_cancelled() => Cause::Stop,
            () = tail.feed.inner.committed.notified() => Cause::Hint,
            _now = poll.tick() => Cause::Poll,
            // Who observes the pace ends before those who wait for the last runs.
            Ok(()) = pace.changed() => Cause::Places,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Cause::Places,
        };
        let current = pace.borrow_and_update().clone();
        let pause = tail.look(cause, &current).await;
        if cause == Cause::Stop {
            ending.cancel();
        }
        if let Some(pause) = pause {
            tokio::select! {
                () = tasks.hard().cancelled() => return,
                () = tasks.soft().cancelled(), if !ending.is_cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

struct Tail {
    feed: Feed,
    /// How far the logs were read.
    mark: Option<LogMark>,
    places: Places,
}

impl Tail {
    /// Reads what is new if it may have to be told, and tells it; answers for how long to pause.
    async fn look(&mut self, cause: Cause, pace: &Pace) -> Option<Duration> {
        if self.feed.inner.mailboxes.is_empty() {
            self.places.follow_none();
            if cause != Cause::Poll {
                return None;
            }
        }
        if cause != Cause::Places
            && let Err(error) = self.read(cause).await
        {
            tracing::warn!(error = %Chain(&error), "it could not be read what is new in the logs");
            self.feed.inner.committed.notify_one();
            return Some(FAULT);
        }
        self.places.tell(&self.feed, pace).await;
        (cause == Cause::Hint).then_some(PAUSE)
    }

    /// Has the followers of drafts read that are not there any more: no event tells it.
    async fn look_for_drafts(&self) -> storage::Result<()> {
        let drafts = self.feed.inner.mailboxes.drafts();
        if drafts.is_empty() {
            return Ok(());
        }
        for gone in self.feed.inner.storage.missing(drafts).await? {
            self.feed.inner.mailboxes.have_followers_read(gone);
        }
        Ok(())
    }

    /// Reads what is new. What followers that have just begun wait for was committed before.
    ///
    /// # Errors
    /// The same is read the next time; what was handed out already is known by its number.
    async fn read(&mut self, cause: Cause) -> storage::Result<()> {
        if cause == Cause::Poll {
            self.look_for_drafts().await?;
        }
        let begun = self.feed.inner.begun.take();
        let read = self.read_logs().await;
        if read.is_err() {
            self.feed.inner.begun.add(begun);
            return read;
        }
        self.places.follow(begun);
        Ok(())
    }

    async fn read_logs(&mut self) -> storage::Result<()> {
        let LogChanges { logs, queued, mark } = self.feed.inner.storage.changed_logs(self.mark).await?;
        let are_known = match logs {
            ChangedLogs::These(logs) => {
                self.take(logs).await?;
                self.places.count() == queued
            }
            ChangedLogs::Any => {
                self.feed.inner.waiters.wake_all();
                if self.mark.is_some() {
                    self.feed.have_all_read();
                }
                false
            }
        };
        if !are_known {
            let queue = self.feed.inner.storage.queue().await?;
            self.places.set_all(queue, &self.feed.inner.mailboxes).await;
        }
        self.mark = Some(mark);
        Ok(())
    }

    /// Takes over where submissions stand, and hands new entries to those who follow.
    async fn take(&mut self, logs: Vec<ChangedLog>) -> storage::Result<()> {
        let mailboxes = &self.feed.inner.mailboxes;
        let (mut wanted, mut ended) = (Vec::new(), HashMap::new());
        for log in logs {
            if log.is_ended {
                self.feed.inner.waiters.wake(log.submission);
                ended.insert(log.submission, log.newest);
            }
            let is_followed = mailboxes.follows(log.submission, &log.owner);
            if is_followed {
                wanted.extend(log.events);
            }
            self.places.set(log.submission, log.queued, is_followed);
        }
        wanted.sort_unstable();
        for page in wanted.chunks(PAGE) {
            ring(self.deliver(page, &ended).await?).await;
        }
        Ok(())
    }

    /// Hands entries to those who follow; answers for whom to ring.
    async fn deliver(
        &self,
        page: &[EventPlace],
        ended: &HashMap<SubmissionId, i64>,
    ) -> storage::Result<Vec<Arc<Mailbox>>> {
        let mut bells = Vec::new();
        for event in self.feed.inner.storage.events_at(page.to_vec()).await? {
            let ends_log = ended.get(&event.submission) == Some(&event.seq);
            self.feed.inner.mailboxes.deliver(&Arc::new(LogEntry::new(event, ends_log)), &mut bells);
        }
        Ok(bells)
    }
}
