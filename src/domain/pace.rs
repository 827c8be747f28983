//! How fast the queue moves, and the estimate that follows.

use serde::{Deserialize, Serialize};

/// A range of whole seconds from now until a submission starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eta {
    /// It hardly starts sooner.
    pub low_s: u64,
    /// It hardly starts later.
    pub high_s: u64,
}

/// Observed pace: durations of recent runs and the slots that work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Slots that work.
    slots: u64,
    /// Programs that run in them at the same time.
    at_once: u64,
    /// A quarter of the recent runs held their slot for less, in milliseconds.
    quick_ms: u64,
    /// A tenth of the recent runs held their slot for longer, in milliseconds.
    slow_ms: u64,
}

/// Assumed before anything was observed, in milliseconds.
const UNKNOWN_MS: (u64, u64) = (50, 2_000);

impl Pace {
    /// The pace of `slots` slots with these recent `durations_ms` (in any order, may be empty).
    pub fn observed(slots: u64, durations_ms: &[u64]) -> Self {
        let mut sorted = durations_ms.to_vec();
        sorted.sort_unstable();
        let at = |tenths: usize| sorted.get(sorted.len().saturating_mul(tenths) / 20).copied();
        let (quick_ms, slow_ms) = (at(5).unwrap_or(UNKNOWN_MS.0), at(18).unwrap_or(UNKNOWN_MS.1));
        Self { slots, at_once: slots, quick_ms, slow_ms }
    }

    /// The pace where at most so many programs run at the same time.
    #[must_use]
    pub fn at_most(self, at_once: u64) -> Self {
        Self { at_once: at_once.min(self.slots), ..self }
    }

    /// Slots that work.
    pub const fn slots(&self) -> u64 {
        self.slots
    }

    /// When the submission at `position` (1 = next) starts, or `None` while no slot works.
    ///
    /// `low` supposes that slots are free or about to be and that all ahead are quick; `high` that every
    /// core has just begun a slow one and all ahead are slow. Both are rounded away from each other. A run may have
    /// waited in its slot for others to end, or not: `low` supposes the one, `high` the other.
    pub fn eta(&self, position: u64) -> Option<Eta> {
        if self.at_once == 0 {
            return None;
        }
        let ahead = position.saturating_sub(1);
        let low_ms = (ahead / self.slots).saturating_mul(self.quick_ms);
        let high_ms = (ahead / self.at_once).saturating_add(1).saturating_mul(self.slow_ms);
        Some(Eta { low_s: low_ms / 1000, high_s: high_ms.div_ceil(1000) })
    }
}

#[cfg(test)]
mod tests {
    use super::{Eta, Pace};

    #[test]
    fn the_range_covers_quick_and_slow_runs_ahead() {
        let pace = Pace::observed(2, &[1000, 1000, 1000, 1000, 5000]);

        assert_eq!(pace.eta(5), Some(Eta { low_s: 2, high_s: 15 }));
    }

    #[test]
    fn where_slots_share_cores_the_range_covers_runs_that_waited_for_each_other_and_runs_that_did_not() {
        let pace = Pace::observed(3, &[1000, 1000, 1000, 1000, 5000]).at_most(2);

        assert_eq!(pace.eta(7), Some(Eta { low_s: 2, high_s: 20 }));
    }

    #[test]
    fn nothing_is_promised_while_no_slot_works() {
        assert_eq!(Pace::observed(0, &[]).eta(1), None);
    }
}
