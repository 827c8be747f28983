//! Version 2 with files that stand for the kernel's; version 1 is tested with the kernel's own in `tests/it`.

use std::path::PathBuf;

use guichet_agent::MEMORY_ROOM_BYTES;

use super::*;

const LIMITS: Limits = Limits {
    cpu_time_ms: 1,
    wall_time_ms: 1,
    memory_bytes: 5_000_000,
    start_memory_bytes: 0,
    output_bytes: 1,
    processes: 16,
};

/// A slot's folder with a container's inside it.
struct Played(PathBuf);

impl Played {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("guichet-agent-{name}-{}", std::process::id()));
        let played = Self(root);
        for (folder, files) in [
            ("", "cpu.stat pids.current pids.max pids.events"),
            ("docker-1/", "pids.events memory.events cgroup.procs memory.max"),
        ] {
            fs::create_dir_all(played.0.join("unified").join(folder)).unwrap();
            files.split(' ').for_each(|file| played.set(&format!("{folder}{file}"), ""));
        }
        played.set("docker-1/cgroup.procs", &std::process::id().to_string());
        played.set("cpu.stat", "usage_usec 700\nuser_usec 400\n");
        played.set("pids.current", "3\n");
        played.set("pids.events", "max 2\n");
        played.set("docker-1/pids.events", "max 2\n");
        played.memory_in("");
        played
    }

    /// Lets memory be counted and limited in one of the folders.
    fn memory_in(&self, folder: &str) {
        self.set(&format!("{folder}memory.current"), "1000000\n");
        self.set(&format!("{folder}memory.max"), "max\n");
        self.set(&format!("{folder}memory.events"), "oom 3\noom_kill 1\noom_group_kill 0\n");
        self.stat(folder, 600_000, 100_000);
    }

    /// Pages of files and what the kernel keeps, beside 50,000 bytes in temporary folders.
    fn stat(&self, folder: &str, files: u64, kernel: u64) {
        let cached = files + 50_000;
        let text = format!("anon 0\nfile {cached}\nkernel {kernel}\nshmem 50000\nfile_mapped 7\n");
        self.set(&format!("{folder}memory.stat"), &text);
    }

    fn set(&self, file: &str, text: &str) {
        fs::write(self.0.join("unified").join(file), text).unwrap();
    }

    fn get(&self, file: &str) -> String {
        fs::read_to_string(self.0.join("unified").join(file)).unwrap()
    }

    fn open(&self) -> Cgroup {
        Cgroup::open(&self.0).unwrap().unwrap()
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn without_a_peak_that_can_be_reset_it_is_sampled() {
    let played = Played::new("sampled");

    let mut cgroup = played.open();
    cgroup.start(&LIMITS).unwrap();
    played.set("memory.current", "1400000\n");

    assert_eq!(cgroup.source(), UsageSource::CgroupV2Sampled);
    assert_eq!(cgroup.memory_added(1_000_000).unwrap(), 650_000);
    played.set("memory.current", "900000\n");
    assert_eq!(cgroup.finish().unwrap().memory_bytes, 650_000);
}

#[test]
fn without_a_cgroup_for_commands_the_slot_is_limited_while_one_runs() {
    let played = Played::new("slot");
    let mut cgroup = played.open();

    cgroup.start(&LIMITS).unwrap();
    let (memory, processes) = (played.get("memory.max"), played.get("pids.max"));
    cgroup.release().unwrap();

    assert_eq!(cgroup.missing(), ["memory apart from the agent's"]);
    assert_eq!(memory, (6_000_000 + MEMORY_ROOM_BYTES).to_string());
    assert!(processes.starts_with("19"), "3 tasks were there before");
    assert!(played.get("memory.max").starts_with("max"));
}

#[test]
fn growth_of_the_counters_is_told_and_both_levels_are_not_added() {
    let played = Played::new("growth");
    let mut cgroup = played.open();
    cgroup.start(&LIMITS).unwrap();

    played.set("cpu.stat", "usage_usec 1900\n");
    played.set("pids.events", "max 7\n");
    played.set("docker-1/pids.events", "max 6\n");
    played.set("memory.events", "oom 3\noom_kill 4\n");
    let usage = cgroup.finish().unwrap();

    assert_eq!(cgroup.cpu_time().unwrap(), Duration::from_micros(1200));
    assert_eq!((usage.process_refusals, usage.oom_kills), (5, 3));
}

#[test]
fn commands_enter_a_cgroup_inside_the_containers_and_the_agent_another() {
    let played = Played::new("inside");
    fs::create_dir(played.0.join("unified/docker-1/commands")).unwrap();
    played.memory_in("docker-1/commands/");
    played.set("docker-1/commands/memory.peak", "0000000\n");
    played.set("docker-1/commands/cgroup.procs", "");

    let mut cgroup = played.open();
    cgroup.start(&LIMITS).unwrap();
    played.set("docker-1/commands/memory.peak", "1900000\n");
    played.stat("docker-1/commands/", 700_000, 0);

    assert_eq!(cgroup.source(), UsageSource::CgroupV2);
    assert_eq!(cgroup.missing(), Vec::<&str>::new());
    assert!(cgroup.entry().is_some());
    assert_eq!(played.get("docker-1/agent/cgroup.procs"), "0");
    assert_eq!(played.get("docker-1/cgroup.subtree_control"), "+memory");
    assert_eq!(played.get("docker-1/commands/memory.max"), (6_000_000 + MEMORY_ROOM_BYTES).to_string());
    assert_eq!(cgroup.finish().unwrap().memory_bytes, 1_050_000, "all but 700,000, 100,000 and 50,000");
}

#[test]
fn pages_of_files_and_what_the_kernel_keeps_do_not_count_however_they_came() {
    let played = Played::new("files");
    let mut cgroup = played.open();
    cgroup.start(&LIMITS).unwrap();

    played.set("memory.current", "9000000\n");
    played.stat("", 4_000_000, 400_000);
    let near = cgroup.memory_added(LIMITS.memory_bytes).unwrap();
    // The kernel has taken them back since, and the peak has not moved.
    played.stat("", 0, 0);
    played.set("memory.current", "4600000\n");

    assert_eq!(near, 4_550_000);
    assert_eq!(cgroup.finish().unwrap().memory_bytes, 4_550_000);
}

#[test]
fn what_a_command_holds_before_its_work_begins_does_not_count() {
    let played = Played::new("before");
    let mut cgroup = played.open();

    cgroup.start(&Limits { start_memory_bytes: 300_000, ..LIMITS }).unwrap();
    played.set("memory.current", "1700000\n");

    assert_eq!(played.get("memory.max").trim(), (6_300_000 + MEMORY_ROOM_BYTES).to_string());
    assert_eq!(cgroup.finish().unwrap().memory_bytes, 650_000);
}

#[test]
fn a_command_that_the_kernel_killed_used_all_that_was_there() {
    let played = Played::new("killed");
    let mut cgroup = played.open();
    cgroup.start(&LIMITS).unwrap();

    played.set("memory.current", "70000000\n");
    played.set("memory.events", "oom_kill 2\n");
    let usage = cgroup.finish().unwrap();

    assert_eq!((usage.memory_bytes, usage.oom_kills), (69_950_000, 1));
}

#[test]
fn the_limit_stays_below_the_containers_own() {
    let played = Played::new("ceiling");
    played.set("docker-1/memory.max", "60000000\n");
    let mut cgroup = played.open();

    cgroup.start(&LIMITS).unwrap();

    assert_eq!(played.get("memory.max").get(..8), Some("43222784"), "16 MiB below it");
}
