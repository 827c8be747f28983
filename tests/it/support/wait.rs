//! Waiting for something to become true, with a deadline and a report of what was last seen.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks again and again until `ready` likes what `look` answers.
///
/// # Panics
/// After `deadline`, with the value seen last.
pub async fn wait_for<T: Debug, F: Future<Output = T>>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
    ready: impl Fn(&T) -> bool,
) -> T {
    let begun = Instant::now();
    loop {
        let seen = look().await;
        if ready(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < deadline, "waited {deadline:?} for {what}; last seen: {seen:?}");
        tokio::time::sleep(LOOK).await;
    }
}
