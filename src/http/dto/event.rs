//! Events of streams: `data` of each type, as one caller may see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{LostReason, PositionReason};
use super::rejudge::Grade;
use super::report::{CompileReport, Detail, TestReport};
use super::submission::{Eta, Submission};
use crate::app::Caller;
use crate::domain::event::{Event, EventBody};
use crate::domain::submission;
use crate::feed::Position;

/// `submission.queued`: it entered the queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionQueued {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// Attempts of the round so far.
    pub attempt: u32,
    /// Its place, 1 = next.
    #[schema(minimum = 1)]
    pub position: u64,
    /// When it may start; null while its runtime is not ready, or too little is known.
    #[schema(required)]
    pub eta: Option<Eta>,
}

/// `queue.position`: its place or estimate changed. Has no id: it is a view, not a fact.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueuePosition {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// Attempts of the round so far.
    pub attempt: u32,
    /// Its place, 1 = next.
    #[schema(minimum = 1)]
    pub position: u64,
    /// When it may start; null while its runtime is not ready, or too little is known.
    #[schema(required)]
    pub eta: Option<Eta>,
    /// What changed it.
    pub reason: PositionReason,
}

/// `submission.started`: an attempt began.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionStarted {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// `submission.compiled`: the compilation ended; only for runtimes that compile.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionCompiled {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// The attempt.
    pub attempt: u32,
    /// Its facts.
    pub compile: CompileReport,
}

/// `submission.test_finished`: a test ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionTestFinished {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// The attempt.
    pub attempt: u32,
    /// Number of tests in all.
    #[schema(minimum = 1)]
    pub of: u32,
    /// Its facts.
    pub test: TestReport,
}

/// `submission.requeued`: the attempt was lost; the submission waits at its old rank.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionRequeued {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// The attempt that was lost.
    pub attempt: u32,
    /// Why.
    pub reason: LostReason,
    /// Its place now, 1 = next.
    #[schema(minimum = 1)]
    pub position: u64,
}

/// `submission.rejudged`: it was judged again with the others of its exercise and came to another verdict or other points. The end
/// of the round comes behind it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionRejudged {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// The round in which it was judged again.
    pub round: u32,
    /// The last attempt.
    pub attempt: u32,
    /// What it had come to.
    pub before: Grade,
    /// What it came to.
    pub after: Grade,
    /// The submission as it was then.
    pub submission: Submission,
}

/// `submission.finished`, `submission.failed`, `submission.cancelled`: the round is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionEnded {
    /// Which submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// Its round.
    pub round: u32,
    /// The last attempt.
    pub attempt: u32,
    /// The submission as it was then.
    pub submission: Submission,
}

/// `stream.snapshot`: the caller's unfinished submissions, when his stream begins.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamSnapshot {
    /// Queued and running ones, oldest first; `files` and `result.tests` are null.
    pub items: Vec<Submission>,
}

/// `stream.reset`: the stream can't go on from the id asked for; what follows starts anew.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamReset {
    /// Whose log starts anew; null in streams that are not of one submission.
    #[schema(required, format = Uuid)]
    pub submission_id: Option<String>,
}

/// `data` of an event; which one it is, `type` tells, as the field `event` does. Unknown types may appear later.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum StreamEvent {
    /// It entered the queue.
    #[serde(rename = "submission.queued")]
    Queued(SubmissionQueued),
    /// Its place or estimate changed.
    #[serde(rename = "queue.position")]
    Position(QueuePosition),
    /// An attempt began.
    #[serde(rename = "submission.started")]
    Started(SubmissionStarted),
    /// The compilation ended.
    #[serde(rename = "submission.compiled")]
    Compiled(Box<SubmissionCompiled>),
    /// A test ended.
    #[serde(rename = "submission.test_finished")]
    TestFinished(Box<SubmissionTestFinished>),
    /// The attempt was lost.
    #[serde(rename = "submission.requeued")]
    Requeued(SubmissionRequeued),
    /// It was judged again and came to something else.
    #[serde(rename = "submission.rejudged")]
    Rejudged(Box<SubmissionRejudged>),
    /// It was graded.
    #[serde(rename = "submission.finished")]
    Finished(Box<SubmissionEnded>),
    /// It could not be run.
    #[serde(rename = "submission.failed")]
    Failed(Box<SubmissionEnded>),
    /// It was taken back.
    #[serde(rename = "submission.cancelled")]
    Cancelled(Box<SubmissionEnded>),
    /// The caller's unfinished submissions.
    #[serde(rename = "stream.snapshot")]
    Snapshot(StreamSnapshot),
    /// The stream starts anew.
    #[serde(rename = "stream.reset")]
    Reset(StreamReset),
}

impl StreamEvent {
    /// An entry of a log, as `caller` may see it.
    pub fn of(event: &Event, caller: &Caller) -> Self {
        let submission_id = event.submission.to_string();
        let (round, attempt) = (event.round, event.attempt);
        let shown = |submission: &submission::Submission| {
            Submission::at(submission, None, None, Detail::Full, caller)
        };
        let ended = |submission: &submission::Submission| {
            let (submission_id, submission) = (event.submission.to_string(), shown(submission));
            Box::new(SubmissionEnded { submission_id, round, attempt, submission })
        };
        match &event.body {
            EventBody::Queued { position, eta } => Self::Queued(SubmissionQueued {
                submission_id,
                round,
                attempt,
                position: *position,
                eta: eta.map(Into::into),
            }),
            EventBody::Started { .. } => Self::Started(SubmissionStarted { submission_id, round, attempt }),
            EventBody::Compiled { compile } => Self::Compiled(Box::new(SubmissionCompiled {
                submission_id,
                round,
                attempt,
                compile: compile.into(),
            })),
            EventBody::TestFinished { of, test } => Self::TestFinished(Box::new(SubmissionTestFinished {
                submission_id,
                round,
                attempt,
                of: *of,
                test: TestReport::of(test, caller),
            })),
            EventBody::Requeued { reason, position, .. } => Self::Requeued(SubmissionRequeued {
                submission_id,
                round,
                attempt,
                reason: (*reason).into(),
                position: *position,
            }),
            EventBody::Rejudged { before, after, submission } => {
                Self::Rejudged(Box::new(SubmissionRejudged {
                    submission_id,
                    round,
                    attempt,
                    before: (*before).into(),
                    after: Some(*after).into(),
                    submission: shown(submission),
                }))
            }
            EventBody::Finished { submission } => Self::Finished(ended(submission)),
            EventBody::Failed { submission } => Self::Failed(ended(submission)),
            EventBody::Cancelled { submission } => Self::Cancelled(ended(submission)),
        }
    }

    /// A place in the queue.
    pub fn of_position(place: &Position) -> Self {
        Self::Position(QueuePosition {
            submission_id: place.submission.to_string(),
            round: place.round,
            attempt: place.attempt,
            position: place.position,
            eta: place.eta.map(Into::into),
            reason: place.reason.into(),
        })
    }
}
