//! What came out, as one caller may see it: result, tests, compilation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bytes::{self, Shown};
use super::names::{GroupSkipped, LimitKind, Severity, UsageSource, Verdict, Visibility};
use crate::app::Caller;
use crate::domain::{exercise, verdict};

/// What a command used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// CPU time of all its processes, in milliseconds.
    pub cpu_time_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_time_ms: u64,
    /// Most memory that all its processes together added, in bytes.
    pub memory_bytes: u64,
}

impl From<verdict::Usage> for Usage {
    fn from(usage: verdict::Usage) -> Self {
        Self {
            cpu_time_ms: usage.cpu_time_ms,
            wall_time_ms: usage.wall_time_ms,
            memory_bytes: usage.memory_bytes,
        }
    }
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct LimitHit {
    /// Which limit.
    pub kind: LimitKind,
    /// Its value, in the unit of `kind`.
    pub allowed: u64,
    /// What was measured, in the same unit.
    pub measured: u64,
}

impl From<verdict::LimitHit> for LimitHit {
    fn from(hit: verdict::LimitHit) -> Self {
        Self { kind: hit.kind.into(), allowed: hit.allowed, measured: hit.measured }
    }
}

/// One message of a compiler, an assembler, a linker or what starts them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// Path of the source as sent; null if the message is about none, as of a linker or the compiler's driver.
    #[schema(required)]
    pub file: Option<String>,
    /// Line, from 1; null if the message is about none.
    #[schema(required)]
    pub line: Option<u32>,
    /// Column, from 1, if the compiler says it.
    #[schema(required)]
    pub column: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// The text.
    pub message: String,
}

impl From<&verdict::Diagnostic> for Diagnostic {
    fn from(diagnostic: &verdict::Diagnostic) -> Self {
        Self {
            file: diagnostic.file.clone(),
            line: diagnostic.line,
            column: diagnostic.column,
            severity: diagnostic.severity.into(),
            message: diagnostic.message.clone(),
        }
    }
}

/// The facts of a compilation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CompileReport {
    /// Whether a program came out.
    pub ok: bool,
    /// Exit code of the compiler; null if a signal killed it.
    #[schema(required)]
    pub exit_code: Option<i32>,
    /// The signal that killed the compiler.
    #[schema(required)]
    pub signal: Option<i32>,
    /// The limit that ended it.
    #[schema(required)]
    pub limit: Option<LimitHit>,
    /// What compiler, assembler and linker say, message by message; at least one error if no program came out.
    pub diagnostics: Vec<Diagnostic>,
    /// Everything it wrote; U+FFFD where that is not UTF-8.
    pub output: String,
    /// Whether it wrote more than is kept.
    pub output_truncated: bool,
    /// What it used.
    pub usage: Usage,
}

impl From<&verdict::CompileReport> for CompileReport {
    fn from(report: &verdict::CompileReport) -> Self {
        Self {
            ok: report.ok,
            exit_code: report.exit.code(),
            signal: report.exit.signal(),
            limit: report.limit.map(Into::into),
            diagnostics: report.diagnostics.iter().map(Into::into).collect(),
            output: bytes::lossy(&report.output.bytes),
            output_truncated: report.output.truncated,
            usage: report.usage.into(),
        }
    }
}

/// The facts of one test. Of a hidden test a student sees verdict, name and usage; the rest is null.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TestReport {
    /// Its place among the exercise's tests, from 1.
    #[schema(minimum = 1)]
    pub index: u32,
    /// Its name; `run` in a run.
    pub name: String,
    /// Who may see its input and outputs.
    pub visibility: Visibility,
    /// Its outcome; in a run that isn't graded, `accepted` means only that the program exited with 0.
    pub verdict: Verdict,
    /// Points won; null in a run.
    #[schema(required)]
    pub score: Option<u64>,
    /// Points to win; null in a run.
    #[schema(required)]
    pub max_score: Option<u64>,
    /// What it used.
    pub usage: Usage,
    /// Exit code; null if a signal killed it.
    #[schema(required)]
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    #[schema(required)]
    pub signal: Option<i32>,
    /// The limit that ended it.
    #[schema(required)]
    pub limit: Option<LimitHit>,
    /// What it read, whole; null if that is longer than a result keeps: the exercise or the run has it.
    #[schema(required)]
    pub stdin: Option<String>,
    /// What it should have written, whole; null in a run, or if it is longer than a result keeps.
    #[schema(required)]
    pub expected: Option<String>,
    /// What it wrote; U+FFFD where that is not UTF-8.
    #[schema(required)]
    pub stdout: Option<String>,
    /// The same bytes in base64, if they are not UTF-8.
    #[schema(required)]
    pub stdout_base64: Option<String>,
    /// Whether it wrote more than is kept.
    #[schema(required)]
    pub stdout_truncated: Option<bool>,
    /// What it wrote to standard error; U+FFFD where that is not UTF-8.
    #[schema(required)]
    pub stderr: Option<String>,
    /// The same bytes in base64, if they are not UTF-8.
    #[schema(required)]
    pub stderr_base64: Option<String>,
    /// Whether it wrote more than is kept.
    #[schema(required)]
    pub stderr_truncated: Option<bool>,
    /// What the checker says about a difference; of a run-time error where and why, as far as the language tells.
    #[schema(required)]
    pub message: Option<String>,
    /// What a checker that is a program says to teachers; only there if it said something, and never for students.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub judge_message: Option<String>,
}

impl TestReport {
    /// The report as `caller` may see it.
    pub fn of(report: &verdict::TestReport, caller: &Caller) -> Self {
        let seen = match report.visibility {
            exercise::Visibility::Public => true,
            exercise::Visibility::Hidden => caller.sees_hidden(),
        };
        let stream = |capture: &verdict::Capture| {
            if seen { Shown::lossy(&capture.bytes) } else { Shown::default() }
        };
        let (stdout, stderr) = (stream(&report.stdout), stream(&report.stderr));
        Self {
            index: report.index,
            name: report.name.clone(),
            visibility: report.visibility.into(),
            verdict: report.verdict.into(),
            score: report.points.map(|points| points.score),
            max_score: report.points.map(|points| points.max_score),
            usage: report.usage.into(),
            exit_code: report.exit.and_then(verdict::Exit::code),
            signal: report.exit.and_then(verdict::Exit::signal),
            limit: report.limit.map(Into::into),
            stdin: report.stdin.as_ref().filter(|_| seen).map(bytes::lossy),
            expected: report.expected.as_ref().filter(|_| seen).map(bytes::lossy),
            stdout: stdout.text,
            stdout_base64: stdout.base64,
            stdout_truncated: seen.then_some(report.stdout.truncated),
            stderr: stderr.text,
            stderr_base64: stderr.base64,
            stderr_truncated: seen.then_some(report.stderr.truncated),
            message: report.message.clone().filter(|_| seen),
            judge_message: report.judge_message.clone().filter(|_| caller.sees_hidden()),
        }
    }
}

/// What became of a group of tests.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// Points won.
    pub score: u64,
    /// Points to win.
    pub max_score: u64,
    /// The first verdict of its tests that is not `accepted`, in order, or `accepted`; `skipped` if none was run.
    pub verdict: Verdict,
    /// Why none was run; null if some were, or the compilation failed.
    #[schema(required)]
    pub skipped: Option<GroupSkipped>,
}

impl From<&verdict::GroupReport> for GroupReport {
    fn from(report: &verdict::GroupReport) -> Self {
        Self {
            name: report.name.clone(),
            score: report.points.score,
            max_score: report.points.max_score,
            verdict: report.verdict.into(),
            skipped: report.skipped.map(Into::into),
        }
    }
}

/// Milliseconds of each phase of the attempt that gave the result.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    /// From entering the queue to the start.
    pub queued_ms: u64,
    /// From the start to the files in the container.
    pub prepared_ms: u64,
    /// Compilation.
    pub compiled_ms: u64,
    /// All tests.
    pub tested_ms: u64,
    /// From the end of the last test to the moment the result was handed to the database.
    pub stored_ms: u64,
}

impl From<verdict::Timings> for Timings {
    fn from(timings: verdict::Timings) -> Self {
        Self {
            queued_ms: timings.queued_ms,
            prepared_ms: timings.prepared_ms,
            compiled_ms: timings.compiled_ms,
            tested_ms: timings.tested_ms,
            stored_ms: timings.stored_ms,
        }
    }
}

/// How much of a submission an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All of it.
    Full,
    /// All but its files and the tests of its result.
    Listed,
}

/// The result of a round.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubmissionResult {
    /// The round it belongs to.
    pub round: u32,
    /// The first verdict of a test that was run and not `accepted`, in the order of the tests, or `accepted`. In a run, which isn't graded,
    /// `accepted` means only that the program exited with 0.
    pub verdict: Verdict,
    /// Points won, of all groups or without groups of all tests; null in a run.
    #[schema(required)]
    pub score: Option<u64>,
    /// Points to win; null in a run.
    #[schema(required)]
    pub max_score: Option<u64>,
    /// The groups, in order; null if the exercise has none.
    #[schema(required)]
    pub groups: Option<Vec<GroupReport>>,
    /// Where usage was measured.
    pub usage_source: UsageSource,
    /// The compilation; null for runtimes that don't compile.
    #[schema(required)]
    pub compile: Option<CompileReport>,
    /// The tests, in order; empty when the compilation failed, null in lists.
    #[schema(required)]
    pub tests: Option<Vec<TestReport>>,
    /// How long each phase took.
    pub timings: Timings,
}

impl SubmissionResult {
    /// The result as `caller` may see it.
    pub fn of(result: &verdict::SubmissionResult, detail: Detail, caller: &Caller) -> Self {
        Self {
            round: result.round,
            verdict: result.verdict.into(),
            score: result.points.map(|points| points.score),
            max_score: result.points.map(|points| points.max_score),
            groups: result.groups.as_ref().map(|groups| groups.iter().map(Into::into).collect()),
            usage_source: result.usage_source.into(),
            compile: result.compile.as_ref().map(Into::into),
            tests: match detail {
                Detail::Full => Some(result.tests.iter().map(|test| TestReport::of(test, caller)).collect()),
                Detail::Listed => None,
            },
            timings: result.timings.into(),
        }
    }
}
