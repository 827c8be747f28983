//! The database: everything that must outlive the process. All SQL is below this room.
//!
//! Each method of [`Storage`] is one whole transaction, named in the product's words. Time comes in as an
//! argument. A change and the events that tell of it are one commit; what [`Storage::changes`] sends
//! afterwards is only a hint, which may be lost.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::domain::event::{Event, LogPlace, Progress};
use crate::domain::exercise::{Exercise, ExerciseSpec, SourceFile};
use crate::domain::host::{HostName, HostSettings, HostUpdate, HostWishes};
use crate::domain::ids::{ExerciseId, Owner, SubmissionId, WorkerId};
use crate::domain::lease::{AttemptCaps, Guarded, Lease};
use crate::domain::pace::Pace;
use crate::domain::submission::{GivenUp, LegacyRef, NewSubmission};
use crate::domain::time::Timestamp;

mod checks;
mod exercises;
mod inbox;
mod rejudges;
mod results;
mod sign_in;
pub mod sqlite;
mod values;

pub use checks::*;
pub use exercises::*;
pub use inbox::*;
pub use rejudges::*;
pub use results::*;
pub use sign_in::{LinkDigest, SignIns};
pub use values::*;

/// The database of this process; clones share it.
pub type Store = sqlite::SqliteStorage;

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or written now; nothing of the call is stored.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row says what no state says; another program wrote it.
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

impl Error {
    /// That it cannot be reached or written, and why.
    pub(crate) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::unavailable(source)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self::unavailable(source)
    }
}

/// What every method answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The database in the product's words. Every method is one transaction.
pub trait Storage: SignIns + Rejudges + Checks + Send + Sync + 'static {
    /// The figures made once for this database, and where it is used.
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

    /// Queues a submission that finished or failed for a new round in the class `rejudge`, with the newest version of its
    /// exercise unless that is deleted. What is queued of its owner is not looked at.
    fn rejudge(
        &self,
        id: SubmissionId,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<Rejudged>> + Send;

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

    /// All files of a submission, in their order.
    fn files(&self, id: SubmissionId) -> impl Future<Output = Result<Vec<SourceFile>>> + Send;

    /// Submissions that match, newest first, without their files; their results come without tests.
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

    /// Leases the first queued submission that `runnable` names to `worker`; `None` if none is queued.
    ///
    /// Raises the class's highest started rank, writes the `started` event. `attempt` counts from 1 in a round. A
    /// caller that drops this future may hold a lease that it doesn't know of. The lease outlives this process when this is
    /// answered, and its machine a moment later.
    ///
    /// * `until` — from then on any worker may take it over.
    fn lease_next(
        &self,
        worker: &WorkerId,
        runnable: &[Runnable],
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
    /// no other attempt, or cancelled if that was asked for.
    fn give_up(
        &self,
        lease: &Lease,
        given_up: GivenUp,
        caps: AttemptCaps,
        now: Timestamp,
    ) -> impl Future<Output = Result<Guarded>> + Send;

    /// Gives an attempt back that was stopped on purpose, because this instance ends or an operator took host or container
    /// away: the submission is queued again at its old place, or cancelled if that was asked for. It is no loss: an operator
    /// makes no submission fail.
    fn hand_back(
        &self,
        lease: &Lease,
        given_up: GivenUp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Guarded>> + Send;

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

    /// How long the latest finished attempts took, at most `limit`, and those that run until `now`.
    fn recent_runs(&self, limit: u32, now: Timestamp) -> impl Future<Output = Result<RecentRuns>> + Send;

    /// Events of a submission's log behind `after`; from its start: from the oldest that is kept.
    fn events_since(
        &self,
        id: SubmissionId,
        after: LogPlace,
        limit: u32,
    ) -> impl Future<Output = Result<LogPage>> + Send;

    /// Events of all logs of an owner behind `after`, up to the first that is not kept.
    fn owner_events_since(
        &self,
        owner: &Owner,
        after: LogPlace,
        limit: u32,
    ) -> impl Future<Output = Result<LogPage>> + Send;

    /// Which logs changed since `mark` was given (`None`: nothing is known yet), also by other processes: the truth
    /// behind the hints of [`Storage::changes`], for all who follow a log or a place at once. Costs little if nothing
    /// grew, however long the queue is.
    fn changed_logs(&self, mark: Option<LogMark>) -> impl Future<Output = Result<LogChanges>> + Send;

    /// Those of some submissions that are not stored, or no longer.
    fn missing(&self, of: Vec<SubmissionId>) -> impl Future<Output = Result<Vec<SubmissionId>>> + Send;

    /// The events at these places, oldest first; those that are gone are left out.
    fn events_at(&self, places: Vec<EventPlace>) -> impl Future<Output = Result<Vec<Event>>> + Send;

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

    /// Exercises behind `after`, newest first, without their tests, which are not read.
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

    /// What came of an exercise, also of a deleted one, by the newest results of what was submitted to it; runs don't count.
    /// `None` if there never was such an exercise.
    fn results(
        &self,
        of: &ExerciseId,
        page: ResultsPage,
    ) -> impl Future<Output = Result<Option<ExerciseResults>>> + Send;

    /// Takes in which hosts the settings name now: what was stored of others of them is forgotten, and so are hosts of the API
    /// whose name or URL the settings have. Answers all hosts: those of the settings in their order, then those of the
    /// API by age.
    ///
    /// * `configured` — as they are if nothing is stored of them.
    fn remember_hosts(
        &self,
        configured: Vec<HostSettings>,
    ) -> impl Future<Output = Result<Vec<HostSettings>>> + Send;

    /// Stores a host of the API, whose URL no other has; `false` if its name is taken.
    fn add_host(&self, host: HostSettings) -> impl Future<Output = Result<bool>> + Send;

    /// Stores what an operator wants of a host; answers what he wanted before, `None` if it is not known.
    fn update_host(
        &self,
        name: &HostName,
        change: HostUpdate,
    ) -> impl Future<Output = Result<Option<HostWishes>>> + Send;

    /// Forgets a host of the API; `false` if there is none of that name.
    fn remove_host(&self, name: &HostName) -> impl Future<Output = Result<bool>> + Send;

    /// Deletes what is older than it should get, or over; answers how many submissions went. In several transactions,
    /// each as small as others can wait for.
    fn prune(&self, retention: Retention, now: Timestamp) -> impl Future<Output = Result<u64>> + Send;
}
