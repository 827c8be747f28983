//! The loops that keep work going: dispatch, attempts, heartbeat, rescue, pace, prune.
//!
//! Nothing runs without a lease, and a lease is taken only when a slot is free. Each loop reads the whole truth
//! from the database each time; what it's told in between only wakes it early.

mod attempt;
mod dispatch;
mod figures;
mod heartbeat;
mod housekeeping;
pub mod running;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, Patience};
use crate::domain::history::History;
use crate::domain::ids::{RuntimeId, WorkerId};
use crate::domain::lease::AttemptCaps;
use crate::domain::pace::Pace;
use crate::domain::runtime::Runtime;
use crate::domain::time::Timestamp;
use crate::pool::Pool;
use crate::shutdown::Tasks;
use crate::storage::{Rescue, Retention, Store};
use running::Running;

/// How long a lease lasts.
pub const LEASE: Duration = Duration::from_secs(15);
/// Pause between two renewals, and between two looks for expired leases.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// Longest wait for hosts to be swept before work of an earlier life is taken back.
const SWEEP: Duration = Duration::from_secs(10);
/// Pause after the database could not be reached.
const RETRY: Duration = Duration::from_millis(500);

/// What the loops work with; cheap to clone.
#[derive(Clone, Debug)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Store,
    pool: Pool,
    runtimes: Arc<BTreeMap<RuntimeId, Runtime>>,
    clock: Clock,
    worker: WorkerId,
    caps: AttemptCaps,
    running: Running,
    history: watch::Sender<History>,
    tasks: Tasks,
}

/// What the room is made of.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub storage: Store,
    /// The containers.
    pub pool: Pool,
    /// Languages by id.
    pub runtimes: Arc<BTreeMap<RuntimeId, Runtime>>,
    /// What time it is.
    pub clock: Clock,
    /// This instance's name in leases and on containers; each start has another.
    pub worker: WorkerId,
    /// Where it is noted what became of the queue.
    pub history: watch::Sender<History>,
    /// Tasks and stop signals.
    pub tasks: Tasks,
}

impl Scheduler {
    /// Starts all loops. Work is leased only after what earlier instances had was taken back.
    pub fn start(parts: Parts, pace: watch::Sender<Pace>, retention: Retention) -> Self {
        let Parts { storage, pool, runtimes, clock, worker, history, tasks } = parts;
        let caps = AttemptCaps::default();
        let running = Running::default();
        let inner =
            Inner { storage, pool, runtimes, clock, worker, caps, running, history, tasks: tasks.clone() };
        let scheduler = Self { inner: Arc::new(inner) };
        tasks.start(scheduler.clone().resume());
        tasks.start(scheduler.clone().renew_leases());
        tasks.start(scheduler.clone().watch_cancels());
        tasks.start(scheduler.clone().observe_pace(pace));
        tasks.start(scheduler.clone().prune(retention));
        scheduler
    }

    /// Takes back what earlier instances had; then work is leased, and expired leases are taken back. This one has the
    /// database alone, so that all others are gone.
    ///
    /// Hosts are swept first: what was to be cancelled becomes `cancelled` here, which says that no process of
    /// it exists any more. One that hangs is not waited for: an agent ends by itself when its connection does.
    async fn resume(self) {
        let (stop, mut patience) = (self.inner.tasks.soft().clone(), Patience::new(SWEEP));
        tokio::select! {
            () = stop.cancelled() => {}
            _in_time = patience.wait_for(self.inner.pool.swept()) => {}
        }
        let lost = || self.rescue(Rescue::Others(self.inner.worker.clone()), self.inner.clock.now());
        while let Err(error) = lost().await {
            tracing::warn!(error = %crate::chain::Chain(&error), "what ran before could not be taken back yet");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        tokio::join!(self.clone().dispatch(), self.rescue_expired());
    }

    /// Notes what became of the queue, now.
    fn note(&self, change: impl FnOnce(&mut History, Timestamp)) {
        let now = self.inner.clock.now();
        self.inner.history.send_modify(|history| change(history, now));
    }

    /// Waits until no attempt goes on in this process.
    pub async fn idle(&self) {
        self.inner.running.idle().await;
    }

    /// Attempts going on in this process.
    pub fn running(&self) -> usize {
        self.inner.running.count()
    }
}
