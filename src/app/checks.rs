//! Checking an exercise by its reference solutions.

use std::collections::HashSet;

use super::exercises::Rules;
use super::submit::retry_after_s;
use super::validate::{self, Faults};
use super::{App, Caller, Conflict, Error};
use crate::domain::check::Check;
use crate::domain::exercise::{ExerciseSpec, MAX_SOLUTIONS, Solution};
use crate::domain::ids::{CheckId, ExerciseId, SubmissionId};
use crate::domain::metadata::Metadata;
use crate::domain::queue::Priority;
use crate::domain::submission::{ExerciseRef, NewSubmission, Purpose};
use crate::domain::verdict::Verdict;
use crate::storage::{CheckBegun, Checks as _, NewCheck, NewCheckItem};

/// Longest name of a solution, in characters.
const MAX_NAME_CHARS: usize = 255;

impl App {
    /// Has all reference solutions of an exercise judged, behind all others.
    pub async fn check_exercise(&self, caller: &Caller, id: &ExerciseId) -> Result<CheckId, Error> {
        teaches(caller)?;
        if self.inner.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let exercise = self.exercise(caller, id).await?;
        if exercise.spec.solutions.is_empty() {
            return Err(Error::Conflict(Conflict::NoSolutions));
        }
        let reference = ExerciseRef { id: exercise.id.clone(), version: exercise.version };
        let submission = |solution: &Solution| NewSubmission {
            id: SubmissionId::generate(),
            owner: caller.subject.clone(),
            legacy: None,
            purpose: Purpose::Graded(reference.clone()),
            runtime: solution.runtime.clone(),
            priority: Priority::Rejudge,
            metadata: Metadata::default(),
            files: solution.files.clone(),
            enqueue: true,
        };
        let items = exercise.spec.solutions.iter().map(|solution| NewCheckItem {
            solution: solution.name.clone(),
            expected_verdicts: solution.expected_verdicts.clone(),
            submission: submission(solution),
        });
        let check = CheckId::generate();
        let new = NewCheck {
            id: check,
            exercise: reference.clone(),
            asked_by: caller.subject.clone(),
            items: items.collect(),
        };
        let (caps, now) = (self.inner.caps, self.inner.clock.now());
        match self.inner.storage.begin_check(new, caps, self.pace(), now).await? {
            CheckBegun::Begun => Ok(check),
            CheckBegun::QueueFull => Err(Error::QueueFull { retry_after_s: retry_after_s(&self.pace()) }),
        }
    }

    /// A check as far as it is.
    pub async fn check_standing(&self, caller: &Caller, id: CheckId) -> Result<Check, Error> {
        teaches(caller)?;
        self.inner.storage.check(id).await?.ok_or(Error::NotFound)
    }
}

impl Rules<'_> {
    /// That each solution has a name of its own, a runtime, files, and verdicts that a submission may get.
    pub(super) fn check_solutions(self, spec: &ExerciseSpec, faults: &mut Faults) -> Result<(), Error> {
        if spec.solutions.len() > MAX_SOLUTIONS {
            faults.add("/solutions", format!("must have at most {MAX_SOLUTIONS} solutions"));
        }
        let mut names = HashSet::new();
        for (index, solution) in spec.solutions.iter().enumerate() {
            let at = format!("/solutions/{index}");
            let chars = solution.name.chars().count();
            if chars == 0 || chars > MAX_NAME_CHARS || solution.name.chars().any(char::is_control) {
                let message = format!("must have 1 to {MAX_NAME_CHARS} characters, none a control character");
                faults.add(format!("{at}/name"), message);
            } else if !names.insert(solution.name.as_str()) {
                faults.add(format!("{at}/name"), "is the name of another solution");
            }
            validate::files(faults, &format!("{at}/files"), &solution.files)?;
            match self.runtimes.get(&solution.runtime) {
                None => faults.add(format!("{at}/runtime"), "there is no such runtime"),
                Some(runtime) => validate::entry(faults, &format!("{at}/files"), runtime, &solution.files),
            }
            check_verdicts(&solution.expected_verdicts, &format!("{at}/expected_verdicts"), faults);
        }
        Ok(())
    }
}

fn check_verdicts(expected: &[Verdict], at: &str, faults: &mut Faults) {
    if expected.is_empty() {
        faults.add(at, "must name at least one verdict");
    }
    let mut seen = HashSet::new();
    for (index, verdict) in expected.iter().enumerate() {
        if *verdict == Verdict::Skipped {
            faults.add(format!("{at}/{index}"), "is a verdict of tests and groups alone");
        } else if !seen.insert(verdict) {
            faults.add(format!("{at}/{index}"), "is named twice");
        }
    }
}

fn teaches(caller: &Caller) -> Result<(), Error> {
    if caller.teaches() { Ok(()) } else { Err(Error::Forbidden("a student may not check exercises")) }
}
