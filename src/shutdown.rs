//! How the process ends: tasks are counted, and three tokens tell them to stop, one after the other.
//!
//! Soft stop: accept and lease nothing, end streams, finish runs. Hand back: kill runs and give their leases back.
//! Hard stop: end at once, whatever is left. Each loop ends by itself after the soft stop, at the latest after the
//! hard one.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The process's tasks and its stop signals.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    soft: CancellationToken,
    hand_back: CancellationToken,
    hard: CancellationToken,
}

impl Tasks {
    /// Starts a task that is waited for at the end.
    pub fn start<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// The tracker, for rooms that know nothing of stop signals.
    pub const fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Cancelled when nothing new should begin.
    pub const fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when running submissions should be killed and handed back.
    pub const fn handing_back(&self) -> &CancellationToken {
        &self.hand_back
    }

    /// Cancelled when what is going on should be dropped.
    pub const fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Asks for a soft stop.
    pub fn stop_softly(&self) {
        self.soft.cancel();
    }

    /// Asks to kill running submissions and hand them back.
    pub fn hand_back(&self) {
        self.soft.cancel();
        self.hand_back.cancel();
    }

    /// Asks for a hard stop.
    pub fn stop_hard(&self) {
        self.hand_back();
        self.hard.cancel();
    }

    /// Waits until every task ended.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
