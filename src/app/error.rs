//! Why a use case was refused, without a transport. Each has a stable code.

use crate::domain::ids::{RejudgeId, SubmissionId};
use crate::storage;

/// Where in a request something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// The body; the pointer is a JSON pointer.
    Body,
    /// The query; the pointer is the parameter's name.
    Query,
    /// The path; the pointer is the parameter's name.
    Path,
    /// A header; the pointer is its name.
    Header,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// In which part of the request.
    pub place: Location,
    /// Which field.
    pub pointer: String,
    /// What is wrong: a lower-case fragment.
    pub message: String,
}

impl FieldError {
    /// Something wrong in the body.
    pub fn body(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: Location::Body, pointer: pointer.into(), message: message.into() }
    }
}

/// What kind of request doesn't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidCode {
    /// Fields are wrong.
    ValidationFailed,
    /// The exercise doesn't exist, or takes no submissions.
    ExerciseNotFound,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
}

/// What stands in the way of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The submission is queued or running.
    SubmissionActive,
    /// The submission finished or failed.
    SubmissionEnded,
    /// The submission was never graded.
    SubmissionNotGraded,
    /// Another goes on for the exercise, or this one does.
    RejudgeActive(RejudgeId),
    /// It is no preview, or was decided about.
    RejudgeOver,
    /// The exercise has no reference solutions.
    NoSolutions,
    /// Another host has the name.
    HostExists,
    /// Something runs on the host.
    HostBusy,
    /// The host is one of the settings.
    HostConfigured,
    /// Another submission has the backend's id.
    LegacyIdTaken {
        /// Where the id stands in the body.
        pointer: String,
        /// Who has it.
        submission: SubmissionId,
    },
}

/// Why a use case was refused; nothing was stored then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request doesn't fit.
    #[error("the request is not valid")]
    Invalid {
        /// What kind of misfit.
        code: InvalidCode,
        /// Each thing that is wrong; at least one.
        errors: Vec<FieldError>,
    },
    /// There is no such thing, or the caller may not see it.
    #[error("not found")]
    NotFound,
    /// The role never has this operation or field.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Something stands in the way.
    #[error("conflict")]
    Conflict(Conflict),
    /// The stored version is not the expected one.
    #[error("the stored version is another one")]
    PreconditionFailed,
    /// More bytes than are taken.
    #[error("{0}")]
    TooLarge(String),
    /// The queue takes no more.
    #[error("the queue is full")]
    QueueFull {
        /// When it's worth trying again.
        retry_after_s: u64,
    },
    /// The owner has too much in the queue.
    #[error("too many submissions are queued")]
    TooManyQueued {
        /// When it's worth trying again.
        retry_after_s: u64,
    },
    /// The owner has too many drafts.
    #[error("too many drafts are stored")]
    TooManyDrafts,
    /// The process is about to end and takes nothing new.
    #[error("the service is stopping")]
    Stopping,
    /// The database can't be reached now.
    #[error("the database is not available")]
    Unavailable(#[source] storage::Error),
    /// Something is broken here.
    #[error("internal error")]
    Internal(#[source] storage::Error),
}

impl Error {
    /// One wrong field of the body.
    pub fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            code: InvalidCode::ValidationFailed,
            errors: vec![FieldError::body(pointer, message)],
        }
    }

    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { code: InvalidCode::ValidationFailed, .. } => "validation_failed",
            Self::Invalid { code: InvalidCode::ExerciseNotFound, .. } => "exercise_not_found",
            Self::Invalid { code: InvalidCode::IdempotencyKeyReused, .. } => "idempotency_key_reused",
            Self::NotFound => "not_found",
            Self::Forbidden(_) => "forbidden",
            Self::Conflict(Conflict::SubmissionActive) => "submission_active",
            Self::Conflict(Conflict::SubmissionEnded) => "submission_ended",
            Self::Conflict(Conflict::SubmissionNotGraded) => "submission_not_graded",
            Self::Conflict(Conflict::RejudgeActive(_)) => "rejudge_active",
            Self::Conflict(Conflict::RejudgeOver) => "rejudge_over",
            Self::Conflict(Conflict::NoSolutions) => "no_solutions",
            Self::Conflict(Conflict::HostExists) => "host_exists",
            Self::Conflict(Conflict::HostBusy) => "host_busy",
            Self::Conflict(Conflict::HostConfigured) => "host_configured",
            Self::Conflict(Conflict::LegacyIdTaken { .. }) => "legacy_id_taken",
            Self::PreconditionFailed => "precondition_failed",
            Self::TooLarge(_) => "payload_too_large",
            Self::QueueFull { .. } => "queue_full",
            Self::TooManyQueued { .. } => "too_many_queued",
            Self::TooManyDrafts => "too_many_drafts",
            Self::Stopping => "stopping",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Unavailable(_) => Self::Unavailable(error),
            storage::Error::Inconsistent { .. }
            | storage::Error::TooNew(_)
            | storage::Error::TooOld
            | storage::Error::Migrate(_)
            | storage::Error::Locked => Self::Internal(error),
        }
    }
}
