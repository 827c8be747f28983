//! Whether a runtime holds what every program is promised: its own program says so, built and run as any other.

use super::classify::{Meaning, classify};
use super::setting::Setting;
use crate::domain::exercise::SourceFile;
use crate::domain::runtime::Runtime;
use crate::domain::verdict::Exit;
use crate::pool::trial::{Error, Trial};

/// Builds and runs the program of `files`; what is wrong, in words, if it does not exit with 0.
///
/// # Errors
/// That the container is gone or could not be used.
pub async fn check(
    runtime: &Runtime,
    files: &[SourceFile],
    trial: &mut Trial,
) -> Result<Result<(), String>, Error> {
    let paths = runtime.paths(files.iter().map(|file| file.path.as_str()), guichet_agent::OUTPUT_FOLDER);
    let setting = Setting { runtime, exercise: None, paths };
    trial.prepare(files)?;
    let steps = runtime.compile.iter().map(|step| (step, true)).chain([(&runtime.run, false)]);
    for (step, keep) in steps {
        let limits = step.limits.default;
        let request = setting.request(step, step.argv(&setting.paths), &limits, keep);
        let (report, written) = trial.exec(request).await?;
        let meaning = classify(&report, &limits);
        if meaning.verdict.is_some() {
            return Ok(Err(told(&meaning, &written)));
        }
    }
    Ok(Ok(()))
}

fn told(meaning: &Meaning, written: &[u8]) -> String {
    let end = match (meaning.limit, meaning.exit) {
        (Some(limit), _) => format!("is stopped by its limit of {}", limit.kind.described()),
        (None, Exit::Code(code)) => format!("ends with {code}"),
        (None, Exit::Signal(signal)) => format!("is killed by signal {signal}"),
    };
    let text = String::from_utf8_lossy(written);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        format!("its check program {end}")
    } else {
        format!("its check program {end}: {}", lines.join("; "))
    }
}
