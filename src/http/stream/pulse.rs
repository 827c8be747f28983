//! One clock for all open streams: wakes each when its heartbeat or its end is due, and all of them at the soft stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::open::Open;

/// Streams that are woken at once.
const BATCH: usize = 64;
/// Pause between two batches.
const PAUSE: Duration = Duration::from_millis(1);
/// When an empty clock looks again.
const IDLE: Duration = Duration::from_hours(1);

/// When each open stream is to be looked at next. The lock is held for map operations only.
#[derive(Debug, Default)]
pub struct Pulse {
    due: Mutex<Due>,
    sooner: Notify,
    /// Beside the token that is waited for: streams look at it each time, and a token has one lock for all of them.
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Due {
    streams: BTreeMap<(Instant, u64), Weak<Open>>,
    entered: u64,
}

impl Pulse {
    /// Whether streams are to end once all that waits was told.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Looks at a stream at `at`, and then when it says.
    pub(super) fn enter(&self, at: Instant, stream: &Arc<Open>) {
        self.put(at, Arc::downgrade(stream));
    }

    fn put(&self, at: Instant, stream: Weak<Open>) {
        let mut due = self.lock();
        due.entered = due.entered.wrapping_add(1);
        let key = (at, due.entered);
        due.streams.insert(key, stream);
        if due.streams.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.sooner.notify_one();
        }
    }

    /// Runs until `stop`; every stream that is open then is woken.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let next = self.lock().streams.first_key_value().map(|((at, _), _)| *at);
            let next = next.unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.sooner.notified() => {}
                () = tokio::time::sleep_until(next) => self.look_at_due().await,
            }
        }
        self.stopping.store(true, Ordering::Release);
        let open = std::mem::take(&mut self.lock().streams);
        for (woken, stream) in (1_usize..).zip(open.into_values().filter_map(|stream| stream.upgrade())) {
            stream.wake();
            if woken % BATCH == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn look_at_due(&self) {
        loop {
            let batch = self.take_due();
            let is_last = batch.len() < BATCH;
            for stream in batch {
                if let Some(open) = stream.upgrade()
                    && let Some(next) = open.look(Instant::now())
                {
                    self.put(next, stream);
                }
            }
            if is_last {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn take_due(&self) -> Vec<Weak<Open>> {
        let now = Instant::now();
        let mut due = self.lock();
        let mut taken = Vec::new();
        while taken.len() < BATCH
            && let Some(first) = due.streams.first_entry()
            && first.key().0 <= now
        {
            taken.push(first.remove());
        }
        taken
    }

    /// Locks; what a panicking holder left is still a valid map.
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
