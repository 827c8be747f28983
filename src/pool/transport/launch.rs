//! A launch: the container starts, its agent says hello, and the best way that works is taken.

use std::io;

use guichet_agent::{Hello, Setup};

use super::{SocketFolder, Transport, TransportKind, Ways};
use crate::pool::agent_client::{self, AgentClient};
use crate::pool::docker::{self, Engine, Placement, uids};

/// A container that has started, with nothing in it.
#[derive(Debug)]
pub struct Launched {
    /// Its id at its engine.
    pub id: String,
    /// Its agent.
    pub client: AgentClient,
    /// What that found.
    pub hello: Hello,
    /// How it is spoken to.
    pub transport: TransportKind,
}

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The engine did not start it.
    #[error(transparent)]
    Engine(#[from] docker::Error),
    /// Its agent did not answer as it should.
    #[error(transparent)]
    Agent(#[from] agent_client::Error),
    /// Its agent did not go on over its socket.
    #[error("over its socket: {0}")]
    Socket(agent_client::Error),
    /// It did what it could to keep its folder.
    #[error("the folder shared with it stays: {0}")]
    Folder(io::Error),
}

impl LaunchError {
    /// Whether it is for lack of its image.
    pub const fn is_image_gone(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_not_found())
    }

    /// Whether the engine's disk is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_disk_full(),
            Self::Agent(_) | Self::Socket(_) | Self::Folder(_) => false,
        }
    }

    /// Whether a container without a folder that it shares with us might start.
    const fn may_be_the_folder(&self) -> bool {
        match self {
            Self::Engine(error) => error.is_refusal() && !error.is_not_found(),
            Self::Socket(_) | Self::Folder(_) => true,
            Self::Agent(_) => false,
        }
    }
}

impl Ways {
    /// Starts a container with a folder that it shares with us, or without one if that does not work.
    ///
    /// # Errors
    /// Why it did not start; nothing of it is left then, as far as the engine still answers.
    pub async fn launch(&self, engine: &Engine, placement: Placement<'_>) -> Result<Launched, LaunchError> {
        let Some(folder) = self.folder().await else {
            return self.start(engine, placement, None).await;
        };
        let error = match self.start_with(engine, placement, folder).await {
            Err(error) if error.may_be_the_folder() => error,
            started => return started,
        };
        match self.start(engine, placement, None).await {
            Ok(launched) => {
                self.set_back(&error);
                Ok(launched)
            }
            Err(second) => {
                tracing::info!(
                    host = %self.host, %error,
                    "a container that shares a folder with us did not start, and none without one either"
                );
                Err(second)
            }
        }
    }

    /// Whatever becomes of it, the container that is given away shares no folder with us any more.
    async fn start_with(
        &self,
        engine: &Engine,
        placement: Placement<'_>,
        mut folder: SocketFolder,
    ) -> Result<Launched, LaunchError> {
        let started = self.start(engine, placement, Some(&folder)).await;
        let Err(error) = folder.remove().await else {
            if matches!(started, Ok(Launched { transport: TransportKind::Socket, .. })) {
                self.succeeded();
            }
            return started;
        };
        let Launched { id, client, .. } = started?;
        drop(client);
        discard(engine, &id).await;
        // No process is left that could fill it meanwhile; what stays all the same is told when it is dropped.
        match folder.remove().await {
            Ok(()) | Err(_) => Err(LaunchError::Folder(error)),
        }
    }

    async fn start(
        &self,
        engine: &Engine,
        placement: Placement<'_>,
        folder: Option<&SocketFolder>,
    ) -> Result<Launched, LaunchError> {
        let ((first_uid, uid_count), transport) =
            (uids(placement.slot, placement.role), folder.map(SocketFolder::path));
        let (id, transport) = engine.launch(&Placement { transport, ..placement }).await?;
        let setup = Setup { version: guichet_agent::VERSION, first_uid, uid_count };
        match self.greet(transport, setup, folder).await {
            Ok((client, hello, transport)) => Ok(Launched { id, client, hello, transport }),
            Err(error) => {
                discard(engine, &id).await;
                Err(error)
            }
        }
    }

    /// Begins over the attached streams, and goes on over the agent's socket if there is one.
    async fn greet(
        &self,
        transport: Transport,
        setup: Setup,
        folder: Option<&SocketFolder>,
    ) -> Result<(AgentClient, Hello, TransportKind), LaunchError> {
        let (client, hello) = AgentClient::greet(transport, setup).await?;
        let Some(folder) = folder else { return Ok((client, hello, TransportKind::Attach)) };
        crate::failpoint!("agent_greeted");
        if !hello.listens {
            self.set_back(&"the agent cannot use a folder of ours");
            return Ok((client, hello, TransportKind::Attach));
        }
        match folder.connect().await {
            Ok(stream) => {
                let client = client.go_on_over(stream.into()).await.map_err(LaunchError::Socket)?;
                Ok((client, hello, TransportKind::Socket))
            }
            Err(error) => {
                self.set_back(&format!("the agent's socket: {error}"));
                Ok((client, hello, TransportKind::Attach))
            }
        }
    }
}

/// Removes a container of no use; if that fails, the sweep at the pool's end does it.
pub async fn discard(engine: &Engine, id: &str) {
    if let Err(error) = engine.remove(id).await {
        tracing::warn!(container.id = id, %error, "cannot remove a container of no use");
    }
}
