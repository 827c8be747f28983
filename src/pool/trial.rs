//! A container outside every pool: to see whether a runtime works on a host.

use std::path::Path;
use std::sync::Arc;

use guichet_agent::{Exec, Report};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::agent_client;
use super::docker::{self, Engine, LAST_SLOT, Labels};
use super::host::HostConnection;
use super::state::{ContainerPlace, HostId};
use super::transport::Ways;
use super::work::{self, Idle, NotLaunched, PrepareError};
use crate::domain::exercise::SourceFile;
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
    /// Starts a container of `runtime` on the engine at `address`.
    ///
    /// * `agent` — path of the agent's program, which is brought to the host if it is not there.
    ///
    /// # Errors
    /// What kept it from starting; no container is left then.
    pub async fn start(address: &str, agent: &Path, runtime: &Runtime) -> Result<Self, Error> {
        let engine = Engine::connect(address).await?;
        let facts = engine.facts().await?;
        let image = work::prepare_image(&engine, &runtime.image, agent.to_owned()).await?;
        let host = Arc::new(HostConnection::new(
            address.to_owned(),
            engine,
            facts,
            Ways::through_engine(address.to_owned()),
        ));
        // An installation of its own, so that no service takes it for its own.
        let [installation, folder, instance] = std::array::from_fn(|_| Uuid::new_v4());
        let labels = Labels { installation, folder, instance };
        let (host_id, runtime_id) = (HostId::new(address), runtime.id.clone());
        let place = ContainerPlace { host: host_id, slot: LAST_SLOT, runtime: runtime_id, serial: 0 };
        Ok(Self { idle: work::launch(host, &place, labels, runtime, &image).await? })
    }

    /// Puts files into the work folder, before the first command.
    ///
    /// # Errors
    /// That a path is longer than a message.
    pub fn prepare(&mut self, files: &[SourceFile]) -> Result<(), Error> {
        Ok(self.idle.client.open(files)?)
    }

    /// Runs a command without input to its end; what it wrote comes with the report.
    ///
    /// # Errors
    /// That the container is gone or its agent broke the protocol.
    pub async fn exec(&mut self, exec: Exec) -> Result<(Report, Vec<u8>), Error> {
        let mut written = Vec::new();
        let mut take = |_stream, bytes: &[u8]| written.extend_from_slice(bytes);
        let report = self.idle.client.exec(exec, &[], &CancellationToken::new(), &mut take).await?;
        Ok((report, written))
    }

    /// Removes the container.
    ///
    /// # Errors
    /// That the engine could not do it; the container ends all the same, with its connection.
    pub async fn end(self) -> Result<(), Error> {
        Ok(self.idle.host.engine.remove(&self.idle.id).await?)
    }
}
