//! How many lines a peer can make us log.

use std::time::Duration;

use tokio::time::Instant;

/// Lines in one stretch of time.
const LINES: u32 = 20;
/// That stretch.
const STRETCH: Duration = Duration::from_mins(1);

/// Lets through a few lines a minute and counts the others.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    since: Instant,
    left: u32,
    unlogged: u64,
}

impl Lines {
    /// A fresh minute.
    pub const fn from(now: Instant) -> Self {
        Self { since: now, left: LINES, unlogged: 0 }
    }

    /// Whether a line may be logged now, and if so how many were not since the last one.
    pub fn another(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.since) >= STRETCH {
            (self.since, self.left) = (now, LINES);
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.unlogged))
            }
            None => {
                self.unlogged = self.unlogged.saturating_add(1);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{LINES, Lines, STRETCH};

    #[test]
    fn a_flood_is_told_by_its_number() {
        let now = Instant::now();
        let mut lines = Lines::from(now);
        let logged = (0..1000).filter(|_| lines.another(now).is_some()).count();

        assert_eq!(u32::try_from(logged), Ok(LINES));
        assert_eq!(lines.another(now + STRETCH), Some(980));
    }
}
