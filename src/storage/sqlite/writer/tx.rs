//! A transaction in which operations run, and what is told after its commit.

use rusqlite::{Connection, OptionalExtension as _, Params};

use crate::domain::ids::{Owner, SubmissionId};
use crate::storage::Change;

/// A transaction in which an operation runs.
#[derive(Debug)]
pub struct Tx {
    pub(super) connection: Connection,
    pub(super) hints: Vec<Change>,
    /// Whether the disk has what was committed when the commit returns.
    commits_sync: bool,
}

impl Tx {
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection, hints: Vec::new(), commits_sync: true }
    }

    /// Lets commits wait for the disk, or not; between transactions.
    pub(super) fn let_commits_sync(&mut self, sync: bool) -> rusqlite::Result<()> {
        if self.commits_sync != sync {
            self.connection.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })?;
            self.commits_sync = sync;
        }
        Ok(())
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute(&self, statement: &str, values: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(statement)?.execute(values)
    }

    /// All rows of a query.
    pub fn rows<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.connection.prepare_cached(query)?.query_map(values, read)?.collect()
    }

    /// The first row of a query, which must have one.
    pub fn one<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.prepare_cached(query)?.query_row(values, read)
    }

    /// The first row of a query, if there is one.
    pub fn first<T>(
        &self,
        query: &str,
        values: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.one(query, values, read).optional()
    }

    /// Tells of a change after the commit.
    pub fn hint(&mut self, change: Change) {
        let is_known = match &change {
            // There may be thousands; those of one log follow each other.
            Change::Log { .. } | Change::RoundEnded { .. } | Change::Deleted { .. } => {
                self.hints.last() == Some(&change)
            }
            Change::Queued | Change::Unqueued | Change::Cancel { .. } => self.hints.contains(&change),
        };
        if !is_known {
            self.hints.push(change);
        }
    }

    /// Tells after the commit that a log changed.
    pub fn hint_log(&mut self, submission: SubmissionId, owner: &Owner) {
        self.hint(Change::Log { submission, owner: owner.clone() });
    }
}
