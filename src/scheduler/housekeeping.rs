//! Slow loops: the observed pace of the queue, and deleting what is old.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;

use super::{Scheduler, figures};
use crate::domain::ids::RuntimeId;
use crate::domain::pace::{Entrances, Observed, Pace};
use crate::pool::Free;
use crate::storage::{RecentRuns, Retention, Storage as _};

/// Attempts that the pace is drawn from.
const OBSERVED: u32 = 200;
/// Pause between two looks at the pace.
const PACE: Duration = Duration::from_secs(2);
/// Pause between two prunings.
const PRUNE: Duration = Duration::from_mins(10);

impl Scheduler {
    /// Publishes the pace of the queue when slots or runtimes come or go, and as attempts go on.
    pub(super) async fn observe_pace(self, pace: watch::Sender<Pace>) {
        let mut free = self.inner.pool.free();
        let mut entrances = Entrances::default();
        loop {
            let capacity = {
                let free = free.borrow_and_update();
                figures::show_slots(&free);
                Capacity::of(&free)
            };
            self.show_queue().await;
            let now = self.inner.clock.now();
            match self.inner.storage.recent_runs(OBSERVED, now).await {
                Ok(RecentRuns { ended_ms, running_ms, entered }) => {
                    let entered_per_s = entrances.per_s(now, entered);
                    let Capacity { slots, ready } = capacity.clone();
                    let observed = Observed { slots, ready, ended_ms, running_ms, entered_per_s };
                    let observed = Pace::of(observed);
                    pace.send_if_modified(|known| {
                        let changed = *known != observed;
                        *known = observed;
                        changed
                    });
                }
                Err(error) => {
                    tracing::debug!(error = %crate::chain::Chain(&error), "the pace could not be read");
                }
            }
            tokio::select! {
                () = self.inner.tasks.soft().cancelled() => return,
                () = capacity_changed(&mut free, capacity) => {}
                () = tokio::time::sleep(PACE) => {}
            }
        }
    }

    async fn show_queue(&self) {
        let now = self.inner.clock.now();
        match self.inner.storage.queue_figures(now).await {
            Ok(figures) => {
                let oldest_ms = figures.oldest_queued_at.map_or(0, |at| now.millis_since(at));
                figures::show_queue(&figures, oldest_ms);
                self.note(|history, now| history.saw_queue(now, figures.queued));
            }
            Err(error) => {
                tracing::debug!(error = %crate::chain::Chain(&error), "the queue's figures could not be read");
            }
        }
    }

    /// Deletes what is old, now and then.
    pub(super) async fn prune(self, retention: Retention) {
        loop {
            match self.inner.storage.prune(retention, self.inner.clock.now()).await {
                Ok(0) => {}
                Ok(submissions) => tracing::info!(submissions, "old submissions were deleted"),
                Err(error) => {
                    tracing::warn!(error = %crate::chain::Chain(&error), "nothing could be pruned");
                }
            }
            tokio::select! {
                () = self.inner.tasks.soft().cancelled() => return,
                () = tokio::time::sleep(PRUNE) => {}
            }
        }
    }
}

/// How many slots work, and what can run in them.
#[derive(Clone, PartialEq, Eq)]
struct Capacity {
    slots: u64,
    ready: BTreeSet<RuntimeId>,
}

impl Capacity {
    fn of(free: &Free) -> Self {
        Self { slots: u64::try_from(free.total).unwrap_or(u64::MAX), ready: free.ready.clone() }
    }
}

/// Waits until there is more or less of either.
async fn capacity_changed(free: &mut watch::Receiver<Free>, known: Capacity) {
    loop {
        if free.changed().await.is_err() {
            return std::future::pending().await;
        }
        if Capacity::of(&free.borrow()) != known {
            return;
        }
    }
}
