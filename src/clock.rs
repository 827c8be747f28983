//! What time it is, and how long to wait for others: only while this process runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::domain::time::Timestamp;

/// Length of one tick of [`Patience`].
const TICK: Duration = Duration::from_millis(250);

/// How late a tick may come; beyond it, this process stood still meanwhile.
const LATE: Duration = Duration::from_millis(250);

/// A clock: the system's, or one that a test moves.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's wall clock.
    System,
    /// Stands still until it's moved.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.millis())))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()),
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the system's stays as it is.
    pub fn advance(&self, by: Duration) {
        match self {
            Self::System => {}
            Self::Manual(millis) => {
                millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
            }
        }
    }
}

/// Ticks that may come late; so many in one wait are no pauses, but a machine that has too much to do.
const MOST_LATE: u32 = 100;

/// How long the silence of others is borne. Only time counts that this process lived through.
///
/// A process may be stopped, and its machine may sleep; what came meanwhile has not been looked at then. So patience is
/// spent in ticks, and a tick that comes late spends none: before all is spent, there was time to look. It ends all the
/// same if the process never runs as it should: when a hundred ticks were late, those after them are spent, too.
#[derive(Debug)]
pub struct Patience {
    left: Duration,
    tick: Duration,
    /// Whether a tick that comes late is spent, too, unless it is the last.
    spends_late_ticks: bool,
    /// Ticks that came late.
    late: u32,
    /// When the tick that goes on began.
    ticking_since: Option<Instant>,
}

impl Patience {
    /// Patience for so long.
    pub const fn new(most: Duration) -> Self {
        Self { left: most, tick: TICK, spends_late_ticks: false, late: 0, ticking_since: None }
    }

    /// Patience that is spent in fewer and longer ticks, for waits that many tasks are in all the time, and that shall not
    /// become much longer on a busy machine. Of a pause at most a tick counts, and the last tick comes in time.
    pub fn in_eighths(most: Duration) -> Self {
        Self { tick: TICK.max(most / 8), spends_late_ticks: true, ..Self::new(most) }
    }

    /// What is left of it.
    pub const fn left(&self) -> Duration {
        self.left
    }

    /// Leaves so much of it at most.
    pub fn shorten_to(&mut self, most: Duration) {
        self.left = self.left.min(most);
    }

    /// Waits until it is spent; dropped and called again, it goes on where it was.
    pub async fn spent(&mut self) {
        while !self.left.is_zero() {
            let since = *self.ticking_since.get_or_insert_with(Instant::now);
            let tick = self.left.min(self.tick);
            sleep_until(since + tick).await;
            self.ticking_since = None;
            let is_late = stood_still(since + tick, Instant::now()) && self.late < MOST_LATE;
            self.late += u32::from(is_late);
            if !is_late || (self.spends_late_ticks && tick < self.left) {
                self.left -= tick;
            }
        }
    }

    /// Waits for an answer until it is spent: then `None`.
    pub async fn wait_for<T>(&mut self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = self.spent() => None,
        }
    }
}

/// Whether this process stood still, for it is `now` though something was to be done when it was `due`.
pub fn stood_still(due: Instant, now: Instant) -> bool {
    now.saturating_duration_since(due) > LATE
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Patience whose tick began so long ago, as if the process had stood still since.
    fn after_a_pause(of: Duration) -> Patience {
        Patience { ticking_since: Instant::now().checked_sub(of), ..Patience::new(SECOND) }
    }

    #[tokio::test]
    async fn time_in_which_the_process_stood_still_spends_no_patience() {
        let mut patience = after_a_pause(SECOND * 16);

        assert_eq!(patience.spent().now_or_never(), None);

        assert_eq!((patience.left(), patience.late), (SECOND, 1));
    }

    #[tokio::test]
    async fn of_patience_in_eighths_a_pause_spends_a_tick_but_never_the_last() {
        let begun = Instant::now().checked_sub(SECOND * 16);
        let mut patience = Patience { ticking_since: begun, ..Patience::in_eighths(SECOND * 8) };
        let mut last = Patience { left: SECOND, ticking_since: begun, ..Patience::in_eighths(SECOND * 8) };

        assert_eq!((patience.spent().now_or_never(), last.spent().now_or_never()), (None, None));

        assert_eq!((patience.left(), last.left()), (SECOND * 7, SECOND));
    }

    #[tokio::test]
    async fn patience_with_a_process_that_is_late_again_and_again_comes_to_its_end() {
        let mut patience = Patience { late: MOST_LATE, ..after_a_pause(SECOND * 16) };

        assert_eq!(patience.spent().now_or_never(), None);

        assert_eq!(patience.left() + TICK, SECOND);
    }

    #[tokio::test]
    async fn patience_that_is_looked_at_again_and_again_comes_to_its_end() {
        let mut patience = Patience::new(TICK);

        while tokio::time::timeout(TICK / 10, patience.spent()).await.is_err() {}

        assert_eq!(patience.left(), Duration::ZERO);
    }

    #[tokio::test]
    async fn an_answer_is_taken_though_no_patience_is_left() {
        let mut patience = Patience::new(Duration::ZERO);

        assert_eq!(patience.wait_for(std::future::ready(1)).await, Some(1));
        assert_eq!(patience.wait_for(std::future::pending::<()>()).await, None);
    }
}
