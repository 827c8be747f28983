//! What the database is asked about an exercise's submissions that are judged again.

use std::future::Future;

use super::{QueueCaps, Result};
use crate::domain::ids::{ExerciseId, Owner, RejudgeId, RuntimeId, SubmissionId};
use crate::domain::pace::Pace;
use crate::domain::rejudge::{Grade, Rejudge, RejudgeFilter, RejudgeMode};
use crate::domain::time::Timestamp;

/// Judging an exercise's submissions again, a part of [`super::Storage`]. Every method is one transaction; what is old,
/// `prune` deletes.
pub trait Rejudges {
    /// Notes which submissions of an exercise are to be judged again, with its newest version: those that finished or failed,
    /// and those that wait or run with an older version, which are judged again once they have ended.
    fn begin_rejudge(
        &self,
        new: NewRejudge,
        now: Timestamp,
    ) -> impl Future<Output = Result<RejudgeBegun>> + Send;

    /// Queues the next submissions that are to be judged again, or copies of them, in the class `rejudge`: a few, as long as not
    /// too many of them wait already and no more than half of the queue is full. Answers for how many nothing is left to do but
    /// to wait.
    fn continue_rejudges(
        &self,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// How it stands.
    fn rejudge_standing(&self, id: RejudgeId) -> impl Future<Output = Result<Option<Rejudge>>> + Send;

    /// What differs, in the order in which the submissions were stored.
    ///
    /// * `after` — the place of the last one that is known, 0 at first.
    /// * `limit` — most to answer, 1..=101.
    fn rejudge_changes(
        &self,
        id: RejudgeId,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RejudgeChange>>> + Send;

    /// Has what differs count, all of it or nothing: each such submission has a new round that ended, and its owner's log tells.
    /// One that has changed since its copy was made stays as it is.
    fn apply_rejudge(
        &self,
        id: RejudgeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<RejudgeDecided>> + Send;

    /// Drops a preview, also one that is not at its end; what of it is queued or runs is cancelled.
    fn cancel_rejudge(
        &self,
        id: RejudgeId,
        now: Timestamp,
    ) -> impl Future<Output = Result<RejudgeDecided>> + Send;
}

/// What is to be judged again.
#[derive(Clone, Debug)]
pub struct NewRejudge {
    /// Its id.
    pub id: RejudgeId,
    /// The exercise.
    pub exercise: ExerciseId,
    /// When what comes out counts.
    pub mode: RejudgeMode,
    /// Which submissions.
    pub filter: RejudgeFilter,
    /// The runtimes that there are; a submission of another could never be leased.
    pub runtimes: Vec<RuntimeId>,
    /// Who asks.
    pub asked_by: Owner,
}

/// What came of the wish to judge an exercise's submissions again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejudgeBegun {
    /// It goes on, or has ended if there are none.
    Begun(Rejudge),
    /// Another goes on for this exercise, or is a preview that was neither applied nor cancelled.
    Busy(RejudgeId),
    /// There is no such exercise.
    NotFound,
}

/// A submission that came to something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejudgeChange {
    /// Its place among those that were judged again, from 1.
    pub place: u64,
    /// Which submission.
    pub submission: SubmissionId,
    /// Whose.
    pub owner: Owner,
    /// What it had come to; `None`: it had no result.
    pub before: Option<Grade>,
    /// What it came to.
    pub after: Grade,
}

/// What came of the wish to apply or to drop a preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejudgeDecided {
    /// It is so, now or before.
    Done(Rejudge),
    /// Not all were judged.
    Running,
    /// It is no preview, or the opposite was decided.
    Over,
    /// There is none.
    NotFound,
}
