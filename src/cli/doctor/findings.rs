//! What was found, judged: facts in, a line with advice out. Pure.

use std::io::Write;

use crate::pool::facts::EngineFacts;
use crate::pool::review::{Grade, Remark, review};

/// The least free space below which the operator should act, in bytes.
const LEAST_SPACE: u64 = 1 << 30;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    grade: Grade,
    text: String,
    advice: Option<String>,
}

impl Finding {
    /// All is well with it.
    pub fn good(text: impl Into<String>) -> Self {
        Self { grade: Grade::Good, text: text.into(), advice: None }
    }

    /// The service works, but the operator should look at it.
    pub fn warning(text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade: Grade::Warning, text: text.into(), advice: Some(advice.into()) }
    }

    /// The service cannot do its work.
    pub fn fault(text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { grade: Grade::Fault, text: text.into(), advice: Some(advice.into()) }
    }

    /// Whether it keeps the service from its work.
    pub fn is_fault(&self) -> bool {
        self.grade == Grade::Fault
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let grade = match self.grade {
            Grade::Good => "ok     ",
            Grade::Warning => "warning",
            Grade::Fault => "FAULT  ",
        };
        write!(f, "{grade}  {}", self.text)
    }
}

/// Writes findings, a line each. What to do about several of them stands once, below the last.
///
/// # Errors
/// `out` cannot be written.
pub fn report(findings: &[Finding], out: &mut dyn Write) -> std::io::Result<()> {
    let mut rest = findings.iter();
    while let Some(finding) = rest.next() {
        writeln!(out, "{finding}")?;
        if let Some(advice) = &finding.advice
            && !rest.clone().any(|later| later.advice == finding.advice)
        {
            writeln!(out, "           {advice}")?;
        }
    }
    Ok(())
}

/// What is found of an engine by what it says of itself.
///
/// * `now_ms` — our own clock, in milliseconds since 1970.
pub fn engine(host: &str, facts: &EngineFacts, now_ms: i64) -> Vec<Finding> {
    let found = |remark: Remark| Finding {
        grade: remark.grade,
        text: format!("{host}: {}", remark.text),
        advice: remark.advice.map(str::to_owned),
    };
    review(facts, now_ms).into_iter().map(found).collect()
}

/// Judges the agent's program by its path and bytes.
pub fn agent(path: &std::path::Path, program: &std::io::Result<Vec<u8>>) -> Finding {
    let text = format!("agent {}", path.display());
    let advice = "make build puts guichet-agent beside guichet; execution.agent_path names another place";
    match program {
        Err(error) => Finding::fault(format!("{text}: {error}"), advice),
        Ok(bytes) if !bytes.starts_with(b"\x7fELF") => {
            Finding::fault(format!("{text} is no program"), advice)
        }
        // The path of the dynamic loader is written in every program that needs one.
        Ok(bytes) if contains(bytes, b"/ld-linux") || contains(bytes, b"/ld-musl") => {
            Finding::fault(format!("{text} is not static, so it does not run in every image"), advice)
        }
        Ok(_) => Finding::good(text),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Judges the space left in the data folder.
pub fn free_space(folder: &std::path::Path, free_bytes: u64) -> Finding {
    let text = format!("data folder {}: {} MiB are free", folder.display(), free_bytes >> 20);
    if free_bytes < LEAST_SPACE {
        Finding::warning(text, "make room, or shorten retention.submissions and retention.events")
    } else {
        Finding::good(text)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{agent, engine};
    use crate::pool::facts::EngineFacts;

    #[test]
    fn what_is_wrong_with_an_engine_is_told_of_its_host() {
        let found = engine("h", &EngineFacts::default(), 1000);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();

        assert!(found.iter().any(super::Finding::is_fault));
        assert!(
            lines.contains(&"FAULT    h: the engine does not filter system calls".to_owned()),
            "{lines:?}"
        );
    }

    #[test]
    fn an_agent_that_needs_a_loader_is_a_fault() {
        let dynamic = b"\x7fELF...../lib64/ld-linux-x86-64.so.2".to_vec();

        assert!(agent(Path::new("a"), &Ok(dynamic)).is_fault());
        assert!(!agent(Path::new("a"), &Ok(b"\x7fELF".to_vec())).is_fault());
    }
}
