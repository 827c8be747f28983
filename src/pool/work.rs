//! What the owner begins and does not wait for: connecting, seeing to images, starting and removing containers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guichet_agent::Hello;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::agent_client::AgentClient;
use super::docker::{self, AgentProgram, Engine, Labels, Placement};
use super::host::HostConnection;
use super::state::{ContainerPlace, HostId};
use super::transport::{LaunchError, Launched, TransportKind, Transports};
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;

/// Pause between attempts to remove a container.
const REMOVAL_PAUSE: Duration = Duration::from_millis(500);

/// Pauses before images of earlier agents are looked for again after a failure.
const OLD_IMAGES_PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// A container with nothing in it, and how to talk to its agent.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) id: String,
    pub(super) host: Arc<HostConnection>,
    pub(super) client: AgentClient,
    pub(super) hello: Hello,
    pub(super) transport: TransportKind,
}

/// How something begun has ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Connected {
        host: HostId,
        result: Result<Arc<HostConnection>, docker::Error>,
    },
    ImagePrepared {
        host: HostId,
        runtime: RuntimeId,
        connection: Arc<HostConnection>,
        result: Result<String, PrepareError>,
    },
    Launched {
        place: ContainerPlace,
        result: Result<Idle, NotLaunched>,
    },
    Removed {
        place: ContainerPlace,
    },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("cannot read the agent's program at {path}: {source}")]
    Program { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Engine(#[from] docker::Error),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NotLaunched {
    #[error(transparent)]
    Failed(#[from] LaunchError),
    #[error("the host went away")]
    HostGone,
}

impl NotLaunched {
    pub(super) const fn is_image_gone(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_image_gone())
    }
}

/// Connects and removes what no living instance owns there, before anything new is begun: all of earlier instances that had
/// the data folder, and what has ended of those that had a copy of the database.
pub(super) async fn connect(
    address: String,
    labels: Labels,
    transports: Transports,
) -> Result<Arc<HostConnection>, docker::Error> {
    let engine = Engine::connect(&address).await?;
    crate::failpoint!("sweeping");
    let left =
        engine.sweep(&labels.of_folder()).await? + engine.sweep_ended(&labels.of_installation()).await?;
    if left > 0 {
        tracing::info!(host = address, containers = left, "removed containers that were left here");
    }
    let facts = engine.facts().await?;
    let ways = transports.to(&address).await;
    Ok(Arc::new(HostConnection::new(address, engine, facts, ways)))
}

/// Removes what earlier agents left on a host; it may end at any point.
///
/// * `images` — the runtimes' own.
pub(super) async fn remove_old_images(connection: &HostConnection, images: &[String], path: PathBuf) {
    for pause in OLD_IMAGES_PAUSES.map(Some).into_iter().chain([None]) {
        match (remove_old_images_once(connection, images, path.clone()).await, pause) {
            (Ok(0), _) => return,
            (Ok(images), _) => {
                tracing::info!(host = connection.address, images, "removed images of earlier agents");
                return;
            }
            // What another installation removes at the same moment fails the engine's list of all.
            (Err(_), Some(pause)) => sleep(pause).await,
            (Err(error), None) => {
                tracing::debug!(host = connection.address, %error, "images of earlier agents stay on the host");
            }
        }
    }
}

async fn remove_old_images_once(
    connection: &HostConnection,
    images: &[String],
    path: PathBuf,
) -> Result<usize, PrepareError> {
    let removed = connection.engine.remove_superseded(images, &read_agent(path).await?).await?;
    connection.engine.prune_agent_images().await?;
    Ok(removed)
}

pub(super) async fn prepare_image(
    engine: &Engine,
    image: &str,
    path: PathBuf,
) -> Result<String, PrepareError> {
    Ok(engine.agent_image(image, &read_agent(path).await?).await?)
}

async fn read_agent(path: PathBuf) -> Result<AgentProgram, PrepareError> {
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(AgentProgram::new(bytes)),
        Err(source) => Err(PrepareError::Program { path, source }),
    }
}

pub(super) async fn launch(
    connection: Arc<HostConnection>,
    place: &ContainerPlace,
    labels: Labels,
    runtime: &Runtime,
    image: &str,
) -> Result<Idle, NotLaunched> {
    let placement = Placement { labels, runtime, image, slot: place.slot, transport: None };
    let launched = tokio::select! {
        launched = connection.ways.launch(&connection.engine, placement) => launched?,
        () = connection.gone.cancelled() => return Err(NotLaunched::HostGone),
    };
    let Launched { id, client, hello, transport } = launched;
    Ok(Idle { id, host: connection, client, hello, transport })
}

/// Removes a container, however often it takes; its host's loss or the pool's end makes a sweep do it.
pub(super) async fn remove(idle: Idle, closing: CancellationToken) {
    let Idle { id, host, client, .. } = idle;
    drop(client);
    let removing = async {
        while let Err(error) = host.engine.remove(&id).await {
            tracing::warn!(host = host.address, container.id = id, %error, "cannot remove a container yet");
            sleep(REMOVAL_PAUSE).await;
        }
    };
    tokio::select! {
        () = removing => {}
        () = host.gone.cancelled() => {}
        () = closing.cancelled() => {}
    }
}

/// Removes the control groups of containers that are gone, as far as the host lets us.
pub(super) async fn remove_control_groups(connection: Arc<HostConnection>, image: String, labels: Labels) {
    if let Err(error) = connection.engine.remove_control_groups(&image, labels).await {
        tracing::debug!(host = connection.address, %error, "empty control groups stay");
    }
}

pub(super) async fn sweep_until_gone(connection: &HostConnection, labels: &[String]) {
    loop {
        match connection.engine.sweep(labels).await {
            Ok(0) => return,
            Ok(_some) => {}
            Err(error) => {
                tracing::warn!(host = connection.address, %error, "cannot remove the pool's containers yet");
                sleep(REMOVAL_PAUSE).await;
            }
        }
    }
}
