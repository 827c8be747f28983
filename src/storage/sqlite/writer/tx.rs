//! A transaction in which operations run, and what is told after its commit.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::domain::ids::{Owner, SubmissionId};
use crate::storage::{Change, RoundEnd};

/// A transaction in which an operation runs.
#[derive(Debug)]
pub struct Tx {
    pub(super) connection: SqliteConnection,
    pub(super) hints: Vec<Change>,
    /// Whether a submission entered the queue; maybe one whose operation was undone.
    pub(super) entered: bool,
    /// How the operation going on begins; `None` once that is done.
    pub(super) opening: Option<&'static str>,
}

impl Tx {
    pub(super) const fn new(connection: SqliteConnection) -> Self {
        Self { connection, hints: Vec::new(), entered: false, opening: None }
    }

    /// The connection, inside the transaction.
    pub async fn db(&mut self) -> sqlx::Result<&mut SqliteConnection> {
        if let Some(opening) = self.opening.take() {
            sqlx::query(opening).execute(&mut self.connection).await?;
        }
        Ok(&mut self.connection)
    }

    /// The connection, and its next statement with what begins the operation: they are handed over together.
    pub fn with_opening(
        &mut self,
        statement: &'static str,
    ) -> (&mut SqliteConnection, AssertSqlSafe<String>) {
        let statement = match self.opening.take() {
            Some(opening) => format!("{opening}; {statement}"),
            None => statement.to_owned(),
        };
        (&mut self.connection, AssertSqlSafe(statement))
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

    /// Tells after the commit that a log grew, and how the round ended if it did.
    pub fn hint_log(&mut self, submission: SubmissionId, owner: &Owner, end: Option<RoundEnd>) {
        self.hint(Change::Log { submission, owner: owner.clone(), end });
    }

    /// Tells after the commit that submissions entered the queue, and before it those who wait for one.
    pub fn hint_entered(&mut self) {
        self.entered = true;
        self.hint(Change::Queue);
    }
}
