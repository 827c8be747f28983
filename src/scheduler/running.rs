//! The attempts going on in this process, and how to stop each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::SubmissionId;
use crate::domain::lease::Lease;

/// Attempts by submission. The lock is held for map operations only.
#[derive(Clone, Debug, Default)]
pub struct Running {
    attempts: Arc<Mutex<HashMap<SubmissionId, Entry>>>,
    count: watch::Sender<usize>,
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
    /// Somebody wants the submission cancelled.
    pub cancel: CancellationToken,
    /// The lease is lost: what comes out is of no use.
    pub lost: CancellationToken,
}

impl Stop {
    /// Somebody wants the submission cancelled.
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

/// An attempt on the list; leaves it when dropped.
#[derive(Debug)]
pub struct Registered {
    running: Running,
    lease: Lease,
    /// How it is stopped.
    pub stop: Stop,
}

impl Running {
    /// Puts an attempt on the list.
    pub fn register(&self, lease: Lease) -> Registered {
        let stop = Stop::default();
        let mut attempts = self.lock();
        attempts.insert(lease.submission, Entry { lease: lease.clone(), stop: stop.clone() });
        self.count.send_replace(attempts.len());
        drop(attempts);
        Registered { running: self.clone(), lease, stop }
    }

    /// The leases on the list.
    pub fn leases(&self) -> Vec<Lease> {
        self.lock().values().map(|entry| entry.lease.clone()).collect()
    }

    /// How the attempt under `lease` is stopped, if it's on the list.
    pub fn stop_of(&self, lease: &Lease) -> Option<Stop> {
        self.lock()
            .get(&lease.submission)
            .filter(|entry| entry.lease == *lease)
            .map(|entry| entry.stop.clone())
    }

    /// How the attempt of a submission is stopped, if one is on the list.
    pub fn stop_of_submission(&self, id: SubmissionId) -> Option<Stop> {
        self.lock().get(&id).map(|entry| entry.stop.clone())
    }

    /// Number of attempts.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until no attempt is on the list.
    pub async fn idle(&self) {
        // The sender is on `self`, so the channel is open.
        drop(self.count.subscribe().wait_for(|count| *count == 0).await);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SubmissionId, Entry>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut attempts = self.running.lock();
        // A later attempt of the same submission may have taken the place.
        if attempts.get(&self.lease.submission).is_some_and(|entry| entry.lease == self.lease) {
            attempts.remove(&self.lease.submission);
            self.running.count.send_replace(attempts.len());
        }
    }
}
