//! What the product can do: one method per use case, the same for REST and the original protocols.
//!
//! No HTTP and no SQL here. A caller is proved by the adapter that drives this room; what he may see and do is decided
//! here. Everything that is wrong with a request is an [`Error`] without a transport.

pub mod budget;
pub mod caller;
pub mod checks;
pub mod containers;
pub mod error;
pub mod exercises;
mod groups;
pub mod host_events;
pub mod hosts;
pub mod legacy;
mod legacy_lookup;
pub mod links;
mod open_streams;
mod packages;
pub mod queue;
pub mod read;
pub mod rejudges;
pub mod results;
pub mod sign_in;
pub mod submit;
pub mod validate;
pub mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use crate::pool::Hindrance;
pub use crate::storage::{
    ExercisePut, ExerciseResults, Expected, ListCursor, ListedExercise, Placed, ResultsPage,
    SubmissionFilter, Tests,
};
pub use budget::Budget;
pub use caller::{Caller, Role};
pub use error::{Conflict, Error, FieldError, InvalidCode, Location};
pub use legacy::LegacyEnqueue;
pub use open_streams::{NoStream, OpenStream, OpenStreams};

use host_events::HostEvents;

use crate::clock::Clock;
use crate::domain::history::History;
use crate::domain::ids::RuntimeId;
use crate::domain::pace::{Eta, Pace};
use crate::domain::runtime::Runtime;
use crate::feed::Feed;
use crate::pool::Pool;
use crate::storage::{Installation, QueueCaps, Store};

/// All use cases; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Inner>,
    host_events: HostEvents,
}

/// What the use cases work with.
#[derive(Debug)]
pub struct Inner {
    /// The database.
    pub storage: Store,
    /// Who is told what.
    pub feed: Feed,
    /// The containers.
    pub pool: Pool,
    /// Languages by id.
    pub runtimes: Arc<BTreeMap<RuntimeId, Runtime>>,
    /// How fast the queue moves.
    pub pace: watch::Receiver<Pace>,
    /// What became of the queue.
    pub history: watch::Receiver<History>,
    /// How much may wait.
    pub caps: QueueCaps,
    /// Memory for requests and streams.
    pub budget: Budget,
    /// What time it is.
    pub clock: Clock,
    /// What was made once for the database.
    pub installation: Installation,
    /// What links to original backends tell.
    pub links: links::Links,
    /// Where changes of Docker hosts are taken.
    pub hosts: hosts::Hosts,
    /// Cancelled when the process begins to stop.
    pub stopping: CancellationToken,
}

impl App {
    /// The use cases over these parts.
    pub fn new(parts: Inner) -> Self {
        Self { inner: Arc::new(parts), host_events: HostEvents::default() }
    }

    /// The clock that all use cases go by.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Memory for requests and streams, of all protocols together.
    pub fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    /// 32 random bytes of this installation, to sign what is handed out.
    pub fn secret(&self) -> &[u8] {
        &self.inner.installation.secret
    }

    /// The languages, by id, and why those can't run now that can't.
    pub fn runtimes(&self) -> Vec<(&Runtime, Option<Hindrance>)> {
        let all = self.inner.runtimes.values();
        all.map(|runtime| (runtime, self.inner.pool.hindrance(&runtime.id))).collect()
    }

    /// When a submission at `position` may start if it is of that runtime.
    pub fn eta(&self, position: u64, runtime: &RuntimeId) -> Option<Eta> {
        self.pace().eta(position, runtime)
    }

    fn pace(&self) -> Pace {
        let free = self.inner.pool.free().borrow().free;
        self.inner.pace.borrow().clone().with_free(u64::try_from(free).unwrap_or(u64::MAX))
    }
}
