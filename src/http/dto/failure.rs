//! Why a round ended without a result, as one caller may see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bytes;
use super::names::{FailureCode, LostReason};
use super::report::LimitHit;
use crate::app::Caller;
use crate::domain::{submission, verdict};

/// An attempt that was lost.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LostAttempt {
    /// Its number in the round, from 1.
    pub attempt: u32,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it was given up.
    #[schema(format = DateTime)]
    pub ended_at: String,
    /// Why.
    pub reason: LostReason,
}

/// Why a round ended without a result.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Why, in a word.
    pub code: FailureCode,
    /// For people.
    pub message: String,
    /// All lost attempts of the round.
    pub attempts: Vec<LostAttempt>,
    /// What the exercise's checker did; only there if that is why, and never for students.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub checker: Option<CheckerFault>,
}

/// What a checker program did that decides nothing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckerFault {
    /// The test that it was to decide, by name; null if the checker was not built.
    #[schema(required)]
    pub test: Option<String>,
    /// What was wrong, for people.
    pub problem: String,
    /// Its exit code, or its compiler's; null if a signal killed it.
    #[schema(required)]
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    #[schema(required)]
    pub signal: Option<i32>,
    /// The limit that ended it.
    #[schema(required)]
    pub limit: Option<LimitHit>,
    /// What it, or its compiler, wrote; U+FFFD where that is not UTF-8.
    pub output: String,
    /// Whether it wrote more than is kept.
    pub output_truncated: bool,
    /// What it says in `judgemessage.txt`.
    #[schema(required)]
    pub judge_message: Option<String>,
}

impl From<&verdict::CheckerFault> for CheckerFault {
    fn from(fault: &verdict::CheckerFault) -> Self {
        Self {
            test: fault.test.clone(),
            problem: fault.problem.clone(),
            exit_code: fault.exit.code(),
            signal: fault.exit.signal(),
            limit: fault.limit.map(Into::into),
            output: bytes::lossy(&fault.output.bytes),
            output_truncated: fault.output.truncated,
            judge_message: fault.judge_message.clone(),
        }
    }
}

impl Failure {
    /// The failure as `caller` may see it.
    pub fn of(failure: &submission::Failure, caller: &Caller) -> Self {
        let attempts = failure.attempts.iter().map(|lost| LostAttempt {
            attempt: lost.attempt,
            started_at: lost.started_at.to_string(),
            ended_at: lost.ended_at.to_string(),
            reason: lost.reason.into(),
        });
        let checker = failure.checker.as_deref().filter(|_| caller.sees_hidden());
        Self {
            code: failure.code.into(),
            message: failure.message.clone(),
            attempts: attempts.collect(),
            checker: checker.map(Into::into),
        }
    }
}
