//! What a caller is told of an error: the log gets it with its sources, the caller never.

use crate::app::budget::Overloaded;
use crate::app::{self, Conflict, FieldError, InvalidCode, NoStream};
use crate::auth::InvalidToken;
use crate::chain::Chain;
use crate::http::problem::{Code, Problem};
use crate::packages;

/// When there may be memory again, in seconds: bodies are read and stored within parts of one.
const OVERLOADED_FOR_S: u64 = 2;

impl From<app::Error> for Problem {
    fn from(error: app::Error) -> Self {
        match error {
            app::Error::Invalid { code, errors } => Self::invalid(
                match code {
                    InvalidCode::ValidationFailed => Code::ValidationFailed,
                    InvalidCode::ExerciseNotFound => Code::ExerciseNotFound,
                    InvalidCode::IdempotencyKeyReused => Code::IdempotencyKeyReused,
                },
                errors,
            ),
            app::Error::NotFound => Self::not_found(),
            app::Error::Forbidden(detail) => Self::new(Code::Forbidden, detail),
            app::Error::Conflict(conflict) => conflict.into(),
            app::Error::PreconditionFailed => {
                Self::new(Code::PreconditionFailed, "read it again before you change it")
            }
            app::Error::TooLarge(detail) => Self::new(Code::PayloadTooLarge, detail),
            app::Error::QueueFull { retry_after_s } => {
                Self::new(Code::QueueFull, "try again later").retry_after(retry_after_s)
            }
            app::Error::TooManyQueued { retry_after_s } => {
                Self::new(Code::TooManyQueued, "wait until some have started").retry_after(retry_after_s)
            }
            app::Error::TooManyDrafts => {
                Self::new(Code::TooManyDrafts, "queue or cancel some first").retry_after(60)
            }
            app::Error::Stopping => {
                Self::new(Code::Stopping, "another instance may take it, or this one soon").retry_after(2)
            }
            app::Error::Unavailable(error) => {
                tracing::error!(error = %Chain(&error), "the database is not available");
                Self::new(Code::Unavailable, "the database is not available").retry_after(2)
            }
            app::Error::Internal(error) => {
                tracing::error!(error = %Chain(&error), "the database is not as it should be");
                Self::internal()
            }
        }
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::SubmissionActive => {
                Self::new(Code::SubmissionActive, "wait until it has ended, or cancel it")
            }
            Conflict::SubmissionEnded => Self::new(Code::SubmissionEnded, "it finished or failed before"),
            Conflict::SubmissionNotGraded => {
                Self::new(Code::SubmissionNotGraded, "it is a run or a draft, or was cancelled")
            }
            Conflict::RejudgeActive(id) => {
                Self::new(Code::RejudgeActive, format!("rejudge {id} has not ended, or waits for a decision"))
            }
            Conflict::RejudgeOver => {
                Self::new(Code::RejudgeOver, "only a preview is applied or cancelled, and one or the other")
            }
            Conflict::NoSolutions => Self::new(Code::NoSolutions, "there is nothing to check it by"),
            Conflict::HostExists => Self {
                errors: vec![FieldError::body("/name", "is taken")],
                ..Self::new(Code::HostExists, "names of hosts differ")
            },
            Conflict::HostBusy => Self::new(Code::HostBusy, "drain it first, or remove it with ?force=true"),
            Conflict::HostConfigured => {
                Self::new(Code::HostConfigured, "cordon or drain it, or take it out of the settings")
            }
            Conflict::LegacyIdTaken { pointer, submission } => Self {
                submission: Some(submission),
                errors: vec![FieldError::body(pointer, "is taken")],
                ..Self::new(Code::LegacyIdTaken, format!("submission {submission} has it"))
            },
        }
    }
}

impl From<packages::Error> for Problem {
    fn from(error: packages::Error) -> Self {
        match error {
            packages::Error::Unfit { path, message } => {
                let pointer = if path.is_empty() { path } else { format!("/{}", path.replace('~', "~0")) };
                Self::invalid(Code::InvalidPackage, vec![FieldError::body(pointer, message)])
            }
            packages::Error::TooLarge(detail) => Self::new(Code::PayloadTooLarge, detail),
            packages::Error::NoRoom => Overloaded.into(),
        }
    }
}

impl From<Overloaded> for Problem {
    fn from(reason: Overloaded) -> Self {
        Self::new(Code::Overloaded, reason.to_string()).retry_after(OVERLOADED_FOR_S)
    }
}

impl From<NoStream> for Problem {
    fn from(reason: NoStream) -> Self {
        match reason {
            NoStream::TooMany => Self::new(Code::RateLimited, reason.to_string()).retry_after(5),
            NoStream::Overloaded(overloaded) => overloaded.into(),
        }
    }
}

impl From<InvalidToken> for Problem {
    fn from(reason: InvalidToken) -> Self {
        Self::unauthorized(reason.to_string())
    }
}
