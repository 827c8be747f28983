//! Followers over a real database.

use std::time::Duration;

use guichet::feed::{Feed, Follow, Resume};
use guichet::shutdown::Tasks;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{Retention, Storage as _};
use tokio::sync::watch;

use crate::storage::factory::{at, grade, insert, new, pace};

#[tokio::test]
async fn a_log_that_ended_and_was_pruned_has_nothing_to_follow() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = Tasks::default();
    let options = Options { path: folder.path().join("guichet.db"), migrate: true };
    let db = SqliteStorage::open(options, tasks.tracker()).await.unwrap();
    let (_pace, observed) = watch::channel(pace());
    let feed = Feed::start(db.clone(), observed, &tasks);
    let id = insert(&db, new("alice")).await;
    grade(&db, at(1)).await;
    let retention = Retention { submissions: Duration::from_secs(u64::MAX), events: Duration::from_hours(1) };
    db.prune(retention, at(4000)).await.unwrap();

    let follow = feed.follow(id, Resume::Start).await.unwrap();

    assert!(matches!(follow, Follow::Ended));
    tasks.stop_hard();
    db.close().await;
    tasks.ended().await;
}
