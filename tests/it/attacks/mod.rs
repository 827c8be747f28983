//! Programs that mean harm: each ends with the right verdict, and the next student notices nothing.

mod outside;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::engine::run;
use crate::support::{Bench, Program, TestGuichet, exercises, programs, wait_for};

/// Limits that end attacks soon.
fn short() -> Value {
    json!({ "cpu_time_ms": 1000, "wall_time_ms": 1500 })
}

/// The next program in every slot runs as ever.
async fn all_is_well(bench: &Bench) {
    let sum = crate::support::shared::unique("sum");
    bench.teacher.put_exercise(&sum, &exercises::sum()).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        for program in [programs::python_sum(), programs::c_sum()] {
            ids.push(bench.student.submit(&sum, &program).await);
        }
    }
    for id in ids {
        let ended = bench.student.ended(&id).await;
        assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
        assert_eq!(ended["result"]["verdict"], "accepted", "{ended}");
    }
}

async fn ends_in(bench: &Bench, program: &Program, verdicts: &[&str]) -> Value {
    let report = bench.report(program).await;
    let verdict = report["verdict"].as_str().unwrap_or_default();
    assert!(verdicts.contains(&verdict), "{report}");
    report
}

#[tokio::test]
async fn bombs_of_processes_end_and_leave_nothing() {
    let bench = Bench::with_limits("", "right\n", &short()).await;

    for source in [
        "int main(void) { for (;;) fork(); }",
        "int main(void) { for (;;) { if (fork() == 0) { setsid(); if (fork() == 0) setsid(); } } }",
        "int main(void) { for (;;) { char *p = malloc(1 << 16); if (p) memset(p, 1, 1 << 16); fork(); } }",
    ] {
        let verdicts = ["time_limit_exceeded", "runtime_error", "memory_limit_exceeded"];
        ends_in(&bench, &Program::c(source), &verdicts).await;
        all_is_well(&bench).await;
    }
    let stubborn = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n";
    ends_in(&bench, &Program::python(stubborn), &["time_limit_exceeded", "memory_limit_exceeded"]).await;
    all_is_well(&bench).await;
}

#[tokio::test]
async fn threads_count_as_processes_and_a_refusal_is_the_programs_own_error() {
    let bench = Bench::with_limits("", "refused\n", &json!({ "processes": 16 })).await;

    let program = "import threading, time
threads = []
try:
    for n in range(64):
        thread = threading.Thread(target=time.sleep, args=(0.2,), daemon=True)
        thread.start()
        threads.append(thread)
    print('all', len(threads))
except RuntimeError:
    print('refused' if len(threads) < 16 else len(threads))
";

    ends_in(&bench, &Program::python(program), &["accepted"]).await;
}

#[tokio::test]
async fn killing_everybody_kills_only_oneself() {
    let bench = Bench::with_limits("", "", &short()).await;

    for source in [
        "int main(void) { kill(-1, SIGKILL); raise(SIGKILL); }",
        "int main(void) { kill(1, SIGKILL); kill(1, SIGINT); kill(1, SIGSTOP); kill(getppid(), SIGSTOP); return 1; }",
    ] {
        ends_in(&bench, &Program::c(source), &["runtime_error"]).await;
        all_is_well(&bench).await;
    }
}

#[tokio::test]
async fn nothing_is_left_for_the_next_test_or_the_next_submission() {
    let mut exercise = exercises::one_test("", "");
    exercise["tests"] = json!([
        { "name": "first", "stdin": "", "expected": "", "visibility": "public" },
        { "name": "second", "stdin": "", "expected": "", "visibility": "public" },
    ]);
    let bench = Bench::new(&exercise).await;
    let program = "import os, time
folders = {os.path.realpath(path) for path in ['.', '/tmp', '/var/tmp', '/dev/shm', '/run/lock', '/run', '/w', os.environ['HOME'], '/dev/mqueue']}
for folder in folders:
    try:
        for name in sorted(os.listdir(folder)):
            if 'mark' in name:
                print('found', folder, name)
    except OSError:
        pass
for folder in folders:
    for name in ['mark', '.mark', 'mark\\n-rf', 'usercustomize.py.mark']:
        try:
            open(os.path.join(folder, name), 'x').write('here')
        except OSError:
            pass
    try:
        deep = folder
        for n in range(200):
            deep += '/deep-mark'
            os.mkdir(deep)
        os.chmod(folder + '/deep-mark', 0)
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
";

    for _ in 0..6 {
        let result = bench.result(&Program::python(program)).await;
        assert_eq!(result["verdict"], "accepted", "{result}");
    }
}

#[tokio::test]
async fn processes_of_the_past_are_not_seen() {
    let bench = Bench::with_limits("", "1 process\n", &json!({ "wall_time_ms": 5000 })).await;
    let program = "import os
mine = 0
for pid in os.listdir('/proc'):
    if pid.isdigit():
        try:
            if os.stat('/proc/' + pid).st_uid == os.getuid():
                mine += 1
        except OSError:
            pass
print(mine, 'process')
if os.fork() == 0:
    import time
    time.sleep(60)
";

    for _ in 0..4 {
        ends_in(&bench, &Program::python(program), &["accepted"]).await;
    }
}

#[tokio::test]
async fn hidden_tests_and_answers_are_nowhere_to_be_read() {
    let mut exercise = exercises::one_test("", "");
    exercise["tests"] = json!([
        { "name": "open", "stdin": "", "expected": "", "visibility": "public" },
        { "name": "closed", "stdin": "MARK-OF-INPUT", "expected": "MARK-OF-ANSWER", "visibility": "hidden" },
    ]);
    let bench = Bench::new(&exercise).await;
    let program = "import os, sys
marks = [''.join(['MARK', '-OF-', kind]).encode() for kind in ('INPUT', 'ANSWER')]
# Its own files, memory and input hold the marks by right.
for top, folders, files in os.walk('/'):
    folders[:] = [name for name in folders if os.path.join(top, name) not in ('/usr', '/lib', '/sys') and name != str(os.getpid()) and name not in ('self', 'thread-self')]
    for name in files:
        path = os.path.join(top, name)
        if path.startswith(('/dev/', '/proc/kmsg', '/proc/kcore', '/w/')):
            continue
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            data = os.read(fd, 1 << 20)
            os.close(fd)
        except OSError:
            continue
        for mark in marks:
            if mark in data:
                print('found in', path)
";

    let id = bench.student.submit(&bench.exercise, &Program::python(program)).await;
    bench.student.ended(&id).await;
    let seen = bench.teacher.submission(&id).await;

    assert_eq!(seen["result"]["tests"][0]["verdict"], "accepted", "{seen}");
    assert_eq!(seen["result"]["tests"][1]["stdout"], "", "{seen}");
}

#[tokio::test]
async fn a_program_sees_a_fixed_environment_its_files_and_no_open_files_of_others() {
    let bench = Bench::expecting("").await;
    let program = "import json, os
fds = []
for name in sorted(os.listdir('/proc/self/fd'), key=int):
    try:
        os.readlink('/proc/self/fd/' + name)
        fds.append(int(name))
    except OSError:
        pass
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines() if ':' in line)
print(json.dumps({'env': dict(os.environ), 'files': sorted(os.listdir('.')), 'fds': fds, 'uid': os.getuid() > 999, 'groups': os.getgroups(),
    'caps': [status[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')], 'no_new_privs': status['NoNewPrivs'].strip(), 'seccomp': status['Seccomp'].strip()}))
";

    let report = bench.report(&Program::python(program).with("data.txt", b"1")).await;

    let seen: Value = serde_json::from_str(report["stdout"].as_str().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {report}"));
    let names: Vec<_> =
        seen["env"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let promised = ["PATH", "HOME", "TMPDIR", "LANG", "USER", "LOGNAME"];
    for name in promised {
        assert!(names.contains(&name), "{seen}");
    }
    assert!(names.iter().all(|name| promised.contains(name)), "{seen}");
    assert_eq!(seen["env"]["LANG"], "C.UTF-8");
    assert_eq!(seen["files"], json!(["data.txt", "main.py"]));
    assert_eq!(seen["fds"], json!([0, 1, 2]));
    assert_eq!((&seen["uid"], &seen["groups"]), (&json!(true), &json!([])), "{seen}");
    assert_eq!(seen["caps"][2], "0000000000000000", "{seen}");
    assert_eq!((&seen["no_new_privs"], &seen["seccomp"]), (&json!("1"), &json!("2")), "{seen}");
}

#[tokio::test]
async fn there_is_no_network() {
    let bench = Bench::with_limits("", "nobody\n", &short()).await;
    let program = "import socket
reached = []
for family, kind, address in [
    (socket.AF_INET, socket.SOCK_STREAM, ('169.254.169.254', 80)), (socket.AF_INET, socket.SOCK_STREAM, ('172.17.0.1', 2375)),
    (socket.AF_INET, socket.SOCK_DGRAM, ('8.8.8.8', 53)), (socket.AF_INET6, socket.SOCK_STREAM, ('fd00:ec2::254', 80)),
    (socket.AF_UNIX, socket.SOCK_STREAM, '/var/run/docker.sock'), (socket.AF_UNIX, socket.SOCK_STREAM, '/run/containerd/containerd.sock'),
]:
    try:
        with socket.socket(family, kind) as s:
            s.settimeout(0.1)
            s.connect(address)
            reached.append(address)
    except OSError:
        pass
try:
    reached.append(socket.getaddrinfo('example.org', 80))
except OSError:
    pass
print(reached or 'nobody')
";

    ends_in(&bench, &Program::python(program), &["accepted"]).await;
}

#[tokio::test]
async fn dangerous_system_calls_are_refused() {
    let bench = Bench::with_limits("", "", &short()).await;
    let program = "#include <sys/syscall.h>
#include <sys/socket.h>
#define TRY(name, ...) do { errno = 0; long r = syscall(__VA_ARGS__); if (r != -1) printf(\"%s succeeded\\n\", name); } while (0)
int main(void) {
    static char buffer[256];
    TRY(\"unshare\", SYS_unshare, 0x10000000);
    TRY(\"clone newuser\", SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0);
    TRY(\"mount\", SYS_mount, \"none\", \"/tmp\", \"tmpfs\", 0, 0);
    TRY(\"pivot_root\", SYS_pivot_root, \"/\", \"/\");
    TRY(\"ptrace\", SYS_ptrace, 16, 1, 0, 0);
    TRY(\"process_vm_readv\", SYS_process_vm_readv, 1, buffer, 1, buffer, 1, 0);
    TRY(\"add_key\", SYS_add_key, \"user\", \"k\", \"v\", 1, -3);
    TRY(\"keyctl\", SYS_keyctl, 0, -3, 1);
    TRY(\"io_uring_setup\", SYS_io_uring_setup, 1, buffer);
    TRY(\"bpf\", SYS_bpf, 0, buffer, 64);
    TRY(\"userfaultfd\", SYS_userfaultfd, 1);
    TRY(\"perf_event_open\", SYS_perf_event_open, buffer, 0, -1, -1, 0);
    TRY(\"shmget\", SYS_shmget, 77, 4096, 01600);
    TRY(\"mq_open\", SYS_mq_open, \"q\", 0102, 0600, 0);
    TRY(\"semget\", SYS_semget, 77, 1, 01600);
    TRY(\"clock_settime\", SYS_clock_settime, 0, buffer);
    TRY(\"mknod\", SYS_mknod, \"/tmp/dev\", 0020666, 0x103);
    TRY(\"setuid\", SYS_setuid, 0);
    TRY(\"af_alg\", SYS_socket, 38, 5, 0);
    TRY(\"vsock\", SYS_socket, 40, 1, 0);
    TRY(\"packet\", SYS_socket, 17, 3, 0);
    TRY(\"sethostname\", SYS_sethostname, \"x\", 1);
    TRY(\"setpriority\", SYS_setpriority, 0, 0, -20);
    for (const char *const *path = (const char *const []){ \"/dev/kmsg\", \"/dev/mem\", \"/dev/fuse\", \"/proc/kcore\", \"/proc/1/mem\", \"/proc/1/environ\", \"/proc/sysrq-trigger\", \"/etc/shadow\", 0 }; *path; path++) {
        int fd = open(*path, O_RDONLY); char c;
        if (fd >= 0 && read(fd, &c, 1) == 1) printf(\"%s was read\\n\", *path);
    }
    for (const char *const *path = (const char *const []){ \"/proc/sys/kernel/core_pattern\", \"/proc/self/oom_score_adj\", \"/etc/passwd\", \"/usr/bin/x\", \"/x\", \"/run/x\", 0 }; *path; path++) {
        int fd = open(*path, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0 && write(fd, \"-1000\", 5) == 5) printf(\"%s was written\\n\", *path);
    }
    return 0;
}";

    let report = ends_in(&bench, &Program::c(program), &["accepted", "wrong_answer"]).await;

    assert_eq!(report["stdout"], "", "{report}");
}

#[tokio::test]
async fn a_full_disk_and_too_many_files_are_errors_that_a_program_can_survive() {
    let bench = Bench::with_limits(
        "",
        "full\n",
        &json!({ "wall_time_ms": 20_000, "cpu_time_ms": 10_000, "memory_bytes": 1 << 29 }),
    )
    .await;
    let disk = "import errno
try:
    with open('fill', 'wb') as file:
        while True:
            file.write(b'x' * 65536)
            file.flush()
except OSError as error:
    print('full' if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) else error)
";
    let inodes = "import errno
try:
    for n in range(1000000):
        open(f'{n}', 'x').close()
except OSError as error:
    print('full' if error.errno in (errno.ENOSPC, errno.EDQUOT) else error)
";
    let files = "import errno
hoard = []
try:
    while True:
        hoard.append(open('/dev/null'))
except OSError as error:
    hoard.clear()
    print('full' if error.errno == errno.EMFILE else error)
";

    for source in [disk, inodes, files] {
        ends_in(&bench, &Program::python(source), &["accepted"]).await;
    }
    all_is_well(&bench).await;
}

#[tokio::test]
async fn a_runtime_with_known_escapes_is_told_at_the_start() {
    let guichet = TestGuichet::start().await;
    let doctor = run(&mut guichet.command(&["doctor"]));
    let is_old = String::from_utf8_lossy(&doctor.stdout).contains("is older than the corrections of CVE-");

    let told = || async { guichet.log().contains("programs may leave their containers") };
    if is_old {
        wait_for("a warning", Duration::from_mins(1), told, |is_told| *is_told).await;
    }
    assert_eq!(told().await, is_old);
}

#[tokio::test]
async fn containers_are_hardened() {
    let bench = Bench::expecting("").await;
    let id = bench.student.run(&Program::python("import time\ntime.sleep(0.2)\n"), "", &[]).await;
    bench.student.ended(&id).await;

    let engine = bench.guichet.engine();
    let containers = engine.running(&bench.guichet.label().await);
    assert!(!containers.is_empty());
    for container in containers {
        let inspected: Value = serde_json::from_str(&engine.ask(&["inspect", &container]))
            .unwrap_or_else(|error| panic!("{error}"));
        let host = &inspected[0]["HostConfig"];
        assert_eq!(
            (&host["NetworkMode"], &host["ReadonlyRootfs"], &host["Privileged"]),
            (&json!("none"), &json!(true), &json!(false))
        );
        assert_eq!((&host["CapDrop"], &host["LogConfig"]["Type"]), (&json!(["ALL"]), &json!("none")));
        assert_eq!((&host["IpcMode"], &host["PidMode"]), (&json!("private"), &json!("")));
        assert!(
            host["Memory"].as_i64().is_some_and(|bytes| bytes > 0) && host["Memory"] == host["MemorySwap"],
            "{host}"
        );
        assert!(host["PidsLimit"].as_i64().is_some_and(|pids| pids > 0), "{host}");
        let options: Vec<_> =
            host["SecurityOpt"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert!(
            options.contains(&"no-new-privileges")
                && options.iter().any(|option| option.starts_with("seccomp={")),
            "{options:?}"
        );
        assert!(!host["Binds"].to_string().contains("docker.sock"), "{host}");
        assert_eq!(inspected[0]["Config"]["NetworkDisabled"], true);
    }
}
