//! What can be claimed, and claiming it.

use std::collections::{BTreeMap, BTreeSet};

use super::host::{Content, Life};
use super::{Action, ContainerPlace, Machine};
use crate::domain::exercise::Isolation;
use crate::domain::ids::RuntimeId;

/// What can be claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// Slots of all healthy hosts that take new submissions.
    pub total: usize,
    /// Slots without a submission, or whose container is being emptied: nothing runs on their cores.
    pub free: usize,
    /// Runtimes of which there is a container in such a slot, or will be as soon as it is empty, and in how many; none
    /// without a free slot.
    pub claimable: BTreeMap<RuntimeId, usize>,
    /// Runtimes of which a container has started on such a host that still has the image.
    pub started: BTreeSet<RuntimeId>,
}

impl Supply {
    /// What is left when those are served who wait for these runtimes.
    pub fn without<'a>(mut self, waiting: impl IntoIterator<Item = &'a RuntimeId>) -> Self {
        for runtime in waiting {
            self.free = self.free.saturating_sub(1);
            if let Some(slots) = self.claimable.get_mut(runtime) {
                *slots = slots.saturating_sub(1);
            }
        }
        let free = self.free;
        self.claimable.retain(|_, slots| free > 0 && *slots > 0);
        self
    }
}

impl<C> Machine<C> {
    /// What can be claimed.
    pub fn supply(&self) -> Supply {
        let mut supply = Supply::default();
        for host in self.hosts.values().filter(|host| host.takes_work() && !self.closed) {
            supply.total += host.slots.len();
            supply.started.extend(host.started.iter().cloned());
            for slot in host.slots.values() {
                let emptying = slot.emptying();
                if slot.taken_by.is_none() || emptying.is_some() {
                    supply.free += 1;
                    for runtime in slot.warm().chain(emptying) {
                        *supply.claimable.entry(runtime.clone()).or_default() += 1;
                    }
                }
            }
        }
        supply
    }

    /// Gives a warm container away, from the host with most free slots.
    ///
    /// * `isolation` — a fresh one has served nobody before.
    pub fn claim(&mut self, runtime: &RuntimeId, isolation: Isolation) -> Option<(ContainerPlace, C)> {
        if self.closed {
            return None;
        }
        let taking = self.hosts.iter_mut().filter(|(_, host)| host.takes_work());
        let able = taking.filter_map(|(id, host)| {
            let (slot, _) = host.slots.iter().find(|(_, slot)| slot.can_serve(runtime, isolation))?;
            Some((host.untaken_slots(), id, *slot, host))
        });
        let (_, id, slot, host) = able.max_by_key(|(untaken, ..)| *untaken)?;
        let known = host.slots.get_mut(&slot)?;
        let cell = known.cells.get_mut(runtime)?;
        let Content::Warm { container, life } = std::mem::replace(&mut cell.content, Content::Empty) else {
            return None;
        };
        cell.content = Content::Busy { life: Life { submissions: life.submissions + 1, ..life } };
        known.taken_by = Some(cell.serial);
        Some((cell.place(id, slot, runtime), container))
    }

    /// Takes a warm container that has served a submission out of a free slot, so that a fresh one takes its place;
    /// answers with what is to be removed. There is nothing to do while `wanted` fresh ones are there or come.
    pub fn renew(&mut self, runtime: &RuntimeId, wanted: usize) -> Option<Action<C>> {
        let taking = self.hosts.values().filter(|host| host.takes_work() && !self.closed);
        let coming =
            taking.flat_map(|host| host.slots.values()).filter(|slot| slot.will_be_fresh(runtime)).count();
        if self.closed || coming >= wanted {
            return None;
        }
        let hosts = self.hosts.iter_mut().filter(|(_, host)| host.takes_work());
        for (id, host) in hosts {
            for (slot, known) in &mut host.slots {
                if known.can_serve(runtime, Isolation::Reset)
                    && let Some(cell) = known.cells.get_mut(runtime)
                    && let Content::Warm { container, .. } =
                        std::mem::replace(&mut cell.content, Content::Removing)
                {
                    return Some(Action::Remove(cell.place(id, *slot, runtime), container));
                }
            }
        }
        None
    }
}
