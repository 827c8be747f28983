//! How much memory this process may still use, as the kernel tells it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// How long what was read holds: limits change, and others use memory, too.
const FRESH: Duration = Duration::from_secs(1);

/// How often it is looked at what the allocator keeps.
const LOOK: Duration = Duration::from_secs(5);

/// Bytes that the allocator may keep, since asking for them again costs time.
const MOST_KEPT: u64 = 16 << 20;

/// What the machine has and the control groups that this process is in allow, less what they hold.
#[derive(Debug)]
pub struct Allowed {
    /// The process's own group and those above it, as far as they may have limits.
    groups: Vec<Group>,
    begun: Instant,
    /// What was free when it was read, what the process used then, and when that was, in milliseconds.
    free: AtomicU64,
    used: AtomicU64,
    read_at_ms: AtomicU64,
}

/// A control group: its folder, and how its version calls things.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    folder: PathBuf,
    limits: &'static [&'static str],
    usage: &'static str,
    /// The lines of `memory.stat` that tell what of the usage are pages of files, which the kernel can take back.
    spare: [&'static str; 2],
}

impl Allowed {
    /// What holds for this process now.
    pub fn find() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let allowed = Self {
            groups: groups.lines().flat_map(groups_of).collect(),
            begun: Instant::now(),
            free: AtomicU64::new(0),
            used: AtomicU64::new(0),
            read_at_ms: AtomicU64::new(0),
        };
        allowed.read();
        allowed
    }

    /// The least that the machine or a group has, others' use included: bytes.
    pub fn total_bytes(&self) -> u64 {
        let of_machine = machine().map_or(u64::MAX, |(total, _)| total);
        self.groups.iter().filter_map(Group::limit).fold(of_machine, u64::min)
    }

    /// Bytes that may still be used, as of the last second, with a quarter of each limit and a sixteenth of the machine kept
    /// back.
    pub fn free_bytes(&self) -> u64 {
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let read_at_ms = self.read_at_ms.load(Ordering::Relaxed);
        let is_over = u128::from(now_ms.saturating_sub(read_at_ms)) >= FRESH.as_millis();
        let exchange =
            || self.read_at_ms.compare_exchange(read_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if is_over && exchange().is_ok() {
            self.read();
        }
        let since = used_bytes().saturating_sub(self.used.load(Ordering::Relaxed));
        self.free.load(Ordering::Relaxed).saturating_sub(since)
    }

    fn read(&self) {
        if self.free() == 0 {
            // Of what is free the allocator keeps much.
            give_back();
        }
        let free = self.free();
        if free == 0 {
            tracing::warn!("there is no memory left for requests");
        }
        self.used.store(used_bytes(), Ordering::Relaxed);
        self.free.store(free, Ordering::Relaxed);
    }

    fn free(&self) -> u64 {
        let of_machine =
            machine().map_or(u64::MAX, |(total, available)| available.saturating_sub(total / 16));
        self.groups.iter().filter_map(Group::free).fold(of_machine, u64::min)
    }
}

impl Group {
    fn limit(&self) -> Option<u64> {
        // A group without a limit says `max`, or a number beyond any machine's memory.
        self.limits.iter().filter_map(|name| number(&self.folder.join(name))).min()
    }

    fn free(&self) -> Option<u64> {
        let limit = self.limit()?;
        let used = number(&self.folder.join(self.usage))?;
        let stat = fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
        let of_files =
            |line: &str| self.spare.iter().find_map(|name| line.strip_prefix(name)?.parse::<u64>().ok());
        let spare: u64 = stat.lines().filter_map(of_files).sum();
        Some((limit - limit / 4).saturating_sub(used.saturating_sub(spare)))
    }
}

/// Lets the C library give large pieces back when they are freed, which it otherwise keeps once it has seen some.
pub fn give_back_what_is_freed() {
    const LARGE: libc::c_int = 128 << 10;
    // SAFETY: sets a number of the allocator, which may be done at any time.
    #[expect(unsafe_code, reason = "the allocator's settings have no safe form")]
    let set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    if set == 0 {
        tracing::warn!("the allocator keeps what is freed");
    }
}

/// Gives back what the C library's allocator keeps of what was freed, as when many streams have been closed; returns with
/// `stop`.
pub async fn give_back_what_is_kept(stop: CancellationToken) {
    let mut unavoidable = kept_bytes();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        // It reads a file and goes through all that is free.
        let looked = tokio::task::spawn_blocking(move || {
            if kept_bytes() > unavoidable.saturating_add(MOST_KEPT) {
                give_back();
                unavoidable = kept_bytes();
            }
            unavoidable
        });
        match looked.await {
            Ok(left) => unavoidable = left,
            Err(error) => tracing::warn!(%error, "what the allocator keeps cannot be looked at"),
        }
    }
}

/// Bytes of this process in memory that are in no use.
fn kept_bytes() -> u64 {
    // SAFETY: reads figures of the allocator, under its own locks.
    #[expect(unsafe_code, reason = "the allocator's figures have no safe form")]
    let figures = unsafe { libc::mallinfo2() };
    let in_use = figures.uordblks.saturating_add(figures.hblkhd);
    used_bytes().saturating_sub(u64::try_from(in_use).unwrap_or(u64::MAX))
}

/// Gives the kernel back what is free in the C library's allocator.
fn give_back() {
    // SAFETY: touches only what is free, under the allocator's own locks.
    #[expect(unsafe_code, reason = "the allocator has no safe form of it")]
    let _some = unsafe { libc::malloc_trim(0) };
}

/// Bytes of this process that are in memory and cannot be read again from a file.
fn used_bytes() -> u64 {
    let sizes = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = sizes.split_whitespace().skip(1).map_while(|pages| pages.parse::<u64>().ok());
    let (resident, of_files) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    resident.saturating_sub(of_files).saturating_mul(page)
}

/// What the machine has, and what of it is to be had.
fn machine() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = |name: &str| {
        let size = text.lines().find_map(|line| line.strip_prefix(name))?;
        size.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some((bytes("MemTotal:")?, bytes("MemAvailable:")?))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The groups that a line of `/proc/self/cgroup` leads to, `number:controllers:path`. In a container the path may be that
/// of the host; then only the highest group is there, and is the container's own.
fn groups_of(line: &str) -> Vec<Group> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let path = Path::new(path.trim_start_matches('/'));
    let below = |root: &str, group: &Group| -> Vec<Group> {
        path.ancestors().map(|part| Group { folder: Path::new(root).join(part), ..group.clone() }).collect()
    };
    if controllers.is_empty() {
        let second = Group {
            folder: PathBuf::new(),
            limits: &["memory.max", "memory.high"],
            usage: "memory.current",
            spare: ["inactive_file ", "active_file "],
        };
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().flat_map(|root| below(root, &second)).collect()
    } else if controllers.split(',').any(|name| name == "memory") {
        let first = Group {
            folder: PathBuf::new(),
            limits: &["memory.limit_in_bytes"],
            usage: "memory.usage_in_bytes",
            spare: ["total_inactive_file ", "total_active_file "],
        };
        below("/sys/fs/cgroup/memory", &first)
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};
    use tokio_util::sync::CancellationToken;

    use super::{Allowed, Group, MOST_KEPT, give_back_what_is_kept, groups_of, kept_bytes, used_bytes};

    fn folders(line: &str) -> Vec<PathBuf> {
        groups_of(line).into_iter().map(|group| group.folder).collect()
    }

    #[test]
    fn limits_of_all_groups_up_to_the_highest_count() {
        let memory = PathBuf::from("/sys/fs/cgroup/memory");

        assert_eq!(folders("4:memory:/a/b"), [memory.join("a/b"), memory.join("a"), memory.join("")]);
        assert!(folders("0::/a").contains(&PathBuf::from("/sys/fs/cgroup/a")));
        assert!(folders("3:cpu,cpuacct:/a").is_empty());
        assert!(folders("").is_empty());
    }

    #[test]
    fn what_others_of_a_group_hold_is_not_free_and_pages_of_files_are() {
        let folder = tempfile::tempdir().unwrap();
        let [group] = <[Group; 1]>::try_from(
            groups_of("0::/")
                .into_iter()
                .take(1)
                .map(|group| Group { folder: folder.path().to_owned(), ..group })
                .collect::<Vec<_>>(),
        )
        .unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();

        write("memory.max", "max\n");
        assert_eq!(group.free(), None);
        write("memory.max", "4000\n");
        write("memory.current", "1500\n");
        write("memory.stat", "anon 1000\ninactive_file 300\nactive_file 200\n");
        assert_eq!(group.free(), Some(2000));
        write("memory.high", "2000\n");
        assert_eq!(group.free(), Some(500));
    }

    #[test]
    fn this_process_uses_some_and_may_use_more() {
        let allowed = Allowed::find();

        assert!((1 << 16..allowed.total_bytes()).contains(&used_bytes()));
        assert!(allowed.free_bytes() < allowed.total_bytes());
    }

    #[tokio::test]
    async fn what_was_freed_in_small_pieces_goes_back() {
        let stop = CancellationToken::new();
        let crowd = async {
            let mut pieces: Vec<Vec<u8>> = (0..8192).map(|_| vec![1; 8 << 10]).collect();
            let before = kept_bytes();
            // The last piece stays, so that the heap cannot just shrink.
            pieces.drain(..pieces.len() - 1);
            assert!(kept_bytes() > before + 2 * MOST_KEPT, "the allocator kept nothing");
            while kept_bytes() > before + MOST_KEPT {
                sleep(Duration::from_millis(50)).await;
            }
            stop.cancel();
            drop(pieces);
        };

        let given = timeout(Duration::from_mins(1), async {
            tokio::join!(give_back_what_is_kept(stop.clone()), crowd)
        });

        assert!(given.await.is_ok(), "{} bytes are kept", kept_bytes());
    }
}
