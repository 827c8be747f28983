//! Reference solutions as a teacher sends them.

use serde::Deserialize;
use utoipa::ToSchema;

use super::names::Verdict;
use super::submission_request::FileRequest;
use crate::app::FieldError;
use crate::app::validate::MAX_FILES;
use crate::domain::exercise;
use crate::domain::ids::InvalidId;
use crate::domain::verdict;
use crate::json::at_most;

/// A program with the verdicts that it must get.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SolutionRequest {
    /// Its name, different from the others'.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The runtime it is for; one that students may not choose, too.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:~-]+$")]
    pub runtime: String,
    /// The program: 1 MiB at most in all.
    #[schema(min_items = 1)]
    #[serde(deserialize_with = "at_most::<MAX_FILES, _, _>")]
    pub files: Vec<FileRequest>,
    /// The verdicts of which it must get one; `accepted` if left out.
    #[schema(min_items = 1)]
    pub expected_verdicts: Option<Vec<Verdict>>,
}

impl SolutionRequest {
    /// The solution; `pointer` is its place in the request.
    fn read(self, pointer: &str, errors: &mut Vec<FieldError>) -> Option<exercise::Solution> {
        let files = FileRequest::read_all(self.files, &format!("{pointer}/files"), errors);
        let runtime = match self.runtime.parse() {
            Ok(runtime) => runtime,
            Err(error) => {
                let error: InvalidId = error;
                errors.push(FieldError::body(format!("{pointer}/runtime"), error.to_string()));
                return None;
            }
        };
        let expected_verdicts = match self.expected_verdicts {
            Some(expected) => expected.into_iter().map(Into::into).collect(),
            None => vec![verdict::Verdict::Accepted],
        };
        Some(exercise::Solution { name: self.name, runtime, files, expected_verdicts })
    }

    /// All solutions of a request.
    pub(super) fn read_all(solutions: Vec<Self>, errors: &mut Vec<FieldError>) -> Vec<exercise::Solution> {
        let read = |(index, solution): (usize, Self)| solution.read(&format!("/solutions/{index}"), errors);
        solutions.into_iter().enumerate().filter_map(read).collect()
    }
}
