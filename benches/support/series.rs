//! Times by round, and what is told of them: the middle, the slow end, and ratios taken within each round.

use std::time::{Duration, Instant};

/// Times of one thing, in milliseconds, one list for each round.
#[derive(Debug, Default)]
pub struct Series {
    rounds: Vec<Vec<f64>>,
}

impl Series {
    /// Takes a round in.
    pub fn push(&mut self, times: impl IntoIterator<Item = Duration>) {
        self.rounds.push(times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect());
    }

    /// Measures a round of `runs`.
    pub fn measure(&mut self, runs: usize, mut run: impl FnMut()) {
        self.push((0..runs).map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed()
        }));
    }

    /// The middle and the 95th of a hundred, in milliseconds, over all rounds.
    pub fn middle_and_slow(&self) -> (f64, f64) {
        let mut all: Vec<f64> = self.rounds.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        (at(&all, 50), at(&all, 95))
    }

    /// The middle of each round.
    pub fn middles(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| middle(round)).collect()
    }
}

/// The middle of what was measured.
pub fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    at(&sorted, 50)
}

/// The value below which `percent` of the sorted ones lie.
fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted[((sorted.len() - 1) * percent + 50) / 100]
}

/// A figure taken once in each round: its middle, smallest and greatest.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub middle: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { middle: middle(values), least, most }
    }

    /// `above / below`, round by round.
    pub fn ratio(above: &[f64], below: &[f64]) -> Self {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
        Self::of(&ratios)
    }
}
