//! The file, opened by the `sqlite3` of the system beside Guichet: backup, checks, the inbox. Debian 12 has 3.40.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use guichet::storage::sqlite::{Options, SqliteStorage};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio_util::task::TaskTracker;

use crate::legacy::inbox::documented;
use crate::support::engine::root;
use crate::support::{TestGuichet, exercises, programs};

/// What `sqlite3` says to these lines.
fn sqlite3(database: &Path, lines: &str) -> Output {
    let mut shell = Command::new("sqlite3")
        .args(["-batch", "-bail"])
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sqlite3 runs; `make test` installs it");
    shell.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("it reads");
    shell.wait_with_output().expect("it ends")
}

/// What `sqlite3` answers to these lines.
pub fn answered(database: &Path, lines: &str) -> String {
    let output = sqlite3(database, lines);
    assert!(output.status.success() && output.stderr.is_empty(), "{lines}: {output:?}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[tokio::test]
async fn the_file_of_a_running_service_is_checked_copied_read_and_written_by_the_systems_sqlite3() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.student("alice").grade("sum", &programs::python_sum()).await;
    let database = guichet.data().join("guichet.sqlite");
    let copy = guichet.folder().join("copy.sqlite");
    let restored = guichet.folder().join("restored.sqlite");

    let checked = answered(&database, "PRAGMA integrity_check;\nSELECT state FROM submissions;");
    answered(&database, &format!(".backup '{}'", copy.display()));
    let dump = answered(&copy, ".dump");
    answered(&restored, &dump);
    let [settings, store, ..] = documented();
    let parameters = [
        ("legacy_id", "7"),
        ("owner", "bob"),
        ("exercise_id", "sum"),
        ("runtime", "python"),
        ("path", "main.py"),
        ("content", "print"),
    ]
    .map(|(name, value)| format!(".parameter set :{name} \"'{value}'\"\n"))
    .concat();
    answered(&database, &format!("{settings}{parameters}{store}"));

    assert_eq!(checked, "ok\nfinished");
    for file in [&copy, &restored] {
        let told = answered(
            file,
            "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT state FROM submissions;",
        );
        assert_eq!(told, "ok\nfinished");
    }
    let drafts = answered(
        &database,
        "SELECT d.owner, f.content FROM legacy_drafts AS d JOIN legacy_draft_files AS f USING (legacy_id);",
    );
    assert_eq!(drafts, "bob|print");
}

/// A file as the program made it before a migration, by the beginning of its name.
pub async fn made_before(migration: &str, path: &Path) -> SqliteConnection {
    let earlier = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("migrations/sqlite")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().as_ref() < migration {
            std::fs::copy(entry.path(), earlier.path().join(entry.file_name())).unwrap();
        }
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true);
    let mut connection = options.connect().await.unwrap();
    Migrator::new(earlier.path()).await.unwrap().run(&mut connection).await.unwrap();
    connection
}

/// A file of before the check of legacy ids was changed, with a submission of each kind of id.
async fn of_before(path: &Path) {
    let mut connection = made_before("0005", path).await;
    for statement in [
        "INSERT INTO owners (name) VALUES ('alice')",
        "INSERT INTO submissions (id, owner, backend, legacy_id, run, runtime, priority, metadata, created_at, \
            files_digest, round, attempt, state) \
         VALUES (zeroblob(16), 'alice', NULL, NULL, '{}', 'python', 1, '{}', 1, zeroblob(32), 1, 0, 'draft'), \
                (randomblob(16), 'alice', 'default', 'é', '{}', 'python', 1, '{}', 1, zeroblob(32), 1, 0, 'draft')",
        "INSERT INTO files VALUES (zeroblob(16), 0, 'main.py', x'00')",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_file_of_before_keeps_its_rows_and_its_rules_and_can_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guichet.sqlite");
    of_before(&path).await;
    assert_ne!(String::from_utf8_lossy(&sqlite3(&path, "PRAGMA integrity_check;").stdout).trim(), "ok");

    let options = Options { path: path.clone(), migrate: true };
    SqliteStorage::open(options, &TaskTracker::new()).await.unwrap().close().await;

    let told = answered(
        &path,
        "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT count(*) FROM submissions; SELECT count(*) FROM files;",
    );
    assert_eq!(told, "ok\n2\n1");
    let mut connection: SqliteConnection =
        SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    for (id, fits) in [
        ("''", false),
        ("printf('%.1024c', 'x')", true),
        ("printf('%.1025c', 'x')", false),
        ("'é' || printf('%.1022c', 'x')", true),
        ("'é' || printf('%.1023c', 'x')", false),
        ("'a' || char(0)", false),
    ] {
        let statement = format!("UPDATE submissions SET legacy_id = {id} WHERE backend IS NOT NULL");
        let taken = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await;
        assert_eq!(taken.is_ok(), fits, "{id}: {taken:?}");
    }
    connection.close().await.unwrap();
}
