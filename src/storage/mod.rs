//! The database: everything that must outlive the process. All SQL is below this room.
//!
//! Each method of [`Storage`] is one whole transaction, named in the product's words. Time comes in as an
//! argument. A change and the events that tell of it are one commit; what [`Storage::changes`] sends
//! afterwards is only a hint that it's worth reading again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::domain::event::{Event, Progress};
use crate::domain::exercise::{Exercise, ExerciseSpec, SourceFile};
use crate::domain::ids::{ExerciseId, LegacyId, Owner, RuntimeId, SubmissionId, WorkerId};
use crate::domain::lease::{AttemptCaps, Guarded, Lease};
use crate::domain::pace::Pace;
use crate::domain::queue::QueueKey;
use crate::domain::submission::{GivenUp, LegacyRef, NewSubmission, StateName, Submission, Work};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{SubmissionResult, Verdict};

pub mod sqlite;

/// The database of this process; clones share it.
pub type Store = sqlite::SqliteStorage;

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or written now; nothing of the call is stored.
    #[error("the database is not available")]
    Unavailable(#[from] sqlx::Error),
    /// A row says what no state says; whoever wrote it was not this program.
    #[error("inconsistent row in {table}, column {column}, key {key}")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// The row's key as text.
        key: String,
    },
    /// The schema was made by a newer program.
    #[error("the database is newer than this program (its migration {0} is unknown here)")]
    TooNew(i64),
    /// The schema could not be brought up to date.
    #[error("the database could not be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// Another process uses the same data folder.
    #[error("the data folder is used by another process")]
    Locked,
    /// The schema is older than this program and must be migrated first.
    #[error("the database must be migrated first")]
    TooOld,
}

/// What every method answers.
pub type Result<T> = std::result::Result<T, Error>;

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

/// A draft in the inbox, as an original backend wrote it there. Texts that are no UTF-8 or far too long for what they
/// are stand here as texts that no rule lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyDraft {
    /// Whose it is.
    pub owner: String,
    /// The exercise it is for.
    pub exercise_id: String,
    /// The runtime its program is for.
    pub runtime: String,
    /// The program's files by their paths; `None` if they are more than was to be read.
    pub files: Option<Vec<SourceFile>>,
}

/// How much of a draft in the inbox is read: anybody who shares the database writes there.
#[derive(Clone, Copy, Debug, Default)]
pub struct DraftBounds {
    /// Most files.
    pub files: usize,
    /// Most bytes of their contents together.
    pub bytes: usize,
    /// Most bytes of a path.
    pub path_bytes: usize,
}

/// What is known of an original backend's id, read at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyStanding {
    /// The submission that has it.
    pub stored: Option<Placed>,
    /// What the inbox holds for it: newer than what is stored.
    pub draft: Option<LegacyDraft>,
}

/// A draft of the inbox that was checked.
#[derive(Clone, Debug)]
pub struct Intake {
    /// As it was read.
    pub draft: LegacyDraft,
    /// How much of it was read.
    pub bounds: DraftBounds,
    /// What it asks for: to be queued, with the id of its backend.
    pub submission: NewSubmission,
}

/// What became of an original backend's wish that a submission enter the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyEnqueued {
    /// It entered the queue (as the first or a new round).
    Queued(SubmissionId),
    /// It was queued or running; or it had ended and has the files it was graded with.
    Unchanged(SubmissionId),
    /// Neither a submission nor a draft in the inbox has the id.
    Unknown,
    /// The inbox holds something else than what was checked: nothing happened.
    InboxChanged,
    /// The submission that has the id is another owner's, or for another exercise: nothing happened.
    BelongsElsewhere,
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
    /// It runs under this lease; the wish is stored, and whoever ends the lease makes it cancelled.
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
    /// It is held for longer, and somebody wants the submission cancelled.
    CancelRequested,
    /// It is lost.
    Lost,
}

/// How a running submission ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It was graded.
    Finished(Box<SubmissionResult>),
    /// Somebody wanted it cancelled, and no process of it exists any more.
    Cancelled,
}

/// Whose leases are given up.
#[derive(Clone, Debug)]
pub enum Rescue {
    /// Of whoever did not renew them in time.
    Expired,
    /// Of this worker, which is known to be gone.
    Worker(WorkerId),
}

/// What a lost lease came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The submission.
    pub submission: SubmissionId,
    /// Where it is now: queued, failed, or cancelled.
    pub state: StateName,
}

/// One queued submission, for whoever shows places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which.
    pub submission: SubmissionId,
    /// Whose.
    pub owner: Owner,
    /// Where it stands.
    pub key: QueueKey,
    /// Round of grading.
    pub round: u32,
    /// Lost attempts of this round: more than 0 if it is back from running.
    pub attempt: u32,
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
    /// The log does not reach back to the asked place, or never came to it.
    Unknown,
}

/// An owner's unfinished submissions, and the end of his log at the same moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Queued and running ones, oldest first.
    pub items: Vec<Placed>,
    /// Number of the last event in the owner's log, 0 if there is none.
    pub owner_seq: i64,
}

/// How far all logs had come at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    /// The event committed last, by its place in the order of commits, its submission and its number there.
    pub(in crate::storage) newest: Option<(i64, SubmissionId, i64)>,
}

/// Which logs grew, and up to where that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Submissions whose logs grew, with their owners.
    pub logs: GrownLogs,
    /// From where to ask on.
    pub mark: LogMark,
}

/// Submissions whose logs grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrownLogs {
    /// These, each once.
    These(Vec<(SubmissionId, Owner)>),
    /// Any may have: it can't be told, or they are too many to name.
    Any,
}

/// What became of a new version of an exercise.
#[derive(Clone, Debug, PartialEq)]
pub enum ExercisePut {
    /// It is new (or new again after a deletion).
    Created(Exercise),
    /// It has a new version.
    Changed(Exercise),
    /// It says what it said before.
    Unchanged(Exercise),
    /// The version expected is not the stored one.
    VersionMismatch,
}

/// A piece of the list of exercises.
#[derive(Clone, Debug, PartialEq)]
pub struct ExercisePage {
    /// Exercises, newest first.
    pub items: Vec<Exercise>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// What a change of an exercise expects of the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Anything,
    /// That it exists.
    Existing,
    /// That there is none.
    Absent,
    /// This version.
    Version(u32),
}

/// What was made once for this database.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Its id; labels containers.
    pub id: uuid::Uuid,
    /// 32 random bytes that sign stream tickets and cursors.
    pub secret: Vec<u8>,
}

/// A hint that something was committed. Hints may be lost; the database is the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A submission's log grew.
    Log {
        /// Which submission.
        submission: SubmissionId,
        /// Whose.
        owner: Owner,
        /// Whether the round going on ended with it.
        ends_round: bool,
    },
    /// Submissions entered or re-entered the queue.
    Entered {
        /// What they wait for.
        runtime: RuntimeId,
        /// How many, at most: one that was undone may be among them.
        submissions: u64,
    },
    /// Somebody left the queue.
    Left,
    /// Somebody wants a running submission cancelled.
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

/// The database in the product's words. Every method is one transaction.
pub trait Storage: Send + Sync + 'static {
    /// The figures made once for this database.
    fn installation(&self) -> impl Future<Output = Result<Installation>> + Send;

    /// Hints about commits of any process; a receiver that lags must read everything again.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// Whether a row can be written now.
    fn check_writable(&self) -> impl Future<Output = Result<()>> + Send;

    /// Stores new submissions, all or none, and queues those that ask for it.
    ///
    /// Each queued one gets the next ticket, its fair rank, and its first event with place and `pace`'s estimate.
    /// A key is kept for 24 h with what it stored. What the inbox holds for an id of theirs is gone then. Caps count
    /// what is queued, and drafts apart from it, those of this call included.
    fn insert(
        &self,
        new: Vec<NewSubmission>,
        key: Option<IdempotencyKey>,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<Inserted>> + Send;

    /// What an idempotency key stored, without storing anything: `None` if the key is unknown or older than 24 h.
    fn replay(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Inserted>>> + Send;

    /// Queues a draft, or an ended submission whose files were replaced since (a new round, attempt from 1 again).
    fn enqueue(
        &self,
        id: SubmissionId,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<Enqueued>> + Send;

    /// Replaces all files of a draft or ended submission. Same paths and bytes as before: nothing changed. What the
    /// inbox holds for its id is gone then.
    fn replace_files(
        &self,
        id: SubmissionId,
        files: Vec<SourceFile>,
        now: Timestamp,
    ) -> impl Future<Output = Result<FilesReplaced>> + Send;

    /// A submission and its place.
    fn submission(&self, id: SubmissionId) -> impl Future<Output = Result<Option<Placed>>> + Send;

    /// The submission with that id at a backend, and what the inbox holds for it.
    fn legacy_standing(
        &self,
        legacy: &LegacyRef,
        bounds: DraftBounds,
    ) -> impl Future<Output = Result<LegacyStanding>> + Send;

    /// Queues what has that id at a backend, past all caps: a draft, or an ended submission whose files or runtime are
    /// others than when it was queued last.
    ///
    /// A draft that the inbox holds is taken in at the same time: it becomes the submission, or replaces the files
    /// and the runtime of the one that has the id, and leaves the inbox. While that one is queued or running it stays
    /// there.
    ///
    /// * `intake` — the draft in the inbox; `None` if there is none.
    fn enqueue_by_legacy(
        &self,
        legacy: &LegacyRef,
        intake: Option<Intake>,
        pace: Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<LegacyEnqueued>> + Send;

    /// One file of a submission.
    fn file(&self, id: SubmissionId, path: &str) -> impl Future<Output = Result<Option<SourceFile>>> + Send;

    /// Submissions that match, newest first; their results come without tests.
    ///
    /// * `limit` — most to answer, 1..=101.
    fn list(
        &self,
        filter: SubmissionFilter,
        after: Option<ListCursor>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Placed>>> + Send;

    /// Cancels what is a draft or queued; of what is running, stores the wish.
    fn cancel(
        &self,
        id: SubmissionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<CancelRequested>> + Send;

    /// Queued submissions of an owner.
    fn queued_of(&self, owner: &Owner) -> impl Future<Output = Result<u64>> + Send;

    /// Leases the first queued submission of one of `runtimes` to `worker`, or `None` if there is none.
    ///
    /// Raises the class's highest started rank, writes the `started` event. `attempt` counts from 1 in a round.
    ///
    /// * `until` — from then on any worker may take it over.
    fn lease_next(
        &self,
        worker: &WorkerId,
        runtimes: &[RuntimeId],
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Option<Leased>>> + Send;

    /// Renews leases; the answers stand in the same order.
    fn renew(
        &self,
        leases: Vec<Lease>,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<Renewed>>> + Send;

    /// Writes the progress of a running attempt into its log.
    fn record(
        &self,
        lease: &Lease,
        progress: Vec<Progress>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Guarded>> + Send;

    /// Ends a running attempt: its last progress, the result and the ending event.
    ///
    /// A wish to cancel that came before wins over a result: the submission is cancelled then.
    fn finish(
        &self,
        lease: &Lease,
        progress: Vec<Progress>,
        ending: Ending,
        now: Timestamp,
    ) -> impl Future<Output = Result<Guarded>> + Send;

    /// Gives an attempt up that was lost: the submission is queued again at its old place, or failed if `caps` allow
    /// no other attempt, or cancelled if somebody wanted that.
    fn give_up(
        &self,
        lease: &Lease,
        given_up: GivenUp,
        caps: AttemptCaps,
        now: Timestamp,
    ) -> impl Future<Output = Result<Guarded>> + Send;

    /// Gives an attempt back that was stopped because this instance ends: the submission is queued again at its old
    /// place with the reason `instance_lost`, or cancelled if somebody wanted that. It is no loss: an operator who
    /// restarts makes no submission fail.
    fn hand_back(&self, lease: &Lease, now: Timestamp) -> impl Future<Output = Result<Guarded>> + Send;

    /// Gives up the leases of workers that are gone, with the reason `instance_lost`.
    fn rescue(
        &self,
        whose: Rescue,
        caps: AttemptCaps,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Rescued>>> + Send;

    /// All queued submissions in order.
    fn queue(&self) -> impl Future<Output = Result<Vec<QueueEntry>>> + Send;

    /// The queue in figures.
    fn queue_figures(&self, now: Timestamp) -> impl Future<Output = Result<QueueFigures>> + Send;

    /// How long the latest finished attempts held their slot, in milliseconds, at most `limit`.
    fn recent_durations(&self, limit: u32) -> impl Future<Output = Result<Vec<u64>>> + Send;

    /// Events of a submission's log behind `after` (0 = from the oldest that is kept).
    fn events_since(
        &self,
        id: SubmissionId,
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<LogPage>> + Send;

    /// Events of all logs of an owner behind `after`, up to the first that is not kept.
    fn owner_events_since(
        &self,
        owner: &Owner,
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<LogPage>> + Send;

    /// Which logs grew since `mark` was given (`None`: nothing is known yet), by whoever wrote to them: the truth
    /// behind the hints of [`Storage::changes`], for all who follow a log at once. Costs little if nothing grew.
    fn grown_logs(&self, mark: Option<LogMark>) -> impl Future<Output = Result<Growth>> + Send;

    /// An owner's unfinished submissions, and where his log ends.
    fn unfinished(&self, owner: &Owner) -> impl Future<Output = Result<Snapshot>> + Send;

    /// Stores an exercise. The numbering of versions goes on after a deletion.
    fn put_exercise(
        &self,
        id: &ExerciseId,
        spec: ExerciseSpec,
        expected: Expected,
        now: Timestamp,
    ) -> impl Future<Output = Result<ExercisePut>> + Send;

    /// The newest version of an exercise that isn't deleted.
    fn exercise(&self, id: &ExerciseId) -> impl Future<Output = Result<Option<Arc<Exercise>>>> + Send;

    /// Exercises behind `after`, newest first.
    ///
    /// * `limit` — most to answer, 1..=100; a page of large ones is shorter.
    fn exercises(
        &self,
        after: Option<ExerciseId>,
        limit: u32,
    ) -> impl Future<Output = Result<ExercisePage>> + Send;

    /// Deletes an exercise: it takes no submissions any more. `None` if there is none, `Some(false)` if it
    /// isn't as expected.
    fn delete_exercise(
        &self,
        id: &ExerciseId,
        expected: Expected,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<bool>>> + Send;

    /// Deletes what is older than it should get; answers how many submissions went. In several transactions,
    /// each as small as others can wait for.
    fn prune(&self, retention: Retention, now: Timestamp) -> impl Future<Output = Result<u64>> + Send;
}
