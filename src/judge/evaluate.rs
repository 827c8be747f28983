//! One attempt: files in, compile, each test, out comes a result.

use std::time::Instant;

use guichet_agent as agent;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::classify::{Meaning, classify, usage_source};
use super::compile::{Compiled, compile, millis};
use super::output::{Budget, Collected};
use super::setting::Setting;
use crate::domain::blob::Blob;
use crate::domain::checker::difference;
use crate::domain::event::Progress;
use crate::domain::exercise::{Checker, ExerciseSpec, Kind, TestCase, Visibility};
use crate::domain::groups::{Course, first_failure};
use crate::domain::runtime::Runtime;
use crate::domain::submission::Work;
use crate::domain::verdict::{
    Capture, CompileReport, GroupReport, Points, RUN_STREAM_BYTES, SubmissionResult, TEST_STREAM_BYTES,
    TestReport, Timings, Usage, Verdict,
};
use crate::pool::{Container, Lost};

/// Name of the only test of a run.
const RUN_NAME: &str = "run";

/// What an attempt came to.
#[derive(Debug)]
pub enum Outcome {
    /// It has a result.
    Finished(Box<SubmissionResult>),
    /// It was stopped on request; no process of it exists any more.
    Aborted,
}

/// A test as it is run: from an exercise, or a run's own input.
struct Trial<'a> {
    name: &'a str,
    args: &'a [String],
    stdin: &'a Blob,
    visibility: Visibility,
    /// What it should write and is worth; `None` in a run.
    graded: Option<Graded<'a>>,
}

struct Graded<'a> {
    expected: &'a Blob,
    checker: &'a Checker,
    weight: u64,
}

/// Runs `work` in `container` and reports each step.
///
/// * `progress` — what happened, as it happens.
/// * `abort` — stops the running command at once.
///
/// # Errors
/// [`Lost`] if the container or its host went away; what was reported until then stands.
pub async fn evaluate(
    work: &Work,
    runtime: &Runtime,
    container: &mut Container,
    progress: mpsc::Sender<Progress>,
    abort: &CancellationToken,
) -> Result<Outcome, Lost> {
    let begun = Instant::now();
    let spec = work.exercise.as_ref().map(|exercise| &exercise.spec);
    let setting = Setting::new(runtime, spec, &work.files);
    container.prepare(&work.files);
    let mut timings = Timings { prepared_ms: millis(begun), ..Timings::default() };
    let mut budget = Budget::new();
    let mut built = None;
    if let Some(step) = &runtime.compile {
        match compile(&setting, step, container, &mut budget, abort).await? {
            Compiled::Aborted => return Ok(Outcome::Aborted),
            Compiled::Report(report, took_ms) => {
                timings.compiled_ms = took_ms;
                tell(&progress, Progress::Compiled(report.clone())).await;
                built = Some(report);
            }
        }
    }
    let testing = Instant::now();
    let trials = trials(work, spec);
    let mut course = course(&trials, spec);
    let mut tests = Vec::new();
    if built.as_ref().is_none_or(|report| report.ok) {
        let run = run_trials(&setting, &trials, &mut course, container, &mut budget, &progress, abort);
        match run.await? {
            Some(reports) => tests = reports,
            None => return Ok(Outcome::Aborted),
        }
    }
    timings.tested_ms = millis(testing);
    let groups = course.has_groups().then(|| course.reports(&tests));
    Ok(Outcome::Finished(Box::new(SubmissionResult {
        round: work.lease.round,
        verdict: overall(built.as_ref(), &tests),
        points: points(&trials, &tests, groups.as_deref()),
        groups,
        usage_source: usage_source(container.usage_source()),
        compile: built,
        tests,
        timings,
    })))
}

/// The points of a graded submission: those of its groups, or without groups of its tests.
fn points(trials: &[Trial<'_>], tests: &[TestReport], groups: Option<&[GroupReport]>) -> Option<Points> {
    let weights: Option<Vec<u64>> = trials.iter().map(|trial| Some(trial.graded.as_ref()?.weight)).collect();
    let (won, max_score): (Vec<Points>, u64) = match groups {
        Some(groups) => {
            let points = groups.iter().map(|group| group.points);
            (points.clone().collect(), points.map(|points| points.max_score).sum())
        }
        None => (tests.iter().filter_map(|test| test.points).collect(), weights.as_ref()?.iter().sum()),
    };
    weights.map(|_graded| Points { score: won.iter().map(|points| points.score).sum(), max_score })
}

/// Which tests are run. A run that is not graded knows neither groups nor an early end.
fn course<'a>(trials: &[Trial<'_>], spec: Option<&'a ExerciseSpec>) -> Course<'a> {
    let graded = trials.iter().all(|trial| trial.graded.is_some());
    let spec = spec.filter(|_| graded);
    let groups = spec.map_or(&[][..], |spec| spec.kind.groups());
    let stops = spec.is_some_and(|spec| spec.stop_on_first_failure);
    Course::new(trials.iter().map(|trial| trial.name), groups, stops)
}

fn trials<'a>(work: &'a Work, spec: Option<&'a ExerciseSpec>) -> Vec<Trial<'a>> {
    match (work.submission.purpose.run(), spec) {
        (Some(run), _) => vec![Trial {
            name: RUN_NAME,
            args: &run.args,
            stdin: &run.stdin,
            visibility: Visibility::Public,
            graded: None,
        }],
        (None, Some(spec)) => match &spec.kind {
            Kind::Stdio(stdio) => stdio.tests.iter().map(|test| Trial::of(test, &stdio.checker)).collect(),
        },
        (None, None) => Vec::new(),
    }
}

impl<'a> Trial<'a> {
    fn of(test: &'a TestCase, checker: &'a Checker) -> Self {
        Self {
            name: &test.name,
            args: &test.args,
            stdin: &test.stdin,
            visibility: test.visibility,
            graded: Some(Graded { expected: &test.expected, checker, weight: test.weight }),
        }
    }
}

/// Runs the tests in their order; `None` if they were aborted.
async fn run_trials(
    setting: &Setting<'_>,
    trials: &[Trial<'_>],
    course: &mut Course<'_>,
    container: &mut Container,
    budget: &mut Budget,
    progress: &mpsc::Sender<Progress>,
    abort: &CancellationToken,
) -> Result<Option<Vec<TestReport>>, Lost> {
    let mut reports = Vec::with_capacity(trials.len());
    let of = u32::try_from(trials.len()).unwrap_or(u32::MAX);
    for place in course.order() {
        let Some(trial) = trials.get(place) else { continue };
        let index = u32::try_from(place + 1).unwrap_or(u32::MAX);
        let report = if course.runs(place) {
            match run_trial(setting, index, trial, container, budget, abort).await? {
                Some(report) => report,
                None => return Ok(None),
            }
        } else if course.has_groups() {
            skipped(index, trial)
        } else {
            break;
        };
        course.ended(place, report.verdict);
        tell(progress, Progress::TestFinished { of, test: Box::new(report.clone()) }).await;
        reports.push(report);
    }
    reports.sort_by_key(|report| report.index);
    Ok(Some(reports))
}

/// Runs a test; `None` if it was aborted.
async fn run_trial(
    setting: &Setting<'_>,
    index: u32,
    trial: &Trial<'_>,
    container: &mut Container,
    budget: &mut Budget,
    abort: &CancellationToken,
) -> Result<Option<TestReport>, Lost> {
    let limits = setting.run_limits();
    let mut argv = setting.runtime.run.argv(&setting.paths, &limits);
    argv.extend(trial.args.iter().cloned());
    let request = setting.request(&setting.runtime.run, argv, &limits, false);
    let mut output = Collected::default();
    let mut take = |stream, bytes: &[u8]| output.take(stream, bytes);
    let facts = container.exec(request, trial.stdin.as_bytes(), abort, &mut take).await?;
    if facts.stopped_by == Some(agent::StoppedBy::Abort) {
        return Ok(None);
    }
    output.end(&facts);
    Ok(Some(judge(setting, index, trial, &classify(&facts, &limits), &output, budget)))
}

/// The report of a test that is not run.
fn skipped(index: u32, trial: &Trial<'_>) -> TestReport {
    let nothing = Capture { truncated: false, bytes: Blob::default() };
    TestReport {
        index,
        name: trial.name.to_owned(),
        visibility: trial.visibility,
        verdict: Verdict::Skipped,
        points: trial.graded.as_ref().map(|graded| Points { score: 0, max_score: graded.weight }),
        usage: Usage { cpu_time_ms: 0, wall_time_ms: 0, memory_bytes: 0 },
        exit: None,
        limit: None,
        stdin: None,
        expected: None,
        stdout: nothing.clone(),
        stderr: nothing,
        message: None,
    }
}

fn judge(
    setting: &Setting<'_>,
    index: u32,
    trial: &Trial<'_>,
    meaning: &Meaning,
    output: &Collected,
    budget: &mut Budget,
) -> TestReport {
    let (verdict, message) = match meaning.verdict {
        Some(Verdict::RuntimeError) => (Verdict::RuntimeError, setting.failure(&output.stderr.bytes)),
        Some(verdict) => (verdict, None),
        None => {
            let wrong = trial.graded.as_ref().and_then(|graded| {
                difference(graded.checker, graded.expected.as_bytes(), &output.stdout.bytes)
            });
            (if wrong.is_some() { Verdict::WrongAnswer } else { Verdict::Accepted }, wrong)
        }
    };
    let points = trial.graded.as_ref().map(|graded| Points {
        score: if verdict == Verdict::Accepted { graded.weight } else { 0 },
        max_score: graded.weight,
    });
    let most = if trial.graded.is_some() { TEST_STREAM_BYTES } else { RUN_STREAM_BYTES };
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
        expected: trial.graded.as_ref().and_then(|graded| budget.whole(graded.expected, most)),
        message,
    }
}

fn overall(compile: Option<&CompileReport>, tests: &[TestReport]) -> Verdict {
    if compile.is_some_and(|report| !report.ok) {
        return Verdict::CompilationError;
    }
    first_failure(tests.iter().map(|test| test.verdict))
}

/// Reports a step. Nobody listens any more once the lease is lost, and the attempt is being aborted then.
async fn tell(progress: &mpsc::Sender<Progress>, step: Progress) {
    if progress.send(step).await.is_err() {
        tracing::debug!("nobody listens to the progress of this attempt");
    }
}
