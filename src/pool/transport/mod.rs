//! The ways to an agent: the engine's attached streams, or a socket in a folder that its container shares with us.
//!
//! ```text
//! attach   Guichet ── dockerd ── containerd-shim ── agent      any engine; each of them copies every byte
//! socket   Guichet ── agent                                    an engine on this machine that sees our files
//! ```
//!
//! Which one is taken is found by trying, at each launch, behind [`Ways::launch`]: no other part of the pool knows of
//! sockets and folders.

mod folders;
mod launch;
mod removal;

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::AsyncWrite;
use tokio::net::UnixStream;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::domain::host::HostName;
use folders::{SocketFolder, SocketFolders};

pub use folders::sockets_folder;
pub use launch::{LaunchError, Launched, discard};

/// Bytes read from a socket at one time.
const CHUNK_BYTES: usize = 64 << 10;

/// Launches in a row whose agents could not be spoken to over a socket, after which no other tries. Fewer may be
/// something else's fault: a container killed meanwhile, an engine or a machine that has too much to do.
const SETBACKS: u32 = 3;

/// Which of the ways leads to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// The container's standard streams over the engine's API.
    Attach,
    /// A socket that the agent listened at.
    Socket,
}

impl TransportKind {
    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attach => "attach",
            Self::Socket => "socket",
        }
    }
}

/// Both directions of one way to an agent; dropping it tells the agent that we are gone.
pub struct Transport {
    /// What the agent reads.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What the agent writes, in pieces of any size; ends when the container or the connection does.
    pub output: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Transport")
    }
}

impl From<UnixStream> for Transport {
    fn from(stream: UnixStream) -> Self {
        let (output, input) = stream.into_split();
        let output = ReaderStream::with_capacity(output, CHUNK_BYTES);
        Self { input: Box::pin(input), output: Box::pin(output) }
    }
}

/// The ways to the agents of all hosts.
#[derive(Clone, Debug)]
pub struct Transports {
    folders: Option<Arc<SocketFolders>>,
}

impl Transports {
    /// * `sockets` — a folder that no other process uses; `None`: all agents are spoken to through their engines.
    /// * `instance` — this process.
    pub fn new(sockets: Option<PathBuf>, instance: Uuid) -> Self {
        Self { folders: sockets.map(|folder| Arc::new(SocketFolders::new(folder, instance))) }
    }

    /// The ways to the agents on a host, whose engine is at `url`; whether there can be no folders for them to share with us.
    pub async fn to(&self, host: HostName, url: &str) -> Ways {
        let here = url.starts_with("unix://");
        let mut ways =
            Ways { host, folders: self.folders.clone().filter(|_folders| here), setbacks: AtomicU32::new(0) };
        if let Some(folders) = &ways.folders
            && let Err(reason) = folders.prepare().await
        {
            ways.say_that_all_are_attached(&reason);
            ways.folders = None;
        }
        ways
    }
}

/// The ways to the agents on one host.
#[derive(Debug)]
pub struct Ways {
    host: HostName,
    /// `None` for an engine that is not on this machine, or if there can be no folders.
    folders: Option<Arc<SocketFolders>>,
    /// Launches since the last one over a socket whose agents had to be spoken to through the engine.
    setbacks: AtomicU32,
}

impl Ways {
    /// Through the engine alone.
    pub const fn through_engine(host: HostName) -> Self {
        Self { host, folders: None, setbacks: AtomicU32::new(0) }
    }

    /// A folder for the next container to share with us, unless that is of no use here.
    async fn folder(&self) -> Option<SocketFolder> {
        let folders = self.folders.as_ref().filter(|_| self.setbacks.load(Ordering::Relaxed) < SETBACKS)?;
        let made = folders.make().await;
        made.inspect_err(|reason| self.set_back(reason)).ok()
    }

    /// An agent is spoken to over its socket: what went wrong before was not the host's way.
    fn succeeded(&self) {
        // What was given up and told stays so, though others were on the way then.
        let _given_up = self.setbacks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |setbacks| {
            (setbacks < SETBACKS).then_some(0)
        });
    }

    /// An agent had to be spoken to through the engine; after a few in a row all are.
    fn set_back(&self, reason: &dyn Display) {
        let setbacks = self.setbacks.fetch_add(1, Ordering::Relaxed) + 1;
        if setbacks < SETBACKS {
            tracing::debug!(host = %self.host, %reason, "an agent is spoken to through its engine");
        } else if setbacks == SETBACKS {
            self.say_that_all_are_attached(reason);
        }
    }

    fn say_that_all_are_attached(&self, reason: &dyn Display) {
        tracing::info!(
            host = %self.host,
            %reason,
            "agents on this Docker host are spoken to through the engine, which takes a little longer"
        );
    }
}
