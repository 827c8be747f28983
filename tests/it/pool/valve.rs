//! Hosts fall silent and answer again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use guichet::domain::exercise::Isolation;
use guichet::domain::submission::LostReason;
use guichet::pool::{HostState, HostView, Settings, TransportKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, SOON, hosts, id, reason, run_in, shared_engine, wait_for};
use super::hosts::{LONG, OwnEngine, SPIN, connect, start};

/// A way to the shared engine that can be made to swallow everything.
pub struct Valve {
    pub address: String,
    open: Arc<AtomicBool>,
    pub closed: CancellationToken,
}

impl Valve {
    /// As an engine on another machine.
    pub async fn far() -> Self {
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

    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }
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
        // The engine cannot be asked to end it: it ends by itself, because we hang up.
        wait_for("end of the run that was given up", Duration::from_mins(1), async || {
            bench.containers().await.iter().all(|id| !lost.contains(id)).then_some(())
        })
        .await;
    }
    valve.set_open(true);
    assert_eq!(bench.run("python", "print('back')").await.stdout, "back\n");
    wait_for("end of the lost containers", Duration::from_mins(1), async || {
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
async fn a_host_that_falls_silent_delays_one_program_at_most_and_none_on_another_host() {
    let (valve, engine) = (Valve::far().await, OwnEngine::start(&[]).await);
    let urls = [engine.address(), valve.address.clone()];
    let bench = Bench::over(connect(&shared_engine()), Settings { hosts: hosts(urls), ..Bench::settings() });
    wait_for("both hosts", SOON, async || {
        let views = bench.pool.hosts().await.expect("a pool that has not ended");
        let is_warm =
            |host: &HostView| host.runtimes.iter().any(|one| one.id == id("python") && one.warm > 0);
        views.iter().all(is_warm).then_some(())
    })
    .await;

    // While the slot of one host is taken, the one that will be silent is next.
    let (first, second) = (bench.claim("python").await, bench.claim("python").await);
    let is_far = first.transport() == TransportKind::Attach;
    let (far, busy) = if is_far { (first, second) } else { (second, first) };
    assert_eq!((far.transport(), busy.transport()), (TransportKind::Attach, TransportKind::Socket));
    far.release(Isolation::Reset).await;
    // An agent that answered a moment ago is not asked.
    tokio::time::sleep(Duration::from_millis(100)).await;
    valve.set_open(false);
    let (mut late, begun) = (0, Instant::now());
    let (next, ()) = tokio::join!(bench.claim("python"), busy.release(Isolation::Reset));
    late += u32::from(begun.elapsed() > Duration::from_secs(1));
    next.release(Isolation::Reset).await;
    while bench.states().await[1] != HostState::Unreachable {
        let begun = Instant::now();
        assert_eq!(bench.run("python", "print('here')").await.stdout, "here\n");
        late += u32::from(begun.elapsed() > Duration::from_secs(1));
    }

    assert!(late <= 1, "{late} programs waited for a host that is silent");
    valve.set_open(true);
    wait_for("the host's return", SOON, async || {
        (bench.states().await[1] == HostState::Healthy).then_some(())
    })
    .await;
    bench.end().await;
    valve.closed.cancel();
}
