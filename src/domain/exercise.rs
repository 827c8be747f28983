//! What is to be solved: test cases, checker, limits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::groups::Group;
use super::ids::{ExerciseId, RuntimeId};
use super::limits::{LimitChoice, Limits};
use super::queue::Priority;
use super::runtime::Runtime;
use super::time::Timestamp;
use super::verdict::Verdict;

/// Most test cases of an exercise.
pub const MAX_TESTS: usize = 1000;
/// Most reference solutions of an exercise.
pub const MAX_SOLUTIONS: usize = 50;
/// Most points of a test.
pub const MAX_WEIGHT: u64 = 1_000_000;

/// Who may see the input, the expected output and the output of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody who may see the exercise.
    Public,
    /// Teachers, backends and admins.
    Hidden,
}

/// Whether a container serves several submissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// The container is emptied and verified after each submission.
    Reset,
    /// The container is thrown away after each submission.
    Fresh,
}

/// How far numbers may differ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FloatTolerance {
    /// By this much, from 0.
    pub absolute: f64,
    /// Or by this part of the expected number, from 0.
    pub relative: f64,
}

/// How an output is compared with what was expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Checker {
    /// Byte for byte.
    Exact,
    /// Token for token; white space only separates.
    Tokens {
        /// Whether letters must have the same case (ASCII).
        case_sensitive: bool,
        /// Tokens that are numbers on both sides may differ this far.
        float_tolerance: Option<FloatTolerance>,
    },
    /// A program of the exercise decides.
    Program(CheckerProgram),
}

impl Checker {
    /// The program, if one decides.
    pub const fn program(&self) -> Option<&CheckerProgram> {
        match self {
            Self::Exact | Self::Tokens { .. } => None,
            Self::Program(program) => Some(program),
        }
    }
}

/// Folder, in the work folder of a checker program, in which it finds input, answer and feedback folder.
pub const CHECK_FOLDER: &str = ".check";

/// A program that decides about outputs: an output validator of the ICPC's problem packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckerProgram {
    /// What it is written in.
    pub runtime: RuntimeId,
    /// Its files; the entry file is chosen as a submission's.
    pub files: Vec<SourceFile>,
    /// Arguments behind those of the convention.
    pub args: Vec<String>,
    /// Limits of a check.
    pub limits: LimitChoice,
}

impl CheckerProgram {
    /// What a check may use, if the exercise does not say otherwise: more than a submission's program, as far as the runtime
    /// lets it.
    const DEFAULT_LIMITS: Limits = Limits {
        cpu_time_ms: 10_000,
        wall_time_ms: 30_000,
        memory_bytes: 512 << 20,
        output_bytes: 1 << 20,
        processes: 16,
    };

    /// Limits of a check.
    pub fn run_limits(&self, runtime: &Runtime) -> Limits {
        let (own, most) = (runtime.run.limits.default, &runtime.run.limits.maximum);
        let least = Self::DEFAULT_LIMITS;
        let base = Limits {
            cpu_time_ms: own.cpu_time_ms.max(least.cpu_time_ms),
            wall_time_ms: own.wall_time_ms.max(least.wall_time_ms),
            memory_bytes: own.memory_bytes.max(least.memory_bytes),
            output_bytes: own.output_bytes.max(least.output_bytes),
            processes: own.processes.max(least.processes),
        };
        self.limits.over(&base, most)
    }
}

/// One input and the output it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// Its name, different from the others'.
    pub name: String,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// Its standard input.
    pub stdin: Blob,
    /// What it should write to standard output.
    pub expected: Blob,
    /// Files that are in its work folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SourceFile>,
    /// Files that it should leave there, compared as its output is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_files: Vec<SourceFile>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Points it is worth.
    pub weight: u64,
}

/// How an exercise is graded, with what that needs; stored beside the exercise's other fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The program reads standard input and arguments; what it writes is checked.
    Stdio(Stdio),
}

impl Kind {
    /// The tests, in order.
    pub fn tests(&self) -> &[TestCase] {
        match self {
            Self::Stdio(stdio) => &stdio.tests,
        }
    }

    /// The runtime of what runs beside a submission's program in a container of its own.
    pub fn companion(&self) -> Option<&RuntimeId> {
        match self {
            Self::Stdio(stdio) => stdio.checker.program().map(|program| &program.runtime),
        }
    }

    /// The program that decides about outputs, if one does.
    pub const fn checker_program(&self) -> Option<&CheckerProgram> {
        match self {
            Self::Stdio(stdio) => stdio.checker.program(),
        }
    }

    /// The groups of tests, in order.
    pub fn groups(&self) -> &[Group] {
        match self {
            Self::Stdio(stdio) => &stdio.groups,
        }
    }

    /// The tests, to be changed.
    pub const fn tests_mut(&mut self) -> &mut Vec<TestCase> {
        match self {
            Self::Stdio(stdio) => &mut stdio.tests,
        }
    }
}

/// What an exercise of [`Kind::Stdio`] is graded by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stdio {
    /// How outputs are compared.
    pub checker: Checker,
    /// The tests, in order; at least one.
    pub tests: Vec<TestCase>,
    /// Groups of tests; with any, they alone are worth points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// A file by path and bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Relative path with `/`.
    pub path: String,
    /// The bytes.
    pub content: Blob,
}

/// A program whose verdict is known, to check an exercise by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// Its name, different from the others'.
    pub name: String,
    /// The runtime it is for.
    pub runtime: RuntimeId,
    /// The program.
    pub files: Vec<SourceFile>,
    /// The verdicts of which it must get one; at least one.
    pub expected_verdicts: Vec<Verdict>,
}

/// What a teacher writes; stored as JSON, once per version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExerciseSpec {
    /// One line.
    pub title: String,
    /// Markdown.
    pub statement: String,
    /// How it is graded.
    #[serde(flatten)]
    pub kind: Kind,
    /// Runtimes a student may choose from; at least one.
    pub runtimes: Vec<RuntimeId>,
    /// Files a student starts from.
    pub starter_files: Vec<SourceFile>,
    /// Class of its submissions.
    pub priority: Priority,
    /// Whether containers are reused.
    pub isolation: Isolation,
    /// Limits for all runtimes.
    pub limits: LimitChoice,
    /// Limits for single runtimes, above those for all.
    pub limits_by_runtime: BTreeMap<RuntimeId, LimitChoice>,
    /// Limits of the compilation.
    pub compile_limits: LimitChoice,
    /// Whether the tests after the first that is not accepted are left out.
    pub stop_on_first_failure: bool,
    /// Reference solutions, in order; no student sees them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub solutions: Vec<Solution>,
}

impl ExerciseSpec {
    /// The limits of a test in `runtime`: those named for it, else for all, else its default.
    pub fn run_limits(&self, runtime: &Runtime) -> Limits {
        let base = self.limits.over(&runtime.run.limits.default, &runtime.run.limits.maximum);
        match self.limits_by_runtime.get(&runtime.id) {
            Some(choice) => choice.over(&base, &runtime.run.limits.maximum),
            None => base,
        }
    }
}

/// A stored version of an exercise.
#[derive(Clone, Debug, PartialEq)]
pub struct Exercise {
    /// Its id.
    pub id: ExerciseId,
    /// Its version, from 1; each change makes the next.
    pub version: u32,
    /// When this version was made.
    pub updated_at: Timestamp,
    /// What it says.
    pub spec: ExerciseSpec,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Checker, ExerciseSpec, Kind, Stdio};

    /// A document as versions have always been stored.
    fn stored() -> Value {
        json!({
            "title": "Sum", "statement": "", "kind": "stdio", "runtimes": ["python"], "starter_files": [],
            "priority": "normal", "isolation": "reset", "limits": {}, "limits_by_runtime": {}, "compile_limits": {},
            "checker": { "type": "tokens", "case_sensitive": true, "float_tolerance": { "absolute": 1e-6, "relative": 0.5 } },
            "stop_on_first_failure": false,
            "tests": [ { "name": "small", "args": [], "stdin": "1 2\n", "expected": { "base64": "/wo=" },
                         "visibility": "public", "weight": 1_000_000 } ],
        })
    }

    #[test]
    fn the_kind_and_its_data_are_stored_beside_the_other_fields() {
        let spec: ExerciseSpec = serde_json::from_value(stored()).unwrap();

        let Kind::Stdio(Stdio { checker, tests, groups }) = &spec.kind;
        assert!(groups.is_empty());
        assert!(matches!(checker, Checker::Tokens { float_tolerance: Some(_), .. }));
        assert_eq!(tests[0].expected.as_bytes(), [0xff, b'\n']);
        assert_eq!(serde_json::to_value(&spec).unwrap()["tests"], stored()["tests"]);
        assert_eq!(serde_json::to_value(&spec).unwrap()["kind"], "stdio");
        assert_eq!(spec.kind.companion(), None);
    }

    #[test]
    fn a_checker_program_is_stored_beside_its_type() {
        let mut stored = stored();
        stored["checker"] = json!({ "type": "program", "runtime": "c", "args": ["strict"], "limits": { "cpu_time_ms": 5 },
                                    "files": [ { "path": "check.c", "content": "…" } ] });

        let spec: ExerciseSpec = serde_json::from_value(stored.clone()).unwrap();

        assert_eq!(spec.kind.companion().map(super::RuntimeId::as_str), Some("c"));
        let again = serde_json::to_value(&spec).unwrap();
        assert_eq!(again["checker"]["type"], "program");
        assert_eq!(again["checker"]["files"], stored["checker"]["files"]);
    }

    #[test]
    fn a_kind_that_is_not_known_is_not_read() {
        let mut stored = stored();
        stored["kind"] = json!("unit_tests");

        assert!(serde_json::from_value::<ExerciseSpec>(stored).is_err());
    }
}
