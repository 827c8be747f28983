//! Slow loops: the observed pace of the queue, and deleting what is old.

use std::time::Duration;

use tokio::sync::watch;

use super::{Scheduler, figures};
use crate::domain::pace::Pace;
use crate::pool::Free;
use crate::storage::{Retention, Storage as _};

/// Attempts that the pace is drawn from.
const OBSERVED: u32 = 200;
/// Pause between two looks at the pace.
const PACE: Duration = Duration::from_secs(2);
/// Pause between two prunings.
const PRUNE: Duration = Duration::from_mins(10);

impl Scheduler {
    /// Publishes the pace of the queue when slots come or go, and as attempts end.
    pub(super) async fn observe_pace(self, pace: watch::Sender<Pace>) {
        let mut free = self.inner.pool.free();
        loop {
            let slots = {
                let free = free.borrow_and_update();
                figures::show_slots(&free);
                Slots::of(&free)
            };
            self.show_queue().await;
            match self.inner.storage.recent_durations(OBSERVED).await {
                Ok(durations) => {
                    let observed = Pace::observed(slots.total, &durations).at_most(slots.at_once);
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
                () = slots_changed(&mut free, slots) => {}
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

/// How many slots work, and how many programs in them at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slots {
    total: u64,
    at_once: u64,
}

impl Slots {
    fn of(free: &Free) -> Self {
        let count = |slots| u64::try_from(slots).unwrap_or(u64::MAX);
        Self { total: count(free.total), at_once: count(free.at_once) }
    }
}

/// Waits until either number is another one.
async fn slots_changed(free: &mut watch::Receiver<Free>, known: Slots) {
    loop {
        if free.changed().await.is_err() {
            return std::future::pending().await;
        }
        if Slots::of(&free.borrow()) != known {
            return;
        }
    }
}
