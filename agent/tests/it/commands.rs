//! What a command sees, and how its end is told.

use guichet_agent::{Ended, Request, StoppedBy, UsageSource};

use crate::support::{FIRST_UID, TestAgent, command, limited, shell, victim};

#[test]
fn a_container_as_it_should_be_has_no_weakness() {
    let agent = TestAgent::start();

    assert_eq!(agent.hello.weaknesses, Vec::<String>::new());
    assert_eq!(agent.hello.usage_source, UsageSource::CgroupV1);
}

#[test]
fn a_command_says_hello() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(victim("hello"));

    assert_eq!(outcome.text(), "hello\n");
    assert_eq!(outcome.report.ended, Ended::Exited(0));
    assert_eq!(outcome.report.stopped_by, None);
    assert_eq!((outcome.report.output_bytes, outcome.report.orphans), (6, 0));
    assert!((50..500_000).contains(&outcome.report.cpu_time_us), "{:?}", outcome.report);
    assert!(outcome.report.memory_bytes < 4 << 20, "{:?}", outcome.report);
}

#[test]
fn a_command_without_cgroups_is_measured_by_wait() {
    let mut agent = TestAgent::start_without_cgroups();

    let outcome = agent.run_alone(victim("hello"));

    assert_eq!(agent.hello.usage_source, UsageSource::Rusage);
    assert_eq!(agent.hello.weaknesses, ["cgroup"]);
    assert_eq!((outcome.text(), outcome.report.ended), ("hello\n", Ended::Exited(0)));
}

#[test]
fn both_streams_exit_code_and_input_go_their_ways() {
    let mut agent = TestAgent::start();
    agent.begin();

    let outcome = agent.run_with(shell("cat; echo oops >&2; exit 42"), b"some input\0\xff");

    assert_eq!(outcome.stdout, b"some input\0\xff");
    assert_eq!(outcome.stderr, b"oops\n");
    assert_eq!(outcome.report.ended, Ended::Exited(42));
}

#[test]
fn a_signal_is_told_and_is_no_limit() {
    let mut agent = TestAgent::start();
    for (signal, number) in [("SEGV", 11), ("KILL", 9), ("XCPU", 24)] {
        let outcome = agent.run_alone(shell(&format!("kill -{signal} $$")));
        assert_eq!(outcome.report.ended, Ended::Signaled(number));
        assert_eq!(outcome.report.stopped_by, None);
    }
}

#[test]
fn a_program_that_does_not_exist_is_not_started() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(command(&["/missing"]));

    assert_eq!(outcome.report.ended, Ended::NotStarted(libc_enoent()));
}

fn libc_enoent() -> i32 {
    std::io::Error::from(std::io::ErrorKind::NotFound).raw_os_error().unwrap_or(2)
}

#[test]
fn a_command_has_no_rights_and_only_what_it_was_given() {
    let mut agent = TestAgent::start();
    agent.begin();

    let status =
        agent.run(shell("grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|SigIgn|SigBlk)' /proc/self/status"));
    let environment = agent.run(command(&["/usr/bin/env"]));
    let folder = agent.run(command(&["/usr/bin/pwd"]));
    let descriptors = agent.run(victim("descriptors"));
    let limits = agent.run(victim("limits"));
    let score = agent.run(victim("less oom score"));

    let uid = FIRST_UID;
    let expected = format!(
        "Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\nGroups:\t \n\
         SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n\
         CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
         CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
    );
    assert_eq!(status.text(), expected);
    assert_eq!(environment.text(), "PATH=/usr/bin:/bin\nHOME=/tmp\n");
    assert_eq!(folder.text(), "/w/work\n");
    assert_eq!(descriptors.text(), "0 1 2 ");
    assert_eq!(limits.text(), "256 0 1 19");
    assert_eq!(score.text(), "1000\n");
}

#[test]
fn a_command_opens_its_streams_by_every_name() {
    let mut agent = TestAgent::start();
    agent.begin();

    for name in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "/proc/thread-self/fd/0", "/proc/$$/fd/0"] {
        assert_eq!(
            agent.run_with(shell(&format!("exec cat < {name}")), b"given\n").text(),
            "given\n",
            "{name}"
        );
    }
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let outcome = agent.run(shell(&format!("echo one > {name}; echo two >> {name}; echo three")));
        assert_eq!(outcome.text(), "one\ntwo\nthree\n", "{name}");
    }
    for name in ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"] {
        let outcome = agent.run(shell(&format!("echo one > {name}; echo two >> {name}")));
        assert_eq!((outcome.text(), outcome.stderr.as_slice()), ("", b"one\ntwo\n".as_slice()), "{name}");
    }
}

#[test]
fn a_command_has_a_name_and_a_home() {
    let mut agent = TestAgent::start();

    for uid in FIRST_UID..FIRST_UID + 2 {
        let outcome =
            agent.run_alone(shell("id; getent passwd $(id -u); getent passwd student; echo ~student"));
        let entry = format!("student:x:{uid}:{uid}:student:/tmp:/bin/sh\n");
        let id = format!("uid={uid}(student) gid={uid}(student) groups={uid}(student)\n");
        assert_eq!(outcome.text(), format!("{id}{entry}{entry}/tmp\n"));
    }
}

#[test]
fn each_submission_has_the_next_uid_of_the_range() {
    let mut agent = TestAgent::start();

    let uids: Vec<String> =
        (0..4).map(|_| agent.run_alone(shell("id -u")).text().trim().to_owned()).collect();

    assert_eq!(uids, ["30000", "30001", "30002", "30000"]);
}

#[test]
fn input_larger_than_any_buffer_arrives_whole() {
    let mut agent = TestAgent::start();
    let piece = vec![b'x'; 256 << 10];
    agent.begin();
    agent.send(&[Request::Exec(shell("wc -c"))]);
    for _ in 0..40 {
        agent.send(&[Request::Stdin { bytes: piece.clone(), last: false }]);
    }
    agent.send(&[Request::Stdin { bytes: vec![], last: true }]);

    assert_eq!(agent.outcome().text().trim(), "10485760");
}

#[test]
fn a_program_that_never_reads_its_input_ends_as_it_likes() {
    let mut agent = TestAgent::start();
    agent.begin();
    let input = vec![b'x'; 900 << 10];

    let ignoring = agent.run_with(shell("exit 3"), &input);
    let closing = agent.run_with(shell("exec <&-; echo done"), &input);

    assert_eq!(ignoring.report.ended, Ended::Exited(3));
    assert_eq!(closing.text(), "done\n");
    assert!(agent.end().ok);
}

#[test]
fn a_conversation_over_the_streams_is_possible() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.send(&[Request::Exec(shell("read a; echo got $a; read b; echo and $b"))]);

    agent.send(&[Request::Stdin { bytes: b"one\n".to_vec(), last: false }]);
    let first = agent.receive();
    agent.send(&[Request::Stdin { bytes: b"two\n".to_vec(), last: true }]);
    let rest = agent.outcome();

    assert!(matches!(first, guichet_agent::Reply::Output { bytes, .. } if bytes == b"got one\n"));
    assert_eq!(rest.text(), "and two\n");
}

#[test]
fn a_survivor_that_holds_the_output_open_does_not_delay_the_end() {
    let mut agent = TestAgent::start();

    let outcome = agent.run_alone(victim("daemon"));

    assert_eq!(outcome.text(), "parent\n");
    assert_eq!(outcome.report.ended, Ended::Exited(0));
    assert_eq!(outcome.report.orphans, 1);
    assert!(outcome.report.wall_time_us < 2_000_000);
}

#[test]
fn an_abort_ends_the_command_and_leaves_nothing() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.send(&[Request::Exec(limited(victim("ignore"), |limits| limits.wall_time_ms = 60_000))]);

    agent.send(&[Request::Abort]);

    let report = agent.outcome().report;
    assert_eq!(report.stopped_by, Some(StoppedBy::Abort));
    assert_eq!(report.ended, Ended::Signaled(9));
    assert!(agent.end().ok);
    assert_eq!(agent.container.tasks(), 1);
}
