//! The images of the runtimes on one Docker host: which are there, how they come there, whether they start.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptionsBuilder, StartContainerOptions, WaitContainerOptionsBuilder,
};
use futures_util::TryStreamExt;
use tokio_util::io::ReaderStream;

use super::docker::{self, AtWork, CopyError, ImageCopy, Progress, RECIPE_LABEL, reach, superseded};
use super::endpoint::Endpoint;

pub use super::docker::Presence;

/// How long a probe may take.
const PROBE_DEADLINE: Duration = Duration::from_mins(1);

/// Longest time for one answer; importing a large image takes some seconds.
const CLIENT_DEADLINE_SECONDS: u64 = 600;

/// Longest time for bringing an image; a copy that stands still ends long before.
const COPY_DEADLINE: Duration = Duration::from_hours(24);

const PROBE_MEMORY_BYTES: i64 = 256 << 20;

/// Why an image could not be looked at, brought or tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine said no, or could not be reached.
    #[error("{host}: the engine cannot be asked")]
    Engine {
        /// The host's address.
        host: String,
        /// What the client says.
        #[source]
        source: docker::Error,
    },
    /// The tar could not be read.
    #[error("cannot read the image's tar")]
    Tar(#[from] std::io::Error),
    /// It did not come from another host.
    #[error("{image} does not come from {from} to {host}")]
    Copy {
        /// The host's address.
        host: String,
        /// The other one's.
        from: String,
        /// The image.
        image: String,
        /// Why.
        #[source]
        source: Box<CopyError>,
    },
    /// The probe ended badly.
    #[error("{host}: {image} does not start: {reason}")]
    Probe {
        /// The host's address.
        host: String,
        /// The image.
        image: String,
        /// Exit code or what the engine says.
        reason: String,
    },
}

impl Error {
    /// Whether there is no TLS with the engine.
    pub const fn is_tls(&self) -> bool {
        match self {
            Self::Engine { source, .. } => source.is_tls(),
            Self::Tar(_) | Self::Copy { .. } | Self::Probe { .. } => false,
        }
    }
}

/// The images of one host.
#[derive(Clone, Debug)]
pub struct Images {
    endpoint: Endpoint,
    docker: Docker,
}

impl Images {
    /// Reaches the engine at `endpoint`.
    ///
    /// # Errors
    /// [`Error::Engine`] if nothing answers there.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, Error> {
        match reach(&endpoint, CLIENT_DEADLINE_SECONDS).await {
            Ok(docker) => Ok(Self { endpoint, docker }),
            Err(source) => Err(Error::Engine { host: endpoint.url, source }),
        }
    }

    /// The host's address.
    pub fn host(&self) -> &str {
        &self.endpoint.url
    }

    /// Whether `image` is there, made by the recipe with this digest (`None`: by whomever).
    ///
    /// # Errors
    /// [`Error::Engine`] if the engine cannot be asked.
    pub async fn presence(&self, image: &str, recipe_digest: Option<&str>) -> Result<Presence, Error> {
        let found = match self.docker.inspect_image(image).await {
            Ok(found) => found,
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => {
                return Ok(Presence::Missing);
            }
            Err(source) => return Err(self.engine(source)),
        };
        Ok(Presence::of(&found, recipe_digest))
    }

    /// Makes the file tree of the tar at `path` the image `image` (`name:tag`), in place of one that has the name.
    ///
    /// # Errors
    /// [`Error::Tar`], [`Error::Engine`]; the host is as it was then.
    pub async fn import(&self, image: &str, path: &Path, recipe_digest: &str) -> Result<(), Error> {
        let tar = tokio::fs::File::open(path).await?;
        let (repo, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(repo)
            .tag(tag)
            .changes(vec![
                "ENV PATH=/usr/bin:/bin".to_owned(),
                "ENV LANG=C.UTF-8".to_owned(),
                format!("LABEL {RECIPE_LABEL}={recipe_digest}"),
            ])
            .build();
        self.docker
            .create_image(Some(options), Some(bollard::body_try_stream(ReaderStream::new(tar))), None)
            .try_for_each(|_progress| async { Ok(()) })
            .await
            .map_err(|source| self.engine(source))
    }

    /// Brings `image` here from another host, in place of one that has the name. Returns how many bytes passed.
    ///
    /// # Errors
    /// [`Error::Copy`]; the host is as it was then.
    pub async fn bring(&self, image: &str, from: &Self) -> Result<u64, Error> {
        let progress = Progress::default();
        let end = |host: &Self| (host.docker.clone().with_timeout(COPY_DEADLINE), AtWork::default());
        let copy = ImageCopy {
            image: image.to_owned(),
            from: end(from),
            to: end(self),
            progress: progress.clone(),
            counter: metrics::Counter::noop(),
        };
        let copied = copy.run().await;
        copied.map(|()| progress.moved_bytes()).map_err(|source| Error::Copy {
            host: self.endpoint.url.clone(),
            from: from.endpoint.url.clone(),
            image: image.to_owned(),
            source: Box::new(source),
        })
    }

    /// Removes images that were made by a recipe and have no name any more, as far as nothing uses them. Where another prunes
    /// at the moment, they are left to it or to the next.
    ///
    /// # Errors
    /// [`Error::Engine`]; some may be gone then.
    pub async fn prune(&self) -> Result<(), Error> {
        let pruning = self.docker.prune_images(Some(superseded()));
        match pruning.await {
            // One at a time is allowed.
            Ok(_) | Err(DockerError::DockerResponseServerError { status_code: 409, .. }) => Ok(()),
            Err(source) => Err(self.engine(source)),
        }
    }

    /// Runs `command` in a container of `image`, without network, rights or a writable root, and removes it.
    ///
    /// # Errors
    /// [`Error::Probe`] if it does not exit with 0 within a minute.
    pub async fn probe(&self, image: &str, command: &[String]) -> Result<(), Error> {
        let container = self
            .docker
            .create_container(None::<CreateContainerOptions>, probe_container(image, command))
            .await
            .map_err(|source| self.failed_probe(image, &source.to_string()))?;
        let outcome = tokio::time::timeout(PROBE_DEADLINE, self.run_to_end(&container.id)).await;
        let force = bollard::query_parameters::RemoveContainerOptionsBuilder::new().force(true).build();
        if let Err(error) = self.docker.remove_container(&container.id, Some(force)).await {
            tracing::warn!(%error, container = container.id, "the probe's container could not be removed");
        }
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(DockerError::DockerContainerWaitError { error, code })) => {
                Err(self.failed_probe(image, &format!("{} exited with {code} {error}", command.join(" "))))
            }
            Ok(Err(error)) => Err(self.failed_probe(image, &error.to_string())),
            Err(_elapsed) => Err(self.failed_probe(image, &format!("{} does not end", command.join(" ")))),
        }
    }

    async fn run_to_end(&self, id: &str) -> Result<(), DockerError> {
        // Asked before the start, so that no exit is missed.
        let options = WaitContainerOptionsBuilder::new().condition("next-exit").build();
        let mut exits = std::pin::pin!(self.docker.wait_container(id, Some(options)));
        let first = exits.try_next();
        let start = self.docker.start_container(id, None::<StartContainerOptions>);
        let (_started, _exit) = futures_util::future::try_join(start, first).await?;
        Ok(())
    }

    pub(super) const fn docker(&self) -> &Docker {
        &self.docker
    }

    pub(super) fn engine(&self, source: DockerError) -> Error {
        Error::Engine { host: self.endpoint.url.clone(), source: source.into() }
    }

    fn failed_probe(&self, image: &str, reason: &str) -> Error {
        Error::Probe { host: self.endpoint.url.clone(), image: image.to_owned(), reason: reason.to_owned() }
    }
}

fn probe_container(image: &str, command: &[String]) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(command.to_vec()),
        user: Some("65534:65534".to_owned()),
        network_disabled: Some(true),
        labels: Some(HashMap::from([("guichet.probe".to_owned(), image.to_owned())])),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            memory: Some(PROBE_MEMORY_BYTES),
            pids_limit: Some(64),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
