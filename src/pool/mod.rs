//! Containers over Docker hosts: who may run where, and what one container does for one submission.
//!
//! A host is a Docker engine. It has slots, each with a core of its own; a slot holds one submission at a time and may
//! have a warm container of each runtime, in which a resident agent waits. [`Pool::reserve`] takes a slot with a warm
//! container as soon as there is one; the [`Container`] gives it back. This room knows nothing of queues, verdicts or storage.

mod agent_client;
mod container;
mod docker;
pub mod docker_settings;
mod escapes;
pub mod facts;
mod figures;
mod host;
mod host_view;
pub mod image;
mod owner;
mod reservation;
pub mod review;
mod state;
mod transport;
pub mod trial;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::exercise::Isolation;
use crate::domain::host::{HostMode, HostName};
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;
use crate::domain::time::Timestamp;
use docker_settings::ConfiguredHost;
use owner::{CHANNEL_PLACES, Message, Owner};

pub use container::{Container, Lost};
pub use host_view::{
    HostError, HostErrorCode, HostRuntime, HostState, HostView, ImageState, SlotCounts, SubmissionCounts,
    Warning,
};
pub use reservation::Reservation;
pub use transport::{TransportKind, sockets_folder};

/// What the pool is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Docker hosts; names and URLs differ.
    pub hosts: Vec<HostSettings>,
    /// Slots of each host that has no number of its own; `None`, or more than it has cores: one for each core.
    pub slots: Option<usize>,
    /// The agent's program, a static executable for the hosts' architecture.
    pub agent_path: PathBuf,
    /// Whose containers these are: the same at each start.
    pub installation: uuid::Uuid,
    /// The data folder, which one process at a time has: containers that other instances made for it are removed, and
    /// those of other folders only once they have ended.
    pub folder: uuid::Uuid,
    /// This process.
    pub instance: uuid::Uuid,
    /// Free slots of each host that shall hold a warm container of each runtime, if there are as many.
    pub warm_per_runtime: usize,
    /// Submissions after which a container is replaced.
    pub submissions_per_container: NonZeroU32,
    /// A folder that nobody else uses, for sockets of agents on engines of this machine; made if it is missing.
    /// `None`: all agents are spoken to through their engines.
    pub sockets: Option<PathBuf>,
}

/// A Docker host, as the pool is told of it at its start.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// What the settings say.
    pub host: ConfiguredHost,
    /// What an operator wanted of it last.
    pub mode: HostMode,
    /// When it was first heard of.
    pub created_at: Timestamp,
}

/// What could be reserved now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free {
    /// Slots of all hosts that answer and take new submissions.
    pub total: usize,
    /// Slots without a submission, or whose container is being emptied after one, that nobody waits for.
    pub free: usize,
    /// Runtimes of which there would be a container, though maybe no fresh one: at once, or as soon as it is empty.
    pub runtimes: BTreeSet<RuntimeId>,
    /// Runtimes of which a container has started on such a host that still has the image.
    pub ready: BTreeSet<RuntimeId>,
}

/// The containers of all hosts.
#[derive(Clone, Debug)]
pub struct Pool {
    messages: mpsc::Sender<Message>,
    free: watch::Receiver<Free>,
    swept: watch::Receiver<bool>,
}

impl Pool {
    /// Connects to the hosts, removes what earlier instances left there and begins to warm containers.
    ///
    /// Returns at once; [`Pool::free`] tells when there is something to reserve.
    ///
    /// * `stop` — when cancelled, all containers are removed, running ones too.
    pub fn start(
        settings: Settings,
        runtimes: Arc<BTreeMap<RuntimeId, Runtime>>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (messages, inbox) = mpsc::channel(CHANNEL_PLACES);
        let (free_sender, free) = watch::channel(Free::default());
        let (swept_sender, swept) = watch::channel(false);
        let runtimes = Arc::unwrap_or_clone(runtimes);
        let runtimes = runtimes.into_iter().map(|(id, runtime)| (id, Arc::new(runtime))).collect();
        let owner =
            Owner::new(settings, runtimes, tasks.clone(), messages.clone(), free_sender, swept_sender);
        tasks.spawn(owner.run(inbox, stop));
        Self { messages, free, swept }
    }

    /// What could be claimed, always the newest.
    pub fn free(&self) -> watch::Receiver<Free> {
        self.free.clone()
    }

    /// Reserves a container for one submission; `None` if the pool has ended or doesn't know the runtime.
    ///
    /// When this returns, [`Pool::free`] counts one less. Reservations are served in their order.
    pub async fn reserve(&self, runtime: &RuntimeId, isolation: Isolation) -> Option<Reservation> {
        let (reply, container) = oneshot::channel();
        let (counted, is_counted) = oneshot::channel();
        let message = Message::Reserve { runtime: runtime.clone(), isolation, reply, counted };
        self.messages.send(message).await.ok()?;
        is_counted.await.ok()?;
        let (runtime, messages) = (runtime.clone(), self.messages.clone());
        Some(Reservation { runtime, isolation, container, messages })
    }

    /// Whether the runtime's image is on some host that answers and a container of it has started there.
    pub fn ready(&self, runtime: &RuntimeId) -> bool {
        self.free.borrow().ready.contains(runtime)
    }

    /// Waits until each host was swept of what earlier instances left there, or could not be reached.
    pub async fn swept(&self) {
        // An error means that the pool has ended: nothing more will be swept.
        drop(self.swept.clone().wait_for(|swept| *swept).await);
    }

    /// The hosts as they are now, in the order of the settings; `None` if the pool has ended.
    pub async fn hosts(&self) -> Option<Vec<HostView>> {
        let (reply, hosts) = oneshot::channel();
        self.messages.send(Message::ShowHosts { reply }).await.ok()?;
        hosts.await.ok()
    }

    /// Lets a host take new submissions, or none; when this returns, it does so, and [`Pool::free`] counts so.
    pub async fn set_mode(&self, host: &HostName, mode: HostMode) {
        let (done, is_done) = oneshot::channel();
        if self.messages.send(Message::SetMode { host: host.clone(), mode, done }).await.is_ok() {
            // An error means that the pool has ended: no host takes anything any more.
            let _ended = is_done.await;
        }
    }

    /// Removes all containers of this instance; returns when they are gone.
    ///
    /// Afterwards, and already meanwhile, there is nothing to reserve.
    pub async fn shutdown(&self) {
        let (done, ended) = oneshot::channel();
        if self.messages.send(Message::Close { done }).await.is_ok() {
            // An error means that the pool has ended, for whatever reason: nothing is left then either.
            let _ended = ended.await;
        }
    }
}
