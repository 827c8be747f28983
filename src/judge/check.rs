//! The program of a runtime's own that tells whether it holds what every program is promised, built and run as any other.

use super::setting::Setting;
use crate::domain::exercise::SourceFile;
use crate::domain::runtime::{Runtime, Step};
use crate::pool::canary::CanaryProgram;

/// The check program of these files, with the limits that hold if nothing else is said.
pub fn canary(runtime: &Runtime, files: Vec<SourceFile>) -> CanaryProgram {
    let paths = runtime.paths(files.iter().map(|file| file.path.as_str()), guichet_agent::OUTPUT_FOLDER);
    let setting = Setting { runtime, exercise: None, paths };
    let steps = runtime.compile.iter().map(|step| (step, true)).chain([(&runtime.run, false)]);
    let command = |(step, keep): (&Step, bool)| {
        setting.request(step, step.argv(&setting.paths), &step.limits.default, keep)
    };
    let commands = steps.map(command).collect();
    CanaryProgram { files, commands }
}
