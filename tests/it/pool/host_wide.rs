//! What a program learns of the host, and what of the host's it could use up; docs/security.md lists it.

use super::attacks::{EACCES, ENOENT, EPERM, all_refused, attack};
use crate::support::engine::root;

#[tokio::test]
async fn no_pseudo_terminal_can_be_made() {
    all_refused(
        &[EPERM, ENOENT, EACCES],
        &[
            ("posix_openpt", "posix_openpt(O_RDWR)"),
            ("ptmx", "open(\"/dev/ptmx\", O_RDWR)"),
            ("pts-ptmx", "open(\"/dev/pts/ptmx\", O_RDWR)"),
            ("mknod-ptmx", "mknod(\"ptmx\", S_IFCHR | 0666, (5 << 8) | 2)"),
            ("pts-0", "open(\"/dev/pts/0\", O_RDWR)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn huge_pages_are_out_of_reach() {
    all_refused(
        &[EPERM],
        &[
            (
                "mmap",
                "mmap(0, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED ? -1 : 0",
            ),
            ("memfd_create", "memfd_create(\"huge\", MFD_HUGETLB)"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_program_cannot_raise_its_own_protection() {
    let done = attack(
        "python",
        "
import os
taken = []
for pid in ('self', os.getppid(), 1):
    for score in (999, 0, -1000):
        try:
            open(f'/proc/{pid}/oom_score_adj', 'w').write(str(score))
            taken.append((pid, score))
        except OSError:
            pass
print(taken, open('/proc/self/oom_score_adj').read().strip())
",
    )
    .await;

    assert_eq!(done.stdout, "[] 1000\n", "{done:?}");
}

#[tokio::test]
async fn host_paths_and_names_are_not_told() {
    let done = attack(
        "python",
        "
import os, socket
print(open('/proc/self/cgroup').read().replace(':', ' '))
print(os.uname().nodename, os.environ.get('HOSTNAME'))
for path in ('/proc/loadavg', '/proc/keys', '/proc/key-users', '/proc/locks', '/proc/timer_list', '/proc/interrupts',
             '/proc/cmdline', '/proc/config.gz', '/proc/modules', '/proc/kallsyms', '/proc/partitions', '/proc/diskstats',
             '/proc/swaps'):
    try:
        print(path, len(open(path).read()))
    except OSError as error:
        print(path, 0)
print(os.listdir('/sys'))
",
    )
    .await;

    assert!(!done.stdout.contains("docker") && !done.stdout.contains("guichet"), "{done:?}");
    assert!(done.stdout.contains("\nbox None\n"), "{done:?}");
    assert!(done.stdout.lines().filter(|line| line.starts_with("/proc/")).all(|line| line.ends_with(" 0")));
    assert!(done.stdout.ends_with("[]\n"), "{done:?}");
}

#[tokio::test]
async fn of_mounts_only_the_engine_s_own_folders_are_told() {
    let done = attack("python", "print(open('/proc/self/mountinfo').read())").await;

    let mounts: Vec<Vec<&str>> = done
        .stdout
        .lines()
        .map(|line| line.split(' ').collect())
        .filter(|line: &Vec<_>| line.len() > 5)
        .collect();
    let shared: Vec<&str> =
        mounts.iter().filter(|mount| mount[4] == "/.guichet/socket").map(|mount| mount[3]).collect();
    assert!(shared.len() == 1 && shared[0].starts_with("/guichet-"), "{shared:?}");
    let here = root().to_str().expect("a path").to_owned();
    // Of the root the kernel names the layers, and of its name for the container the engine's folder.
    let is_engine_s = |line: &&str| line.contains(" / / ") || line.contains("/data/containers/");
    let telling = done.stdout.lines().find(|line| line.contains(&here) && !is_engine_s(line));
    assert_eq!(telling, None, "{done:?}");
}

#[tokio::test]
async fn a_compilation_reads_no_boot_line() {
    let done = attack(
        "c",
        "#include \"/proc/cmdline\"
__asm__(\".include \\\"/proc/cmdline\\\"\");
#include <stdio.h>
int main(void) { puts(\"nothing was in it\"); return 0; }",
    )
    .await;

    assert_eq!(done.stdout, "nothing was in it\n", "{done:?}");
}
