//! What the database is asked and what it answers: plain values.

use std::time::Duration;

use serde::Serialize;

use crate::domain::event::{Event, LogPlace};
use crate::domain::ids::{ExerciseId, LegacyId, Owner, RuntimeId, SubmissionId, WorkerId};
use crate::domain::lease::Lease;
use crate::domain::queue::QueueKey;
use crate::domain::submission::{StateName, Submission, Work};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{CheckerFault, SubmissionResult, Verdict};

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct QueueCaps {
    /// Submissions that may be queued in all.
    pub total: u64,
    /// Submissions of one owner that may be queued.
    pub per_owner: u64,
    /// Drafts that one owner may have stored.
    pub drafts_per_owner: u64,
}

impl QueueCaps {
    /// For what is never refused.
    pub const NONE: Self = Self { total: u64::MAX, per_owner: u64::MAX, drafts_per_owner: u64::MAX };
}

/// A request that is to be done once.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// Who asks; keys of different subjects are different.
    pub subject: Owner,
    /// The key.
    pub key: String,
    /// SHA-256 of what is asked.
    pub digest: [u8; 32],
}

/// Where a queued submission stands among all queued ones.
pub type Position = u64;

/// A submission and its place, read together.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The submission.
    pub submission: Submission,
    /// Its place in the queue, 1 = next; `None` if it isn't queued.
    pub position: Option<Position>,
}

/// What became of new submissions.
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// They are stored, in this order.
    Stored(Vec<Placed>),
    /// The same request was done before; its submissions as they are now.
    Replayed(Vec<Placed>),
    /// The idempotency key belongs to another request; nothing is stored.
    KeyReused,
    /// Too much is queued in all; nothing is stored.
    QueueFull,
    /// Too much of this owner is queued; nothing is stored.
    TooManyQueued(Owner),
    /// Too many drafts of this owner are stored; nothing more is.
    TooManyDrafts(Owner),
    /// The backend's id of the submission at this place in the list belongs to another; nothing is stored.
    LegacyIdTaken {
        /// Place in the list, from 0.
        index: usize,
        /// Who has it.
        submission: SubmissionId,
    },
}

/// What came of the wish to judge a submission again.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejudged {
    /// It entered the queue for a new round.
    Queued(Box<Placed>),
    /// It is queued or running.
    Active,
    /// It was never graded: a run, a draft, or cancelled.
    NotGraded,
    /// Too much is queued in all.
    QueueFull,
    /// There is no such submission.
    NotFound,
}

/// What became of a wish to enter the queue.
#[derive(Clone, Debug, PartialEq)]
pub enum Enqueued {
    /// It entered the queue (as the first or a new round).
    Queued(Placed),
    /// It was queued, running, or ended with the files it has: nothing happened.
    Unchanged(Placed),
    /// Too much is queued in all.
    QueueFull,
    /// Too much of its owner is queued.
    TooManyQueued,
    /// There is no such submission.
    NotFound,
}

/// What became of new files.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is answered once and taken apart at once")]
pub enum FilesReplaced {
    /// They are stored.
    Replaced(Placed),
    /// It is queued or running: nothing happened.
    Active,
    /// There is no such submission.
    NotFound,
}

/// What became of a wish to cancel.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is answered once and taken apart at once")]
pub enum CancelRequested {
    /// It is cancelled, now or before.
    Cancelled(Placed),
    /// It runs under this lease; the wish is stored, and what ends the lease makes it cancelled.
    Running(Lease),
    /// It finished or failed before.
    Ended,
    /// There is no such submission.
    NotFound,
}

/// What is asked of a list of submissions; `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct SubmissionFilter {
    /// Of this owner.
    pub owner: Option<Owner>,
    /// For this exercise.
    pub exercise_id: Option<ExerciseId>,
    /// In this state.
    pub state: Option<StateName>,
    /// With this verdict in the newest result.
    pub verdict: Option<Verdict>,
    /// Of this backend.
    pub backend: Option<String>,
    /// With this id at a backend.
    pub legacy_id: Option<LegacyId>,
    /// Stored at or after.
    pub created_after: Option<Timestamp>,
    /// Stored before.
    pub created_before: Option<Timestamp>,
}

/// A place in a list of submissions: behind this one, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// When it was stored.
    pub created_at: Timestamp,
    /// Its id.
    pub id: SubmissionId,
}

/// A submission that was just leased.
#[derive(Clone, Debug, PartialEq)]
pub struct Leased {
    /// What to run.
    pub work: Work,
    /// When it entered the queue in this round.
    pub queued_at: Timestamp,
}

/// What became of a lease that was to be renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It is held for longer.
    Held,
    /// It is held for longer, and the submission is to be cancelled.
    CancelRequested,
    /// It is lost.
    Lost,
}

/// What a worker can run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Runnable {
    /// Submissions of this runtime,
    pub runtime: RuntimeId,
    /// also those whose exercise has a program of one of these run beside theirs.
    pub companions: Vec<RuntimeId>,
}

/// How a running submission ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It was graded.
    Finished(Box<SubmissionResult>),
    /// It could not be graded: the exercise is at fault.
    Failed(Box<CheckerFault>),
    /// It was to be cancelled, and no process of it exists any more.
    Cancelled,
}

/// Whose leases are given up.
#[derive(Clone, Debug)]
pub enum Rescue {
    /// Of workers that did not renew them in time.
    Expired,
    /// Of all workers but this one, which has the database alone: they are gone.
    Others(WorkerId),
}

/// What a lost lease came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The submission.
    pub submission: SubmissionId,
    /// Where it is now: queued, failed, or cancelled.
    pub state: StateName,
}

/// One queued submission, for those who show places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which.
    pub submission: SubmissionId,
    /// Whose.
    pub owner: Owner,
    /// What it is to run in.
    pub runtime: RuntimeId,
    /// Where it stands.
    pub key: QueueKey,
    /// Round of grading.
    pub round: u32,
    /// Lost attempts of this round: more than 0 if it is back from running.
    pub attempt: u32,
}

/// What the pace of the queue is drawn from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentRuns {
    /// How long the latest finished attempts took, from lease to end, in milliseconds, newest first.
    pub ended_ms: Vec<u64>,
    /// How long those that run have run, in milliseconds.
    pub running_ms: Vec<u64>,
    /// Submissions that have ever entered the queue.
    pub entered: u64,
}

/// The queue in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// Queued submissions.
    pub queued: u64,
    /// Running submissions.
    pub running: u64,
    /// When the oldest queued one entered the queue.
    pub oldest_queued_at: Option<Timestamp>,
    /// Submissions that finished in the minute before.
    pub finished_last_minute: u64,
}

/// A piece of an event log.
#[derive(Clone, Debug, PartialEq)]
pub enum LogPage {
    /// The events behind the asked place, oldest first; empty at the log's end.
    Events(Vec<Event>),
    /// The log does not reach back to the asked place, or never came to it: also if another event had its number there.
    Unknown,
}

/// An owner's unfinished submissions, and the end of his log at the same moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Queued and running ones, oldest first.
    pub items: Vec<Placed>,
    /// Where the owner's log ends.
    pub end: LogPlace,
}

/// How far all logs had come at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    /// The event committed last, by its place in the order of commits, its submission and its number there.
    pub(in crate::storage) newest: Option<(i64, SubmissionId, i64)>,
}

/// Which logs changed, and up to where that is told; all of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChanges {
    /// The logs that changed.
    pub logs: ChangedLogs,
    /// Queued submissions in all.
    pub queued: u64,
    /// From where to ask on.
    pub mark: LogMark,
}

/// A log that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedLog {
    /// Of which submission.
    pub submission: SubmissionId,
    /// Whose that is.
    pub owner: Owner,
    /// Where it stands if it is queued: what enters or leaves the queue has an event.
    pub queued: Option<QueueEntry>,
    /// Whether it has ended.
    pub is_ended: bool,
    /// Number of the log's newest event.
    pub newest: i64,
    /// The events that were written since, oldest first.
    pub events: Vec<EventPlace>,
}

/// Where an event stands in the order of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace(pub(in crate::storage) i64);

/// Submissions whose logs changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedLogs {
    /// These, each once.
    These(Vec<ChangedLog>),
    /// Any may have: it can't be told, or they are too many to name.
    Any,
}

/// What was made once for this database, and where it is used.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its id; labels containers. A copy of the database has the same.
    pub id: uuid::Uuid,
    /// The data folder's id; labels containers, too. A copy elsewhere has another, and one process at a time has the folder:
    /// all others that had it are gone.
    pub folder: uuid::Uuid,
    /// 32 random bytes that sign stream tickets and cursors.
    pub secret: Vec<u8>,
}

/// A hint that something was committed; what it says was true at that moment. Hints may be lost; the database is the
/// truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A submission's log changed.
    Log {
        /// Which submission.
        submission: SubmissionId,
        /// Whose.
        owner: Owner,
    },
    /// A submission's log changed: its round ended.
    RoundEnded {
        /// Which submission.
        submission: SubmissionId,
        /// Whose.
        owner: Owner,
    },
    /// A draft or an ended submission was deleted: nothing will come of it any more.
    Deleted {
        /// Which submission.
        submission: SubmissionId,
        /// Whose.
        owner: Owner,
    },
    /// A submission entered the queue, or came back.
    Queued,
    /// A submission left the queue.
    Unqueued,
    /// A running submission is to be cancelled.
    Cancel {
        /// Which submission.
        submission: SubmissionId,
        /// In which round; a wish is not for the rounds after it.
        round: u32,
    },
}

/// How old things get before they are deleted.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Ended submissions with their files, results and events; drafts that nobody queued, those in the inbox too.
    pub submissions: Duration,
    /// Event logs of ended submissions.
    pub events: Duration,
}
