//! A container without an engine: namespaces, a read-only root, tmpfs folders, a slot's cgroups, few capabilities.

pub mod container;

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    process::ChildStdin,
    sync::mpsc::{Receiver, sync_channel},
    time::Duration,
};

use guichet_agent::{
    Clean, Decoder, Exec, Hello, Limits, Reply, Report, Request, Setup, Stream, UsageSource, VERSION, encode,
};

pub use self::container::{Cgroups, Container, Place, Sharing};

/// First uid of the slot that the tests play.
pub const FIRST_UID: u32 = 30_000;

/// Number of uids of that slot.
pub const UID_COUNT: u32 = 3;

/// Limits that a well-behaved command stays below.
pub const LIMITS: Limits = Limits {
    cpu_time_ms: 5_000,
    wall_time_ms: 10_000,
    memory_bytes: 64 << 20,
    start_memory_bytes: 0,
    output_bytes: 1 << 20,
    processes: 32,
};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An agent in its container, and the connection to it.
pub struct TestAgent {
    pub container: Container,
    input: Option<Input>,
    replies: Receiver<Reply>,
    pub hello: Hello,
}

/// Where requests go in.
enum Input {
    Streams(ChildStdin),
    Socket(UnixStream),
}

impl Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Streams(stdin) => stdin.write_all(bytes),
            Self::Socket(socket) => socket.write_all(bytes),
        }
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    pub report: Report,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Outcome {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

impl TestAgent {
    /// An agent that measures by the slot's cgroups.
    pub fn start() -> Self {
        Self::start_in(Container::start(Cgroups::Slot, Place::First, Sharing::None))
    }

    /// An agent that finds no cgroups.
    pub fn start_without_cgroups() -> Self {
        Self::start_in(Container::start(Cgroups::None, Place::First, Sharing::None))
    }

    /// An agent that is not process 1.
    pub fn start_later() -> Self {
        Self::start_in(Container::start(Cgroups::Slot, Place::Later, Sharing::None))
    }

    /// An agent that shares a folder with us and waits for the choice.
    pub fn start_shared() -> Self {
        Self::start_in(Container::start(Cgroups::Slot, Place::First, Sharing::Shared))
    }

    /// An agent that is spoken to over its socket.
    pub fn start_on_socket() -> Self {
        let mut agent = Self::start_shared();
        agent.connect();
        agent
    }

    /// Goes on over the socket, and closes our end of the streams at once.
    pub fn connect(&mut self) {
        let socket = UnixStream::connect(self.container.socket()).unwrap();
        self.replies = receive(socket.try_clone().unwrap());
        self.input = Some(Input::Socket(socket));
    }

    fn start_in(mut container: Container) -> Self {
        let (input, output) = container.streams();
        let replies = receive(output);
        let hello =
            Hello { version: 0, usage_source: UsageSource::Rusage, weaknesses: vec![], listens: false };
        let input = Some(Input::Streams(input));
        let mut agent = Self { container, input, replies, hello };
        agent.send(&[Request::Setup(Setup { version: VERSION, first_uid: FIRST_UID, uid_count: UID_COUNT })]);
        match agent.receive() {
            Reply::Hello(hello) => agent.hello = hello,
            other => panic!("{other:?} in place of the hello"),
        }
        agent
    }

    /// Sends requests in one write.
    pub fn send(&mut self, requests: &[Request]) {
        let mut bytes = Vec::new();
        for request in requests {
            encode(request, &mut bytes).unwrap();
        }
        self.send_bytes(&bytes);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let sent = self.input.as_mut().unwrap().write(bytes);
        assert!(sent.is_ok(), "the agent is gone, it said {:?}", self.replies.try_iter().collect::<Vec<_>>());
    }

    pub fn receive(&mut self) -> Reply {
        self.replies.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Ends the connection.
    pub fn hang_up(&mut self) {
        if let Some(Input::Socket(socket)) = self.input.take() {
            socket.shutdown(Shutdown::Both).unwrap();
        }
    }

    pub fn begin(&mut self) {
        self.send(&[Request::Begin]);
    }

    pub fn write(&mut self, path: &str, bytes: &[u8]) {
        self.send(&[Request::Write { path: path.to_owned(), append: false, bytes: bytes.to_vec() }]);
    }

    pub fn run(&mut self, exec: Exec) -> Outcome {
        self.run_with(exec, b"")
    }

    pub fn run_with(&mut self, exec: Exec, input: &[u8]) -> Outcome {
        self.send(&[Request::Exec(exec), Request::Stdin { bytes: input.to_vec(), last: true }]);
        self.outcome()
    }

    /// Collects output up to the next report.
    pub fn outcome(&mut self) -> Outcome {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match self.receive() {
                Reply::Output { stream: Stream::Stdout, bytes } => stdout.extend(bytes),
                Reply::Output { stream: Stream::Stderr, bytes } => stderr.extend(bytes),
                Reply::StdinTaken { .. } => {}
                Reply::Report(report) => return Outcome { report, stdout, stderr },
                other => panic!("{other:?} while a command runs"),
            }
        }
    }

    pub fn end(&mut self) -> Clean {
        self.send(&[Request::End]);
        match self.receive() {
            Reply::Clean(clean) => clean,
            other => panic!("{other:?} in place of clean"),
        }
    }

    /// One command in a submission of its own, after which the container must be clean.
    pub fn run_alone(&mut self, exec: Exec) -> Outcome {
        self.begin();
        let outcome = self.run(exec);
        assert_eq!(self.end(), Clean { ok: true, problems: vec![] });
        outcome
    }
}

fn receive(mut output: impl Read + Send + 'static) -> Receiver<Reply> {
    // Few, so that a test that does not receive holds the agent up.
    let (sender, replies) = sync_channel(4);
    std::thread::spawn(move || {
        let mut decoder = Decoder::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = output.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                return;
            }
            decoder.push(&buffer[..count]);
            while let Some(reply) = decoder.pull().unwrap() {
                if sender.send(reply).is_err() {
                    return;
                }
            }
        }
    });
    replies
}

/// A command with the usual environment and limits.
pub fn command(argv: &[&str]) -> Exec {
    Exec {
        argv: argv.iter().map(|text| text.as_bytes().to_vec()).collect(),
        env: vec![b"PATH=/usr/bin:/bin".to_vec(), b"HOME=/tmp".to_vec()],
        limits: LIMITS,
        keep: false,
    }
}

/// A shell script.
pub fn shell(script: &str) -> Exec {
    command(&["/bin/sh", "-c", script])
}

/// One of the things that `victim.c` does.
pub fn victim(deed: &str) -> Exec {
    command(&["/victim", deed])
}

/// A command with other limits.
pub fn limited(mut exec: Exec, change: impl FnOnce(&mut Limits)) -> Exec {
    change(&mut exec.limits);
    exec
}

/// A command whose files stay.
pub fn keeping(mut exec: Exec) -> Exec {
    exec.keep = true;
    exec
}
