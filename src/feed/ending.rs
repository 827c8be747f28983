//! Waiting for the end of one submission, without reading its log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Feed;
use crate::domain::ids::SubmissionId;
use crate::domain::submission::Submission;
use crate::storage::{self, Placed, RoundEnd, Storage as _};

/// What those who wait for a submission were told last: how it finished, or `None`: that they have to look.
type Outcome = Option<Arc<Submission>>;

/// All who wait, by submission. The lock is never held across an await, and whoever holds it takes no other but those
/// inside a channel.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_submission: Mutex<HashMap<SubmissionId, watch::Sender<Outcome>>>,
}

impl Waiters {
    fn open(&self, id: SubmissionId) -> watch::Receiver<Outcome> {
        self.lock().entry(id).or_default().subscribe()
    }

    /// Forgets a submission that nobody waits for.
    fn close(&self, id: SubmissionId) {
        let mut by_submission = self.lock();
        if by_submission.get(&id).is_some_and(|told| told.receiver_count() == 0) {
            by_submission.remove(&id);
        }
    }

    /// Tells who waits for the submission that its round ended.
    pub(super) fn tell(&self, id: SubmissionId, end: RoundEnd) {
        if let Some(told) = self.lock().get(&id) {
            told.send_replace(end.finished);
        }
    }

    /// Has who waits for the submission look.
    pub(super) fn wake(&self, id: SubmissionId) {
        self.tell(id, RoundEnd { finished: None });
    }

    /// Has everybody look.
    pub(super) fn wake_all(&self) {
        for told in self.lock().values() {
            told.send_replace(None);
        }
    }

    /// Locks; what a panicking holder left is still a valid map.
    fn lock(&self) -> MutexGuard<'_, HashMap<SubmissionId, watch::Sender<Outcome>>> {
        self.by_submission.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who are told of the end of a submission's round, from its making on.
#[derive(Debug)]
pub struct Waiter {
    // Dropped before its place is given up, which counts those that are left.
    told: watch::Receiver<Outcome>,
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
            Some(placed) if !placed.submission.state.is_ended() => self.end_of(placed.submission.round).await,
            ended => Ok(ended),
        }
    }

    /// The same for a submission that was not stored yet when the place was made: it cannot have ended unheard.
    pub async fn ended_since(self) -> storage::Result<Option<Placed>> {
        self.end_of(1).await
    }

    async fn end_of(mut self, mut round: u32) -> storage::Result<Option<Placed>> {
        loop {
            // The other end lives in the feed, as long as somebody waits.
            let heard = self.told.changed().await.map(|()| self.told.borrow_and_update().clone());
            if let Some(finished) = heard.ok().flatten().filter(|finished| ends(finished, round)) {
                // It is not copied if nobody else has it.
                drop(self);
                return Ok(Some(Placed { submission: Arc::unwrap_or_clone(finished), position: None }));
            }
            match self.look().await? {
                Some(placed) if !placed.submission.state.is_ended() => round = placed.submission.round,
                ended => return Ok(ended),
            }
        }
    }

    async fn look(&self) -> storage::Result<Option<Placed>> {
        self.registration.feed.inner.storage.submission(self.registration.id).await
    }
}

/// Whether that is the end of `round`: the one of an earlier round may still have been on its way.
fn ends(finished: &Submission, round: u32) -> bool {
    finished.round >= round
}

#[cfg(test)]
mod tests {
    use super::{Waiters, ends};
    use crate::domain::ids::SubmissionId;
    use crate::domain::metadata::Metadata;
    use crate::domain::queue::Priority;
    use crate::domain::submission::{Ended, Purpose, RunInput, State, Submission};
    use crate::domain::time::Timestamp;

    fn finished_in(round: u32) -> Submission {
        let now = Timestamp::from_millis(0);
        Submission {
            id: SubmissionId::generate(),
            owner: "alice".parse().unwrap(),
            legacy: None,
            purpose: Purpose::Run { input: RunInput::default(), exercise: None },
            runtime: "python".parse().unwrap(),
            priority: Priority::Normal,
            metadata: Metadata::default(),
            created_at: now,
            round,
            state: State::Finished(Ended { attempt: 1, started_at: Some(now), finished_at: now }),
            result: None,
            failure: None,
            files: None,
        }
    }

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

    #[test]
    fn the_end_of_an_earlier_round_is_not_the_one_that_is_waited_for() {
        assert!(!ends(&finished_in(1), 2));
        assert!(ends(&finished_in(2), 2));
    }
}
