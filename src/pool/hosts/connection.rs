//! A connection to a Docker host, as long as it holds.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::stops::Stops;
use super::view::Warning;
use crate::clock::Clock;
use crate::domain::host::HostName;
use crate::pool::docker::{AtWork, Engine};
use crate::pool::facts::EngineFacts;
use crate::pool::review::review;
use crate::pool::transport::Ways;

/// A connection to a host, as long as it holds.
#[derive(Debug)]
pub struct HostConnection {
    /// Names it at the engine, in a label of the containers that are made over it.
    pub id: Uuid,
    pub host: HostName,
    pub engine: Engine,
    /// What the engine said about itself.
    pub facts: Arc<EngineFacts>,
    /// What of that an operator should look at.
    pub warnings: Vec<Warning>,
    /// Cancelled when the host is lost.
    pub lost: CancellationToken,
    /// Cancelled when the host is lost, or none of ours any more: a run there is given up.
    pub gone: CancellationToken,
    /// The launches that go on.
    pub launches: TaskTracker,
    pub(super) doubts: Notify,
    /// Told when images there may have been superseded.
    pub superseded: Notify,
    /// Whether something runs there, for copies of images.
    pub at_work: AtWork,
    /// Tells runs when their containers stop.
    pub stops: Arc<Stops>,
    /// How its agents are reached.
    pub ways: Ways,
}

impl HostConnection {
    pub fn new(host: HostName, engine: Engine, facts: EngineFacts, ways: Ways) -> Self {
        let warnings = Warning::of(review(&facts, Clock::System.now().millis()));
        let lost = CancellationToken::new();
        Self {
            id: Uuid::new_v4(),
            host,
            engine,
            facts: Arc::new(facts),
            warnings,
            gone: lost.child_token(),
            lost,
            launches: TaskTracker::new(),
            doubts: Notify::new(),
            superseded: Notify::new(),
            at_work: AtWork::default(),
            stops: Arc::default(),
            ways,
        }
    }

    /// Whether the host was taken away while it answered: what ran there did not fail.
    pub fn was_removed(&self) -> bool {
        self.gone.is_cancelled() && !self.lost.is_cancelled()
    }

    /// Lets the watch ask the host at once.
    pub fn doubt(&self) {
        self.doubts.notify_one();
    }
}
