//! First a free slot, then the lease: what can't run is never leased.
//!
//! While nothing is queued for what is free, a hint or the poll has the queue looked at again.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::{LEASE, RETRY, Scheduler};
use crate::storage::{self, Change, Leased, Runnable, Storage as _};

/// Pause between two looks at the queue while a slot is free, should a hint be lost; no hint tells that what rested after
/// losses may be leased again.
const POLL: Duration = Duration::from_secs(1);

impl Scheduler {
    /// Leases and starts work while slots are free, until the soft stop.
    pub(super) async fn dispatch(self) {
        let stop = self.inner.tasks.soft().clone();
        let mut free = self.inner.pool.free();
        let mut changes = self.inner.storage.changes();
        // Nothing was queued for these when they were asked for, until something is, or it is time to look.
        let (mut in_vain, mut look_again) = (BTreeSet::new(), Instant::now());
        loop {
            // The stop is asked for afterwards: a stop that then sees nothing run has seen the last lease.
            let leasing = self.inner.running.leasing();
            if stop.is_cancelled() || free.has_changed().is_err() {
                return;
            }
            let (runtimes, pairs) = {
                let free = free.borrow_and_update();
                (free.runtimes.clone(), free.pairs.clone())
            };
            if runtimes.is_subset(&in_vain) {
                drop(leasing);
                let may_wait = !in_vain.is_empty();
                tokio::select! {
                    () = stop.cancelled() => return,
                    // This fails when the pool has ended, which is seen above.
                    _others = free.changed() => {}
                    () = something_queued(&mut changes), if may_wait => in_vain.clear(),
                    () = sleep_until(look_again), if may_wait => in_vain.clear(),
                }
                continue;
            }
            // All that was told until now is committed and will be seen, whichever runtime it was for.
            changes = changes.resubscribe();
            in_vain.clear();
            let runnable = runtimes.iter().map(|runtime| Runnable {
                runtime: runtime.clone(),
                companions: pairs.companions_of(runtime).cloned().collect(),
            });
            match self.lease(&runnable.collect::<Vec<_>>()).await {
                Ok(Some(leased)) => self.start_attempt(leased).await,
                Ok(None) => (in_vain, look_again) = (runtimes, Instant::now() + POLL),
                Err(error) => {
                    drop(leasing);
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be leased");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Leases the first that waits for what can run.
    async fn lease(&self, runnable: &[Runnable]) -> storage::Result<Option<Leased>> {
        let now = self.inner.clock.now();
        self.inner.storage.lease_next(&self.inner.worker, runnable, now, now.plus(LEASE)).await
    }

    /// Reserves a container for a leased submission and starts its attempt.
    async fn start_attempt(&self, leased: Leased) {
        crate::failpoint!("leased");
        metrics::counter!("guichet_leases_total").increment(1);
        let registered = self.inner.running.register(leased.work.lease.clone());
        let runtime = &leased.work.submission.runtime;
        let reservation = self
            .inner
            .pool
            .reserve(leased.work.lease.submission, runtime, leased.work.companion(), leased.work.isolation())
            .await;
        self.inner.tasks.start(self.clone().attempt(leased, registered, reservation));
    }
}

/// Waits until it is told that something was queued, or something that was told was missed.
async fn something_queued(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Queued) | Err(RecvError::Lagged(_)) => return,
            Ok(
                Change::Unqueued
                | Change::Log { .. }
                | Change::RoundEnded { .. }
                | Change::Deleted { .. }
                | Change::Cancel { .. },
            ) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
