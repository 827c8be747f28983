//! How many streams one subject has open: event streams or WebSockets, each kind counted by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::budget::{Overloaded, Share};
use super::{Budget, Caller, Role};
use crate::domain::ids::Owner;

/// Most open streams of a student or teacher: a browser opens six, a class's screen some dozens.
const MOST: usize = 100;

/// Why no further stream is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStream {
    /// The caller has too many open.
    #[error("at most {MOST} streams may be open at once")]
    TooMany,
    /// There is no memory for one more.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

/// Open streams by subject. The lock is held for map operations only.
#[derive(Debug)]
pub struct OpenStreams {
    budget: Budget,
    by_subject: Mutex<HashMap<Owner, usize>>,
}

/// An open stream; counted until it's dropped.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<OpenStreams>,
    subject: Owner,
    _memory: Share,
}

impl Default for OpenStreams {
    /// No streams yet, and memory for as many as there may ever be.
    fn default() -> Self {
        Self::new(Budget::new(u64::MAX))
    }
}

impl OpenStreams {
    /// No streams yet; each will take its part of `budget`.
    pub fn new(budget: Budget) -> Self {
        Self { budget, by_subject: Mutex::default() }
    }

    /// Counts one more stream of `caller`.
    ///
    /// # Errors
    /// Why there can be none; it isn't counted then.
    pub fn open(self: &Arc<Self>, caller: &Caller) -> Result<OpenStream, NoStream> {
        let memory = self.budget.stream()?;
        let mut by_subject = self.lock();
        let open = by_subject.get(&caller.subject).copied().unwrap_or(0);
        match caller.role {
            Role::Student | Role::Teacher if open >= MOST => return Err(NoStream::TooMany),
            Role::Student | Role::Teacher | Role::Backend | Role::Admin => {}
        }
        by_subject.insert(caller.subject.clone(), open + 1);
        Ok(OpenStream { streams: Arc::clone(self), subject: caller.subject.clone(), _memory: memory })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.by_subject.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut by_subject = self.streams.lock();
        match by_subject.get_mut(&self.subject) {
            Some(open) if *open > 1 => *open -= 1,
            Some(_) | None => {
                by_subject.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Budget, Caller, MOST, NoStream, OpenStreams, Role};

    fn caller(subject: &str, role: Role) -> Caller {
        Caller { subject: subject.parse().unwrap(), role }
    }

    #[test]
    fn one_subject_has_no_more_than_a_hundred_streams_and_others_are_not_touched() {
        let streams = Arc::new(OpenStreams::new(Budget::new(1 << 30)));
        let alice = caller("alice", Role::Student);
        let mut open: Vec<_> = (0..MOST).map(|_| streams.open(&alice).unwrap()).collect();

        assert_eq!(streams.open(&alice).err(), Some(NoStream::TooMany));
        assert!(streams.open(&caller("bob", Role::Student)).is_ok());

        open.pop();
        assert!(streams.open(&alice).is_ok());
    }

    #[test]
    fn without_memory_no_stream_is_opened() {
        let streams = Arc::new(OpenStreams::new(Budget::new(0)));

        let refused = streams.open(&caller("alice", Role::Admin)).err();

        assert!(matches!(refused, Some(NoStream::Overloaded(_))));
        assert!(streams.lock().is_empty());
    }

    #[test]
    fn who_left_is_forgotten() {
        let streams = Arc::new(OpenStreams::new(Budget::new(1 << 30)));

        drop(streams.open(&caller("alice", Role::Student)).unwrap());

        assert!(streams.lock().is_empty());
    }
}
