//! Engines die, fall silent and come back.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::Docker;
use futures_util::StreamExt;
use guichet::domain::exercise::Isolation;
use guichet::domain::submission::LostReason;
use guichet::pool::{HostState, Settings, TransportKind};
use guichet_agent::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::process::Command;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, ROOMY, SOON, hosts, reason, run_in, shared_engine, wait_for};

const SPIN: &str = "while True: pass";
const LONG: Limits = Limits { cpu_time_ms: 60_000, wall_time_ms: 60_000, ..ROOMY };

/// An engine of one test's own.
pub struct OwnEngine {
    folder: tempfile::TempDir,
    options: &'static [&'static str],
    hidden: Option<PathBuf>,
}

impl OwnEngine {
    pub async fn start(options: &'static [&'static str]) -> Self {
        Self::start_blind(options, None).await
    }

    /// An engine that finds something else where we have the folder `hidden`.
    pub async fn start_blind(options: &'static [&'static str], hidden: Option<PathBuf>) -> Self {
        let engine = Self { folder: tempfile::tempdir_in("/tmp").expect("a folder"), options, hidden };
        engine.up().await;
        let (from, to) = (connect(&shared_engine()), connect(&engine.address()));
        let (pieces, image) = tokio::sync::mpsc::channel(4);
        start(async move {
            let mut exported = std::pin::pin!(from.export_image("guichet-python:2"));
            while let Some(piece) = exported.next().await {
                pieces.send(piece).await.expect("the other engine loads the image");
            }
        });
        let image = tokio_stream::wrappers::ReceiverStream::new(image);
        let options = bollard::query_parameters::ImportImageOptionsBuilder::new().build();
        let mut loading = to.import_image_stream(options, image, None);
        while let Some(step) = loading.next().await {
            step.expect("the image is loaded");
        }
        engine
    }

    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    async fn up(&self) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh");
        let mut command = match &self.hidden {
            None => Command::new(script),
            Some(hidden) => {
                let mut command = Command::new("unshare");
                let hide = "mount -t tmpfs none \"$1\" && shift && exec \"$@\"";
                command.args(["--mount", "sh", "-c", hide, "sh"]).arg(hidden).arg(script);
                command
            }
        };
        command.arg("up").arg(self.folder.path()).args(self.options).stdout(Stdio::null());
        assert!(command.status().await.expect("scripts/engine.sh runs").success(), "engine.sh up");
    }

    /// Sends the engine a signal and waits until it is gone.
    async fn end(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("the engine's pid");
        let status = Command::new("kill").arg(signal).arg(pid.trim()).status().await;
        assert!(status.expect("kill runs").success());
        let process = Path::new("/proc").join(pid.trim()).join("cmdline");
        wait_for("end of the engine", Duration::from_secs(30), async || {
            // The command line of a process that waits to be collected is empty.
            std::fs::read(&process).map_or(true, |line| line.is_empty()).then_some(())
        })
        .await;
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh");
        let ended = std::process::Command::new(script).arg("down").arg(self.folder.path()).status();
        assert!(ended.is_ok_and(|status| status.success()), "engine.sh down");
    }
}

pub fn connect(address: &str) -> Docker {
    Docker::connect_with_unix(address, 60, &bollard::ClientVersion { major_version: 1, minor_version: 41 })
        .expect("an engine")
}

/// The engine ends while a program runs, and comes back.
async fn lose_and_find(options: &'static [&'static str], signal: &str, transport: TransportKind) {
    let engine = OwnEngine::start(options).await;
    let settings = Bench::settings_by(transport);
    let bench = Bench::with(Settings { hosts: hosts([engine.address()]), ..settings }).await;
    let mut container = bench.claim("python").await;
    assert_eq!(container.transport(), transport);
    let earlier = bench.containers().await;

    let begun = Instant::now();
    let lost = async {
        let ended = run_in(&mut container, "python", SPIN, LONG).await;
        (reason(&ended), begun.elapsed())
    };
    let ((reason, after), ()) = tokio::join!(lost, engine.end(signal));

    assert_eq!(reason, Some(LostReason::HostLost));
    assert!(after < Duration::from_secs(15), "{after:?}");
    container.release(Isolation::Reset).await;
    engine.up().await;
    assert_eq!(bench.run("python", "print('back')").await.stdout, "back\n");
    let there = bench.containers().await;
    assert!(there.iter().all(|id| !earlier.contains(id)), "of its earlier life {earlier:?}, now {there:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_killed_engine_loses_its_runs_and_serves_again_when_it_is_back() {
    lose_and_find(&[], "-KILL", TransportKind::Socket).await;
}

#[tokio::test]
async fn a_killed_engine_loses_runs_that_went_through_it_and_serves_again_when_it_is_back() {
    lose_and_find(&[], "-KILL", TransportKind::Attach).await;
}

#[tokio::test]
async fn a_stopped_engine_loses_its_runs_and_serves_again_when_it_is_back() {
    lose_and_find(&[], "-TERM", TransportKind::Socket).await;
}

#[tokio::test]
async fn a_stopped_engine_loses_runs_that_went_through_it_and_serves_again_when_it_is_back() {
    lose_and_find(&[], "-TERM", TransportKind::Attach).await;
}

#[tokio::test]
async fn an_engine_that_keeps_containers_alive_loses_runs_that_went_through_it_and_serves_again() {
    lose_and_find(&["--live-restore"], "-KILL", TransportKind::Attach).await;
}

#[tokio::test]
async fn an_engine_that_keeps_containers_alive_loses_its_runs_and_serves_again_when_it_is_back() {
    lose_and_find(&["--live-restore"], "-KILL", TransportKind::Socket).await;
}

#[tokio::test]
async fn a_container_that_another_removes_already_is_gone_when_that_is_said() {
    let bench = Bench::start().await;
    let container = bench.claim("python").await;
    let id = container.id().expect("a container").to_owned();
    let options = bollard::query_parameters::RemoveContainerOptionsBuilder::new().force(true).build();

    let elsewhere = bench.docker.remove_container(&id, Some(options));
    let destroying = async {
        // When this is answered, the engine has begun.
        bench.docker.ping().await.expect("an answer");
        container.destroy().await;
        bench.containers().await
    };
    let (_removed, left) = tokio::join!(elsewhere, destroying);

    assert!(!left.contains(&id), "{left:?}");
    bench.end().await;
}

/// A way to the shared engine that can be made to swallow everything.
struct Valve {
    address: String,
    open: Arc<AtomicBool>,
    closed: CancellationToken,
}

impl Valve {
    /// As an engine on another machine.
    async fn far() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let valve = Self::new(format!("tcp://{}", listener.local_addr().expect("its address")));
        let open = Arc::clone(&valve.open);
        valve.serve(async move {
            while let Ok((client, _)) = listener.accept().await {
                carry_both_ways(client, &open).await;
            }
        })
    }

    /// As an engine on this machine.
    fn near() -> Self {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let valve = Self::new(format!("unix://{}", path.display()));
        let open = Arc::clone(&valve.open);
        valve.serve(async move {
            let _folder = folder;
            while let Ok((client, _)) = listener.accept().await {
                carry_both_ways(client, &open).await;
            }
        })
    }

    fn new(address: String) -> Self {
        Self { address, open: Arc::new(AtomicBool::new(true)), closed: CancellationToken::new() }
    }

    fn serve(self, serving: impl Future<Output = ()> + Send + 'static) -> Self {
        let closed = self.closed.clone();
        start(async move {
            tokio::select! {
                () = serving => {}
                () = closed.cancelled() => {}
            }
        });
        self
    }

    fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "the proxy lives as long as its test")]
fn start(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Joins a client to the shared engine.
async fn carry_both_ways(
    client: impl AsyncReadExt + AsyncWriteExt + Send + Unpin + 'static,
    open: &Arc<AtomicBool>,
) {
    let socket = shared_engine().trim_start_matches("unix://").to_owned();
    let engine = UnixStream::connect(socket).await.expect("the shared engine");
    let (client_read, client_write) = tokio::io::split(client);
    let (engine_read, engine_write) = engine.into_split();
    start(carry(client_read, engine_write, Arc::clone(open)));
    start(carry(engine_read, client_write, Arc::clone(open)));
}

/// Carries bytes; what arrives while the valve is shut is swallowed, and nothing more comes on that connection.
async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    open: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !open.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// A host falls silent while a program runs there, and answers again.
async fn silence_and_find(valve: Valve, transport: TransportKind) {
    let settings = Settings { hosts: hosts([valve.address.clone()]), ..Bench::settings() };
    let bench = Bench::over(connect(&shared_engine()), settings);
    assert_eq!(bench.run("python", "print('here')").await.stdout, "here\n");
    let mut container = bench.claim("python").await;
    assert_eq!(container.transport(), transport);
    let lost = bench.containers_of("python").await;

    let begun = Instant::now();
    valve.set_open(false);
    let ended = run_in(&mut container, "python", SPIN, LONG).await;

    assert_eq!(reason(&ended), Some(LostReason::HostLost), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    container.release(Isolation::Reset).await;
    assert_ne!(bench.states().await[0], HostState::Healthy);
    assert_eq!(bench.pool.free().borrow().total, 0);
    if transport == TransportKind::Socket {
        // Nobody can ask the engine to end it: it ends by itself, because we hang up.
        wait_for("end of the run that was given up", Duration::from_secs(10), async || {
            bench.containers().await.iter().all(|id| !lost.contains(id)).then_some(())
        })
        .await;
    }
    valve.set_open(true);
    assert_eq!(bench.run("python", "print('back')").await.stdout, "back\n");
    wait_for("end of the lost containers", Duration::from_secs(10), async || {
        (bench.containers_of("python").await.len() == 1).then_some(())
    })
    .await;
    bench.end().await;
    valve.closed.cancel();
}

#[tokio::test]
async fn a_host_that_falls_silent_is_lost_within_15_seconds_and_taken_back_when_it_answers() {
    silence_and_find(Valve::far().await, TransportKind::Attach).await;
}

#[tokio::test]
async fn a_run_on_a_local_host_that_falls_silent_is_given_up_and_ends_though_its_agent_is_in_reach() {
    silence_and_find(Valve::near(), TransportKind::Socket).await;
}

#[tokio::test]
async fn what_kept_a_host_from_sockets_is_looked_at_again_when_it_is_connected_anew() {
    let (valve, folder) = (Valve::near(), tempfile::tempdir().expect("a folder"));
    let elsewhere = tempfile::tempdir().expect("a folder");
    let sockets = folder.path().join("sockets");
    std::os::unix::fs::symlink(elsewhere.path(), &sockets).expect("a link");
    let settings = Settings {
        hosts: hosts([valve.address.clone()]),
        sockets: Some(sockets.clone()),
        ..Bench::settings()
    };
    let bench = Bench::over(connect(&shared_engine()), settings);
    let through_the_engine = bench.claim("python").await;
    assert_eq!(through_the_engine.transport(), TransportKind::Attach);

    std::fs::remove_file(&sockets).expect("the link is gone");
    valve.set_open(false);
    wait_for("loss of the host", SOON, async || {
        (bench.states().await[0] == HostState::Unreachable).then_some(())
    })
    .await;
    drop(through_the_engine);
    valve.set_open(true);

    assert_eq!(bench.claim("python").await.transport(), TransportKind::Socket);
    bench.end().await;
    valve.closed.cancel();
}

#[tokio::test]
async fn an_unreachable_host_does_not_hinder_another() {
    let nowhere = "unix:///nonexistent/docker.sock".to_owned();
    let settings = Settings { hosts: hosts([nowhere, shared_engine()]), ..Bench::settings() };
    let bench = Bench::over(connect(&shared_engine()), settings);

    assert_eq!(bench.run("python", "print('here')").await.stdout, "here\n");

    let states = bench.states().await;
    assert_ne!(states[0], HostState::Healthy);
    assert_eq!(states[1], HostState::Healthy);
    bench.end().await;
}
