//! What all processes but the agent use now, read from `/proc`.

use std::{fs, io, time::Duration};

/// The sum over all processes.
#[derive(Debug, Default)]
pub struct Seen {
    /// CPU time of them and of the children they waited for.
    pub cpu_time: Duration,
    /// Resident memory; what processes share is counted for each.
    pub memory_bytes: u64,
}

/// Adds up all processes of the pid namespace but this one; without a namespace, only its children.
pub fn look() -> io::Result<Seen> {
    let own = std::process::id();
    let mut seen = Seen::default();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end between the two reads.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some(process) = parse(&stat) else {
            continue;
        };
        if pid != own && (own == 1 || process.parent == own) {
            seen.cpu_time += process.cpu_time;
            seen.memory_bytes += process.memory_bytes;
        }
    }
    Ok(seen)
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    parent: u32,
    cpu_time: Duration,
    memory_bytes: u64,
}

/// Parses `/proc/<pid>/stat`; the program's name in it may hold anything.
fn parse(stat: &str) -> Option<Process> {
    const TICK: Duration = Duration::from_millis(10);
    const PAGE_BYTES: u64 = 4096;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        cpu_time: TICK * u32::try_from(ticks).ok()?,
        memory_bytes: number(21)? * PAGE_BYTES,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_move_the_fields() {
        let stat =
            "7 (a) 1 (b) R 1 7 7 0 -1 0 0 0 0 0 30 12 5 3 39 19 1 0 100 4096000 250 18446744073709551615";
        let expected = Process { parent: 1, cpu_time: Duration::from_millis(500), memory_bytes: 250 * 4096 };
        assert_eq!(parse(stat), Some(expected));
    }

    #[test]
    fn this_process_can_be_parsed() {
        assert!(parse(&fs::read_to_string("/proc/self/stat").unwrap()).is_some());
    }
}
