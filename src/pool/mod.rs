//! Containers over Docker hosts: who may run where, and what one container does for one submission.
//!
//! A host is a Docker engine. It has slots, each with a core of its own; a slot holds one submission at a time and may
//! have a warm container of each runtime, in which a resident agent waits. [`Pool::reserve`] takes a slot with a warm
//! container as soon as there is one; the [`Container`] gives it back. This room knows nothing of queues, verdicts or storage.

mod agent_client;
pub mod canary;
mod container;
mod container_view;
mod copying;
mod docker;
pub mod docker_settings;
pub mod endpoint;
mod escapes;
pub mod facts;
mod figures;
mod hosts;
pub mod image;
mod loss;
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
use crate::domain::host::{HostName, HostSettings, HostUpdate};
use crate::domain::ids::{RuntimeId, SubmissionId};
use crate::domain::runtime::Runtime;
use canary::CanaryProgram;
use owner::{CHANNEL_PLACES, ContainerRequest, Message, Owner, Publishing, Wanted};

pub use agent_client::LeftFile;
pub use container::Container;
pub use container_view::{ContainerState, ContainerView};
pub use hosts::{
    HostError, HostErrorCode, HostRuntime, HostState, HostView, ImageState, SlotCounts, SubmissionCounts,
    Warning,
};
pub use loss::Lost;
pub use reservation::Reservation;
pub use state::{Hindrance, Pairs};
pub use transport::{TransportKind, sockets_folder};
pub use work::ExerciseProgram;

/// What the pool is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Docker hosts at the start; names and URLs differ.
    pub hosts: Vec<HostSettings>,
    /// The OCI runtimes of the hosts whose containers have another than their engine's default.
    pub oci_runtimes: BTreeMap<HostName, String>,
    /// The folder of the folders with the hosts' certificates.
    pub certs_dir: PathBuf,
    /// Slots of each host that has no number of its own; `None`, or more than it has cores: one for each core.
    pub slots: Option<usize>,
    /// The agent's program, a static executable for the hosts' architecture.
    pub agent_path: PathBuf,
    /// Whose containers these are: the same at each start.
    pub installation: uuid::Uuid,
    /// The data folder, which one process at a time has: containers that other instances made for it are removed, and
    /// those of other folders only once they have ended.
    pub folder: uuid::Uuid,
    /// Digests of the recipes that images are made by, for the runtimes that have one: an image made by another is outdated.
    pub recipes: BTreeMap<RuntimeId, String>,
    /// For runtimes that have one, the program that has to end well on a host before it runs others of the runtime; of the
    /// rest a container has to start.
    pub canaries: BTreeMap<RuntimeId, CanaryProgram>,
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

/// What could be reserved now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free {
    /// Slots of all hosts that answer, are in no quarantine and take new submissions.
    pub total: usize,
    /// Slots without a submission, or whose container is being emptied after one, that nobody waits for.
    pub free: usize,
    /// Runtimes of which there would be a container, though maybe no fresh one: at once, or as soon as it is empty.
    pub runtimes: BTreeSet<RuntimeId>,
    /// Runtimes that work on such a host that still has the image: their canary has passed there.
    pub ready: BTreeSet<RuntimeId>,
    /// Which companions those could have.
    pub pairs: Pairs,
    /// Why the others are not ready.
    pub hindrances: BTreeMap<RuntimeId, Hindrance>,
}

/// The containers of all hosts.
#[derive(Clone, Debug)]
pub struct Pool {
    messages: mpsc::Sender<Message>,
    free: watch::Receiver<Free>,
    swept: watch::Receiver<bool>,
    changes: watch::Receiver<()>,
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
        let (changes_sender, changes) = watch::channel(());
        let runtimes = Arc::unwrap_or_clone(runtimes);
        let runtimes = runtimes.into_iter().map(|(id, runtime)| (id, Arc::new(runtime))).collect();
        let publishing = Publishing { free: free_sender, swept: swept_sender, changes: changes_sender };
        let owner = Owner::new(settings, runtimes, tasks.clone(), messages.clone(), publishing);
        tasks.spawn(owner.run(inbox, stop));
        Self { messages, free, swept, changes }
    }

    /// What could be claimed, always the newest.
    pub fn free(&self) -> watch::Receiver<Free> {
        self.free.clone()
    }

    /// Reserves a container for this submission; `None` if the pool has ended or doesn't know the runtime.
    ///
    /// When this returns, [`Pool::free`] counts one less. Reservations are served in their order.
    ///
    /// * `companion` — of what runtime it will want a companion ([`Container::companion`]).
    pub async fn reserve(
        &self,
        submission: SubmissionId,
        runtime: &RuntimeId,
        companion: Option<&RuntimeId>,
        isolation: Isolation,
    ) -> Option<Reservation> {
        let (reply, container) = oneshot::channel();
        let (counted, is_counted) = oneshot::channel();
        let wanted =
            Wanted { runtime: runtime.clone(), companion: companion.cloned(), isolation, submission };
        self.messages.send(Message::Reserve { wanted: wanted.clone(), reply, counted }).await.ok()?;
        is_counted.await.ok()?;
        Some(Reservation { wanted, container, messages: self.messages.clone() })
    }

    /// Changes when something of the hosts or their containers may have changed; ends with the pool.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    /// Why no program of the runtime can run now; `None` if its image is on some host that answers and takes work, and its
    /// canary has passed there.
    pub fn hindrance(&self, runtime: &RuntimeId) -> Option<Hindrance> {
        let free = self.free.borrow();
        let is_ready = free.ready.contains(runtime);
        (!is_ready).then(|| free.hindrances.get(runtime).copied().unwrap_or(Hindrance::Starting))
    }

    /// Waits until each host was swept of what earlier instances left there, or could not be reached.
    pub async fn swept(&self) {
        // An error means that the pool has ended: nothing more will be swept.
        drop(self.swept.clone().wait_for(|swept| *swept).await);
    }

    /// The hosts as they are now, in the order in which they came, those of the settings first; `None` if the pool has ended.
    pub async fn hosts(&self) -> Option<Vec<HostView>> {
        let (reply, hosts) = oneshot::channel();
        self.messages.send(Message::ShowHosts { reply }).await.ok()?;
        hosts.await.ok()
    }

    /// All containers that the engines have made for this process, in no order; `None` if the pool has ended.
    pub async fn containers(&self) -> Option<Vec<ContainerView>> {
        let (reply, containers) = oneshot::channel();
        self.messages.send(Message::Containers(ContainerRequest::Show { reply })).await.ok()?;
        containers.await.ok()
    }

    /// Has a container be killed and replaced, whatever it is doing; what runs in it is given up and has not failed
    /// ([`Container::interrupted`]). Answers at once; `None` if there is none of that id at its engine.
    pub async fn kill(&self, id: &str) -> Option<ContainerView> {
        let (reply, killed) = oneshot::channel();
        let request = ContainerRequest::Kill { id: id.to_owned(), reply };
        self.messages.send(Message::Containers(request)).await.ok()?;
        killed.await.ok()?
    }

    /// Takes a new host in, and begins to connect to it; its name and URL are no other's.
    pub async fn add_host(&self, settings: HostSettings) {
        self.ask(|done| Message::AddHost { settings, done }).await;
    }

    /// Forgets a host. What runs there is given up at once and has not failed ([`Container::interrupted`]); our containers there
    /// are removed soon after.
    pub async fn remove_host(&self, host: &HostName) {
        self.ask(|done| Message::RemoveHost { host: host.clone(), done }).await;
    }

    /// Lets a host take new submissions, or none, or gives it more slots or fewer; when this returns, it is so, and
    /// [`Pool::free`] counts so. What runs in slots that are to go ends as usual.
    pub async fn update_host(&self, host: &HostName, change: HostUpdate) {
        self.ask(|done| Message::UpdateHost { host: host.clone(), change, done }).await;
    }

    /// Returns when it is done.
    async fn ask(&self, message: impl FnOnce(oneshot::Sender<()>) -> Message) {
        let (done, is_done) = oneshot::channel();
        if self.messages.send(message(done)).await.is_ok() {
            // An error means that the pool has ended: no host does anything any more.
            let _ended = is_done.await;
        }
    }

    /// Removes all containers of this instance; returns when they are gone.
    ///
    /// Afterwards, and already meanwhile, there is nothing to reserve.
    pub async fn shutdown(&self) {
        self.ask(|done| Message::Close { done }).await;
    }
}
