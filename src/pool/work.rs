//! What the owner begins and does not wait for: connecting, seeing to images, starting and removing containers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use guichet_agent::Hello;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::agent_client::AgentClient;
use super::canary::{CanaryError, CanaryProgram};
use super::docker::{self, AgentImage, AgentProgram, CopyError, Engine, Labels, Placement, Removal};
use super::endpoint::Endpoint;
use super::hosts::{HostConnection, Stop};
use super::state::ContainerPlace;
use super::transport::{LaunchError, Launched, TransportKind, Transports, discard};
use crate::clock::Patience;
use crate::domain::host::HostName;
use crate::domain::ids::{ExerciseId, RuntimeId};
use crate::domain::runtime::Runtime;

/// Pause between attempts to remove a container.
const REMOVAL_PAUSE: Duration = Duration::from_millis(500);

/// Longest time for removing what is on a host that was removed itself.
const LEAVING: Duration = Duration::from_mins(1);

/// Pauses before superseded images are looked for again after a failure.
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
    /// Cancelled when it is killed on purpose.
    pub(super) killed: CancellationToken,
    /// Tells when it dies or is paused, though something runs in it.
    pub(super) stop: Stop,
    /// From the launch to its agent's first word.
    pub(super) started_within: Duration,
    /// What it still holds of the exercise that it was the companion for; nothing else is ever in it.
    pub(super) holds: Option<Box<ExerciseProgram>>,
}

/// Which program of an exercise a companion holds, ready to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExerciseProgram {
    /// The exercise.
    pub exercise: ExerciseId,
    /// Its version.
    pub version: u32,
}

/// What a launch tells of its container, and hears about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Birth {
    /// The container's id, once its engine has made it.
    pub(super) id: watch::Sender<Option<String>>,
    /// Cancelled when it is killed on purpose: a run in it is given up.
    pub(super) killed: CancellationToken,
}

/// First pause before superseded images that containers use are looked at again; each is twice the one before.
const USED_IMAGE_PAUSE: Duration = Duration::from_secs(1);

/// From this pause on they stay until more is superseded.
const LONGEST_USED_IMAGE_PAUSE: Duration = Duration::from_mins(20);

/// How something begun has ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Connected {
        host: HostName,
        attempt: u64,
        result: Result<Arc<HostConnection>, docker::Error>,
    },
    ImagePrepared {
        host: HostName,
        runtime: RuntimeId,
        connection: Arc<HostConnection>,
        result: Result<AgentImage, PrepareError>,
    },
    ImageCopied {
        host: HostName,
        serial: u64,
        result: Result<(), CopyError>,
    },
    Launched {
        place: ContainerPlace,
        /// Whether the runtime's canary was to end well in it.
        canary: bool,
        result: Result<Idle, NotLaunched>,
    },
    Removed {
        place: ContainerPlace,
    },
    /// Something on a host that is none of ours any more, or of a pool that ends.
    Left,
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
    #[error(transparent)]
    Canary(#[from] CanaryError),
    #[error("the host went away")]
    HostGone,
}

/// Connects and removes what no living instance owns there, before anything new is begun: all of earlier instances that had
/// the data folder, and what has ended of those that had a copy of the database.
pub(super) async fn connect(
    host: HostName,
    endpoint: Endpoint,
    labels: Labels,
    living: Vec<Uuid>,
    transports: Transports,
) -> Result<Arc<HostConnection>, docker::Error> {
    let engine = Engine::connect(&endpoint).await?;
    crate::failpoint!("sweeping");
    let left = engine.sweep_without(&labels.of_folder(), &living).await?
        + engine.sweep_ended(&labels.of_installation()).await?;
    if left > 0 {
        tracing::info!(%host, containers = left, "removed containers that were left here");
    }
    let facts = engine.facts().await?;
    let ways = transports.to(host.clone(), &endpoint.url).await;
    Ok(Arc::new(HostConnection::new(host, engine, facts, ways)))
}

/// Removes superseded images from a host, now and each time that some may have been superseded; it may end at any point.
///
/// * `images` — the runtimes' own.
pub(super) async fn remove_old_images(connection: &HostConnection, images: &[String], path: PathBuf) {
    loop {
        let mut pause = USED_IMAGE_PAUSE;
        // A container that uses one may serve for long.
        while pause < LONGEST_USED_IMAGE_PAUSE
            && remove_unused_old_images(connection, images, &path).await.used > 0
        {
            sleep(pause).await;
            pause *= 2;
        }
        connection.superseded.notified().await;
    }
}

/// Removes those that no container uses; tells how many some use.
async fn remove_unused_old_images(connection: &HostConnection, images: &[String], path: &Path) -> Removal {
    for pause in OLD_IMAGES_PAUSES.map(Some).into_iter().chain([None]) {
        match (remove_old_images_once(connection, images, path.to_owned()).await, pause) {
            (Ok(removal), _) => {
                if removal.removed > 0 {
                    tracing::info!(host = %connection.host, images = removal.removed, "removed superseded images");
                }
                return removal;
            }
            // What another installation removes at the same moment fails the engine's list of all.
            (Err(_), Some(pause)) => sleep(pause).await,
            (Err(error), None) => {
                tracing::debug!(host = %connection.host, %error, "superseded images stay on the host");
            }
        }
    }
    Removal::default()
}

async fn remove_old_images_once(
    connection: &HostConnection,
    images: &[String],
    path: PathBuf,
) -> Result<Removal, PrepareError> {
    let removed = connection.engine.remove_superseded(images, &read_agent(path).await?).await?;
    connection.engine.prune_images().await?;
    Ok(removed)
}

pub(super) async fn prepare_image(
    engine: &Engine,
    image: &str,
    recipe: Option<&str>,
    path: PathBuf,
) -> Result<AgentImage, PrepareError> {
    Ok(engine.agent_image(image, recipe, &read_agent(path).await?).await?)
}

async fn read_agent(path: PathBuf) -> Result<AgentProgram, PrepareError> {
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(AgentProgram::new(bytes)),
        Err(source) => Err(PrepareError::Program { path, source }),
    }
}

/// What a container is made of, and proves itself by.
#[derive(Clone, Copy)]
pub(super) struct Launch<'a> {
    pub(super) labels: Labels,
    pub(super) runtime: &'a Runtime,
    /// The runtime's, with the agent in it.
    pub(super) image: &'a str,
    /// What starts it, by its engine's name for it; `None`: the engine's default.
    pub(super) oci_runtime: Option<&'a str>,
    /// What has to end well in it.
    pub(super) canary: Option<&'a CanaryProgram>,
}

pub(super) async fn launch(
    connection: Arc<HostConnection>,
    place: &ContainerPlace,
    Launch { labels, runtime, image, oci_runtime, canary }: Launch<'_>,
    birth: &Birth,
) -> Result<Idle, NotLaunched> {
    let (begun_at, made_over) = (Instant::now(), connection.id);
    let placement = Placement {
        labels,
        host: &place.host,
        connection: made_over,
        runtime,
        image,
        oci_runtime,
        slot: place.slot,
        role: place.role,
        transport: None,
        id: &birth.id,
    };
    // On a host that is removed meanwhile it ends by itself: only then it is known what there is to be removed.
    let launched = tokio::select! {
        launched = connection.ways.launch(&connection.engine, placement) => launched?,
        () = connection.lost.cancelled() => return Err(NotLaunched::HostGone),
    };
    let (started_within, host) = (begun_at.elapsed(), connection.host.to_string());
    metrics::histogram!("guichet_host_launch_seconds", "host" => host).record(started_within);
    let Launched { id, mut client, hello, transport } = launched;
    let stop = connection.stops.listen(&id);
    if let Some(canary) = canary {
        let passed = tokio::select! {
            passed = canary.run(&mut client) => passed,
            () = connection.lost.cancelled() => return Err(NotLaunched::HostGone),
        };
        if let Err(error) = passed {
            drop(client);
            discard(&connection.engine, &id).await;
            return Err(error.into());
        }
    }
    let killed = birth.killed.clone();
    Ok(Idle { id, host: connection, client, hello, transport, killed, stop, started_within, holds: None })
}

/// Removes a container, however often it takes; its host's loss or the pool's end makes a sweep do it.
pub(super) async fn remove(idle: Idle, closing: CancellationToken) {
    let Idle { id, host, client, .. } = idle;
    drop(client);
    remove_by_id(&host, &id, &closing).await;
}

/// Kills a container that something goes on in.
pub(super) async fn remove_killed(host: Arc<HostConnection>, id: String, closing: CancellationToken) {
    remove_by_id(&host, &id, &closing).await;
}

async fn remove_by_id(host: &HostConnection, id: &str, closing: &CancellationToken) {
    let removing = async {
        while let Err(error) = host.engine.remove(id).await {
            tracing::warn!(host = %host.host, container.id = id, %error, "cannot remove a container yet");
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
        tracing::debug!(host = %connection.host, %error, "empty control groups stay");
    }
}

pub(super) async fn sweep_until_gone(connection: &HostConnection, labels: &[String]) {
    loop {
        match connection.engine.sweep(labels).await {
            Ok(0) => return,
            Ok(_some) => {}
            Err(error) => {
                tracing::warn!(host = %connection.host, %error, "cannot remove the pool's containers yet");
                sleep(REMOVAL_PAUSE).await;
            }
        }
    }
}

/// Removes what we made on a host that is none of ours any more, as far as it answers.
///
/// * `image` — any agent image there.
pub(super) async fn leave(connection: Arc<HostConnection>, image: Option<String>, all: Labels) {
    let labels = all.of_connection(connection.id);
    let mut patience = Patience::new(LEAVING);
    let leaving = async {
        sweep_until_gone(&connection, &labels).await;
        connection.launches.close();
        connection.launches.wait().await;
        sweep_until_gone(&connection, &labels).await;
        if let Some(image) = image {
            Box::pin(remove_control_groups(Arc::clone(&connection), image, all)).await;
        }
    };
    if patience.wait_for(leaving).await.is_none() {
        tracing::warn!(
            host = %connection.host,
            "containers may be left on a Docker host that was removed; they end by themselves if it works"
        );
    }
}
