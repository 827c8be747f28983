//! Who waits for a container, and who gets one.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Owner;
use crate::domain::exercise::Isolation;
use crate::domain::ids::{RuntimeId, SubmissionId};
use crate::pool::container::Container;
use crate::pool::state::{Company, ContainerPlace};

/// What a container is wanted for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The runtime it is to be of.
    pub runtime: RuntimeId,
    /// Of what runtime a companion is wanted beside it later.
    pub companion: Option<RuntimeId>,
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

/// A submission that waits for a companion.
pub(super) struct Awaited {
    /// The place of the container that it has.
    of: ContainerPlace,
    runtime: RuntimeId,
    submission: SubmissionId,
    reply: oneshot::Sender<Container>,
}

impl Owner {
    /// Takes the wish for a companion in; the reply is dropped if there will be none.
    pub(super) fn await_companion(
        &mut self,
        of: ContainerPlace,
        runtime: RuntimeId,
        submission: SubmissionId,
        reply: oneshot::Sender<Container>,
    ) {
        if !self.closing.is_cancelled() {
            self.awaited.push(Awaited { of, runtime, submission, reply });
        }
    }

    /// Gives companions to those that wait for one, and begins to make those that are missing.
    pub(super) fn serve_companions(&mut self) {
        let now = Instant::now().into_std();
        for awaited in std::mem::take(&mut self.awaited) {
            let Some(way_back) = self.messages.clone().try_reserve_owned().ok() else {
                self.awaited.push(awaited);
                continue;
            };
            if awaited.reply.is_closed() {
                continue;
            }
            match self.machine.accompany(&awaited.of, &awaited.runtime, now) {
                Company::Here(place, idle) => {
                    self.containers.serve(&place, awaited.submission);
                    let companion = Container::new(place, idle, self.messages.clone(), way_back);
                    // A container whose taker is gone gives itself back.
                    let _unclaimed = awaited.reply.send(companion);
                }
                Company::Comes(action) => {
                    if let Some(action) = action {
                        self.begin(action);
                    }
                    self.awaited.push(awaited);
                }
                Company::Never => {}
            }
        }
    }

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
                // A container whose taker is gone gives itself back.
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
        let (place, idle) =
            self.machine.claim(&wanted.runtime, wanted.companion.as_ref(), wanted.isolation)?;
        self.containers.serve(&place, wanted.submission);
        Some(Container::new(place, idle, self.messages.clone(), way_back))
    }
}
