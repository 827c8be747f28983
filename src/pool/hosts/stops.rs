//! Which containers of a host have stopped, as their engine says: for those that run something in one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Containers of which is told when they stop. The lock is held for map operations only.
#[derive(Debug, Default)]
pub struct Stops {
    listening: Mutex<HashMap<String, CancellationToken>>,
}

/// Knows whether its container has stopped.
#[derive(Debug)]
pub struct Stop {
    stops: Arc<Stops>,
    container: String,
    stopped: CancellationToken,
}

impl Stops {
    /// Listens for the stop of a container, until what this gives is dropped.
    pub fn listen(self: &Arc<Self>, container: &str) -> Stop {
        let stopped = CancellationToken::new();
        self.lock().insert(container.to_owned(), stopped.clone());
        Stop { stops: Arc::clone(self), container: container.to_owned(), stopped }
    }

    /// Notes that a container has died or was paused.
    pub fn note(&self, container: &str) {
        if let Some(stopped) = self.lock().get(container) {
            stopped.cancel();
        }
    }

    /// Locks; what a panicking holder left is still a valid map.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stop {
    /// Waits until it has died or was paused.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stops.lock().remove(&self.container);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::Stops;

    #[test]
    fn who_listens_for_a_container_hears_of_its_stop_and_of_no_other() {
        let stops: Arc<Stops> = Arc::default();
        let [mine, other] = ["mine", "other"].map(|id| stops.listen(id));

        stops.note("mine");
        stops.note("unknown");

        assert_eq!((mine.stopped().now_or_never(), other.stopped().now_or_never()), (Some(()), None));
        drop((mine, other));
        assert!(stops.lock().is_empty());
    }
}
