//! Version 2 with files that stand for the kernel's; version 1 is tested with the kernel's own in `tests/it`.

use std::path::PathBuf;

use super::*;

const LIMITS: Limits =
    Limits { cpu_time_ms: 1, wall_time_ms: 1, memory_bytes: 5_000_000, output_bytes: 1, processes: 16 };

/// A slot's folder with a container's inside it.
struct Played(PathBuf);

impl Played {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("guichet-agent-{name}-{}", std::process::id()));
        let played = Self(root);
        for (folder, files) in [
            ("", "cpu.stat pids.current pids.max pids.events memory.events memory.current memory.max"),
            ("docker-1/", "pids.events memory.events cgroup.procs"),
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
    assert_eq!(cgroup.memory_in_use().unwrap(), 400_000);
    assert_eq!(cgroup.finish().unwrap().memory_bytes, 0);
}

#[test]
fn without_a_cgroup_for_commands_the_slot_is_limited_while_one_runs() {
    let played = Played::new("slot");
    let mut cgroup = played.open();

    cgroup.start(&LIMITS).unwrap();
    let (memory, processes) = (played.get("memory.max"), played.get("pids.max"));
    cgroup.release().unwrap();

    assert_eq!(cgroup.missing(), ["memory apart from the agent's"]);
    assert_eq!(memory, "6000000");
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

    assert_eq!(cgroup.source(), UsageSource::CgroupV2);
    assert_eq!(cgroup.missing(), Vec::<&str>::new());
    assert!(cgroup.entry().is_some());
    assert_eq!(played.get("docker-1/agent/cgroup.procs"), "0");
    assert_eq!(played.get("docker-1/cgroup.subtree_control"), "+memory");
    assert_eq!(played.get("docker-1/commands/memory.max"), "6000000");
    assert_eq!(cgroup.finish().unwrap().memory_bytes, 900_000);
}
