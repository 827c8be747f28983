//! What is told about checks of exercises by their reference solutions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::Verdict;
use crate::domain::check;

/// A check that goes on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckBegun {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
}

/// How far a check is. Unknown values may appear later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Not all solutions were judged.
    Running,
    /// All were judged, as far as they can be.
    Ended,
}

/// A solution in a check.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckItem {
    /// Its name.
    pub solution: String,
    /// The verdicts of which it must get one.
    pub expected_verdicts: Vec<Verdict>,
    /// What it got; null until then, and if it could not be judged.
    #[schema(required)]
    pub verdict: Option<Verdict>,
    /// Whether that is one that it must get; null until that is known.
    #[schema(required)]
    pub ok: Option<bool>,
    /// What is judged for it. It is read by its id alone: it is in no list, result or stream of its owner.
    #[schema(format = Uuid)]
    pub submission_id: String,
}

impl From<&check::CheckItem> for CheckItem {
    fn from(item: &check::CheckItem) -> Self {
        Self {
            solution: item.solution.clone(),
            expected_verdicts: item.expected_verdicts.iter().copied().map(Into::into).collect(),
            verdict: item.verdict.map(Into::into),
            ok: item.is_ok(),
            submission_id: item.submission.to_string(),
        }
    }
}

/// A check of an exercise by its reference solutions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The exercise.
    pub exercise_id: String,
    /// The version that is checked.
    #[schema(minimum = 1)]
    pub exercise_version: u32,
    /// How far it is.
    pub state: CheckState,
    /// Whether each solution got a verdict that it must get; null until that is known.
    #[schema(required)]
    pub ok: Option<bool>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The solutions, in their order.
    pub items: Vec<CheckItem>,
}

impl From<&check::Check> for Check {
    fn from(check: &check::Check) -> Self {
        Self {
            id: check.id.to_string(),
            exercise_id: check.exercise.id.to_string(),
            exercise_version: check.exercise.version,
            state: if check.has_ended() { CheckState::Ended } else { CheckState::Running },
            ok: check.is_ok(),
            created_at: check.created_at.to_string(),
            items: check.items.iter().map(Into::into).collect(),
        }
    }
}
