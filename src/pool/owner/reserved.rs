//! Who waits for a container, and who gets one.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Owner;
use crate::domain::exercise::Isolation;
use crate::domain::ids::RuntimeId;
use crate::pool::container::Container;

/// How long somebody waits while there is no container for him, not even one whose core is busy: his died just then,
/// could not be emptied, or has to be made fresh.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who waits for a container.
pub(super) struct Reserved {
    runtime: usize,
    isolation: Isolation,
    reply: oneshot::Sender<Container>,
    /// Since when there is none for him.
    lacking: Option<Instant>,
}

impl Reserved {
    /// Index of the runtime.
    pub(super) const fn runtime(&self) -> usize {
        self.runtime
    }
}

impl Owner {
    /// Takes somebody in who waits, and publishes it; without a runtime of that name the reply is dropped.
    pub(super) fn reserve(
        &mut self,
        runtime: &RuntimeId,
        isolation: Isolation,
        reply: oneshot::Sender<Container>,
    ) {
        if let Some(runtime) = self.runtimes.iter().position(|known| known.id == *runtime)
            && !self.closing.is_cancelled()
        {
            self.reserved.push(Reserved { runtime, isolation, reply, lacking: None });
            self.serve();
            self.publish();
        }
    }

    /// When somebody who waits will have waited long enough.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        self.reserved.iter().filter_map(|reserved| reserved.lacking).min().map(|since| since + PATIENCE)
    }

    /// Gives containers to those who wait, in their order, and makes room for those who want a fresh one; whoever has
    /// waited long enough hears that there is none.
    pub(super) fn serve(&mut self) {
        let now = Instant::now();
        let mut fresh = vec![0; self.runtimes.len()];
        for Reserved { runtime, isolation, reply, lacking } in std::mem::take(&mut self.reserved) {
            if reply.is_closed() {
                continue;
            }
            if let Some(container) = self.claim(runtime, isolation) {
                // A container that nobody takes any more gives itself back.
                let _unclaimed = reply.send(container);
                continue;
            }
            let lacks = !self.machine.holds(runtime, isolation, now.into_std());
            let lacking = lacks.then(|| lacking.unwrap_or(now));
            if lacking.is_some_and(|since| since + PATIENCE <= now) {
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
            self.reserved.push(Reserved { runtime, isolation, reply, lacking });
        }
    }

    fn claim(&mut self, runtime: usize, isolation: Isolation) -> Option<Container> {
        let way_back = self.messages.clone().try_reserve_owned().ok()?;
        let (place, idle) = self.machine.claim(runtime, isolation)?;
        Some(Container::new(place, idle, self.messages.clone(), way_back))
    }
}
