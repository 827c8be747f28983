//! What a command uses and may use: set before it starts, watched while it runs, read when it has ended.
//!
//! The slot's cgroup counts for all processes together, whatever they do. Without one there is only what `wait4`
//! and `/proc` tell: children that nobody waited for are missed, and the peak is sampled.

mod cgroup;
mod processes;

use std::{io, os::fd::BorrowedFd, path::Path, time::Duration};

use guichet_agent::{Limits, MEMORY_ROOM_BYTES, UsageSource};

use self::cgroup::Cgroup;
use super::{reap::Reaped, spawn::ResourceLimit, sys};

/// How often a peak is sampled where the kernel does not keep it.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// Shortest time between two looks at a peak that the kernel keeps.
const SHORTEST_LOOK: Duration = Duration::from_millis(2);

/// More than one core can touch in a microsecond.
const BYTES_A_MICROSECOND: u64 = 4096;

/// Measures one command at a time.
pub struct Meter {
    cgroup: Option<Cgroup>,
    sampled_peak: u64,
    sampled_cpu: Duration,
    own_cpu_at_start: Duration,
    /// Memory that does not count where there is no cgroup, in bytes.
    uncounted: u64,
}

/// What a command used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time of all processes.
    pub cpu_time: Duration,
    /// Highest memory of all processes together, in bytes.
    pub memory_bytes: u64,
    /// Processes that the kernel killed for lack of memory.
    pub oom_kills: u64,
    /// Processes and threads that the kernel refused.
    pub process_refusals: u64,
}

impl Meter {
    /// A meter over the cgroup folders below `root`, or over `wait4` if there are none that can be used.
    ///
    /// Names of what is missing are added to `weaknesses`.
    pub fn find(root: &Path, weaknesses: &mut Vec<String>) -> Self {
        let cgroup = Cgroup::open(root).unwrap_or_else(|error| {
            weaknesses.push(format!("cgroup ({error})"));
            None
        });
        match &cgroup {
            Some(cgroup) => weaknesses.extend(cgroup.missing().iter().map(|name| (*name).to_owned())),
            None => weaknesses.push("cgroup".to_owned()),
        }
        Self {
            cgroup,
            sampled_peak: 0,
            sampled_cpu: Duration::ZERO,
            own_cpu_at_start: Duration::ZERO,
            uncounted: 0,
        }
    }

    /// Where the figures come from.
    pub fn source(&self) -> UsageSource {
        self.cgroup.as_ref().map_or(UsageSource::Rusage, Cgroup::source)
    }

    /// Number of tasks in the slot, the agent included, if it can be told.
    pub fn tasks(&self) -> Option<u64> {
        self.cgroup.as_ref().and_then(Cgroup::tasks)
    }

    /// Sets the limits of a command above what is in use now, and starts measuring.
    pub fn start(&mut self, limits: &Limits) -> io::Result<()> {
        self.sampled_peak = 0;
        self.sampled_cpu = Duration::ZERO;
        self.own_cpu_at_start = sys::own_cpu_time();
        self.uncounted = limits.start_memory_bytes;
        self.cgroup.as_mut().map_or(Ok(()), |cgroup| cgroup.start(limits))
    }

    /// Limits of each single process, next to those of the cgroup.
    pub fn resources(&self, limits: &Limits) -> Vec<ResourceLimit> {
        let cpu_seconds = cpu_net_seconds(limits.cpu_time_ms);
        // A file in memory meets the memory limit first.
        let file_bytes = limits.memory_bytes + MEMORY_ROOM_BYTES;
        let mut resources = vec![
            (libc::RLIMIT_NOFILE, 256, 256),
            (libc::RLIMIT_CORE, 0, 0),
            (libc::RLIMIT_MSGQUEUE, 0, 0),
            (libc::RLIMIT_FSIZE, file_bytes, file_bytes),
            // It grows into the memory limit. glibc gives threads 2 MiB then, and not as much as the first one may have.
            (libc::RLIMIT_STACK, libc::RLIM_INFINITY, libc::RLIM_INFINITY),
            (libc::RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        ];
        if !self.cgroup.as_ref().is_some_and(Cgroup::limits_processes) {
            let processes = u64::from(limits.processes);
            resources.push((libc::RLIMIT_NPROC, processes, processes));
        }
        resources
    }

    /// CPU time used so far.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        match &self.cgroup {
            Some(cgroup) => {
                let own = sys::own_cpu_time().saturating_sub(self.own_cpu_at_start);
                Ok(cgroup.cpu_time()?.saturating_sub(own))
            }
            None => Ok(self.sampled_cpu),
        }
    }

    /// How long after a look at the memory the next one is due: `rest` cannot be used up sooner.
    pub fn memory_interval(&self, rest: u64, cpus: u32) -> Duration {
        match self.source() {
            UsageSource::CgroupV1 | UsageSource::CgroupV2 => {
                (Duration::from_micros(rest / BYTES_A_MICROSECOND) / cpus.max(1)).max(SHORTEST_LOOK)
            }
            UsageSource::CgroupV2Sampled | UsageSource::Rusage => SAMPLE_INTERVAL,
        }
    }

    /// The most memory that the command has added so far, in bytes; what does not count is left out only if need be.
    ///
    /// * `ended` — what the processes used that have ended.
    pub fn memory_added(&mut self, limit: u64, ended: &Reaped) -> io::Result<u64> {
        if let Some(cgroup) = &mut self.cgroup {
            return cgroup.memory_added(limit);
        }
        let seen = processes::look()?;
        self.sampled_cpu = self.sampled_cpu.max(seen.cpu_time + ended.cpu_time);
        self.sampled_peak = self.sampled_peak.max(seen.memory_bytes);
        Ok(self.sampled_peak.saturating_sub(self.uncounted))
    }

    /// Takes the limit of memory away where the agent itself is below it.
    pub fn release(&self) -> io::Result<()> {
        self.cgroup.as_ref().map_or(Ok(()), Cgroup::release)
    }

    /// Where a command writes `0` to enter the cgroup that is limited and measured, if it is not the agent's.
    pub fn entry(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref().and_then(Cgroup::entry)
    }

    /// What the command used, now that nothing of it runs any more.
    pub fn finish(&mut self, ended: &Reaped) -> io::Result<Usage> {
        match &mut self.cgroup {
            Some(cgroup) => {
                let counted = cgroup.finish()?;
                Ok(Usage { cpu_time: self.cpu_time()?, ..counted })
            }
            None => Ok(Usage {
                cpu_time: ended.cpu_time.max(self.sampled_cpu),
                memory_bytes: ended.peak_bytes.max(self.sampled_peak).saturating_sub(self.uncounted),
                ..Usage::default()
            }),
        }
    }
}

/// CPU time after which the kernel ends a process by a signal if nothing else has ended it, in seconds.
///
/// The kernel counts whole ticks for that: on a busy machine far more than the process had, so the net is far behind the limit, and what
/// stops a program is what is measured.
const fn cpu_net_seconds(cpu_time_ms: u64) -> u64 {
    2 * cpu_time_ms.div_ceil(1000) + 10
}

#[cfg(test)]
mod tests {
    use super::cpu_net_seconds;

    #[test]
    fn the_kernels_own_count_of_ticks_does_not_end_a_program_before_its_limit_is_measured() {
        assert_eq!((cpu_net_seconds(1), cpu_net_seconds(2000)), (12, 14));
        assert!((1..200).all(|limit| cpu_net_seconds(limit * 300) * 1000 > 2 * limit * 300 + 5000));
    }
}
