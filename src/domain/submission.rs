//! A student's program on its way through the counter.
//!
//! ```text
//! draft ──► queued ──► running ──► finished
//!             │  ▲        │  │
//!             │  └────────┘  └──► failed      (infrastructure, after the last attempt)
//!             └──► cancelled ◄┘
//! ```
//!
//! An ended submission whose files changed may be queued again: a new round.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::exercise::{Exercise, Isolation, SourceFile};
use super::ids::{BackendName, ExerciseId, LegacyId, Owner, RuntimeId, SubmissionId};
use super::metadata::Metadata;
use super::queue::{Priority, QueueKey};
use super::time::Timestamp;
use super::verdict::SubmissionResult;

pub use super::failure::{Failure, FailureCode, GivenUp, LostAttempt, LostReason};

/// Where a submission is in its life, with what is known there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// Stored; nobody has asked to run it yet.
    Draft,
    /// It waits.
    Queued {
        /// Where it stands.
        key: QueueKey,
        /// When it entered the queue in this round.
        queued_at: Timestamp,
        /// Attempts of this round that were lost, 0 at first.
        attempt: u32,
    },
    /// A worker holds a lease on it.
    Running {
        /// Where it stood, and stands again if the attempt is lost.
        key: QueueKey,
        /// When it entered the queue in this round.
        queued_at: Timestamp,
        /// The attempt going on, from 1.
        attempt: u32,
        /// When the attempt began.
        started_at: Timestamp,
    },
    /// It was graded.
    Finished(Ended),
    /// It could not be run.
    Failed(Ended),
    /// It was taken back.
    Cancelled(Ended),
}

/// What is known of a round that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The last attempt; 0 if none began.
    pub attempt: u32,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When the round ended.
    pub finished_at: Timestamp,
}

/// The name of a [`State`], as stored and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// [`State::Draft`].
    Draft,
    /// [`State::Queued`].
    Queued,
    /// [`State::Running`].
    Running,
    /// [`State::Finished`].
    Finished,
    /// [`State::Failed`].
    Failed,
    /// [`State::Cancelled`].
    Cancelled,
}

impl StateName {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Queued, Self::Running, Self::Finished, Self::Failed, Self::Cancelled];

    /// Its name in the API, the database and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a round is over in it.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

impl State {
    /// Its name.
    pub const fn name(&self) -> StateName {
        match self {
            Self::Draft => StateName::Draft,
            Self::Queued { .. } => StateName::Queued,
            Self::Running { .. } => StateName::Running,
            Self::Finished(_) => StateName::Finished,
            Self::Failed(_) => StateName::Failed,
            Self::Cancelled(_) => StateName::Cancelled,
        }
    }

    /// Whether the round is over (a draft has no round yet, and isn't).
    pub const fn is_ended(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Failed(_) | Self::Cancelled(_))
    }

    /// Whether its files may be replaced.
    pub const fn is_editable(&self) -> bool {
        matches!(self, Self::Draft) || self.is_ended()
    }

    /// The attempt going on, or the last of the round; 0 before the first.
    pub const fn attempt(&self) -> u32 {
        match self {
            Self::Draft => 0,
            Self::Queued { attempt, .. } | Self::Running { attempt, .. } => *attempt,
            Self::Finished(ended) | Self::Failed(ended) | Self::Cancelled(ended) => ended.attempt,
        }
    }

    /// When the attempt going on, or the last one, began.
    pub const fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Draft | Self::Queued { .. } => None,
            Self::Running { started_at, .. } => Some(*started_at),
            Self::Finished(ended) | Self::Failed(ended) | Self::Cancelled(ended) => ended.started_at,
        }
    }

    /// When the round ended.
    pub const fn finished_at(&self) -> Option<Timestamp> {
        match self {
            Self::Draft | Self::Queued { .. } | Self::Running { .. } => None,
            Self::Finished(ended) | Self::Failed(ended) | Self::Cancelled(ended) => Some(ended.finished_at),
        }
    }

    /// Where it stands in the queue.
    pub const fn queue_key(&self) -> Option<QueueKey> {
        match self {
            Self::Queued { key, .. } => Some(*key),
            Self::Draft | Self::Running { .. } | Self::Finished(_) | Self::Failed(_) | Self::Cancelled(_) => {
                None
            }
        }
    }
}

/// What a run is given in place of an exercise's tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInput {
    /// Standard input.
    pub stdin: Blob,
    /// Arguments.
    pub args: Vec<String>,
}

/// The id that an original backend knows a submission by; unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LegacyRef {
    /// Which backend.
    pub backend: BackendName,
    /// Its id there.
    pub legacy_id: LegacyId,
}

/// An exercise in the version a submission is graded with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExerciseRef {
    /// Its id.
    pub id: ExerciseId,
    /// Its version.
    pub version: u32,
}

/// What is asked of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It is graded by an exercise.
    Graded(ExerciseRef),
    /// It is only run; with an exercise, under the exercise's limits.
    Run {
        /// What the program is given.
        input: RunInput,
        /// Whose limits hold.
        exercise: Option<ExerciseRef>,
    },
}

impl Purpose {
    /// The exercise, if one is named.
    pub const fn exercise(&self) -> Option<&ExerciseRef> {
        match self {
            Self::Graded(exercise) => Some(exercise),
            Self::Run { exercise, .. } => exercise.as_ref(),
        }
    }

    /// The input of a run.
    pub const fn run(&self) -> Option<&RunInput> {
        match self {
            Self::Graded(_) => None,
            Self::Run { input, .. } => Some(input),
        }
    }
}

/// A file without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSize {
    /// Its path, with `/`.
    pub path: String,
    /// How many bytes it has.
    pub bytes: u64,
}

impl FileSize {
    /// What is told of `file`.
    pub fn of(file: &SourceFile) -> Self {
        Self { path: file.path.clone(), bytes: u64::try_from(file.content.len()).unwrap_or(u64::MAX) }
    }
}

/// A submission with everything but the bytes of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// Whose it is.
    pub owner: Owner,
    /// Its id at an original backend.
    pub legacy: Option<LegacyRef>,
    /// What is asked.
    pub purpose: Purpose,
    /// The runtime its program is for.
    pub runtime: RuntimeId,
    /// Its class in the queue.
    pub priority: Priority,
    /// The caller's own JSON object.
    pub metadata: Metadata,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The round going on or ended last, from 1 (also of a draft).
    pub round: u32,
    /// Where it is in its life.
    pub state: State,
    /// The newest result, maybe of an earlier round.
    pub result: Option<SubmissionResult>,
    /// Why it failed, if its state is `failed`.
    pub failure: Option<Failure>,
    /// Its files in their order; `None` where they were not read, and in events of before they were told.
    #[serde(default)]
    pub files: Option<Vec<FileSize>>,
}

/// A submission before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// As in [`Submission`].
    pub owner: Owner,
    /// As in [`Submission`].
    pub legacy: Option<LegacyRef>,
    /// As in [`Submission`].
    pub purpose: Purpose,
    /// As in [`Submission`].
    pub runtime: RuntimeId,
    /// As in [`Submission`].
    pub priority: Priority,
    /// As in [`Submission`].
    pub metadata: Metadata,
    /// The program.
    pub files: Vec<SourceFile>,
    /// Whether it enters the queue at once.
    pub enqueue: bool,
}

/// A leased submission with all that running it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The right to run it.
    pub lease: super::lease::Lease,
    /// The submission, in state `running`.
    pub submission: Submission,
    /// Its files.
    pub files: Vec<SourceFile>,
    /// The exercise in the version it is graded with, if one is named.
    pub exercise: Option<Arc<Exercise>>,
}

impl Work {
    /// The runtime of what its exercise has run beside its program.
    pub fn companion(&self) -> Option<&RuntimeId> {
        match self.submission.purpose {
            Purpose::Graded(_) => self.exercise.as_ref()?.spec.kind.companion(),
            Purpose::Run { .. } => None,
        }
    }

    /// Whether its container may have served others before.
    pub fn isolation(&self) -> Isolation {
        self.exercise.as_ref().map_or(Isolation::Reset, |exercise| exercise.spec.isolation)
    }
}
