//! A Docker engine and what is asked of it; with `image`, the only place that knows its API.
//!
//! Every call ends: with an answer, an error or [`Error::Silent`], by time in which this process ran. A container's standard streams become a
//! [`Transport`], so that no other room sees how Docker carries them.

mod agent_image;
mod cell;
mod connect;
mod error;
mod fields;
mod hidden;
mod image_copy;
mod recipe;
mod tls;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error as DockerError;
use bollard::models::{
    ContainerSummary, ContainerSummaryStateEnum, EventMessage, SystemInfo, SystemInfoCgroupDriverEnum,
    SystemInfoCgroupVersionEnum,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, EventsOptionsBuilder, InspectContainerOptions,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::future::try_join;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::RwLock;
use tokio::time::sleep;
use uuid::Uuid;

use super::endpoint::Endpoint;
use super::facts::{self, EngineFacts};
use super::transport::Transport;
use crate::clock::Patience;

pub use agent_image::{AgentImage, AgentProgram, Removal};
pub use connect::ConnectError;
pub(super) use connect::{ending_certificates, reach};
pub use error::Error;
pub use fields::{LAST_SLOT, Labels, Placement, uids};
pub use image_copy::{AtWork, CopyError, ImageCopy, Progress};
pub use recipe::{Presence, RECIPE_LABEL, superseded};
pub use tls::Ending;

/// Longest time for an answer to a question that needs no work, in a healthy engine a millisecond.
const QUESTION_DEADLINE: Duration = Duration::from_secs(3);

/// Longest time for creating, starting or removing one container.
const WORK_DEADLINE: Duration = Duration::from_secs(30);

/// Deadline of the client itself, a day: it counts time in which we did not run, too, so ours come first.
const CLIENT_DEADLINE_SECONDS: u64 = 24 * 60 * 60;

/// Pause before the removal of a container is asked for again that is under way.
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// Containers removed at the same time.
const REMOVED_AT_ONCE: usize = 8;

/// How a host keeps its control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Version 1, a tree for each controller; folders made by the engine itself.
    V1Cgroupfs,
    /// Version 1 with systemd.
    V1Systemd,
    /// Version 2, one tree; folders made by the engine itself.
    V2Cgroupfs,
    /// Version 2 with systemd.
    V2Systemd,
    /// The engine may not use them (a rootless one without delegation).
    Unusable,
}

impl Cgroups {
    fn of(info: &SystemInfo) -> Self {
        let rootless = info.security_options.iter().flatten().any(|option| option.contains("rootless"));
        let second = info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_2);
        match info.cgroup_driver {
            _ if rootless => Self::Unusable,
            Some(SystemInfoCgroupDriverEnum::SYSTEMD) if second => Self::V2Systemd,
            Some(SystemInfoCgroupDriverEnum::SYSTEMD) => Self::V1Systemd,
            Some(SystemInfoCgroupDriverEnum::CGROUPFS) if second => Self::V2Cgroupfs,
            Some(SystemInfoCgroupDriverEnum::CGROUPFS) => Self::V1Cgroupfs,
            Some(SystemInfoCgroupDriverEnum::EMPTY | SystemInfoCgroupDriverEnum::NONE) | None => {
                Self::Unusable
            }
        }
    }
}

/// A connection to a Docker engine.
#[derive(Clone, Debug)]
pub struct Engine {
    docker: Docker,
    cores: u32,
    cgroups: Cgroups,
    /// Held by builds, and alone by who prunes: between two steps a build's image has no name.
    nameless: Arc<RwLock<()>>,
}

impl Engine {
    /// Reaches the engine at `endpoint` and asks what it is.
    ///
    /// # Errors
    /// Why it cannot be reached, or that it did not answer.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Error> {
        let docker = reach(endpoint, CLIENT_DEADLINE_SECONDS).await?;
        let info = within(QUESTION_DEADLINE, docker.info()).await?;
        let cores = info.ncpu.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1);
        Ok(Self { docker, cores, cgroups: Cgroups::of(&info), nameless: Arc::default() })
    }

    /// Number of its cores, at least 1.
    pub const fn cores(&self) -> u32 {
        self.cores
    }

    /// What it says about itself.
    ///
    /// # Errors
    /// That it did not answer.
    pub async fn facts(&self) -> Result<EngineFacts, Error> {
        within(QUESTION_DEADLINE, facts::ask(&self.docker)).await
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// That it doesn't.
    pub async fn ping(&self) -> Result<(), Error> {
        within(QUESTION_DEADLINE, self.docker.ping()).await.map(drop)
    }

    /// Whether the container exists and runs.
    ///
    /// # Errors
    /// That the engine could not say.
    pub async fn runs(&self, id: &str) -> Result<bool, Error> {
        let asked = self.docker.inspect_container(id, None::<InspectContainerOptions>);
        match within(QUESTION_DEADLINE, asked).await {
            Ok(found) => Ok(found.state.and_then(|state| state.running).unwrap_or(false)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates a container and starts it, attached from its first byte on; returns its id.
    ///
    /// # Errors
    /// What the engine said; nothing of it is left then, as far as the engine still answers.
    pub async fn launch(&self, placement: &Placement<'_>) -> Result<(String, Transport), Error> {
        let body = fields::container(placement, self.cores, self.cgroups);
        let created =
            within(WORK_DEADLINE, self.docker.create_container(None::<CreateContainerOptions>, body)).await?;
        placement.id.send_replace(Some(created.id.clone()));
        match self.attach_and_start(&created.id).await {
            Ok(transport) => Ok((created.id, transport)),
            Err(error) => {
                if let Err(error) = self.remove(&created.id).await {
                    tracing::warn!(container.id = created.id, %error, "cannot remove a container that did not start");
                }
                Err(error)
            }
        }
    }

    async fn attach_and_start(&self, id: &str) -> Result<Transport, Error> {
        let options =
            AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).stderr(false).build();
        let attached = within(QUESTION_DEADLINE, self.docker.attach_container(id, Some(options))).await?;
        within(WORK_DEADLINE, self.docker.start_container(id, None::<StartContainerOptions>)).await?;
        crate::failpoint!("container_starting");
        let output = attached.output.map(|piece| match piece {
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => Ok(message),
            Ok(LogOutput::StdErr { .. } | LogOutput::StdIn { .. }) => Ok(Bytes::new()),
            Err(error) => Err(io::Error::other(error)),
        });
        Ok(Transport { input: attached.input, output: Box::pin(output) })
    }

    /// Removes the control groups that the engine made for the data folder's containers, of which none may be left.
    ///
    /// Only the host's root may do so, and the host may be another machine: a last container does it. Groups that
    /// systemd made stay in its care.
    ///
    /// * `image` — any agent image.
    ///
    /// # Errors
    /// What the engine said, or that some groups stay.
    pub async fn remove_control_groups(&self, image: &str, labels: Labels) -> Result<(), Error> {
        if !matches!(self.cgroups, Cgroups::V1Cgroupfs | Cgroups::V2Cgroupfs) {
            return Ok(());
        }
        let body = fields::remover(image, labels);
        let created =
            within(WORK_DEADLINE, self.docker.create_container(None::<CreateContainerOptions>, body)).await?;
        // Asked before the start, so that no exit is missed.
        let options = WaitContainerOptionsBuilder::new().condition("next-exit").build();
        let mut exits = std::pin::pin!(self.docker.wait_container(&created.id, Some(options)));
        let start = self.docker.start_container(&created.id, None::<StartContainerOptions>);
        let ended = within(WORK_DEADLINE, try_join(start, exits.try_next())).await.map(drop);
        self.remove(&created.id).await?;
        ended
    }

    /// Kills and removes a container; one that is gone already is no error. It is gone when this returns, or ended and the
    /// engine cannot remove what is left of it: that is logged, and must keep nothing from its slot or host.
    ///
    /// # Errors
    /// That the engine could not do it.
    pub async fn remove(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removing = async {
            loop {
                match self.docker.remove_container(id, Some(options.clone())).await {
                    // Another client, maybe the engine itself, is at it, and may fail.
                    Err(DockerError::DockerResponseServerError { status_code: 409, .. }) => {
                        sleep(REMOVAL_PAUSE).await;
                    }
                    Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                    Err(error) if self.has_ended(id).await => {
                        tracing::warn!(container = id, %error, "the engine cannot remove a container that has ended");
                        return Ok(());
                    }
                    removed => return removed,
                }
            }
        };
        within(WORK_DEADLINE, removing).await
    }

    /// Whether the engine says of a container that no process of it exists.
    async fn has_ended(&self, id: &str) -> bool {
        let inspected = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let state = inspected.ok().and_then(|container| container.state);
        state.is_some_and(|state| state.running == Some(false) && state.pid.unwrap_or_default() == 0)
    }

    /// All containers with these labels, each with what the engine says of it, for the log.
    ///
    /// # Errors
    /// That the engine could not say.
    pub async fn describe(&self, labels: &[String]) -> Result<Vec<String>, Error> {
        let found = self.found(labels, QUESTION_DEADLINE).await?;
        let describe = |container: ContainerSummary| {
            let known = [container.id, container.status];
            known.map(Option::unwrap_or_default).join(" ")
        };
        Ok(found.into_iter().map(describe).collect())
    }

    async fn found(&self, labels: &[String], deadline: Duration) -> Result<Vec<ContainerSummary>, Error> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        within(deadline, self.docker.list_containers(Some(options))).await
    }

    /// Removes all containers with these labels; returns how many there were.
    ///
    /// # Errors
    /// That some could not be removed.
    pub async fn sweep(&self, labels: &[String]) -> Result<usize, Error> {
        let found = self.found(labels, WORK_DEADLINE).await?;
        self.remove_all(found).await
    }

    /// The same, without those that were made over connections that live: one engine may be known by two URLs.
    ///
    /// # Errors
    /// That some could not be removed.
    pub async fn sweep_without(&self, labels: &[String], living: &[Uuid]) -> Result<usize, Error> {
        let mut found = self.found(labels, WORK_DEADLINE).await?;
        found.retain(|container| {
            !container.labels.as_ref().is_some_and(|labels| fields::is_of(labels, living))
        });
        self.remove_all(found).await
    }

    /// Removes the containers with these labels whose process has ended; returns how many there were.
    ///
    /// # Errors
    /// That some could not be removed.
    pub async fn sweep_ended(&self, labels: &[String]) -> Result<usize, Error> {
        let mut found = self.found(labels, WORK_DEADLINE).await?;
        found.retain(|container| {
            matches!(
                container.state,
                Some(ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::DEAD)
            )
        });
        self.remove_all(found).await
    }

    async fn remove_all(&self, found: Vec<ContainerSummary>) -> Result<usize, Error> {
        let ids: Vec<String> = found.into_iter().filter_map(|container| container.id).collect();
        let count = ids.len();
        stream::iter(ids)
            .map(Ok)
            .try_for_each_concurrent(REMOVED_AT_ONCE, async |id: String| self.remove(&id).await)
            .await?;
        Ok(count)
    }

    /// Ids of containers with these labels as they die or are paused; ends when the engine goes away.
    pub fn stops(&self, labels: &[String]) -> impl Stream<Item = String> + Send + use<> {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", vec!["die".to_owned(), "pause".to_owned()]),
            ("label", labels.to_vec()),
        ]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let docker = self.docker.clone();
        let events: Pin<Box<dyn Stream<Item = Result<EventMessage, DockerError>> + Send>> =
            Box::pin(docker.events(Some(options)));
        events
            .take_while(|event| std::future::ready(event.is_ok()))
            .filter_map(async |event| event.ok()?.actor?.id)
    }
}

async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, DockerError>> + Send,
) -> Result<T, Error> {
    Ok(Patience::new(deadline).wait_for(answer).await.ok_or(Error::Silent(deadline))??)
}
