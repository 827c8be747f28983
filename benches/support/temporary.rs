//! Where the data of benches lies: on the disk that the project is on.

use tempfile::TempDir;

/// A new folder; gone when dropped.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}
