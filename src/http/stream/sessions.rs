//! Sessions of the page that streams are read by: one that its user ends takes its streams with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::open::Open;
use crate::app::sign_in::SessionId;

/// The sessions that requests and streams are under way with. Each lock is held for operations of map and list only.
#[derive(Debug, Default)]
pub struct Sessions {
    watched: Mutex<HashMap<SessionId, Weak<SessionEnd>>>,
}

/// Whether a session was ended while it was watched.
#[derive(Debug, Default)]
pub struct SessionEnd {
    is_over: AtomicBool,
    streams: Mutex<Vec<Weak<Open>>>,
}

impl Sessions {
    /// What tells whether that session is ended from now on.
    pub fn watch(&self, id: SessionId) -> Arc<SessionEnd> {
        let mut watched = lock(&self.watched);
        if let Some(known) = watched.get(&id).and_then(Weak::upgrade) {
            return known;
        }
        // At each doubling: what nothing watches any more is forgotten, at a price that is the same for each.
        if watched.len().is_power_of_two() {
            watched.retain(|_, end| end.strong_count() > 0);
        }
        let end = Arc::default();
        watched.insert(id, Arc::downgrade(&end));
        end
    }

    /// Ends the streams of a session that is ended.
    pub fn end(&self, id: SessionId) {
        let Some(end) = lock(&self.watched).remove(&id).and_then(|end| end.upgrade()) else { return };
        end.is_over.store(true, Ordering::Release);
        for stream in lock(&end.streams).drain(..).filter_map(|stream| stream.upgrade()) {
            stream.wake();
        }
    }
}

impl SessionEnd {
    /// Whether it was ended.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Has a stream woken when it is ended.
    pub(super) fn enter(&self, stream: &Arc<Open>) {
        let mut streams = lock(&self.streams);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(stream));
    }
}

/// Locks; what a panicking holder left is still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Sessions;
    use crate::app::sign_in::SessionId;

    #[test]
    fn the_end_of_a_session_is_told_to_all_that_watch_it_and_to_no_other() {
        let sessions = Sessions::default();
        let (ended, other) = (SessionId::generate(), SessionId::generate());
        let watching = [ended, ended, other].map(|id| sessions.watch(id));

        sessions.end(ended);

        assert_eq!(watching.map(|end| end.is_over()), [true, true, false]);
    }

    #[test]
    fn what_nothing_watches_is_forgotten() {
        let sessions = Sessions::default();
        let kept = sessions.watch(SessionId::generate());

        for _ in 0..1000 {
            drop(sessions.watch(SessionId::generate()));
        }

        assert!(sessions.watched.lock().unwrap().len() <= 4);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
