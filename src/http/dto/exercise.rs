//! An exercise, as one caller may see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bytes::Shown;
use super::names::{ExerciseKind, GroupScoring, Isolation, Priority, Verdict, Visibility};
use crate::app::{Caller, ListedExercise};
use crate::domain::exercise;
use crate::domain::groups;
use crate::domain::limits::LimitChoice;

/// Limits that the exercise names; the runtime's defaults stand for those left out.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// CPU time of all processes together, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cpu_time_ms: Option<u64>,
    /// Wall time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub wall_time_ms: Option<u64>,
    /// Memory that all processes together add, in bytes, within 2 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub memory_bytes: Option<u64>,
    /// Standard output and error together, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub output_bytes: Option<u64>,
    /// Processes and threads at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub processes: Option<u32>,
}

impl From<LimitChoice> for Limits {
    fn from(limits: LimitChoice) -> Self {
        let LimitChoice { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes } = limits;
        Self { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes }
    }
}

/// How far numbers may differ: by `absolute`, or by `relative` times the expected number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct FloatTolerance {
    /// By this much.
    pub absolute: f64,
    /// By this part of the expected number.
    pub relative: f64,
}

/// Compares byte for byte.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExactChecker {
    #[serde(rename = "type")]
    kind: ExactName,
}

/// Always `exact`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExactCheckerType)]
pub(super) enum ExactName {
    Exact,
}

/// Compares token for token; white space only separates.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokensChecker {
    #[serde(rename = "type")]
    kind: TokensName,
    /// Whether letters must have the same case (ASCII).
    pub case_sensitive: bool,
    /// Tokens that are numbers on both sides may differ this far.
    #[schema(required)]
    pub float_tolerance: Option<FloatTolerance>,
}

/// Always `tokens`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TokensCheckerType)]
pub(super) enum TokensName {
    Tokens,
}

/// Has a program of the exercise decide: an output validator of the ICPC's problem packages.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProgramChecker {
    #[serde(rename = "type")]
    kind: ProgramName,
    /// What it is written in.
    pub runtime: String,
    /// Its files; null for students and in lists.
    #[schema(required)]
    pub files: Option<Vec<SourceFile>>,
    /// Its arguments behind input, answer and feedback folder; null for students and in lists.
    #[schema(required)]
    pub args: Option<Vec<String>>,
    /// Limits of a check; those left out are the service's.
    pub limits: Limits,
}

/// Always `program`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProgramCheckerType)]
pub(super) enum ProgramName {
    Program,
}

/// How an output is compared with what was expected.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(discriminator(property_name = "type", mapping(
    ("exact" = "#/components/schemas/ExactChecker"),
    ("tokens" = "#/components/schemas/TokensChecker"),
    ("program" = "#/components/schemas/ProgramChecker"),
)))]
pub enum Checker {
    /// Byte for byte.
    Exact(ExactChecker),
    /// Token for token.
    Tokens(TokensChecker),
    /// As a program decides.
    Program(ProgramChecker),
}

impl Checker {
    /// * `caller` — to whom it is shown; `None` in lists, which show no program.
    fn of(checker: &exercise::Checker, caller: Option<&Caller>) -> Self {
        let whole = caller.is_some_and(Caller::sees_hidden);
        match checker {
            exercise::Checker::Exact => Self::Exact(ExactChecker { kind: ExactName::Exact }),
            exercise::Checker::Tokens { case_sensitive, float_tolerance } => Self::Tokens(TokensChecker {
                kind: TokensName::Tokens,
                case_sensitive: *case_sensitive,
                float_tolerance: float_tolerance.map(|tolerance| FloatTolerance {
                    absolute: tolerance.absolute,
                    relative: tolerance.relative,
                }),
            }),
            exercise::Checker::Program(program) => Self::Program(ProgramChecker {
                kind: ProgramName::Program,
                runtime: program.runtime.to_string(),
                files: whole.then(|| program.files.iter().map(Into::into).collect()),
                args: whole.then(|| program.args.clone()),
                limits: program.limits.into(),
            }),
        }
    }
}

/// A file by path and bytes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SourceFile {
    /// Relative path with `/`.
    pub path: String,
    /// The bytes as text; null if they are not UTF-8.
    #[schema(required)]
    pub content: Option<String>,
    /// The bytes in base64; only there if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub content_base64: Option<String>,
}

impl From<&exercise::SourceFile> for SourceFile {
    fn from(file: &exercise::SourceFile) -> Self {
        let content = Shown::of(&file.content);
        Self { path: file.path.clone(), content: content.text, content_base64: content.base64 }
    }
}

/// One input and the output it asks for. Of a hidden one a student sees name, visibility and weight.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestCase {
    /// Its name.
    pub name: String,
    /// Arguments of the program.
    #[schema(required)]
    pub args: Option<Vec<String>>,
    /// Its standard input; null if it is not UTF-8.
    #[schema(required)]
    pub stdin: Option<String>,
    /// Its standard input in base64; only there if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stdin_base64: Option<String>,
    /// What it should write to standard output; null if it is not UTF-8.
    #[schema(required)]
    pub expected: Option<String>,
    /// The same in base64; only there if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_base64: Option<String>,
    /// Files that its program finds in its work folder; only there if there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub files: Option<Vec<SourceFile>>,
    /// Files that its program should leave there; only there if there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_files: Option<Vec<SourceFile>>,
    /// Who sees its input and outputs.
    pub visibility: Visibility,
    /// Points it is worth.
    pub weight: u64,
}

impl TestCase {
    fn of(test: &exercise::TestCase, caller: &Caller) -> Self {
        let seen = match test.visibility {
            exercise::Visibility::Public => true,
            exercise::Visibility::Hidden => caller.sees_hidden(),
        };
        let (stdin, expected) = if seen {
            (Shown::of(&test.stdin), Shown::of(&test.expected))
        } else {
            (Shown::default(), Shown::default())
        };
        Self {
            name: test.name.clone(),
            args: seen.then(|| test.args.clone()),
            stdin: stdin.text,
            stdin_base64: stdin.base64,
            expected: expected.text,
            expected_base64: expected.base64,
            files: seen.then(|| shown_files(&test.files)).flatten(),
            expected_files: seen.then(|| shown_files(&test.expected_files)).flatten(),
            visibility: test.visibility.into(),
            weight: test.weight,
        }
    }
}

fn shown_files(files: &[exercise::SourceFile]) -> Option<Vec<SourceFile>> {
    (!files.is_empty()).then(|| files.iter().map(Into::into).collect())
}

/// Tests that are worth something together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its tests, by name.
    pub tests: Vec<String>,
    /// How its points come from its tests.
    pub scoring: GroupScoring,
    /// The most it is worth.
    pub points: u64,
    /// Groups whose tests must all be accepted before any of its own is run.
    pub depends_on: Vec<String>,
    /// Whether its tests after the first that is not accepted are left out.
    pub stop_on_first_failure: bool,
}

impl From<&groups::Group> for Group {
    fn from(group: &groups::Group) -> Self {
        let groups::Group { name, tests, scoring, points, depends_on, stop_on_first_failure } = group.clone();
        Self { name, tests, scoring: scoring.into(), points, depends_on, stop_on_first_failure }
    }
}

/// A program with the verdicts that it must get.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Solution {
    /// Its name.
    pub name: String,
    /// The runtime it is for.
    pub runtime: String,
    /// The program.
    pub files: Vec<SourceFile>,
    /// The verdicts of which it must get one.
    pub expected_verdicts: Vec<Verdict>,
}

impl From<&exercise::Solution> for Solution {
    fn from(solution: &exercise::Solution) -> Self {
        Self {
            name: solution.name.clone(),
            runtime: solution.runtime.to_string(),
            files: solution.files.iter().map(Into::into).collect(),
            expected_verdicts: solution.expected_verdicts.iter().copied().map(Into::into).collect(),
        }
    }
}

/// What is to be solved, in its newest version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Exercise {
    /// Its id.
    pub id: String,
    /// Its version, from 1; each change makes the next.
    #[schema(minimum = 1)]
    pub version: u32,
    /// When this version was made.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub statement: String,
    /// How it is graded.
    pub kind: ExerciseKind,
    /// Runtimes that a student may choose from.
    pub runtimes: Vec<String>,
    /// Files that a student starts from.
    pub starter_files: Vec<SourceFile>,
    /// Class of its submissions.
    pub priority: Priority,
    /// Whether containers are reused.
    pub isolation: Isolation,
    /// Limits of a test, for all runtimes.
    pub limits: Limits,
    /// Limits of a test for single runtimes, above those for all.
    pub limits_by_runtime: BTreeMap<String, Limits>,
    /// Limits of the compilation.
    pub compile_limits: Limits,
    /// How outputs are compared.
    pub checker: Checker,
    /// Whether the tests after the first that is not accepted are left out.
    pub stop_on_first_failure: bool,
    /// Groups of tests, in order; with any, they alone are worth points.
    pub groups: Vec<Group>,
    /// How many tests it has.
    pub test_count: u32,
    /// The tests, in order; null in lists.
    #[schema(required)]
    pub tests: Option<Vec<TestCase>>,
    /// Reference solutions, in order; null in lists and for students.
    #[schema(required)]
    pub solutions: Option<Vec<Solution>>,
}

impl Exercise {
    /// The exercise as `caller` may see it.
    pub fn of(exercise: &exercise::Exercise, caller: &Caller) -> Self {
        let tests = exercise.spec.kind.tests();
        let shown = tests.iter().map(|test| TestCase::of(test, caller)).collect();
        let test_count = u32::try_from(tests.len()).unwrap_or(u32::MAX);
        let solutions = || exercise.spec.solutions.iter().map(Into::into).collect();
        let solutions = caller.sees_hidden().then(solutions);
        Self { test_count, tests: Some(shown), solutions, ..Self::without_tests(exercise, Some(caller)) }
    }

    /// The exercise as a list shows it to all callers.
    pub fn listed(listed: &ListedExercise) -> Self {
        Self { test_count: listed.test_count, ..Self::without_tests(&listed.exercise, None) }
    }

    fn without_tests(exercise: &exercise::Exercise, caller: Option<&Caller>) -> Self {
        let spec = &exercise.spec;
        let (kind, checker) = match &spec.kind {
            exercise::Kind::Stdio(stdio) => (ExerciseKind::Stdio, Checker::of(&stdio.checker, caller)),
        };
        let by_runtime = spec.limits_by_runtime.iter();
        Self {
            id: exercise.id.to_string(),
            version: exercise.version,
            updated_at: exercise.updated_at.to_string(),
            title: spec.title.clone(),
            statement: spec.statement.clone(),
            kind,
            runtimes: spec.runtimes.iter().map(ToString::to_string).collect(),
            starter_files: spec.starter_files.iter().map(Into::into).collect(),
            priority: spec.priority.into(),
            isolation: spec.isolation.into(),
            limits: spec.limits.into(),
            limits_by_runtime: by_runtime.map(|(id, limits)| (id.to_string(), (*limits).into())).collect(),
            compile_limits: spec.compile_limits.into(),
            checker,
            stop_on_first_failure: spec.stop_on_first_failure,
            groups: spec.kind.groups().iter().map(Into::into).collect(),
            test_count: 0,
            tests: None,
            solutions: None,
        }
    }
}

/// A page of exercises.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExerciseList {
    /// Newest first; `tests` is null.
    pub items: Vec<Exercise>,
    /// What `cursor` must be for the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}
