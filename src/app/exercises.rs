//! Writing and reading exercises.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::groups;
use super::validate::{self, Faults};
use super::{App, Caller, Error};
use crate::domain::exercise::{
    CHECK_FOLDER, Checker, Exercise, ExerciseSpec, Kind, MAX_TESTS, MAX_WEIGHT, SourceFile, Stdio, TestCase,
};
use crate::domain::ids::{ExerciseId, RuntimeId};
use crate::domain::limits::{LimitChoice, Ranges};
use crate::domain::runtime::Runtime;
use crate::storage::{ExercisePage, ExercisePut, Expected, Storage as _};

/// Most bytes of the decoded inputs, outputs and files of an exercise.
pub const MAX_EXERCISE_BYTES: usize = 32 << 20;
/// Longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 255;
/// Longest name of a test, in characters.
pub const MAX_TEST_NAME_CHARS: usize = 255;
/// Most files that a test puts into the work folder, and most that it expects there.
pub const MAX_TEST_FILES: usize = 64;
/// Greatest tolerance for numbers.
const MAX_TOLERANCE: f64 = 1e300;

impl App {
    /// Stores an exercise, as its next version if it changed.
    pub async fn put_exercise(
        &self,
        caller: &Caller,
        id: &ExerciseId,
        spec: ExerciseSpec,
        expected: Expected,
    ) -> Result<ExercisePut, Error> {
        if !caller.teaches() {
            return Err(Error::Forbidden("a student may not write exercises"));
        }
        Rules { runtimes: &self.inner.runtimes }.check(&spec)?;
        let put = self.inner.storage.put_exercise(id, spec, expected, self.inner.clock.now()).await?;
        match put {
            ExercisePut::VersionMismatch => Err(Error::PreconditionFailed),
            ExercisePut::Created(_) | ExercisePut::Changed(_) | ExercisePut::Unchanged(_) => Ok(put),
        }
    }

    /// The newest version of an exercise.
    pub async fn exercise(&self, _caller: &Caller, id: &ExerciseId) -> Result<Arc<Exercise>, Error> {
        self.inner.storage.exercise(id).await?.ok_or(Error::NotFound)
    }

    /// Exercises behind `after`, newest first; a page of large ones is shorter than `limit`.
    pub async fn exercises(
        &self,
        _caller: &Caller,
        after: Option<ExerciseId>,
        limit: u32,
    ) -> Result<ExercisePage, Error> {
        Ok(self.inner.storage.exercises(after, limit).await?)
    }

    /// Deletes an exercise; its submissions stay readable.
    pub async fn delete_exercise(
        &self,
        caller: &Caller,
        id: &ExerciseId,
        expected: Expected,
    ) -> Result<(), Error> {
        if !caller.teaches() {
            return Err(Error::Forbidden("a student may not delete exercises"));
        }
        match self.inner.storage.delete_exercise(id, expected, self.inner.clock.now()).await? {
            Some(true) => Ok(()),
            Some(false) => Err(Error::PreconditionFailed),
            None => Err(Error::NotFound),
        }
    }
}

/// What an exercise must be like where these languages are.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Languages by id.
    pub runtimes: &'a BTreeMap<RuntimeId, Runtime>,
}

impl Rules<'_> {
    /// That the exercise keeps them.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or [`Error::Invalid`] with all that is wrong.
    pub fn check(self, spec: &ExerciseSpec) -> Result<(), Error> {
        if bytes_of(spec) > MAX_EXERCISE_BYTES {
            return Err(Error::TooLarge(format!("an exercise may have {MAX_EXERCISE_BYTES} bytes")));
        }
        let mut faults = Faults::default();
        if spec.title.trim().is_empty() || spec.title.chars().count() > MAX_TITLE_CHARS {
            faults.add("/title", format!("must have 1 to {MAX_TITLE_CHARS} characters"));
        }
        if has_nul(&spec.title) {
            faults.add("/title", "must not contain NUL");
        }
        if has_nul(&spec.statement) {
            faults.add("/statement", "must not contain NUL");
        }
        validate::paths(&mut faults, "/starter_files", &spec.starter_files);
        self.check_runtimes(spec, &mut faults);
        self.check_limits(spec, &mut faults);
        match &spec.kind {
            Kind::Stdio(stdio) => {
                self.check_checker(&stdio.checker, &mut faults);
                check_tests(stdio, &mut faults);
                groups::check(&stdio.groups, &stdio.tests, &mut faults);
            }
        }
        self.check_solutions(spec, &mut faults)?;
        faults.none()
    }

    fn check_runtimes(self, spec: &ExerciseSpec, faults: &mut Faults) {
        if spec.runtimes.is_empty() {
            faults.add("/runtimes", "must name at least one runtime");
        }
        let mut seen = HashSet::new();
        for (index, runtime) in spec.runtimes.iter().enumerate() {
            if !self.runtimes.contains_key(runtime) {
                faults.add(format!("/runtimes/{index}"), "there is no such runtime");
            } else if !seen.insert(runtime) {
                faults.add(format!("/runtimes/{index}"), "is named twice");
            }
        }
        for runtime in spec.limits_by_runtime.keys() {
            if !spec.runtimes.contains(runtime) {
                faults.add(
                    format!("/limits_by_runtime/{}", escaped(runtime.as_str())),
                    "is not one of `runtimes`",
                );
            }
        }
    }

    fn check_checker(self, checker: &Checker, faults: &mut Faults) {
        match checker {
            Checker::Exact | Checker::Tokens { float_tolerance: None, .. } => {}
            Checker::Tokens { float_tolerance: Some(tolerance), .. } => {
                for (name, value) in [("absolute", tolerance.absolute), ("relative", tolerance.relative)] {
                    if !(0.0..=MAX_TOLERANCE).contains(&value) {
                        faults.add(format!("/checker/float_tolerance/{name}"), "must be a number from 0");
                    }
                }
            }
            Checker::Program(program) => {
                check_program_files(&program.files, faults);
                validate::args(faults, "/checker/args", &program.args);
                let runtime = self.runtimes.get(&program.runtime);
                match runtime {
                    Some(runtime) => validate::entry(faults, "/checker/files", runtime, &program.files),
                    None => faults.add("/checker/runtime", "there is no such runtime"),
                }
                let most = runtime.map(|runtime| runtime.run.limits.maximum.memory_bytes);
                check_choice(faults, "/checker/limits", &program.limits, &Ranges::RUN, most);
            }
        }
    }

    fn check_limits(self, spec: &ExerciseSpec, faults: &mut Faults) {
        let allowed = || spec.runtimes.iter().filter_map(|id| self.runtimes.get(id));
        let most_run = allowed().map(|runtime| runtime.run.limits.maximum.memory_bytes).max();
        let most_compile =
            allowed().filter_map(|runtime| Some(runtime.compile.as_ref()?.limits.maximum.memory_bytes)).max();
        check_choice(faults, "/limits", &spec.limits, &Ranges::RUN, most_run);
        check_choice(
            faults,
            "/compile_limits",
            &spec.compile_limits,
            &Ranges::COMPILE,
            most_compile.or(most_run),
        );
        for (id, choice) in &spec.limits_by_runtime {
            let most = self.runtimes.get(id).map(|runtime| runtime.run.limits.maximum.memory_bytes);
            check_choice(
                faults,
                &format!("/limits_by_runtime/{}", escaped(id.as_str())),
                choice,
                &Ranges::RUN,
                most,
            );
        }
    }
}

fn check_choice(faults: &mut Faults, at: &str, choice: &LimitChoice, ranges: &Ranges, most: Option<u64>) {
    // Without a runtime the maximum isn't known, and the missing runtime is told already.
    for wrong in choice.out_of_range(ranges, most.unwrap_or(u64::MAX)) {
        faults.add(
            format!("{at}/{}", wrong.field),
            format!("must be between {} and {}", wrong.least, wrong.most),
        );
    }
}

/// As many and as long as a submission's; none where Guichet puts files of its own.
fn check_program_files(files: &[SourceFile], faults: &mut Faults) {
    if files.is_empty() || files.len() > validate::MAX_FILES {
        faults.add("/checker/files", format!("must have 1 to {} files", validate::MAX_FILES));
    }
    if files.iter().map(|file| file.content.len()).sum::<usize>() > validate::MAX_FILES_BYTES {
        let most = validate::MAX_FILES_BYTES;
        faults.add("/checker/files", format!("must not be longer than {most} bytes together"));
    }
    validate::paths(faults, "/checker/files", files);
    for (index, file) in files.iter().enumerate() {
        if file.path.split('/').next() == Some(CHECK_FOLDER) {
            faults.add(format!("/checker/files/{index}/path"), format!("must not be in {CHECK_FOLDER}"));
        }
    }
}

fn check_tests(Stdio { tests, checker, .. }: &Stdio, faults: &mut Faults) {
    if tests.is_empty() || tests.len() > MAX_TESTS {
        faults.add("/tests", format!("must have 1 to {MAX_TESTS} tests"));
    }
    let mut seen = HashSet::new();
    for (index, test) in tests.iter().enumerate() {
        let name_chars = test.name.chars().count();
        if name_chars == 0 || name_chars > MAX_TEST_NAME_CHARS || test.name.chars().any(char::is_control) {
            faults.add(
                format!("/tests/{index}/name"),
                format!("must have 1 to {MAX_TEST_NAME_CHARS} characters, none a control character"),
            );
        } else if !seen.insert(test.name.as_str()) {
            faults.add(format!("/tests/{index}/name"), "is the name of another test");
        }
        if test.weight > MAX_WEIGHT {
            faults.add(format!("/tests/{index}/weight"), format!("must be between 0 and {MAX_WEIGHT}"));
        }
        validate::args(faults, &format!("/tests/{index}/args"), &test.args);
        for (name, files) in [("files", &test.files), ("expected_files", &test.expected_files)] {
            let at = format!("/tests/{index}/{name}");
            if files.len() > MAX_TEST_FILES {
                faults.add(&at, format!("must have at most {MAX_TEST_FILES} files"));
            }
            validate::paths(faults, &at, files);
        }
        if !test.expected_files.is_empty() && checker.program().is_some() {
            let at = format!("/tests/{index}/expected_files");
            faults.add(at, "must be empty: a checker program reads standard output alone");
        }
    }
}

/// Bytes of what is in an exercise: its tests, files and statement.
pub fn bytes_of(spec: &ExerciseSpec) -> usize {
    let of_files = |files: &[SourceFile]| files.iter().map(|file| file.content.len()).sum::<usize>();
    let of_test = |test: &TestCase| {
        let files = of_files(&test.files) + of_files(&test.expected_files);
        test.stdin.len() + test.expected.len() + files
    };
    let graded_by: usize = match &spec.kind {
        Kind::Stdio(stdio) => {
            let checker = stdio.checker.program().map_or(0, |program| of_files(&program.files));
            stdio.tests.iter().map(of_test).sum::<usize>() + checker
        }
    };
    let solutions = spec.solutions.iter().map(|solution| of_files(&solution.files)).sum::<usize>();
    let files = of_files(&spec.starter_files) + solutions;
    graded_by + files + spec.statement.len()
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

/// A name as a part of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
