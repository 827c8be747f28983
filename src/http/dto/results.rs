//! The results of an exercise.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::Verdict;
use crate::domain::standing;

/// A submission that was graded, by its newest result.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GradedSubmission {
    /// The submission.
    #[schema(format = Uuid)]
    pub submission_id: String,
    /// The version of the exercise that it is graded with.
    #[schema(minimum = 1)]
    pub exercise_version: u32,
    /// The outcome.
    pub verdict: Verdict,
    /// Points won.
    pub score: u64,
    /// Points to win.
    pub max_score: u64,
    /// When its last round ended; null while another goes on.
    #[schema(required, format = DateTime)]
    pub ended_at: Option<String>,
}

impl From<&standing::Graded> for GradedSubmission {
    fn from(graded: &standing::Graded) -> Self {
        Self {
            submission_id: graded.id.to_string(),
            exercise_version: graded.exercise_version,
            verdict: graded.verdict.into(),
            score: graded.points.score,
            max_score: graded.points.max_score,
            ended_at: graded.ended_at.map(|at| at.to_string()),
        }
    }
}

/// What an owner reached.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnerResults {
    /// Whose.
    pub owner: String,
    /// How many of his submissions were graded.
    #[schema(minimum = 1)]
    pub submissions: u64,
    /// The best by the part of the points that it won; of several that are as good, the first.
    pub best: GradedSubmission,
    /// The one sent last.
    pub last: GradedSubmission,
}

impl From<&standing::Standing> for OwnerResults {
    fn from(standing: &standing::Standing) -> Self {
        Self {
            owner: standing.owner.to_string(),
            submissions: standing.submissions,
            best: (&standing.best).into(),
            last: (&standing.last).into(),
        }
    }
}

/// How often a verdict came.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct VerdictCount {
    /// The verdict.
    pub verdict: Verdict,
    /// How often.
    #[schema(minimum = 1)]
    pub count: u64,
}

/// How often a test ran and how it came out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestCounts {
    /// How often it ran.
    pub runs: u64,
    /// How often it was not accepted.
    pub failures: u64,
    /// The verdicts that came.
    pub verdicts: Vec<VerdictCount>,
}

impl From<&standing::VerdictCounts> for TestCounts {
    fn from(counts: &standing::VerdictCounts) -> Self {
        let verdicts = counts.iter().map(|(verdict, count)| VerdictCount { verdict: verdict.into(), count });
        Self { runs: counts.runs(), failures: counts.failures(), verdicts: verdicts.collect() }
    }
}

/// How often a test fails. Tests of several versions that have the same name are one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestResults {
    /// Its name.
    pub name: String,
    /// In the last graded submission of each owner.
    pub last: TestCounts,
    /// In all graded submissions.
    pub all: TestCounts,
}

impl From<&standing::TestTally> for TestResults {
    fn from(tally: &standing::TestTally) -> Self {
        Self { name: tally.name.clone(), last: (&tally.last).into(), all: (&tally.all).into() }
    }
}

/// What came of an exercise.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExerciseResults {
    /// What each owner reached, in the order of their names.
    pub items: Vec<OwnerResults>,
    /// What `cursor` must be for the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// How often each test fails over all owners, in the order of the tests; null on pages behind the first.
    #[schema(required)]
    pub tests: Option<Vec<TestResults>>,
}
