//! How much running a program in a container adds to the least it can cost, and what Docker's own way costs.
//!
//! In turns, within one run: the floor (fork, exec, pipe, wait of a static C program that says hello), the same
//! program as one more command over the attach transport, as a submission of its own in a warm container, and
//! by `docker run --rm` (on an engine that sees our folders).
//!
//! Wants the tests' engine (`GUICHET_TEST_DOCKER_HOST`) and the agent: `scripts/bench.sh round_trip`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "a tool")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guichet::domain::exercise::{Isolation, SourceFile};
use guichet::domain::ids::RuntimeId;
use guichet::domain::runtime::Runtime;
use guichet::pool::{Container, Pool, Settings};
use guichet_agent::{Ended, Exec, Limits};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const ROUNDS: usize = 10;
const RUNS: usize = 200;
const DOCKER_RUNS: usize = 3;
const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(folder.path());
    let settings = settings();
    let address = settings.hosts[0].clone();
    let pool = Pool::start(settings, Arc::new(languages()), &TaskTracker::new(), CancellationToken::new());
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for _ in 0..RUNS {
            time(&mut times[0], async || drop(Command::new(&program).output().unwrap())).await;
        }
        let mut container = claim(&pool).await;
        compile_inside(&mut container).await;
        for _ in 0..RUNS {
            time(&mut times[1], async || run(&mut container, &["./program"], false).await).await;
        }
        container.release(Isolation::Reset).await;
        for _ in 0..RUNS {
            time(&mut times[2], async || submission(&pool).await).await;
        }
        for _ in 0..DOCKER_RUNS {
            time(&mut times[3], async || docker_run(&address, folder.path())).await;
        }
    }
    pool.shutdown().await;
    let floor = median(&mut times[0]).as_secs_f64();
    for (name, times) in ["floor", "command", "submission", "docker run"].iter().zip(&mut times) {
        let middle = median(times);
        let high = times[times.len() * 95 / 100];
        println!(
            "{name:12} median {middle:>9.1?}  p95 {high:>9.1?}  {:.2} x the floor",
            middle.as_secs_f64() / floor
        );
    }
}

async fn time(times: &mut Vec<Duration>, mut what: impl AsyncFnMut()) {
    let start = Instant::now();
    what().await;
    times.push(start.elapsed());
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn compile(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("main.c"), HELLO).unwrap();
    let status =
        Command::new("gcc").args(["-O2", "-static", "-o", "hello", "main.c"]).current_dir(folder).status();
    assert!(status.unwrap().success());
    folder.join("hello")
}

fn settings() -> Settings {
    let host = std::env::var("GUICHET_TEST_DOCKER_HOST");
    Settings {
        hosts: vec![host.unwrap_or_else(|_| "unix:///tmp/engine/docker.sock".to_owned())],
        slots: Some(1),
        agent_path: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/agent/guichet-agent"),
        installation: Uuid::new_v4(),
        boot: Uuid::new_v4(),
        warm_per_runtime: 1,
    }
}

fn languages() -> BTreeMap<RuntimeId, Runtime> {
    let mut all = guichet::runtimes::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("runtimes")).unwrap();
    all.retain(|id, _| id.as_str() == "c");
    all
}

async fn claim(pool: &Pool) -> Container {
    let c: RuntimeId = "c".parse().unwrap();
    let mut free = pool.free();
    loop {
        free.wait_for(|free| free.runtimes.contains(&c)).await.unwrap();
        if let Some(container) = pool.claim(&c).await {
            return container;
        }
    }
}

async fn compile_inside(container: &mut Container) {
    container.prepare(&[SourceFile { path: "main.c".to_owned(), content: HELLO.into() }]);
    run(container, &["/usr/bin/gcc", "-O2", "-static", "-o", "program", "main.c"], true).await;
}

/// Claims, sends a file, runs a command that does as little as the floor's, empties, gives back.
async fn submission(pool: &Pool) {
    let mut container = claim(pool).await;
    container.prepare(&[SourceFile { path: "main.c".to_owned(), content: HELLO.into() }]);
    run(&mut container, &["/lib64/ld-linux-x86-64.so.2", "--version"], false).await;
    container.release(Isolation::Reset).await;
}

async fn run(container: &mut Container, argv: &[&str], keep: bool) {
    let exec = Exec {
        argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(),
        env: vec![b"PATH=/usr/bin:/bin".to_vec(), b"TMPDIR=/tmp".to_vec()],
        limits: Limits {
            cpu_time_ms: 10_000,
            wall_time_ms: 20_000,
            memory_bytes: 256 << 20,
            output_bytes: 65_536,
            processes: 32,
        },
        keep,
    };
    let report = container.exec(exec, b"", &CancellationToken::new(), &mut |_, _| {}).await.unwrap();
    assert_eq!(report.ended, Ended::Exited(0));
}

fn docker_run(address: &str, folder: &Path) {
    let mount = format!("{}:/bench:ro", folder.display());
    let status = Command::new("docker")
        .args(["--host", address, "run", "--rm", "--network", "none", "--volume", &mount, "guichet-c:1"])
        .arg("/bench/hello")
        .output();
    assert!(status.unwrap().status.success());
}
