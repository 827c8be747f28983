//! The one writer: what has queued up is committed together, and answered after the durable commit.
//!
//! ```text
//! write() ──bounded channel──► task: BEGIN IMMEDIATE · op · op · … · COMMIT ──► hints ──► answers
//! ```
//!
//! Nothing waits for company: a group is what arrived before its commit began. An operation that isn't the first of
//! its group has a savepoint of its own, so that one which fails takes nothing with it. Whoever drops his future
//! loses the answer, never the writer.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::submission::Submission;
use crate::storage::{Change, Error, Result};

/// Most operations of one commit.
const GROUP: usize = 64;
/// Operations that may wait before callers do.
const WAITING: usize = 256;

/// A transaction in which an operation runs.
#[derive(Debug)]
pub(super) struct Tx {
    connection: SqliteConnection,
    hints: Vec<Change>,
}

impl Tx {
    /// The connection.
    pub(super) const fn db(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Tells of a change after the commit.
    pub(super) fn hint(&mut self, change: Change) {
        let is_known = match &change {
            // There may be thousands; those of one log follow each other.
            Change::Log { .. } => self.hints.last() == Some(&change),
            Change::Entered { .. } | Change::Left | Change::Cancel { .. } => self.hints.contains(&change),
        };
        if !is_known {
            self.hints.push(change);
        }
    }

    /// Tells after the commit that a log grew.
    pub(super) fn hint_log(&mut self, submission: SubmissionId, owner: &Owner, ends_round: bool) {
        self.hint(Change::Log { submission, owner: owner.clone(), ends_round });
    }

    /// Tells after the commit that a submission entered the queue.
    pub(super) fn hint_entered(&mut self, submission: &Submission) {
        for hint in &mut self.hints {
            if let Change::Entered { runtime, submissions } = hint
                && *runtime == submission.runtime
            {
                *submissions = submissions.saturating_add(1);
                return;
            }
        }
        self.hints.push(Change::Entered { runtime: submission.runtime.clone(), submissions: 1 });
    }
}

/// Hands operations to the writing task.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    operations: mpsc::Sender<Box<dyn Operation>>,
    stop: CancellationToken,
    stopped: CancellationToken,
}

impl Writer {
    /// Starts the writing task.
    ///
    /// * `lock` — held until the task ended.
    pub(super) fn start(
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        lock: File,
        changes: broadcast::Sender<Change>,
        tasks: &TaskTracker,
    ) -> Self {
        let (operations, waiting) = mpsc::channel(WAITING);
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let open = Some(Tx { connection, hints: Vec::new() });
        let task = Task { open, options, waiting, changes, stop: stop.clone() };
        let ended = stopped.clone().drop_guard();
        tasks.spawn(async move {
            task.run().await;
            drop(lock);
            drop(ended);
        });
        Self { operations, stop, stopped }
    }

    /// Runs `work` in a transaction and answers after its commit.
    ///
    /// * `name` — what the operation is called in failpoints.
    pub(super) async fn write<T, F>(&self, name: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let pending = Pending { name, work: Some(work), outcome: None, answer };
        self.operations.send(Box::new(pending)).await.map_err(|_closed| closed())?;
        answered.await.map_err(|_closed| closed())?
    }

    /// Does what was handed over, empties the write-ahead log, and ends the task.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }
}

fn closed() -> Error {
    Error::Unavailable(sqlx::Error::PoolClosed)
}

/// An operation with whoever waits for it.
trait Operation: Send {
    fn name(&self) -> &'static str;
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// Runs it; whether it succeeded.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers after the transaction ended; `failure` says that nothing was committed.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

struct Pending<T, F> {
    name: &'static str,
    work: Option<F>,
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Operation for Pending<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.outcome = Some(work(tx).await);
            }
            matches!(self.outcome, Some(Ok(_)))
        })
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let outcome = match (self.outcome, failure) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure),
            (Some(Ok(done)), None) => Ok(done),
            (None, None) => Err(closed()),
        };
        if self.answer.send(outcome).is_err() {
            tracing::debug!(operation = self.name, "nobody waited for the answer of the database");
        }
    }
}

struct Task {
    /// Between transactions; `None` after a failure, and opened anew for the next one.
    open: Option<Tx>,
    options: SqliteConnectOptions,
    waiting: mpsc::Receiver<Box<dyn Operation>>,
    changes: broadcast::Sender<Change>,
    stop: CancellationToken,
}

impl Task {
    async fn run(mut self) {
        let stop = self.stop.clone();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled(), if !self.waiting.is_closed() => {
                    self.waiting.close();
                    continue;
                }
                first = self.waiting.recv() => first,
            };
            let Some(first) = first else { break };
            if !first.is_abandoned() {
                self.settle(vec![first]).await;
            }
        }
        if let Err(source) = self.leave().await {
            tracing::warn!(error = %source, "the write-ahead log was not emptied; the next start reads it");
        }
    }

    async fn settle(&mut self, mut group: Vec<Box<dyn Operation>>) {
        let begun = Instant::now();
        let committed = self.commit(&mut group).await;
        metrics::histogram!("guichet_database_commit_seconds").record(begun.elapsed().as_secs_f64());
        match committed {
            Ok(hints) => {
                for operation in &group {
                    committed_failpoint(operation.name());
                }
                for hint in hints {
                    // Nobody may be listening.
                    drop(self.changes.send(hint));
                }
                for operation in group {
                    operation.answer(None);
                }
            }
            Err(source) => {
                tracing::error!(error = %source, operations = group.len(), "a transaction of the database failed");
                let source = Arc::new(source);
                // What waited meanwhile would meet the same; its callers know sooner.
                while let Ok(next) = self.waiting.try_recv() {
                    group.push(next);
                }
                for operation in group {
                    let shared = sqlx::Error::Io(std::io::Error::other(Arc::clone(&source)));
                    operation.answer(Some(Error::Unavailable(shared)));
                }
            }
        }
    }

    /// Runs the group, and whoever joins it meanwhile, in one transaction; after an error the connection is not used
    /// again.
    async fn commit(&mut self, group: &mut Vec<Box<dyn Operation>>) -> sqlx::Result<Vec<Change>> {
        let mut tx = match self.open.take() {
            Some(tx) => tx,
            None => Tx { connection: self.options.connect().await?, hints: Vec::new() },
        };
        let (mut begun, mut ran) = (false, 0);
        while let Some(operation) = self.member(group, ran) {
            ran += 1;
            if begun {
                within_savepoint(&mut tx, operation).await?;
                continue;
            }
            sqlx::query("BEGIN IMMEDIATE").execute(tx.db()).await?;
            begun = operation.run(&mut tx).await;
            if !begun {
                tx.hints.clear();
                sqlx::query("ROLLBACK").execute(tx.db()).await?;
            }
        }
        if begun {
            sqlx::query("COMMIT").execute(tx.db()).await?;
        }
        let hints = std::mem::take(&mut tx.hints);
        self.open = Some(tx);
        Ok(hints)
    }

    /// The group's member of that number; if it has none yet, whoever has come meanwhile joins.
    fn member<'g>(
        &mut self,
        group: &'g mut Vec<Box<dyn Operation>>,
        number: usize,
    ) -> Option<&'g mut (dyn Operation + 'static)> {
        while group.len() == number && number < GROUP {
            let next = self.waiting.try_recv().ok()?;
            if !next.is_abandoned() {
                group.push(next);
            }
        }
        group.get_mut(number).map(AsMut::as_mut)
    }

    async fn leave(self) -> sqlx::Result<()> {
        let Some(mut tx) = self.open else { return Ok(()) };
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(tx.db()).await?;
        tx.connection.close().await
    }
}

/// Runs an operation so that it can be undone alone. The savepoint is left open: the commit ends it.
async fn within_savepoint(tx: &mut Tx, operation: &mut dyn Operation) -> sqlx::Result<()> {
    let hints = tx.hints.len();
    sqlx::query("SAVEPOINT operation").execute(tx.db()).await?;
    if !operation.run(tx).await {
        tx.hints.truncate(hints);
        // This fails if the whole transaction is gone.
        sqlx::query("ROLLBACK TO operation").execute(tx.db()).await?;
    }
    Ok(())
}

/// The points at which a test kills the process.
#[cfg(feature = "failpoints")]
fn committed_failpoint(operation: &str) {
    match operation {
        "insert" => {
            crate::failpoint!("committed_before_answer");
        }
        "finish" => {
            crate::failpoint!("finished_before_hint");
        }
        _ => {}
    }
}

#[cfg(not(feature = "failpoints"))]
const fn committed_failpoint(_operation: &str) {}
