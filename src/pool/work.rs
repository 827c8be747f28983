//! What the owner begins and does not wait for: connecting, seeing to images, starting and removing containers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guichet_agent::{Hello, Setup};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::agent_client::{self, AgentClient};
use super::docker::{self, AgentProgram, Engine, Labels, Placement, UIDS_PER_SLOT, first_uid};
use super::host::HostConnection;
use super::state::ContainerPlace;
use super::transport::{SocketFolder, SocketFolders, Transport, TransportKind};
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
        host: usize,
        result: Result<Arc<HostConnection>, docker::Error>,
    },
    ImagePrepared {
        host: usize,
        runtime: usize,
        connection: Arc<HostConnection>,
        result: Result<String, PrepareError>,
    },
    Launched {
        place: ContainerPlace,
        result: Result<Idle, LaunchError>,
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
pub(super) enum LaunchError {
    #[error(transparent)]
    Engine(#[from] docker::Error),
    #[error(transparent)]
    Agent(#[from] agent_client::Error),
    #[error("over its socket: {0}")]
    Socket(agent_client::Error),
    #[error("the folder shared with it stays: {0}")]
    Folder(io::Error),
    #[error("the host went away")]
    HostGone,
}

impl LaunchError {
    pub(super) const fn is_image_gone(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_not_found())
    }

    /// Whether a container without a folder that it shares with us might start.
    const fn may_be_the_folder(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_refusal() && !error.is_not_found(),
            Self::Socket(_) | Self::Folder(_) => true,
            Self::Agent(_) | Self::HostGone => false,
        }
    }
}

/// Connects and removes what an earlier life of ours left there, before anything new is begun.
pub(super) async fn connect(
    address: String,
    labels: Labels,
    sockets: Option<Arc<SocketFolders>>,
) -> Result<Arc<HostConnection>, docker::Error> {
    let engine = Engine::connect(&address).await?;
    crate::failpoint!("sweeping");
    let left = engine.sweep(&labels.of_installation()).await?;
    if left > 0 {
        tracing::info!(host = address, containers = left, "removed containers that were left here");
    }
    let mut connection = HostConnection::new(address, engine, sockets);
    connection.prepare_sockets().await;
    Ok(Arc::new(connection))
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
    place: ContainerPlace,
    labels: Labels,
    runtime: &Runtime,
    image: &str,
) -> Result<Idle, LaunchError> {
    let (slot, runtime_index) = (place.slot, place.runtime);
    let placement = Placement { labels, runtime, image, slot, runtime_index, transport: None };
    tokio::select! {
        started = start_the_best_way(&connection, placement) => started,
        () = connection.gone.cancelled() => Err(LaunchError::HostGone),
    }
}

/// With a folder that the container shares with us, or without one if that does not work.
async fn start_the_best_way(
    connection: &Arc<HostConnection>,
    placement: Placement<'_>,
) -> Result<Idle, LaunchError> {
    let Some(folder) = connection.socket_folder().await else {
        return start(connection, placement, None).await;
    };
    let error = match start_with(connection, placement, folder).await {
        Err(error) if error.may_be_the_folder() => error,
        started => return started,
    };
    match start(connection, placement, None).await {
        Ok(idle) => {
            connection.set_back(&error);
            Ok(idle)
        }
        Err(second) => {
            tracing::info!(
                host = connection.address, %error,
                "a container that shares a folder with us did not start, and none without one either"
            );
            Err(second)
        }
    }
}

/// Whatever becomes of it, the container that is given to somebody shares no folder with us any more.
async fn start_with(
    connection: &Arc<HostConnection>,
    placement: Placement<'_>,
    mut folder: SocketFolder,
) -> Result<Idle, LaunchError> {
    let started = start(connection, placement, Some(&folder)).await;
    let Err(error) = folder.remove().await else {
        if matches!(started, Ok(Idle { transport: TransportKind::Socket, .. })) {
            connection.speaks_over_a_socket();
        }
        return started;
    };
    let Idle { id, client, .. } = started?;
    drop(client);
    discard(connection, &id).await;
    // Nobody is left who could fill it meanwhile; what stays all the same is told when it is dropped.
    match folder.remove().await {
        Ok(()) | Err(_) => Err(LaunchError::Folder(error)),
    }
}

async fn start(
    connection: &Arc<HostConnection>,
    placement: Placement<'_>,
    folder: Option<&SocketFolder>,
) -> Result<Idle, LaunchError> {
    let (slot, transport) = (placement.slot, folder.map(SocketFolder::path));
    let (id, transport) = connection.engine.launch(&Placement { transport, ..placement }).await?;
    let setup =
        Setup { version: guichet_agent::VERSION, first_uid: first_uid(slot), uid_count: UIDS_PER_SLOT };
    match greet(connection, transport, setup, folder).await {
        Ok((client, hello, transport)) => {
            Ok(Idle { id, host: Arc::clone(connection), client, hello, transport })
        }
        Err(error) => {
            discard(connection, &id).await;
            Err(error)
        }
    }
}

/// Removes a container that nobody shall get; if that fails, the sweep at the pool's end does it.
async fn discard(connection: &HostConnection, id: &str) {
    if let Err(error) = connection.engine.remove(id).await {
        tracing::warn!(container.id = id, %error, "cannot remove a container of no use");
    }
}

/// Begins over the attached streams, and goes on over the agent's socket if there is one.
async fn greet(
    connection: &HostConnection,
    transport: Transport,
    setup: Setup,
    folder: Option<&SocketFolder>,
) -> Result<(AgentClient, Hello, TransportKind), LaunchError> {
    let (client, hello) = AgentClient::greet(transport, setup).await?;
    let Some(folder) = folder else { return Ok((client, hello, TransportKind::Attach)) };
    crate::failpoint!("agent_greeted");
    if !hello.listens {
        connection.set_back(&"the agent cannot use a folder of ours");
        return Ok((client, hello, TransportKind::Attach));
    }
    match folder.connect().await {
        Ok(stream) => {
            let client = client.go_on_over(stream.into()).await.map_err(LaunchError::Socket)?;
            Ok((client, hello, TransportKind::Socket))
        }
        Err(error) => {
            connection.set_back(&format!("the agent's socket: {error}"));
            Ok((client, hello, TransportKind::Attach))
        }
    }
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
