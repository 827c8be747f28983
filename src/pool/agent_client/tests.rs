//! Conversations with agents that fail, lie or dawdle, played here.

use guichet_agent::{Clean, Ended, Limits, STDIN_WINDOW_BYTES, UsageSource, encode};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::*;

/// An agent played by the test.
struct Agent {
    stream: UnixStream,
    decoder: Decoder,
}

impl Agent {
    async fn hear(&mut self) -> Request {
        loop {
            if let Some(request) = self.decoder.pull().unwrap() {
                return request;
            }
            let mut buffer = vec![0; 65_536];
            let count = self.stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the client hung up");
            self.decoder.push(&buffer[..count]);
        }
    }

    async fn say(&mut self, reply: &Reply) {
        let mut bytes = Vec::new();
        encode(reply, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn hear_exec(&mut self) {
        while !matches!(self.hear().await, Request::Exec(_)) {}
    }
}

fn transport() -> (Transport, Agent) {
    let (ours, stream) = UnixStream::pair().unwrap();
    (ours.into(), Agent { stream, decoder: Decoder::new() })
}

fn hello(version: u32) -> Reply {
    let usage_source = UsageSource::CgroupV1;
    Reply::Hello(Hello { version, usage_source, weaknesses: Vec::new(), listens: false })
}

const SETUP: Setup = Setup { version: VERSION, first_uid: 1, uid_count: 1 };

async fn greeted() -> (AgentClient, Agent) {
    let (transport, mut agent) = transport();
    agent.say(&hello(VERSION)).await;
    let (client, _) = AgentClient::greet(transport, SETUP).await.unwrap();
    assert_eq!(agent.hear().await, Request::Setup(SETUP));
    (client, agent)
}

fn command(wall_time_ms: u64) -> Exec {
    let limits = Limits {
        cpu_time_ms: 1,
        wall_time_ms,
        memory_bytes: 1 << 20,
        start_memory_bytes: 0,
        output_bytes: 10,
        processes: 1,
    };
    Exec { argv: vec![b"./program".to_vec()], env: Vec::new(), limits, keep: false }
}

fn report() -> Reply {
    Reply::Report(Report {
        ended: Ended::Exited(0),
        stopped_by: None,
        cpu_time_us: 1,
        wall_time_us: 1,
        memory_bytes: 1,
        oom_kills: 0,
        process_refusals: 0,
        output_bytes: 0,
        stdout_dropped_bytes: 0,
        stderr_dropped_bytes: 0,
        orphans: 0,
    })
}

async fn run(client: &mut AgentClient, stdin: &[u8]) -> Result<Report, Error> {
    client.exec(command(60_000), stdin, &CancellationToken::new(), &mut |_, _| {}).await
}

#[tokio::test]
async fn files_a_command_and_its_input_go_out_without_waiting_for_an_answer() {
    let (mut client, mut agent) = greeted().await;
    client.open(&[SourceFile { path: "a".to_owned(), content: "x".into() }]).unwrap();

    let (ended, ()) = tokio::join!(run(&mut client, b"in"), async {
        assert_eq!(agent.hear().await, Request::Begin);
        let write = Request::Write { path: "a".to_owned(), append: false, bytes: b"x".to_vec() };
        assert_eq!(agent.hear().await, write);
        assert_eq!(agent.hear().await, Request::Exec(command(60_000)));
        assert_eq!(agent.hear().await, Request::Stdin { bytes: b"in".to_vec(), last: true });
        agent.say(&report()).await;
    });

    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn a_long_file_goes_out_in_pieces() {
    let (mut client, mut agent) = greeted().await;
    let content = vec![7; 600 << 10];
    client.open(&[SourceFile { path: "a".to_owned(), content: content.clone().into() }]).unwrap();

    let (ended, received) = tokio::join!(run(&mut client, b""), async {
        let mut received = Vec::new();
        let mut appends = Vec::new();
        assert_eq!(agent.hear().await, Request::Begin);
        while let Request::Write { append, bytes, .. } = agent.hear().await {
            appends.push(append);
            received.extend(bytes);
        }
        assert_eq!(appends, [false, true, true]);
        agent.say(&report()).await;
        received
    });

    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(received, content);
}

#[tokio::test]
async fn no_more_input_goes_out_than_the_command_has_room_for() {
    let (mut client, mut agent) = greeted().await;
    let stdin = vec![1; 1 << 20];

    let (ended, received) = tokio::join!(run(&mut client, &stdin), async {
        agent.hear_exec().await;
        let mut received = 0;
        loop {
            let mut ahead = 0;
            while ahead < STDIN_WINDOW_BYTES {
                let Request::Stdin { bytes, last } = agent.hear().await else { panic!("only input comes") };
                ahead += bytes.len();
                if last {
                    agent.say(&report()).await;
                    return received + ahead;
                }
            }
            assert_eq!(agent.decoder.pending_bytes(), 0, "more than the window");
            received += ahead;
            agent.say(&Reply::StdinTaken { bytes: u64::try_from(ahead).unwrap() }).await;
        }
    });

    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(received, stdin.len());
}

#[tokio::test]
async fn an_abort_goes_out_before_the_rest_of_the_input() {
    let (mut client, mut agent) = greeted().await;
    let (stdin, abort) = (vec![1; 1 << 20], CancellationToken::new());
    let mut sink = |_, _: &[u8]| {};

    let ((), ended) = tokio::join!(
        async {
            agent.hear_exec().await;
            abort.cancel();
            while agent.hear().await != Request::Abort {}
            agent.say(&report()).await;
        },
        client.exec(command(60_000), &stdin, &abort, &mut sink)
    );

    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn an_agent_of_another_version_is_refused() {
    let (transport, mut agent) = transport();
    agent.say(&hello(VERSION + 1)).await;

    let greeted = AgentClient::greet(transport, SETUP).await;

    assert!(matches!(greeted, Err(Error::Version(_))), "{greeted:?}");
}

#[tokio::test]
async fn an_agent_that_hangs_up_ends_the_conversation() {
    let (mut client, mut agent) = greeted().await;

    let (ended, ()) = tokio::join!(run(&mut client, b""), async {
        agent.hear_exec().await;
        drop(agent);
    });

    assert!(matches!(ended, Err(Error::Closed | Error::Transport(_))), "{ended:?}");
}

#[tokio::test]
async fn garbage_ends_the_conversation() {
    let (mut client, mut agent) = greeted().await;

    let (ended, ()) = tokio::join!(run(&mut client, b""), async {
        agent.hear_exec().await;
        agent.stream.write_all(b"{\"verdict\": \"accepted\"}").await.unwrap();
    });

    assert!(matches!(ended, Err(Error::Frame(_))), "{ended:?}");
}

#[tokio::test]
async fn more_output_than_the_limit_ends_the_conversation() {
    let (mut client, mut agent) = greeted().await;
    let mut heard = Vec::new();
    let (abort, mut sink) = (CancellationToken::new(), |_, bytes: &[u8]| heard.extend_from_slice(bytes));

    let (ended, ()) = tokio::join!(client.exec(command(60_000), b"", &abort, &mut sink), async {
        agent.hear_exec().await;
        agent.say(&Reply::Output { stream: Stream::Stdout, bytes: vec![b'a'; 10] }).await;
        agent.say(&Reply::Output { stream: Stream::Stderr, bytes: vec![b'b'; 1] }).await;
    });

    assert!(matches!(ended, Err(Error::Unexpected(_))), "{ended:?}");
    assert_eq!(heard, vec![b'a'; 10]);
}

/// An agent that says this again and again, until the client hangs up.
async fn flooded_by(reply: Reply) -> Result<Report, Error> {
    let (mut client, mut agent) = greeted().await;
    let mut bytes = Vec::new();
    while bytes.len() < 65_536 {
        encode(&reply, &mut bytes).unwrap();
    }
    let flood = async {
        agent.hear_exec().await;
        while agent.stream.write_all(&bytes).await.is_ok() {}
    };
    let (abort, mut sink) = (CancellationToken::new(), |_, _: &[u8]| {});
    tokio::select! {
        ended = client.exec(command(1), b"", &abort, &mut sink) => ended,
        () = flood => panic!("the client hung up without a word"),
    }
}

#[tokio::test]
async fn output_without_a_byte_ends_the_conversation() {
    let ended = flooded_by(Reply::Output { stream: Stream::Stdout, bytes: Vec::new() }).await;

    assert!(matches!(ended, Err(Error::Unexpected("output without a byte"))), "{ended:?}");
}

#[tokio::test]
async fn no_input_taken_ends_the_conversation() {
    let ended = flooded_by(Reply::StdinTaken { bytes: 0 }).await;

    assert!(matches!(ended, Err(Error::Unexpected("no input taken"))), "{ended:?}");
}

#[tokio::test]
async fn a_second_report_is_not_taken_for_that_of_the_next_command() {
    let (mut client, mut agent) = greeted().await;
    let (ended, ()) = tokio::join!(run(&mut client, b""), async {
        agent.hear_exec().await;
        agent.say(&report()).await;
        agent.say(&report()).await;
    });
    assert!(ended.is_ok(), "{ended:?}");

    let next = run(&mut client, b"").await;

    assert!(matches!(next, Err(Error::Unexpected(_))), "{next:?}");
}

#[tokio::test]
async fn a_report_that_does_not_come_is_not_waited_for_beyond_the_limit_and_a_little() {
    let (mut client, _agent) = greeted().await;
    let begun = Instant::now();

    let ended = client.exec(command(1), b"", &CancellationToken::new(), &mut |_, _| {}).await;

    assert!(matches!(ended, Err(Error::Late(_))), "{ended:?}");
    assert!(begun.elapsed() < COMMAND_SILENCE * 3, "{:?}", begun.elapsed());
}

/// A command of no wall time whose input is taken in pieces of so many bytes, each behind more than half of the silence
/// that is borne.
async fn taken_slowly(piece: u64) -> Result<Report, Error> {
    let (mut client, mut agent) = greeted().await;
    let stdin = vec![1; 1 << 20];
    let taking = async {
        agent.hear_exec().await;
        for _ in 0..3 {
            tokio::time::sleep(COMMAND_SILENCE * 3 / 5).await;
            agent.say(&Reply::StdinTaken { bytes: piece }).await;
        }
        agent.say(&report()).await;
        loop {
            agent.hear().await;
        }
    };
    let (abort, mut sink) = (CancellationToken::new(), |_, _: &[u8]| {});
    tokio::select! {
        ended = client.exec(command(1), &stdin, &abort, &mut sink) => ended,
        () = taking => panic!("it listens for ever"),
    }
}

#[tokio::test]
async fn a_command_whose_input_takes_its_time_is_waited_for() {
    let half = u64::try_from(STDIN_WINDOW_BYTES / 2).unwrap();

    let ended = taken_slowly(half).await;

    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn input_taken_byte_by_byte_prolongs_nothing() {
    let ended = taken_slowly(1).await;

    assert!(matches!(ended, Err(Error::Late("report"))), "{ended:?}");
}

#[tokio::test]
async fn an_agent_that_gives_up_says_why() {
    let (mut client, mut agent) = greeted().await;

    let (ended, ()) = tokio::join!(run(&mut client, b""), async {
        agent.hear_exec().await;
        agent.say(&Reply::Fault { message: "no memory".to_owned() }).await;
    });

    assert_eq!(ended.unwrap_err().to_string(), "the agent gave up: no memory");
}

#[tokio::test]
async fn an_agent_that_has_not_answered_for_a_while_is_asked_whether_it_is_there() {
    let (mut client, mut agent) = greeted().await;
    client.answered_at -= MOMENT;

    let (looked, ()) = tokio::join!(client.look(), async {
        assert_eq!(agent.hear().await, Request::Ping);
        agent.say(&Reply::Pong).await;
    });

    assert!(looked.is_ok(), "{looked:?}");
    client.answered_at = Instant::now() + MOMENT;
    client.look().await.unwrap();
    drop(client);
    assert_eq!(agent.stream.read(&mut [0]).await.unwrap(), 0, "it was asked again");
}

#[tokio::test]
async fn an_agent_that_does_not_say_that_it_is_there_is_late() {
    let (mut client, _agent) = greeted().await;
    client.answered_at -= MOMENT;

    let looked = client.look().await;

    assert!(matches!(looked, Err(Error::Late("answer"))), "{looked:?}");
}

#[tokio::test]
async fn an_agent_that_is_gone_is_known_to_be_though_it_answered_just_now() {
    let (mut client, agent) = greeted().await;
    drop(agent);
    // The end arrives.
    tokio::time::sleep(MOMENT).await;
    client.answered_at = Instant::now() + MOMENT;

    let looked = client.look().await;

    assert!(matches!(looked, Err(Error::Closed | Error::Transport(_))), "{looked:?}");
}

#[tokio::test]
async fn closing_tells_what_the_agent_found() {
    let (mut client, mut agent) = greeted().await;
    let found = Clean { ok: false, problems: vec!["a process".to_owned()] };

    let (closed, ()) = tokio::join!(client.close(), async {
        assert_eq!(agent.hear().await, Request::End);
        agent.say(&Reply::Clean(found.clone())).await;
    });

    assert_eq!(closed.unwrap(), found);
}
