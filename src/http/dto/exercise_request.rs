//! What a teacher sends to write an exercise.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

use super::bytes::Sent;
use super::checker_request::CheckerRequest;
use super::group_request::GroupRequest;
use super::names::{ExerciseKind, Isolation, Priority, Visibility};
use super::set_by_service::SetByService;
use super::solution_request::SolutionRequest;
use super::submission_request::FileRequest;
use crate::app::FieldError;
use crate::app::budget::Purpose;
use crate::domain::exercise::{self, ExerciseSpec, MAX_TESTS};
use crate::domain::limits::LimitChoice;
use crate::domain::{ids::RuntimeId, queue};
use crate::http::body::{MAX_BODY_BYTES, MAX_VALUES, RequestBody};
use crate::json::{Bounds, at_most};

/// Limits of a test; a limit that is left out or null is the runtime's default.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsRequest {
    /// CPU time of all processes together, in milliseconds.
    #[schema(minimum = 1, maximum = 60_000)]
    pub cpu_time_ms: Option<u64>,
    /// Wall time, in milliseconds.
    #[schema(minimum = 1, maximum = 120_000)]
    pub wall_time_ms: Option<u64>,
    /// Memory that all processes together add, in bytes, within 2 MiB; at most the runtime's maximum.
    #[schema(minimum = 8_388_608)]
    pub memory_bytes: Option<u64>,
    /// Standard output and error together, in bytes.
    #[schema(minimum = 1, maximum = 16_777_216)]
    pub output_bytes: Option<u64>,
    /// Processes and threads at one time.
    #[schema(minimum = 1, maximum = 512)]
    pub processes: Option<u32>,
}

/// Limits of the compilation; a limit that is left out or null is the runtime's default.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompileLimitsRequest {
    /// CPU time of all processes together, in milliseconds.
    #[schema(minimum = 1, maximum = 300_000)]
    pub cpu_time_ms: Option<u64>,
    /// Wall time, in milliseconds.
    #[schema(minimum = 1, maximum = 600_000)]
    pub wall_time_ms: Option<u64>,
    /// Memory that all processes together add, in bytes, within 2 MiB; at most the runtime's maximum.
    #[schema(minimum = 8_388_608)]
    pub memory_bytes: Option<u64>,
    /// Standard output and error together, in bytes.
    #[schema(minimum = 1, maximum = 16_777_216)]
    pub output_bytes: Option<u64>,
    /// Processes and threads at one time.
    #[schema(minimum = 1, maximum = 512)]
    pub processes: Option<u32>,
}

impl From<LimitsRequest> for LimitChoice {
    fn from(limits: LimitsRequest) -> Self {
        let LimitsRequest { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes } = limits;
        Self { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes }
    }
}

impl From<CompileLimitsRequest> for LimitChoice {
    fn from(limits: CompileLimitsRequest) -> Self {
        let CompileLimitsRequest { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes } =
            limits;
        Self { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes }
    }
}

/// One input and the output it asks for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCaseRequest {
    /// Its name, different from the others'.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Arguments of the program; none if left out.
    pub args: Option<Vec<String>>,
    /// Its standard input; empty if left out.
    pub stdin: Option<String>,
    /// Its standard input in base64, in place of `stdin`; line breaks may stand in it.
    #[schema(format = Byte)]
    pub stdin_base64: Option<String>,
    /// What it should write to standard output; this or `expected_base64`.
    pub expected: Option<String>,
    /// The same in base64, in place of `expected`.
    #[schema(format = Byte)]
    pub expected_base64: Option<String>,
    /// Files that its program finds in its work folder; none if left out.
    #[schema(max_items = 64)]
    pub files: Option<Vec<FileRequest>>,
    /// Files that its program should leave there, compared as its output is; none if left out.
    #[schema(max_items = 64)]
    pub expected_files: Option<Vec<FileRequest>>,
    /// Who sees its input and outputs; `hidden` if left out.
    pub visibility: Option<Visibility>,
    /// Points it is worth; 1 if left out.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub weight: Option<u64>,
}

impl TestCaseRequest {
    fn read(self, pointer: &str, errors: &mut Vec<FieldError>) -> exercise::TestCase {
        let stdin = Sent { parent: pointer, name: "stdin", text: self.stdin, base64: self.stdin_base64 };
        let expected =
            Sent { parent: pointer, name: "expected", text: self.expected, base64: self.expected_base64 };
        exercise::TestCase {
            name: self.name,
            args: self.args.unwrap_or_default(),
            stdin: stdin.read(errors).unwrap_or_default(),
            expected: expected.read_required(errors),
            files: FileRequest::read_all(self.files.unwrap_or_default(), &format!("{pointer}/files"), errors),
            expected_files: FileRequest::read_all(
                self.expected_files.unwrap_or_default(),
                &format!("{pointer}/expected_files"),
                errors,
            ),
            visibility: self.visibility.map_or(exercise::Visibility::Hidden, Into::into),
            weight: self.weight.unwrap_or(1),
        }
    }
}

/// What is to be solved, and how it is graded.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExerciseRequest {
    /// Set by the service: its id as in the path, or left out.
    pub id: Option<String>,
    /// Set by the service: the stored version, or left out.
    pub version: Option<u32>,
    /// Set by the service: as it is stored, or left out.
    #[schema(format = DateTime)]
    pub updated_at: Option<String>,
    /// Set by the service: as it is stored, or left out.
    pub test_count: Option<u32>,
    /// One line.
    #[schema(min_length = 1, max_length = 255)]
    pub title: String,
    /// Markdown; empty if left out.
    pub statement: Option<String>,
    /// How it is graded.
    pub kind: ExerciseKind,
    /// Runtimes that a student may choose from.
    #[schema(min_items = 1)]
    pub runtimes: Vec<String>,
    /// Files that a student starts from; none if left out.
    pub starter_files: Option<Vec<FileRequest>>,
    /// Class of its submissions; `normal` if left out.
    pub priority: Option<Priority>,
    /// Whether containers are reused; `reset` if left out.
    pub isolation: Option<Isolation>,
    /// Limits of a test, for all runtimes.
    pub limits: Option<LimitsRequest>,
    /// Limits of a test for single runtimes, above those for all.
    pub limits_by_runtime: Option<BTreeMap<String, LimitsRequest>>,
    /// Limits of the compilation.
    pub compile_limits: Option<CompileLimitsRequest>,
    /// How outputs are compared; `tokens` if left out.
    pub checker: Option<CheckerRequest>,
    /// Whether the tests after the first that is not accepted are left out; false if left out.
    pub stop_on_first_failure: Option<bool>,
    /// Reference solutions, in order; no student sees them. None if left out.
    pub solutions: Option<Vec<SolutionRequest>>,
    /// Groups of tests, in order; with any, they alone are worth points. None if left out.
    #[schema(max_items = 100)]
    pub groups: Option<Vec<GroupRequest>>,
    /// The tests, in order.
    #[schema(min_items = 1, max_items = 1000)]
    #[serde(deserialize_with = "at_most::<MAX_TESTS, _, _>")]
    pub tests: Vec<TestCaseRequest>,
}

impl RequestBody for ExerciseRequest {
    const BOUNDS: Bounds = Bounds { bytes: MAX_BODY_BYTES, string_bytes: MAX_BODY_BYTES, values: MAX_VALUES };
    const PURPOSE: Purpose = Purpose::Large;
    type Asked = (SetByService, ExerciseSpec);

    fn asked(self, errors: &mut Vec<FieldError>) -> Self::Asked {
        (self.set_by_service(), self.read(errors))
    }
}

impl ExerciseRequest {
    /// What it says about the fields that are not its sender's to set.
    fn set_by_service(&self) -> SetByService {
        SetByService {
            id: self.id.clone(),
            version: self.version,
            updated_at: self.updated_at.clone(),
            test_count: self.test_count,
        }
    }

    /// The exercise that is asked for.
    fn read(self, errors: &mut Vec<FieldError>) -> ExerciseSpec {
        let mut runtimes = Vec::new();
        for (index, id) in self.runtimes.iter().enumerate() {
            runtimes.extend(read_runtime(id, &format!("/runtimes/{index}"), errors));
        }
        let mut limits_by_runtime = BTreeMap::new();
        for (id, limits) in self.limits_by_runtime.unwrap_or_default() {
            let pointer = format!("/limits_by_runtime/{}", id.replace('~', "~0").replace('/', "~1"));
            if let Some(runtime) = read_runtime(&id, &pointer, errors) {
                limits_by_runtime.insert(runtime, limits.into());
            }
        }
        let starter_files = self.starter_files.unwrap_or_default();
        let starter_files = FileRequest::read_all(starter_files, "/starter_files", errors);
        // What cannot be read is named, so that nothing is stored in its place.
        let checker = self.checker.and_then(|checker| checker.read(errors));
        let mut tests = Vec::new();
        for (index, test) in self.tests.into_iter().enumerate() {
            tests.push(test.read(&format!("/tests/{index}"), errors));
        }
        let kind = match self.kind {
            ExerciseKind::Stdio => exercise::Kind::Stdio(exercise::Stdio {
                checker: checker
                    .unwrap_or(exercise::Checker::Tokens { case_sensitive: true, float_tolerance: None }),
                tests,
                groups: self.groups.unwrap_or_default().into_iter().map(Into::into).collect(),
            }),
        };
        ExerciseSpec {
            title: self.title,
            statement: self.statement.unwrap_or_default(),
            kind,
            runtimes,
            starter_files,
            priority: self.priority.map_or(queue::Priority::Normal, Into::into),
            isolation: self.isolation.map_or(exercise::Isolation::Reset, Into::into),
            limits: self.limits.unwrap_or_default().into(),
            limits_by_runtime,
            compile_limits: self.compile_limits.unwrap_or_default().into(),
            stop_on_first_failure: self.stop_on_first_failure.unwrap_or(false),
            solutions: SolutionRequest::read_all(self.solutions.unwrap_or_default(), errors),
        }
    }
}

pub(super) fn read_runtime(id: &str, pointer: &str, errors: &mut Vec<FieldError>) -> Option<RuntimeId> {
    match id.parse() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            let error: crate::domain::ids::InvalidId = error;
            errors.push(FieldError::body(pointer, error.to_string()));
            None
        }
    }
}
