//! First a free slot, then the lease: what can't run is never leased.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{LEASE, Scheduler};
use crate::domain::submission::LostReason;
use crate::pool::Container;
use crate::storage::{self, Change, Leased, Storage as _};

/// Longest time between two looks at the queue, should a hint be lost.
const POLL: Duration = Duration::from_secs(1);
/// Pause after the database could not be reached.
const RETRY: Duration = Duration::from_millis(500);
/// How long a leased submission waits for a container that died just then.
const CLAIM: Duration = Duration::from_secs(5);

impl Scheduler {
    /// Leases and starts work while slots are free, until the soft stop.
    pub(super) async fn dispatch(self) {
        let stop = self.inner.tasks.soft().clone();
        let mut changes = self.inner.storage.changes();
        let mut free = self.inner.pool.free();
        loop {
            if stop.is_cancelled() {
                return;
            }
            free.mark_unchanged();
            let pause = match self.dispatch_one().await {
                Ok(true) => continue,
                Ok(false) => POLL,
                Err(error) => {
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be leased");
                    RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = queue_changed(&mut changes) => {}
                changed = free.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Leases and starts one submission; `false` if no slot is free or none waits for one.
    async fn dispatch_one(&self) -> storage::Result<bool> {
        let runtimes: Vec<_> = self.inner.pool.free().borrow().runtimes.iter().cloned().collect();
        if runtimes.is_empty() {
            return Ok(false);
        }
        let now = self.inner.clock.now();
        let leased =
            self.inner.storage.lease_next(&self.inner.worker, &runtimes, now, now.plus(LEASE)).await?;
        let Some(leased) = leased else { return Ok(false) };
        metrics::counter!("guichet_leases_total").increment(1);
        match self.claim(&leased).await {
            Some(container) => {
                let attempt = self.clone().attempt(leased, container);
                self.inner.tasks.start(attempt);
            }
            None => {
                tracing::warn!(submission.id = %leased.work.lease.submission, "the free container died before it was used");
                self.give_up(&leased.work.lease, LostReason::HostLost).await;
            }
        }
        Ok(true)
    }

    /// The container that was free when the submission was leased, or its replacement.
    async fn claim(&self, leased: &Leased) -> Option<Container> {
        let runtime = &leased.work.submission.runtime;
        let isolation = leased.work.isolation();
        let mut free = self.inner.pool.free();
        let claimed = async {
            loop {
                match self.inner.pool.claim(runtime).await {
                    Some(container) if container.suits(isolation) => return Some(container),
                    // It is replaced by one that has served nobody.
                    Some(used) => used.release(isolation).await,
                    None => {}
                }
                free.changed().await.ok()?;
            }
        };
        tokio::time::timeout(CLAIM, claimed).await.ok().flatten()
    }
}

/// Waits until somebody entered, left or re-entered the queue.
async fn queue_changed(changes: &mut Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Queue) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            Ok(Change::Log { .. } | Change::Cancel { .. }) => {}
        }
    }
}
