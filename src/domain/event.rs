//! What happened to a submission: the entries of its log, written with the change they tell of.

use serde::{Deserialize, Serialize};

use super::ids::{Owner, SubmissionId};
use super::pace::Eta;
use super::submission::{LostReason, Submission};
use super::time::Timestamp;
use super::verdict::{CompileReport, TestReport};

/// One entry of a submission's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Whose log.
    pub submission: SubmissionId,
    /// Its number in the submission's log: 1, 2, 3, … without gaps.
    pub seq: i64,
    /// Whose submission.
    pub owner: Owner,
    /// Its number in the log of all of the owner's submissions; grows, without gaps.
    pub owner_seq: i64,
    /// Round of grading.
    pub round: u32,
    /// Attempt of the round, 0 before the first.
    pub attempt: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// It entered the queue.
    Queued {
        /// Its place then, 1 = next.
        position: u64,
        /// When it may start.
        eta: Option<Eta>,
    },
    /// An attempt began.
    Started {
        /// Its place just before, 1 unless those ahead waited for another runtime.
        position_before: u64,
    },
    /// The compilation ended.
    Compiled {
        /// Its facts.
        compile: CompileReport,
    },
    /// A test ended.
    TestFinished {
        /// Number of tests in all.
        of: u32,
        /// Its facts.
        test: Box<TestReport>,
    },
    /// The attempt was lost and the submission is back in the queue.
    Requeued {
        /// Why.
        reason: LostReason,
        /// Its place now.
        position: u64,
        /// The container that was lost with it, by the id of its engine, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
    },
    /// It was graded.
    Finished {
        /// The submission as it was then.
        submission: Box<Submission>,
    },
    /// It could not be run.
    Failed {
        /// The submission as it was then.
        submission: Box<Submission>,
    },
    /// It was taken back.
    Cancelled {
        /// The submission as it was then.
        submission: Box<Submission>,
    },
}

impl EventBody {
    /// The name of its kind in streams, logs and the database.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "submission.queued",
            Self::Started { .. } => "submission.started",
            Self::Compiled { .. } => "submission.compiled",
            Self::TestFinished { .. } => "submission.test_finished",
            Self::Requeued { .. } => "submission.requeued",
            Self::Finished { .. } => "submission.finished",
            Self::Failed { .. } => "submission.failed",
            Self::Cancelled { .. } => "submission.cancelled",
        }
    }

    /// Whether it ends a round.
    pub const fn ends_round(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Failed { .. } | Self::Cancelled { .. })
    }
}

/// Progress of a running attempt, reported under its lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The compilation ended.
    Compiled(CompileReport),
    /// A test ended.
    TestFinished {
        /// Number of tests in all.
        of: u32,
        /// Its facts.
        test: Box<TestReport>,
    },
}

impl From<Progress> for EventBody {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Compiled(compile) => Self::Compiled { compile },
            Progress::TestFinished { of, test } => Self::TestFinished { of, test },
        }
    }
}
