//! Who may read the files of a database.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use guichet::storage::sqlite::{Options, SqliteStorage};
use tokio_util::task::TaskTracker;

use super::factory::{insert, new};

async fn open(path: &Path) -> SqliteStorage {
    let options = Options { path: path.to_owned(), migrate: true };
    SqliteStorage::open(options, &TaskTracker::new()).await.unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn its_files_are_for_their_owner_alone_whatever_the_folder_allows() {
    let folder = tempfile::tempdir().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let store = open(&folder.path().join("guichet.db")).await;
    insert(&store, new("alice")).await;

    for name in ["guichet.db", "guichet.db-wal", "guichet.db-shm", "guichet.db.lock"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_database_that_a_backend_was_let_into_stays_open_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guichet.db");
    open(&path).await.close().await;
    set_permissions(&path, Permissions::from_mode(0o660)).unwrap();

    open(&path).await.close().await;

    assert_eq!(mode(&path), 0o660);
}
