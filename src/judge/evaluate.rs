//! One attempt: files in, compile, each test, out comes a result.

use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::checking::ProgramChecker;
use super::classify::usage_source;
use super::compile::{Compiled, compile, millis};
use super::output::Budget;
use super::setting::Setting;
use super::trial::{Trial, Trials};
use crate::domain::event::Progress;
use crate::domain::exercise::ExerciseSpec;
use crate::domain::groups::{Course, first_failure};
use crate::domain::runtime::Runtime;
use crate::domain::submission::Work;
use crate::domain::verdict::{
    CheckerFault, CompileReport, GroupReport, Points, SubmissionResult, TestReport, Timings, Verdict,
};
use crate::pool::{Container, Lost};

/// What an attempt came to.
#[derive(Debug)]
pub enum Outcome {
    /// It has a result.
    Finished(Box<SubmissionResult>),
    /// It has none: the exercise is at fault. No process of it exists any more.
    AtFault(Box<CheckerFault>),
    /// It was stopped on request; no process of it exists any more.
    Aborted,
}

/// Why an attempt ends without a result.
#[derive(Debug)]
pub enum Halt {
    /// It is lost.
    Lost(Lost),
    /// It was stopped on request.
    Aborted,
    /// The exercise is at fault.
    Fault(Box<CheckerFault>),
}

impl From<Lost> for Halt {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

/// What an attempt is run with.
pub struct Means<'a> {
    /// The runtime of the submission.
    pub runtime: &'a Runtime,
    /// The runtime of its exercise's checker, if that is a program.
    pub companion: Option<&'a Runtime>,
    /// The submission's container.
    pub container: &'a mut Container,
}

/// Runs `work` and reports each step.
///
/// * `progress` — what happened, as it happens.
/// * `abort` — stops the running command at once.
///
/// # Errors
/// [`Lost`] if the container, its companion or their host went away; what was reported until then stands.
pub async fn evaluate(
    work: &Work,
    means: Means<'_>,
    progress: mpsc::Sender<Progress>,
    abort: &CancellationToken,
) -> Result<Outcome, Lost> {
    let mut checker = means.companion.and_then(|runtime| ProgramChecker::of(work, runtime));
    let graded = grade(work, means, checker.as_mut(), &progress, abort).await;
    // First: the slot is given away with the submission's container.
    match (checker, &graded) {
        (Some(checker), Ok(_) | Err(Halt::Aborted | Halt::Fault(_))) => checker.release().await,
        (None, _) | (Some(_), Err(Halt::Lost(_))) => {}
    }
    match graded {
        Ok(result) => Ok(Outcome::Finished(Box::new(result))),
        Err(Halt::Aborted) => Ok(Outcome::Aborted),
        Err(Halt::Fault(fault)) => Ok(Outcome::AtFault(fault)),
        Err(Halt::Lost(lost)) => Err(lost),
    }
}

async fn grade(
    work: &Work,
    means: Means<'_>,
    checker: Option<&mut ProgramChecker<'_>>,
    progress: &mpsc::Sender<Progress>,
    abort: &CancellationToken,
) -> Result<SubmissionResult, Halt> {
    let Means { runtime, container, .. } = means;
    let (begun, source) = (Instant::now(), container.usage_source());
    let spec = work.exercise.as_ref().map(|exercise| &exercise.spec);
    let setting = Setting::new(runtime, spec, &work.files);
    container.prepare(&work.files);
    let mut timings = Timings { prepared_ms: millis(begun), ..Timings::default() };
    let mut budget = Budget::new();
    let mut built = None;
    if let Some(step) = &runtime.compile {
        match compile(&setting, step, container, &mut budget, abort).await? {
            Compiled::Aborted => return Err(Halt::Aborted),
            Compiled::Report(report, took_ms) => {
                timings.compiled_ms = took_ms;
                tell(progress, Progress::Compiled(report.clone())).await;
                built = Some(report);
            }
        }
    }
    let testing = Instant::now();
    let trials = Trial::all(work, spec);
    let mut course = course(&trials, spec);
    let mut tests = Vec::new();
    if built.as_ref().is_none_or(|report| report.ok) {
        let run = Trials { setting: &setting, container, checker, budget: &mut budget, abort };
        tests = run_trials(run, &trials, &mut course, progress).await?;
    }
    timings.tested_ms = millis(testing);
    let groups = course.has_groups().then(|| course.reports(&tests));
    Ok(SubmissionResult {
        round: work.lease.round,
        verdict: overall(built.as_ref(), &tests),
        points: points(&trials, &tests, groups.as_deref()),
        groups,
        usage_source: usage_source(source),
        compile: built,
        tests,
        timings,
    })
}

/// The points of a graded submission: those of its groups, or without groups of its tests.
fn points(trials: &[Trial<'_>], tests: &[TestReport], groups: Option<&[GroupReport]>) -> Option<Points> {
    let weights: Option<Vec<u64>> =
        trials.iter().map(|trial| Some(trial.graded.as_ref()?.test.weight)).collect();
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

/// Runs the tests in their order.
async fn run_trials(
    mut run: Trials<'_, '_>,
    trials: &[Trial<'_>],
    course: &mut Course<'_>,
    progress: &mpsc::Sender<Progress>,
) -> Result<Vec<TestReport>, Halt> {
    let mut reports = Vec::with_capacity(trials.len());
    let of = u32::try_from(trials.len()).unwrap_or(u32::MAX);
    for place in course.order() {
        let Some(trial) = trials.get(place) else { continue };
        let index = u32::try_from(place + 1).unwrap_or(u32::MAX);
        let report = if course.runs(place) {
            run.run(index, trial).await?
        } else if course.has_groups() {
            trial.skipped(index)
        } else {
            break;
        };
        course.ended(place, report.verdict);
        tell(progress, Progress::TestFinished { of, test: Box::new(report.clone()) }).await;
        reports.push(report);
    }
    reports.sort_by_key(|report| report.index);
    Ok(reports)
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
