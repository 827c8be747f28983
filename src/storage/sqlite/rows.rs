//! Rows become domain values here; a row that no value has is [`Error::Inconsistent`].

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::metadata::Metadata;
use crate::domain::queue::{Priority, QueueKey};
use crate::domain::submission::{
    Ended, ExerciseRef, LegacyRef, Purpose, RunInput, State, StateName, Submission,
};
use crate::domain::time::Timestamp;
use crate::domain::verdict::SubmissionResult;
use crate::storage::{Error, Placed, Result};

/// The place of submission `s` among all queued ones, as an expression: the sum of a few blocks.
macro_rules! position {
    () => {
        "(1 + (SELECT coalesce(sum(queued), 0) FROM classes WHERE priority < s.priority) \
          + (SELECT coalesce(sum(queued), 0) FROM queue_blocks \
             WHERE priority = s.priority AND width = 4096 AND block < s.rank / 4096) \
          + (SELECT coalesce(sum(queued), 0) FROM queue_blocks \
             WHERE priority = s.priority AND width = 64 AND block >= s.rank / 4096 * 64 AND block < s.rank / 64) \
          + (SELECT coalesce(sum(queued), 0) FROM queue_blocks \
             WHERE priority = s.priority AND width = 1 AND block >= s.rank / 64 * 64 AND block < s.rank) \
          + (SELECT coalesce(sum(queued), 0) FROM ticket_blocks \
             WHERE priority = s.priority AND rank = s.rank AND block < s.ticket / 64) \
          + (SELECT count(*) FROM submissions AS q \
             WHERE q.state = 'queued' AND q.priority = s.priority AND q.rank = s.rank \
               AND q.ticket >= s.ticket / 64 * 64 AND q.ticket < s.ticket))"
    };
}
pub(super) use position;

/// The files of submission `s` without their bytes, as an expression. The length of a blob is known without reading it.
macro_rules! file_sizes {
    () => {
        "(SELECT json_group_array(json_object('path', f.path, 'bytes', length(f.content)) ORDER BY f.ordinal) \
          FROM files AS f WHERE f.submission_id = s.id)"
    };
}
pub(super) use file_sizes;

/// Selects what a [`SubmissionRow`] holds: `whole`, or `without files`, or `listed`: without the tests of its result
/// either.
macro_rules! select_submissions {
    (whole, $rest:literal) => {
        $crate::storage::sqlite::rows::select_submissions!(
            "r.tests",
            $crate::storage::sqlite::rows::file_sizes!(),
            $rest
        )
    };
    (without files, $rest:literal) => {
        $crate::storage::sqlite::rows::select_submissions!("r.tests", "NULL", $rest)
    };
    (listed, $rest:literal) => {
        $crate::storage::sqlite::rows::select_submissions!("NULL", "NULL", $rest)
    };
    ($tests:literal, $files:expr, $rest:literal) => {
        concat!(
            "SELECT s.id, s.owner, s.backend, s.legacy_id, s.exercise_id, s.exercise_version, s.run, s.runtime, \
             s.priority, s.metadata, s.created_at, s.round, s.attempt, s.state, s.rank, s.ticket, s.queued_at, \
             s.started_at, s.finished_at, s.failure, s.worker, s.cancel_requested_at, r.summary, ",
            $tests,
            " AS tests, ",
            $files,
            " AS files, CASE WHEN s.state = 'queued' THEN ",
            $crate::storage::sqlite::rows::position!(),
            " END AS position FROM submissions AS s \
             LEFT JOIN results AS r ON r.submission_id = s.id AND r.round = s.result_round ",
            $rest
        )
    };
}
pub(super) use select_submissions;

/// A submission as selected by `select_submissions!`, by readers and by the writer.
#[derive(sqlx::FromRow)]
pub(super) struct SubmissionRow {
    id: Vec<u8>,
    owner: String,
    backend: Option<String>,
    legacy_id: Option<String>,
    exercise_id: Option<String>,
    exercise_version: Option<i64>,
    run: Option<String>,
    runtime: String,
    priority: i64,
    metadata: String,
    created_at: i64,
    round: i64,
    attempt: i64,
    state: String,
    rank: Option<i64>,
    ticket: Option<i64>,
    queued_at: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    failure: Option<String>,
    pub(super) worker: Option<String>,
    pub(super) cancel_requested_at: Option<i64>,
    summary: Option<String>,
    tests: Option<String>,
    files: Option<String>,
    /// Its place if it is queued.
    position: Option<i64>,
}

impl TryFrom<SubmissionRow> for Placed {
    type Error = Error;

    fn try_from(row: SubmissionRow) -> Result<Self> {
        let id = submission_id("submissions", &row.id)?;
        let of = Row { table: "submissions", key: &id };
        let state = row.state(&of)?;
        let position = match state.queue_key() {
            Some(_) => Some(of.number("position", of.present("position", row.position)?)?),
            None => None,
        };
        let purpose = row.purpose(&of)?;
        let result = row.result(&Row { table: "results", key: &id })?;
        let legacy = match (row.backend, row.legacy_id) {
            (Some(backend), Some(legacy_id)) => {
                let legacy_id = of.text("legacy_id", &legacy_id)?;
                Some(LegacyRef { backend: of.text("backend", &backend)?, legacy_id })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(of.wrong("legacy_id")),
        };
        let submission = Submission {
            id,
            owner: of.text("owner", &row.owner)?,
            legacy,
            purpose,
            runtime: of.text("runtime", &row.runtime)?,
            priority: of.priority(row.priority)?,
            metadata: of.present("metadata", Metadata::from_text(row.metadata))?,
            created_at: Timestamp::from_millis(row.created_at),
            round: of.number("round", row.round)?,
            state,
            result,
            failure: row.failure.map(|failure| of.json("failure", &failure)).transpose()?,
            files: row.files.map(|files| of.json("files", &files)).transpose()?,
        };
        Ok(Self { submission, position })
    }
}

impl SubmissionRow {
    /// Reads it by the names of its columns.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            owner: row.get("owner")?,
            backend: row.get("backend")?,
            legacy_id: row.get("legacy_id")?,
            exercise_id: row.get("exercise_id")?,
            exercise_version: row.get("exercise_version")?,
            run: row.get("run")?,
            runtime: row.get("runtime")?,
            priority: row.get("priority")?,
            metadata: row.get("metadata")?,
            created_at: row.get("created_at")?,
            round: row.get("round")?,
            attempt: row.get("attempt")?,
            state: row.get("state")?,
            rank: row.get("rank")?,
            ticket: row.get("ticket")?,
            queued_at: row.get("queued_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            failure: row.get("failure")?,
            worker: row.get("worker")?,
            cancel_requested_at: row.get("cancel_requested_at")?,
            summary: row.get("summary")?,
            tests: row.get("tests")?,
            files: row.get("files")?,
            position: row.get("position")?,
        })
    }

    fn state(&self, of: &Row<'_>) -> Result<State> {
        let attempt = of.number("attempt", self.attempt)?;
        let started_at = self.started_at.map(Timestamp::from_millis);
        let ended = || -> Result<Ended> {
            let finished_at = Timestamp::from_millis(of.present("finished_at", self.finished_at)?);
            Ok(Ended { attempt, started_at, finished_at })
        };
        let queued_at = || of.present("queued_at", self.queued_at).map(Timestamp::from_millis);
        Ok(match StateName::from_name(&self.state).ok_or_else(|| of.wrong("state"))? {
            StateName::Draft => State::Draft,
            StateName::Queued => State::Queued { key: self.queue_key(of)?, queued_at: queued_at()?, attempt },
            StateName::Running => State::Running {
                key: self.queue_key(of)?,
                queued_at: queued_at()?,
                attempt,
                started_at: of.present("started_at", started_at)?,
            },
            StateName::Finished => State::Finished(ended()?),
            StateName::Failed => State::Failed(ended()?),
            StateName::Cancelled => State::Cancelled(ended()?),
        })
    }

    fn queue_key(&self, of: &Row<'_>) -> Result<QueueKey> {
        Ok(QueueKey {
            priority: of.priority(self.priority)?,
            rank: of.present("rank", self.rank)?,
            ticket: of.present("ticket", self.ticket)?,
        })
    }

    fn purpose(&self, of: &Row<'_>) -> Result<Purpose> {
        let exercise = match (&self.exercise_id, self.exercise_version) {
            (Some(id), Some(version)) => Some(ExerciseRef {
                id: of.text("exercise_id", id)?,
                version: of.number("exercise_version", version)?,
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(of.wrong("exercise_version")),
        };
        match &self.run {
            Some(run) => {
                let input: RunInput = of.json("run", run)?;
                Ok(Purpose::Run { input, exercise })
            }
            None => Ok(Purpose::Graded(of.present("exercise_id", exercise)?)),
        }
    }

    fn result(&self, of: &Row<'_>) -> Result<Option<SubmissionResult>> {
        self.summary.as_deref().map(|summary| of.result(summary, self.tests.as_deref())).transpose()
    }
}

/// A row, to read its columns and to name it when one is wrong.
pub(super) struct Row<'a> {
    pub(super) table: &'static str,
    pub(super) key: &'a (dyn Display + Sync),
}

impl Row<'_> {
    pub(super) fn wrong(&self, column: &'static str) -> Error {
        Error::Inconsistent { table: self.table, column, key: self.key.to_string() }
    }

    pub(super) fn present<T>(&self, column: &'static str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.wrong(column))
    }

    pub(super) fn text<T: FromStr>(&self, column: &'static str, value: &str) -> Result<T> {
        value.parse().map_err(|_source| self.wrong(column))
    }

    /// The owner of a log, which what is set aside has one of, too.
    pub(super) fn owner(&self, column: &'static str, value: &str) -> Result<Owner> {
        let of_what_is_set_aside = Owner::of_what_is_set_aside();
        if value == of_what_is_set_aside.as_str() {
            Ok(of_what_is_set_aside)
        } else {
            self.text(column, value)
        }
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str, value: i64) -> Result<T> {
        T::try_from(value).map_err(|_source| self.wrong(column))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str, value: &str) -> Result<T> {
        serde_json::from_str(value).map_err(|_source| self.wrong(column))
    }

    pub(super) fn priority(&self, class: i64) -> Result<Priority> {
        Priority::from_class(class).ok_or_else(|| self.wrong("priority"))
    }

    /// The result with that summary and those tests (none if they are not shown).
    pub(super) fn result(&self, summary: &str, tests: Option<&str>) -> Result<SubmissionResult> {
        let mut result: SubmissionResult = self.json("summary", summary)?;
        if let Some(tests) = tests {
            result.tests = self.json("tests", tests)?;
        }
        Ok(result)
    }
}

/// How an id is stored.
pub(super) fn key(id: SubmissionId) -> Vec<u8> {
    id.uuid().as_bytes().to_vec()
}

/// The id stored in the first column of `table`.
pub(super) fn submission_id(table: &'static str, bytes: &[u8]) -> Result<SubmissionId> {
    uuid::Uuid::from_slice(bytes).map(SubmissionId::from_uuid).map_err(|_source| Error::Inconsistent {
        table,
        column: "id",
        key: format!("{bytes:02x?}"),
    })
}

/// A document as it is stored.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::unavailable)
}
