//! First a free slot, then the lease: what can't run is never leased.
//!
//! While a slot is free and nothing is queued, a hint or the poll has the queue looked at again.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{LEASE, RETRY, Scheduler};
use crate::domain::ids::RuntimeId;
use crate::storage::{self, Change, Leased, Storage as _};

/// Pause between two looks at the queue while a slot is free, should a hint be lost; no hint tells that what rested after
/// losses may be leased again.
const POLL: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Leases and starts work while slots are free, until the soft stop.
    pub(super) async fn dispatch(self) {
        let stop = self.inner.tasks.soft().clone();
        let mut free = self.inner.pool.free();
        let mut changes = self.inner.storage.changes();
        loop {
            // The stop is asked for afterwards: a stop that then sees nothing run has seen the last lease.
            let leasing = self.inner.running.leasing();
            if stop.is_cancelled() || free.has_changed().is_err() {
                return;
            }
            let runtimes: Vec<RuntimeId> = free.borrow_and_update().runtimes.iter().cloned().collect();
            if runtimes.is_empty() {
                drop(leasing);
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = free.changed() => if changed.is_err() { return },
                }
                continue;
            }
            // All that was told until now is committed and will be seen.
            changes = changes.resubscribe();
            match self.lease(&runtimes).await {
                Ok(Some(leased)) => self.start_attempt(leased).await,
                Ok(None) => {
                    drop(leasing);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        // This fails when the pool has ended, which is seen above.
                        _others = free.changed() => {}
                        () = queue_changed(&mut changes) => {}
                        () = tokio::time::sleep(POLL) => {}
                    }
                }
                Err(error) => {
                    drop(leasing);
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be leased");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Leases the first that waits for one of `runtimes`.
    async fn lease(&self, runtimes: &[RuntimeId]) -> storage::Result<Option<Leased>> {
        let now = self.inner.clock.now();
        self.inner.storage.lease_next(&self.inner.worker, runtimes, now, now.plus(LEASE)).await
    }

    /// Reserves a container for a leased submission and starts its attempt.
    async fn start_attempt(&self, leased: Leased) {
        metrics::counter!("guichet_leases_total").increment(1);
        let registered = self.inner.running.register(leased.work.lease.clone());
        let runtime = &leased.work.submission.runtime;
        let reservation = self.inner.pool.reserve(runtime, leased.work.isolation()).await;
        self.inner.tasks.start(self.clone().attempt(leased, registered, reservation));
    }
}

/// Waits until it is told that the queue changed, or something that was told was missed.
async fn queue_changed(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Queue) | Err(RecvError::Lagged(_)) => return,
            Ok(
                Change::Log { .. }
                | Change::RoundEnded { .. }
                | Change::Deleted { .. }
                | Change::Cancel { .. },
            ) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
