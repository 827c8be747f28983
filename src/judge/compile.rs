//! Building a program from its files.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::classify::classify;
use super::diagnostics::diagnostics;
use super::output::{Budget, Written};
use super::setting::Setting;
use crate::domain::runtime::Step;
use crate::domain::verdict::{CompileReport, RUN_STREAM_BYTES};
use crate::pool::{Container, Lost};

/// What a compilation came to.
pub enum Compiled {
    /// Its report, and how long it took in milliseconds.
    Report(CompileReport, u64),
    /// It was stopped on request.
    Aborted,
}

/// Runs the compiler over the files that were prepared in `container`.
pub async fn compile(
    setting: &Setting<'_>,
    step: &Step,
    container: &mut Container,
    budget: &mut Budget,
    abort: &CancellationToken,
) -> Result<Compiled, Lost> {
    let limits = setting.compile_limits(step);
    let begun = Instant::now();
    let mut written = Written::default();
    let request = setting.request(step, step.argv(&setting.paths, &limits), &limits, true);
    let mut take = |_stream, bytes: &[u8]| written.bytes.extend_from_slice(bytes);
    let report = container.exec(request, &[], abort, &mut take).await?;
    if report.stopped_by == Some(guichet_agent::StoppedBy::Abort) {
        return Ok(Compiled::Aborted);
    }
    written.is_cut = report.stdout_dropped_bytes > 0 || report.stderr_dropped_bytes > 0;
    let meaning = classify(&report, &limits);
    let compile = CompileReport {
        ok: meaning.verdict.is_none(),
        exit: meaning.exit,
        limit: meaning.limit,
        diagnostics: diagnostics(&written.bytes, &meaning, &step.diagnostics),
        output: budget.capture(&written, RUN_STREAM_BYTES),
        usage: meaning.usage,
    };
    Ok(Compiled::Report(compile, millis(begun)))
}

/// Milliseconds since `begun`.
pub fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}
