//! Puts the rooms together and runs them until a stop is asked for: the only composition root.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::app::hosts::{self, Hosts};
use crate::app::links::Links;
use crate::app::{self, App, Budget};
use crate::auth::{Keys, Verifier, generate_key_if_missing};
use crate::chain::Chain;
use crate::clock::{Clock, Patience};
use crate::config::Config;
use crate::domain::history::History;
use crate::domain::host::{HostMode, HostSettings, HostSource};
use crate::domain::ids::RuntimeId;
use crate::domain::pace::Pace;
use crate::domain::runtime::Runtime;
use crate::domain::time::Timestamp;
use crate::feed::Feed;
use crate::http::{self, HttpState};
use crate::legacy::kryonet;
use crate::legacy::websocket::{self, Sessions};
use crate::pool::canary::CanaryProgram;
use crate::pool::docker_settings::ConfiguredHost;
use crate::pool::{self, Pool};
use crate::runtimes::recipe;
use crate::scheduler::{self, Scheduler};
use crate::shutdown::Tasks;
use crate::storage::sqlite::{Options, SqliteStorage};
use crate::storage::{self, Installation, QueueCaps, Retention, Storage as _, Store};
use crate::{judge, memory, runtimes, telemetry};

/// The process ended at once, with work handed back.
const EXIT_HARD_STOP: u8 = 4;
/// How long the tasks may take to end after the hard stop.
const HARD_STOP: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT; a second signal stops at once.
pub async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    telemetry::start_logs(&config.log)?;
    memory::give_back_what_is_freed();
    let metrics = telemetry::start_metrics()?;
    config.make_data_folder()?;
    let tasks = Tasks::default();
    tasks.tracker().spawn(memory::give_back_what_is_kept(tasks.hard().clone()));
    let storage = open_storage(&config).await?;
    let served = run(&config, storage.clone(), metrics, &tasks).await;
    tasks.stop_hard();
    let ended = Patience::new(HARD_STOP).wait_for(tasks.ended()).await.is_some();
    // Last, so that every task finds the database open.
    storage.close().await;
    tracing::info!(ended, "stopped");
    Ok(if ended { served? } else { ExitCode::from(EXIT_HARD_STOP) })
}

/// Brings the database up to date and ends.
pub async fn migrate(config: Config) -> anyhow::Result<ExitCode> {
    config.make_data_folder()?;
    let options = Options { path: config.sqlite_path(), migrate: true };
    SqliteStorage::open(options, &TaskTracker::new()).await?.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn run(
    config: &Config,
    storage: Store,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    tasks: &Tasks,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let clock = Clock::System;
    let verifier = Arc::new(verifier(config)?);
    let installation = storage.installation().await?;
    let instance = uuid::Uuid::new_v4();
    let languages = Arc::new(runtimes::load(&config.runtimes_dir())?);
    let mut board = Links::default();
    let links = kryonet::Prepared::read(&config.legacy.backends, &clock, &mut board)?;
    let listeners = Listeners::bind(config).await?;
    let hosts = hosts(config, &storage, clock.now()).await?;
    let settings = pool_settings(config, hosts, &languages, &installation, instance);
    let pool = Pool::start(settings, languages.clone(), tasks.tracker(), tasks.hard().clone());
    let (pace_sender, pace) = watch::channel(Pace::default());
    let (noted, history) = watch::channel(History::begin(clock.now()));
    let feed = Feed::start(storage.clone(), pace.clone(), tasks);
    let parts = scheduler::Parts {
        storage: storage.clone(),
        pool: pool.clone(),
        runtimes: languages.clone(),
        clock: clock.clone(),
        worker: instance.to_string().parse()?,
        history: noted,
        tasks: tasks.clone(),
    };
    let scheduler = Scheduler::start(parts, pace_sender, retention(config));
    let app = App::new(app::Inner {
        hosts: changes_of_hosts(config, &storage, &pool, &clock, tasks),
        storage,
        feed,
        pool: pool.clone(),
        runtimes: languages,
        pace,
        history,
        caps: queue_caps(config),
        budget: Budget::of_process(),
        clock,
        installation,
        links: board,
        stopping: tasks.soft().clone(),
    });
    let mut links = links.start(&app, tasks);
    let patience = websocket::Patience::default();
    let sessions =
        Sessions::new(app.clone(), verifier.clone(), tasks.clone(), &config.legacy.websocket, patience);
    if let Some(listener) = listeners.websockets {
        tracing::info!(address = %listener.local_addr()?, "websockets are taken at every path");
        tasks.start(http::serve(listener, websocket::router_of_any_path(&sessions), tasks.hard().clone()));
    }
    let state = HttpState::new(app, verifier, metrics.clone(), tasks, http_settings(config)?);
    if let Some(listener) = listeners.metrics {
        tasks.start(http::serve(listener, http::metrics_router(metrics), tasks.hard().clone()));
    }
    tracing::info!(address = %listeners.api.local_addr()?, version = env!("GUICHET_VERSION"), "guichet serves");
    // It answers until running work has ended: not ready, and taking nothing new.
    let router = http::router(state).merge(websocket::router(&sessions, &config.legacy.websocket.paths));
    tasks.start(http::serve(listeners.api, router, tasks.hard().clone()));
    signals.next().await;
    Ok(stop(config.server.shutdown_grace, tasks, &pool, &scheduler, &mut links, &mut signals).await)
}

/// The task that changes hosts.
fn changes_of_hosts(config: &Config, storage: &Store, pool: &Pool, clock: &Clock, tasks: &Tasks) -> Hosts {
    let parts = hosts::Parts {
        storage: storage.clone(),
        pool: pool.clone(),
        clock: clock.clone(),
        configured: config.docker.hosts.clone(),
        certs_dir: config.certs_dir(),
    };
    Hosts::start(parts, tasks.tracker(), tasks.hard().clone())
}

/// Where it listens. All are bound before any work begins: a port that is taken costs no attempt.
struct Listeners {
    api: TcpListener,
    websockets: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Listeners {
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        let optional = async |address: Option<SocketAddr>| match address {
            Some(address) => listen(address).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            api: listen(config.server.listen).await?,
            websockets: optional(config.legacy.websocket.listen).await?,
            metrics: optional(config.metrics.listen).await?,
        })
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Soft stop first; what is left after the grace period, or a second signal, is dropped.
async fn stop(
    grace: Duration,
    tasks: &Tasks,
    pool: &Pool,
    scheduler: &Scheduler,
    links: &mut kryonet::Running,
    signals: &mut Signals,
) -> ExitCode {
    tracing::info!(running = scheduler.running(), "stopping: running submissions may end");
    tasks.stop_softly();
    let idle = async {
        scheduler.idle().await;
        links.drained().await;
    };
    let softly = tokio::select! {
        () = idle => true,
        () = tokio::time::sleep(grace) => false,
        () = signals.next() => false,
    };
    if !softly {
        tracing::warn!(running = scheduler.running(), "stopping now: running submissions are handed back");
        tasks.hand_back();
        if Patience::new(HARD_STOP).wait_for(scheduler.idle()).await.is_none() {
            tracing::warn!("some runs could not be handed back; their leases will run out");
        }
    }
    pool.shutdown().await;
    if softly { ExitCode::SUCCESS } else { ExitCode::from(EXIT_HARD_STOP) }
}

/// Opens the database, migrating it unless the settings say otherwise. The caller that opens it closes it.
async fn open_storage(config: &Config) -> anyhow::Result<Store> {
    anyhow::ensure!(
        config.database.url.is_empty(),
        "only SQLite in the data folder is supported: database.url must be empty"
    );
    let options = Options { path: config.sqlite_path(), migrate: config.database.migrate };
    Ok(SqliteStorage::open(options, &TaskTracker::new()).await?)
}

fn verifier(config: &Config) -> anyhow::Result<Verifier> {
    let keys = if config.auth.keys.is_empty() {
        let path = config.generated_key_path();
        if generate_key_if_missing(&path)? {
            tracing::info!(
                path = %path.display(),
                "made a key for tokens; mint one with: guichet token --sub alice --role student"
            );
        }
        Keys::from_generated(&path)?
    } else {
        Keys::from_settings(&config.auth.keys)?
    };
    Ok(Verifier::new(keys, &config.auth))
}

/// The hosts of the settings, with what is stored of them, and those of the API.
async fn hosts(config: &Config, storage: &Store, now: Timestamp) -> storage::Result<Vec<HostSettings>> {
    let new = |ConfiguredHost { name, url, certs, slots, oci_runtime: _ }| HostSettings {
        name,
        url,
        certs,
        slots,
        source: HostSource::Config,
        mode: HostMode::Active,
        created_at: now,
    };
    storage.remember_hosts(config.docker.hosts.iter().cloned().map(new).collect()).await
}

fn pool_settings(
    config: &Config,
    hosts: Vec<HostSettings>,
    languages: &BTreeMap<RuntimeId, Runtime>,
    installation: &Installation,
    instance: uuid::Uuid,
) -> pool::Settings {
    let digest =
        |(id, runtime): (&RuntimeId, &Runtime)| Some((id.clone(), recipe::digest(runtime.build.as_ref()?)));
    let oci_runtime = |host: &ConfiguredHost| Some((host.name.clone(), host.oci_runtime.clone()?));
    pool::Settings {
        hosts,
        oci_runtimes: config.docker.hosts.iter().filter_map(oci_runtime).collect(),
        certs_dir: config.certs_dir(),
        slots: (config.execution.slots > 0).then_some(config.execution.slots),
        agent_path: config.agent_path(),
        installation: installation.id,
        folder: installation.folder,
        instance,
        recipes: languages.iter().filter_map(digest).collect(),
        canaries: canaries(&config.runtimes_dir(), languages),
        warm_per_runtime: match config.execution.warm_per_runtime {
            0 => usize::MAX,
            some => some,
        },
        submissions_per_container: config.execution.submissions_per_container,
        sockets: Some(pool::sockets_folder(installation.folder)),
    }
}

/// The check programs of the runtimes, for hosts to prove themselves by.
fn canaries(folder: &Path, languages: &BTreeMap<RuntimeId, Runtime>) -> BTreeMap<RuntimeId, CanaryProgram> {
    let canary = |(id, runtime): (&RuntimeId, &Runtime)| match runtimes::check_program(folder, id) {
        Ok(files) => Some((id.clone(), judge::canary(runtime, files))),
        Err(error) => {
            let error = Chain(&error);
            tracing::warn!(
                runtime = %id, %error,
                "the runtime has no check program: hosts are not tried with one before they run it"
            );
            None
        }
    };
    languages.iter().filter_map(canary).collect()
}

fn http_settings(config: &Config) -> anyhow::Result<http::HttpSettings> {
    let public_url = Some(config.server.public_url.as_str()).filter(|url| !url.is_empty());
    Ok(http::HttpSettings {
        cors_origins: config.server.cors_origins.clone(),
        public_url: public_url
            .map(str::parse::<http::origin::PublicUrl>)
            .transpose()
            .context("server.public_url")?,
        requests_per_second: config.rate_limit.per_second,
        burst: config.rate_limit.burst,
    })
}

const fn queue_caps(config: &Config) -> QueueCaps {
    QueueCaps {
        total: config.queue.max_length,
        per_owner: config.queue.max_per_owner,
        drafts_per_owner: config.queue.max_drafts_per_owner,
    }
}

const fn retention(config: &Config) -> Retention {
    Retention { submissions: config.retention.submissions, events: config.retention.events }
}

/// The signals that ask the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
