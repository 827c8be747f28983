//! A transaction in which operations run, and what is told after its commit.

use sqlx::sqlite::SqliteConnection;

use crate::domain::ids::{Owner, SubmissionId};
use crate::storage::Change;

/// A transaction in which an operation runs.
#[derive(Debug)]
pub struct Tx {
    pub(super) connection: SqliteConnection,
    pub(super) hints: Vec<Change>,
    /// Whether a submission entered the queue; maybe one whose operation was undone.
    pub(super) entered: bool,
}

impl Tx {
    pub(super) const fn new(connection: SqliteConnection) -> Self {
        Self { connection, hints: Vec::new(), entered: false }
    }

    /// The connection.
    pub const fn db(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Tells of a change after the commit.
    pub fn hint(&mut self, change: Change) {
        let is_known = match &change {
            // There may be thousands; those of one log follow each other.
            Change::Log { .. } => self.hints.last() == Some(&change),
            Change::Queue | Change::Cancel { .. } => self.hints.contains(&change),
        };
        if !is_known {
            self.hints.push(change);
        }
    }

    /// Tells after the commit that a log grew.
    pub fn hint_log(&mut self, submission: SubmissionId, owner: &Owner, ends_round: bool) {
        self.hint(Change::Log { submission, owner: owner.clone(), ends_round });
    }

    /// Tells after the commit that submissions entered the queue, and before it those who wait for one.
    pub fn hint_entered(&mut self) {
        self.entered = true;
        self.hint(Change::Queue);
    }
}
