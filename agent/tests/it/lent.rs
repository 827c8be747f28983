//! Files that one command finds and the next does not, and files that Guichet reads back.

use guichet_agent::{Ended, READ_BYTES, Reply, Request};

use crate::support::{TestAgent, keeping, shell};

fn lend(agent: &mut TestAgent, path: &str, bytes: &[u8]) {
    agent.send(&[Request::Lend { path: path.to_owned(), append: false, bytes: bytes.to_vec() }]);
}

fn read_from(agent: &mut TestAgent, path: &str, offset: u64, most_bytes: u64) -> (Option<u64>, Vec<u8>) {
    agent.send(&[Request::Read { path: path.to_owned(), offset, most_bytes }]);
    match agent.receive() {
        Reply::File { length, bytes } => (length, bytes),
        other => panic!("{other:?} in place of a file"),
    }
}

fn read(agent: &mut TestAgent, path: &str) -> Option<Vec<u8>> {
    let (length, bytes) = read_from(agent, path, 0, u64::MAX);
    length.map(|_length| bytes)
}

#[test]
fn a_lent_file_is_there_for_one_command_over_what_else_has_its_path() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("same", b"kept\n");
    agent.write("folder/inside", b"inside\n");
    lend(&mut agent, "same", b"lent\n");
    lend(&mut agent, "folder", b"a file\n");
    lend(&mut agent, "new/deep", b"deep\n");

    let first = agent.run(shell("cat same folder new/deep; echo changed > same; rm new/deep"));
    let second = agent.run(shell("cat same folder/inside; ls -d new"));

    assert_eq!(first.text(), "lent\na file\ndeep\n");
    assert_eq!(second.text(), "kept\ninside\n");
    assert!(agent.end().ok);
}

#[test]
fn a_lent_file_comes_in_pieces_and_to_a_program_that_was_built() {
    let mut agent = TestAgent::start();
    agent.begin();
    let built = agent.run(keeping(shell("printf '#!/bin/sh\\nwc -c < big\\n' > program; chmod 755 program")));
    let half = vec![b'x'; 700 << 10];
    for _ in 0..3 {
        agent.send(&[
            Request::Lend { path: "big".into(), append: false, bytes: half.clone() },
            Request::Lend { path: "big".into(), append: true, bytes: half.clone() },
        ]);
        assert_eq!(agent.run(shell("./program")).text(), "1433600\n");
    }

    assert_eq!(built.report.ended, Ended::Exited(0));
    assert_eq!(agent.run(shell("ls")).text(), "program\n");
}

#[test]
fn what_a_command_left_can_be_read_until_the_next_one_runs() {
    let mut agent = TestAgent::start();
    agent.begin();
    agent.write("given", b"given");

    agent.run(shell("mkdir out; echo 42 > out/score; head -c 300000 /dev/zero > big; chmod 0 out/score out"));

    assert_eq!(read(&mut agent, "out/score").as_deref(), Some(&b"42\n"[..]));
    assert_eq!(read(&mut agent, "given").as_deref(), Some(&b"given"[..]));
    let (length, start) = read_from(&mut agent, "big", 0, u64::MAX);
    assert_eq!((length, start.len()), (Some(300_000), READ_BYTES));
    let (_, rest) = read_from(&mut agent, "big", READ_BYTES as u64, u64::MAX);
    assert_eq!(rest.len(), 300_000 - READ_BYTES);
    assert_eq!(read_from(&mut agent, "big", 299_999, 7).1.len(), 1);
    assert_eq!(read_from(&mut agent, "big", 400_000, 7), (Some(300_000), vec![]));
    agent.run(shell("true"));
    assert_eq!(read(&mut agent, "out/score"), None);
    assert!(agent.end().ok);
}

#[test]
fn no_link_pipe_or_folder_is_read_and_none_holds_the_agent_up() {
    let mut agent = TestAgent::start();
    agent.begin();

    agent.run(shell(
        "mkdir folder; echo secret > folder/file; ln -s folder/file link; ln -s folder way; ln -s /etc/passwd users; \
         mkfifo pipe; ln -s loop loop",
    ));

    for path in ["link", "way/file", "users", "pipe", "folder", "loop", "loop/x", "none", "folder/file/x"] {
        assert_eq!(read(&mut agent, path), None, "{path}");
    }
    assert!(agent.end().ok);
}

#[test]
fn a_path_that_leads_elsewhere_ends_the_agent() {
    for path in ["../passwd", "/etc/passwd", "a//b", ""] {
        let mut agent = TestAgent::start();
        agent.begin();
        agent.send(&[Request::Read { path: path.to_owned(), offset: 0, most_bytes: 1 }]);
        assert!(matches!(agent.receive(), Reply::Fault { .. }), "{path}");
    }
}
