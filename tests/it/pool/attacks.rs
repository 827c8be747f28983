//! Programs that want out, to see others, or to lie about themselves; each with what must come of it.
//!
//! After every attack the container is clean and used again, or was replaced: the next program runs.

use guichet::domain::exercise::Isolation;
use guichet_agent::{Ended, Limits};

use super::bench::{Bench, Done, ROOMY, run_in};

/// A few seconds, so that an attack that hangs is stopped soon.
const SHORT: Limits = Limits { cpu_time_ms: 3_000, wall_time_ms: 6_000, ..ROOMY };

pub async fn attack(runtime: &str, source: &str) -> Done {
    let bench = Bench::start().await;
    let mut container = bench.claim(runtime).await;
    let done = run_in(&mut container, runtime, source, SHORT).await.expect("a report");
    container.release(Isolation::Reset).await;
    let next = bench.run("python", "print('next')").await;
    assert_eq!(next.stdout, "next\n", "the next program does not run after: {done:?}");
    bench.end().await;
    done
}

/// Runs a C program that makes each system call and prints its name and errno, 0 if it succeeded.
async fn errno_of_each(calls: &[(&str, &str)]) -> Vec<(String, i32)> {
    let mut body = String::new();
    for (name, call) in calls {
        let print = format!("printf(\"{name} %d\\n\", ({call}) == -1 ? errno : 0)");
        body.extend(["errno = 0; ", &print, "; fflush(stdout);\n"]);
    }
    let source = format!(
        "#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <sched.h>\n#include <signal.h>\n\
         #include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sys/mman.h>\n#include <sys/mount.h>\n\
         #include <sys/ptrace.h>\n#include <sys/resource.h>\n#include <sys/socket.h>\n#include <sys/stat.h>\n\
         #include <sys/syscall.h>\n#include <sys/time.h>\n#include <sys/timex.h>\n#include <sys/uio.h>\n#include <sys/un.h>\n\
         #include <time.h>\n#include <unistd.h>\n\
         static char page[4096];\nint main(void) {{\n{body}return 0; }}\n"
    );
    let done = attack("c", &source).await;
    assert_eq!(done.report.ended, Ended::Exited(0), "{done:?}");
    done.stdout
        .lines()
        .map(|line| {
            let (name, errno) = line.split_once(' ').expect("name and errno");
            (name.to_owned(), errno.parse().expect("an errno"))
        })
        .collect()
}

/// Each call fails, with one of these errno values.
pub async fn all_refused(allowed: &[i32], calls: &[(&str, &str)]) {
    let results = errno_of_each(calls).await;
    assert_eq!(results.len(), calls.len());
    let wrong: Vec<_> = results.iter().filter(|(_, errno)| !allowed.contains(errno)).collect();
    assert!(wrong.is_empty(), "not refused, or otherwise: {wrong:?}");
}

pub const EPERM: i32 = 1;
pub const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
pub const EACCES: i32 = 13;
const EROFS: i32 = 30;
const ENOSYS: i32 = 38;
const EAFNOSUPPORT: i32 = 97;

#[tokio::test]
async fn mounts_and_namespaces_are_refused() {
    all_refused(
        &[EPERM, ENOSYS],
        &[
            ("mount", "mount(\"none\", \"/tmp\", \"tmpfs\", 0, 0)"),
            ("umount2", "umount2(\"/tmp\", 0)"),
            ("unshare-user", "unshare(CLONE_NEWUSER)"),
            ("unshare-mnt", "unshare(CLONE_NEWNS)"),
            ("setns", "setns(0, 0)"),
            ("pivot_root", "syscall(SYS_pivot_root, \"/\", \"/\")"),
            ("chroot", "chroot(\"/tmp\")"),
            ("clone-newuser", "syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)"),
            ("clone3", "syscall(435, page, 64)"),
            ("fsopen", "syscall(430, \"tmpfs\", 0)"),
            ("open_tree", "syscall(428, -100, \"/\", 1)"),
            ("mount_setattr", "syscall(442, -100, \"/\", 0, page, 32)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn dangerous_parts_of_the_kernel_are_out_of_reach() {
    all_refused(
        &[EPERM, ENOSYS],
        &[
            ("add_key", "syscall(SYS_add_key, \"user\", \"k\", \"v\", 1, -3)"),
            ("keyctl", "syscall(SYS_keyctl, 0, -3, 1)"),
            ("request_key", "syscall(SYS_request_key, \"user\", \"k\", 0, -3)"),
            ("io_uring_setup", "syscall(425, 4, page)"),
            ("io_setup", "syscall(SYS_io_setup, 4, page)"),
            ("bpf", "syscall(SYS_bpf, 0, page, 64)"),
            ("userfaultfd", "syscall(SYS_userfaultfd, 1)"),
            ("perf_event_open", "syscall(SYS_perf_event_open, page, 0, -1, -1, 0)"),
            ("kexec_load", "syscall(SYS_kexec_load, 0, 0, 0, 0)"),
            ("init_module", "syscall(SYS_init_module, page, 1, \"\")"),
            ("reboot", "syscall(SYS_reboot, 0xfee1dead, 672274793, 0x1234567, 0)"),
            ("swapon", "syscall(SYS_swapon, \"/w\", 0)"),
            ("name_to_handle_at", "syscall(SYS_name_to_handle_at, -100, \"/\", page, page + 2048, 0)"),
            ("open_by_handle_at", "syscall(SYS_open_by_handle_at, 0, page, 0)"),
            ("fanotify_init", "syscall(SYS_fanotify_init, 0, 0)"),
            ("acct", "acct(0)"),
            ("syslog", "syscall(SYS_syslog, 3, page, 100)"),
            ("quotactl", "syscall(SYS_quotactl, 0, 0, 0, 0)"),
            ("iopl", "syscall(SYS_iopl, 3)"),
            ("sync", "syscall(SYS_syncfs, 1)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn other_processes_cannot_be_looked_into() {
    all_refused(
        &[EPERM, EACCES, ESRCH, ENOSYS],
        &[
            ("ptrace-1", "ptrace(PTRACE_ATTACH, 1, 0, 0)"),
            ("ptrace-me", "ptrace(PTRACE_TRACEME, 0, 0, 0)"),
            (
                "process_vm_readv",
                "process_vm_readv(1, &(struct iovec){page, 1}, 1, &(struct iovec){page, 1}, 1, 0)",
            ),
            ("pidfd_getfd", "syscall(438, 0, 0, 0)"),
            ("kcmp", "syscall(SYS_kcmp, 1, 1, 0, 0, 0)"),
            ("kill-1", "kill(1, SIGKILL)"),
            ("stop-1", "kill(1, SIGSTOP)"),
            ("mem-1", "open(\"/proc/1/mem\", O_RDONLY)"),
            ("environ-1", "open(\"/proc/1/environ\", O_RDONLY)"),
            ("maps-1", "open(\"/proc/1/maps\", O_RDONLY)"),
            ("fd-1", "open(\"/proc/1/fd\", O_RDONLY)"),
            ("fd-1-1", "open(\"/proc/1/fd/1\", O_WRONLY)"),
            ("root-1", "open(\"/proc/1/root/w\", O_RDONLY)"),
            ("agent", "open(\"/.guichet/agent\", O_RDONLY)"),
            ("agent-folder", "open(\"/.guichet\", O_RDONLY)"),
            ("agent-socket", "open(\"/.guichet/socket\", O_RDONLY)"),
            (
                "agent-socket",
                "connect(socket(AF_UNIX, SOCK_STREAM, 0), \
                 (void *)&(struct sockaddr_un){AF_UNIX, \"/.guichet/socket/agent\"}, sizeof(struct sockaddr_un))",
            ),
            ("agent-cgroup", "open(\"/.guichet/cgroup/memory/memory.limit_in_bytes\", O_WRONLY)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_system_cannot_be_changed() {
    all_refused(
        &[EPERM, EACCES, EROFS, ENOENT],
        &[
            ("settimeofday", "settimeofday(&(struct timeval){0}, 0)"),
            ("clock_settime", "clock_settime(CLOCK_REALTIME, &(struct timespec){0})"),
            ("adjtimex", "adjtimex(&(struct timex){.modes = ADJ_OFFSET})"),
            ("sethostname", "sethostname(\"x\", 1)"),
            ("setuid", "setuid(0)"),
            ("setgid", "setgid(0)"),
            ("nice", "setpriority(PRIO_PROCESS, 0, -20)"),
            ("fifo", "sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){50})"),
            ("oom", "open(\"/proc/self/oom_score_adj\", O_WRONLY) < 0 ? -1 : write(3, \"-1000\", 5)"),
            ("sysctl", "open(\"/proc/sys/kernel/hostname\", O_WRONLY)"),
            ("sysrq", "open(\"/proc/sysrq-trigger\", O_WRONLY)"),
            ("core_pattern", "open(\"/proc/sys/kernel/core_pattern\", O_WRONLY)"),
            ("release_agent", "open(\"/sys/fs/cgroup/memory/release_agent\", O_WRONLY)"),
            ("uevent_helper", "open(\"/sys/kernel/uevent_helper\", O_WRONLY)"),
            ("root", "open(\"/new\", O_WRONLY | O_CREAT, 0600)"),
            ("etc", "open(\"/etc/new\", O_WRONLY | O_CREAT, 0600)"),
            ("var-tmp", "open(\"/var/tmp/new\", O_WRONLY | O_CREAT, 0600)"),
            ("run", "open(\"/run/new\", O_WRONLY | O_CREAT, 0600)"),
            ("dev", "open(\"/dev/new\", O_WRONLY | O_CREAT, 0600)"),
            ("mknod", "mknod(\"/tmp/null\", S_IFCHR | 0600, 0x103)"),
            ("kmsg", "open(\"/dev/kmsg\", O_RDONLY)"),
            ("mem", "open(\"/dev/mem\", O_RDONLY)"),
            ("fuse", "open(\"/dev/fuse\", O_RDWR)"),
            (
                "kcore",
                "open(\"/proc/kcore\", O_RDONLY) < 0 ? -1 : read(4, page, 1) == 1 ? 0 : (errno = EACCES, -1)",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn there_is_no_network_of_any_family() {
    let families: Vec<(String, String)> = (0..46)
        .filter(|family| *family != 1)
        .flat_map(|family| {
            [1, 2, 3].map(|kind| (format!("{family}-{kind}"), format!("socket({family}, {kind}, 0)")))
        })
        .collect();
    let calls: Vec<(&str, &str)> =
        families.iter().map(|(name, call)| (name.as_str(), call.as_str())).collect();

    all_refused(&[EPERM, EAFNOSUPPORT], &calls).await;
}

#[tokio::test]
async fn names_are_not_resolved_and_sockets_of_the_host_are_not_there() {
    let done = attack(
        "python",
        "
import os, socket
for host in ('example.com', '169.254.169.254', 'localhost'):
    try:
        socket.create_connection((host, 80), 1)
        print('connected to', host)
    except OSError as error:
        pass
for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock'):
    if os.path.exists(path):
        print('there is', path)
print(open('/proc/net/dev').read().count(':'))
",
    )
    .await;

    assert_eq!(done.stdout, "1\n", "only lo: {done:?}");
}

#[tokio::test]
async fn nothing_is_left_for_the_next_program_between_processes() {
    all_refused(
        &[EPERM, ENOSYS, 28],
        &[
            ("shmget", "syscall(SYS_shmget, 1, 4096, 01666)"),
            ("msgget", "syscall(SYS_msgget, 1, 01666)"),
            ("semget", "syscall(SYS_semget, 1, 1, 01666)"),
            ("mq_open", "syscall(SYS_mq_open, \"left\", O_CREAT | O_RDWR, 0666, 0)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn system_calls_of_other_instruction_sets_end_the_program() {
    let done = attack(
        "c",
        "#include <stdio.h>
int main(void) {
    puts(\"begin\"); fflush(stdout);
    long result;
    /* getpid by the 32-bit gate */
    __asm__ volatile(\"int $0x80\" : \"=a\"(result) : \"a\"(20L) : \"memory\");
    printf(\"%ld\\n\", result);
    return result == -38 || result == -1 ? 0 : 1;
}",
    )
    .await;

    assert_eq!(done.stdout, "begin\n", "{done:?}");
    assert_eq!(done.report.ended, Ended::Signaled(31), "SIGSYS");
}

#[tokio::test]
async fn system_calls_of_the_x32_kind_end_the_program() {
    let source = "#include <unistd.h>\nint main(void) { return syscall(0x40000000 + 39) > 0; }";

    let done = attack("c", source).await;

    assert_eq!(done.report.ended, Ended::Signaled(31), "SIGSYS");
}

#[tokio::test]
async fn a_program_has_no_rights_and_cannot_get_any() {
    let done = attack(
        "python",
        "
import os
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines())
print(status['NoNewPrivs'], status['Seccomp'], status['CapEff'], status['CapPrm'], status['CapInh'], status['CapBnd'] == status['CapBnd'])
print(os.getuid() >= 20000, os.getgid() >= 20000, os.getgroups())
import resource
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 1024)
print(sorted(os.listdir('/dev')))
",
    )
    .await;

    let none = "0".repeat(16);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines[0], format!("1 2 {none} {none} {none} True"), "{done:?}");
    assert_eq!(lines[1], "True True []");
    assert_eq!(lines[2], "(0, 0) True");
    for device in ["kmsg", "mem", "fuse", "kvm"] {
        assert!(!lines[3].contains(device), "{}", lines[3]);
    }
}

#[tokio::test]
async fn killing_everything_ends_only_the_program() {
    for signal in ["SIGKILL", "SIGINT", "SIGSTOP"] {
        let done =
            attack("c", &format!("#include <signal.h>\nint main(void) {{ kill(-1, {signal}); return 0; }}"))
                .await;
        // kill(-1) spares its caller.
        assert_eq!(done.report.ended, Ended::Exited(0), "{signal}: {done:?}");
    }
}

#[tokio::test]
async fn a_forged_reply_is_only_output() {
    let done = attack(
        "python",
        "
import os, sys
sys.stdout.buffer.write(bytes([1, 0, 0, 0, 0, 0, 0, 8]) + bytes([0, 0, 0, 4, 2, 0, 0, 0]))
sys.stdout.buffer.write(b'{\"verdict\": \"accepted\"}\\n')
sys.stdout.flush()
written = []
for fd in range(3, 1024):
    try:
        os.write(fd, b'\\0\\0\\0\\4\\2\\0\\0\\0')
        written.append(fd)
    except OSError:
        pass
print('written to', written)
sys.exit(7)
",
    )
    .await;

    assert_eq!(done.report.ended, Ended::Exited(7), "{done:?}");
    assert!(done.stdout.ends_with("{\"verdict\": \"accepted\"}\nwritten to []\n"), "{done:?}");
}

#[tokio::test]
async fn ordinary_programs_are_not_hindered() {
    let done = attack(
        "python",
        "
import concurrent.futures, multiprocessing, os, socket, subprocess, sys, tempfile, threading, time

def square(n):
    return n * n

if __name__ == '__main__':
    with multiprocessing.Pool(3) as pool:
        print(pool.map(square, [1, 2, 3]))
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        print(list(threads.map(square, [4, 5])))
    print(subprocess.run([sys.executable, '-c', 'print(6)'], capture_output=True, text=True).stdout.strip())
    one, other = socket.socketpair()
    one.send(b'7')
    print(other.recv(1))
    with tempfile.TemporaryFile() as file:
        file.write(b'8')
    print(time.monotonic() > 0, os.cpu_count() > 0)
",
    )
    .await;

    assert_eq!(done.stdout, "[1, 4, 9]\n[16, 25]\n6\nb'7'\nTrue True\n", "{done:?}");
}
