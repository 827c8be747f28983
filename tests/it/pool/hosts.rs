//! Engines die, fall silent and come back.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bollard::Docker;
use futures_util::StreamExt;
use guichet::domain::exercise::Isolation;
use guichet::domain::submission::LostReason;
use guichet::pool::{HostState, Settings, TransportKind};
use guichet_agent::Limits;
use tokio::process::Command;
use tokio::time::Instant;

use super::bench::{Bench, ROOMY, containers_with, hosts, reason, run_in, shared_engine, wait_for};
use crate::support::engine::ground;

pub const SPIN: &str = "while True: pass";
pub const LONG: Limits = Limits { cpu_time_ms: 60_000, wall_time_ms: 60_000, ..ROOMY };

/// An engine of one test's own.
pub struct OwnEngine {
    folder: tempfile::TempDir,
    options: Vec<String>,
    hidden: Option<PathBuf>,
}

impl OwnEngine {
    pub async fn start(options: &[&str]) -> Self {
        Self::start_blind(options, None).await
    }

    /// An engine without images.
    pub async fn empty() -> Self {
        Self::up_in_a_folder(&[], None).await
    }

    async fn up_in_a_folder(options: &[&str], hidden: Option<PathBuf>) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let engine = Self { folder: tempfile::tempdir_in("/tmp").expect("a folder"), options, hidden };
        engine.up().await;
        engine
    }

    /// An engine that finds something else where we have the folder `hidden`.
    pub async fn start_blind(options: &[&str], hidden: Option<PathBuf>) -> Self {
        let engine = Self::up_in_a_folder(options, hidden).await;
        engine.load_python().await;
        engine
    }

    /// Brings the image of Python.
    async fn load_python(&self) {
        let (from, to) = (connect(&shared_engine()), connect(&self.address()));
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
    }

    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// An engine whose images and containers have so many mebibytes.
    pub async fn with_a_small_disk(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let disk = folder.path().join("data");
        std::fs::create_dir(&disk).expect("a folder");
        let options = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "none"]).arg(&disk);
        assert!(mount.status().await.expect("mount runs").success(), "a small disk");
        let engine = Self { folder, options: Vec::new(), hidden: None };
        engine.up().await;
        engine.load_python().await;
        engine
    }

    /// The agent as an executable that differs from others by this number.
    pub fn agent(&self, number: u8) -> PathBuf {
        let mut bytes = std::fs::read(&ground().agent).expect("the agent");
        bytes.push(number);
        let path = self.folder.path().join(format!("agent-{number}"));
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Leaves no byte on its disk.
    pub fn fill_disk(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        let piece = vec![1; 1 << 20];
        while let Ok(1..) = std::io::Write::write(&mut file, &piece) {}
    }

    /// Gives it the room back.
    pub fn empty_disk(&self) {
        std::fs::remove_file(self.filler()).expect("the file is removed");
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("data/filler")
    }

    /// Ids of the containers on it, which are all ours.
    pub async fn containers_of_ours(&self) -> Vec<String> {
        containers_with(&connect(&self.address()), "guichet.folder").await
    }

    /// Starts it again, with the same options.
    pub async fn up(&self) {
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
        command.arg("up").arg(self.folder.path()).args(&self.options).stdout(Stdio::null());
        assert!(command.status().await.expect("scripts/engine.sh runs").success(), "engine.sh up");
    }

    /// Sends the engine a signal and waits until it is gone.
    pub async fn end(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("the engine's pid");
        let status = Command::new("kill").arg(signal).arg(pid.trim()).status().await;
        assert!(status.expect("kill runs").success());
        let process = Path::new("/proc").join(pid.trim()).join("cmdline");
        wait_for("end of the engine", Duration::from_mins(1), async || {
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
        // A second panic would end the whole run.
        assert!(std::thread::panicking() || ended.is_ok_and(|status| status.success()), "engine.sh down");
    }
}

pub fn connect(address: &str) -> Docker {
    Docker::connect_with_unix(address, 60, &bollard::ClientVersion { major_version: 1, minor_version: 41 })
        .expect("an engine")
}

#[expect(clippy::disallowed_methods, reason = "what is started lives as long as its test")]
pub fn start(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
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
