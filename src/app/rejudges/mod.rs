//! Judging an exercise's submissions again: at once for all, or to see first what would change.

mod follower;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{App, Caller, Conflict, Error};
use crate::chain::Chain;
use crate::domain::ids::{ExerciseId, RejudgeId};
use crate::domain::rejudge::{Rejudge, RejudgeFilter, RejudgeMode};
pub use crate::storage::RejudgeChange;
use crate::storage::{NewRejudge, RejudgeBegun, RejudgeDecided, Rejudges as _};
pub use follower::{RejudgeFollower, mark};

/// Pause between two looks whether more may be queued.
const PAUSE: Duration = Duration::from_millis(250);
/// Pause after the database could not be reached.
const FAULT: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejudgeExercise {
    /// When what comes out counts.
    pub mode: RejudgeMode,
    /// Which submissions.
    pub filter: RejudgeFilter,
}

impl App {
    /// Has what finished or failed for an exercise judged again, with its newest version.
    pub async fn rejudge_exercise(
        &self,
        caller: &Caller,
        exercise: &ExerciseId,
        asked: RejudgeExercise,
    ) -> Result<Rejudge, Error> {
        teaches(caller)?;
        if self.inner.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let RejudgeExercise { mode, filter } = asked;
        if filter.runtime.as_ref().is_some_and(|runtime| !self.inner.runtimes.contains_key(runtime)) {
            return Err(Error::field("/runtime", "there is no such runtime"));
        }
        let new = NewRejudge {
            id: RejudgeId::generate(),
            exercise: exercise.clone(),
            mode,
            filter,
            runtimes: self.inner.runtimes.keys().cloned().collect(),
            asked_by: caller.subject.clone(),
        };
        match self.inner.storage.begin_rejudge(new, self.inner.clock.now()).await? {
            RejudgeBegun::Begun(rejudge) => Ok(rejudge),
            RejudgeBegun::Busy(other) => Err(Error::Conflict(Conflict::RejudgeActive(other))),
            RejudgeBegun::NotFound => Err(Error::NotFound),
        }
    }

    /// How it stands.
    pub async fn rejudge_standing(&self, caller: &Caller, id: RejudgeId) -> Result<Rejudge, Error> {
        teaches(caller)?;
        self.inner.storage.rejudge_standing(id).await?.ok_or(Error::NotFound)
    }

    /// What differs, behind `after`.
    pub async fn rejudge_changes(
        &self,
        caller: &Caller,
        id: RejudgeId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RejudgeChange>, Error> {
        self.rejudge_standing(caller, id).await?;
        Ok(self.inner.storage.rejudge_changes(id, after, limit).await?)
    }

    /// Has what differs in a preview count.
    pub async fn apply_rejudge(&self, caller: &Caller, id: RejudgeId) -> Result<Rejudge, Error> {
        teaches(caller)?;
        decided(id, self.inner.storage.apply_rejudge(id, self.inner.clock.now()).await?)
    }

    /// Drops a preview.
    pub async fn cancel_rejudge(&self, caller: &Caller, id: RejudgeId) -> Result<Rejudge, Error> {
        teaches(caller)?;
        decided(id, self.inner.storage.cancel_rejudge(id, self.inner.clock.now()).await?)
    }

    /// Follows how it goes on until all were judged.
    ///
    /// * `known` — the [`mark`] of what is known already.
    pub fn follow_rejudge(&self, id: RejudgeId, known: Option<String>) -> RejudgeFollower {
        RejudgeFollower::new(self.inner.storage.clone(), id, known)
    }

    /// Queues what is to be judged again as there is room for it, until `stop`.
    pub async fn keep_rejudging(self, stop: CancellationToken) {
        loop {
            let now = self.inner.clock.now();
            let pause = match self.inner.storage.continue_rejudges(self.inner.caps, self.pace(), now).await {
                Ok(0) => PAUSE,
                Ok(_some) => Duration::ZERO,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "what is to be judged again could not be queued");
                    FAULT
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

fn teaches(caller: &Caller) -> Result<(), Error> {
    if caller.teaches() {
        Ok(())
    } else {
        Err(Error::Forbidden("a student may not have submissions judged again"))
    }
}

fn decided(id: RejudgeId, decided: RejudgeDecided) -> Result<Rejudge, Error> {
    match decided {
        RejudgeDecided::Done(rejudge) => Ok(rejudge),
        RejudgeDecided::Running => Err(Error::Conflict(Conflict::RejudgeActive(id))),
        RejudgeDecided::Over => Err(Error::Conflict(Conflict::RejudgeOver)),
        RejudgeDecided::NotFound => Err(Error::NotFound),
    }
}
