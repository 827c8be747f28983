//! The attempts going on in this process, and how to stop each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::SubmissionId;
use crate::domain::lease::Lease;

/// Wishes that are kept for attempts that are not on the list yet.
const MAX_EARLY_WISHES: usize = 1024;

/// Attempts by submission. The lock is held for map operations only.
#[derive(Clone, Debug, Default)]
pub struct Running {
    attempts: Arc<Mutex<Attempts>>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Attempts {
    listed: HashMap<SubmissionId, Entry>,
    /// Rounds to be cancelled whose attempt was leased, but came to the list after the wish.
    early_wishes: HashSet<(SubmissionId, u32)>,
    /// Leases that are being taken.
    leasing: usize,
}

impl Attempts {
    fn count(&self) -> usize {
        self.listed.len() + self.leasing
    }
}

#[derive(Clone, Debug)]
struct Entry {
    lease: Lease,
    stop: Stop,
}

/// Why an attempt is to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Stops its commands; cancelled with either of the others.
    pub abort: CancellationToken,
    /// The submission is to be cancelled.
    pub cancel: CancellationToken,
    /// The lease is lost: what comes out is of no use.
    pub lost: CancellationToken,
}

impl Stop {
    /// The submission is to be cancelled.
    pub fn cancel(&self) {
        self.cancel.cancel();
        self.abort.cancel();
    }

    /// The lease is lost.
    pub fn lose(&self) {
        self.lost.cancel();
        self.abort.cancel();
    }
}

/// A lease that is being taken: until this is dropped, an attempt may come to the list.
#[derive(Debug)]
pub struct Leasing {
    running: Running,
}

/// An attempt on the list; leaves it when dropped.
#[derive(Debug)]
pub struct Registered {
    running: Running,
    lease: Lease,
    /// How it is stopped.
    pub stop: Stop,
}

impl Running {
    /// Says that a lease is about to be taken. A caller that may not take any after a stop asks for the stop after this.
    pub fn leasing(&self) -> Leasing {
        let mut attempts = self.lock();
        attempts.leasing += 1;
        self.count.send_replace(attempts.count());
        drop(attempts);
        Leasing { running: self.clone() }
    }

    /// Puts an attempt on the list.
    pub fn register(&self, lease: Lease) -> Registered {
        let stop = Stop::default();
        let mut attempts = self.lock();
        let entry = Entry { lease: lease.clone(), stop: stop.clone() };
        if let Some(earlier) = attempts.listed.insert(lease.submission, entry) {
            earlier.stop.lose();
        }
        self.count.send_replace(attempts.count());
        if attempts.early_wishes.remove(&(lease.submission, lease.round)) {
            stop.cancel();
        }
        drop(attempts);
        Registered { running: self.clone(), lease, stop }
    }

    /// The leases on the list.
    pub fn leases(&self) -> Vec<Lease> {
        self.lock().listed.values().map(|entry| entry.lease.clone()).collect()
    }

    /// How the attempt under `lease` is stopped, if it's on the list.
    pub fn stop_of(&self, lease: &Lease) -> Option<Stop> {
        self.lock()
            .listed
            .get(&lease.submission)
            .filter(|entry| entry.lease == *lease)
            .map(|entry| entry.stop.clone())
    }

    /// Stops the attempt of a round that is to be cancelled, also if it comes to the list only later.
    pub fn cancel(&self, id: SubmissionId, round: u32) {
        let mut attempts = self.lock();
        match attempts.listed.get(&id).filter(|entry| entry.lease.round == round) {
            Some(entry) => entry.stop.cancel(),
            None => {
                // Most have ended or are attempts of other instances; a wish that is forgotten is heard at the
                // next renewal.
                if attempts.early_wishes.len() >= MAX_EARLY_WISHES {
                    attempts.early_wishes.clear();
                }
                attempts.early_wishes.insert((id, round));
            }
        }
    }

    /// Number of attempts.
    pub fn count(&self) -> usize {
        self.lock().listed.len()
    }

    /// Waits until no attempt is on the list and no lease is being taken.
    pub async fn idle(&self) {
        // The sender is on `self`, so the channel is open.
        drop(self.count.subscribe().wait_for(|count| *count == 0).await);
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leasing {
    fn drop(&mut self) {
        let mut attempts = self.running.lock();
        attempts.leasing = attempts.leasing.saturating_sub(1);
        self.running.count.send_replace(attempts.count());
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut attempts = self.running.lock();
        // A later attempt of the same submission may have taken the place.
        if attempts.listed.get(&self.lease.submission).is_some_and(|entry| entry.lease == self.lease) {
            attempts.listed.remove(&self.lease.submission);
            self.running.count.send_replace(attempts.count());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::Running;
    use crate::domain::ids::SubmissionId;
    use crate::domain::lease::Lease;

    fn lease(attempt: u32) -> Lease {
        let submission = SubmissionId::from_uuid(uuid::Uuid::nil());
        Lease { submission, round: 1, attempt, worker: "w".parse().unwrap() }
    }

    #[test]
    fn a_wish_that_came_after_the_end_is_not_for_the_next_round() {
        let running = Running::default();
        running.cancel(lease(1).submission, 1);

        let next = running.register(Lease { round: 2, ..lease(1) });

        assert!(!next.stop.cancel.is_cancelled());
    }

    #[test]
    fn a_wish_that_comes_before_its_attempt_is_not_lost() {
        let running = Running::default();
        running.cancel(lease(1).submission, 1);

        let registered = running.register(lease(1));

        assert!(registered.stop.cancel.is_cancelled());
    }

    #[test]
    fn an_attempt_that_ends_late_leaves_its_successor_on_the_list() {
        let running = Running::default();
        let earlier = running.register(lease(1));
        let later = running.register(lease(2));
        assert!(earlier.stop.lost.is_cancelled());

        drop(earlier);

        assert_eq!(running.leases(), [lease(2)]);
        drop(later);
        assert_eq!(running.count(), 0);
    }

    #[test]
    fn while_a_lease_is_being_taken_it_is_not_idle() {
        let running = Running::default();

        let leasing = running.leasing();
        assert_eq!(running.idle().now_or_never(), None);
        let registered = running.register(lease(1));
        drop(leasing);
        assert_eq!(running.idle().now_or_never(), None);

        drop(registered);
        assert_eq!(running.idle().now_or_never(), Some(()));
    }
}
