//! How many streams one subject has open: event streams or WebSockets, each kind counted by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Caller, Role};
use crate::domain::ids::Owner;

/// Most open streams of a student or teacher: a browser opens six, a class's screen some dozens.
const MOST: usize = 100;

/// A caller has too many streams open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {MOST} streams may be open at once")]
pub struct TooManyStreams;

/// Open streams by subject. The lock is held for map operations only.
#[derive(Debug, Default)]
pub struct OpenStreams {
    by_subject: Mutex<HashMap<Owner, usize>>,
}

/// An open stream; counted until it's dropped.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<OpenStreams>,
    subject: Owner,
}

impl OpenStreams {
    /// Counts one more stream of `caller`.
    ///
    /// # Errors
    /// [`TooManyStreams`]; it isn't counted then.
    pub fn open(self: &Arc<Self>, caller: &Caller) -> Result<OpenStream, TooManyStreams> {
        let mut by_subject = self.lock();
        let open = by_subject.get(&caller.subject).copied().unwrap_or(0);
        match caller.role {
            Role::Student | Role::Teacher if open >= MOST => return Err(TooManyStreams),
            Role::Student | Role::Teacher | Role::Backend | Role::Admin => {}
        }
        by_subject.insert(caller.subject.clone(), open + 1);
        Ok(OpenStream { streams: Arc::clone(self), subject: caller.subject.clone() })
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

    use super::{Caller, MOST, OpenStreams, Role};

    fn caller(subject: &str, role: Role) -> Caller {
        Caller { subject: subject.parse().unwrap(), role }
    }

    #[test]
    fn one_subject_has_no_more_than_a_hundred_streams_and_others_are_not_touched() {
        let streams = Arc::new(OpenStreams::default());
        let alice = caller("alice", Role::Student);
        let mut open: Vec<_> = (0..MOST).map(|_| streams.open(&alice).unwrap()).collect();

        assert!(streams.open(&alice).is_err());
        assert!(streams.open(&caller("bob", Role::Student)).is_ok());

        open.pop();
        assert!(streams.open(&alice).is_ok());
    }

    #[test]
    fn who_left_is_forgotten() {
        let streams = Arc::new(OpenStreams::default());

        drop(streams.open(&caller("alice", Role::Student)).unwrap());

        assert!(streams.lock().is_empty());
    }
}
