//! What is seen from outside of the containers after each attack: nothing of it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Client, text};
use crate::support::engine::Engine;
use crate::support::{Options, Program, TestGuichet, exercises, programs, wait_for};

const IN_TIME: Duration = Duration::from_mins(1);
/// How much the service's memory may grow over one attack; the program under test is not optimised.
const GROWTH_KIB: u64 = 32 << 10;
const ENDED_BY_A_LIMIT: &[&str] = &["time_limit_exceeded", "memory_limit_exceeded", "runtime_error"];
const FLOOD: &[&str] = &["output_limit_exceeded", "time_limit_exceeded"];
const OWN_BUSINESS: &[&str] = &["accepted", "runtime_error"];

/// Attacks in C: what they do, the body of `main`, the verdicts that they may earn.
const IN_C: [(&str, &str, &[&str]); 15] = [
    ("forks for ever", "for (;;) fork();", ENDED_BY_A_LIMIT),
    ("forks daemons", "for (;;) if (fork() == 0) { setsid(); if (fork() == 0) setsid(); }", ENDED_BY_A_LIMIT),
    (
        "takes memory",
        "for (;;) { char *p = malloc(1 << 20); if (!p) return 1; memset(p, 1, 1 << 20); }",
        &["memory_limit_exceeded", "runtime_error"],
    ),
    (
        "reserves what it never touches",
        "mmap(0, 1L << 40, PROT_NONE, 0x4022, -1, 0); return 0;",
        &["accepted"],
    ),
    (
        "fills the memory with files",
        "for (int n = 0;; n++) { int fd = memfd_create(\"m\", 0); char b[1 << 16]; memset(b, 1, sizeof b);
         for (int k = 0; k < 1 << 12; k++) if (write(fd, b, sizeof b) < 0) return 1; }",
        &["memory_limit_exceeded", "runtime_error"],
    ),
    ("writes byte by byte", "for (;;) write(1, \"x\", 1);", FLOOD),
    (
        "writes one long line",
        "static char b[1 << 20]; memset(b, 'x', sizeof b); for (;;) write(1, b, sizeof b);",
        FLOOD,
    ),
    (
        "writes the right answer and then a flood",
        "static char b[1 << 20]; puts(\"right\"); fflush(stdout); for (;;) write(1, b, sizeof b);",
        FLOOD,
    ),
    ("floods its errors", "static char b[1 << 20]; for (;;) write(2, b, sizeof b);", FLOOD),
    ("leaves zombies", "for (int n = 0; n < 10000; n++) if (fork() == 0) _exit(0); return 0;", ENDED_OR_DONE),
    (
        "writes and waits for the disk",
        "int fd = open(\"f\", O_RDWR | O_CREAT | O_SYNC, 0600); static char b[1 << 16];
         for (;;) { pwrite(fd, b, sizeof b, 0); fsync(fd); sync(); }",
        &["time_limit_exceeded"],
    ),
    ("stops itself", "raise(SIGSTOP); return 0;", &["time_limit_exceeded"]),
    (
        "ignores what it can",
        "sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0);
         for (int n = 1; n < 65; n++) signal(n, SIG_IGN); for (;;) pause();",
        &["time_limit_exceeded"],
    ),
    ("kills all it can", "kill(-1, SIGKILL); kill(1, SIGKILL); raise(SIGKILL);", &["runtime_error"]),
    ("is many", "for (int n = 0; n < 8; n++) fork(); for (;;);", &["time_limit_exceeded"]),
];
const ENDED_OR_DONE: &[&str] = &["accepted", "runtime_error", "time_limit_exceeded", "memory_limit_exceeded"];

/// The same in Python.
const IN_PYTHON: [(&str, &str, &[&str]); 6] = [
    ("makes a file with a hole", "f = open('hole', 'wb')\nf.seek(2 << 30)\nf.write(b'x')\n", OWN_BUSINESS),
    (
        "hoards descriptors",
        "import os, select, socket\nhoard = []\nfor make in [os.pipe, select.epoll, socket.socketpair] * 500:\n    hoard.append(make())\n",
        OWN_BUSINESS,
    ),
    (
        "leaves a process that holds its output open",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n",
        &["accepted"],
    ),
    (
        "leaves files wherever it can",
        "import os
for folder in ['.', '/tmp', '/var/tmp', '/dev/shm', '/run', '/run/lock', '/w', '/', os.environ['HOME'], '/etc']:
    for name in ['mark', '.bashrc', 'usercustomize.py', '-rf', 'two\\nlines']:
        try:
            open(os.path.join(folder, name), 'x').write('here')
        except OSError:
            pass
",
        &["accepted"],
    ),
    (
        "puts links where the service could write",
        "import os
for name in os.listdir('.') + ['stdin', 'stdin.txt', 'stdout', 'out', 'run.sh', 'result.json']:
    if os.path.lexists(name):
        os.remove(name)
    os.symlink('/etc/shadow', name)
",
        &["accepted"],
    ),
    (
        "nests folders that cannot be entered",
        "import os
for n in range(500):
    os.mkdir('deep')
    os.chdir('deep')
os.mkdir('shut', 0)
",
        &["accepted"],
    ),
];

/// What is seen of one container.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    processes: usize,
    /// What differs between the container and its image, as the engine tells.
    changed: String,
    /// Names below the folders that programs may write to.
    names: Vec<String>,
    /// Interfaces of its network, and how many packets they took and sent.
    packets: Vec<(String, String, String)>,
    /// File systems on a disk that can be written.
    writable: Vec<String>,
}

/// Looks at a container; `None` once it is gone.
fn look_at(engine: &Engine, container: &str) -> Option<Sight> {
    let pid = engine.ask_for(&["inspect", "--format", "{{.State.Pid}}", container])?.trim().to_owned();
    let of_process = PathBuf::from("/proc").join(&pid);
    let root = of_process.join("root");
    let mut names = Vec::new();
    for folder in ["w", "tmp", "dev/shm", "var/tmp", "run", "home"] {
        let listed = walkdir(&root.join(folder));
        names.extend(
            listed
                .into_iter()
                .map(|path| path.display().to_string().replacen(&root.display().to_string(), "", 1)),
        );
    }
    let devices = std::fs::read_to_string(of_process.join("net/dev")).ok()?;
    let packets = devices.lines().filter_map(|line| line.split_once(':')).map(|(name, figures)| {
        let figures: Vec<_> = figures.split_whitespace().collect();
        (name.trim().to_owned(), figures[1].to_owned(), figures[9].to_owned())
    });
    let mounts = std::fs::read_to_string(of_process.join("mounts")).ok()?;
    let writable = mounts.lines().filter(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        let is_memory = ["tmpfs", "proc", "devpts", "mqueue", "cgroup", "cgroup2"].contains(&fields[2]);
        !is_memory && fields[3].split(',').any(|option| option == "rw")
    });
    Some(Sight {
        processes: engine.processes(container).len(),
        changed: engine.ask_for(&["diff", container])?,
        names,
        packets: packets.collect(),
        writable: writable.map(str::to_owned).collect(),
    })
}

/// All that is below a folder, sorted; nothing of a folder that is not there.
fn walkdir(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    found.sort();
    let below: Vec<_> = found
        .iter()
        .filter(|path| path.is_dir() && !path.is_symlink())
        .flat_map(|path| walkdir(path))
        .collect();
    found.extend(below);
    found
}

/// Memory that the service holds.
fn memory_kib(guichet: &TestGuichet) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", guichet.pid())).expect("the service runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|figure| figure.parse().ok()).expect("a number")
}

/// The only container of a runtime, once it waits for its next submission.
async fn waiting_container(admin: &Client, runtime: &str) -> String {
    let path = format!("/v1/containers?runtime={runtime}&state=warm");
    let warm = || async { admin.get(&path).await.expect(200)["items"].clone() };
    let listed =
        wait_for("a warm container", IN_TIME, warm, |items| items.as_array().map(Vec::len) == Some(1)).await;
    text(&listed[0]["id"])
}

async fn attack(guichet: &TestGuichet, what: &str, program: &Program, runtime: &str, verdicts: &[&str]) {
    let (admin, alice, engine) = (guichet.admin(), guichet.student("alice"), guichet.engine());
    let before = look_at(&engine, &waiting_container(&admin, runtime).await).expect("a container");
    assert_eq!(before.writable, Vec::<String>::new(), "on disk");
    assert!(
        before
            .packets
            .iter()
            .all(|(name, took, sent)| (name.as_str(), took.as_str(), sent.as_str()) == ("lo", "0", "0"))
    );
    let memory = memory_kib(guichet);

    let ended = alice.ended(&alice.submit("attacked", program).await).await;

    let verdict = ended["result"]["verdict"].as_str().unwrap_or_default();
    assert!(verdicts.contains(&verdict), "{what}: {ended}");
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{what}: {ended}");
    for test in ended["result"]["tests"].as_array().into_iter().flatten() {
        let kept = ["stdout", "stderr"].map(|stream| test[stream].as_str().map_or(0, str::len));
        assert!(kept.iter().all(|kept| *kept <= 8 << 10), "{what} is kept at length: {kept:?}");
    }
    let container = waiting_container(&admin, runtime).await;
    let after = || async { look_at(&engine, &container) };
    wait_for(what, IN_TIME, after, |after| after.as_ref() == Some(&before)).await;
    let grown = memory_kib(guichet).saturating_sub(memory);
    assert!(grown < GROWTH_KIB, "{what}: the service grew by {grown} KiB");
    let next = match runtime {
        "c" => programs::c_sum(),
        _ => programs::python_sum(),
    };
    assert_eq!(alice.grade("sum", &next).await["verdict"], "accepted", "after what {what}");
}

async fn attacked() -> TestGuichet {
    let guichet = Options::default().slots(1).start().await;
    let mut attacked: Value = exercises::one_test("", "");
    attacked["limits"] = json!({ "cpu_time_ms": 700, "wall_time_ms": 1500 });
    guichet.teacher().put_exercise("attacked", &attacked).await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet
}

#[tokio::test]
async fn nothing_of_an_attack_in_c_is_seen_from_outside_once_it_has_its_verdict() {
    let guichet = attacked().await;
    for (what, body, verdicts) in IN_C {
        let program = Program::c(&format!("int main(void) {{ {body} }}"));
        attack(&guichet, what, &program, "c", verdicts).await;
    }
}

#[tokio::test]
async fn nothing_of_an_attack_in_python_is_seen_from_outside_once_it_has_its_verdict() {
    let guichet = attacked().await;
    let shadow = std::fs::symlink_metadata("/etc/shadow").and_then(|found| found.modified()).ok();
    for (what, source, verdicts) in IN_PYTHON {
        attack(&guichet, what, &Program::python(source), "python", verdicts).await;
    }
    assert_eq!(std::fs::symlink_metadata("/etc/shadow").and_then(|found| found.modified()).ok(), shadow);
}
