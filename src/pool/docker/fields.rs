//! The fields of a container: everything that keeps a student's program inside.
//!
//! The agent is process 1 and root with six capabilities; the program gets a uid of the slot's range and none.
//! Nothing is mounted from the host but the cell's own cgroup folders, and on our own machine a folder for the agent's
//! socket that is gone before a program runs; both below a folder that only root may enter.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount,
    MountType, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use guichet_agent::{MEMORY_ROOM_BYTES, REMOVE_CONTROL_GROUPS};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use uuid::Uuid;

use super::Cgroups;
use super::agent_image::{AGENT, CGROUP_FOLDER, SOCKET_FOLDER};
use super::cell::CellCgroup;
use super::hidden::{MASKED_PATHS, READONLY_PATHS, sysctls};
use crate::domain::host::HostName;
use crate::domain::runtime::{Runtime, Step};
use crate::pool::state::{Role, SlotId};

/// System calls a container may make.
const SECCOMP: &str = include_str!("../seccomp.json");

/// Memory above the greatest limit of a command and what doesn't count in it: the agent itself, the files that it writes
/// and a compilation leaves, and pages of files that the kernel can take back.
const ROOM_FOR_AGENT_BYTES: u64 = 96 << 20;

/// Processes above the greatest limit of a command: the agent and the kernel's delay in counting the dead.
const ROOM_FOR_AGENT_PROCESSES: u32 = 16;

/// Uids of a slot.
const UIDS_PER_SLOT: u32 = 64;

/// The lowest uid in use; all stay below 65536, the most that an engine without root may have.
const FIRST_UID: u32 = 20_000;

/// Slots whose uids differ from each other; what comes after them shares uids.
const SLOTS_WITH_OWN_UIDS: u32 = (65_536 - FIRST_UID) / UIDS_PER_SLOT;

/// The last slot whose uids no other has.
pub const LAST_SLOT: SlotId = SlotId(710);

/// Those of them that companions have: what runs beside a submission's program has no uid of that.
const UIDS_OF_COMPANIONS: u32 = 16;

/// The first uid of a container's range, and how many it has. Limits per uid count over all containers of a host, so slots
/// share none.
pub const fn uids(slot: SlotId, role: Role) -> (u32, u32) {
    let of_programs = UIDS_PER_SLOT - UIDS_OF_COMPANIONS;
    match role {
        Role::Program => (first_uid(slot), of_programs),
        Role::Companion => (first_uid(slot) + of_programs, UIDS_OF_COMPANIONS),
    }
}

const fn first_uid(slot: SlotId) -> u32 {
    FIRST_UID + slot.0 % SLOTS_WITH_OWN_UIDS * UIDS_PER_SLOT
}

/// Whose a container is.
#[derive(Clone, Copy, Debug)]
pub struct Labels {
    /// The installation, the same at each start.
    pub installation: Uuid,
    /// The data folder: that of a copied installation is another one.
    pub folder: Uuid,
    /// The process.
    pub instance: Uuid,
}

const INSTALLATION: &str = "guichet.installation";
const FOLDER: &str = "guichet.folder";
const INSTANCE: &str = "guichet.instance";
const CONNECTION: &str = "guichet.connection";

impl Labels {
    /// Folder, below each hierarchy's root, in which an engine without systemd makes our control groups.
    pub(super) fn control_groups(&self) -> String {
        format!("/guichet/{}", self.short())
    }

    pub(super) fn short(&self) -> String {
        self.folder.simple().to_string().chars().take(12).collect()
    }

    fn of_container(&self) -> HashMap<String, String> {
        HashMap::from([
            (INSTALLATION.to_owned(), self.installation.to_string()),
            (FOLDER.to_owned(), self.folder.to_string()),
            (INSTANCE.to_owned(), self.instance.to_string()),
        ])
    }

    /// What containers of all instances of the installation have, copies of it included.
    pub fn of_installation(&self) -> Vec<String> {
        vec![format!("{INSTALLATION}={}", self.installation)]
    }

    /// What containers of all instances that had the data folder have.
    pub fn of_folder(&self) -> Vec<String> {
        vec![format!("{INSTALLATION}={}", self.installation), format!("{FOLDER}={}", self.folder)]
    }

    /// What containers have that this instance made over one connection to a host.
    pub fn of_connection(&self, connection: Uuid) -> Vec<String> {
        vec![format!("{INSTALLATION}={}", self.installation), format!("{CONNECTION}={connection}")]
    }

    /// What containers of this instance have.
    pub fn of_instance(&self) -> Vec<String> {
        vec![format!("{INSTALLATION}={}", self.installation), format!("{INSTANCE}={}", self.instance)]
    }
}

/// Whether a container with these labels was made over one of the connections.
pub(super) fn is_of(labels: &HashMap<String, String>, connections: &[Uuid]) -> bool {
    let made_over = labels.get(CONNECTION).and_then(|connection| connection.parse().ok());
    made_over.is_some_and(|made_over: Uuid| connections.contains(&made_over))
}

/// Which container, and where.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    /// Whose it is.
    pub labels: Labels,
    /// The host.
    pub host: &'a HostName,
    /// The connection that it is made over.
    pub connection: Uuid,
    /// The language it is for.
    pub runtime: &'a Runtime,
    /// The image: the runtime's with the agent in it.
    pub image: &'a str,
    /// What starts it, by its engine's name for it; `None`: the engine's default.
    pub oci_runtime: Option<&'a str>,
    /// The host's slot; with role and runtime it makes the cell, which holds one container at a time.
    pub slot: SlotId,
    /// What it does in its slot.
    pub role: Role,
    /// Complete path of a folder on the engine's machine that the agent may make a socket in.
    pub transport: Option<&'a str>,
    /// Where its id is told as soon as its engine has made it.
    pub id: &'a watch::Sender<Option<String>>,
}

pub(super) fn container(placement: &Placement<'_>, cores: u32, cgroups: Cgroups) -> ContainerCreateBody {
    let mut host_config = host_config(placement, cores, cgroups);
    let mut labels = placement.labels.of_container();
    labels.extend([
        (CONNECTION.to_owned(), placement.connection.to_string()),
        ("guichet.runtime".to_owned(), placement.runtime.id.to_string()),
        ("guichet.slot".to_owned(), placement.slot.0.to_string()),
        ("guichet.profile".to_owned(), profile_digest(&host_config)),
    ]);
    // Not among the binds, of which an engine makes those that are missing.
    host_config.mounts = placement.transport.map(|folder| vec![transport(folder)]);
    ContainerCreateBody {
        image: Some(placement.image.to_owned()),
        entrypoint: Some(vec![AGENT.to_owned()]),
        cmd: Some(Vec::new()),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        hostname: Some("box".to_owned()),
        network_disabled: Some(true),
        tty: Some(false),
        open_stdin: Some(true),
        stdin_once: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(false),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        stop_signal: Some("SIGKILL".to_owned()),
        stop_timeout: Some(1),
        labels: Some(labels),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

/// A container in which the agent removes the data folder's control groups, once nothing is in them.
pub(super) fn remover(image: &str, labels: Labels) -> ContainerCreateBody {
    let host_config = HostConfig {
        network_mode: Some("none".to_owned()),
        readonly_rootfs: Some(true),
        auto_remove: Some(true),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned(), format!("seccomp={SECCOMP}")]),
        memory: Some(i64::try_from(MEMORY_ROOM_BYTES).unwrap_or(i64::MAX)),
        pids_limit: Some(16),
        binds: Some(vec![format!("/sys/fs/cgroup:{CGROUP_FOLDER}:rw")]),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![AGENT.to_owned()]),
        cmd: Some(vec![REMOVE_CONTROL_GROUPS.to_owned(), labels.control_groups()]),
        user: Some("0:0".to_owned()),
        network_disabled: Some(true),
        labels: Some(labels.of_container()),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

fn host_config(placement: &Placement<'_>, cores: u32, cgroups: Cgroups) -> HostConfig {
    let most = most_memory(placement.runtime) + MEMORY_ROOM_BYTES + ROOM_FOR_AGENT_BYTES;
    let memory = i64::try_from(most).unwrap_or(i64::MAX);
    let processes = most_processes(placement.runtime) + ROOM_FOR_AGENT_PROCESSES;
    let cgroup = CellCgroup::new(placement, cgroups);
    HostConfig {
        runtime: placement.oci_runtime.map(str::to_owned),
        network_mode: Some("none".to_owned()),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        init: Some(false),
        auto_remove: Some(true),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            ..RestartPolicy::default()
        }),
        // A logging driver would store what the agent says, again and without end.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(words(&["SETUID", "SETGID", "SETPCAP", "KILL", "CHOWN", "DAC_OVERRIDE"])),
        security_opt: Some(vec!["no-new-privileges".to_owned(), format!("seccomp={SECCOMP}")]),
        memory: Some(memory),
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(processes)),
        // A trial has a slot beyond those of cores.
        cpuset_cpus: Some((placement.slot.0 % cores.max(1)).to_string()),
        cgroup_parent: cgroup.as_ref().map(|cell| cell.parent.clone()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        binds: cgroup.map(|cell| cell.binds),
        // Without a limit for the stack the agent may leave it to the memory limit.
        ulimits: Some(vec![
            ulimit("nofile", 256),
            ulimit("core", 0),
            ulimit("memlock", 1 << 16),
            ulimit("stack", -1),
        ]),
        // "none" would take /dev/shm away, which Python's multiprocessing needs.
        ipc_mode: Some("private".to_owned()),
        shm_size: Some(16 << 20),
        tmpfs: Some(HashMap::from([
            ("/w".to_owned(), "rw,exec,nosuid,nodev,size=64m,nr_inodes=16k,mode=755".to_owned()),
            ("/tmp".to_owned(), "rw,noexec,nosuid,nodev,size=64m,nr_inodes=16k,mode=1777".to_owned()),
        ])),
        sysctls: Some(sysctls()),
        masked_paths: Some(words(MASKED_PATHS)),
        readonly_paths: Some(words(READONLY_PATHS)),
        ..HostConfig::default()
    }
}

fn transport(folder: &str) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(folder.to_owned()),
        target: Some(SOCKET_FOLDER.to_owned()),
        read_only: Some(false),
        ..Mount::default()
    }
}

fn most_memory(runtime: &Runtime) -> u64 {
    steps(runtime).map(|step| step.limits.maximum.memory_bytes + step.start_memory_bytes).max().unwrap_or(0)
}

fn most_processes(runtime: &Runtime) -> u32 {
    steps(runtime).map(|step| step.limits.maximum.processes).max().unwrap_or(0)
}

fn steps(runtime: &Runtime) -> impl Iterator<Item = &Step> {
    runtime.compile.iter().chain([&runtime.run])
}

fn ulimit(name: &str, most: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(most), hard: Some(most) }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

/// Tells containers of different fields apart, for people who look at them from outside.
fn profile_digest(host_config: &HostConfig) -> String {
    let json = serde_json::to_vec(host_config).unwrap_or_default();
    super::agent_image::hex(&Sha256::digest(json), 6)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn slots_share_no_uid_as_long_as_there_are_enough() {
        let firsts: BTreeSet<u32> = (0..500).map(|slot| first_uid(SlotId(slot))).collect();

        assert_eq!(firsts.len(), 500);
        assert_eq!(LAST_SLOT.0 + 1, SLOTS_WITH_OWN_UIDS);
        assert!(firsts.iter().all(|first| *first >= 1000 && first + UIDS_PER_SLOT <= 65_536));
        assert!(firsts.iter().all(|first| (first - FIRST_UID).is_multiple_of(UIDS_PER_SLOT)));
    }

    #[test]
    fn a_companion_has_no_uid_of_the_program_beside_it_or_of_another_slot() {
        let ((first, count), companion) = (uids(SlotId(3), Role::Program), uids(SlotId(3), Role::Companion));

        assert_eq!(companion.0, first + count);
        assert_eq!(companion.0 + companion.1, first_uid(SlotId(4)));
    }

    #[test]
    fn the_filter_of_system_calls_is_json_and_refuses_by_default() {
        let profile: serde_json::Value = serde_json::from_str(SECCOMP).expect("JSON");

        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let allowed: BTreeSet<&str> = profile["syscalls"]
            .as_array()
            .expect("rules")
            .iter()
            .filter(|rule| rule["action"] == "SCMP_ACT_ALLOW" && rule["args"].is_null())
            .flat_map(|rule| rule["names"].as_array().expect("names"))
            .filter_map(serde_json::Value::as_str)
            .collect();
        for name in [
            "socket",
            "clone",
            "ptrace",
            "mount",
            "unshare",
            "setns",
            "bpf",
            "keyctl",
            "io_uring_setup",
            "mmap",
            "memfd_create",
        ] {
            assert!(!allowed.contains(name), "{name}");
        }
    }
}
