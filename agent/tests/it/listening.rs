//! The socket: who gets it, who does not, and that a conversation over it is the same.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

use guichet_agent::{Reply, Request, StoppedBy, encode};

use crate::support::{TestAgent, limited, shell, victim};

#[test]
fn a_conversation_goes_on_over_the_socket_and_the_streams_are_closed() {
    let mut agent = TestAgent::start_shared();
    assert!(agent.hello.listens);
    let open = |agent: &TestAgent, kind: &str| {
        agent.container.open_files().iter().filter(|file| file.starts_with(kind)).count()
    };
    let (pipes, sockets) = (open(&agent, "pipe:"), open(&agent, "socket:"));

    agent.connect();

    assert_eq!(agent.run_alone(victim("hello")).text(), "hello\n");
    assert_eq!(open(&agent, "pipe:"), pipes - 2, "the streams are still open");
    assert_eq!(open(&agent, "socket:"), sockets + 1, "two directions in place of a listener");
}

#[test]
fn an_agent_without_a_folder_to_write_to_does_not_listen() {
    let agent = TestAgent::start();

    assert!(!agent.hello.listens);
}

#[test]
fn who_is_not_root_may_connect_but_must_be_let_into_the_folder() {
    let agent = TestAgent::start_shared();

    let socket = std::fs::metadata(agent.container.socket()).unwrap();

    assert_eq!(socket.permissions().mode() & 0o777, 0o666);
}

#[test]
fn one_connection_is_taken_and_no_other_ever() {
    let mut agent = TestAgent::start_shared();
    let path = agent.container.socket();
    agent.connect();
    // It may come before the listener is closed or after.
    let mut second = UnixStream::connect(&path);

    agent.send(&[Request::Ping]);
    assert_eq!(agent.receive(), Reply::Pong);

    if let Ok(second) = &mut second {
        let mut ping = Vec::new();
        encode(&Request::Ping, &mut ping).unwrap();
        let sent = second.write_all(&ping);
        let answered = second.read(&mut [0; 8]);
        assert!(sent.is_err() || !matches!(answered, Ok(1..)), "a second one was taken: {answered:?}");
    }
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(agent.run_alone(victim("hello")).text(), "hello\n");
}

#[test]
fn a_request_on_the_streams_ends_the_offer() {
    let mut agent = TestAgent::start_shared();

    agent.send(&[Request::Ping]);

    assert_eq!(agent.receive(), Reply::Pong);
    let late = UnixStream::connect(agent.container.socket());
    assert_eq!(late.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(agent.run_alone(victim("hello")).text(), "hello\n");
}

#[test]
fn the_end_of_the_streams_while_nobody_has_connected_ends_the_agent() {
    let mut agent = TestAgent::start_shared();

    agent.hang_up();

    assert_eq!(agent.container.wait_for_end(), Some(0));
    assert!(!agent.container.socket().exists());
}

#[test]
fn a_termination_signal_ends_an_agent_that_waits_for_the_choice() {
    let mut agent = TestAgent::start_shared();

    agent.container.signal_agent("TERM");

    assert_eq!(agent.container.wait_for_end(), Some(0));
}

#[test]
fn a_connection_that_ends_without_a_word_ends_the_agent() {
    let mut agent = TestAgent::start_on_socket();

    agent.hang_up();

    assert_eq!(agent.container.wait_for_end(), Some(0));
}

#[test]
fn an_abort_is_seen_while_the_command_writes_more_than_anybody_reads() {
    let mut agent = TestAgent::start_on_socket();
    agent.begin();
    let flood = limited(shell("yes"), |limits| limits.output_bytes = 1 << 30);
    agent.send(&[Request::Exec(flood), Request::Stdin { bytes: vec![], last: true }]);
    assert!(matches!(agent.receive(), Reply::Output { .. }));

    agent.send(&[Request::Abort]);

    assert_eq!(agent.outcome().report.stopped_by, Some(StoppedBy::Abort));
}

#[test]
fn a_command_reaches_neither_the_folder_nor_the_connection() {
    let mut agent = TestAgent::start_on_socket();

    let script = "ls /.guichet/socket 2>&1; touch /.guichet/socket/agent 2>&1; ls -l /proc/self/fd";
    let tried = agent.run_alone(shell(script));

    assert_eq!(tried.text().matches("Permission denied").count(), 2, "{tried:?}");
    assert!(tried.text().contains("pipe:") && !tried.text().contains("socket:"), "{tried:?}");
}
