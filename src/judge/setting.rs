//! What all commands of an attempt have in common: runtime, paths, environment, limits.

use guichet_agent as agent;

use super::failure::failure;
use crate::domain::exercise::{ExerciseSpec, SourceFile};
use crate::domain::limits::Limits;
use crate::domain::runtime::{Paths, Runtime, Step};

/// The environment that every program sees, before its runtime's own.
const ENVIRONMENT: [&str; 4] =
    ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8"];

/// Variables of it that hold what the program's uid is called.
const NAMES: [&str; 2] = ["USER", "LOGNAME"];

/// The setting of one attempt's commands.
pub struct Setting<'a> {
    /// What the submission is written in.
    pub runtime: &'a Runtime,
    /// What it solves; `None` if it is only run.
    pub exercise: Option<&'a ExerciseSpec>,
    /// The submission's files.
    pub files: &'a [SourceFile],
    /// What the placeholders of the runtime's commands stand for.
    pub paths: Paths<'a>,
}

impl<'a> Setting<'a> {
    /// What all commands of these files have in common.
    pub fn new(runtime: &'a Runtime, exercise: Option<&'a ExerciseSpec>, files: &'a [SourceFile]) -> Self {
        let paths = runtime.paths(files.iter().map(|file| file.path.as_str()), agent::OUTPUT_FOLDER);
        Self { runtime, exercise, files, paths }
    }

    /// Where and why a program failed, as far as its language tells.
    pub fn failure(&self, stderr: &[u8]) -> Option<String> {
        let format = self.runtime.run.error.as_ref()?;
        failure(stderr, format, &self.files.iter().map(|file| file.path.as_str()))
    }

    /// Limits of a test.
    pub fn run_limits(&self) -> Limits {
        match self.exercise {
            Some(exercise) => exercise.run_limits(self.runtime),
            None => self.runtime.run.limits.default,
        }
    }

    /// Limits of the compilation by `step`.
    pub fn compile_limits(&self, step: &Step) -> Limits {
        match self.exercise {
            Some(exercise) => exercise.compile_limits.over(&step.limits.default, &step.limits.maximum),
            None => step.limits.default,
        }
    }

    /// The agent's request for one command of `step`.
    ///
    /// * `keep` — whether what it leaves is there for the commands that follow.
    pub fn request(&self, step: &Step, argv: Vec<String>, limits: &Limits, keep: bool) -> agent::Exec {
        let common = ENVIRONMENT.into_iter().map(str::to_owned);
        let names = NAMES.into_iter().map(|variable| format!("{variable}={}", agent::USER));
        let own = self.runtime.env.iter().cloned();
        agent::Exec {
            argv: argv.into_iter().map(String::into_bytes).collect(),
            env: common.chain(names).chain(own).map(String::into_bytes).collect(),
            limits: agent::Limits {
                cpu_time_ms: limits.cpu_time_ms,
                wall_time_ms: limits.wall_time_ms,
                memory_bytes: limits.memory_bytes,
                start_memory_bytes: step.start_memory_bytes,
                output_bytes: limits.output_bytes,
                processes: limits.processes,
            },
            keep,
        }
    }
}
