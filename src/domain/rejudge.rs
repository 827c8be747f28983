//! An exercise's submissions, judged again: at once for all, or to see first what would change.

use serde::{Deserialize, Serialize};

use super::ids::{RejudgeId, RuntimeId};
use super::submission::ExerciseRef;
use super::time::Timestamp;
use super::verdict::Verdict;

/// When what comes out counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejudgeMode {
    /// Each submission has a new round, whose result counts as soon as it is there.
    Apply,
    /// Copies are judged; what differs counts when that is asked for, all of it in one step.
    Preview,
}

impl RejudgeMode {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Apply, Self::Preview];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Preview => "preview",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejudgeState {
    /// Not all were judged.
    Running,
    /// All were judged.
    Ended,
    /// Of a preview: what differed counts.
    Applied,
    /// Of a preview: it was dropped.
    Cancelled,
}

impl RejudgeState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Ended, Self::Applied, Self::Cancelled];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Applied => "applied",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What a submission came to, as far as it tells whether it came to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grade {
    /// The outcome.
    pub verdict: Verdict,
    /// Points won.
    pub score: Option<u64>,
    /// Points to win.
    pub max_score: Option<u64>,
}

/// Which submissions of an exercise are meant; `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejudgeFilter {
    /// Of this runtime.
    pub runtime: Option<RuntimeId>,
    /// With this verdict in the newest result.
    pub verdict: Option<Verdict>,
    /// Stored at or after.
    pub created_after: Option<Timestamp>,
    /// Stored before.
    pub created_before: Option<Timestamp>,
}

/// How it stands with the submissions of an exercise that are judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejudge {
    /// Its id.
    pub id: RejudgeId,
    /// The exercise, in the version that all of them are judged with.
    pub exercise: ExerciseRef,
    /// When what comes out counts.
    pub mode: RejudgeMode,
    /// How far it is.
    pub state: RejudgeState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When all were judged, or it was dropped before.
    pub ended_at: Option<Timestamp>,
    /// How many submissions there are.
    pub total: u64,
    /// Of how many of them nothing more will come.
    pub ended: u64,
    /// How many of these have another verdict or other points.
    pub changed: u64,
    /// How many could not be judged.
    pub failed: u64,
    /// How many were cancelled, changed by their owners, or deleted, and stay as they are.
    pub left_out: u64,
}
