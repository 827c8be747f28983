//! How often something happened lately, without a clock of its own.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A number of times in a span of time; it keeps no more instants than that number.
#[derive(Clone, Debug)]
pub struct Recent {
    most: usize,
    span: Duration,
    at: VecDeque<Instant>,
}

impl Recent {
    /// Counts to `most`, at least 1, within any `span`.
    pub const fn new(most: usize, span: Duration) -> Self {
        Self { most, span, at: VecDeque::new() }
    }

    /// Counts once more; whether that makes `most` within the span before `now`.
    pub fn count(&mut self, now: Instant) -> bool {
        self.forget(now);
        if self.at.len() < self.most {
            self.at.push_back(now);
        }
        self.at.len() >= self.most
    }

    /// When it may happen again without there being more than `most` in a span; `None` if it may at once.
    pub fn free_at(&mut self, now: Instant) -> Option<Instant> {
        self.forget(now);
        let oldest = self.at.front().filter(|_oldest| self.at.len() >= self.most)?;
        oldest.checked_add(self.span)
    }

    fn forget(&mut self, now: Instant) {
        while self.at.front().is_some_and(|at| now.duration_since(*at) >= self.span) {
            self.at.pop_front();
        }
        if self.at.is_empty() {
            self.at = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Recent;

    const SPAN: Duration = Duration::from_mins(1);

    #[test]
    fn the_last_of_too_many_within_the_span_is_told() {
        let mut recent = Recent::new(3, SPAN);
        let start = Instant::now();

        let told: Vec<_> = [0, 30, 59].map(|s| recent.count(start + Duration::from_secs(s))).into();

        assert_eq!(told, [false, false, true]);
    }

    #[test]
    fn what_was_before_the_span_does_not_count() {
        let mut recent = Recent::new(3, SPAN);
        let start = Instant::now();

        let told: Vec<_> = [0, 30, 60, 61].map(|s| recent.count(start + Duration::from_secs(s))).into();

        assert_eq!(told, [false, false, false, true]);
    }

    #[test]
    fn it_is_free_again_when_the_oldest_is_a_span_ago() {
        let mut recent = Recent::new(2, SPAN);
        let start = Instant::now();
        recent.count(start);
        assert_eq!(recent.free_at(start), None);

        recent.count(start + Duration::from_secs(10));

        assert_eq!(recent.free_at(start + Duration::from_secs(20)), Some(start + SPAN));
        assert_eq!(recent.free_at(start + SPAN), None);
    }
}
