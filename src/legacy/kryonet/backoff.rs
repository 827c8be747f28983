//! How long a link pauses before it tries again: longer each time, and never all links at the same moment.

use std::time::Duration;

/// A number that differs each time; not for secrets.
pub fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}

/// What held so long is worth trying again at once.
const HELD: Duration = Duration::from_mins(1);

/// Pauses that double, each drawn from the upper half of its range.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: u64,
    max: u64,
    ceiling: u64,
}

impl Backoff {
    /// Pauses between these bounds, in whole milliseconds.
    pub fn between((min, max): (Duration, Duration)) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { min: millis(min), max: millis(max), ceiling: millis(min) }
    }

    /// Begins with short pauses again, if what failed had held long enough.
    pub fn after(&mut self, held: Duration) {
        if held >= HELD {
            self.ceiling = self.min;
        }
    }

    /// The next pause; `random` chooses in its range.
    pub fn next(&mut self, random: u64) -> Duration {
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        let floor = (self.ceiling / 2).max(self.min).min(self.ceiling);
        let range = (self.ceiling - floor).saturating_add(1);
        Duration::from_millis(floor + random.checked_rem(range).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Backoff;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::between((Duration::from_secs(1), Duration::from_secs(30)));
        let pauses: Vec<_> = (0..7).map(|_| backoff.next(0).as_secs()).collect();
        backoff.after(Duration::from_secs(59));
        let after_a_short_time = backoff.next(0);
        backoff.after(Duration::from_mins(1));

        assert_eq!(pauses, [1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(after_a_short_time, Duration::from_secs(15));
        assert_eq!(backoff.next(0), Duration::from_secs(1));
    }

    #[test]
    fn pauses_of_two_links_differ() {
        let pause = |random| Backoff::between((Duration::from_secs(1), Duration::from_secs(30))).next(random);

        assert_ne!(pause(1), pause(2));
    }

    proptest! {
        #[test]
        fn a_pause_keeps_within_its_bounds(
            min in 1..100_000_u64, more in 0..100_000_u64, randoms in prop::collection::vec(any::<u64>(), 1..20),
        ) {
            let bounds = (Duration::from_millis(min), Duration::from_millis(min + more));
            let mut backoff = Backoff::between(bounds);
            for random in randoms {
                let pause = backoff.next(random);
                prop_assert!(pause >= bounds.0 && pause <= bounds.1);
            }
        }
    }
}
