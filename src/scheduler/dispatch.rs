//! First a free slot, then the lease: what can't run is never leased.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{LEASE, RETRY, Scheduler};
use crate::domain::ids::RuntimeId;
use crate::pool::Free;
use crate::storage::{self, LeaseRequest, Leased, Storage as _};

impl Scheduler {
    /// Leases and starts work while slots are free, until the soft stop.
    pub(super) async fn dispatch(self) {
        let stop = self.inner.tasks.soft().clone();
        let mut free = self.inner.pool.free();
        loop {
            // The stop is asked for afterwards: whoever stops and then sees nothing run has seen the last lease.
            let leasing = self.inner.running.leasing();
            if stop.is_cancelled() || free.has_changed().is_err() {
                return;
            }
            let runtimes = free.borrow_and_update().runtimes.clone();
            if runtimes.is_empty() {
                drop(leasing);
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = free.changed() => if changed.is_err() { return },
                }
                continue;
            }
            match self.lease(runtimes, &mut free).await {
                Ok(Some(leased)) => self.start_attempt(leased).await,
                Ok(None) => {}
                Err(error) => {
                    drop(leasing);
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be leased");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Leases what waits for one of `runtimes`, or is the first to come; `None` when others are free, or at the soft
    /// stop.
    async fn lease(
        &self,
        runtimes: BTreeSet<RuntimeId>,
        free: &mut watch::Receiver<Free>,
    ) -> storage::Result<Option<Leased>> {
        let (clock, withdrawn) = (self.inner.clock.clone(), CancellationToken::new());
        let request = LeaseRequest {
            worker: self.inner.worker.clone(),
            runtimes: runtimes.iter().cloned().collect(),
            duration: LEASE,
            now: Arc::new(move || clock.now()),
            withdrawn: withdrawn.clone(),
        };
        let leased = self.inner.storage.lease_next(request);
        tokio::pin!(leased);
        tokio::select! {
            leased = &mut leased => return leased,
            () = self.inner.tasks.soft().cancelled() => {}
            // This fails when the pool has ended.
            _others = free.wait_for(|free| free.runtimes != runtimes) => {}
        }
        withdrawn.cancel();
        leased.await
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
