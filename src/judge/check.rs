//! The program of a runtime's own that tells whether it holds what every program is promised, built and run as any other.

use super::setting::Setting;
use crate::domain::exercise::SourceFile;
use crate::domain::runtime::{Runtime, Step};
use crate::pool::canary::CanaryProgram;

/// The check program of these files, with the limits that hold if nothing else is said.
pub fn canary(runtime: &Runtime, files: Vec<SourceFile>) -> CanaryProgram {
    let setting = Setting::new(runtime, None, &files);
    let steps = runtime.compile.iter().map(|step| (step, true)).chain([(&runtime.run, false)]);
    let command = |(step, keep): (&Step, bool)| {
        let limits = &step.limits.default;
        setting.request(step, step.argv(&setting.paths, limits), limits, keep)
    };
    let commands = steps.map(command).collect();
    CanaryProgram { files, commands }
}
