//! What an engine says about itself, judged. Pure.

use super::escapes::{self, Version};
use super::facts::EngineFacts;

/// The least version of Docker's API that Guichet speaks.
const LEAST_API: Version = Version([1, 41, 0]);

/// How far two clocks may be apart, in milliseconds.
const CLOCK_TOLERANCE_MS: i64 = 5000;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Good,
    /// The service works, but the operator should look at it.
    Warning,
    /// The service cannot do its work with it.
    Fault,
}

/// What of an engine is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// The version of its API.
    Api,
    /// What its control groups can limit.
    ControlGroups,
    /// That it runs as an ordinary user.
    Rootless,
    /// Whether it filters system calls.
    SystemCallFilter,
    /// Known ways out of containers of its runc.
    RuncKnownEscape,
    /// Whether containers outlive it.
    LiveRestore,
    /// Its clock.
    Clock,
    /// What agents found missing in its containers.
    WeakerIsolation,
    /// That its disk has no room.
    DiskFull,
    /// An image that is not there.
    MissingImage,
}

impl Matter {
    /// Its name in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::ControlGroups => "control_groups",
            Self::Rootless => "rootless",
            Self::SystemCallFilter => "system_call_filter",
            Self::RuncKnownEscape => "runc_known_escape",
            Self::LiveRestore => "live_restore",
            Self::Clock => "clock",
            Self::WeakerIsolation => "weaker_isolation",
            Self::DiskFull => "disk_full",
            Self::MissingImage => "missing_image",
        }
    }
}

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// About what.
    pub matter: Matter,
    /// How it is.
    pub grade: Grade,
    /// What was found: a fragment.
    pub text: String,
    /// What to do; `None` if all is well.
    pub advice: Option<&'static str>,
}

impl Remark {
    const fn good(matter: Matter, text: String) -> Self {
        Self { matter, grade: Grade::Good, text, advice: None }
    }

    const fn warning(matter: Matter, text: String, advice: &'static str) -> Self {
        Self { matter, grade: Grade::Warning, text, advice: Some(advice) }
    }

    const fn fault(matter: Matter, text: String, advice: &'static str) -> Self {
        Self { matter, grade: Grade::Fault, text, advice: Some(advice) }
    }
}

/// Judges an engine by what it says of itself.
///
/// * `now_ms` — our own clock, in milliseconds since 1970.
pub fn review(facts: &EngineFacts, now_ms: i64) -> Vec<Remark> {
    let mut remarks = vec![api(facts), control_groups(facts)];
    if !facts.seccomp {
        remarks.push(Remark::fault(
            Matter::SystemCallFilter,
            "the engine does not filter system calls".to_owned(),
            "its kernel or its package lacks seccomp: use another host",
        ));
    }
    remarks.extend(runc(facts));
    if !facts.live_restore {
        remarks.push(Remark::warning(
            Matter::LiveRestore,
            "live-restore is off, a restart of the engine ends the programs that run".to_owned(),
            r#"set "live-restore": true in /etc/docker/daemon.json"#,
        ));
    }
    remarks.extend(clock(facts, now_ms));
    remarks
}

fn api(facts: &EngineFacts) -> Remark {
    let text = format!("Docker {}, API {}", facts.version, facts.api_version);
    if Version::of(&facts.api_version).is_some_and(|version| version >= LEAST_API) {
        Remark::good(Matter::Api, text)
    } else {
        Remark::fault(Matter::Api, text, "Guichet needs API 1.41 (Docker 20.10) or newer: upgrade the engine")
    }
}

fn control_groups(facts: &EngineFacts) -> Remark {
    let version =
        facts.cgroup_version.map_or_else(|| "of no version".to_owned(), |version| format!("v{version}"));
    let text = format!("control groups {version}");
    if !facts.missing_limits.is_empty() {
        let missing = facts.missing_limits.join(", ");
        return Remark::fault(
            Matter::ControlGroups,
            format!("{text}, which cannot limit {missing}"),
            "mount all controllers; for memory some kernels want cgroup_enable=memory swapaccount=1 at boot",
        );
    }
    if facts.rootless {
        return Remark::warning(
            Matter::Rootless,
            format!("{text}, in a rootless engine: usage is measured less exactly"),
            "use an engine that runs as root for graded work",
        );
    }
    Remark::good(Matter::ControlGroups, text)
}

fn runc(facts: &EngineFacts) -> Option<Remark> {
    let text = facts.runc_version.as_ref()?;
    let open = escapes::of_runc(text)?;
    Some(if open.is_empty() {
        Remark::good(Matter::RuncKnownEscape, format!("runc {text}"))
    } else {
        Remark::warning(
            Matter::RuncKnownEscape,
            format!("runc {text} is older than the corrections of {}", open.join(" and ")),
            escapes::ADVICE,
        )
    })
}

fn clock(facts: &EngineFacts, now_ms: i64) -> Option<Remark> {
    let there: jiff::Timestamp = facts.time.as_ref()?.parse().ok()?;
    let apart_ms = there.as_millisecond().saturating_sub(now_ms).saturating_abs();
    (apart_ms > CLOCK_TOLERANCE_MS).then(|| {
        Remark::warning(
            Matter::Clock,
            format!("its clock and ours are {apart_ms} ms apart"),
            "run a time service on both: tokens and leases end by the clock",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{Grade, Matter, review};
    use crate::pool::facts::EngineFacts;

    fn facts() -> EngineFacts {
        EngineFacts {
            version: "28.1.0".to_owned(),
            api_version: "1.49".to_owned(),
            runc_version: Some("1.3.3".to_owned()),
            cgroup_version: Some(2),
            seccomp: true,
            live_restore: true,
            time: Some("1970-01-01T00:00:01Z".to_owned()),
            ..EngineFacts::default()
        }
    }

    fn texts(facts: &EngineFacts) -> Vec<String> {
        review(facts, 1000).into_iter().map(|remark| remark.text).collect()
    }

    /// What is worse than good.
    fn complaints(facts: &EngineFacts) -> Vec<(Matter, Grade)> {
        let remarks = review(facts, 1000).into_iter().filter(|remark| remark.grade != Grade::Good);
        remarks.map(|remark| (remark.matter, remark.grade)).collect()
    }

    #[test]
    fn a_good_engine_has_neither_warning_nor_fault() {
        assert_eq!(complaints(&facts()), []);
        assert_eq!(texts(&facts()), ["Docker 28.1.0, API 1.49", "control groups v2", "runc 1.3.3"]);
    }

    #[test]
    fn a_runc_with_known_escapes_is_a_warning() {
        let old = EngineFacts { runc_version: Some("1.1.5+ds1-1+deb12u1".to_owned()), ..facts() };

        assert_eq!(complaints(&old), [(Matter::RuncKnownEscape, Grade::Warning)]);
        assert_eq!(texts(&old).concat().matches("CVE").count(), 2);
    }

    #[test]
    fn an_engine_that_cannot_limit_memory_is_a_fault() {
        let weak = EngineFacts { missing_limits: vec!["memory"], ..facts() };

        assert_eq!(complaints(&weak), [(Matter::ControlGroups, Grade::Fault)]);
    }

    #[test]
    fn clocks_that_differ_are_a_warning() {
        let late = EngineFacts { time: Some("1970-01-01T00:01:01Z".to_owned()), ..facts() };

        assert_eq!(complaints(&late), [(Matter::Clock, Grade::Warning)]);
        assert!(texts(&late).concat().contains("60000 ms apart"));
    }
}
