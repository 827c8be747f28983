//! Leases are renewed while attempts go on; requests to cancel reach them; leases of the dead are taken back.

use tokio::sync::broadcast::error::RecvError;

use super::{HEARTBEAT, LEASE, Scheduler};
use crate::clock::Patience;
use crate::domain::history::History;
use crate::domain::submission::StateName;
use crate::domain::time::Timestamp;
use crate::storage::{self, Change, Renewed, Rescue, Storage as _};

impl Scheduler {
    /// Renews all leases of this process every [`HEARTBEAT`], until the hard stop or, after the soft stop, until
    /// nothing runs.
    pub(super) async fn renew_leases(self) {
        loop {
            tokio::select! {
                () = self.inner.tasks.hard().cancelled() => return,
                () = tokio::time::sleep(HEARTBEAT) => {}
                () = self.idle_after_soft_stop() => return,
            }
            self.renew_once().await;
        }
    }

    async fn idle_after_soft_stop(&self) {
        self.inner.tasks.soft().cancelled().await;
        self.inner.running.idle().await;
    }

    async fn renew_once(&self) {
        if let Err(error) = self.renew().await {
            tracing::warn!(error = %crate::chain::Chain(&error), "leases could not be renewed");
        }
    }

    /// Renews all leases of this process, and hears what became of them.
    async fn renew(&self) -> storage::Result<()> {
        let leases = self.inner.running.leases();
        if leases.is_empty() {
            return Ok(());
        }
        let until = self.inner.clock.now().plus(LEASE);
        let renewed = self.inner.storage.renew(leases.clone(), until).await?;
        for (lease, renewed) in leases.iter().zip(renewed) {
            let Some(stop) = self.inner.running.stop_of(lease) else { continue };
            match renewed {
                Renewed::Held => {}
                Renewed::CancelRequested => stop.cancel(),
                Renewed::Lost => stop.lose(),
            }
        }
        Ok(())
    }

    /// Stops the attempts of submissions that are to be cancelled, until nothing runs after the soft stop.
    pub(super) async fn watch_cancels(self) {
        let mut changes = self.inner.storage.changes();
        loop {
            let change = tokio::select! {
                () = self.inner.tasks.hard().cancelled() => return,
                () = self.idle_after_soft_stop() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(Change::Cancel { submission, round }) => self.inner.running.cancel(submission, round),
                Ok(
                    Change::Log { .. }
                    | Change::RoundEnded { .. }
                    | Change::Deleted { .. }
                    | Change::Queued
                    | Change::Unqueued,
                ) => {}
                Err(RecvError::Lagged(_)) => self.renew_once().await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Takes expired leases back every [`HEARTBEAT`], until the soft stop.
    pub(super) async fn rescue_expired(self) {
        loop {
            // By time that was lived through: a lease that was taken right before a pause is on the list by then.
            let mut pause = Patience::new(HEARTBEAT);
            tokio::select! {
                () = self.inner.tasks.soft().cancelled() => return,
                () = pause.spent() => {}
            }
            if let Err(error) = self.renew_and_rescue().await {
                tracing::warn!(
                    error = %crate::chain::Chain(&error),
                    "expired leases could not be looked for"
                );
            }
        }
    }

    /// Leases of this process are alive, also if it stood still, the clock jumped or the database took nothing for a
    /// while: none is taken for expired that could not be renewed, or that runs out between both.
    async fn renew_and_rescue(&self) -> storage::Result<()> {
        let now = self.inner.clock.now();
        self.renew().await?;
        self.rescue(Rescue::Expired, now).await
    }

    /// Takes leases back and says so.
    pub(super) async fn rescue(&self, whose: Rescue, now: Timestamp) -> storage::Result<()> {
        let rescued = self.inner.storage.rescue(whose, self.inner.caps, now).await?;
        for one in &rescued {
            metrics::counter!("guichet_rescues_total", "reason" => "instance_lost").increment(1);
            self.note(History::lost);
            match one.state {
                StateName::Failed => {
                    tracing::error!(submission.id = %one.submission, "a submission failed: its last attempt was lost");
                }
                StateName::Draft
                | StateName::Queued
                | StateName::Running
                | StateName::Finished
                | StateName::Cancelled => {
                    tracing::warn!(submission.id = %one.submission, state = one.state.name(), "a lost lease was taken back");
                }
            }
        }
        Ok(())
    }
}
