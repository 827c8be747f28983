//! What a teacher sends of a group of tests.

use serde::Deserialize;
use utoipa::ToSchema;

use super::names::GroupScoring;
use crate::domain::groups;

/// Tests that are worth something together. A test is in one group at most; one in none is worth nothing.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// Its name, different from the others'.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Its tests, by name.
    #[schema(min_items = 1, max_items = 1000)]
    pub tests: Vec<String>,
    /// How its points come from its tests; `sum` if left out.
    pub scoring: Option<GroupScoring>,
    /// The most it is worth.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub points: u64,
    /// Groups before it whose tests must all be accepted before any of its own is run; none if left out.
    pub depends_on: Option<Vec<String>>,
    /// Whether its tests after the first that is not accepted are left out; false if left out.
    pub stop_on_first_failure: Option<bool>,
}

impl From<GroupRequest> for groups::Group {
    fn from(group: GroupRequest) -> Self {
        Self {
            name: group.name,
            tests: group.tests,
            scoring: group.scoring.map_or(groups::Scoring::Sum, Into::into),
            points: group.points,
            depends_on: group.depends_on.unwrap_or_default(),
            stop_on_first_failure: group.stop_on_first_failure.unwrap_or(false),
        }
    }
}
