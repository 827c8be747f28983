//! One test: the program is run, and what it wrote is decided about.

use guichet_agent as agent;
use tokio_util::sync::CancellationToken;

use super::checking::ProgramChecker;
use super::classify::{Meaning, classify};
use super::evaluate::Halt;
use super::output::{Budget, Collected};
use super::ruling::{Ruling, share};
use super::setting::Setting;
use crate::domain::blob::Blob;
use crate::domain::checker::{difference, file_difference};
use crate::domain::exercise::{Checker, ExerciseSpec, Kind, TestCase, Visibility};
use crate::domain::limits::Limits;
use crate::domain::submission::Work;
use crate::domain::verdict::{
    Capture, Points, RUN_STREAM_BYTES, TEST_STREAM_BYTES, TestReport, Usage, Verdict,
};
use crate::pool::Container;

/// Name of the only test of a run.
const RUN_NAME: &str = "run";

/// Bytes that a file may have which a program leaves, if neither its output limit nor what is expected lets it have more.
const LEAST_FILE_BYTES: usize = 64 << 10;

/// A test as it is run: from an exercise, or a run's own input.
pub struct Trial<'a> {
    /// Its name.
    pub name: &'a str,
    args: &'a [String],
    stdin: &'a Blob,
    visibility: Visibility,
    /// What it should write and is worth; `None` in a run.
    pub graded: Option<Graded<'a>>,
}

/// What a test is graded by.
#[derive(Clone, Copy)]
pub struct Graded<'a> {
    /// The test.
    pub test: &'a TestCase,
    checker: &'a Checker,
}

/// What the tests of an attempt have in common.
pub struct Trials<'a, 'b> {
    pub setting: &'a Setting<'a>,
    pub container: &'a mut Container,
    /// The checker, if it is a program.
    pub checker: Option<&'a mut ProgramChecker<'b>>,
    pub budget: &'a mut Budget,
    pub abort: &'a CancellationToken,
}

impl<'a> Trial<'a> {
    /// Those of a submission, in order.
    pub fn all(work: &'a Work, spec: Option<&'a ExerciseSpec>) -> Vec<Self> {
        match (work.submission.purpose.run(), spec) {
            (Some(run), _) => vec![Self {
                name: RUN_NAME,
                args: &run.args,
                stdin: &run.stdin,
                visibility: Visibility::Public,
                graded: None,
            }],
            (None, Some(spec)) => match &spec.kind {
                Kind::Stdio(stdio) => stdio.tests.iter().map(|test| Self::of(test, &stdio.checker)).collect(),
            },
            (None, None) => Vec::new(),
        }
    }

    fn of(test: &'a TestCase, checker: &'a Checker) -> Self {
        Self {
            name: &test.name,
            args: &test.args,
            stdin: &test.stdin,
            visibility: test.visibility,
            graded: Some(Graded { test, checker }),
        }
    }

    /// The report of one that is not run.
    pub fn skipped(&self, index: u32) -> TestReport {
        let nothing = Capture { truncated: false, bytes: Blob::default() };
        TestReport {
            index,
            name: self.name.to_owned(),
            visibility: self.visibility,
            verdict: Verdict::Skipped,
            points: self.graded.map(|graded| Points { score: 0, max_score: graded.test.weight }),
            usage: Usage { cpu_time_ms: 0, wall_time_ms: 0, memory_bytes: 0 },
            exit: None,
            limit: None,
            stdin: None,
            expected: None,
            stdout: nothing.clone(),
            stderr: nothing,
            message: None,
            judge_message: None,
        }
    }
}

impl Trials<'_, '_> {
    /// Runs a test.
    pub async fn run(&mut self, index: u32, trial: &Trial<'_>) -> Result<TestReport, Halt> {
        let limits = self.setting.run_limits();
        let step = &self.setting.runtime.run;
        let mut argv = step.argv(&self.setting.paths, &limits);
        argv.extend(trial.args.iter().cloned());
        let request = self.setting.request(step, argv, &limits, false);
        for file in trial.graded.iter().flat_map(|graded| &graded.test.files) {
            self.container.lend(&file.path, file.content.as_bytes());
        }
        let mut output = Collected::default();
        let mut take = |stream, bytes: &[u8]| output.take(stream, bytes);
        let facts = self.container.exec(request, trial.stdin.as_bytes(), self.abort, &mut take).await?;
        if facts.stopped_by == Some(agent::StoppedBy::Abort) {
            return Err(Halt::Aborted);
        }
        output.end(&facts);
        let meaning = classify(&facts, &limits);
        let ruling = match (meaning.verdict, trial.graded) {
            (Some(Verdict::RuntimeError), _) => {
                Ruling { message: self.setting.failure(&output.stderr.bytes), ..Verdict::RuntimeError.into() }
            }
            (Some(verdict), _) => verdict.into(),
            (None, None) => Verdict::Accepted.into(),
            (None, Some(graded)) => self.check(graded, &output, &limits).await?,
        };
        Ok(self.report(index, trial, &meaning, ruling, &output))
    }

    /// Decides about what a program wrote that ended well.
    async fn check(
        &mut self,
        graded: Graded<'_>,
        output: &Collected,
        limits: &Limits,
    ) -> Result<Ruling, Halt> {
        let Graded { test, checker } = graded;
        if let Some(program) = &mut self.checker {
            return program.check(test, &output.stdout.bytes, self.container, self.budget, self.abort).await;
        }
        let wrong = match difference(checker, test.expected.as_bytes(), &output.stdout.bytes) {
            None => self.wrong_file(graded, limits).await?,
            wrong => wrong,
        };
        let verdict = if wrong.is_some() { Verdict::WrongAnswer } else { Verdict::Accepted };
        Ok(Ruling { message: wrong, ..verdict.into() })
    }

    /// What is wrong with the files that a program left, if anything.
    async fn wrong_file(&mut self, graded: Graded<'_>, limits: &Limits) -> Result<Option<String>, Halt> {
        let expected = &graded.test.expected_files;
        if expected.is_empty() {
            return Ok(None);
        }
        let output = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX).max(LEAST_FILE_BYTES);
        let most = |length: usize| length.saturating_add(LEAST_FILE_BYTES).max(output);
        let wanted: Vec<_> =
            expected.iter().map(|file| (file.path.as_str(), most(file.content.len()))).collect();
        let left = self.container.read(&wanted).await?;
        let wrong = expected.iter().zip(&left).find_map(|(file, left)| {
            let left = left.as_ref().map(|left| (left.bytes.as_slice(), left.length));
            file_difference(graded.checker, file, left)
        });
        Ok(wrong)
    }

    fn report(
        &mut self,
        index: u32,
        trial: &Trial<'_>,
        meaning: &Meaning,
        ruling: Ruling,
        output: &Collected,
    ) -> TestReport {
        let Ruling { verdict, fraction, message, judge_message } = ruling;
        let points = trial.graded.map(|graded| Points {
            score: if verdict == Verdict::Accepted { share(graded.test.weight, fraction) } else { 0 },
            max_score: graded.test.weight,
        });
        let most = if trial.graded.is_some() { TEST_STREAM_BYTES } else { RUN_STREAM_BYTES };
        let budget = &mut *self.budget;
        TestReport {
            index,
            name: trial.name.to_owned(),
            visibility: trial.visibility,
            verdict,
            points,
            usage: meaning.usage,
            exit: Some(meaning.exit),
            limit: meaning.limit,
            stdout: budget.capture(&output.stdout, most),
            stderr: budget.capture(&output.stderr, most),
            stdin: budget.whole(trial.stdin, most),
            expected: trial.graded.and_then(|graded| budget.whole(&graded.test.expected, most)),
            message,
            judge_message,
        }
    }
}
