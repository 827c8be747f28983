//! One attempt: from the lease to the stored result.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::running::{Registered, Stop};
use super::{Scheduler, figures};
use crate::domain::event::Progress;
use crate::domain::exercise::MAX_TESTS;
use crate::domain::history::History;
use crate::domain::lease::{Guarded, Lease};
use crate::domain::submission::{FailureCode, GivenUp, LostReason};
use crate::judge::{self, Means, Outcome};
use crate::pool::{Container, Lost, Reservation};
use crate::storage::{Ending, Leased, Storage as _};

/// How long progress may wait for more, to share a commit.
const SHARE_COMMIT: Duration = Duration::from_millis(20);
/// For so long a result lets the next lease pass, for which a core waits.
const GIVE_WAY: Duration = Duration::from_millis(2);
/// Pause before a write is tried again, doubled each time.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Room for the progress of a whole attempt: a run is never held up by the database.
const PROGRESS_ROOM: usize = MAX_TESTS + 1;

impl Scheduler {
    /// Runs a leased submission and stores what comes out.
    ///
    /// * `reservation` — of its container; `None` if the pool has none to give.
    pub(super) async fn attempt(
        self,
        leased: Leased,
        registered: Registered,
        reservation: Option<Reservation>,
    ) {
        let Leased { work, queued_at } = leased;
        let lease = work.lease.clone();
        let stop = registered.stop.clone();
        let Some(mut container) = self.container(&lease, reservation, &stop).await else {
            return self.store(&lease, Outcome::Aborted, Vec::new(), &stop).await;
        };
        let begun = self.inner.clock.now();
        let queued_ms = begun.millis_since(queued_at);
        if lease.attempt == 1 {
            // Later attempts follow one that has waited.
            self.note(|history, now| history.started(now, queued_ms));
        }
        let Some(runtime) = self.inner.runtimes.get(&work.submission.runtime) else {
            tracing::error!(submission.id = %lease.submission, "leased for a runtime that is not configured");
            return self.give_up(&lease, LostReason::InstanceLost.into()).await;
        };
        let (progress, reported) = mpsc::channel(PROGRESS_ROOM);
        let hand_back = self.inner.tasks.handing_back().clone();
        let evaluation = async {
            let companion = work.companion().and_then(|id| self.inner.runtimes.get(id));
            let means = Means { runtime, companion, container: &mut container };
            let evaluated = judge::evaluate(&work, means, progress, &stop.abort);
            tokio::pin!(evaluated);
            tokio::select! {
                outcome = &mut evaluated => outcome,
                () = hand_back.cancelled() => {
                    stop.abort.cancel();
                    evaluated.await
                }
            }
        };
        let evaluation = async { (evaluation.await, Instant::now()) };
        let ((outcome, judged), unrecorded) = tokio::join!(evaluation, self.record(&lease, reported, &stop));
        match outcome {
            Ok(outcome) => {
                let release = container.release(work.isolation());
                tokio::pin!(release);
                let released = tokio::time::timeout(GIVE_WAY, &mut release).await.is_ok();
                let outcome = timed(outcome, queued_ms, judged);
                let store = self.store(&lease, outcome, unrecorded, &stop);
                if released {
                    store.await;
                } else {
                    tokio::join!(release, store);
                }
            }
            Err(lost) => self.lose(&lease, container, lost).await,
        }
    }

    /// Ends an attempt whose container or host is gone. What an operator took from under it counts as no loss.
    async fn lose(&self, lease: &Lease, container: Container, lost: Lost) {
        let Lost { reason, detail, on_purpose, companion } = lost;
        let interrupted = container.interrupted().or(on_purpose.then_some(reason));
        let reason = interrupted.unwrap_or(reason);
        let died = companion.or_else(|| container.id().map(str::to_owned));
        let died = died.filter(|_id| reason == LostReason::ContainerLost);
        let given_up = GivenUp { reason, container: died };
        container.destroy().await;
        if interrupted.is_some() {
            tracing::info!(
                submission.id = %lease.submission, attempt = lease.attempt, reason = reason.name(),
                "an operator took what a submission ran on; it goes back to its place"
            );
            return self.hand_back(lease, given_up).await;
        }
        tracing::warn!(
            submission.id = %lease.submission, attempt = lease.attempt, reason = reason.name(), detail,
            "an attempt was lost"
        );
        self.give_up(lease, given_up).await;
    }

    /// The container that was reserved for a leased submission; `None` if it is not to run, or none came.
    async fn container(
        &self,
        lease: &Lease,
        reservation: Option<Reservation>,
        stop: &Stop,
    ) -> Option<Container> {
        tokio::select! {
            biased;
            container = reservation?.container() => {
                if container.is_none() {
                    tracing::warn!(submission.id = %lease.submission, "no container came; it goes back to its place");
                }
                container
            }
            () = stop.abort.cancelled() => None,
            () = self.inner.tasks.handing_back().cancelled() => None,
        }
    }

    /// Stores progress as it comes, several steps in one commit; answers what the ending should carry.
    async fn record(
        &self,
        lease: &Lease,
        mut reported: mpsc::Receiver<Progress>,
        stop: &Stop,
    ) -> Vec<Progress> {
        while let Some(first) = reported.recv().await {
            let mut steps = vec![first];
            let share = tokio::time::sleep(SHARE_COMMIT);
            tokio::pin!(share);
            loop {
                tokio::select! {
                    () = &mut share => break,
                    step = reported.recv() => match step {
                        Some(step) => steps.push(step),
                        None => return steps,
                    },
                }
            }
            if !self.record_steps(lease, steps, stop).await {
                return Vec::new();
            }
        }
        Vec::new()
    }

    /// Stores steps; `false` if the lease is lost.
    async fn record_steps(&self, lease: &Lease, steps: Vec<Progress>, stop: &Stop) -> bool {
        let write = || self.inner.storage.record(lease, steps.clone(), self.inner.clock.now());
        match self.persist(write, lease, stop).await {
            Some(Guarded::LeaseHeld) => true,
            Some(Guarded::LeaseLost) | None => {
                stop.lose();
                false
            }
        }
    }

    async fn store(&self, lease: &Lease, outcome: Outcome, steps: Vec<Progress>, stop: &Stop) {
        let ending = match outcome {
            Outcome::Finished(result) => Ending::Finished(result),
            Outcome::AtFault(fault) => Ending::Failed(fault),
            Outcome::Aborted if stop.cancel.is_cancelled() => Ending::Cancelled,
            Outcome::Aborted if stop.lost.is_cancelled() => return,
            Outcome::Aborted => return self.hand_back(lease, LostReason::InstanceLost.into()).await,
        };
        crate::failpoint!("result_read");
        let write =
            || self.inner.storage.finish(lease, steps.clone(), ending.clone(), self.inner.clock.now());
        match self.persist(write, lease, stop).await {
            Some(Guarded::LeaseHeld) => {
                metrics::counter!("guichet_attempts_total", "outcome" => name(&ending)).increment(1);
                match &ending {
                    Ending::Finished(result) => {
                        self.note(History::finished);
                        figures::count_phases(&result.timings);
                    }
                    Ending::Failed(fault) => tracing::warn!(
                        submission.id = %lease.submission, problem = fault.problem,
                        "an exercise's checker failed"
                    ),
                    Ending::Cancelled => {}
                }
            }
            Some(Guarded::LeaseLost) => {
                metrics::counter!("guichet_late_results_total").increment(1);
                tracing::warn!(submission.id = %lease.submission, attempt = lease.attempt, "a late result was dropped");
            }
            None => {}
        }
    }

    /// Gives an attempt up: the submission goes back to its place, or has failed.
    pub(super) async fn give_up(&self, lease: &Lease, given_up: GivenUp) {
        let write =
            || self.inner.storage.give_up(lease, given_up.clone(), self.inner.caps, self.inner.clock.now());
        let held = self.persist(write, lease, &Stop::default()).await;
        if held == Some(Guarded::LeaseHeld) {
            metrics::counter!("guichet_rescues_total", "reason" => given_up.reason.name()).increment(1);
            self.note(History::lost);
        }
    }

    /// Gives an attempt back that was stopped on purpose or did not take place: this process ends, an operator took
    /// host or container away, or no container came.
    async fn hand_back(&self, lease: &Lease, given_up: GivenUp) {
        let write = || self.inner.storage.hand_back(lease, given_up.clone(), self.inner.clock.now());
        if self.persist(write, lease, &Stop::default()).await == Some(Guarded::LeaseHeld) {
            metrics::counter!("guichet_hand_backs_total").increment(1);
        }
    }

    /// Writes until the database takes it. `None`: the lease was lost meanwhile, or the process has to end; the
    /// lease runs out then and another worker takes over.
    async fn persist<F, W>(&self, write: W, lease: &Lease, stop: &Stop) -> Option<Guarded>
    where
        W: Fn() -> F,
        F: Future<Output = crate::storage::Result<Guarded>>,
    {
        let mut pause = RETRY.0;
        loop {
            match write().await {
                Ok(guarded) => return Some(guarded),
                Err(error) => tracing::warn!(
                    submission.id = %lease.submission, error = %crate::chain::Chain(&error),
                    "an attempt's progress could not be stored yet"
                ),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY.1),
                () = stop.lost.cancelled() => return None,
                () = self.inner.tasks.hard().cancelled() => return None,
            }
        }
    }
}

/// The outcome with the times that the judge could not know.
///
/// * `judged` — when the last test had ended.
fn timed(outcome: Outcome, queued_ms: u64, judged: Instant) -> Outcome {
    match outcome {
        Outcome::Finished(mut result) => {
            result.timings.queued_ms = queued_ms;
            result.timings.stored_ms = u64::try_from(judged.elapsed().as_millis()).unwrap_or(u64::MAX);
            Outcome::Finished(result)
        }
        Outcome::AtFault(fault) => Outcome::AtFault(fault),
        Outcome::Aborted => Outcome::Aborted,
    }
}

fn name(ending: &Ending) -> &'static str {
    match ending {
        Ending::Finished(result) => result.verdict.name(),
        Ending::Failed(_) => FailureCode::CheckerFailed.name(),
        Ending::Cancelled => "cancelled",
    }
}
