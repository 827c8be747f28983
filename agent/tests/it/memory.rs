//! What counts as a command's memory, how exactly, and what that leaves behind.

use std::{
    fs::File,
    os::fd::AsRawFd,
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};

use guichet_agent::{Ended, Exec, Reply, Report, Request, StoppedBy};

use crate::support::{TestAgent, command, limited, shell, victim};

const MIB: u64 = 1 << 20;

/// What a verdict may be off by.
const TOLERANCE: u64 = 2 * MIB;

fn adding(bytes: u64, kind: &str, limit: u64) -> Exec {
    let kib = (bytes >> 10).to_string();
    limited(command(&["/victim", "add", &kib, kind]), |limits| limits.memory_bytes = limit)
}

fn has_room(report: &Report) -> bool {
    report.stopped_by.is_none() && report.ended == Ended::Exited(0)
}

fn is_stopped(report: &Report, limit: u64) -> bool {
    report.stopped_by == Some(StoppedBy::Memory) && report.memory_bytes > limit
}

#[test]
fn every_kind_of_memory_counts_and_is_limited_within_2_mib() {
    let mut agent = TestAgent::start();

    for limit in [16 * MIB, 40 * MIB] {
        for kind in ["private", "shared", "file in memory", "temporary files", "children"] {
            let within = agent.run_alone(adding(limit - TOLERANCE, kind, limit));
            let beyond = agent.run_alone(adding(limit + TOLERANCE, kind, limit)).report;

            assert!(has_room(&within.report), "{kind}: {within:?}");
            assert!(within.report.memory_bytes.abs_diff(limit - TOLERANCE) < TOLERANCE, "{kind}: {within:?}");
            assert!(is_stopped(&beyond, limit), "{kind}: {beyond:?}");
        }
    }
}

#[test]
fn up_to_1_gib_the_kernels_page_tables_do_not_count() {
    let mut agent = TestAgent::start();
    let limit = 1024 * MIB;

    let within = agent.run_alone(adding(limit - TOLERANCE, "private", limit)).report;
    let beyond = agent.run_alone(adding(limit + TOLERANCE, "private", limit)).report;

    assert!(has_room(&within), "{within:?}");
    assert!(is_stopped(&beyond, limit), "{beyond:?}");
}

#[test]
fn pages_of_files_never_count_whether_they_were_read_before_or_not() {
    let mut agent = TestAgent::start();
    let limit = 24 * MIB;
    let read = |adds: u64| {
        let kib = (adds >> 10).to_string();
        let script = format!("cat {} > /dev/null; exec /victim add {kib} private", large_file());
        limited(shell(&script), |limits| limits.memory_bytes = limit)
    };

    for _ in 0..3 {
        forget_pages(large_file());
        for _ in 0..2 {
            let within = agent.run_alone(read(limit - TOLERANCE)).report;
            let beyond = agent.run_alone(read(limit + TOLERANCE)).report;
            assert!(has_room(&within), "{within:?}");
            assert!(within.memory_bytes.abs_diff(limit - TOLERANCE) < TOLERANCE, "{within:?}");
            assert!(is_stopped(&beyond, limit), "{beyond:?}");
        }
    }
}

#[test]
fn a_command_that_exceeds_its_limit_for_a_moment_is_told_so() {
    let mut agent = TestAgent::start();

    let report = agent.run_alone(adding(66 * MIB, "private", 64 * MIB)).report;

    assert!(is_stopped(&report, 64 * MIB), "{report:?}");
    assert!(report.memory_bytes < 68 * MIB, "{report:?}");
}

#[test]
fn a_command_that_the_kernel_kills_for_want_of_memory_is_told_as_one_beyond_its_limit() {
    let mut agent = TestAgent::start();
    let limit = 16 * MIB;
    let grow = shell("echo ready; sleep 1; exec /victim add 524288 private");

    agent.begin();
    agent.send(&[
        Request::Exec(limited(grow, |limits| limits.memory_bytes = limit)),
        Request::Stdin { bytes: vec![], last: true },
    ]);
    while !matches!(agent.receive(), Reply::Output { .. }) {}
    // While it stands still, no one but the kernel can stop the command.
    agent.container.signal_agent("STOP");
    let deadline = Instant::now() + Duration::from_secs(10);
    while agent.container.oom_kills() == 0 {
        assert!(Instant::now() < deadline, "the kernel killed nothing");
        std::thread::yield_now();
    }
    agent.container.signal_agent("CONT");
    let report = agent.outcome().report;

    assert_eq!(report.ended, Ended::Signaled(libc::SIGKILL), "{report:?}");
    assert!(is_stopped(&report, limit), "{report:?}");
    assert!(agent.end().ok);
}

#[test]
fn a_page_counts_as_a_page_also_where_the_kernel_has_huge_ones() {
    let mut agent = TestAgent::start();

    let report = agent.run_alone(adding(512 * MIB, "sparse", 16 * MIB)).report;

    assert!(has_room(&report), "{report:?}");
    assert!(report.memory_bytes < 4 * MIB, "{report:?}");
}

#[test]
fn the_stack_grows_to_the_memory_limit_and_threads_keep_a_size_of_their_own() {
    let mut agent = TestAgent::start();
    let run = |agent: &mut TestAgent, deed: &[&str]| {
        let argv: Vec<_> = ["/victim"].iter().chain(deed).copied().collect();
        agent.run_alone(limited(command(&argv), |limits| limits.memory_bytes = 128 * MIB))
    };

    let within = run(&mut agent, &["down", "120"]);
    let beyond = run(&mut agent, &["down", "1000000"]).report;
    let thread = run(&mut agent, &["stack of a thread"]);

    assert_eq!((within.text(), within.report.stopped_by), ("1\n", None), "{within:?}");
    assert!(is_stopped(&beyond, 128 * MIB), "{beyond:?}");
    let kib: u64 = thread.text().trim().parse().unwrap();
    assert!((1024..=8192).contains(&kib), "{kib} KiB");
}

#[test]
fn whatever_ran_before_small_commands_measure_the_same() {
    let mut agent = TestAgent::start();
    let before =
        [victim("hello"), shell("ls -lR /usr/lib > /dev/null"), adding(48 * MIB, "children", 64 * MIB)];

    let measured: Vec<_> = before
        .into_iter()
        .map(|exec| {
            agent.run_alone(exec);
            agent.run_alone(victim("hello")).report.memory_bytes
        })
        .collect();

    assert!(measured.iter().all(|bytes| (1..MIB).contains(bytes)), "{measured:?}");
}

/// A file of some 30 MiB that the container sees, too, and that hardly any process has mapped.
fn large_file() -> &'static str {
    static FILE: LazyLock<String> = LazyLock::new(|| {
        let told = Command::new("cc").arg("-print-prog-name=cc1").output().unwrap();
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    });
    &FILE
}

/// Lets the kernel forget what it keeps of a file.
fn forget_pages(path: &str) {
    let file = File::open(path).unwrap();
    // SAFETY: no memory is involved.
    let forgotten = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(forgotten, 0);
}
