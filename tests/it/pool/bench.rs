//! A pool on the tests' engine, and what tests do with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use guichet::domain::exercise::{Isolation, SourceFile};
use guichet::domain::host::{HostMode, HostSettings, HostSource};
use guichet::domain::ids::{RuntimeId, SubmissionId};
use guichet::domain::runtime::Runtime;
use guichet::domain::submission::LostReason;
use guichet::domain::time::Timestamp;
use guichet::pool::canary::CanaryProgram;
use guichet::pool::{Container, HostState, Lost, Pool, Settings, TransportKind};
use guichet_agent::{Exec, Limits, Report, Stream};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::support::engine::ground;

/// Limits that none of the well-behaved programs reaches.
pub const ROOMY: Limits = Limits {
    cpu_time_ms: 10_000,
    wall_time_ms: 20_000,
    memory_bytes: 256 << 20,
    start_memory_bytes: 0,
    output_bytes: 1 << 20,
    processes: 32,
};

/// Longest time for something that should happen at once, on a busy machine.
pub const SOON: Duration = Duration::from_mins(1);

/// Address of the engine that tests share.
pub fn shared_engine() -> String {
    ground().docker_host.clone()
}

pub fn id(runtime: &str) -> RuntimeId {
    runtime.parse().expect("a runtime's id")
}

/// The runtimes in this repository.
pub fn runtimes() -> BTreeMap<RuntimeId, Runtime> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runtimes");
    ["c", "python"]
        .into_iter()
        .map(|name| {
            let text = std::fs::read_to_string(folder.join(name).join("runtime.toml")).expect("runtime.toml");
            (id(name), toml::from_str(&text).expect("a runtime"))
        })
        .collect()
}

/// Their check programs, as the judge makes them.
pub fn canaries() -> BTreeMap<RuntimeId, CanaryProgram> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runtimes");
    let canary = |(id, runtime): (RuntimeId, Runtime)| {
        let files = guichet::runtimes::check_program(&folder, &id).expect("a check program");
        let canary = guichet::judge::canary(&runtime, files);
        (id, canary)
    };
    runtimes().into_iter().map(canary).collect()
}

/// Waits until `look` finds something, and says what it looked for if it doesn't within `deadline`.
pub async fn wait_for<T>(what: &str, deadline: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let latest = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < latest, "no {what} within {deadline:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes two tests of each of these functions: one for each way to the agent.
macro_rules! by_both_ways {
    ($($name:ident),* $(,)?) => {
        mod over_attach {
            $(#[tokio::test]
            async fn $name() {
                super::$name(guichet::pool::TransportKind::Attach).await;
            })*
        }
        mod over_a_socket {
            $(#[tokio::test]
            async fn $name() {
                super::$name(guichet::pool::TransportKind::Socket).await;
            })*
        }
    };
}
pub(super) use by_both_ways;

/// A pool of our own, on an engine shared with others.
pub struct Bench {
    pub pool: Pool,
    pub docker: Docker,
    pub settings: Settings,
    tasks: TaskTracker,
}

/// Active hosts at these URLs.
pub fn hosts<const N: usize>(urls: [String; N]) -> Vec<HostSettings> {
    let numbered = urls.into_iter().enumerate().map(|(index, url)| HostSettings {
        name: format!("host-{}", index + 1).parse().expect("a name"),
        url,
        certs: None,
        slots: None,
        source: HostSource::Config,
        mode: HostMode::Active,
        created_at: Timestamp::from_millis(0),
    });
    numbered.collect()
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub report: Report,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    /// With a slot on the shared engine.
    pub async fn start() -> Self {
        Self::with(Self::settings()).await
    }

    /// Settings that no other test has.
    pub fn settings() -> Settings {
        let folder = Uuid::new_v4();
        Settings {
            hosts: hosts([shared_engine()]),
            oci_runtimes: BTreeMap::new(),
            certs_dir: PathBuf::new(),
            slots: Some(1),
            agent_path: ground().agent.clone(),
            installation: Uuid::new_v4(),
            folder,
            instance: Uuid::new_v4(),
            recipes: BTreeMap::new(),
            canaries: canaries(),
            warm_per_runtime: 1,
            submissions_per_container: std::num::NonZeroU32::MAX,
            sockets: Some(guichet::pool::sockets_folder(folder)),
        }
    }

    /// With a slot on the shared engine, whose agents are spoken to like this.
    pub async fn by(transport: TransportKind) -> Self {
        let bench = Self::with(Self::settings_by(transport)).await;
        let container = bench.claim("python").await;
        assert_eq!(container.transport(), transport);
        container.release(Isolation::Reset).await;
        bench
    }

    /// Settings by which agents are spoken to like this on an engine that sees our files.
    pub fn settings_by(transport: TransportKind) -> Settings {
        let settings = Self::settings();
        let sockets = settings.sockets.filter(|_| transport == TransportKind::Socket);
        Settings { sockets, ..settings }
    }

    pub async fn with(settings: Settings) -> Self {
        let address = settings.hosts.first().expect("a host").url.clone();
        let docker =
            Docker::connect_with_unix(&address, 60, bollard::API_DEFAULT_VERSION).expect("an engine");
        let docker =
            docker.negotiate_version().await.expect("an engine that answers; `make test` starts one");
        Self::over(docker, settings)
    }

    /// With a connection of the test's own to the host.
    pub fn over(docker: Docker, settings: Settings) -> Self {
        Self::of(docker, settings, runtimes())
    }

    /// With containers of one runtime only.
    pub fn of_one(runtime: &str, settings: Settings) -> Self {
        let docker = super::hosts::connect(&settings.hosts[0].url);
        let kept = runtimes().remove_entry(&id(runtime)).expect("a runtime of ours");
        Self::of(docker, settings, BTreeMap::from([kept]))
    }

    /// With runtimes of the test's own, too.
    pub fn of(docker: Docker, settings: Settings, runtimes: BTreeMap<RuntimeId, Runtime>) -> Self {
        let tasks = TaskTracker::new();
        let pool = Pool::start(settings.clone(), Arc::new(runtimes), &tasks, CancellationToken::new());
        Self { pool, docker, settings, tasks }
    }

    /// How the hosts do.
    pub async fn states(&self) -> Vec<HostState> {
        let hosts = self.pool.hosts().await.expect("a pool that has not ended");
        hosts.into_iter().map(|host| host.state).collect()
    }

    /// A container of the runtime, as soon as there is one.
    pub async fn claim(&self, runtime: &str) -> Container {
        self.claim_for(runtime, Isolation::Reset).await
    }

    /// A container of the runtime that suits, as soon as there is one.
    pub async fn claim_for(&self, runtime: &str, isolation: Isolation) -> Container {
        let runtime = id(runtime);
        let reserved = self
            .pool
            .reserve(SubmissionId::generate(), &runtime, None, isolation)
            .await
            .expect("the pool goes on");
        timeout(SOON * 3, reserved.container())
            .await
            .unwrap_or_else(|_| panic!("no container of {runtime}; is its image built?"))
            .expect("the pool goes on")
    }

    /// Runs a program from its source to its end in a container of its own.
    pub async fn run(&self, runtime: &str, source: &str) -> Done {
        let mut container = self.claim(runtime).await;
        let done = run_in(&mut container, runtime, source, ROOMY).await.expect("a report");
        container.release(Isolation::Reset).await;
        done
    }

    /// Ids of the data folder's containers on the engine.
    pub async fn containers(&self) -> Vec<String> {
        containers_with(&self.docker, &format!("guichet.folder={}", self.settings.folder)).await
    }

    /// Ids of the containers of one runtime.
    pub async fn containers_of(&self, runtime: &str) -> Vec<String> {
        let all = self.containers().await;
        let of_runtime = containers_with(&self.docker, &format!("guichet.runtime={runtime}")).await;
        all.into_iter().filter(|id| of_runtime.contains(id)).collect()
    }

    /// Ends the pool and looks whether anything is left of it.
    pub async fn end(self) {
        self.pool.shutdown().await;
        assert_eq!(self.containers().await, Vec::<String>::new(), "the pool left containers");
        self.tasks.close();
        timeout(SOON, self.tasks.wait()).await.expect("the pool left tasks");
        assert_eq!(self.sockets(), Vec::<PathBuf>::new(), "the pool left folders that it shared");
        if let Some(folder) = &self.settings.sockets {
            // It was never made if no host was reached.
            drop(std::fs::remove_dir(folder));
        }
    }

    /// The folders that are shared with containers now.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let folders = self.settings.sockets.iter().flat_map(std::fs::read_dir).flatten();
        folders.map(|folder| folder.expect("an entry").path()).collect()
    }
}

pub async fn containers_with(docker: &Docker, label: &str) -> Vec<String> {
    let filters = std::collections::HashMap::from([("label", vec![label.to_owned()])]);
    let options =
        bollard::query_parameters::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = docker.list_containers(Some(options)).await.expect("a list of containers");
    found.into_iter().filter_map(|container| container.id).collect()
}

/// A command as the judge would give it.
pub fn exec(argv: &[String], limits: Limits, keep: bool) -> Exec {
    Exec {
        argv: argv.iter().map(|word| word.clone().into_bytes()).collect(),
        env: ["PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8"]
            .map(|entry| entry.as_bytes().to_vec())
            .to_vec(),
        limits,
        keep,
    }
}

pub async fn run_exec(container: &mut Container, exec: Exec, stdin: &[u8]) -> Result<Done, Lost> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut sink = |stream: Stream, bytes: &[u8]| match stream {
        Stream::Stdout => stdout.extend_from_slice(bytes),
        Stream::Stderr => stderr.extend_from_slice(bytes),
    };
    let report = container.exec(exec, stdin, &CancellationToken::new(), &mut sink).await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Done { report, stdout: text(stdout), stderr: text(stderr) })
}

/// Prepares, compiles if the runtime wants it, and runs.
pub async fn run_in(
    container: &mut Container,
    runtime: &str,
    source: &str,
    limits: Limits,
) -> Result<Done, Lost> {
    let runtime = runtimes().remove(&id(runtime)).expect("a runtime of ours");
    let paths = runtime.paths([runtime.entry_file.as_str()].into_iter(), guichet_agent::OUTPUT_FOLDER);
    container.prepare(&[SourceFile { path: runtime.entry_file.clone(), content: source.into() }]);
    if let Some(step) = &runtime.compile {
        let compiled =
            run_exec(container, exec(&step.argv(&paths, &step.limits.default), limits_of(step), true), b"")
                .await?;
        assert_eq!(
            compiled.report.ended,
            guichet_agent::Ended::Exited(0),
            "it compiles: {}",
            compiled.stderr
        );
    }
    run_exec(container, exec(&runtime.run.argv(&paths, &runtime.run.limits.default), limits, false), b"")
        .await
}

fn limits_of(step: &guichet::domain::runtime::Step) -> Limits {
    let limits = step.limits.default;
    Limits {
        cpu_time_ms: limits.cpu_time_ms,
        wall_time_ms: limits.wall_time_ms,
        memory_bytes: limits.memory_bytes,
        start_memory_bytes: step.start_memory_bytes,
        output_bytes: limits.output_bytes,
        processes: limits.processes,
    }
}

pub fn reason(lost: &Result<Done, Lost>) -> Option<LostReason> {
    lost.as_ref().err().map(|lost| lost.reason)
}
