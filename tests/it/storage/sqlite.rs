//! The rules on `SQLite`, and what only a file can do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use guichet::domain::submission::{LegacyRef, NewSubmission};
use guichet::domain::time::Timestamp;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{Error, Expected, LegacyDraft, Storage as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::conformance::{self, Fixture};
use super::factory::{
    NO_CAPS, at, draft, exercise_id, get, grade, insert, insert_all, lease, new, order, owner, pace, spec,
};

/// A database in a folder of its own.
pub struct SqliteFixture {
    folder: TempDir,
    store: SqliteStorage,
}

impl Fixture for SqliteFixture {
    type Store = SqliteStorage;

    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("guichet.db"), Schema::Migrated).await.unwrap();
        Self { folder, store }
    }

    fn store(&self) -> &SqliteStorage {
        &self.store
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = open(&self.path(), Schema::Migrated).await.unwrap();
        Self { folder: self.folder, store }
    }

    async fn write_draft(&self, legacy: &LegacyRef, draft: &LegacyDraft, updated_at: Timestamp) {
        let mut backend = self.stranger().await;
        let mut tx = backend.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let id = (legacy.backend.as_str(), legacy.legacy_id.as_str());
        sqlx::query("DELETE FROM legacy_drafts WHERE backend = ?1 AND legacy_id = ?2")
            .bind(id.0)
            .bind(id.1)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query("INSERT INTO legacy_drafts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            .bind(id.0)
            .bind(id.1)
            .bind(&draft.owner)
            .bind(&draft.exercise_id)
            .bind(&draft.runtime)
            .bind(updated_at.millis())
            .execute(&mut *tx)
            .await
            .unwrap();
        for file in draft.files.iter().flatten() {
            sqlx::query("INSERT INTO legacy_draft_files VALUES (?1, ?2, ?3, ?4)")
                .bind(id.0)
                .bind(id.1)
                .bind(&file.path)
                .bind(file.content.as_bytes())
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

impl SqliteFixture {
    fn path(&self) -> PathBuf {
        self.folder.path().join("guichet.db")
    }

    /// A connection of another program to the same file.
    async fn stranger(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()
    }
}

enum Schema {
    Migrated,
    AsItIs,
}

async fn open(path: &Path, schema: Schema) -> guichet::storage::Result<SqliteStorage> {
    let options = Options { path: path.to_owned(), migrate: matches!(schema, Schema::Migrated) };
    SqliteStorage::open(options, &TaskTracker::new()).await
}

conformance::suite!(SqliteFixture);

#[tokio::test]
async fn a_file_that_is_open_is_not_opened_again() {
    let fixture = SqliteFixture::open().await;

    let second = open(&fixture.path(), Schema::Migrated).await;

    assert!(matches!(second, Err(Error::Locked)), "{second:?}");
    fixture.store.close().await;
    open(&fixture.path(), Schema::AsItIs).await.unwrap();
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    let fixture = SqliteFixture::open().await;
    fixture.store.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', true, x'00', 0)";
    sqlx::query(newer).execute(&mut fixture.stranger().await).await.unwrap();

    let migrated = open(&fixture.path(), Schema::Migrated).await;
    let as_it_is = open(&fixture.path(), Schema::AsItIs).await;

    assert!(matches!(migrated, Err(Error::TooNew(9999))), "{migrated:?}");
    assert!(matches!(as_it_is, Err(Error::TooNew(9999))), "{as_it_is:?}");
}

#[tokio::test]
async fn an_empty_file_is_too_old_unless_it_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guichet.db");

    let refused = open(&path, Schema::AsItIs).await;

    assert!(matches!(refused, Err(Error::TooOld)), "{refused:?}");
    open(&path, Schema::Migrated).await.unwrap();
}

#[tokio::test]
async fn exercises_of_before_lists_without_tests_are_listed_so_too() {
    let fixture = SqliteFixture::open().await;
    let put = fixture.store.put_exercise(&exercise_id("sum"), spec("Sum"), Expected::Anything, at(1)).await;
    let before = fixture.store.exercises(None, 10).await.unwrap();
    fixture.store.close().await;
    let mut stranger = fixture.stranger().await;
    for undo in ["DROP TABLE exercise_outlines", "DELETE FROM _sqlx_migrations WHERE version = 8"] {
        sqlx::query(undo).execute(&mut stranger).await.unwrap();
    }
    stranger.close().await.unwrap();

    let migrated = open(&fixture.path(), Schema::Migrated).await.unwrap();

    assert!(put.is_ok());
    assert_eq!(migrated.exercises(None, 10).await.unwrap(), before);
    assert!(before.items[0].test_count > 0 && before.items[0].exercise.spec.kind.tests().is_empty());
}

#[tokio::test]
async fn what_was_answered_is_in_the_files() {
    let fixture = SqliteFixture::open().await;
    let id = insert(&fixture.store, new("alice")).await;

    // Nothing is closed or written back: the copy is what a killed process leaves.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(fixture.path(), copy.path().join("guichet.db")).unwrap();
    std::fs::copy(fixture.folder.path().join("guichet.db-wal"), copy.path().join("guichet.db-wal")).unwrap();
    let after = open(&copy.path().join("guichet.db"), Schema::Migrated).await.unwrap();

    assert_eq!(get(&after, id).await, get(&fixture.store, id).await);
}

#[tokio::test]
async fn who_cannot_write_hears_why_and_can_when_the_reason_is_gone() {
    let fixture = SqliteFixture::open().await;
    let mut stranger = fixture.stranger().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();

    let refused = fixture.store.check_writable().await.unwrap_err();

    assert!(format!("{:#}", anyhow::Error::from(refused)).contains("locked"));
    sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();
    insert(&fixture.store, new("alice")).await;
}

#[tokio::test]
async fn a_closed_database_refuses_everything_and_leaves_no_log_behind() {
    let fixture = SqliteFixture::open().await;
    insert(&fixture.store, new("alice")).await;

    fixture.store.close().await;

    let insert = fixture.store.insert(vec![new("alice")], None, NO_CAPS, pace(), at(1)).await;
    assert!(matches!(insert, Err(Error::Unavailable(_))), "{insert:?}");
    assert!(matches!(fixture.store.queue().await, Err(Error::Unavailable(_))));
    assert!(!fixture.folder.path().join("guichet.db-wal").exists());
}

#[tokio::test]
async fn a_lock_of_a_stranger_is_waited_for_and_then_told() {
    let fixture = SqliteFixture::open().await;
    insert(&fixture.store, new("alice")).await;
    let mut stranger = fixture.stranger().await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut stranger).await.unwrap();

    let begun = Instant::now();
    let refused = fixture.store.insert(vec![new("bob")], None, NO_CAPS, pace(), at(1)).await;
    let waited = begun.elapsed();
    sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();

    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    let carol = insert(&fixture.store, new("carol")).await;
    assert_eq!(order(&fixture.store).await.len(), 2);
    assert_eq!(get(&fixture.store, carol).await.position, Some(2));
}

#[tokio::test]
async fn a_lock_that_goes_in_time_costs_only_time() {
    let fixture = SqliteFixture::open().await;
    let mut stranger = fixture.stranger().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();

    let mut insert = Box::pin(insert(&fixture.store, new("alice")));
    let polled = futures_util::poll!(insert.as_mut());
    sqlx::query("COMMIT").execute(&mut stranger).await.unwrap();
    let stored = insert.await;

    assert!(polled.is_pending());
    assert_eq!(order(&fixture.store).await, [stored]);
}

#[tokio::test]
async fn operations_that_arrive_together_are_all_done() {
    let fixture = SqliteFixture::open().await;

    let inserts = (0..100).map(|number| {
        let whose = format!("student-{}", number % 7);
        let store = &fixture.store;
        async move { insert(store, new(&whose)).await }
    });
    let mut ids = futures_util::future::join_all(inserts).await;

    let mut stored = order(&fixture.store).await;
    let positions = futures_util::future::join_all(stored.iter().map(|id| get(&fixture.store, *id))).await;
    let positions: Vec<_> = positions.iter().map(|placed| placed.position.unwrap()).collect();
    assert_eq!(positions, (1..=100).collect::<Vec<_>>());
    ids.sort_unstable();
    stored.sort_unstable();
    assert_eq!(stored, ids);
}

#[tokio::test]
async fn an_operation_that_fails_takes_no_other_with_it() {
    let fixture = SqliteFixture::open().await;
    let taken = insert(&fixture.store, new("alice")).await;
    let same_id = || vec![new("bob"), NewSubmission { id: taken, ..new("bob") }];
    let ask = |new| fixture.store.insert(new, None, NO_CAPS, pace(), at(1));

    // What comes while the first of them runs shares its commit.
    let (zero, one, two, three, four, five) = tokio::join!(
        ask(same_id()),
        ask(vec![new("carol")]),
        ask(same_id()),
        ask(vec![new("carol")]),
        ask(same_id()),
        ask(vec![new("carol")]),
    );

    assert!(one.is_ok() && three.is_ok() && five.is_ok(), "{one:?} {three:?} {five:?}");
    assert!(zero.is_err() && two.is_err() && four.is_err(), "{zero:?} {two:?} {four:?}");
    assert_eq!(order(&fixture.store).await.len(), 4);
    assert_eq!(fixture.store.queued_of(&owner("bob")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_no_harm() {
    let fixture = SqliteFixture::open().await;

    let mut impatient = Box::pin(fixture.store.insert(vec![new("alice")], None, NO_CAPS, pace(), at(0)));
    let polled = futures_util::poll!(impatient.as_mut());
    drop(impatient);
    let bob = insert(&fixture.store, new("bob")).await;

    assert!(polled.is_pending());
    assert_eq!(get(&fixture.store, bob).await.submission.owner, owner("bob"));
    fixture.store.close().await;
}

#[tokio::test]
async fn a_row_that_says_nothing_known_is_named() {
    let fixture = SqliteFixture::open().await;
    let id = insert(&fixture.store, new("alice")).await;
    let wrong = "UPDATE submissions SET runtime = 'a b'";
    sqlx::query(wrong).execute(&mut fixture.stranger().await).await.unwrap();

    let read = fixture.store.submission(id).await;

    let Err(Error::Inconsistent { table, column, key }) = read else { panic!("{read:?}") };
    assert_eq!((table, column, key), ("submissions", "runtime", id.to_string()));
}

/// Whether the file refuses a statement by one of its checks.
async fn is_refused(fixture: &SqliteFixture, statement: &'static str) -> bool {
    let refused = sqlx::query(statement).execute(&mut fixture.stranger().await).await;
    matches!(&refused, Err(sqlx::Error::Database(error)) if error.is_check_violation()
        || error.is_foreign_key_violation() || error.message().contains("waits or runs"))
}

#[tokio::test]
async fn rows_that_no_state_has_are_refused() {
    let fixture = SqliteFixture::open().await;
    insert_all(&fixture.store, vec![new("alice"), new("alice"), draft("alice"), new("alice")], at(0)).await;
    grade(&fixture.store, at(1)).await;
    lease(&fixture.store, at(2)).await;
    let statements = [
        "UPDATE submissions SET state = 'lost'",
        "UPDATE submissions SET state = 'running' WHERE state = 'queued'",
        "UPDATE submissions SET state = 'queued' WHERE state = 'draft'",
        "UPDATE submissions SET state = 'draft' WHERE state = 'queued'",
        "UPDATE submissions SET rank = NULL WHERE state = 'queued'",
        "UPDATE submissions SET ticket = NULL WHERE state = 'running'",
        "UPDATE submissions SET queued_at = NULL WHERE state = 'queued'",
        "UPDATE submissions SET worker = 'w' WHERE state = 'queued'",
        "UPDATE submissions SET worker = NULL WHERE state = 'running'",
        "UPDATE submissions SET lease_until = NULL WHERE state = 'running'",
        "UPDATE submissions SET started_at = NULL WHERE state = 'running'",
        "UPDATE submissions SET started_at = 1 WHERE state = 'queued'",
        "UPDATE submissions SET attempt = 0 WHERE state = 'running'",
        "UPDATE submissions SET cancel_requested_at = 1 WHERE state = 'queued'",
        "UPDATE submissions SET finished_at = NULL WHERE state = 'finished'",
        "UPDATE submissions SET finished_at = 1 WHERE state = 'running'",
        "UPDATE submissions SET failure = '{}' WHERE state = 'finished'",
        "UPDATE submissions SET state = 'failed' WHERE state = 'finished'",
        "UPDATE submissions SET result_round = NULL, verdict = NULL WHERE state = 'finished'",
        "UPDATE submissions SET verdict = NULL WHERE state = 'finished'",
        "UPDATE submissions SET result_round = 1, verdict = 'accepted' WHERE state = 'queued'",
        "UPDATE submissions SET round = 0",
        "UPDATE submissions SET exercise_id = 'none', exercise_version = 1",
        "UPDATE submissions SET run = NULL",
        "UPDATE submissions SET backend = 'default'",
        "UPDATE submissions SET metadata = '[]'",
        "UPDATE submissions SET priority = 3",
        "UPDATE submissions SET owner = 'nobody'",
        "UPDATE submissions SET queued_digest = NULL WHERE state = 'queued'",
        "DELETE FROM submissions WHERE state = 'queued'",
        "DELETE FROM results",
        "INSERT INTO hosts (name, mode, created_at) VALUES ('a', 'lost', 0)",
    ];

    let mut taken = Vec::new();
    for statement in statements {
        if !is_refused(&fixture, statement).await {
            taken.push(statement);
        }
    }

    assert_eq!(taken, Vec::<&str>::new());
}
