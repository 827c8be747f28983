//! First a free slot, then the lease: what can't run is never leased.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{LEASE, Scheduler};
use crate::domain::ids::RuntimeId;
use crate::storage::{self, Change, Storage as _};

/// Longest time between two looks at the queue, should a hint be lost.
const POLL: Duration = Duration::from_secs(1);
/// Pause after the database could not be reached.
const RETRY: Duration = Duration::from_millis(500);

/// How many submissions may wait for each runtime: what commits told, minus what was leased. Never too few but for
/// a hint that was lost; one too many costs a look.
#[derive(Debug, Default)]
struct Waiting {
    by_runtime: HashMap<RuntimeId, u64>,
}

impl Waiting {
    /// Nothing is known any more.
    fn forget(&mut self) {
        self.by_runtime.clear();
    }

    /// Those of `runtimes` for which somebody may wait.
    fn among(&self, runtimes: &BTreeSet<RuntimeId>) -> Vec<RuntimeId> {
        let may = |runtime: &&RuntimeId| self.by_runtime.get(*runtime).is_none_or(|waiting| *waiting > 0);
        runtimes.iter().filter(may).cloned().collect()
    }

    fn entered(&mut self, runtime: &RuntimeId, submissions: u64) {
        if let Some(waiting) = self.by_runtime.get_mut(runtime) {
            *waiting = waiting.saturating_add(submissions);
        }
    }

    fn left(&mut self, runtime: &RuntimeId) {
        if let Some(waiting) = self.by_runtime.get_mut(runtime) {
            *waiting = waiting.saturating_sub(1);
        }
    }

    fn none_for(&mut self, runtimes: &[RuntimeId]) {
        self.by_runtime.extend(runtimes.iter().map(|runtime| (runtime.clone(), 0)));
    }
}

impl Scheduler {
    /// Leases and starts work while slots are free, until the soft stop.
    pub(super) async fn dispatch(self) {
        let stop = self.inner.tasks.soft().clone();
        let mut changes = self.inner.storage.changes();
        let mut free = self.inner.pool.free();
        let mut waiting = Waiting::default();
        loop {
            if stop.is_cancelled() {
                return;
            }
            free.mark_unchanged();
            let pause = match self.dispatch_one(&mut waiting).await {
                Ok(true) => continue,
                Ok(false) => POLL,
                Err(error) => {
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be leased");
                    RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = somebody_entered(&mut changes, &mut waiting) => {}
                changed = free.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => waiting.forget(),
            }
        }
    }

    /// Leases and starts one submission; `false` if no slot is free or none waits for one.
    async fn dispatch_one(&self, waiting: &mut Waiting) -> storage::Result<bool> {
        let runtimes = waiting.among(&self.inner.pool.free().borrow().runtimes);
        if runtimes.is_empty() {
            return Ok(false);
        }
        let now = self.inner.clock.now();
        let leased =
            self.inner.storage.lease_next(&self.inner.worker, &runtimes, now, now.plus(LEASE)).await?;
        let Some(leased) = leased else {
            waiting.none_for(&runtimes);
            return Ok(false);
        };
        waiting.left(&leased.work.submission.runtime);
        metrics::counter!("guichet_leases_total").increment(1);
        let runtime = &leased.work.submission.runtime;
        let reservation = self.inner.pool.reserve(runtime, leased.work.isolation()).await;
        self.inner.tasks.start(self.clone().attempt(leased, reservation));
        Ok(true)
    }
}

/// Waits until somebody entered or re-entered the queue.
async fn somebody_entered(changes: &mut Receiver<Change>, waiting: &mut Waiting) {
    loop {
        match changes.recv().await {
            Ok(Change::Entered { runtime, submissions }) => {
                return waiting.entered(&runtime, submissions);
            }
            Err(RecvError::Lagged(_) | RecvError::Closed) => return waiting.forget(),
            Ok(Change::Log { .. } | Change::Left | Change::Cancel { .. }) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Waiting;
    use crate::domain::ids::RuntimeId;

    fn runtime(id: &str) -> RuntimeId {
        id.parse().unwrap()
    }

    fn free() -> BTreeSet<RuntimeId> {
        BTreeSet::from([runtime("c"), runtime("python")])
    }

    #[test]
    fn who_is_not_known_may_wait() {
        assert_eq!(Waiting::default().among(&free()), [runtime("c"), runtime("python")]);
    }

    #[test]
    fn nobody_is_asked_for_until_somebody_enters() {
        let mut waiting = Waiting::default();
        waiting.none_for(&[runtime("c"), runtime("python")]);
        assert!(waiting.among(&free()).is_empty());

        waiting.entered(&runtime("c"), 2);
        waiting.left(&runtime("c"));
        assert_eq!(waiting.among(&free()), [runtime("c")]);

        waiting.left(&runtime("c"));
        assert!(waiting.among(&free()).is_empty());
    }
}
