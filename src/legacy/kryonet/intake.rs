//! From an id that a backend named to a queued submission, or a count that says why not.
//!
//! KryoNet acknowledges nothing: what was read and is not queued would be lost. So each id is tried until the database
//! has answered (but see [`TRIES`]), at most [`TOGETHER`] at a time, and never one that is being tried already. Meanwhile at most
//! [`WAITING`] wait; then the link stops reading, and the backend's own buffers fill up.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, random};
use super::lines::Lines;
use crate::app::legacy::LegacyEnqueue;
use crate::app::links::{LinkPen, LinkView};
use crate::app::{self, App};
use crate::chain::Chain;
use crate::domain::ids::{BackendName, LegacyId};

/// Ids that are tried at the same time: several share one commit.
const TOGETHER: usize = 16;
/// Ids that wait for it.
pub const WAITING: usize = 16_384;
/// Pauses while the database doesn't answer.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// An id that has failed so often, while others were answered, is at fault itself: it must not hold up the rest.
const TRIES: u32 = 12;

/// One backend's intake.
#[derive(Debug)]
pub struct Intake {
    /// Where submissions are queued.
    pub app: App,
    /// The backend's name.
    pub backend: BackendName,
    /// What is counted.
    pub pen: LinkPen,
    /// Ids in the order they came.
    pub ids: mpsc::Receiver<LegacyId>,
    /// When to let go of what is left.
    pub give_up: CancellationToken,
}

impl Intake {
    /// Queues what comes, until the link is gone and nothing is left.
    pub async fn run(self) {
        let Self { app, backend, pen, mut ids, give_up } = self;
        let mut record = Record { backend: &backend, pen, lines: Lines::from(Instant::now()) };
        let answers = AtomicU64::new(0);
        let mut trying = HashSet::new();
        let mut tries = FuturesUnordered::new();
        let mut next: Option<LegacyId> = None;
        let mut open = true;
        while open || next.is_some() || !tries.is_empty() {
            if let Some(id) = next.take_if(|id| tries.len() < TOGETHER && !trying.contains(id)) {
                trying.insert(id.clone());
                tries.push(enqueue(&app, &backend, id, &answers));
            }
            tokio::select! {
                () = give_up.cancelled() => {
                    let lost = tries.len() + usize::from(next.is_some()) + ids.len();
                    if lost > 0 {
                        tracing::error!(%backend, lost, "stopped before all EXERCISE packets were queued");
                    }
                    return;
                }
                id = ids.recv(), if open && next.is_none() => {
                    open = id.is_some();
                    next = id;
                }
                Some((id, outcome)) = tries.next() => {
                    trying.remove(&id);
                    record.write(&id, outcome);
                }
            }
        }
    }
}

/// Writes down what became of each id.
struct Record<'a> {
    backend: &'a BackendName,
    pen: LinkPen,
    lines: Lines,
}

impl Record<'_> {
    fn write(&mut self, id: &LegacyId, outcome: Result<LegacyEnqueue, app::Error>) {
        count(self.backend, name_of(&outcome));
        self.pen.write(|view| {
            if let Some(count) = counter(view, &outcome) {
                *count = count.saturating_add(1);
            }
        });
        let (backend, id) = (self.backend, id.as_str());
        match outcome {
            Ok(LegacyEnqueue::Enqueued(submission)) => {
                tracing::debug!(%backend, ?id, submission.id = %submission, "EXERCISE queued");
            }
            Ok(LegacyEnqueue::Duplicate(submission)) => {
                tracing::debug!(%backend, ?id, submission.id = %submission, "EXERCISE came again");
            }
            Ok(LegacyEnqueue::Unknown) => {
                if let Some(unlogged) = self.lines.another(Instant::now()) {
                    tracing::warn!(%backend, ?id, unlogged, "EXERCISE of an id that nothing is stored under");
                }
            }
            Ok(LegacyEnqueue::Invalid { owner: _, reason }) => {
                if let Some(unlogged) = self.lines.another(Instant::now()) {
                    tracing::warn!(%backend, ?id, reason, unlogged, "EXERCISE of a draft that cannot run");
                }
            }
            Err(error) => {
                if let Some(unlogged) = self.lines.another(Instant::now()) {
                    let error = Chain(&error);
                    tracing::error!(%backend, ?id, %error, unlogged, "EXERCISE could not be queued");
                }
            }
        }
    }
}

/// Tries until the database has answered; `answers` counts those to all ids.
async fn enqueue(
    app: &App,
    backend: &BackendName,
    id: LegacyId,
    answers: &AtomicU64,
) -> (LegacyId, Result<LegacyEnqueue, app::Error>) {
    let answered_before = answers.load(Ordering::Relaxed);
    let mut pauses = Backoff::between(PAUSES);
    let mut failures = 0;
    loop {
        let outcome = app.enqueue_by_legacy_id(backend, &id).await;
        let Err(app::Error::Unavailable(source)) = &outcome else {
            answers.fetch_add(1, Ordering::Relaxed);
            return (id, outcome);
        };
        failures += 1;
        if failures >= TRIES && answers.load(Ordering::Relaxed) > answered_before {
            return (id, outcome);
        }
        metrics::counter!("guichet_link_retries_total", "link" => backend.to_string()).increment(1);
        tracing::warn!(
            %backend, id = ?id.as_str(), error = %Chain(source), "EXERCISE waits for the database"
        );
        tokio::time::sleep(pauses.next(random())).await;
    }
}

const fn name_of(outcome: &Result<LegacyEnqueue, app::Error>) -> &'static str {
    match outcome {
        Ok(LegacyEnqueue::Enqueued(_)) => "enqueued",
        Ok(LegacyEnqueue::Duplicate(_)) => "duplicate",
        Ok(LegacyEnqueue::Unknown) => "unknown",
        Ok(LegacyEnqueue::Invalid { .. }) => "invalid",
        Err(_) => "failed",
    }
}

const fn counter<'a>(
    view: &'a mut LinkView,
    outcome: &Result<LegacyEnqueue, app::Error>,
) -> Option<&'a mut u64> {
    match outcome {
        Ok(LegacyEnqueue::Enqueued(_)) => Some(&mut view.exercises.enqueued),
        Ok(LegacyEnqueue::Duplicate(_)) => Some(&mut view.exercises.duplicate),
        Ok(LegacyEnqueue::Unknown) => Some(&mut view.exercises.unknown),
        Ok(LegacyEnqueue::Invalid { .. }) => Some(&mut view.exercises.invalid),
        Err(_) => None,
    }
}

/// Counts what became of one packet.
pub fn count(backend: &BackendName, outcome: &'static str) {
    metrics::counter!("guichet_link_exercises_total", "link" => backend.to_string(), "outcome" => outcome)
        .increment(1);
}
