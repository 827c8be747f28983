//! A program of a runtime's own whose end is known: whether programs of the runtime run as they should in a container.

use guichet_agent::{Ended, Exec, Report, StoppedBy};
use tokio_util::sync::CancellationToken;

use super::agent_client::{self, AgentClient};
use crate::domain::exercise::SourceFile;
use crate::domain::verdict::LimitKind;

/// A submission whose commands all end with 0 where all is as it should be.
#[derive(Clone, Debug)]
pub struct CanaryProgram {
    /// Its files.
    pub files: Vec<SourceFile>,
    /// What builds and runs it, in this order.
    pub commands: Vec<Exec>,
}

/// Why a canary did not pass.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// It ended otherwise than with 0.
    #[error("its check program {0}")]
    Ended(String),
    /// It left something behind.
    #[error("a container is not clean after its check program: {0}")]
    Unclean(String),
    /// It could not be run.
    #[error("its check program cannot be run: {0}")]
    Agent(#[from] agent_client::Error),
}

impl CanaryProgram {
    /// Runs it in an empty container, which is as empty afterwards.
    ///
    /// # Errors
    /// What was wrong; the container is of no use then.
    pub(super) async fn run(&self, client: &mut AgentClient) -> Result<(), CanaryError> {
        client.open(&self.files)?;
        for command in &self.commands {
            let mut written = Vec::new();
            let mut take = |_stream, bytes: &[u8]| written.extend_from_slice(bytes);
            let report = client.exec(command.clone(), &[], &CancellationToken::new(), &mut take).await?;
            if let Some(end) = bad_end(&report) {
                return Err(CanaryError::Ended(with_words(end, &written)));
            }
        }
        let clean = client.close().await?;
        if clean.ok { Ok(()) } else { Err(CanaryError::Unclean(clean.problems.join("; "))) }
    }
}

/// How a command has ended, unless it has ended well.
fn bad_end(report: &Report) -> Option<String> {
    let limit = match report.stopped_by {
        _ if report.oom_kills > 0 => Some(LimitKind::Memory),
        Some(StoppedBy::CpuTime) => Some(LimitKind::CpuTime),
        Some(StoppedBy::WallTime) => Some(LimitKind::WallTime),
        Some(StoppedBy::Memory) => Some(LimitKind::Memory),
        Some(StoppedBy::Output) => Some(LimitKind::Output),
        Some(StoppedBy::Abort) | None => None,
    };
    match (limit, report.ended) {
        (Some(limit), _) => Some(format!("is stopped by its limit of {}", limit.described())),
        (None, Ended::Exited(0)) => None,
        (None, Ended::Exited(code)) => Some(format!("ends with {code}")),
        (None, Ended::Signaled(signal)) => Some(format!("is killed by signal {signal}")),
        (None, Ended::NotStarted(errno)) => Some(format!("does not start (errno {errno})")),
    }
}

/// The end, with what the program wrote.
fn with_words(end: String, written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { end } else { format!("{end}: {}", lines.join("; ")) }
}
