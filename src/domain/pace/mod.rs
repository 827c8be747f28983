//! How fast the queue moves, and the estimate that follows.
//!
//! The estimate is a range that nine of ten submissions should start in. It comes from the durations of recent runs, how
//! long those that run have run already, and how many submissions enter the queue. With a mean duration `m`, its
//! standard deviation `s`, `c` slots and `n` submissions ahead, which share the slots:
//!
//! ```text
//! low  =            ((n - c + 1)·m - k·s·√(n - c + 1)) / c
//! high = residual + (n·m + k·s·√n) / (c·(1 - ρ))
//! ```
//!
//! * A sum of `n` durations has the mean `n·m` and the deviation `s·√n`.
//! * `residual`: what those that run may still take. A run that is met at work is likelier a long one, as long as its
//!   share of the time that all took (the inspection paradox; Feller, *An Introduction to Probability Theory II*, I.4).
//!   `low` supposes that all of them end at once.
//! * `1 - ρ`: those that come later and go ahead, by fairness or by their class, take their share of the slots first (Cobham, *Priority
//!   Assignment in Waiting Line Problems*, 1954). Each that comes is counted, since which of them go ahead is not
//!   known yet; `ρ` stays below 1, since fairness leaves each owner a share.
//! * A run that has taken `a` so far is counted with `2·a`: the middle of what may become of it if nothing else is known.
//!   Without them the first to end would be taken for all: those are the quick ones.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::RuntimeId;
use super::time::Timestamp;

#[cfg(test)]
mod tests;

/// Deviations that a range is wide to each side.
const DEVIATIONS: f64 = 2.0;
/// The share of the slots that those who come later and go ahead take at most.
const MOST_AHEAD: f64 = 0.75;
/// Part of all time spent by runs that are shorter than what one at work may take in all.
const RESIDUAL: f64 = 0.95;
/// Runs that must have ended before anything is said.
const LEAST_KNOWN: usize = 5;
/// How far back entrances count, and how long they are spread over at least.
const ENTRANCES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(1));

/// A range of whole seconds from now until a submission starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eta {
    /// It hardly starts sooner.
    pub low_s: u64,
    /// It hardly starts later.
    pub high_s: u64,
}

/// What was seen of the slots and the queue.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Slots that work.
    pub slots: u64,
    /// Runtimes that programs can run in now.
    pub ready: BTreeSet<RuntimeId>,
    /// How long recent runs took, in milliseconds, in any order.
    pub ended_ms: Vec<u64>,
    /// How long those that run have run so far, in milliseconds, in any order.
    pub running_ms: Vec<u64>,
    /// Submissions that enter the queue in a second.
    pub entered_per_s: f64,
}

/// The pace of the queue; the default one knows nothing and says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    slots: u64,
    /// Slots with nothing to do.
    free: u64,
    ready: BTreeSet<RuntimeId>,
    /// `None` while too little is known.
    runs: Option<Runs>,
}

/// Durations in seconds, and how busy they keep the slots.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Runs {
    mean: f64,
    deviation: f64,
    residual: f64,
    /// The share of the slots that is left for those that wait.
    left: f64,
}

impl Pace {
    /// The pace that follows from what was seen.
    pub fn of(observed: Observed) -> Self {
        let Observed { slots, ready, ended_ms, running_ms, entered_per_s } = observed;
        let durations: Vec<f64> = ended_ms
            .iter()
            .copied()
            .chain(running_ms.iter().map(|age| age.saturating_mul(2)))
            .map(seconds)
            .collect();
        let known = slots > 0 && ended_ms.len() >= LEAST_KNOWN;
        let runs = known.then(|| Runs::of(durations, number(slots), entered_per_s));
        Self { slots, free: 0, ready, runs }
    }

    /// The pace at a moment when so many slots have nothing to do.
    #[must_use]
    pub fn with_free(self, free: u64) -> Self {
        Self { free, ..self }
    }

    /// Slots that work.
    pub const fn slots(&self) -> u64 {
        self.slots
    }

    /// When the submission at `position` (1 = next) starts if it is of `runtime`; `None` while that cannot run, or too
    /// little is known.
    pub fn eta(&self, position: u64, runtime: &RuntimeId) -> Option<Eta> {
        self.ready.contains(runtime).then(|| self.eta_if_ready(position)).flatten()
    }

    /// The same if it is of a runtime that is ready; `None` while none is.
    pub fn eta_if_ready(&self, position: u64) -> Option<Eta> {
        if self.slots == 0 || self.ready.is_empty() {
            return None;
        }
        if position <= self.free {
            return Some(Eta { low_s: 0, high_s: 1 });
        }
        let Runs { mean, deviation, residual, left } = self.runs?;
        let slots = number(self.slots);
        let ahead = number(position.saturating_sub(1));
        let sooner = number(position.saturating_sub(self.slots));
        let low = (sooner * mean - DEVIATIONS * deviation * sooner.sqrt()) / slots;
        let high = residual + (ahead * mean + DEVIATIONS * deviation * ahead.sqrt()) / (slots * left);
        Some(Eta { low_s: whole_seconds(low.floor()), high_s: whole_seconds(high.ceil()).max(1) })
    }
}

impl Runs {
    /// * `durations` — at least one, in seconds.
    /// * `slots` — at least 1.
    fn of(mut durations: Vec<f64>, slots: f64, entered_per_s: f64) -> Self {
        let count = durations.iter().map(|_| 1.0).sum::<f64>();
        let total: f64 = durations.iter().sum();
        let mean = total / count;
        let squares: f64 = durations.iter().map(|duration| (duration - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        durations.sort_unstable_by(f64::total_cmp);
        let mut spent = 0.0;
        let residual = durations.iter().copied().find(|duration| {
            spent += duration;
            spent >= RESIDUAL * total
        });
        let left = 1.0 - (entered_per_s * mean / slots).clamp(0.0, MOST_AHEAD);
        Self { mean, deviation, residual: residual.unwrap_or(mean), left }
    }
}

/// How many entered the queue until when, for about a minute.
#[derive(Debug, Default)]
pub struct Entrances {
    seen: VecDeque<(Timestamp, u64)>,
}

impl Entrances {
    /// Takes in how many have entered until `now`, since ever; how many that were in a second of late.
    pub fn per_s(&mut self, now: Timestamp, entered: u64) -> f64 {
        let (least, most) = ENTRANCES;
        self.seen.push_back((now, entered));
        while self.seen.get(1).is_some_and(|(at, _)| now.millis_since(*at) >= millis(most)) {
            self.seen.pop_front();
        }
        let (since, before) = self.seen.front().copied().unwrap_or((now, entered));
        let span = seconds(now.millis_since(since)).max(least.as_secs_f64());
        number(entered.saturating_sub(before)) / span
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

/// A count; beyond four thousand millions the most.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whole seconds, none if there are fewer.
fn whole_seconds(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds.max(0.0)).map_or(u64::MAX, |duration| duration.as_secs())
}
