//! One `SQLite` file, one writer, durable before it answers.
//!
//! ```text
//! methods that write ──► writer (one thread, one connection, group commit, synchronous=FULL)
//! methods that read  ──► readers (a few connections; several statements for one answer: one read transaction)
//! ```
//!
//! Whatever a place in the queue needs is kept by triggers in small tables of sums (`queue_blocks`,
//! `ticket_blocks`, `classes`, `owners`), so that no method costs more when the queue is long.

mod changed_logs;
mod checks;
mod commands;
mod ending;
mod events;
mod exercises;
mod hosts;
mod idempotency;
mod lease;
mod legacy;
mod losses;
mod open;
mod prune;
mod queue;
mod rejudges;
mod results;
mod rows;
mod sign_in;
mod submissions;
mod versions;
mod writer;

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqlitePool};
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::open::{AddedEngine, Options, inspect};
use self::submissions::Insert;
use self::versions::Versions;
use self::writer::{Tx, Writer};
use super::{
    CancelRequested, Change, DraftBounds, Ending, Enqueued, EventPlace, ExercisePage, ExercisePut,
    ExerciseResults, Expected, FilesReplaced, IdempotencyKey, Inserted, Installation, Intake, Leased,
    LegacyEnqueued, LegacyStanding, ListCursor, LogChanges, LogMark, LogPage, Placed, QueueCaps, QueueEntry,
    QueueFigures, RecentRuns, Rejudged, Renewed, Rescue, Rescued, Result, ResultsPage, Retention, Runnable,
    Snapshot, Storage, SubmissionFilter,
};
use crate::domain::event::{Event, LogPlace, Progress};
use crate::domain::exercise::{Exercise, ExerciseSpec, SourceFile};
use crate::domain::host::{HostName, HostSettings, HostUpdate, HostWishes};
use crate::domain::ids::{ExerciseId, Owner, SubmissionId, WorkerId};
use crate::domain::lease::{AttemptCaps, Guarded, Lease};
use crate::domain::pace::Pace;
use crate::domain::submission::{GivenUp, LegacyRef, NewSubmission};
use crate::domain::time::Timestamp;

/// Hints that a slow listener may fall behind before it must read everything again.
const HINTS: usize = 4096;

/// A database file of this process alone; clones share it.
#[derive(Clone, Debug)]
pub struct SqliteStorage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: SqlitePool,
    versions: Versions,
    changes: broadcast::Sender<Change>,
    /// The id of the folder that the file is in.
    folder: Uuid,
}

impl SqliteStorage {
    /// Opens the file, makes it if it's missing, and starts its writer as one of `tasks`.
    ///
    /// The writer ends after [`SqliteStorage::close`], or when the last clone is dropped.
    ///
    /// # Errors
    /// [`super::Error::Locked`] if another process has it, [`super::Error::TooNew`], [`super::Error::TooOld`] (unless it is to be
    /// migrated), [`super::Error::Migrate`], [`super::Error::Unavailable`]; no lock is held then.
    pub async fn open(options: Options, tasks: &TaskTracker) -> Result<Self> {
        let (lock, folder) = open::lock(&options.path)?;
        open::prepare(&options).await?;
        let readers = open::readers(&options.path).await?;
        let connection = open::writer(&options.path)?;
        let (changes, _) = broadcast::channel(HINTS);
        let writer = Writer::start(connection, options.path, lock, changes.clone(), tasks);
        let versions = Versions::default();
        Ok(Self { inner: Arc::new(Inner { writer, readers, versions, changes, folder }) })
    }

    /// Finishes what was asked, empties the write-ahead log and lets the file go: later calls fail.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.inner.readers.acquire().await?)
    }
}

impl Storage for SqliteStorage {
    async fn installation(&self) -> Result<Installation> {
        let (id, secret): (String, Vec<u8>) = sqlx::query_as("SELECT id, secret FROM installation")
            .fetch_one(&mut *self.reader().await?)
            .await?;
        let id = rows::Row { table: "installation", key: &1 }.text("id", &id)?;
        Ok(Installation { id, folder: self.inner.folder, secret })
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    async fn check_writable(&self) -> Result<()> {
        self.inner.writer.write("check_writable", |tx| open::probe(tx)).await
    }

    async fn insert(
        &self,
        new: Vec<NewSubmission>,
        key: Option<IdempotencyKey>,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> Result<Inserted> {
        let asked = Insert { new, key, caps, pace, now };
        self.inner.writer.write("insert", |tx| submissions::insert(tx, asked)).await
    }

    async fn replay(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Inserted>> {
        let mut read = self.inner.readers.begin().await?;
        let replayed = idempotency::replay(&mut read, key, now).await?;
        read.rollback().await?;
        Ok(replayed)
    }

    async fn enqueue(
        &self,
        id: SubmissionId,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> Result<Enqueued> {
        self.inner.writer.write("enqueue", move |tx| commands::enqueue(tx, id, caps, &pace, now)).await
    }

    async fn rejudge(
        &self,
        id: SubmissionId,
        caps: QueueCaps,
        pace: Pace,
        now: Timestamp,
    ) -> Result<Rejudged> {
        self.inner.writer.write("rejudge", move |tx| commands::rejudge(tx, id, caps, &pace, now)).await
    }

    async fn replace_files(
        &self,
        id: SubmissionId,
        files: Vec<SourceFile>,
        _now: Timestamp,
    ) -> Result<FilesReplaced> {
        self.inner.writer.write("replace_files", move |tx| commands::replace_files(tx, id, files)).await
    }

    async fn submission(&self, id: SubmissionId) -> Result<Option<Placed>> {
        submissions::by_id(&mut *self.reader().await?, id).await
    }

    async fn legacy_standing(&self, legacy: &LegacyRef, bounds: DraftBounds) -> Result<LegacyStanding> {
        let mut read = self.inner.readers.begin().await?;
        let standing = legacy::standing(&mut read, legacy, bounds).await?;
        read.rollback().await?;
        Ok(standing)
    }

    async fn enqueue_by_legacy(
        &self,
        legacy: &LegacyRef,
        intake: Option<Intake>,
        pace: Pace,
        now: Timestamp,
    ) -> Result<LegacyEnqueued> {
        let legacy = legacy.clone();
        self.inner
            .writer
            .write("enqueue_by_legacy", move |tx| legacy::enqueue(tx, &legacy, intake, pace, now))
            .await
    }

    async fn file(&self, id: SubmissionId, path: &str) -> Result<Option<SourceFile>> {
        submissions::file(&mut *self.reader().await?, id, path).await
    }

    async fn files(&self, id: SubmissionId) -> Result<Vec<SourceFile>> {
        submissions::files(&mut *self.reader().await?, id).await
    }

    async fn list(
        &self,
        filter: SubmissionFilter,
        after: Option<ListCursor>,
        limit: u32,
    ) -> Result<Vec<Placed>> {
        submissions::list(&mut *self.reader().await?, &filter, after, limit).await
    }

    async fn cancel(&self, id: SubmissionId, now: Timestamp) -> Result<CancelRequested> {
        self.inner.writer.write("cancel", move |tx| commands::cancel(tx, id, now)).await
    }

    async fn queued_of(&self, owner: &Owner) -> Result<u64> {
        queue::queued_of(&mut *self.reader().await?, owner).await
    }

    async fn lease_next(
        &self,
        worker: &WorkerId,
        runnable: &[Runnable],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Leased>> {
        let (inner, worker, runnable) = (Arc::clone(&self.inner), worker.clone(), runnable.to_vec());
        let next = move |tx: &mut Tx| lease::next(tx, &inner.versions, &worker, &runnable, now, until);
        let leased = self.inner.writer.write_soon("lease_next", next).await?;
        leased.map(|leased| leased.complete(&self.inner.versions)).transpose()
    }

    async fn renew(&self, leases: Vec<Lease>, until: Timestamp) -> Result<Vec<Renewed>> {
        self.inner.writer.write("renew", move |tx| lease::renew(tx, &leases, until)).await
    }

    async fn record(&self, lease: &Lease, progress: Vec<Progress>, now: Timestamp) -> Result<Guarded> {
        let lease = lease.clone();
        self.inner.writer.write("record", move |tx| lease::record(tx, &lease, progress, now)).await
    }

    async fn finish(
        &self,
        lease: &Lease,
        progress: Vec<Progress>,
        ending: Ending,
        now: Timestamp,
    ) -> Result<Guarded> {
        let lease = lease.clone();
        self.inner.writer.write("finish", move |tx| lease::finish(tx, &lease, progress, ending, now)).await
    }

    async fn give_up(
        &self,
        lease: &Lease,
        given_up: GivenUp,
        caps: AttemptCaps,
        now: Timestamp,
    ) -> Result<Guarded> {
        let lease = lease.clone();
        self.inner.writer.write("give_up", move |tx| lease::give_up(tx, &lease, given_up, caps, now)).await
    }

    async fn hand_back(&self, lease: &Lease, given_up: GivenUp, now: Timestamp) -> Result<Guarded> {
        let lease = lease.clone();
        self.inner.writer.write("hand_back", move |tx| lease::hand_back(tx, &lease, given_up, now)).await
    }

    async fn rescue(&self, whose: Rescue, caps: AttemptCaps, now: Timestamp) -> Result<Vec<Rescued>> {
        self.inner.writer.write("rescue", move |tx| lease::rescue(tx, &whose, caps, now)).await
    }

    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        queue::all(&mut *self.reader().await?).await
    }

    async fn queue_figures(&self, now: Timestamp) -> Result<QueueFigures> {
        queue::figures(&mut *self.reader().await?, now).await
    }

    async fn recent_runs(&self, limit: u32, now: Timestamp) -> Result<RecentRuns> {
        queue::recent_runs(&mut *self.reader().await?, limit, now).await
    }

    async fn events_since(&self, id: SubmissionId, after: LogPlace, limit: u32) -> Result<LogPage> {
        events::of_submission(&mut *self.reader().await?, id, after, limit).await
    }

    async fn owner_events_since(&self, owner: &Owner, after: LogPlace, limit: u32) -> Result<LogPage> {
        events::of_owner(&mut *self.reader().await?, owner, after, limit).await
    }

    async fn changed_logs(&self, mark: Option<LogMark>) -> Result<LogChanges> {
        let mut read = self.inner.readers.begin().await?;
        let changes = changed_logs::since(&mut read, mark).await?;
        read.rollback().await?;
        Ok(changes)
    }

    async fn missing(&self, of: Vec<SubmissionId>) -> Result<Vec<SubmissionId>> {
        submissions::missing(&mut *self.reader().await?, &of).await
    }

    async fn events_at(&self, places: Vec<EventPlace>) -> Result<Vec<Event>> {
        events::at(&mut *self.reader().await?, &places).await
    }

    async fn unfinished(&self, owner: &Owner) -> Result<Snapshot> {
        let mut read = self.inner.readers.begin().await?;
        let snapshot = events::snapshot(&mut read, owner).await?;
        read.rollback().await?;
        Ok(snapshot)
    }

    async fn put_exercise(
        &self,
        id: &ExerciseId,
        spec: ExerciseSpec,
        expected: Expected,
        now: Timestamp,
    ) -> Result<ExercisePut> {
        let (id, inner) = (id.clone(), Arc::clone(&self.inner));
        // A long one would keep the writer from all others.
        let written = tokio::task::spawn_blocking(move || exercises::Written::of(spec));
        let written = written.await.map_err(super::Error::unavailable)??;
        self.inner
            .writer
            .write("put_exercise", move |tx| exercises::put(tx, &inner.versions, &id, written, expected, now))
            .await
    }

    async fn exercise(&self, id: &ExerciseId) -> Result<Option<Arc<Exercise>>> {
        let versions = &self.inner.versions;
        if let Some(known) = versions.newest(id) {
            return Ok(Some(known));
        }
        let mut read = self.reader().await?;
        let Some(newest) = exercises::newest_version(&mut read, id).await? else { return Ok(None) };
        versions.learn_newest(&newest);
        if let Some(known) = versions.get(&newest) {
            return Ok(Some(known));
        }
        let row = exercises::version(&mut read, &newest).await?;
        row.map(|row| versions.keep(row)).transpose()
    }

    async fn exercises(&self, after: Option<ExerciseId>, limit: u32) -> Result<ExercisePage> {
        let mut read = self.inner.readers.begin().await?;
        let page = exercises::list(&mut read, after.as_ref(), limit).await?;
        read.rollback().await?;
        Ok(page)
    }

    async fn delete_exercise(
        &self,
        id: &ExerciseId,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Option<bool>> {
        let (id, inner) = (id.clone(), Arc::clone(&self.inner));
        self.inner
            .writer
            .write("delete_exercise", move |tx| exercises::delete(tx, &inner.versions, &id, expected, now))
            .await
    }

    async fn results(&self, of: &ExerciseId, page: ResultsPage) -> Result<Option<ExerciseResults>> {
        let mut read = self.inner.readers.begin().await?;
        let results = results::read(&mut read, of, &page).await?;
        read.rollback().await?;
        Ok(results)
    }

    async fn remember_hosts(&self, configured: Vec<HostSettings>) -> Result<Vec<HostSettings>> {
        self.inner.writer.write("remember_hosts", move |tx| hosts::remember(tx, configured)).await
    }

    async fn add_host(&self, host: HostSettings) -> Result<bool> {
        self.inner.writer.write("add_host", move |tx| hosts::add(tx, &host)).await
    }

    async fn update_host(&self, name: &HostName, change: HostUpdate) -> Result<Option<HostWishes>> {
        let name = name.clone();
        self.inner.writer.write("update_host", move |tx| hosts::update(tx, &name, change)).await
    }

    async fn remove_host(&self, name: &HostName) -> Result<bool> {
        let name = name.clone();
        self.inner.writer.write("remove_host", move |tx| hosts::remove(tx, &name)).await
    }

    async fn prune(&self, retention: Retention, now: Timestamp) -> Result<u64> {
        prune::prune(&self.inner.writer, retention, now).await
    }
}
