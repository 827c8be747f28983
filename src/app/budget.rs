//! Memory that requests and streams may take together: what would spend more is refused before it takes it.
//!
//! ```text
//! exercises and batches        a half, so that single submissions are not refused because of them
//! all other bodies             three tenths
//! streams                      a fifth
//! bodies that prove a caller   a hundredth, beside these
//! ```
//!
//! The parts are of what the process might still use when it started, and count what is known of. Beside that, nothing
//! is given once a quarter of what the process may use is left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Caller, Role};
use crate::domain::ids::Owner;
use crate::memory::Allowed;

/// Most memory for open streams: some ten thousand.
const MOST_STREAMS: u64 = 1 << 30;
/// Most memory for exercises and batches on their way.
const MOST_LARGE: u64 = 512 << 20;
/// Most memory for other bodies on their way.
const MOST_SMALL: u64 = 256 << 20;
/// Most memory for bodies of callers that are not known yet.
const MOST_PROOFS: u64 = 4 << 20;
/// What one stream takes, with its connection.
const STREAM_BYTES: usize = 32 << 10;

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A body of a single thing.
    Small,
    /// An exercise or a batch.
    Large,
    /// A body that proves its caller, who is not known before.
    Proof,
}

/// There is no memory left for this now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory for requests is in use")]
pub struct Overloaded;

/// The memory, in KiB; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    streams: Part,
    large: Part,
    small: Part,
    proofs: Part,
    /// What the whole process may use; `None`: nothing but the parts counts.
    allowed: Option<Arc<Allowed>>,
    /// KiB that bodies of students and teachers hold. The lock is held for map operations only.
    by_subject: Arc<Mutex<HashMap<Owner, usize>>>,
}

/// What is for one purpose.
#[derive(Clone, Debug)]
struct Part {
    free: Arc<Semaphore>,
    most_kib: usize,
}

impl Part {
    fn new(bytes: u64, most_bytes: u64) -> Self {
        let kib = usize::try_from(bytes.min(most_bytes) / 1024).unwrap_or(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(kib)), most_kib: kib }
    }
}

/// A share of it, given back when dropped.
#[derive(Debug)]
pub struct Share {
    of: Part,
    held: OwnedSemaphorePermit,
    /// Who is counted for it.
    subject: Option<Owner>,
    budget: Budget,
}

impl Budget {
    /// Half of what this process may still use.
    pub fn of_process() -> Self {
        let allowed = Allowed::find();
        let free = allowed.free_bytes();
        tracing::info!(free_bytes = free, "half of the free memory is for requests and streams");
        Self { allowed: Some(Arc::new(allowed)), ..Self::new(free / 2) }
    }

    /// A budget of so many bytes.
    pub fn new(bytes: u64) -> Self {
        Self {
            streams: Part::new(bytes / 5, MOST_STREAMS),
            large: Part::new(bytes / 2, MOST_LARGE),
            small: Part::new(bytes / 10 * 3, MOST_SMALL),
            proofs: Part::new(bytes / 100, MOST_PROOFS),
            allowed: None,
            by_subject: Arc::default(),
        }
    }

    /// An empty share for a body of `caller`, which grows with it.
    ///
    /// A student or teacher has either one body or bodies that hold a quarter of their part together: no one keeps the
    /// others out by sending slowly.
    pub fn share(&self, purpose: Purpose, caller: Option<&Caller>) -> Result<Share, Overloaded> {
        let subject = caller.and_then(|caller| match caller.role {
            Role::Student | Role::Teacher => Some(caller.subject.clone()),
            Role::Backend | Role::Admin => None,
        });
        let part = match purpose {
            Purpose::Small => &self.small,
            Purpose::Large => &self.large,
            Purpose::Proof => &self.proofs,
        };
        self.share_of(part, subject)
    }

    /// What one more stream takes.
    pub fn stream(&self) -> Result<Share, Overloaded> {
        let mut share = self.share_of(&self.streams, None)?;
        share.grow_to(STREAM_BYTES)?;
        Ok(share)
    }

    fn share_of(&self, part: &Part, subject: Option<Owner>) -> Result<Share, Overloaded> {
        let held = Arc::clone(&part.free).try_acquire_many_owned(0).map_err(|_closed| Overloaded)?;
        Ok(Share { of: part.clone(), held, subject, budget: self.clone() })
    }
}

impl Share {
    /// The most bytes that there are for this, if it is fewer than these.
    pub const fn too_small_for(&self, bytes: usize) -> Option<usize> {
        if bytes.div_ceil(1024) > self.of.most_kib { Some(self.of.most_kib * 1024) } else { None }
    }

    /// Makes it at least this large.
    ///
    /// # Errors
    /// [`Overloaded`]: it stays as it is.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Overloaded> {
        let wanted = bytes.div_ceil(1024).saturating_sub(self.held.num_permits());
        if wanted > 0 {
            let wanted = u32::try_from(wanted).map_err(|_too_many| Overloaded)?;
            if self
                .budget
                .allowed
                .as_ref()
                .is_some_and(|allowed| allowed.free_bytes() < u64::from(wanted) * 1024)
            {
                return Err(Overloaded);
            }
            let more =
                Arc::clone(&self.of.free).try_acquire_many_owned(wanted).map_err(|_none_left| Overloaded)?;
            self.count(more.num_permits())?;
            self.held.merge(more);
        }
        Ok(())
    }

    /// Counts so many KiB more for whose body it is.
    fn count(&self, more: usize) -> Result<(), Overloaded> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let mut by_subject = self.budget.by_subject.lock().unwrap_or_else(PoisonError::into_inner);
        let all = by_subject.get(subject).copied().unwrap_or(0);
        if all > self.held.num_permits() && all + more > self.of.most_kib / 4 {
            return Err(Overloaded);
        }
        by_subject.insert(subject.clone(), all + more);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(subject) = &self.subject else { return };
        let mut by_subject = self.budget.by_subject.lock().unwrap_or_else(PoisonError::into_inner);
        match by_subject.get_mut(subject) {
            Some(all) if *all > self.held.num_permits() => *all -= self.held.num_permits(),
            Some(_) | None => {
                by_subject.remove(subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Caller, Overloaded, Purpose, Role, STREAM_BYTES};

    const MIB: usize = 1 << 20;

    fn caller(subject: &str, role: Role) -> Caller {
        Caller { subject: subject.parse().unwrap(), role }
    }

    #[test]
    fn bodies_of_one_student_leave_most_to_the_others() {
        let budget = Budget::new(40 << 20);
        let [alice, bob] = ["alice", "bob"].map(|name| caller(name, Role::Student));
        let share = |caller: &Caller, bytes: usize| {
            let mut share = budget.share(Purpose::Small, Some(caller)).unwrap();
            share.grow_to(bytes).map(|()| share)
        };

        let whole = share(&alice, 12 * MIB);
        assert!(whole.is_ok());
        assert_eq!(share(&alice, MIB).err(), Some(Overloaded));
        drop(whole);
        let parts: Vec<_> = (0..3).map(|_| share(&alice, MIB).unwrap()).collect();
        assert_eq!(share(&alice, MIB).err(), Some(Overloaded));
        assert!(share(&bob, 8 * MIB).is_ok());
        drop(parts);
        assert!(budget.by_subject.lock().unwrap().is_empty());
    }

    #[test]
    fn what_would_spend_more_is_refused_and_what_is_given_back_is_there_again() {
        let budget = Budget::new(4 << 20);
        let mut one = budget.share(Purpose::Large, Some(&caller("platform", Role::Backend))).unwrap();
        let mut other = budget.share(Purpose::Large, Some(&caller("platform", Role::Backend))).unwrap();

        assert_eq!(one.grow_to(MIB), Ok(()));
        assert_eq!(other.grow_to(MIB), Ok(()));
        assert_eq!(one.grow_to(MIB), Ok(()));
        assert_eq!(one.grow_to(MIB + 1), Err(Overloaded));

        drop(other);
        assert_eq!(one.grow_to(2 * MIB), Ok(()));
    }

    #[test]
    fn what_can_never_fit_is_told_with_what_can() {
        let share =
            Budget::new(10 << 20).share(Purpose::Large, Some(&caller("platform", Role::Backend))).unwrap();

        assert_eq!(share.too_small_for(5 * MIB), None);
        assert_eq!(share.too_small_for(5 * MIB + 1), Some(5 * MIB));
    }

    #[test]
    fn batches_streams_and_single_submissions_take_nothing_from_each_other() {
        let budget = Budget::new(10 << 20);
        let mut large = budget.share(Purpose::Large, Some(&caller("platform", Role::Backend))).unwrap();
        large.grow_to(5 * MIB).unwrap();
        let streams: Vec<_> = (0..2 * MIB / STREAM_BYTES).map(|_| budget.stream().unwrap()).collect();

        assert!(budget.stream().is_err());
        assert_eq!(
            budget.share(Purpose::Small, Some(&caller("platform", Role::Backend))).unwrap().grow_to(3 * MIB),
            Ok(())
        );
        drop(streams);
        assert!(budget.stream().is_ok());
    }
}
