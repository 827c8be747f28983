//! What was found, judged: facts in, a line with advice out. Pure.

use std::io::Write;

use crate::pool::escapes::{self, Version};
use crate::pool::facts::EngineFacts;

/// The least version of Docker's API that Guichet speaks.
const LEAST_API: Version = Version([1, 41, 0]);

/// The least free space below which the operator should act, in bytes.
const LEAST_SPACE: u64 = 1 << 30;

/// How far two clocks may be apart, in milliseconds.
const CLOCK_TOLERANCE_MS: i64 = 5000;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    grade: Grade,
    text: String,
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Good,
    Warning,
    Fault,
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

/// Judges an engine by what it says of itself.
///
/// * `now_ms` — our own clock, in milliseconds since 1970.
pub fn engine(host: &str, facts: &EngineFacts, now_ms: i64) -> Vec<Finding> {
    let mut findings = vec![api(host, facts)];
    findings.push(control_groups(host, facts));
    if !facts.seccomp {
        findings.push(Finding::fault(
            format!("{host}: the engine does not filter system calls"),
            "its kernel or its package lacks seccomp: use another host",
        ));
    }
    findings.extend(runc(host, facts));
    if !facts.live_restore {
        findings.push(Finding::warning(
            format!("{host}: live-restore is off, a restart of the engine ends the programs that run"),
            r#"set "live-restore": true in /etc/docker/daemon.json"#,
        ));
    }
    findings.extend(clock(host, facts, now_ms));
    findings
}

fn api(host: &str, facts: &EngineFacts) -> Finding {
    let text = format!("{host}: Docker {}, API {}", facts.version, facts.api_version);
    if Version::of(&facts.api_version).is_some_and(|version| version >= LEAST_API) {
        Finding::good(text)
    } else {
        Finding::fault(text, "Guichet needs API 1.41 (Docker 20.10) or newer: upgrade the engine")
    }
}

fn control_groups(host: &str, facts: &EngineFacts) -> Finding {
    let version =
        facts.cgroup_version.map_or_else(|| "of no version".to_owned(), |version| format!("v{version}"));
    let text = format!("{host}: control groups {version}");
    if !facts.missing_limits.is_empty() {
        let missing = facts.missing_limits.join(", ");
        return Finding::fault(
            format!("{text}, which cannot limit {missing}"),
            "mount all controllers; for memory some kernels want cgroup_enable=memory swapaccount=1 at boot",
        );
    }
    if facts.rootless {
        return Finding::warning(
            format!("{text}, in a rootless engine: usage is measured less exactly"),
            "use an engine that runs as root for graded work",
        );
    }
    Finding::good(text)
}

fn runc(host: &str, facts: &EngineFacts) -> Option<Finding> {
    let text = facts.runc_version.as_ref()?;
    let open = escapes::of_runc(text)?;
    Some(if open.is_empty() {
        Finding::good(format!("{host}: runc {text}"))
    } else {
        Finding::warning(
            format!("{host}: runc {text} is older than the corrections of {}", open.join(" and ")),
            escapes::ADVICE,
        )
    })
}

fn clock(host: &str, facts: &EngineFacts, now_ms: i64) -> Option<Finding> {
    let there: jiff::Timestamp = facts.time.as_ref()?.parse().ok()?;
    let apart_ms = there.as_millisecond().saturating_sub(now_ms).saturating_abs();
    (apart_ms > CLOCK_TOLERANCE_MS).then(|| {
        Finding::warning(
            format!("{host}: its clock and ours are {apart_ms} ms apart"),
            "run a time service on both: tokens and leases end by the clock",
        )
    })
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

    fn facts() -> EngineFacts {
        EngineFacts {
            version: "28.1.0".to_owned(),
            api_version: "1.49".to_owned(),
            runc_version: Some("1.3.3".to_owned()),
            cgroup_version: Some(2),
            missing_limits: Vec::new(),
            seccomp: true,
            rootless: false,
            live_restore: true,
            time: Some("1970-01-01T00:00:01Z".to_owned()),
        }
    }

    fn lines(facts: &EngineFacts) -> String {
        engine("h", facts, 1000).iter().flat_map(|finding| [finding.to_string(), "\n".to_owned()]).collect()
    }

    #[test]
    fn a_good_engine_has_neither_warning_nor_fault() {
        assert_eq!(
            lines(&facts()),
            "ok       h: Docker 28.1.0, API 1.49\nok       h: control groups v2\nok       h: runc 1.3.3\n"
        );
    }

    #[test]
    fn a_runc_with_known_escapes_is_a_warning() {
        let old = EngineFacts { runc_version: Some("1.1.5+ds1-1+deb12u1".to_owned()), ..facts() };

        assert_eq!(lines(&old).matches("CVE").count(), 2);
    }

    #[test]
    fn an_engine_that_cannot_limit_memory_is_a_fault() {
        let weak = EngineFacts { missing_limits: vec!["memory"], ..facts() };

        assert!(engine("h", &weak, 1000).iter().any(super::Finding::is_fault));
    }

    #[test]
    fn clocks_that_differ_are_a_warning() {
        let late = EngineFacts { time: Some("1970-01-01T00:01:01Z".to_owned()), ..facts() };

        assert!(lines(&late).contains("60000 ms apart"));
    }

    #[test]
    fn an_agent_that_needs_a_loader_is_a_fault() {
        let dynamic = b"\x7fELF...../lib64/ld-linux-x86-64.so.2".to_vec();

        assert!(agent(Path::new("a"), &Ok(dynamic)).is_fault());
        assert!(!agent(Path::new("a"), &Ok(b"\x7fELF".to_vec())).is_fault());
    }
}
