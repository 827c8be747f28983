//! What more than one Docker host costs: a call over TLS beside one over the engine's socket, a dispatch with 1, 10 and 100
//! hosts known, and a second engine on the same machine.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a tool")]
#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "small numbers of its own"
)]
#![expect(dead_code, reason = "the benches share more than this one needs")]

#[path = "../tests/it/support/authority.rs"]
mod authority;
mod support {
    pub mod client;
    pub mod engine;
    pub mod in_flight;
    pub mod pool;
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use guichet::domain::exercise::Isolation;
use guichet::pool::endpoint::Endpoint;
use guichet::pool::image::{Images, Presence};
use tokio::runtime::Runtime;

use authority::{Authority, Period};
use support::in_flight::in_flight;
use support::pool::OwnPool;
use support::report::Target::{AtLeast, AtMost};
use support::series::{Series, Spread};
use support::service::{Build, Service};
use support::{engine, report, temporary};

const ROUNDS: usize = 10;
const CALLS: usize = 200;
/// An image that no engine has: the call costs the engine next to nothing.
const IMAGE: &str = "guichet-bench-none:1";
/// Hosts that are known at a time; all but one are out of reach.
const KNOWN: [usize; 3] = [1, 10, 100];
const DISPATCHES: usize = 300;
/// Submissions of a round on one engine, and on two.
const GRADED: usize = 160;
const IN_FLIGHT: usize = 8;

/// An engine of the bench's own, at a socket and behind TLS.
struct Engine {
    folder: PathBuf,
    socket: Endpoint,
    tls: Endpoint,
}

fn main() {
    let folder = temporary::folder();
    let own = Engine::start(folder.path());
    let threads = Runtime::new().expect("threads");
    calls(&threads, &own);
    dispatches(&threads);
    throughput(&own);
}

fn calls(threads: &Runtime, engine: &Engine) {
    let (mut socket, mut tls) = (Series::default(), Series::default());
    threads.block_on(async {
        let by_socket = Images::connect(engine.socket.clone()).await.expect("the engine");
        let by_tls = Images::connect(engine.tls.clone()).await.expect("the engine");
        for _ in 0..ROUNDS {
            measure(&by_socket, &mut socket).await;
            measure(&by_tls, &mut tls).await;
        }
    });
    report::times("A call to an engine");
    report::time("over its socket", &socket);
    report::time("over TLS, warm", &tls);
    report::figures();
    let ratio = Spread::ratio(&tls.middles(), &socket.middles());
    report::figure("over TLS / over its socket", ratio, " ×", Some(AtMost(1.5)));
}

/// A warm container is taken and given back unused.
fn dispatches(threads: &Runtime) {
    let mut series = KNOWN.map(|_| Series::default());
    threads.block_on(async {
        let pools = KNOWN.map(|known| {
            let away = (1..known).map(|number| format!("unix:///nonexistent/{number}.sock"));
            OwnPool::start(std::iter::once(engine::address()).chain(away), "python", None)
        });
        for pool in &pools {
            pool.claim().await.release(Isolation::Reset).await;
        }
        for _ in 0..ROUNDS {
            for (pool, series) in pools.iter().zip(&mut series) {
                let mut times = Vec::with_capacity(DISPATCHES);
                for _ in 0..DISPATCHES {
                    let begun = Instant::now();
                    pool.claim().await.release(Isolation::Reset).await;
                    times.push(begun.elapsed());
                }
                series.push(times);
            }
        }
        for pool in pools {
            pool.stop().await;
        }
    });
    report::times("A dispatch in the pool");
    for (known, series) in KNOWN.iter().zip(&series) {
        report::time(&format!("{known} hosts known"), series);
    }
    report::figures();
    for (known, of_many) in KNOWN.iter().zip(&series).skip(1) {
        let ratio = Spread::ratio(&of_many.middles(), &series[0].middles());
        report::figure(&format!("with {known} hosts / with 1"), ratio, " ×", Some(AtMost(2.0)));
    }
}

/// One engine, beside two engines of the same machine, each with a slot for each core: what the second one costs.
fn throughput(second: &Engine) {
    build_images(&second.socket.url);
    let build = Build::of_ours();
    let both = format!("{},{}", engine::address(), second.socket.url);
    let (one, two) = (Service::start_on(&build, &engine::address()), Service::start_on(&build, &both));
    let (mut on_one, mut on_two) = (Vec::new(), Vec::new());
    for service in [&one, &two] {
        service.put_sum();
        in_flight(service, IN_FLIGHT, GRADED);
    }
    for _ in 0..ROUNDS {
        on_one.push(in_flight(&one, IN_FLIGHT, GRADED).1);
        on_two.push(in_flight(&two, IN_FLIGHT, GRADED).1);
    }
    report::figures();
    report::figure("graded a second, one engine", Spread::of(&on_one), "/s", None);
    report::figure("graded a second, two engines of the same cores", Spread::of(&on_two), "/s", None);
    report::figure("two engines / one", Spread::ratio(&on_two, &on_one), " ×", Some(AtLeast(0.9)));
}

fn build_images(url: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["runtime", "build"])
        .env("GUICHET_DOCKER_HOSTS", url);
    engine::output(command.env("GUICHET_EXECUTION__AGENT_PATH", engine::agent_path()));
}

async fn measure(images: &Images, series: &mut Series) {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begun = Instant::now();
        let presence = images.presence(IMAGE, None).await;
        times.push(begun.elapsed());
        assert_eq!(presence.expect("an answer"), Presence::Missing);
    }
    series.push(times);
}

impl Engine {
    fn start(folder: &Path) -> Self {
        let certs = folder.join("certs");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("tcp://{}", free.local_addr().expect("its address"));
        drop(free);
        Authority::new().write(&certs, &["127.0.0.1".to_owned()], Period::Now);
        let folder = folder.join("engine");
        let file = |name: &str| certs.join(name).to_string_lossy().into_owned();
        let mut command = script();
        command.arg("up").arg(&folder).args(["--tlsverify", "--host", &url]);
        for (option, name) in [("--tlscacert", "ca.pem"), ("--tlscert", "cert.pem"), ("--tlskey", "key.pem")]
        {
            command.args([option, &file(name)]);
        }
        let started = command.output().expect("scripts/engine.sh runs");
        assert!(started.status.success(), "engine.sh up: {}", String::from_utf8_lossy(&started.stderr));
        let socket = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        Self {
            folder,
            socket: Endpoint { url: socket, certs: None },
            tls: Endpoint { url, certs: Some(certs) },
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let ended = script().arg("down").arg(&self.folder).status();
        assert!(ended.is_ok_and(|status| status.success()), "engine.sh down");
    }
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh"))
}
