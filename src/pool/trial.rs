//! A container outside every pool: to see whether a runtime works on a host.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::agent_client;
use super::canary::{CanaryError, CanaryProgram};
use super::docker::{self, Engine, LAST_SLOT, Labels};
use super::endpoint::Endpoint;
use super::hosts::HostConnection;
use super::state::{ContainerPlace, Role};
use super::transport::Ways;
use super::work::{self, Birth, Idle, Launch, NotLaunched, PrepareError};
use crate::domain::host::HostName;
use crate::domain::runtime::Runtime;

/// Why a trial could not be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Reason);

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Engine(#[from] docker::Error),
    #[error(transparent)]
    Image(#[from] PrepareError),
    #[error("the container does not start: {0}")]
    Launch(#[from] NotLaunched),
    #[error(transparent)]
    Agent(#[from] agent_client::Error),
}

impl<T: Into<Reason>> From<T> for Error {
    fn from(reason: T) -> Self {
        Self(reason.into())
    }
}

/// A container like those of a pool, with nothing in it.
#[derive(Debug)]
pub struct Trial {
    idle: Idle,
}

impl Trial {
    /// Starts a container of `runtime` on a host.
    ///
    /// * `oci_runtime` — what starts it, by its engine's name for it; `None`: the engine's default.
    /// * `agent` — path of the agent's program, which is brought to the host if it is not there.
    ///
    /// # Errors
    /// What kept it from starting; no container is left then.
    pub async fn start(
        host: HostName,
        endpoint: &Endpoint,
        oci_runtime: Option<&str>,
        agent: &Path,
        runtime: &Runtime,
    ) -> Result<Self, Error> {
        let engine = Engine::connect(endpoint).await?;
        let facts = engine.facts().await?;
        let image = work::prepare_image(&engine, &runtime.image, None, agent.to_owned()).await?.name;
        let ways = Ways::through_engine(host.clone());
        let connection = Arc::new(HostConnection::new(host.clone(), engine, facts, ways));
        // An installation of its own, so that no service takes it for its own.
        let [installation, folder, instance] = std::array::from_fn(|_| Uuid::new_v4());
        let labels = Labels { installation, folder, instance };
        let place = ContainerPlace {
            host,
            slot: LAST_SLOT,
            role: Role::Program,
            runtime: runtime.id.clone(),
            serial: 0,
        };
        let launch = Launch { labels, runtime, image: &image, oci_runtime, canary: None };
        Ok(Self { idle: work::launch(connection, &place, launch, &Birth::default()).await? })
    }

    /// Runs the runtime's check program; what is wrong, in words, if it does not end well.
    ///
    /// # Errors
    /// That the container is gone or its agent broke the protocol.
    pub async fn run(&mut self, program: &CanaryProgram) -> Result<Result<(), String>, Error> {
        match program.run(&mut self.idle.client).await {
            Ok(()) => Ok(Ok(())),
            Err(CanaryError::Agent(error)) => Err(error.into()),
            Err(bad @ (CanaryError::Ended(_) | CanaryError::Unclean(_))) => Ok(Err(bad.to_string())),
        }
    }

    /// Removes the container.
    ///
    /// # Errors
    /// That the engine could not do it; the container ends all the same, with its connection.
    pub async fn end(self) -> Result<(), Error> {
        Ok(self.idle.host.engine.remove(&self.idle.id).await?)
    }
}
