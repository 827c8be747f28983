//! What is asked and told about an exercise's submissions that are judged again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{RejudgeMode, RejudgeState, Verdict};
use crate::app::FieldError;
use crate::app::budget::Purpose;
use crate::app::rejudges::RejudgeChange as Changed;
use crate::app::rejudges::RejudgeExercise;
use crate::domain::rejudge::{self, RejudgeFilter};
use crate::http::body::RequestBody;
use crate::json::Bounds;

/// Which submissions of an exercise are judged again, and when what comes out counts.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejudgeRequest {
    /// When what comes out counts.
    pub mode: RejudgeMode,
    /// Only those of this runtime.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:~-]+$")]
    pub runtime: Option<String>,
    /// Only those with this verdict in the newest result.
    pub verdict: Option<Verdict>,
    /// Only those stored at or after this instant.
    #[schema(format = DateTime)]
    pub created_after: Option<String>,
    /// Only those stored before this instant.
    #[schema(format = DateTime)]
    pub created_before: Option<String>,
}

impl RequestBody for RejudgeRequest {
    const BOUNDS: Bounds = Bounds { bytes: 16 << 10, string_bytes: 1 << 10, values: 100 };
    const PURPOSE: Purpose = Purpose::Small;
    type Asked = RejudgeExercise;

    fn asked(self, errors: &mut Vec<FieldError>) -> RejudgeExercise {
        let Self { mode, runtime, verdict, created_after, created_before } = self;
        let filter = RejudgeFilter {
            runtime: read(runtime.as_ref(), "/runtime", errors),
            verdict: verdict.map(Into::into),
            created_after: read(created_after.as_ref(), "/created_after", errors),
            created_before: read(created_before.as_ref(), "/created_before", errors),
        };
        RejudgeExercise { mode: mode.into(), filter }
    }
}

fn read<T>(text: Option<&String>, pointer: &str, errors: &mut Vec<FieldError>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match text?.parse() {
        Ok(read) => Some(read),
        Err(error) => {
            errors.push(FieldError::body(pointer, T::Err::to_string(&error)));
            None
        }
    }
}

/// How it stands with the submissions of an exercise that are judged again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rejudge {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The exercise.
    pub exercise_id: String,
    /// The version that all of them are judged with: the newest when it was asked for.
    #[schema(minimum = 1)]
    pub exercise_version: u32,
    /// When what comes out counts.
    pub mode: RejudgeMode,
    /// How far it is.
    pub state: RejudgeState,
    /// How many submissions there are.
    pub total: u64,
    /// Of how many of them nothing more will come.
    pub ended: u64,
    /// How many of these have another verdict or other points.
    pub changed: u64,
    /// How many could not be judged, for a fault of the infrastructure.
    pub failed: u64,
    /// How many stay as they are: they were cancelled, changed by their owners meanwhile, or deleted.
    pub left_out: u64,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When all were judged, or it was cancelled before; null until then.
    #[schema(required, format = DateTime)]
    pub ended_at: Option<String>,
    /// Where the changes are.
    pub changes_url: String,
}

impl From<&rejudge::Rejudge> for Rejudge {
    fn from(of: &rejudge::Rejudge) -> Self {
        Self {
            id: of.id.to_string(),
            exercise_id: of.exercise.id.to_string(),
            exercise_version: of.exercise.version,
            mode: of.mode.into(),
            state: of.state.into(),
            total: of.total,
            ended: of.ended,
            changed: of.changed,
            failed: of.failed,
            left_out: of.left_out,
            created_at: of.created_at.to_string(),
            ended_at: of.ended_at.map(|at| at.to_string()),
            changes_url: format!("/v1/rejudges/{}/changes", of.id),
        }
    }
}

/// What a submission came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Grade {
    /// The outcome; null if it had none.
    #[schema(required)]
    pub verdict: Option<Verdict>,
    /// Points won; null without an outcome.
    #[schema(required)]
    pub score: Option<u64>,
    /// Points to win; null without an outcome.
    #[schema(required)]
    pub max_score: Option<u64>,
}

impl From<Option<rejudge::Grade>> for Grade {
    fn from(of: Option<rejudge::Grade>) -> Self {
        Self {
            verdict: of.map(|of| of.verdict.into()),
            score: of.and_then(|of| of.score),
            max_score: of.and_then(|of| of.max_score),
        }
    }
}

/// A submission that came to something else.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RejudgeChange {
    /// The submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Whose.
    pub owner: String,
    /// What it had come to.
    pub before: Grade,
    /// What it came to.
    pub after: Grade,
}

impl From<&Changed> for RejudgeChange {
    fn from(change: &Changed) -> Self {
        Self {
            submission_id: change.submission.to_string(),
            owner: change.owner.to_string(),
            before: change.before.into(),
            after: Some(change.after).into(),
        }
    }
}

/// A page of changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RejudgeChangeList {
    /// The changes, in the order in which the submissions were stored.
    pub items: Vec<RejudgeChange>,
    /// What `cursor` must be for the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// `rejudge.changed`: how it stands now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RejudgeChanged {
    /// How it stands.
    pub rejudge: Rejudge,
}

/// `data` of an event; which one it is, `type` tells, as the field `event` does. Unknown types may appear later.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum RejudgeEvent {
    /// How it stands now.
    #[serde(rename = "rejudge.changed")]
    Changed(Box<RejudgeChanged>),
}
