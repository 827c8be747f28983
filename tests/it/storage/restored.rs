//! A file that was put back from a copy: its logs know what they never held.

use std::path::Path;

use guichet::domain::event::{Event, LogPlace};
use guichet::domain::ids::SubmissionId;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{LogPage, Storage as _};
use sqlx::Connection as _;
use tokio_util::task::TaskTracker;

use super::conformance::events::owner_log;
use super::factory::{at, events, grade, insert, new, next_round, owner};
use super::shell::made_before;

async fn open(path: &Path) -> SqliteStorage {
    let options = Options { path: path.to_owned(), migrate: true };
    SqliteStorage::open(options, &TaskTracker::new()).await.unwrap()
}

/// Copies the database as it is now, what its write-ahead log holds included.
fn back_up(path: &Path, copy: &Path) {
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
}

/// Puts a copy in the place of the database; nothing of the lost one stays beside it.
fn put_back(copy: &Path, path: &Path) {
    for end in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(end);
        // It is there only if a reader left last.
        drop(std::fs::remove_file(beside));
    }
    std::fs::copy(copy, path).unwrap();
}

/// Grades a submission once more, by the start of the service that follows; what was written in its log and alice's.
async fn one_more_round(path: &Path, id: SubmissionId, content: &str) -> (Vec<Event>, LogPlace) {
    let db = open(path).await;
    next_round(&db, id, content, at(2)).await;
    grade(&db, at(3)).await;
    let written = events(&db, id).await;
    let end = db.unfinished(&owner("alice")).await.unwrap().end;
    db.close().await;
    (written, end)
}

#[tokio::test]
async fn places_that_were_lost_are_unknown_though_their_numbers_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("guichet.db"), folder.path().join("copy.db"));
    let db = open(&path).await;
    let id = insert(&db, new("alice")).await;
    grade(&db, at(1)).await;
    db.close().await;
    back_up(&path, &copy);
    let (before, lost_end) = one_more_round(&path, id, "print(4)").await;
    put_back(&copy, &path);

    let at_once = open(&path).await;
    let unknown = at_once.events_since(id, before[5].place(), 10).await.unwrap();
    at_once.close().await;
    let (after, _) = one_more_round(&path, id, "print(5)").await;
    let db = open(&path).await;

    assert_eq!(unknown, LogPage::Unknown);
    assert_eq!((before.len(), after.len()), (6, 6));
    assert_eq!(before[..3], after[..3]);
    for (kept, event) in (1..).zip(&before[..3]) {
        let page = db.events_since(id, event.place(), 10).await.unwrap();
        assert_eq!(page, LogPage::Events(after[kept..].to_vec()));
        assert_eq!(owner_log(&db, event.owner_place()).await, after[kept..]);
    }
    for event in &before[3..] {
        assert_eq!(db.events_since(id, event.place(), 10).await.unwrap(), LogPage::Unknown);
        let of_owner = db.owner_events_since(&owner("alice"), event.owner_place(), 10).await.unwrap();
        assert_eq!(of_owner, LogPage::Unknown);
    }
    assert_eq!(lost_end, before[5].owner_place());
    assert_ne!(db.unfinished(&owner("alice")).await.unwrap().end, lost_end);
}

/// The folder's id, as it is known once the database is open there.
async fn folder_id(path: &Path) -> uuid::Uuid {
    let db = open(path).await;
    let id = db.installation().await.unwrap().folder;
    db.close().await;
    id
}

#[tokio::test]
async fn a_folder_keeps_its_id_and_a_copy_gets_one_of_its_own() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("guichet.db");

    let first = folder_id(&path).await;
    let second = folder_id(&path).await;
    for name in ["guichet.db", "guichet.db.lock"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let copied =
        [folder_id(&copy.path().join("guichet.db")).await, folder_id(&copy.path().join("guichet.db")).await];

    assert_eq!(first, second);
    assert_eq!(copied[0], copied[1]);
    assert_ne!(first, copied[0]);
}

#[tokio::test]
async fn logs_of_before_epochs_are_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guichet.db");
    let mut before = made_before("0009", &path).await;
    for statement in [
        "INSERT INTO owners (name) VALUES ('alice')",
        "INSERT INTO submissions (id, owner, run, runtime, priority, metadata, created_at, files_digest, \
            queued_digest, round, attempt, state, finished_at) \
         VALUES (zeroblob(16), 'alice', '{}', 'python', 1, '{}', 1, zeroblob(32), zeroblob(32), 1, 0, 'cancelled', 1)",
        "INSERT INTO events (submission_id, seq, owner, owner_seq, round, attempt, at, body) \
         SELECT zeroblob(16), value, 'alice', value, 1, 0, 1, '{\"type\":\"started\",\"position_before\":1}' \
         FROM json_each('[1, 2]')",
    ] {
        sqlx::query(statement).execute(&mut before).await.unwrap();
    }
    before.close().await.unwrap();

    let db = open(&path).await;
    insert(&db, new("alice")).await;

    let all = owner_log(&db, LogPlace::Start).await;
    assert_eq!((all.len(), all[0].epoch), (3, all[1].epoch));
    assert_ne!(all[1].epoch, all[2].epoch);
    for (behind, event) in (1..).zip(&all) {
        assert_eq!(owner_log(&db, event.owner_place()).await, all[behind..]);
    }
    let second = db.events_since(all[0].submission, all[0].place(), 10).await.unwrap();
    assert_eq!(second, LogPage::Events(vec![all[1].clone()]));
}
