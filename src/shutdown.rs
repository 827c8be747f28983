//! How the process ends: tasks are counted, and two tokens tell them to stop.
//!
//! Soft stop: accept and lease nothing, end streams, finish runs. Hard stop: kill runs, give leases back. Each
//! loop ends by itself after the soft stop, at the latest after the hard one.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The process's tasks and its two stop signals.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    soft: CancellationToken,
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

    /// Cancelled when what is going on should be dropped; cancels [`Tasks::soft`] too.
    pub const fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Asks for a soft stop.
    pub fn stop_softly(&self) {
        self.soft.cancel();
    }

    /// Asks for a hard stop.
    pub fn stop_hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Waits until every task ended.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
