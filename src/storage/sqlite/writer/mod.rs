//! The one writer: what has queued up is committed together, and answered after the durable commit.
//!
//! ```text
//! write() ──bounded channel──► task: BEGIN IMMEDIATE · op · op · … · COMMIT ──► hints ──► answers
//! ```
//!
//! Nothing waits for company: a group is what arrived before its commit began. An operation that isn't the first of
//! its group has a savepoint of its own, so that one which fails takes nothing with it. Whoever drops his future
//! loses the answer, never the writer.
//!
//! An operation may stand: if it found nothing to do, it runs again at the end of each transaction in which a
//! submission entered the queue, before the commit.

mod operation;
mod tx;

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::storage::{Change, Error, Result};
use operation::{Once, Operation, Standing};

pub(super) use tx::Tx;

/// Most operations of one commit.
const GROUP: usize = 64;
/// Operations that may wait before callers do.
const WAITING: usize = 256;

/// Hands operations to the writing task.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    handed: mpsc::Sender<Handed>,
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
        let (handed, waiting) = mpsc::channel(WAITING);
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let open = Some(Tx::new(connection));
        let task = Task {
            open,
            options,
            waiting,
            standing: Vec::new(),
            again: VecDeque::new(),
            changes,
            stop: stop.clone(),
        };
        let ended = stopped.clone().drop_guard();
        // On a thread of its own: each statement waits for SQLite's thread, and a thread is woken at less cost than a
        // task of the runtime.
        let runtime = Handle::current();
        tasks.spawn_blocking(move || {
            runtime.block_on(task.run());
            drop(lock);
            drop(ended);
        });
        Self { handed, stop, stopped }
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
        self.hand(Handed::Operation(Box::new(Once::new(name, work, answer)))).await?;
        answered.await.map_err(|_closed| closed())?
    }

    /// Runs `work` in a transaction, and in each in which a submission entered the queue, until it answers something;
    /// `None` once it is withdrawn. Whoever drops the future doesn't know what was done.
    pub(super) async fn write_or_wait<T, F>(
        &self,
        name: &'static str,
        withdrawn: CancellationToken,
        work: F,
    ) -> Result<Option<T>>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> BoxFuture<'t, Result<Option<T>>> + Send + 'static,
    {
        let (answer, mut answered) = oneshot::channel();
        let standing = Standing::new(name, work, withdrawn.clone(), answer);
        self.hand(Handed::Operation(Box::new(standing))).await?;
        tokio::select! {
            answered = &mut answered => return answered.map_err(|_closed| closed())?,
            () = withdrawn.cancelled() => {}
        }
        // If the writer has ended, so has every operation, and each was answered or dropped.
        drop(self.hand(Handed::Withdrawn).await);
        answered.await.map_err(|_closed| closed())?
    }

    async fn hand(&self, handed: Handed) -> Result<()> {
        self.handed.send(handed).await.map_err(|_closed| closed())
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

/// What comes through the channel.
enum Handed {
    Operation(Box<dyn Operation>),
    /// A standing operation was withdrawn.
    Withdrawn,
}

struct Task {
    /// Between transactions; `None` after a failure, and opened anew for the next one.
    open: Option<Tx>,
    options: SqliteConnectOptions,
    waiting: mpsc::Receiver<Handed>,
    /// What runs again when a submission has entered the queue.
    standing: Vec<Box<dyn Operation>>,
    /// Those of them that still have to run in this transaction.
    again: VecDeque<Box<dyn Operation>>,
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
            match first {
                Some(Handed::Operation(first)) if first.is_abandoned() => {}
                Some(Handed::Operation(first)) => self.settle(first).await,
                Some(Handed::Withdrawn) => self.dismiss(),
                None => break,
            }
        }
        if let Err(source) = self.leave().await {
            tracing::warn!(error = %source, "the write-ahead log was not emptied; the next start reads it");
        }
    }

    async fn settle(&mut self, first: Box<dyn Operation>) {
        let begun = Instant::now();
        let mut group = Vec::new();
        let committed = self.commit(first, &mut group).await;
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
                self.standing.extend(group.extract_if(.., |operation| operation.stands()));
                for operation in group {
                    operation.answer(None);
                }
            }
            Err(source) => self.fail(group, source),
        }
    }

    /// Answers a group of which nothing was committed, and what waited meanwhile: it would meet the same, and its
    /// callers know sooner.
    fn fail(&mut self, mut group: Vec<Box<dyn Operation>>, source: sqlx::Error) {
        tracing::error!(error = %source, operations = group.len(), "a transaction of the database failed");
        self.standing.extend(self.again.drain(..));
        while let Ok(next) = self.waiting.try_recv() {
            match next {
                Handed::Operation(next) => group.push(next),
                Handed::Withdrawn => self.dismiss(),
            }
        }
        let source = Arc::new(source);
        for operation in group {
            let shared = sqlx::Error::Io(std::io::Error::other(Arc::clone(&source)));
            operation.answer(Some(Error::Unavailable(shared)));
        }
    }

    /// Runs an operation, and whoever joins it meanwhile, in one transaction; after an error the connection is not used
    /// again.
    ///
    /// * `group` — those that ran.
    async fn commit(
        &mut self,
        first: Box<dyn Operation>,
        group: &mut Vec<Box<dyn Operation>>,
    ) -> sqlx::Result<Vec<Change>> {
        let mut tx = match self.open.take() {
            Some(tx) => tx,
            None => match self.options.connect().await {
                Ok(connection) => Tx::new(connection),
                Err(source) => {
                    group.push(first);
                    return Err(source);
                }
            },
        };
        let mut begun = false;
        let mut next = Some(first);
        while let Some(mut operation) = next {
            let ran = if begun {
                within_savepoint(&mut tx, operation.as_mut()).await
            } else {
                begin_with(&mut tx, operation.as_mut()).await.map(|succeeded| begun = succeeded)
            };
            group.push(operation);
            ran?;
            next = self.next(group, &mut tx.entered);
        }
        if begun {
            sqlx::query("COMMIT").execute(&mut tx.connection).await?;
        }
        let hints = std::mem::take(&mut tx.hints);
        self.open = Some(tx);
        Ok(hints)
    }

    /// Who runs next in the transaction: whoever has come meanwhile; then, if a submission entered the queue, those
    /// that stand.
    fn next(
        &mut self,
        group: &mut Vec<Box<dyn Operation>>,
        entered: &mut bool,
    ) -> Option<Box<dyn Operation>> {
        while group.len() < GROUP {
            match self.waiting.try_recv() {
                Ok(Handed::Operation(next)) if next.is_abandoned() => {}
                Ok(Handed::Operation(next)) => return Some(next),
                Ok(Handed::Withdrawn) => self.dismiss(),
                Err(_none) => break,
            }
        }
        if std::mem::take(entered) {
            self.again.extend(self.standing.drain(..));
            self.again.extend(group.extract_if(.., |operation| operation.stands()));
        }
        self.again.pop_front()
    }

    /// Answers those that stand and were withdrawn.
    fn dismiss(&mut self) {
        for operation in self.standing.extract_if(.., |operation| !operation.stands()) {
            operation.answer(None);
        }
    }

    async fn leave(self) -> sqlx::Result<()> {
        let Some(mut tx) = self.open else { return Ok(()) };
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut tx.connection).await?;
        tx.connection.close().await
    }
}

/// Begins a transaction with an operation; `false` if it failed or did nothing, and there is no transaction.
///
/// # Errors
/// What the operation failed for, if that cannot be undone: maybe the transaction did not begin.
async fn begin_with(tx: &mut Tx, operation: &mut dyn Operation) -> sqlx::Result<bool> {
    tx.opening = Some("BEGIN IMMEDIATE");
    let succeeded = operation.run(tx).await;
    if tx.opening.take().is_some() {
        return Ok(false);
    }
    if !succeeded {
        tx.hints.clear();
        let undone = sqlx::query("ROLLBACK").execute(&mut tx.connection).await;
        undone.map_err(|source| match operation.failure() {
            Some(failure) => sqlx::Error::Io(std::io::Error::other(failure)),
            None => source,
        })?;
    }
    Ok(succeeded)
}

/// Runs an operation so that it can be undone alone. The savepoint is left open: the commit ends it.
async fn within_savepoint(tx: &mut Tx, operation: &mut dyn Operation) -> sqlx::Result<()> {
    let hints = tx.hints.len();
    tx.opening = Some("SAVEPOINT operation");
    let succeeded = operation.run(tx).await;
    if tx.opening.take().is_none() && !succeeded {
        tx.hints.truncate(hints);
        // This fails if the whole transaction is gone.
        sqlx::query("ROLLBACK TO operation").execute(&mut tx.connection).await?;
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
