//! Facts about one command → what they mean. Pure.

use guichet_agent as agent;

use crate::domain::limits::Limits;
use crate::domain::verdict::{Exit, LimitHit, LimitKind, Usage, UsageSource, Verdict};

/// Exit code shown for a program that could not be started, as a shell would say it.
const NOT_STARTED_CODE: i32 = 127;

/// What a command's facts mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What went wrong with the program; `None` if it ended well and its output decides.
    pub verdict: Option<Verdict>,
    /// How it ended.
    pub exit: Exit,
    /// The limit that ended it.
    pub limit: Option<LimitHit>,
    /// What it used.
    pub usage: Usage,
}

/// What a command's facts mean under its limits.
///
/// Only counters outside the program tell a limit: a program that kills itself with the same signal, or exits
/// with the same code, made a runtime error. A process that the kernel killed for lack of memory counts even
/// if the program went on and printed the right answer.
pub fn classify(report: &agent::Report, limits: &Limits) -> Meaning {
    let usage = Usage {
        cpu_time_ms: report.cpu_time_us.div_ceil(1000),
        wall_time_ms: report.wall_time_us.div_ceil(1000),
        memory_bytes: report.memory_bytes,
    };
    let exit = match report.ended {
        agent::Ended::Exited(code) => Exit::Code(code),
        agent::Ended::Signaled(signal) => Exit::Signal(signal),
        agent::Ended::NotStarted(_) => Exit::Code(NOT_STARTED_CODE),
    };
    let limit = limit_hit(report, limits);
    let verdict = match (limit.map(|hit| hit.kind), exit) {
        (Some(LimitKind::Memory), _) => Some(Verdict::MemoryLimitExceeded),
        (Some(LimitKind::Output), _) => Some(Verdict::OutputLimitExceeded),
        (Some(LimitKind::CpuTime | LimitKind::WallTime), _) => Some(Verdict::TimeLimitExceeded),
        (None, Exit::Code(0)) => None,
        (Some(LimitKind::Processes) | None, Exit::Code(_) | Exit::Signal(_)) => Some(Verdict::RuntimeError),
    };
    Meaning { verdict, exit, limit, usage }
}

fn limit_hit(report: &agent::Report, limits: &Limits) -> Option<LimitHit> {
    let cpu_limit_us = limits.cpu_time_ms.saturating_mul(1000);
    let hit = |kind, allowed, measured| Some(LimitHit { kind, allowed, measured });
    let over_memory = report.memory_bytes > limits.memory_bytes;
    if over_memory || report.oom_kills > 0 || report.stopped_by == Some(agent::StoppedBy::Memory) {
        // A kernel that kills for lack of memory on the whole host has not measured the program.
        let measured = report.memory_bytes.max(limits.memory_bytes);
        return hit(LimitKind::Memory, limits.memory_bytes, measured);
    }
    if report.output_bytes > limits.output_bytes || report.stopped_by == Some(agent::StoppedBy::Output) {
        return hit(LimitKind::Output, limits.output_bytes, report.output_bytes);
    }
    if report.cpu_time_us > cpu_limit_us || report.stopped_by == Some(agent::StoppedBy::CpuTime) {
        return hit(LimitKind::CpuTime, limits.cpu_time_ms, report.cpu_time_us.div_ceil(1000));
    }
    if report.stopped_by == Some(agent::StoppedBy::WallTime) {
        return hit(LimitKind::WallTime, limits.wall_time_ms, report.wall_time_us.div_ceil(1000));
    }
    if report.process_refusals > 0 && matches!(report.ended, agent::Ended::NotStarted(_)) {
        return hit(LimitKind::Processes, u64::from(limits.processes), u64::from(limits.processes));
    }
    None
}

/// The agent's word for where usage was measured, in ours.
pub const fn usage_source(source: agent::UsageSource) -> UsageSource {
    match source {
        agent::UsageSource::CgroupV1 => UsageSource::CgroupV1,
        agent::UsageSource::CgroupV2 => UsageSource::CgroupV2,
        agent::UsageSource::CgroupV2Sampled => UsageSource::CgroupV2Sampled,
        agent::UsageSource::Rusage => UsageSource::Rusage,
    }
}

#[cfg(test)]
mod tests {
    use guichet_agent::{Ended, Report, StoppedBy};

    use super::{Limits, Verdict, classify};

    const LIMITS: Limits = Limits {
        cpu_time_ms: 1000,
        wall_time_ms: 3000,
        memory_bytes: 1 << 26,
        output_bytes: 65536,
        processes: 16,
    };

    const WELL: Report = Report {
        ended: Ended::Exited(0),
        stopped_by: None,
        cpu_time_us: 12_300,
        wall_time_us: 15_100,
        memory_bytes: 8 << 20,
        oom_kills: 0,
        process_refusals: 0,
        output_bytes: 2,
        stdout_dropped_bytes: 0,
        stderr_dropped_bytes: 0,
        orphans: 0,
    };

    fn verdict(report: &Report) -> Option<Verdict> {
        classify(report, &LIMITS).verdict
    }

    #[test]
    fn a_program_that_ends_well_is_judged_by_its_output() {
        assert_eq!(verdict(&WELL), None);
    }

    #[test]
    fn another_exit_code_or_a_signal_is_a_runtime_error() {
        assert_eq!(verdict(&Report { ended: Ended::Exited(1), ..WELL }), Some(Verdict::RuntimeError));
        assert_eq!(verdict(&Report { ended: Ended::Signaled(11), ..WELL }), Some(Verdict::RuntimeError));
    }

    #[test]
    fn imitating_a_kill_earns_a_runtime_error() {
        assert_eq!(verdict(&Report { ended: Ended::Exited(137), ..WELL }), Some(Verdict::RuntimeError));
        assert_eq!(verdict(&Report { ended: Ended::Signaled(9), ..WELL }), Some(Verdict::RuntimeError));
        assert_eq!(verdict(&Report { ended: Ended::Signaled(24), ..WELL }), Some(Verdict::RuntimeError));
    }

    #[test]
    fn an_oom_kill_counts_even_after_the_right_answer() {
        let report = Report { oom_kills: 1, memory_bytes: 1 << 26, ..WELL };

        assert_eq!(verdict(&report), Some(Verdict::MemoryLimitExceeded));
    }

    #[test]
    fn too_much_memory_counts_whatever_ended_the_program_and_is_measured_so() {
        let stopped = Report { stopped_by: Some(StoppedBy::CpuTime), cpu_time_us: 1_000_500, ..WELL };
        let over = Report { memory_bytes: (1 << 26) + 1, ..stopped.clone() };
        let killed = Report { oom_kills: 1, memory_bytes: 1000, ..stopped };

        for report in [&over, &killed] {
            assert_eq!(verdict(report), Some(Verdict::MemoryLimitExceeded));
            let measured = classify(report, &LIMITS).limit.map(|hit| hit.measured);
            assert_eq!(measured, Some(report.memory_bytes.max(1 << 26)));
        }
    }

    #[test]
    fn too_much_cpu_time_counts_even_if_the_program_ended_first() {
        let report = Report { cpu_time_us: 1_000_500, ..WELL };

        assert_eq!(classify(&report, &LIMITS).limit.map(|hit| hit.measured), Some(1001));
        assert_eq!(verdict(&report), Some(Verdict::TimeLimitExceeded));
    }

    #[test]
    fn a_sleeper_is_stopped_by_wall_time_and_the_limit_says_so() {
        let report = Report {
            ended: Ended::Signaled(9),
            stopped_by: Some(StoppedBy::WallTime),
            wall_time_us: 3_000_400,
            ..WELL
        };

        assert_eq!(verdict(&report), Some(Verdict::TimeLimitExceeded));
        assert_eq!(classify(&report, &LIMITS).limit.map(|hit| hit.allowed), Some(3000));
    }

    #[test]
    fn a_flood_is_an_output_limit_even_with_exit_code_0() {
        assert_eq!(verdict(&Report { output_bytes: 65_537, ..WELL }), Some(Verdict::OutputLimitExceeded));
    }
}
