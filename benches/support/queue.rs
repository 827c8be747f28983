//! A queue of a given length in a database of its own, and what is done with it.

use std::time::{Duration, Instant};

use guichet::domain::exercise::SourceFile;
use guichet::domain::ids::{SubmissionId, WorkerId};
use guichet::domain::metadata::Metadata;
use guichet::domain::pace::Pace;
use guichet::domain::queue::Priority;
use guichet::domain::submission::{NewSubmission, Purpose, RunInput};
use guichet::domain::time::Timestamp;
use guichet::feed::{Feed, Follow, Follower, Notice, Resume};
use guichet::shutdown::Tasks;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{Inserted, QueueCaps, Runnable, Storage as _};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::temporary;

const CAPS: QueueCaps = QueueCaps::NONE;
const OWNERS: usize = 50;
const BATCH: usize = 100;
/// Longer than the pause between two rounds of pushed places.
const QUIET: Duration = Duration::from_millis(250);

/// A database with so many queued submissions; whatever leaves is replaced.
#[derive(Debug)]
pub struct Queue {
    storage: SqliteStorage,
    tasks: Tasks,
    feed: Feed,
    last: SubmissionId,
    // Kept: the feed would end without it.
    _pace: watch::Sender<Pace>,
    _folder: TempDir,
}

impl Queue {
    pub async fn of_length(length: usize) -> Self {
        let folder = temporary::folder();
        let tasks = Tasks::default();
        let options = Options { path: folder.path().join("guichet.sqlite"), migrate: true };
        let storage = SqliteStorage::open(options, tasks.tracker()).await.unwrap();
        for first in (0..length).step_by(BATCH) {
            let owners = first..length.min(first + BATCH);
            insert(&storage, owners.map(|index| new(&format!("student-{}", index % OWNERS))).collect()).await;
        }
        // The lowest class: it stands last whatever comes.
        let last = NewSubmission { priority: Priority::Rejudge, ..new("last") };
        let id = last.id;
        insert(&storage, vec![last]).await;
        let (sender, pace) = watch::channel(Pace::default());
        let feed = Feed::start(storage.clone(), pace, &tasks);
        Self { storage, tasks, feed, last: id, _pace: sender, _folder: folder }
    }

    /// Leases the first submission, so many times.
    pub async fn dispatches(&self, runs: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            let begun = Instant::now();
            self.lease().await;
            times.push(begun.elapsed());
            self.refill().await;
        }
        times
    }

    /// Reads the last submission with its place, so many times.
    pub async fn places(&self, runs: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            let begun = Instant::now();
            let placed = self.storage.submission(self.last).await.unwrap().unwrap();
            times.push(begun.elapsed());
            assert!(placed.position.is_some());
        }
        times
    }

    /// From the commit that takes the first one out of the queue to the last one's new place on its stream.
    pub async fn pushes(&self, runs: usize) -> Vec<Duration> {
        let Follow::Live(mut follower) = self.feed.follow(self.last, Resume::Start).await.unwrap() else {
            panic!("the last submission is over");
        };
        drain(&mut follower).await;
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            let begun = Instant::now();
            self.lease().await;
            while !matches!(follower.next().await.unwrap(), Some(Notice::Position(_))) {}
            times.push(begun.elapsed());
            self.refill().await;
            drain(&mut follower).await;
        }
        times
    }

    /// Has so many new ones stand last and be followed, as long as the answer lives.
    pub async fn follow_last(&self, number: usize) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        for index in 0..number {
            let one = NewSubmission { priority: Priority::Rejudge, ..new(&format!("follower-{index}")) };
            let id = one.id;
            insert(&self.storage, vec![one]).await;
            let Follow::Live(mut follower) = self.feed.follow(id, Resume::Start).await.unwrap() else {
                panic!("a new submission is over");
            };
            readers.spawn(async move { while follower.next().await.unwrap().is_some() {} });
        }
        readers
    }

    pub async fn close(self) {
        self.storage.close().await;
        self.tasks.stop_hard();
        self.tasks.ended().await;
    }

    async fn lease(&self) {
        let worker: WorkerId = "bench".parse().unwrap();
        let python = Runnable { runtime: "python".parse().unwrap(), companions: Vec::new() };
        let (now, hour) = (now(), Duration::from_hours(1));
        let leased = self.storage.lease_next(&worker, &[python], now, now.plus(hour)).await.unwrap();
        assert!(leased.is_some());
    }

    async fn refill(&self) {
        insert(&self.storage, vec![new("student-0")]).await;
    }
}

/// Reads what there is to read until it is quiet.
async fn drain(follower: &mut Follower) {
    while tokio::time::timeout(QUIET, follower.next()).await.is_ok() {}
}

async fn insert(storage: &SqliteStorage, new: Vec<NewSubmission>) {
    let pace = Pace::default();
    let inserted = storage.insert(new, None, CAPS, pace, now()).await.unwrap();
    assert!(matches!(inserted, Inserted::Stored(_)));
}

fn new(owner: &str) -> NewSubmission {
    NewSubmission {
        id: SubmissionId::generate(),
        owner: owner.parse().unwrap(),
        legacy: None,
        purpose: Purpose::Run { input: RunInput::default(), exercise: None },
        runtime: "python".parse().unwrap(),
        priority: Priority::Normal,
        metadata: Metadata::default(),
        files: vec![SourceFile { path: "main.py".to_owned(), content: "print(3)\n".into() }],
        enqueue: true,
    }
}

fn now() -> Timestamp {
    guichet::clock::Clock::System.now()
}
