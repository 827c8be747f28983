//! What a command adds to the memory of its cgroup, and the limit that the kernel holds above it.
//!
//! What counts is what the kernel could not take back: anonymous and shared memory, files in tmpfs among it. Pages of
//! the image's files belong to the cgroup that happened to read them first, and the kernel takes them back; so they
//! never count. Nor does what the kernel keeps itself: page tables, pipes, and names of files it takes back, too.
//!
//! Kernels keep a peak of all of it together, and no peak of what counts. So
//!
//! ```text
//! added = peak of all − most pages of files − most of the kernel's own − what counted at the start
//! ```
//!
//! which is never more than the truth (but for 64 pages that a kernel charges in advance on each core), and less only
//! by what these parts shrank while the command ran; where it comes near the limit what counts is looked at, too. The
//! kernel's limit lies [`MEMORY_ROOM_BYTES`] higher: what does not count has its place there, and pages of files never
//! have to make room for memory that counts while that is within the limit.

use std::{fs::File, io, path::Path};

use guichet_agent::{MEMORY_ROOM_BYTES, UsageSource};

use super::file::{open_both, read_keys, read_number, read_numbers, write};

/// What the agent needs below the container's own limit, which commands never reach.
const AGENT_BYTES: u64 = 16 << 20;

/// The open files of one cgroup, and what was seen since the command started.
pub struct Memory {
    first_version: bool,
    in_use: File,
    /// Readable; writing resets it. Without it the peak is sampled.
    peak: Option<File>,
    /// The kernel's own memory, now and at its peak, which writing resets (version 1).
    kernel: Option<(File, File)>,
    stat: File,
    limit: Option<File>,
    /// Limit of memory and swap together (version 1).
    swap_limit: Option<File>,
    /// The container's own limit, in bytes.
    ceiling: u64,
    events: Vec<File>,
    seen: Seen,
}

/// In bytes.
#[derive(Default)]
struct Seen {
    /// What counted at the start, and what does not count beside it.
    uncounted: u64,
    counted: u64,
    sampled_peak: u64,
    files: u64,
    kernel: u64,
    oom_kills: Vec<u64>,
}

struct Stat {
    files: u64,
    counted: u64,
    kernel: u64,
}

impl Memory {
    /// Opens a cgroup of version 1; `container` is the one around it.
    pub fn open_v1(folder: &Path, container: &Path, events: Vec<File>) -> io::Result<Self> {
        Ok(Self {
            first_version: true,
            in_use: File::open(folder.join("memory.usage_in_bytes"))?,
            peak: Some(open_both(&folder.join("memory.max_usage_in_bytes"))?),
            kernel: open_kernel(folder).ok(),
            stat: File::open(folder.join("memory.stat"))?,
            limit: open_both(&folder.join("memory.limit_in_bytes")).ok(),
            swap_limit: open_both(&folder.join("memory.memsw.limit_in_bytes")).ok(),
            ceiling: read_ceiling(&container.join("memory.limit_in_bytes")),
            events,
            seen: Seen::default(),
        })
    }

    /// Opens a cgroup of version 2; `container` is the one around it.
    pub fn open_v2(folder: &Path, container: &Path) -> io::Result<Self> {
        // Swap is no memory that a command may use.
        if let Ok(swap) = open_both(&folder.join("memory.swap.max")) {
            write(&swap, "0")?;
        }
        // From Linux 6.12 on, writing resets the peak for this descriptor.
        let peak = open_both(&folder.join("memory.peak")).ok().filter(|peak| write(peak, "0").is_ok());
        Ok(Self {
            first_version: false,
            in_use: File::open(folder.join("memory.current"))?,
            peak,
            kernel: None,
            stat: File::open(folder.join("memory.stat"))?,
            limit: open_both(&folder.join("memory.max")).ok(),
            swap_limit: None,
            ceiling: read_ceiling(&container.join("memory.max")),
            events: vec![File::open(folder.join("memory.events"))?],
            seen: Seen::default(),
        })
    }

    /// Where the peak comes from.
    pub fn source(&self) -> UsageSource {
        match (self.first_version, &self.peak) {
            (true, _) => UsageSource::CgroupV1,
            (false, Some(_)) => UsageSource::CgroupV2,
            (false, None) => UsageSource::CgroupV2Sampled,
        }
    }

    /// Whether the kernel holds a limit; what it refuses once is not tried again.
    pub fn can_limit(&mut self) -> bool {
        if self.limit.is_none() || self.unlimit().is_err() {
            self.limit = None;
        }
        self.limit.is_some()
    }

    /// Forgets what was seen, and looks at what is there before a command starts.
    ///
    /// * `uncounted` — what it may add before it counts, in bytes.
    pub fn begin(&mut self, uncounted: u64) -> io::Result<()> {
        for peak in self.peak.iter().chain(self.kernel.as_ref().map(|(_, peak)| peak)) {
            write(peak, "0")?;
        }
        let stat = self.read_stat()?;
        self.seen = Seen {
            uncounted: stat.counted + uncounted,
            files: stat.files,
            kernel: stat.kernel,
            oom_kills: read_keys(&self.events, "oom_kill")?,
            ..Seen::default()
        };
        Ok(())
    }

    /// Limits what a command may add.
    pub fn limit(&self, bytes: u64) -> io::Result<()> {
        let highest = read_number(&self.in_use)? + bytes + MEMORY_ROOM_BYTES;
        self.write_limit(&highest.min(self.ceiling.saturating_sub(AGENT_BYTES)).to_string())
    }

    /// Takes the limit away.
    pub fn unlimit(&self) -> io::Result<()> {
        self.write_limit(if self.first_version { "-1" } else { "max" })
    }

    /// Limits memory, alone and together with swap.
    fn write_limit(&self, text: &str) -> io::Result<()> {
        let Some(limit) = &self.limit else {
            return Ok(());
        };
        // The limit with swap may never be below the one without.
        if let Some(swap_limit) = &self.swap_limit {
            write(swap_limit, "-1")?;
            write(limit, text)?;
            write(swap_limit, text)
        } else {
            write(limit, text)
        }
    }

    /// The most that the command has added so far, in bytes; looks closely only if it may be above `limit`.
    pub fn added(&mut self, limit: u64) -> io::Result<u64> {
        let all = self.read_peak()?.saturating_sub(self.seen.uncounted);
        if all <= limit { Ok(all) } else { self.added_exactly() }
    }

    /// The most that the command added, in bytes, and how many of its processes the kernel killed for lack of memory.
    pub fn finish(&mut self) -> io::Result<(u64, u64)> {
        let added = self.added_exactly()?;
        let oom_kills = super::growth(&self.seen.oom_kills, &read_keys(&self.events, "oom_kill")?);
        if oom_kills == 0 {
            return Ok((added, 0));
        }
        // It kills when it can take nothing back any more.
        let all = self.read_peak()?.saturating_sub(self.seen.uncounted);
        Ok((added.max(all), oom_kills))
    }

    /// In this order a process that ends meanwhile, and its page tables with it, makes it less and not more.
    fn added_exactly(&mut self) -> io::Result<u64> {
        let stat = self.read_stat()?;
        let now = read_number(&self.in_use)?.saturating_sub(stat.files + stat.kernel);
        let peak = self.read_peak()?;
        let kernel = match &self.kernel {
            Some((_, peak)) => read_number(peak)?,
            None => stat.kernel,
        };
        let seen = &mut self.seen;
        seen.files = seen.files.max(stat.files);
        seen.kernel = seen.kernel.max(kernel);
        seen.counted = seen.counted.max(now).max(peak.saturating_sub(seen.files + seen.kernel));
        Ok(seen.counted.saturating_sub(seen.uncounted))
    }

    fn read_peak(&mut self) -> io::Result<u64> {
        if let Some(peak) = &self.peak {
            return read_number(peak);
        }
        self.seen.sampled_peak = self.seen.sampled_peak.max(read_number(&self.in_use)?);
        Ok(self.seen.sampled_peak)
    }

    fn read_stat(&self) -> io::Result<Stat> {
        let [cached, shared, anonymous, kernel] = if self.first_version {
            let [cached, shared, anonymous] =
                read_numbers(&self.stat, ["total_cache", "total_shmem", "total_rss"])?;
            let kernel = self.kernel.as_ref().map(|(now, _)| read_number(now)).transpose()?;
            [cached, shared, anonymous, kernel]
        } else {
            // A kernel before 5.18 does not tell what it keeps itself.
            read_numbers(&self.stat, ["file", "shmem", "anon", "kernel"])?
        }
        .map(Option::unwrap_or_default);
        Ok(Stat { files: cached.saturating_sub(shared), counted: shared + anonymous, kernel })
    }
}

fn open_kernel(folder: &Path) -> io::Result<(File, File)> {
    let now = File::open(folder.join("memory.kmem.usage_in_bytes"))?;
    Ok((now, open_both(&folder.join("memory.kmem.max_usage_in_bytes"))?))
}

/// The container's own limit; there is none in a test without an engine.
fn read_ceiling(limit: &Path) -> u64 {
    File::open(limit).and_then(|file| read_number(&file)).unwrap_or(u64::MAX)
}
