//! The checker program of an exercise, in a companion of the submission's container.
//!
//! ```text
//! submission's container                     companion
//! program ── standard output ──► Guichet ──► checker's standard input
//!                                tests   ──► .check/input, .check/answer
//!                                        ◄── exit code, .check/feedback/*.txt
//! ```
//!
//! Nothing of the submission but its output comes to the companion, and nothing of the checker or the tests to the
//! submission's container. The companion is asked for before the first check, and the checker compiled unless the companion
//! holds it from an earlier submission.

use guichet_agent as agent;
use tokio_util::sync::CancellationToken;

use super::classify::classify;
use super::compile::{Compiled, compile};
use super::evaluate::Halt;
use super::output::{Budget, Collected, Written};
use super::ruling::{Ruling, ruling};
use super::setting::Setting;
use crate::domain::exercise::{CHECK_FOLDER, CheckerProgram, TestCase};
use crate::domain::ids::SubmissionId;
use crate::domain::limits::Limits;
use crate::domain::runtime::Runtime;
use crate::domain::submission::Work;
use crate::domain::verdict::{CheckerFault, CompileReport, Exit, TEST_STREAM_BYTES};
use crate::pool::{Container, ExerciseProgram, LeftFile, Lost};

/// Folder of the files of a submission, or here of a checker.
const WORK_FOLDER: &str = "/w/work";

/// Bytes that are read of a file of the feedback folder.
const FEEDBACK_BYTES: usize = 64 << 10;

/// A checker program, and its container once it has one.
pub struct ProgramChecker<'a> {
    submission: SubmissionId,
    /// How companions know the program.
    known_as: ExerciseProgram,
    program: &'a CheckerProgram,
    setting: Setting<'a>,
    limits: Limits,
    companion: Option<Container>,
}

impl<'a> ProgramChecker<'a> {
    /// The checker of a submission that is graded by one.
    ///
    /// * `runtime` — what the checker is written in.
    pub fn of(work: &'a Work, runtime: &'a Runtime) -> Option<Self> {
        let exercise = work.exercise.as_ref()?;
        let program = exercise.spec.kind.checker_program()?;
        Some(Self {
            submission: work.lease.submission,
            known_as: ExerciseProgram { exercise: exercise.id.clone(), version: exercise.version },
            program,
            setting: Setting::new(runtime, None, &program.files),
            limits: program.run_limits(runtime),
            companion: None,
        })
    }

    /// Decides about an output.
    ///
    /// * `container` — the submission's.
    pub async fn check(
        &mut self,
        test: &TestCase,
        output: &[u8],
        container: &mut Container,
        budget: &mut Budget,
        abort: &CancellationToken,
    ) -> Result<Ruling, Halt> {
        let mut companion = match self.companion.take() {
            Some(companion) => companion,
            None => self.start(container, abort).await?,
        };
        let checked = self.run(&mut companion, test, output, budget, abort).await;
        self.companion = Some(companion);
        checked
    }

    /// Gives the companion back.
    pub async fn release(self) {
        if let Some(companion) = self.companion {
            companion.release_companion().await;
        }
    }

    /// A companion that holds the checker, ready to be run.
    async fn start(
        &mut self,
        container: &mut Container,
        abort: &CancellationToken,
    ) -> Result<Container, Halt> {
        let runtime = self.setting.runtime;
        let companion = container.companion(&runtime.id, self.submission, abort).await?;
        let mut companion = companion.ok_or(Halt::Aborted)?;
        let holds = companion.hold(&self.known_as, &self.program.files).await;
        if holds.map_err(|lost| of_companion(&companion, lost))? {
            return Ok(companion);
        }
        if let Some(step) = &runtime.compile {
            let built = compile(&self.setting, step, &mut companion, &mut Budget::new(), abort).await;
            match built.map_err(|lost| of_companion(&companion, lost))? {
                Compiled::Report(report, _took_ms) if report.ok => {}
                Compiled::Aborted => {
                    companion.release_companion().await;
                    return Err(Halt::Aborted);
                }
                Compiled::Report(report, _took_ms) => {
                    companion.release_companion().await;
                    return Err(Halt::Fault(Box::new(not_built(report))));
                }
            }
        }
        companion.holds(self.known_as.clone());
        Ok(companion)
    }

    async fn run(
        &mut self,
        companion: &mut Container,
        test: &TestCase,
        output: &[u8],
        budget: &mut Budget,
        abort: &CancellationToken,
    ) -> Result<Ruling, Halt> {
        let step = &self.setting.runtime.run;
        let [input, answer, feedback] =
            ["input", "answer", "feedback"].map(|name| format!("{CHECK_FOLDER}/{name}"));
        companion.lend(&input, test.stdin.as_bytes());
        companion.lend(&answer, test.expected.as_bytes());
        // So that the folder is there.
        companion.lend(&format!("{feedback}/.keep"), b"");
        let mut argv = step.argv(&self.setting.paths, &self.limits);
        argv.extend([&input, &answer].map(|path| format!("{WORK_FOLDER}/{path}")));
        argv.push(format!("{WORK_FOLDER}/{feedback}/"));
        argv.extend(self.program.args.iter().cloned());
        let request = self.setting.request(step, argv, &self.limits, false);
        let mut wrote = Collected::default();
        let mut take = |stream, bytes: &[u8]| wrote.take(stream, bytes);
        let facts = companion.exec(request, output, abort, &mut take).await;
        let facts = facts.map_err(|lost| of_companion(companion, lost))?;
        if facts.stopped_by == Some(agent::StoppedBy::Abort) {
            return Err(Halt::Aborted);
        }
        wrote.end(&facts);
        let names = ["teammessage", "judgemessage", "score"].map(|name| format!("{feedback}/{name}.txt"));
        let wanted: Vec<_> = names.iter().map(|path| (path.as_str(), FEEDBACK_BYTES)).collect();
        let left = companion.read(&wanted).await.map_err(|lost| of_companion(companion, lost))?;
        let [message, judge_message, score] = <[_; 3]>::try_from(left).unwrap_or_default();
        let meaning = classify(&facts, &self.limits);
        let judge_message = judge_message.and_then(|left| told(left, budget));
        match ruling(&meaning, score.as_ref().map(|left| left.bytes.as_slice())) {
            Ok(ruling) => {
                let message = message.and_then(|left| told(left, budget));
                Ok(Ruling { message, judge_message, ..ruling })
            }
            Err(problem) => {
                let Collected { mut stdout, stderr } = wrote;
                stdout.bytes.extend_from_slice(&stderr.bytes);
                stdout.is_cut |= stderr.is_cut;
                Err(Halt::Fault(Box::new(CheckerFault {
                    test: Some(test.name.clone()),
                    problem: format!("the checker {problem}"),
                    exit: meaning.exit,
                    limit: meaning.limit,
                    output: Budget::new().capture(&stdout, TEST_STREAM_BYTES),
                    judge_message,
                })))
            }
        }
    }
}

/// Names the companion as what was lost.
fn of_companion(companion: &Container, lost: Lost) -> Lost {
    Lost { companion: companion.id().map(str::to_owned), ..lost }
}

fn not_built(report: CompileReport) -> CheckerFault {
    let problem = match (report.limit, report.exit) {
        (Some(limit), _) => format!("was stopped by its limit of {}", limit.kind.described()),
        (None, Exit::Code(code)) => format!("ended with exit code {code}"),
        (None, Exit::Signal(signal)) => format!("was killed by signal {signal}"),
    };
    CheckerFault {
        test: None,
        problem: format!("the checker's compilation {problem}"),
        exit: report.exit,
        limit: report.limit,
        output: report.output,
        judge_message: None,
    }
}

/// What a file of the feedback folder says, as far as a result keeps it.
fn told(left: LeftFile, budget: &mut Budget) -> Option<String> {
    let LeftFile { bytes, length } = left;
    let is_cut = u64::try_from(bytes.len()).unwrap_or(u64::MAX) < length;
    let kept = budget.capture(&Written { bytes, is_cut }, TEST_STREAM_BYTES);
    let text = String::from_utf8_lossy(kept.bytes.as_bytes());
    // A NUL is no part of a text that a database keeps.
    let text = text.trim_end().replace('\0', "\u{fffd}");
    match (text.is_empty(), kept.truncated) {
        (true, _) => None,
        (false, true) => Some(format!("{text}…")),
        (false, false) => Some(text),
    }
}
