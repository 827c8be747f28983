//! Who waits for a container, and who gets one.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Owner;
use crate::domain::exercise::Isolation;
use crate::domain::ids::{RuntimeId, SubmissionId};
use crate::pool::container::Container;

/// What a container is wanted for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The runtime it is to be of.
    pub runtime: RuntimeId,
    /// Whether it may have served others before.
    pub isolation: Isolation,
    /// The submission; it says to operators what a container is doing.
    pub submission: SubmissionId,
}

/// A submission that waits for its container.
pub(super) struct Reserved {
    wanted: Wanted,
    reply: oneshot::Sender<Container>,
}

impl Reserved {
    /// What the container is to be for.
    pub(super) const fn runtime(&self) -> &RuntimeId {
        &self.wanted.runtime
    }
}

impl Owner {
    /// Takes a reservation in and publishes it; without a runtime of that name, or a host that takes work, the reply is
    /// dropped.
    ///
    /// * `place` — how many are served before it.
    pub(super) fn reserve(&mut self, place: usize, wanted: Wanted, reply: oneshot::Sender<Container>) {
        let is_served = self.runtimes.contains_key(&wanted.runtime) && self.machine.takes_work();
        if is_served && !self.closing.is_cancelled() {
            self.reserved.insert(place, Reserved { wanted, reply });
            self.serve();
            self.publish();
        }
    }

    /// Gives containers to those that wait, in their order, and makes room for those that want a fresh one.
    pub(super) fn serve(&mut self) {
        let mut fresh: BTreeMap<RuntimeId, usize> = BTreeMap::new();
        for Reserved { wanted, reply } in std::mem::take(&mut self.reserved) {
            if reply.is_closed() {
                continue;
            }
            if let Some(container) = self.claim(&wanted) {
                // A container that nobody takes any more gives itself back.
                let _unclaimed = reply.send(container);
                continue;
            }
            if wanted.isolation == Isolation::Fresh {
                let count = fresh.entry(wanted.runtime.clone()).or_default();
                *count += 1;
                if let Some(action) = self.machine.renew(&wanted.runtime, *count) {
                    self.begin(action);
                }
            }
            self.reserved.push(Reserved { wanted, reply });
        }
    }

    fn claim(&mut self, wanted: &Wanted) -> Option<Container> {
        let way_back = self.messages.clone().try_reserve_owned().ok()?;
        let (place, idle) = self.machine.claim(&wanted.runtime, wanted.isolation)?;
        self.containers.serve(&place, wanted.submission);
        Some(Container::new(place, idle, self.messages.clone(), way_back))
    }
}
