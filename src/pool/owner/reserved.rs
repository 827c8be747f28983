//! Who waits for a container, and who gets one.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Owner;
use crate::domain::exercise::Isolation;
use crate::domain::ids::RuntimeId;
use crate::pool::container::Container;

/// A submission that waits for its container.
pub(super) struct Reserved {
    runtime: RuntimeId,
    isolation: Isolation,
    reply: oneshot::Sender<Container>,
}

impl Reserved {
    /// What the container is to be for.
    pub(super) const fn runtime(&self) -> &RuntimeId {
        &self.runtime
    }
}

impl Owner {
    /// Takes a reservation in and publishes it; without a runtime of that name, or a host that takes work, the reply is
    /// dropped.
    ///
    /// * `place` — how many are served before it.
    pub(super) fn reserve(
        &mut self,
        place: usize,
        runtime: RuntimeId,
        isolation: Isolation,
        reply: oneshot::Sender<Container>,
    ) {
        let is_served = self.runtimes.contains_key(&runtime) && self.machine.takes_work();
        if is_served && !self.closing.is_cancelled() {
            self.reserved.insert(place, Reserved { runtime, isolation, reply });
            self.serve();
            self.publish();
        }
    }

    /// Gives containers to those that wait, in their order, and makes room for those that want a fresh one.
    pub(super) fn serve(&mut self) {
        let mut fresh: BTreeMap<RuntimeId, usize> = BTreeMap::new();
        for Reserved { runtime, isolation, reply } in std::mem::take(&mut self.reserved) {
            if reply.is_closed() {
                continue;
            }
            if let Some(container) = self.claim(&runtime, isolation) {
                // A container that nobody takes any more gives itself back.
                let _unclaimed = reply.send(container);
                continue;
            }
            if isolation == Isolation::Fresh {
                let wanted = fresh.entry(runtime.clone()).or_default();
                *wanted += 1;
                if let Some(action) = self.machine.renew(&runtime, *wanted) {
                    self.begin(action);
                }
            }
            self.reserved.push(Reserved { runtime, isolation, reply });
        }
    }

    fn claim(&mut self, runtime: &RuntimeId, isolation: Isolation) -> Option<Container> {
        let way_back = self.messages.clone().try_reserve_owned().ok()?;
        let (place, idle) = self.machine.claim(runtime, isolation)?;
        Some(Container::new(place, idle, self.messages.clone(), way_back))
    }
}
