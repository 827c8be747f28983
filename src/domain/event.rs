//! What happened to a submission: the entries of its log, written with the change they tell of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{InvalidId, Owner, SubmissionId};
use super::pace::Eta;
use super::rejudge::Grade;
use super::submission::{LostReason, Submission};
use super::time::Timestamp;
use super::verdict::{CompileReport, TestReport};

/// The time from one start of the service to the next. Its number is random: no other has it, also not one that only a
/// lost database knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// A place in a log, from which it can be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// Before its first event.
    Start,
    /// Behind an event.
    Behind {
        /// The event's number in the log, from 1.
        seq: i64,
        /// When it was written: another event has had the same number, if a database was put back from a copy.
        epoch: Epoch,
    },
}

impl LogPlace {
    /// The number of the event that stands before it, 0 if there is none.
    pub const fn seq(self) -> i64 {
        match self {
            Self::Start => 0,
            Self::Behind { seq, .. } => seq,
        }
    }

    /// The epoch of that event.
    pub const fn epoch(self) -> Option<Epoch> {
        match self {
            Self::Start => None,
            Self::Behind { epoch, .. } => Some(epoch),
        }
    }
}

/// `0`, or number and epoch, like `12.00f3a1c29b5d7e46`.
impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("0"),
            Self::Behind { seq, epoch } => write!(f, "{seq}.{:016x}", epoch.bits()),
        }
    }
}

impl FromStr for LogPlace {
    type Err = InvalidId;

    /// Reads what is displayed and nothing else: every place has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = match text.split_once('.') {
            None => Some(Self::Start),
            Some((seq, epoch)) => match (seq.parse(), u64::from_str_radix(epoch, 16)) {
                (Ok(seq @ 1..), Ok(bits)) => Some(Self::Behind { seq, epoch: Epoch::from_bits(bits) }),
                (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
            },
        };
        place.filter(|place| place.to_string() == text).ok_or(InvalidId("an event's id"))
    }
}

/// One entry of a submission's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Whose log.
    pub submission: SubmissionId,
    /// Its number in the submission's log: 1, 2, 3, … without gaps.
    pub seq: i64,
    /// In which epoch it was written.
    pub epoch: Epoch,
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

impl Event {
    /// The place behind it in the submission's log.
    pub const fn place(&self) -> LogPlace {
        LogPlace::Behind { seq: self.seq, epoch: self.epoch }
    }

    /// The place behind it in the log of all of the owner's submissions.
    pub const fn owner_place(&self) -> LogPlace {
        LogPlace::Behind { seq: self.owner_seq, epoch: self.epoch }
    }
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
    /// It was judged again with the others of its exercise, and came to something else.
    Rejudged {
        /// What it had come to; `None`: it had no result.
        before: Option<Grade>,
        /// What it came to.
        after: Grade,
        /// The submission as it is since.
        submission: Box<Submission>,
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
            Self::Rejudged { .. } => "submission.rejudged",
            Self::Finished { .. } => "submission.finished",
            Self::Failed { .. } => "submission.failed",
            Self::Cancelled { .. } => "submission.cancelled",
        }
    }

    /// Whether it ends a round.
    pub const fn ends_round(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Failed { .. } | Self::Cancelled { .. })
    }

    /// Whether it tells how a running attempt goes on.
    pub const fn is_progress(&self) -> bool {
        matches!(self, Self::Compiled { .. } | Self::TestFinished { .. })
    }

    /// Whether it shows its submission with the result.
    pub const fn shows_result(&self) -> bool {
        self.ends_round() || matches!(self, Self::Rejudged { .. })
    }

    /// The submission that it shows with its result.
    pub fn submission_mut(&mut self) -> Option<&mut Submission> {
        match self {
            Self::Rejudged { submission, .. }
            | Self::Finished { submission }
            | Self::Failed { submission }
            | Self::Cancelled { submission } => Some(submission),
            Self::Queued { .. }
            | Self::Started { .. }
            | Self::Compiled { .. }
            | Self::TestFinished { .. }
            | Self::Requeued { .. } => None,
        }
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

#[cfg(test)]
mod tests {
    use super::{Epoch, LogPlace};

    #[test]
    fn a_place_in_a_log_has_one_spelling() {
        let behind = LogPlace::Behind { seq: 12, epoch: Epoch::from_bits(0xf3_a1c2_9b5d_7e46) };

        assert_eq!(
            (LogPlace::Start.to_string(), behind.to_string()),
            ("0".into(), "12.00f3a1c29b5d7e46".into())
        );
        assert_eq!(("0".parse(), "12.00f3a1c29b5d7e46".parse()), (Ok(LogPlace::Start), Ok(behind)));
        for other in [
            "",
            "12",
            "00",
            "12.",
            ".00f3a1c29b5d7e46",
            "0.00f3a1c29b5d7e46",
            "-1.00f3a1c29b5d7e46",
            "+1.00f3a1c29b5d7e46",
            "012.00f3a1c29b5d7e46",
            "12.f3a1c29b5d7e46",
            "12.00F3A1C29B5D7E46",
            "12.00f3a1c29b5d7e46 ",
            "12.000f3a1c29b5d7e46",
            "12.5",
            "9223372036854775808.00f3a1c29b5d7e46",
        ] {
            assert!(other.parse::<LogPlace>().is_err(), "{other}");
        }
    }
}
