//! Makes and removes the container; every part of it is the kernel's own.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Version 1 controllers, as the agent finds them below its own folder.
const CONTROLLERS: [&str; 3] = ["memory", "cpuacct", "pids"];

/// Builds the root file system in a fresh mount namespace and becomes the agent.
const SCRIPT: &str = r#"
root=$1 agent=$2 victim=$3 slot=$4 first=$5 socket=$6
mount -t tmpfs none "$root"
cd "$root"
mkdir -p usr etc proc dev/shm w tmp .guichet/socket .guichet/cgroup/memory .guichet/cgroup/cpuacct .guichet/cgroup/pids
ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
ln -s /w/passwd etc/passwd; ln -s /w/group etc/group
mount --bind /usr usr
mount -t proc proc proc
for device in null zero urandom; do : > dev/$device; mount --bind /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd; for stream in 0:stdin 1:stdout 2:stderr; do ln -s fd/${stream%:*} dev/${stream#*:}; done
for folder in w tmp; do mount -t tmpfs -o size=64m,nr_inodes=16k,mode=755 none $folder; done
mount -t tmpfs -o size=16m,mode=1777 none dev/shm
cp "$agent" .guichet/agent; cp "$victim" victim; chmod 0755 victim; chmod 0700 .guichet
if [ -n "$slot" ]; then
    for controller in memory cpuacct pids; do
        echo 0 > /sys/fs/cgroup/$controller/$slot/container/cgroup.procs
        mount --bind /sys/fs/cgroup/$controller/$slot .guichet/cgroup/$controller
    done
fi
[ -z "$socket" ] || mount --bind "$socket" .guichet/socket
mount -o remount,ro "$root"
if [ "$first" ]; then replace=exec; else replace=; fi
$replace chroot "$root" /usr/bin/setpriv --no-new-privs --inh-caps=-all \
    --bounding-set=-all,+setuid,+setgid,+kill,+chown,+dac_override,+setpcap /.guichet/agent
"#;

static NUMBER: AtomicU32 = AtomicU32::new(0);

static VICTIM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("victim-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/victim.c");
    let built =
        Command::new("cc").args(["-O1", "-static", "-pthread", "-o"]).arg(&program).arg(source).status();
    assert!(built.is_ok_and(|status| status.success()), "these tests need a C compiler called `cc`");
    program
});

/// The program that does what the tests want, on this side.
pub fn victim_program() -> &'static Path {
    &VICTIM
}

/// Which cgroups the container has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// A slot's, bound to where the agent looks.
    Slot,
    /// None that the agent could see.
    None,
}

/// Which process of the container the agent is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Process 1.
    First,
    /// A child of process 1.
    Later,
}

/// Whether the container shares a folder with us in which the agent can listen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// It does.
    Shared,
    /// It does not.
    None,
}

/// Namespaces with an agent in them; gone when dropped.
pub struct Container {
    child: Child,
    slot: Option<String>,
    root: PathBuf,
    socket: Option<PathBuf>,
}

impl Container {
    /// Starts the agent.
    pub fn start(cgroups: Cgroups, place: Place, socket: Sharing) -> Self {
        assert!(
            fs::metadata("/proc/self").is_ok_and(|facts| std::os::unix::fs::MetadataExt::uid(&facts) == 0),
            "these tests make namespaces and cgroups: run them as root"
        );
        let name =
            format!("guichet-agent-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let slot = (cgroups == Cgroups::Slot).then(|| name.clone());
        for folder in slot.iter().flat_map(|slot| cgroup_folders(slot)) {
            fs::create_dir_all(folder.join("container")).unwrap_or_else(|error| {
                panic!("these tests need writable cgroups (version 1) at {}: {error}", folder.display())
            });
        }
        let root = std::env::temp_dir().join(name);
        fs::create_dir(&root).unwrap();
        let socket = (socket == Sharing::Shared).then(|| root.with_extension("socket"));
        if let Some(folder) = &socket {
            fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
        }
        let child = Command::new("unshare")
            .args([
                "--pid",
                "--fork",
                "--kill-child",
                "--mount",
                "--ipc",
                "--net",
                "--propagation",
                "private",
            ])
            .args(["sh", "-euc", SCRIPT, "sh"])
            .arg(&root)
            .args([env!("CARGO_BIN_EXE_guichet-agent"), victim_program().to_str().unwrap()])
            .arg(slot.as_deref().unwrap_or_default())
            .arg(if place == Place::First { "first" } else { "" })
            .arg(socket.as_deref().unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need `unshare` of util-linux");
        Self { child, slot, root, socket }
    }

    /// Where the agent listens, seen from outside.
    pub fn socket(&self) -> PathBuf {
        self.socket.as_ref().expect("a shared folder").join("agent")
    }

    pub fn streams(&mut self) -> (ChildStdin, ChildStdout) {
        (self.child.stdin.take().unwrap(), self.child.stdout.take().unwrap())
    }

    /// Number of tasks in the slot, seen from outside.
    pub fn tasks(&self) -> usize {
        let slot = self.slot.as_ref().expect("a slot");
        let tasks = format!("/sys/fs/cgroup/pids/{slot}/container/tasks");
        fs::read_to_string(tasks).unwrap().lines().count()
    }

    /// Commands that the kernel has killed for want of memory since the slot was made.
    pub fn oom_kills(&self) -> u64 {
        let slot = self.slot.as_ref().expect("a slot");
        let events = format!("/sys/fs/cgroup/memory/{slot}/container/commands/memory.oom_control");
        let events = fs::read_to_string(events).unwrap();
        events.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().parse().unwrap()
    }

    /// Sends a signal to process 1 from outside.
    pub fn signal_agent(&self, signal: &str) {
        assert!(Command::new("kill").args(["-s", signal, &self.agent()]).status().unwrap().success());
    }

    /// What process 1 holds open, as the kernel names it.
    pub fn open_files(&self) -> Vec<String> {
        let links = fs::read_dir(format!("/proc/{}/fd", self.agent())).unwrap();
        links
            .filter_map(|link| fs::read_link(link.unwrap().path()).ok()?.into_os_string().into_string().ok())
            .collect()
    }

    /// Process 1 as it is called from outside.
    fn agent(&self) -> String {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        fs::read_to_string(children).unwrap().trim().to_owned()
    }

    /// Waits until the container has ended by itself, and gives its exit code.
    pub fn wait_for_end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the agent still runs");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        for folder in self.slot.iter().flat_map(|slot| cgroup_folders(slot)) {
            let deadline = Instant::now() + Duration::from_secs(5);
            // A killed namespace's tasks leave their cgroup a moment later.
            while remove(&folder.join("container")).is_err() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            drop(fs::remove_dir(&folder));
        }
        drop(fs::remove_dir(&self.root));
        self.socket.iter().for_each(|folder| drop(fs::remove_dir_all(folder)));
    }
}

/// Removes a container's cgroup, with the one that the agent may have made in it.
fn remove(cgroup: &Path) -> std::io::Result<()> {
    drop(fs::remove_dir(cgroup.join("commands")));
    fs::remove_dir(cgroup)
}

fn cgroup_folders(slot: &str) -> [PathBuf; 3] {
    CONTROLLERS.map(|controller| Path::new("/sys/fs/cgroup").join(controller).join(slot))
}
