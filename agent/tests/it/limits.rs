//! What a command may use, and what it is told that stopped it.

use std::time::Duration;

use guichet_agent::{Ended, Exec, MEMORY_ROOM_BYTES, Reply, Request, StoppedBy};

use crate::support::{Outcome, TestAgent, limited, shell, victim};

#[test]
fn cpu_time_is_limited() {
    let mut agent = TestAgent::start();

    let report = agent.run_alone(limited(victim("spin"), |limits| limits.cpu_time_ms = 200)).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::CpuTime));
    assert_eq!(report.ended, Ended::Signaled(9));
    assert!((200_000..400_000).contains(&report.cpu_time_us), "{report:?}");
}

#[test]
fn cpu_time_of_children_that_nobody_waits_for_counts() {
    let mut agent = TestAgent::start();

    let report =
        agent.run_alone(limited(victim("spin in children"), |limits| limits.cpu_time_ms = 200)).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::CpuTime));
    assert!((200_000..400_000).contains(&report.cpu_time_us), "{report:?}");
}

#[test]
fn cpu_time_is_limited_without_cgroups_too() {
    let mut agent = TestAgent::start_without_cgroups();

    let report = agent.run_alone(limited(victim("spin"), |limits| limits.cpu_time_ms = 200)).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::CpuTime));
}

#[test]
fn wall_time_is_limited_whatever_signals_are_ignored() {
    let mut agent = TestAgent::start();

    for deed in ["ignore", "stop itself"] {
        let report = agent.run_alone(limited(victim(deed), |limits| limits.wall_time_ms = 150)).report;
        assert_eq!(report.stopped_by, Some(StoppedBy::WallTime), "{deed}");
        assert!((150_000..600_000).contains(&report.wall_time_us), "{report:?}");
        assert!(report.cpu_time_us < 100_000, "{report:?}");
    }
}

/// Twice the wall limit of the commands that are held up.
#[expect(clippy::disallowed_methods, reason = "there is no signal for time that is not counted")]
fn let_the_wall_limit_pass() {
    std::thread::sleep(Duration::from_secs(2));
}

/// Writes two mebibytes, then does this.
fn write_much_and(then: &str) -> Exec {
    let double =
        "x=0123456789abcde; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do x=$x$x; done; echo $x";
    limited(shell(&format!("{double}; {then}")), |limits| {
        limits.output_bytes = 16 << 20;
        limits.wall_time_ms = 1000;
    })
}

/// Runs a command whose output is not taken for longer than its wall limit.
fn run_held_up(exec: Exec) -> Outcome {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.send(&[Request::Exec(exec), Request::Stdin { bytes: Vec::new(), last: true }]);
    assert!(matches!(agent.receive(), Reply::Output { .. }));
    let_the_wall_limit_pass();
    agent.outcome()
}

#[test]
fn a_command_that_waits_for_its_output_to_be_taken_spends_no_wall_time() {
    let report = run_held_up(write_much_and("exit 3")).report;

    assert_eq!((report.ended, report.stopped_by), (Ended::Exited(3), None), "{report:?}");
    assert!(report.wall_time_us < 1_000_000, "{report:?}");
}

#[test]
fn the_wall_limit_holds_again_when_the_output_is_taken() {
    let report = run_held_up(write_much_and("sleep 100")).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::WallTime));
    assert!((1_000_000..2_000_000).contains(&report.wall_time_us), "{report:?}");
}

#[test]
fn a_command_that_has_read_all_that_was_sent_spends_no_wall_time() {
    let mut agent = TestAgent::start();
    agent.begin();
    let reader = limited(shell("read line; read line; exit 3"), |limits| limits.wall_time_ms = 1000);
    let line = |last| Request::Stdin { bytes: b"line\n".to_vec(), last };

    agent.send(&[Request::Exec(reader), line(false)]);
    let_the_wall_limit_pass();
    agent.send(&[line(true)]);

    let report = agent.outcome().report;
    assert_eq!((report.ended, report.stopped_by), (Ended::Exited(3), None), "{report:?}");
    assert!(report.wall_time_us < 1_000_000, "{report:?}");
}

/// Whether a command was stopped beyond its limit, and before the kernel's own.
fn between(limit: u64, measured: u64) -> bool {
    limit < measured && measured <= limit + MEMORY_ROOM_BYTES
}

#[test]
fn memory_is_limited() {
    let mut agent = TestAgent::start();

    let report = agent.run_alone(limited(victim("eat"), |limits| limits.memory_bytes = 16 << 20)).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::Memory));
    assert_eq!(report.ended, Ended::Signaled(9));
    assert!(between(16 << 20, report.memory_bytes), "{report:?}");
}

#[test]
fn memory_of_a_child_stops_the_command() {
    let mut agent = TestAgent::start();

    let report =
        agent.run_alone(limited(victim("eat in a child"), |limits| limits.memory_bytes = 16 << 20)).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::Memory));
    assert!(between(16 << 20, report.memory_bytes), "{report:?}");
}

#[test]
fn memory_is_limited_without_cgroups_too() {
    let mut agent = TestAgent::start_without_cgroups();

    let report = agent.run_alone(limited(victim("eat"), |limits| limits.memory_bytes = 16 << 20)).report;

    assert_eq!(report.stopped_by, Some(StoppedBy::Memory));
}

#[test]
fn address_space_is_not_limited() {
    let mut agent = TestAgent::start();
    assert_eq!(agent.run_alone(victim("reserve")).text(), "reserved\n");
}

#[test]
fn files_count_as_memory_and_the_next_command_starts_from_zero() {
    let mut agent = TestAgent::start();
    agent.begin();

    let full =
        agent.run(limited(shell("cat /dev/zero > big"), |limits| limits.memory_bytes = 8 << 20)).report;
    let after = agent.run(victim("hello")).report;

    assert!(full.memory_bytes > 7 << 20, "{full:?}");
    assert!(after.memory_bytes < 4 << 20, "{after:?}");
    assert!(agent.end().ok);
}

#[test]
fn the_memory_of_a_command_is_never_told_as_none() {
    let mut agent = TestAgent::start();

    for _ in 0..20 {
        agent.begin();
        agent.run(shell("cat /dev/null > small"));
        let report = agent.run(victim("hello")).report;

        assert!((1..4 << 20).contains(&report.memory_bytes), "{report:?}");
        assert!(agent.end().ok);
    }
}

#[test]
fn output_is_cut_at_its_limit_and_its_writer_killed() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(limited(victim("flood"), |limits| limits.output_bytes = 100_000));

    assert_eq!(outcome.report.stopped_by, Some(StoppedBy::Output));
    assert_eq!(outcome.stdout.len(), 100_000);
    assert!(outcome.report.output_bytes > 100_000);
    let dropped = (outcome.report.stdout_dropped_bytes, outcome.report.stderr_dropped_bytes);
    assert_eq!(dropped, (outcome.report.output_bytes - 100_000, 0));
    assert!(outcome.report.wall_time_us < 2_000_000);
}

#[test]
fn output_of_exactly_the_limit_is_no_offence() {
    let mut agent = TestAgent::start();

    let outcome =
        agent.run_alone(limited(shell("printf 123; printf 456 >&2"), |limits| limits.output_bytes = 6));

    assert_eq!((outcome.report.stopped_by, outcome.report.ended), (None, Ended::Exited(0)));
    assert_eq!((outcome.stdout, outcome.stderr), (b"123".to_vec(), b"456".to_vec()));
}

#[test]
fn output_that_passes_the_limit_just_before_the_end_is_told() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(limited(shell("printf 1234567"), |limits| limits.output_bytes = 6));

    assert_eq!(outcome.report.stopped_by, Some(StoppedBy::Output));
    assert_eq!(outcome.stdout, b"123456");
}

#[test]
fn threads_count_as_processes_and_refusals_are_told() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(limited(victim("threads"), |limits| limits.processes = 8));

    assert_eq!(outcome.text(), "7\n");
    assert_eq!(outcome.report.process_refusals, 1);
    assert_eq!(outcome.report.ended, Ended::Exited(0));
}

#[test]
fn a_command_may_have_just_one_process() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(limited(victim("hello"), |limits| limits.processes = 1));

    assert_eq!((outcome.text(), outcome.report.process_refusals), ("hello\n", 0));
}

#[test]
fn an_abort_reaches_a_command_that_does_not_read() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.send(&[Request::Exec(limited(victim("ignore"), |limits| limits.wall_time_ms = 60_000))]);
    for _ in 0..5 {
        agent.send(&[Request::Stdin { bytes: vec![0; 1000 << 10], last: false }]);
    }
    agent.send(&[Request::Abort, Request::Ping]);

    assert_eq!(agent.outcome().report.stopped_by, Some(StoppedBy::Abort));
    assert_eq!(agent.receive(), Reply::Pong);
}
