//! Counters and limits of the slot's cgroup, version 1 or 2.
//!
//! Below one folder lie the slot's own cgroup folders, bound there by Docker: `memory`, `cpuacct` and `pids`
//! (version 1), or `unified`. The container is a cgroup inside the slot's, and commands get one inside the
//! container's for their memory: when it is full, only they can be killed, however small they make themselves. It is
//! made once and stays: one for each command would cost 0.2 ms, and outlive it with the pages of files it had read.
//!
//! ```text
//! slot ─ container ─┬─ (agent)       CPU time and processes are measured and limited in the slot,
//!                   └─ commands      memory in `commands`
//! ```
//!
//! Version 1 counts refused processes only in the container's, so both levels are read. Each file is opened once
//! and read at offset 0.
//!
//! Sources: Linux `Documentation/admin-guide/cgroup-v1/{memory,cpuacct,pids}.rst` and `cgroup-v2.rst`.

mod file;
mod memory;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use guichet_agent::{Limits, UsageSource};

use self::{
    file::{open_both, open_to_write, read_key, read_keys, read_number, write},
    memory::Memory,
};
use super::Usage;

/// Name of the cgroup that commands get for their memory.
const COMMANDS: &str = "commands";

/// The open files, and what they held when the command started.
pub struct Cgroup {
    memory: Memory,
    cpu: File,
    pids: Option<Pids>,
    entry: Option<File>,
    missing: Vec<&'static str>,
    start: Start,
}

struct Pids {
    current: File,
    limit: File,
    events: Vec<File>,
}

#[derive(Default)]
struct Start {
    cpu_time: Duration,
    refusals: Vec<u64>,
}

impl Cgroup {
    /// Opens what is below `root`, or gives `None` if no cgroup is there.
    pub fn open(root: &Path) -> io::Result<Option<Self>> {
        if root.join("unified/cpu.stat").exists() {
            Self::open_v2(&root.join("unified")).map(Some)
        } else if root.join("memory/memory.usage_in_bytes").exists() {
            Self::open_v1(root).map(Some)
        } else {
            Ok(None)
        }
    }

    fn open_v1(root: &Path) -> io::Result<Self> {
        let slot = root.join("memory");
        let container = level_of_agent(&slot)?;
        let commands = container.join(COMMANDS);
        let entry = make(&commands).and_then(|()| open_to_write(&commands.join("tasks")));
        let folder = if entry.is_ok() { &commands } else { &slot };
        let memory = Memory::open_v1(folder, &container, open_levels(folder, "memory.oom_control")?)?;
        let cpu = File::open(root.join("cpuacct/cpuacct.usage"))?;
        let pids = Pids::open(&root.join("pids")).ok();
        Self::check(memory, cpu, pids, entry.ok())
    }

    fn open_v2(slot: &Path) -> io::Result<Self> {
        let container = level_of_agent(slot)?;
        // These look for the agent's level too, before it moves.
        let pids = Pids::open(slot).ok();
        let entry = split(&container);
        let commands = container.join(COMMANDS);
        let folder = if entry.is_ok() { &commands } else { slot };
        let memory = Memory::open_v2(folder, &container)?;
        let cpu = File::open(slot.join("cpu.stat"))?;
        Self::check(memory, cpu, pids, entry.ok())
    }

    /// Reads and writes everything once, so that what cannot work is known now.
    fn check(memory: Memory, cpu: File, pids: Option<Pids>, entry: Option<File>) -> io::Result<Self> {
        let missing = Vec::new();
        let mut cgroup = Self { memory, cpu, pids, entry, missing, start: Start::default() };
        if !cgroup.memory.can_limit() {
            cgroup.missing.push("memory limit");
        }
        if cgroup.entry.is_none() {
            cgroup.missing.push("memory apart from the agent's");
        }
        if cgroup.pids.as_ref().is_none_or(|pids| write(&pids.limit, "max").is_err()) {
            cgroup.pids = None;
            cgroup.missing.push("process limit");
        }
        cgroup.begin(0)?;
        cgroup.finish()?;
        Ok(cgroup)
    }

    /// Which form of cgroup this is.
    pub fn source(&self) -> UsageSource {
        self.memory.source()
    }

    /// Names of what cannot be done with it.
    pub fn missing(&self) -> &[&'static str] {
        &self.missing
    }

    /// Whether it limits the number of processes.
    pub fn limits_processes(&self) -> bool {
        self.pids.is_some()
    }

    /// Number of tasks in the slot.
    pub fn tasks(&self) -> Option<u64> {
        self.pids.as_ref().and_then(|pids| read_number(&pids.current).ok())
    }

    /// Sets the limits of a command on top of what is in use now, and remembers the counters.
    pub fn start(&mut self, limits: &Limits) -> io::Result<()> {
        self.begin(limits.start_memory_bytes)?;
        self.memory.limit(limits.start_memory_bytes + limits.memory_bytes)?;
        if let Some(pids) = &self.pids {
            let tasks = read_number(&pids.current)?;
            write(&pids.limit, &(tasks + u64::from(limits.processes)).to_string())?;
        }
        Ok(())
    }

    fn begin(&mut self, start_memory_bytes: u64) -> io::Result<()> {
        self.memory.begin(start_memory_bytes)?;
        self.start = Start {
            refusals: match &self.pids {
                Some(pids) => read_keys(&pids.events, "max")?,
                None => Vec::new(),
            },
            cpu_time: self.read_cpu_time()?,
        };
        Ok(())
    }

    /// Takes the limit of memory away if the agent itself is below it.
    pub fn release(&self) -> io::Result<()> {
        if self.entry.is_none() { self.memory.unlimit() } else { Ok(()) }
    }

    /// Where a command writes `0` to enter the cgroup whose memory is limited.
    pub fn entry(&self) -> Option<BorrowedFd<'_>> {
        self.entry.as_ref().map(AsFd::as_fd)
    }

    /// The most memory that the command has added so far, in bytes; looks closely only if it may be above `limit`.
    pub fn memory_added(&mut self, limit: u64) -> io::Result<u64> {
        self.memory.added(limit)
    }

    /// CPU time since the start, the agent's own included.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        Ok(self.read_cpu_time()?.saturating_sub(self.start.cpu_time))
    }

    fn read_cpu_time(&self) -> io::Result<Duration> {
        if self.source() == UsageSource::CgroupV1 {
            read_number(&self.cpu).map(Duration::from_nanos)
        } else {
            read_key(&self.cpu, "usage_usec").map(Duration::from_micros)
        }
    }

    /// What was counted since the start; the CPU time is left at zero.
    pub fn finish(&mut self) -> io::Result<Usage> {
        let (memory_bytes, oom_kills) = self.memory.finish()?;
        Ok(Usage {
            cpu_time: Duration::ZERO,
            memory_bytes,
            oom_kills,
            process_refusals: match &self.pids {
                Some(pids) => growth(&self.start.refusals, &read_keys(&pids.events, "max")?),
                None => 0,
            },
        })
    }
}

impl Pids {
    fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            current: File::open(folder.join("pids.current"))?,
            limit: open_both(&folder.join("pids.max"))?,
            events: open_levels(folder, "pids.events")?,
        })
    }
}

/// Makes a cgroup, unless an agent before this one made it.
fn make(cgroup: &Path) -> io::Result<()> {
    match fs::create_dir(cgroup) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes room for commands in a container's cgroup of version 2, in which no process may stay then.
fn split(container: &Path) -> io::Result<File> {
    let (agent, commands) = (container.join("agent"), container.join(COMMANDS));
    make(&agent)?;
    fs::write(agent.join("cgroup.procs"), "0")?;
    fs::write(container.join("cgroup.subtree_control"), "+memory")?;
    make(&commands)?;
    open_to_write(&commands.join("cgroup.procs"))
}

/// Opens a file of the slot's cgroup, and of the one inside it that the agent is in.
fn open_levels(slot: &Path, name: &str) -> io::Result<Vec<File>> {
    let inside = level_of_agent(slot)?;
    let mut files = vec![File::open(slot.join(name))?];
    if inside != slot {
        files.push(File::open(inside.join(name))?);
    }
    Ok(files)
}

/// The folder of the cgroup inside the slot's that the agent is in, or the slot's.
fn level_of_agent(slot: &Path) -> io::Result<PathBuf> {
    let own = std::process::id().to_string();
    for inside in fs::read_dir(slot)? {
        let path = inside?.path();
        // What cannot be read is no cgroup, or not the agent's.
        let processes = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        if processes.lines().any(|pid| pid == own) {
            return Ok(path);
        }
    }
    Ok(slot.to_owned())
}

/// The larger growth of the two levels: the upper one counts the lower one's events again where it does at all.
fn growth(before: &[u64], after: &[u64]) -> u64 {
    before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before)).max().unwrap_or(0)
}
