//! How the agent begins and ends, and what it refuses.

use guichet_agent::{Clean, Reply, Request};

use crate::support::{TestAgent, limited, shell, victim};

/// Begins a command that says that it is up and then sleeps for longer than a test takes.
fn begin_sleeping(agent: &mut TestAgent) {
    agent.begin();
    agent.send(&[Request::Exec(limited(shell("echo up; sleep 100"), |limits| limits.wall_time_ms = 60_000))]);
    assert!(matches!(agent.receive(), Reply::Output { .. }));
}

/// Over the standard streams and over the socket.
const BOTH_WAYS: [fn() -> TestAgent; 2] = [TestAgent::start, TestAgent::start_on_socket];

#[test]
fn a_whole_submission_can_be_sent_ahead() {
    let mut agent = TestAgent::start();

    agent.send(&[
        Request::Begin,
        Request::Write { path: "greeting".into(), append: false, bytes: b"hello ".to_vec() },
        Request::Exec(shell("cat greeting -")),
        Request::Stdin { bytes: b"world".to_vec(), last: true },
        Request::Exec(shell("cat")),
        Request::Stdin { bytes: b"again".to_vec(), last: true },
        Request::End,
        Request::Ping,
    ]);

    assert_eq!(agent.outcome().text(), "hello world");
    assert_eq!(agent.outcome().text(), "again");
    assert_eq!(agent.receive(), Reply::Clean(Clean { ok: true, problems: vec![] }));
    assert_eq!(agent.receive(), Reply::Pong);
}

#[test]
fn the_end_of_the_connection_ends_everything() {
    for start in BOTH_WAYS {
        let mut agent = start();
        begin_sleeping(&mut agent);

        agent.hang_up();

        assert_eq!(agent.container.wait_for_end(), Some(0));
    }
}

#[test]
fn the_end_of_the_connection_is_seen_behind_input_that_nobody_takes() {
    for start in BOTH_WAYS {
        let mut agent = start();
        begin_sleeping(&mut agent);
        for _ in 0..10 {
            agent.send(&[Request::Stdin { bytes: vec![0; 900 << 10], last: false }]);
        }

        agent.hang_up();

        assert_eq!(agent.container.wait_for_end(), Some(0));
    }
}

#[test]
fn a_termination_signal_ends_the_agent_while_a_command_runs() {
    let mut agent = TestAgent::start();
    begin_sleeping(&mut agent);

    agent.container.signal_agent("TERM");

    assert_eq!(agent.container.wait_for_end(), Some(0));
}

#[test]
fn requests_out_of_order_are_faults() {
    let orders: [&[Request]; 4] = [
        &[Request::End],
        &[Request::Exec(victim("hello"))],
        &[Request::Begin, Request::Begin],
        &[Request::Write { path: "x".into(), append: false, bytes: vec![] }],
    ];
    for requests in orders {
        let mut agent = TestAgent::start();
        agent.send(requests);
        assert!(matches!(agent.receive(), Reply::Fault { .. }), "{requests:?}");
        assert_eq!(agent.container.wait_for_end(), Some(1));
    }
}

#[test]
fn garbage_is_a_fault() {
    let mut agent = TestAgent::start();

    agent.send_bytes(&[0xff; 64]);

    assert!(matches!(agent.receive(), Reply::Fault { .. }));
    assert_eq!(agent.container.wait_for_end(), Some(1));
}

#[test]
fn system_v_objects_that_are_left_make_the_container_unclean() {
    let mut agent = TestAgent::start();
    agent.begin();

    let made = agent.run(shell("ipcmk -Q"));

    assert!(made.text().contains("id"), "{made:?}");
    let clean = agent.end();
    assert!(!clean.ok);
    assert_eq!(clean.problems, ["1 objects in /proc/sysvipc/msg"]);
}

#[test]
fn an_agent_that_is_not_process_1_ends_daemons_and_bombs_too() {
    let mut agent = TestAgent::start_later();
    let bomb = limited(victim("fork bomb of daemons"), |limits| limits.wall_time_ms = 300);

    let daemon = agent.run_alone(victim("daemon"));
    let bomb = agent.run_alone(bomb);

    assert_eq!(agent.hello.weaknesses, ["pid namespace"]);
    assert_eq!((daemon.text(), daemon.report.orphans), ("parent\n", 1));
    assert!(bomb.report.process_refusals > 0, "{bomb:?}");
    assert_eq!(agent.container.tasks(), 2, "the agent and its shell");
}

#[test]
fn many_submissions_do_not_wear_the_agent_out() {
    let mut agent = TestAgent::start();

    for _ in 0..300 {
        let outcome = agent.run_alone(victim("hello"));
        assert_eq!(outcome.text(), "hello\n");
    }

    assert_eq!(agent.container.tasks(), 1);
}
