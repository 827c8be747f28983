//! What a run costs that goes through the pool and the agent of a warm container, over the engine's API and over the
//! agent's own socket, beside the least it can cost (fork, exec, pipe, wait on the host) and beside `docker run`: the same
//! static program, in turns.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a tool")]
#![expect(clippy::indexing_slicing, reason = "small numbers of its own")]

mod support {
    pub mod engine;
    pub mod floor;
    pub mod pool;
    pub mod report;
    pub mod series;
    pub mod temporary;
}

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use guichet::domain::exercise::{Isolation, SourceFile};
use guichet::pool::{Container, TransportKind};
use guichet_agent::{Ended, Exec, Limits};
use tokio_util::sync::CancellationToken;

use support::engine::{docker, output};
use support::floor::{Floor, Task, serve_if_asked};
use support::pool::OwnPool;
use support::report::Target::{AtLeast, AtMost};
use support::series::{Series, Spread};
use support::{engine, report, temporary};

const ROUNDS: usize = 10;
const RUNS: usize = 200;
const DOCKER_RUNS: usize = 2;

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";
const COMPILE: [&str; 7] = ["/usr/bin/gcc", "-O2", "-static", "-s", "-o", "hello", "hello.c"];
/// A name that nobody else has on the engine.
const IMAGE: &str = "guichet-bench-hello:1";

#[derive(Default)]
struct Measured {
    floor: Series,
    attach: Series,
    socket: Series,
    docker_run: Series,
}

fn main() {
    if serve_if_asked() {
        return;
    }
    let folder = temporary::folder();
    let root = engine::unpack(&engine::runtime("c").image, folder.path());
    std::fs::write(root.join("w/hello.c"), HELLO).unwrap();
    let compile = Task {
        commands: vec![COMPILE.map(str::to_owned).into()],
        stdin: String::new(),
        stdout: String::new(),
    };
    Floor::start(&root).run(&compile, 1);
    make_image(&root.join("w"));
    let hello = Task {
        commands: vec![vec![root.join("w/hello").to_str().unwrap().to_owned()]],
        stdin: String::new(),
        stdout: "hello\n".to_owned(),
    };
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut floor = Floor::start_on_host();
    let measured = threads.block_on(async {
        let start = |sockets| OwnPool::start([engine::address()], "c", sockets);
        let attach = start(None);
        let socket = start(Some(folder.path().join("sockets")));
        let mut measured = Measured::default();
        for _ in 0..ROUNDS {
            measured.floor.push(floor.run(&hello, RUNS));
            measured.attach.push(round(&attach, TransportKind::Attach).await);
            measured.socket.push(round(&socket, TransportKind::Socket).await);
            measured.docker_run.measure(DOCKER_RUNS, docker_run);
        }
        attach.stop().await;
        socket.stop().await;
        measured
    });
    output(docker().args(["rmi", IMAGE]));
    tell(&measured);
}

fn tell(measured: &Measured) {
    let Measured { floor, attach, socket, docker_run } = measured;
    report::times("A static C program that says hello");
    report::time("fork + exec + pipe + wait on the host", floor);
    report::time("one command through pool and agent, over the engine's API", attach);
    report::time("one command through pool and agent, over the agent's socket", socket);
    report::time("`docker run --rm`, hardened", docker_run);
    report::figures();
    let (floor, attach, socket) = (floor.middles(), attach.middles(), socket.middles());
    report::figure("over the API / floor", Spread::ratio(&attach, &floor), " ×", Some(AtMost(1.8)));
    report::figure("over the socket / floor", Spread::ratio(&socket, &floor), " ×", Some(AtMost(1.5)));
    report::figure(
        "`docker run` / over the API",
        Spread::ratio(&docker_run.middles(), &attach),
        " ×",
        Some(AtLeast(100.0)),
    );
}

/// An image with nothing in it but the program.
fn make_image(folder: &Path) {
    let archive = folder.join("hello.tar");
    output(Command::new("tar").arg("-C").arg(folder).arg("-cf").arg(&archive).arg("hello"));
    output(docker().arg("import").arg(&archive).arg(IMAGE));
}

fn docker_run() {
    let hardened = [
        "run",
        "--rm",
        "--network=none",
        "--memory=256m",
        "--memory-swap=256m",
        "--pids-limit=64",
        "--cpus=1",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--user=20000:20000",
        "--tmpfs=/tmp",
        "--tmpfs=/w",
        "--log-driver=none",
        IMAGE,
        "/hello",
    ];
    assert_eq!(output(docker().args(hardened)), "hello");
}

async fn round(pool: &OwnPool, transport: TransportKind) -> Vec<Duration> {
    let mut container = pool.claim().await;
    assert_eq!(container.transport(), transport, "the engine has to be one that sees this machine's files");
    container.prepare(&[SourceFile { path: "hello.c".to_owned(), content: HELLO.into() }]);
    exec(&mut container, &COMPILE, true, "").await;
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begun = Instant::now();
        exec(&mut container, &["./hello"], false, "hello\n").await;
        times.push(begun.elapsed());
    }
    container.release(Isolation::Reset).await;
    times
}

async fn exec(container: &mut Container, argv: &[&str], keep: bool, expected: &str) {
    let request = Exec {
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: vec![b"PATH=/usr/bin:/bin".to_vec(), b"TMPDIR=/tmp".to_vec()],
        limits: Limits {
            cpu_time_ms: 10_000,
            wall_time_ms: 20_000,
            memory_bytes: 256 << 20,
            start_memory_bytes: 0,
            output_bytes: 65_536,
            processes: 32,
        },
        keep,
    };
    let mut written = Vec::new();
    let mut take = |_stream, bytes: &[u8]| written.extend_from_slice(bytes);
    let report = container.exec(request, b"", &CancellationToken::new(), &mut take).await.unwrap();
    assert_eq!((report.ended, String::from_utf8(written).unwrap()), (Ended::Exited(0), expected.to_owned()));
}
