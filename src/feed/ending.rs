//! Waiting for the end of one submission, without reading its log.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Feed;
use crate::domain::ids::SubmissionId;
use crate::storage::{self, Placed, Storage as _};

/// All who wait, by submission. The lock is never held across an await, and its holder takes no other but those
/// inside a channel.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_submission: Mutex<HashMap<SubmissionId, watch::Sender<()>>>,
}

impl Waiters {
    fn open(&self, id: SubmissionId) -> watch::Receiver<()> {
        self.lock().entry(id).or_default().subscribe()
    }

    /// Forgets a submission that nobody waits for.
    fn close(&self, id: SubmissionId) {
        let mut by_submission = self.lock();
        if by_submission.get(&id).is_some_and(|told| told.receiver_count() == 0) {
            by_submission.remove(&id);
        }
    }

    /// Has who waits for the submission look.
    pub(super) fn wake(&self, id: SubmissionId) {
        if let Some(told) = self.lock().get(&id) {
            told.send_replace(());
        }
    }

    /// Has all who wait look.
    pub(super) fn wake_all(&self) {
        for told in self.lock().values() {
            told.send_replace(());
        }
    }

    /// Locks; what a panicking holder left is still a valid map.
    fn lock(&self) -> MutexGuard<'_, HashMap<SubmissionId, watch::Sender<()>>> {
        self.by_submission.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who are told of the end of a submission's round, from its making on.
#[derive(Debug)]
pub struct Waiter {
    // Dropped before its place is given up, which counts those that are left.
    told: watch::Receiver<()>,
    registration: Registration,
}

#[derive(Debug)]
struct Registration {
    feed: Feed,
    id: SubmissionId,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.feed.inner.waiters.close(self.id);
    }
}

impl Waiter {
    pub(super) fn new(feed: Feed, id: SubmissionId) -> Self {
        let told = feed.inner.waiters.open(id);
        Self { told, registration: Registration { feed, id } }
    }

    /// Whose end it is.
    pub const fn submission(&self) -> SubmissionId {
        self.registration.id
    }

    /// Waits until the round has ended; the submission then, or `None` if there is none.
    pub async fn ended(self) -> storage::Result<Option<Placed>> {
        match self.look().await? {
            Some(placed) if !placed.submission.state.is_ended() => self.ended_since().await,
            ended => Ok(ended),
        }
    }

    /// The same for a submission that was not stored yet when the place was made: it cannot have ended unheard.
    pub async fn ended_since(mut self) -> storage::Result<Option<Placed>> {
        loop {
            // An error can't be: the other end lives in the feed as long as there is a place for this submission.
            if self.told.changed().await.is_err() {
                return self.look().await;
            }
            match self.look().await? {
                Some(placed) if !placed.submission.state.is_ended() => {}
                ended => return Ok(ended),
            }
        }
    }

    async fn look(&self) -> storage::Result<Option<Placed>> {
        self.registration.feed.inner.storage.submission(self.registration.id).await
    }
}

#[cfg(test)]
mod tests {
    use super::Waiters;
    use crate::domain::ids::SubmissionId;

    #[test]
    fn nothing_is_kept_of_a_submission_that_nobody_waits_for_any_more() {
        let (waiters, id) = (Waiters::default(), SubmissionId::generate());
        let (first, second) = (waiters.open(id), waiters.open(id));

        drop(first);
        waiters.close(id);
        assert_eq!(waiters.lock().len(), 1);
        drop(second);
        waiters.close(id);
        assert_eq!(waiters.lock().len(), 0);
    }
}
