//! What came out: verdicts, the facts of each test, the result of a round.
//!
//! A verdict speaks about the program only. When the infrastructure fails there is none; the submission's
//! state is `failed` then (see [`super::submission`]).

use serde::{Deserialize, Serialize};

use super::blob::Blob;
use super::exercise::Visibility;

/// Bytes of each stream that a test's report keeps.
pub const TEST_STREAM_BYTES: usize = 8 << 10;
/// Bytes of each stream that a run's report keeps.
pub const RUN_STREAM_BYTES: usize = 64 << 10;
/// Bytes of all streams, inputs and expected outputs together that a whole result keeps.
pub const RESULT_STREAM_BYTES: usize = 256 << 10;

/// The outcome for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It did what was asked.
    Accepted,
    /// Its output differs from what was asked.
    WrongAnswer,
    /// It was not built.
    CompilationError,
    /// It exited with a code other than 0, or a signal killed it.
    RuntimeError,
    /// It used more CPU or wall time than allowed.
    TimeLimitExceeded,
    /// It needed more memory than allowed.
    MemoryLimitExceeded,
    /// It wrote more than allowed.
    OutputLimitExceeded,
    /// Of a test or a group alone: it was not run.
    Skipped,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::WrongAnswer,
        Self::CompilationError,
        Self::RuntimeError,
        Self::TimeLimitExceeded,
        Self::MemoryLimitExceeded,
        Self::OutputLimitExceeded,
        Self::Skipped,
    ];

    /// Its name in the API, the database and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::WrongAnswer => "wrong_answer",
            Self::CompilationError => "compilation_error",
            Self::RuntimeError => "runtime_error",
            Self::TimeLimitExceeded => "time_limit_exceeded",
            Self::MemoryLimitExceeded => "memory_limit_exceeded",
            Self::OutputLimitExceeded => "output_limit_exceeded",
            Self::Skipped => "skipped",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

/// What a command used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all its processes, in milliseconds.
    pub cpu_time_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_time_ms: u64,
    /// Highest memory of all its processes, in bytes.
    pub memory_bytes: u64,
}

/// Where the figures of [`Usage`] were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// Counters of cgroup v1.
    CgroupV1,
    /// Counters of cgroup v2, with a peak that is reset before each command.
    CgroupV2,
    /// cgroup v2 of an older kernel: the peak of memory is sampled.
    CgroupV2Sampled,
    /// `wait4`: misses children that nobody waited for.
    Rusage,
}

/// A resource that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// CPU time, in milliseconds.
    CpuTime,
    /// Wall time, in milliseconds.
    WallTime,
    /// Memory, in bytes.
    Memory,
    /// Output, in bytes.
    Output,
    /// Processes and threads.
    Processes,
}

impl LimitKind {
    /// What is limited, in words.
    pub const fn described(self) -> &'static str {
        match self {
            Self::CpuTime => "CPU time",
            Self::WallTime => "wall time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Processes => "processes",
        }
    }
}

/// The limit that ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    /// Which limit.
    pub kind: LimitKind,
    /// Its value, in the unit of `kind`.
    pub allowed: u64,
    /// What was measured, in the same unit.
    pub measured: u64,
}

/// The beginning of one output stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The bytes kept.
    pub bytes: Blob,
    /// Whether more was written than is kept.
    pub truncated: bool,
}

/// How a command ended, by itself or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The exit code, if it exited.
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// The signal, if one killed it.
    pub const fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal),
        }
    }
}

/// The facts of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// Its place among the exercise's tests, from 1.
    pub index: u32,
    /// Its name, `run` in a run.
    pub name: String,
    /// Who may see its input and outputs.
    pub visibility: Visibility,
    /// Its outcome.
    pub verdict: Verdict,
    /// Points won and points to win; `None` in a run.
    pub points: Option<Points>,
    /// What it used.
    pub usage: Usage,
    /// How the program ended; `None` if it was not run.
    pub exit: Option<Exit>,
    /// The limit that ended it.
    pub limit: Option<LimitHit>,
    /// What it read; `None` if it is longer than a stream that is kept.
    pub stdin: Option<Blob>,
    /// What it should have written; `None` in a run, or if it is longer than a stream that is kept.
    pub expected: Option<Blob>,
    /// What it wrote.
    pub stdout: Capture,
    /// What it wrote beside.
    pub stderr: Capture,
    /// What the checker says about a difference, or where and why the program failed, as far as its language tells.
    pub message: Option<String>,
    /// What a checker program says to teachers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge_message: Option<String>,
}

/// What a checker program did that decides nothing: the exercise is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckerFault {
    /// The test that it was to decide; `None` if it was not built.
    pub test: Option<String>,
    /// What was wrong, for people.
    pub problem: String,
    /// How it ended.
    pub exit: Exit,
    /// The limit that ended it.
    pub limit: Option<LimitHit>,
    /// What it, or its compiler, wrote.
    pub output: Capture,
    /// What it says to teachers.
    pub judge_message: Option<String>,
}

impl CheckerFault {
    /// What everybody may read of it.
    pub const MESSAGE: &str = "the exercise is at fault, not the program: the exercise's checker failed";
}

/// Points won of points to win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Points {
    /// Won.
    pub score: u64,
    /// To win.
    pub max_score: u64,
}

/// Why no test of a group was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupSkipped {
    /// Not all tests of a group that it depends on were accepted.
    DependsOn,
}

/// What became of a group of tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// Points won of points to win.
    pub points: Points,
    /// The first verdict of its tests that is not `accepted`, in order; [`Verdict::Skipped`] if none was run.
    pub verdict: Verdict,
    /// Why none was run.
    pub skipped: Option<GroupSkipped>,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The program is not built.
    Error,
    /// It is built.
    Warning,
    /// More about the one before.
    Note,
}

/// One message of a compiler, an assembler, a linker or what starts them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Path of the source as sent, if the message is about one.
    pub file: Option<String>,
    /// Line, from 1, if the message is about one.
    pub line: Option<u32>,
    /// Column, from 1, if the compiler says it.
    pub column: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// The text.
    pub message: String,
}

/// The facts of a compilation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileReport {
    /// Whether a program came out.
    pub ok: bool,
    /// How the compiler ended.
    pub exit: Exit,
    /// The limit that ended it.
    pub limit: Option<LimitHit>,
    /// What it says, message by message; at least one error if no program came out.
    pub diagnostics: Vec<Diagnostic>,
    /// Everything it wrote.
    pub output: Capture,
    /// What it used.
    pub usage: Usage,
}

/// Milliseconds of each phase of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// From entering the queue until the container was there.
    pub queued_ms: u64,
    /// From then to the files in the container.
    pub prepared_ms: u64,
    /// Compilation.
    pub compiled_ms: u64,
    /// All tests.
    pub tested_ms: u64,
    /// From the end of the last test to the moment the result was handed to the database.
    pub stored_ms: u64,
}

/// The result of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionResult {
    /// The round it belongs to.
    pub round: u32,
    /// The first verdict that is not `accepted`, in the order of the tests.
    pub verdict: Verdict,
    /// Points of all groups, or without groups of all tests; `None` in a run.
    pub points: Option<Points>,
    /// The groups, in order; `None` if the exercise has none, and of results from before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupReport>>,
    /// Where usage was measured.
    pub usage_source: UsageSource,
    /// The compilation; `None` for runtimes that don't compile.
    pub compile: Option<CompileReport>,
    /// The tests, in order; empty when the compilation failed.
    pub tests: Vec<TestReport>,
    /// How long each phase took.
    pub timings: Timings,
}
