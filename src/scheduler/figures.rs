//! What operators read in `/metrics` about the queue, the slots and the phases of attempts; `docs/metrics.md` lists all.

use std::time::Duration;

use crate::domain::verdict::Timings;
use crate::pool::Free;
use crate::storage::QueueFigures;

/// Shows how long the queue is, how old its oldest submission, and how many run.
///
/// * `oldest_ms` — age of the oldest queued submission in milliseconds, 0 if none is queued.
pub(super) fn show_queue(figures: &QueueFigures, oldest_ms: u64) {
    metrics::gauge!("guichet_queue_length").set(bounded(figures.queued));
    metrics::gauge!("guichet_queue_oldest_seconds").set(Duration::from_millis(oldest_ms));
    metrics::gauge!("guichet_running").set(bounded(figures.running));
}

/// Shows how many slots there are and how many are free.
pub(super) fn show_slots(free: &Free) {
    for (state, slots) in [("free", free.free), ("total", free.total)] {
        metrics::gauge!("guichet_slots", "state" => state).set(u32::try_from(slots).unwrap_or(u32::MAX));
    }
}

/// Counts how long the phases of a graded attempt took.
pub(super) fn count_phases(timings: &Timings) {
    let phases = [
        ("queued", timings.queued_ms),
        ("prepared", timings.prepared_ms),
        ("compiled", timings.compiled_ms),
        ("tested", timings.tested_ms),
        ("stored", timings.stored_ms),
    ];
    for (phase, millis) in phases {
        metrics::histogram!("guichet_phase_seconds", "phase" => phase).record(Duration::from_millis(millis));
    }
}

fn bounded(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
