//! First a free slot, then the lease: what can't run is never leased.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

use super::{LEASE, RETRY, Scheduler};
use crate::domain::ids::RuntimeId;
use crate::storage::{self, Change, Storage as _};

/// Longest time between two looks at the queue, should a hint be lost.
const POLL: Duration = Duration::from_secs(1);

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

    /// Takes all hints in that are there.
    fn hear_all(&mut self, changes: &mut Receiver<Change>) {
        loop {
            match changes.try_recv() {
                Ok(change) => self.hear(Ok(change)),
                Err(TryRecvError::Lagged(_)) => self.forget(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn hear(&mut self, hint: Result<Change, RecvError>) {
        match hint {
            Ok(Change::Entered { runtime, submissions }) => self.entered(&runtime, submissions),
            Ok(Change::Log { .. } | Change::Left | Change::Cancel { .. }) => {}
            Err(RecvError::Lagged(_) | RecvError::Closed) => self.forget(),
        }
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
        let mut forgotten_at = Instant::now();
        loop {
            // The stop is asked for afterwards: whoever stops and then sees nothing run has seen the last lease.
            let leasing = self.inner.running.leasing();
            if stop.is_cancelled() {
                return;
            }
            if forgotten_at.elapsed() >= POLL {
                waiting.forget();
                forgotten_at = Instant::now();
            }
            // Whoever was answered before this moment has his place in the order.
            waiting.hear_all(&mut changes);
            free.mark_unchanged();
            let dispatched = self.dispatch_one(&mut waiting).await;
            drop(leasing);
            match dispatched {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be leased");
                    tokio::time::sleep(RETRY).await;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                hint = changes.recv() => waiting.hear(hint),
                changed = free.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(forgotten_at + POLL) => {}
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
        let registered = self.inner.running.register(leased.work.lease.clone());
        let reservation = self.inner.pool.reserve(runtime, leased.work.isolation()).await;
        self.inner.tasks.start(self.clone().attempt(leased, registered, reservation));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Waiting;
    use crate::domain::ids::RuntimeId;
    use crate::storage::Change;

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

    #[test]
    fn hints_that_are_there_count_before_the_next_look() {
        let (sender, mut changes) = tokio::sync::broadcast::channel(2);
        let mut waiting = Waiting::default();
        waiting.none_for(&[runtime("c"), runtime("python")]);
        for change in [Change::Left, Change::Entered { runtime: runtime("c"), submissions: 1 }] {
            sender.send(change).unwrap();
        }

        waiting.hear_all(&mut changes);

        assert_eq!(waiting.among(&free()), [runtime("c")]);
    }

    #[test]
    fn after_hints_that_were_lost_anybody_may_wait() {
        let (sender, mut changes) = tokio::sync::broadcast::channel(1);
        let mut waiting = Waiting::default();
        waiting.none_for(&[runtime("c"), runtime("python")]);
        for _ in 0..3 {
            sender.send(Change::Left).unwrap();
        }

        waiting.hear_all(&mut changes);

        assert_eq!(waiting.among(&free()), [runtime("c"), runtime("python")]);
    }
}
