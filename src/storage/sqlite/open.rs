//! Opening the file: one process at a time, the schema that this program knows, and durable commits.

use std::fs::File;
use std::io;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::writer::Tx;
use crate::domain::host::CertsName;
use crate::memory::Allowed;
use crate::storage::{Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 256;
/// Bytes of a lock that may say something.
const LOCK_BYTES: u64 = 100;
/// Connections that read.
const READERS: u32 = 4;
/// Memory for pages that the writing connection has seen.
const WRITER_CACHE_BYTES: u64 = 32 << 20;
/// The same of each that reads.
const READER_CACHE_BYTES: u64 = 8 << 20;

/// Which file, and whether its schema is brought up to date.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; it is made if missing. Beside it lies `<file>.lock`, with the id of the folder.
    pub path: PathBuf,
    /// Whether an older schema is migrated; if not, it is [`Error::TooOld`].
    pub migrate: bool,
}

/// Keeps other processes away for as long as the file is open; also answers the folder's id, which is written there.
pub(super) fn lock(path: &Path) -> Result<(File, Uuid)> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = make(Path::new(&name))?;
    match file.try_lock() {
        Ok(()) => {
            let folder = folder(&file).map_err(Error::unavailable)?;
            Ok((file, folder))
        }
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::unavailable(source)),
    }
}

/// The id in the lock, which is made with it. A lock that was copied names the file that it was copied from: the copy gets
/// an id of its own.
fn folder(mut lock: &File) -> io::Result<Uuid> {
    let inode = lock.metadata()?.ino().to_string();
    let mut text = Vec::new();
    lock.take(LOCK_BYTES).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    if let Some((id, of)) = text.trim_end().split_once(' ')
        && of == inode
        && let Ok(id) = id.parse()
    {
        return Ok(id);
    }
    let id = Uuid::new_v4();
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{id} {inode}")?;
    Ok(id)
}

/// Opens a file, and makes it for this user alone if it is missing, whatever its folder and the umask allow. One that is
/// there keeps its rights: a backend of the same group may have been let in.
fn make(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    options.open(path).map_err(Error::unavailable)
}

/// Brings the file to this program's schema, or sees that it has it, and begins the epoch of this start.
pub(super) async fn prepare(options: &Options) -> Result<()> {
    let mut connection = schema(&options.path).await?;
    if options.migrate {
        migrate(&mut connection).await?;
    } else {
        check_schema(&mut connection).await?;
    }
    install(&mut connection).await?;
    open_epoch(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// A connection that makes the file if it is missing, and may change its schema.
///
/// `SQLite` makes the files beside it with the rights of the database. Call it under [`lock`]: in a process that has the
/// database open already, closing the file made here would give up the locks that `SQLite` holds on it.
pub(super) async fn schema(path: &Path) -> Result<SqliteConnection> {
    drop(make(path)?);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// The write-ahead log of a database.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The connection that writes; the file must exist.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA foreign_keys = on; \
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = memory",
    )?;
    connection.pragma_update(None, "cache_size", cache_size(WRITER_CACHE_BYTES, 16))?;
    Ok(connection)
}

/// The value of `cache_size` for at most so many bytes, and at most this part of what the process may use.
fn cache_size(most_bytes: u64, part: u64) -> i64 {
    let kib = most_bytes.min(Allowed::find().total_bytes() / part) / 1024;
    -i64::try_from(kib).unwrap_or(i64::MAX)
}

/// The connections that read; the file must exist.
pub(super) async fn readers(path: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS)
        .pragma("cache_size", cache_size(READER_CACHE_BYTES, 64).to_string())
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Brings the schema up to date.
///
/// # Errors
/// [`Error::TooNew`] and [`Error::Migrate`]; the database is as it was before the migration that failed.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<()> {
    MIGRATIONS.run(connection).await.map_err(|source| match source {
        MigrateError::VersionMissing(version) => Error::TooNew(version),
        other => Error::Migrate(other),
    })
}

/// A Docker engine that an operator has added.
#[derive(Clone, Debug)]
pub struct AddedEngine {
    /// Where it is.
    pub url: String,
    /// The folder of its certificates.
    pub certs: Option<CertsName>,
}

/// Looks at a database beside the process that has it: whether it can be read and its schema is the one this program knows.
/// Answers the engines that stand in it, oldest first.
///
/// # Errors
/// [`Error::TooNew`], [`Error::TooOld`], [`Error::Unavailable`].
pub async fn inspect(path: &Path) -> Result<Vec<AddedEngine>> {
    let readers = readers(path).await?;
    let engines = added_engines(&mut *readers.acquire().await?).await;
    readers.close().await;
    engines
}

async fn added_engines(connection: &mut SqliteConnection) -> Result<Vec<AddedEngine>> {
    check_schema(connection).await?;
    let stored: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT url, certs FROM hosts WHERE source = 'api' ORDER BY created_at, name")
            .fetch_all(connection)
            .await?;
    let engine = |(url, certs): (String, Option<String>)| {
        let certs = certs.map(|certs| certs.parse()).transpose();
        let certs =
            certs.map_err(|_unfit| Error::unavailable(format!("the certificates of {url} have no name")))?;
        Ok(AddedEngine { url, certs })
    };
    stored.into_iter().map(engine).collect()
}

/// Checks that the schema is the one this program knows.
async fn check_schema(connection: &mut SqliteConnection) -> Result<()> {
    let migrated: bool =
        sqlx::query_scalar("SELECT count(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if !migrated {
        return Err(Error::TooOld);
    }
    let applied = connection.list_applied_migrations(&MIGRATIONS.table_name).await.map_err(Error::Migrate)?;
    if let Some(unknown) = applied.iter().find(|applied| !MIGRATIONS.version_exists(applied.version)) {
        return Err(Error::TooNew(unknown.version));
    }
    let is_missing =
        |known: &&sqlx::migrate::Migration| !applied.iter().any(|applied| applied.version == known.version);
    match MIGRATIONS.iter().find(is_missing) {
        Some(_) => Err(Error::TooOld),
        None => Ok(()),
    }
}

/// Makes what is made once for a database.
async fn install(connection: &mut SqliteConnection) -> Result<()> {
    let mut secret = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_source| Error::unavailable("no random bytes"))?;
    sqlx::query("INSERT INTO installation (only_row, id, secret) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING")
        .bind(Uuid::new_v4().to_string())
        .bind(secret.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Opens the epoch of this start: what is written from now on names it.
async fn open_epoch(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("INSERT INTO epochs (token) VALUES (random())").execute(connection).await?;
    Ok(())
}

/// Writes a row that means nothing.
pub(super) fn probe(tx: &Tx) -> Result<()> {
    tx.execute("UPDATE counters SET probes = probes + 1", [])?;
    Ok(())
}
