//! Who waits for a container, and who gets one.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Owner;
use crate::domain::exercise::Isolation;
use crate::domain::ids::RuntimeId;
use crate::pool::container::Container;

/// How long a container may take: it is being emptied, or the one that was promised died and another one starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// A submission that waits for its container.
pub(super) struct Reserved {
    runtime: usize,
    isolation: Isolation,
    reply: oneshot::Sender<Container>,
    /// When it has waited long enough.
    latest: Instant,
}

impl Reserved {
    /// Index of the runtime.
    pub(super) const fn runtime(&self) -> usize {
        self.runtime
    }
}

impl Owner {
    /// Takes a reservation in and publishes it; without a runtime of that name the reply is dropped.
    pub(super) fn reserve(
        &mut self,
        runtime: &RuntimeId,
        isolation: Isolation,
        reply: oneshot::Sender<Container>,
    ) {
        if let Some(runtime) = self.runtimes.iter().position(|known| known.id == *runtime)
            && !self.closing.is_cancelled()
        {
            self.reserved.push(Reserved { runtime, isolation, reply, latest: Instant::now() + PATIENCE });
            self.serve();
            self.publish();
        }
    }

    /// When the first of those that wait will have waited long enough.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        self.reserved.iter().map(|reserved| reserved.latest).min()
    }

    /// Gives containers to those that wait, in their order, and makes room for those that want a fresh one; the reply to
    /// one that has waited long enough is dropped.
    pub(super) fn serve(&mut self) {
        let now = Instant::now();
        let mut fresh = vec![0; self.runtimes.len()];
        for Reserved { runtime, isolation, reply, latest } in std::mem::take(&mut self.reserved) {
            if reply.is_closed() {
                continue;
            }
            if let Some(container) = self.claim(runtime, isolation) {
                // A container that nobody takes any more gives itself back.
                let _unclaimed = reply.send(container);
                continue;
            }
            if latest <= now {
                continue;
            }
            if isolation == Isolation::Fresh
                && let Some(wanted) = fresh.get_mut(runtime)
            {
                *wanted += 1;
                if let Some(action) = self.machine.renew(runtime, *wanted) {
                    self.begin(action);
                }
            }
            self.reserved.push(Reserved { runtime, isolation, reply, latest });
        }
    }

    fn claim(&mut self, runtime: usize, isolation: Isolation) -> Option<Container> {
        let way_back = self.messages.clone().try_reserve_owned().ok()?;
        let (place, idle) = self.machine.claim(runtime, isolation)?;
        Some(Container::new(place, idle, self.messages.clone(), way_back))
    }
}
