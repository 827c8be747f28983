//! What the database costs: `cargo bench --bench storage [-- FOLDER]` prints it beside bare durable commits.
//!
//! FOLDER (default: the build's) must lie on the disk that is to be measured; a folder in it is made and deleted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use guichet::domain::exercise::SourceFile;
use guichet::domain::ids::{SubmissionId, WorkerId};
use guichet::domain::lease::Guarded;
use guichet::domain::metadata::Metadata;
use guichet::domain::pace::Pace;
use guichet::domain::queue::Priority;
use guichet::domain::submission::{NewSubmission, Purpose, RunInput};
use guichet::domain::time::Timestamp;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{Ending, Inserted, QueueCaps, Runnable, Storage as _};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio_util::task::TaskTracker;

const CAPS: QueueCaps = QueueCaps::NONE;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let base = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let base = base.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let folder = tempfile::tempdir_in(base)?;

    bare_commits(folder.path().join("bare.db")).await?;
    inserts(folder.path().join("inserts.db")).await?;
    for (name, owners) in [("one owner", 1), ("100 owners", 100), ("an owner each", 10_000)] {
        for queued in [10, 1000, 10_000] {
            let path = folder.path().join(format!("{owners}-{queued}.db"));
            queue(path, name, owners, queued).await.with_context(|| format!("{queued} queued"))?;
        }
    }
    other_runtime(folder.path().join("runtimes.db")).await
}

async fn open(path: PathBuf) -> anyhow::Result<SqliteStorage> {
    Ok(SqliteStorage::open(Options { path, migrate: true }, &TaskTracker::new()).await?)
}

fn new(owner: usize, runtime: &str) -> anyhow::Result<NewSubmission> {
    Ok(NewSubmission {
        id: SubmissionId::generate(),
        owner: format!("student-{owner}").parse()?,
        legacy: None,
        purpose: Purpose::Run { input: RunInput::default(), exercise: None },
        runtime: runtime.parse()?,
        priority: Priority::Normal,
        metadata: Metadata::default(),
        files: vec![SourceFile { path: "main.py".to_owned(), content: "print(input())\n".repeat(20).into() }],
        enqueue: true,
    })
}

async fn store(db: &SqliteStorage, new: Vec<NewSubmission>) -> anyhow::Result<()> {
    match db.insert(new, None, CAPS, Pace::default(), NOW).await? {
        Inserted::Stored(_) => Ok(()),
        other => bail!("not stored: {other:?}"),
    }
}

/// One row of 400 bytes a commit: what the disk and the library take at least.
async fn bare_commits(path: PathBuf) -> anyhow::Result<()> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    sqlx::query("CREATE TABLE rows (body BLOB)").execute(&mut connection).await?;
    let begun = Instant::now();
    for _ in 0..1000 {
        sqlx::query("INSERT INTO rows VALUES (?1)").bind(vec![7_u8; 400]).execute(&mut connection).await?;
    }
    per_second("bare durable commits of one row", 1000, begun.elapsed());
    Ok(())
}

async fn inserts(path: PathBuf) -> anyhow::Result<()> {
    let db = open(path).await?;
    let begun = Instant::now();
    for owner in 0..1000 {
        store(&db, vec![new(owner % 50, "python")?]).await?;
    }
    per_second("submissions one by one", 1000, begun.elapsed());

    let begun = Instant::now();
    for batch in 0..50 {
        let batch: anyhow::Result<Vec<_>> = (0..100).map(|_| new(batch, "python")).collect();
        store(&db, batch?).await?;
    }
    per_second("submissions in batches of 100", 5000, begun.elapsed());

    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..32 {
        let db = db.clone();
        clients.spawn(async move {
            for _ in 0..100 {
                store(&db, vec![new(client, "python")?]).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    per_second("submissions of 32 clients, one by one each", 3200, begun.elapsed());
    db.close().await;
    Ok(())
}

async fn fill(db: &SqliteStorage, owners: usize, queued: usize) -> anyhow::Result<()> {
    for begin in (0..queued).step_by(100) {
        let batch: anyhow::Result<Vec<_>> =
            (begin..queued.min(begin + 100)).map(|index| new(index % owners, "python")).collect();
        store(db, batch?).await?;
    }
    Ok(())
}

/// Submissions of a runtime that have no companion.
fn alone(runtime: &str) -> anyhow::Result<Runnable> {
    Ok(Runnable { runtime: runtime.parse()?, companions: Vec::new() })
}

/// Leases, ends and reads with so many queued.
async fn queue(path: PathBuf, name: &str, owners: usize, queued: usize) -> anyhow::Result<()> {
    let db = open(path).await?;
    fill(&db, owners, queued).await?;
    let worker: WorkerId = "bench".parse()?;
    let runtimes = [alone("python")?, alone("c")?];
    let (mut leasing, mut finishing, mut inserting) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..200 {
        let begun = Instant::now();
        let leased = db.lease_next(&worker, &runtimes, NOW, NOW).await?.context("nothing queued")?;
        leasing.push(begun.elapsed());
        let begun = Instant::now();
        if db.finish(&leased.work.lease, vec![], Ending::Cancelled, NOW).await? == Guarded::LeaseLost {
            bail!("the lease was lost");
        }
        finishing.push(begun.elapsed());
        let begun = Instant::now();
        store(&db, vec![new(round % owners, "python")?]).await?;
        inserting.push(begun.elapsed());
    }
    let mut listing = Vec::new();
    let mut reading = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let entries = db.queue().await?;
        listing.push(begun.elapsed());
        let last = entries.last().context("an empty queue")?.submission;
        let begun = Instant::now();
        db.submission(last).await?.context("no submission")?;
        reading.push(begun.elapsed());
    }
    println!(
        "{queued:>6} queued, {name:<14} lease {:>8.2?}  end {:>8.2?}  insert {:>8.2?}  queue() {:>8.2?}  last with its place {:>8.2?}",
        median(&mut leasing),
        median(&mut finishing),
        median(&mut inserting),
        median(&mut listing),
        median(&mut reading),
    );
    db.close().await;
    Ok(())
}

/// 10,000 wait for another runtime ahead of one.
async fn other_runtime(path: PathBuf) -> anyhow::Result<()> {
    let db = open(path).await?;
    fill(&db, 10_000, 10_000).await?;
    let worker: WorkerId = "bench".parse()?;
    let mut leasing = Vec::new();
    for _ in 0..50 {
        store(&db, vec![new(20_000, "c")?]).await?;
        let begun = Instant::now();
        let leased = db.lease_next(&worker, &[alone("c")?], NOW, NOW).await?.context("nothing queued")?;
        leasing.push(begun.elapsed());
        if db.finish(&leased.work.lease, vec![], Ending::Cancelled, NOW).await? == Guarded::LeaseLost {
            bail!("the lease was lost");
        }
    }
    println!("10,000 of another runtime ahead: lease {:.2?}", median(&mut leasing));
    db.close().await;
    Ok(())
}

fn median(durations: &mut [Duration]) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

fn per_second(what: &str, count: u32, elapsed: Duration) {
    println!("{what}: {:.0}/s, {:.2?} each", f64::from(count) / elapsed.as_secs_f64(), elapsed / count);
}
