//! Containers over Docker hosts: who may run where, and what one container does for one submission.
//!
//! A host is a Docker engine. It has slots, one per core; a slot runs one submission at a time and may hold a
//! warm container of each runtime, in which a resident agent waits. [`Pool::claim`] takes a free slot with a warm
//! container; the [`Container`] gives it back. This room knows nothing of queues, verdicts or storage.

pub mod image;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use guichet_agent::{Exec, Report, Stream, UsageSource};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::exercise::{Isolation, SourceFile};
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;
use crate::domain::submission::LostReason;

/// What the pool is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses of Docker engines: `unix:///…` or `tcp://host:port` (plain).
    pub hosts: Vec<String>,
    /// Slots of each host; `None` for as many as it has cores.
    pub slots: Option<usize>,
    /// The agent's program, a static executable for the hosts' architecture.
    pub agent_path: PathBuf,
    /// Whose containers these are: the same at each start.
    pub installation: uuid::Uuid,
    /// This process; containers of the installation with another one are removed.
    pub boot: uuid::Uuid,
    /// Free slots of each host that shall hold a warm container of each runtime, if there are as many.
    pub warm_per_runtime: usize,
}

/// What could be claimed now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free {
    /// Slots of all hosts that answer.
    pub total: usize,
    /// Slots without a submission.
    pub free: usize,
    /// Runtimes of which a claim would give a container at once.
    pub runtimes: BTreeSet<RuntimeId>,
}

/// An attempt that cannot be finished: the container, or its host, is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.name())]
pub struct Lost {
    /// Which of the two.
    pub reason: LostReason,
    /// For the log.
    pub detail: String,
}

/// The containers of all hosts.
#[derive(Clone, Debug)]
pub struct Pool {
    free: watch::Receiver<Free>,
}

impl Pool {
    /// Connects to the hosts, removes what earlier boots left there and begins to warm containers.
    ///
    /// Returns at once; [`Pool::free`] tells when there is something to claim.
    ///
    /// * `stop` — when cancelled, all containers are removed, running ones too.
    pub fn start(
        settings: Settings,
        runtimes: Arc<BTreeMap<RuntimeId, Runtime>>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (sender, free) = watch::channel(Free::default());
        tasks.spawn(async move {
            stop.cancelled().await;
            drop((sender, settings, runtimes));
        });
        Self { free }
    }

    /// What could be claimed, always the newest.
    pub fn free(&self) -> watch::Receiver<Free> {
        self.free.clone()
    }

    /// A container for one submission, or `None` if none is free just now.
    ///
    /// The slot is taken until the container is released or dropped.
    #[expect(clippy::unused_async, reason = "asks the task that owns the pool")]
    pub async fn claim(&self, _runtime: &RuntimeId) -> Option<Container> {
        None
    }

    /// Whether the runtime's image is on some host that answers and a container of it has started there.
    pub fn ready(&self, runtime: &RuntimeId) -> bool {
        self.free.borrow().runtimes.contains(runtime)
    }

    /// Removes all containers of this boot; returns when they are gone.
    #[expect(clippy::unused_async, reason = "waits for the task that owns the pool")]
    pub async fn shutdown(&self) {}
}

/// A container for one submission. Dropped without [`Container::release`], it is destroyed and replaced.
#[derive(Debug)]
pub struct Container {
    usage_source: UsageSource,
}

impl Container {
    /// Where its usage figures come from.
    pub const fn usage_source(&self) -> UsageSource {
        self.usage_source
    }

    /// Puts files into the empty work folder before the first command; sent together with it.
    pub fn prepare(&mut self, _files: &[SourceFile]) {}

    /// Runs one command to its end.
    ///
    /// * `stdin` — what it reads from standard input.
    /// * `abort` — when cancelled, the command is stopped at once and the report says so.
    /// * `sink` — gets what the command writes, in order within each stream, never more than its limit in all.
    ///
    /// # Errors
    /// [`Lost`] if the container or its host is gone or broke the protocol; the container is then of no use.
    #[expect(clippy::unused_async, reason = "talks to the agent")]
    pub async fn exec(
        &mut self,
        _exec: Exec,
        _stdin: &[u8],
        _abort: &CancellationToken,
        _sink: &mut (impl FnMut(Stream, &[u8]) + Send),
    ) -> Result<Report, Lost> {
        Err(Lost { reason: LostReason::HostLost, detail: "no host".to_owned() })
    }

    /// Ends the submission: the container is emptied and verified, or replaced in the background.
    ///
    /// Returns as soon as it's decided which; after [`Isolation::Fresh`] or any doubt it is replaced.
    #[expect(clippy::unused_async, reason = "talks to the agent")]
    pub async fn release(self, _isolation: Isolation) {}
}
