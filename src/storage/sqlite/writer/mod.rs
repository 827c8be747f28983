//! The one writer: what has queued up is committed together, and answered after the durable commit.
//!
//! ```text
//! write() ──bounded channel──► thread: BEGIN IMMEDIATE · op · op · … · COMMIT ──► hints ──► answers
//! lease   ──┘                          BEGIN IMMEDIATE · lease · COMMIT ──► answer ──► sync ──► hints
//! ```
//!
//! A lease that comes first is answered before the disk has it, so that its program starts meanwhile.
//!
//! Nothing waits for company: a group is what arrived before its commit began. An operation that isn't the first of
//! its group has a savepoint of its own, so that one which fails takes nothing with it. A caller that drops his future
//! loses the answer, never the writer.
//!
//! The thread calls `SQLite` itself: where each statement is handed to another thread, the hand-overs cost several times
//! what the statements do.

mod operation;
mod tx;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::open;
use crate::storage::{self, Change, Error};
use operation::{Answered, Operation, Work};

pub(super) use tx::Tx;

/// Most operations of one commit.
const GROUP: usize = 64;
/// Operations that may wait before callers do.
const WAITING: usize = 256;

/// Hands operations to the writing thread.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    handed: mpsc::Sender<Handed>,
    stopped: CancellationToken,
}

impl Writer {
    /// Starts the writing thread.
    ///
    /// * `path` — of the database, to open it again after a failure.
    /// * `lock` — held until the thread ended.
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        lock: File,
        changes: broadcast::Sender<Change>,
        tasks: &TaskTracker,
    ) -> Self {
        let (handed, waiting) = mpsc::channel(WAITING);
        let stopped = CancellationToken::new();
        let open = Some(Tx::new(connection));
        let thread = Thread { open, log: None, path, waiting, changes };
        let ended = stopped.clone().drop_guard();
        tasks.spawn_blocking(move || {
            thread.run();
            drop(lock);
            drop(ended);
        });
        Self { handed, stopped }
    }

    /// Runs `work` in a transaction and answers after its commit.
    ///
    /// * `name` — what the operation is called in failpoints.
    pub(super) async fn write<T, F>(&self, name: &'static str, work: F) -> storage::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> storage::Result<T> + Send + 'static,
    {
        self.run(name, Answered::OnDisk, work).await
    }

    /// The same, answered before the disk has it: for what a machine that dies at this moment may forget.
    pub(super) async fn write_soon<T, F>(&self, name: &'static str, work: F) -> storage::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> storage::Result<T> + Send + 'static,
    {
        self.run(name, Answered::Committed, work).await
    }

    async fn run<T, F>(&self, name: &'static str, when: Answered, work: F) -> storage::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> storage::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.hand(Handed::Operation(Box::new(Work::new(name, when, work, answer)))).await?;
        answered.await.map_err(|_closed| closed())?
    }

    async fn hand(&self, handed: Handed) -> storage::Result<()> {
        self.handed.send(handed).await.map_err(|_closed| closed())
    }

    /// Does what was handed over, empties the write-ahead log, and ends the thread.
    pub(super) async fn close(&self) {
        // An error means that the thread has ended.
        drop(self.hand(Handed::Close).await);
        self.stopped.cancelled().await;
    }
}

/// Why a group failed.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn closed() -> Error {
    Error::unavailable("the database is closed")
}

/// What comes through the channel.
enum Handed {
    Operation(Box<dyn Operation>),
    /// Nothing more shall be taken in.
    Close,
}

/// What a group came to.
struct Committed {
    /// What is to be told when the disk has it.
    hints: Vec<Change>,
    /// Whether the disk has anything to get.
    is_change: bool,
}

struct Thread {
    /// Between transactions; `None` after a failure, and opened anew for the next one.
    open: Option<Tx>,
    /// The write-ahead log, once it was synced by itself.
    log: Option<File>,
    path: PathBuf,
    waiting: mpsc::Receiver<Handed>,
    changes: broadcast::Sender<Change>,
}

impl Thread {
    fn run(mut self) {
        while let Some(handed) = self.waiting.blocking_recv() {
            if let Some(first) = self.take(handed) {
                self.settle(first);
            }
        }
        if let Err(source) = self.leave() {
            tracing::warn!(error = %source, "the write-ahead log was not emptied; the next start reads it");
        }
    }

    /// The operation that was handed over, if it is one whose answer is awaited.
    fn take(&mut self, handed: Handed) -> Option<Box<dyn Operation>> {
        match handed {
            Handed::Operation(operation) => Some(operation).filter(|operation| !operation.is_abandoned()),
            Handed::Close => {
                self.waiting.close();
                None
            }
        }
    }

    fn settle(&mut self, first: Box<dyn Operation>) {
        let (begun, answered) = (Instant::now(), first.answered());
        let mut group = Vec::new();
        let committed = match self.commit(first, &mut group) {
            Ok(committed) => committed,
            Err(source) => return self.fail(group, source),
        };
        if answered == Answered::Committed {
            group.drain(..).for_each(|operation| operation.answer(None));
            if committed.is_change
                && let Err(error) = self.sync()
            {
                // It holds as long as the machine does, and is seen by all who read.
                tracing::error!(%error, "the disk may not have what was committed");
            }
        }
        if committed.is_change {
            metrics::histogram!("guichet_database_commit_seconds").record(begun.elapsed().as_secs_f64());
        }
        for operation in &group {
            committed_failpoint(operation.name());
        }
        for hint in committed.hints {
            // Without a listener it is lost, as hints may be.
            drop(self.changes.send(hint));
        }
        for operation in group {
            operation.answer(None);
        }
    }

    /// Returns when the disk has what is in the write-ahead log; after an error the connection is not used again.
    fn sync(&mut self) -> io::Result<()> {
        let log = match self.log.take() {
            Some(log) => Ok(log),
            None => File::open(open::log_of(&self.path)),
        };
        let synced = log.and_then(|log| log.sync_data().map(|()| log));
        self.log = Some(synced.inspect_err(|_source| self.open = None)?);
        Ok(())
    }

    /// Answers a group of which nothing was committed, and what waited meanwhile: it would meet the same, and its
    /// callers know sooner.
    fn fail(&mut self, mut group: Vec<Box<dyn Operation>>, source: Failure) {
        tracing::error!(error = %source, operations = group.len(), "a transaction of the database failed");
        while let Ok(handed) = self.waiting.try_recv() {
            group.extend(self.take(handed));
        }
        let source: Arc<dyn std::error::Error + Send + Sync> = source.into();
        for operation in group {
            operation.answer(Some(Error::unavailable(Arc::clone(&source))));
        }
    }

    /// Runs an operation, and those that join it meanwhile, in one transaction; after an error the connection is not used
    /// again. One that is answered before the disk has it is joined by none: what a client is told of is not to be seen
    /// before the disk has it.
    ///
    /// * `group` — those that ran.
    fn commit(
        &mut self,
        first: Box<dyn Operation>,
        group: &mut Vec<Box<dyn Operation>>,
    ) -> Result<Committed, Failure> {
        let opened = match self.open.take() {
            Some(tx) => Ok(tx),
            None => open::writer(&self.path).map(Tx::new),
        };
        let alone = first.answered() == Answered::Committed;
        let mut next = Some(first);
        let opened = opened.and_then(|mut tx| tx.let_commits_sync(!alone).map(|()| tx));
        let mut tx = opened.inspect_err(|_source| group.extend(next.take()))?;
        let changed_before = tx.connection.total_changes();
        while let Some(mut operation) = next {
            let ran = run(&mut tx, operation.as_mut());
            group.push(operation);
            ran?;
            next = if alone { None } else { self.next(group.len()) };
        }
        if !tx.connection.is_autocommit() {
            tx.execute("COMMIT", [])?;
        }
        let is_change = tx.connection.total_changes() != changed_before;
        let hints = std::mem::take(&mut tx.hints);
        self.open = Some(tx);
        Ok(Committed { hints, is_change })
    }

    /// What has come meanwhile and joins the transaction, in which so many have run.
    fn next(&mut self, ran: usize) -> Option<Box<dyn Operation>> {
        while ran < GROUP
            && let Ok(handed) = self.waiting.try_recv()
        {
            if let Some(next) = self.take(handed) {
                return Some(next);
            }
        }
        None
    }

    fn leave(self) -> rusqlite::Result<()> {
        let Some(tx) = self.open else { return Ok(()) };
        tx.one("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()))?;
        tx.connection.close().map_err(|(_connection, source)| source)
    }
}

/// Runs an operation so that it can be undone alone: in a transaction of its own, or in a savepoint if there is one. What
/// it began is left open: the commit ends it.
///
/// # Errors
/// That it could not begin, or why it failed if more than its own may be undone.
fn run(tx: &mut Tx, operation: &mut dyn Operation) -> Result<(), Failure> {
    let is_first = tx.connection.is_autocommit();
    tx.execute(if is_first { "BEGIN IMMEDIATE" } else { "SAVEPOINT operation" }, [])?;
    let hints = tx.hints.len();
    if operation.run(tx) {
        return Ok(());
    }
    tx.hints.truncate(hints);
    // This fails if the operation's own failure, like a full disk, undid everything.
    let undone = tx.execute(if is_first { "ROLLBACK" } else { "ROLLBACK TO operation" }, []);
    undone.map(drop).map_err(|source| operation.failure().map_or_else(|| source.into(), Failure::from))
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
