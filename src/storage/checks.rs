//! What the database is asked about checks of exercises by their reference solutions.

use std::future::Future;

use super::{QueueCaps, Result};
use crate::domain::check::Check;
use crate::domain::ids::{CheckId, Owner};
use crate::domain::pace::Pace;
use crate::domain::submission::{ExerciseRef, NewSubmission};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;

/// Checks, a part of [`super::Storage`]. Every method is one transaction; what is old, `prune` deletes.
pub trait Checks {
    /// Stores and queues what is judged for the solutions, all or none: each is set aside, so that it counts in no list, result,
    /// quota or stream of its owner, and is read by its id. What is queued in all is not to be more than `caps` allow.
    fn begin_check(
        &self,
        new: NewCheck,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<CheckBegun>> + Send;

    /// A check as far as it is.
    fn check(&self, id: CheckId) -> impl Future<Output = Result<Option<Check>>> + Send;
}

/// A check that is to begin.
#[derive(Clone, Debug)]
pub struct NewCheck {
    /// Its id.
    pub id: CheckId,
    /// The exercise in the version that is checked.
    pub exercise: ExerciseRef,
    /// Who asks.
    pub asked_by: Owner,
    /// The solutions, in their order.
    pub items: Vec<NewCheckItem>,
}

/// A solution that is to be judged.
#[derive(Clone, Debug)]
pub struct NewCheckItem {
    /// Its name.
    pub solution: String,
    /// The verdicts of which it must get one.
    pub expected_verdicts: Vec<Verdict>,
    /// What is judged for it.
    pub submission: NewSubmission,
}

/// What came of the wish to check an exercise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckBegun {
    /// All solutions are queued.
    Begun,
    /// Too much is queued in all; nothing is stored.
    QueueFull,
}
