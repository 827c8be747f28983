//! What a command uses and may use: set before it starts, watched while it runs, read when it has ended.
//!
//! The slot's cgroup counts for all processes together, whatever they do. Without one there is only what `wait4`
//! and `/proc` tell: children that nobody waited for are missed, and the peak is sampled.

mod cgroup;
mod processes;

use std::{io, os::fd::BorrowedFd, path::Path, time::Duration};

use guichet_agent::{Limits, UsageSource};

use self::cgroup::Cgroup;
use super::{reap::Reaped, spawn::ResourceLimit, sys};

/// How often a peak is sampled where the kernel does not keep it.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);

/// Measures one command at a time.
pub struct Meter {
    cgroup: Option<Cgroup>,
    sampled_peak: u64,
    sampled_cpu: Duration,
    own_cpu_at_start: Duration,
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
        Self { cgroup, sampled_peak: 0, sampled_cpu: Duration::ZERO, own_cpu_at_start: Duration::ZERO }
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
        self.cgroup.as_mut().map_or(Ok(()), |cgroup| cgroup.start(limits))
    }

    /// Limits of each single process, next to those of the cgroup.
    pub fn resources(&self, limits: &Limits) -> Vec<ResourceLimit> {
        let cpu_seconds = limits.cpu_time_ms.div_ceil(1000) + 1;
        let mut resources = vec![
            (libc::RLIMIT_NOFILE, 256, 256),
            (libc::RLIMIT_CORE, 0, 0),
            (libc::RLIMIT_MSGQUEUE, 0, 0),
            (libc::RLIMIT_FSIZE, limits.memory_bytes, limits.memory_bytes),
            (libc::RLIMIT_STACK, STACK_BYTES, STACK_BYTES),
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

    /// When to call [`Self::sample`] next, if at all.
    pub fn sample_interval(&self) -> Option<Duration> {
        (self.source() != UsageSource::CgroupV1 && self.source() != UsageSource::CgroupV2)
            .then_some(SAMPLE_INTERVAL)
    }

    /// Looks at what is used now; gives the highest memory seen, in bytes.
    ///
    /// * `ended` — what the processes used that have ended.
    pub fn sample(&mut self, ended: &Reaped) -> io::Result<u64> {
        let now = if let Some(cgroup) = &self.cgroup {
            cgroup.memory_in_use()?
        } else {
            let seen = processes::look()?;
            self.sampled_cpu = self.sampled_cpu.max(seen.cpu_time + ended.cpu_time);
            seen.memory_bytes
        };
        self.sampled_peak = self.sampled_peak.max(now);
        Ok(self.sampled_peak)
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
    pub fn finish(&self, ended: &Reaped) -> io::Result<Usage> {
        match &self.cgroup {
            Some(cgroup) => {
                let counted = cgroup.finish()?;
                let memory_bytes = counted.memory_bytes.max(self.sampled_peak);
                Ok(Usage { cpu_time: self.cpu_time()?, memory_bytes, ..counted })
            }
            None => Ok(Usage {
                cpu_time: ended.cpu_time.max(self.sampled_cpu),
                memory_bytes: ended.peak_bytes.max(self.sampled_peak),
                ..Usage::default()
            }),
        }
    }
}

/// Largest stack of a command's first thread: 64 MiB.
const STACK_BYTES: u64 = 64 << 20;
