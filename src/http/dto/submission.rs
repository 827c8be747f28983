//! A submission, as one caller may see it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::bytes::Shown;
use super::failure::Failure;
use super::names::{Priority, SubmissionState};
use super::report::{Detail, SubmissionResult};
use crate::app::{App, Caller, Placed};
use crate::domain::metadata::Metadata;
use crate::domain::{pace, submission};

/// A range of whole seconds from now until a submission starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Eta {
    /// It hardly starts sooner.
    pub low_s: u64,
    /// It hardly starts later.
    pub high_s: u64,
}

impl From<pace::Eta> for Eta {
    fn from(eta: pace::Eta) -> Self {
        Self { low_s: eta.low_s, high_s: eta.high_s }
    }
}

/// What a run is given in place of an exercise's tests.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunInput {
    /// Standard input; null if it is not UTF-8.
    #[schema(required)]
    pub stdin: Option<String>,
    /// Standard input in base64; only there if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stdin_base64: Option<String>,
    /// Arguments.
    pub args: Vec<String>,
}

impl From<&submission::RunInput> for RunInput {
    fn from(run: &submission::RunInput) -> Self {
        let stdin = Shown::of(&run.stdin);
        Self { stdin: stdin.text, stdin_base64: stdin.base64, args: run.args.clone() }
    }
}

/// The creator's own JSON object, written as its text says.
#[derive(Clone, Debug)]
pub struct OwnObject(Metadata);

impl Serialize for OwnObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.0.as_str().to_owned()).map_err(ser::Error::custom)?;
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OwnObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Metadata::deserialize(deserializer).map(Self)
    }
}

/// A file of a submission.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionFile {
    /// Its path as sent.
    pub path: String,
    /// How many bytes it has.
    pub bytes: u64,
}

impl From<&submission::FileSize> for SubmissionFile {
    fn from(file: &submission::FileSize) -> Self {
        Self { path: file.path.clone(), bytes: file.bytes }
    }
}

/// Where more about a submission is found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionLinks {
    /// The submission.
    #[serde(rename = "self")]
    pub this: String,
    /// Its events.
    pub events: String,
}

/// A student's program on its way through the counter.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Submission {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The original backend that knows it by `legacy_id`.
    #[schema(required)]
    pub backend: Option<String>,
    /// Its id at that backend.
    #[schema(required)]
    pub legacy_id: Option<String>,
    /// Whose it is.
    pub owner: String,
    /// The exercise it is for.
    #[schema(required)]
    pub exercise_id: Option<String>,
    /// The exercise's version it is graded with.
    #[schema(required)]
    pub exercise_version: Option<u32>,
    /// Of a run: what the program is given.
    #[schema(required)]
    pub run: Option<RunInput>,
    /// The runtime its program is for.
    pub runtime: String,
    /// Its files in the order sent; null in lists. Their bytes: `get_submission_files`, `get_submission_file`.
    #[schema(required)]
    pub files: Option<Vec<SubmissionFile>>,
    /// Its class in the queue.
    pub priority: Priority,
    /// Where it is in its life.
    pub state: SubmissionState,
    /// Its place in the queue, 1 = next; null unless queued.
    #[schema(required)]
    pub position: Option<u64>,
    /// When it may start; null unless queued, while its runtime is not ready, or while too little is known.
    #[schema(required)]
    pub eta: Option<Eta>,
    /// Round of grading, from 1.
    #[schema(minimum = 1)]
    pub round: u32,
    /// The attempt going on, or the last of the round; 0 before the first.
    pub attempt: u32,
    /// When it was stored.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the last attempt began.
    #[schema(required, format = DateTime)]
    pub started_at: Option<String>,
    /// When the round ended.
    #[schema(required, format = DateTime)]
    pub finished_at: Option<String>,
    /// The creator's own JSON object, as it was sent.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub metadata: OwnObject,
    /// The newest result, maybe of an earlier round.
    #[schema(required)]
    pub result: Option<SubmissionResult>,
    /// Why it failed, if its state is `failed`.
    #[schema(required)]
    pub failure: Option<Failure>,
    /// Where more about it is found.
    pub links: SubmissionLinks,
}

/// A page of submissions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionList {
    /// Newest first; `files` and `result.tests` are null.
    pub items: Vec<Submission>,
    /// What `cursor` must be for the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The submissions of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionBatch {
    /// In the order sent.
    pub items: Vec<Submission>,
}

/// The address of a submission.
pub fn location(id: crate::domain::ids::SubmissionId) -> String {
    format!("/v1/submissions/{id}")
}

impl Submission {
    /// The submission as `caller` may see it, with the estimate for its place.
    pub fn of(app: &App, placed: &Placed, detail: Detail, caller: &Caller) -> Self {
        let eta = placed.position.and_then(|position| app.eta(position, &placed.submission.runtime));
        Self::at(&placed.submission, placed.position, eta, detail, caller)
    }

    /// The submission as `caller` may see it, at a known place.
    pub fn at(
        submission: &submission::Submission,
        position: Option<u64>,
        eta: Option<pace::Eta>,
        detail: Detail,
        caller: &Caller,
    ) -> Self {
        let exercise = submission.purpose.exercise();
        let state = &submission.state;
        Self {
            id: submission.id.to_string(),
            backend: submission.legacy.as_ref().map(|legacy| legacy.backend.to_string()),
            legacy_id: submission.legacy.as_ref().map(|legacy| legacy.legacy_id.to_string()),
            owner: submission.owner.to_string(),
            exercise_id: exercise.map(|exercise| exercise.id.to_string()),
            exercise_version: exercise.map(|exercise| exercise.version),
            run: submission.purpose.run().map(Into::into),
            runtime: submission.runtime.to_string(),
            files: match detail {
                Detail::Full => submission.files.as_ref().map(|files| files.iter().map(Into::into).collect()),
                Detail::Listed => None,
            },
            priority: submission.priority.into(),
            state: state.name().into(),
            position,
            eta: eta.map(Into::into),
            round: submission.round,
            attempt: state.attempt(),
            created_at: submission.created_at.to_string(),
            started_at: state.started_at().map(|at| at.to_string()),
            finished_at: state.finished_at().map(|at| at.to_string()),
            metadata: OwnObject(submission.metadata.clone()),
            result: submission.result.as_ref().map(|result| SubmissionResult::of(result, detail, caller)),
            failure: submission.failure.as_ref().map(|failure| Failure::of(failure, caller)),
            links: SubmissionLinks {
                this: location(submission.id),
                events: format!("{}/events", location(submission.id)),
            },
        }
    }
}
