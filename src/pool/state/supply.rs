//! What can be claimed, and claiming it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::host::{Content, Life, Phase};
use super::{Action, Connection, ContainerPlace, Machine};
use crate::domain::exercise::Isolation;

/// What can be claimed, by index of the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// Slots of all healthy hosts.
    pub total: usize,
    /// Submissions that can run at the same time.
    pub at_once: usize,
    /// Slots without a submission, or whose container is being emptied.
    pub free: usize,
    /// How many more may be leased: no more than there are free slots, and cores on which nothing runs, or a last command.
    pub room: usize,
    /// Runtimes of which there is a container on such a core, or will be as soon as it is empty, and on how many; none
    /// without room.
    pub claimable: BTreeMap<usize, usize>,
    /// Runtimes of which a container has started on a healthy host that still has the image.
    pub started: BTreeSet<usize>,
}

impl Supply {
    /// What is left when those are served who wait for these runtimes.
    pub fn without(mut self, waiting: impl IntoIterator<Item = usize>) -> Self {
        for runtime in waiting {
            self.free = self.free.saturating_sub(1);
            self.room = self.room.saturating_sub(1);
            if let Some(slots) = self.claimable.get_mut(&runtime) {
                *slots = slots.saturating_sub(1);
            }
        }
        let room = self.room;
        self.claimable.retain(|_, slots| room > 0 && *slots > 0);
        self
    }
}

impl<C> Machine<C> {
    /// What can be claimed.
    pub fn supply(&self, now: Instant) -> Supply {
        let mut supply = Supply::default();
        for host in self.hosts.iter().filter(|host| host.connection == Connection::Healthy && !self.closed) {
            supply.total += host.slots.len();
            supply.at_once += host.at_once();
            supply.started.extend(&host.started);
            let free = host.free_slots();
            let room = free.min(host.offers(now).count());
            supply.free += free;
            supply.room += room;
            for runtime in host.offers(now).flatten().filter(|_| room > 0) {
                *supply.claimable.entry(runtime).or_default() += 1;
            }
        }
        supply
    }

    /// Gives a warm container away whose core is idle, from the host with most idle cores.
    ///
    /// * `isolation` — a fresh one has served nobody before.
    pub fn claim(&mut self, runtime: usize, isolation: Isolation) -> Option<(ContainerPlace, C)> {
        if self.closed {
            return None;
        }
        let healthy =
            self.hosts.iter().enumerate().filter(|(_, host)| host.connection == Connection::Healthy);
        let able = healthy.filter_map(|(index, host)| {
            Some((host.idle_cores(), index, host.able_slot(runtime, isolation)?))
        });
        let (_, host_index, slot_index) = able.max_by_key(|(idle, ..)| *idle)?;
        let slot = self.hosts.get_mut(host_index)?.slots.get_mut(slot_index)?;
        let cell = slot.cells.get_mut(runtime)?;
        let Content::Warm { container, life } = std::mem::replace(&mut cell.content, Content::Empty) else {
            return None;
        };
        let life = Life { submissions: life.submissions + 1, ..life };
        cell.content = Content::Busy { life, phase: Phase::Working };
        slot.taken_by = Some(cell.serial);
        let place = ContainerPlace { host: host_index, slot: slot_index, runtime, serial: cell.serial };
        Some((place, container))
    }

    /// Whether somebody will be served without a new container: now, when the submissions on a core have had their turn,
    /// or after a last command.
    pub fn holds(&self, runtime: usize, isolation: Isolation, now: Instant) -> bool {
        self.hosts.iter().filter(|host| host.connection == Connection::Healthy).any(|host| {
            host.slots.iter().enumerate().any(|(index, slot)| {
                let comes_back = slot.comes_back(now);
                let suits =
                    slot.holds_warm(runtime, isolation) && (slot.taken_by.is_none() || comes_back.is_some());
                let returns = isolation == Isolation::Reset && comes_back == Some(runtime);
                (suits || returns) && !host.core_in_doubt(index)
            })
        })
    }

    /// Takes a warm container that has served somebody out of a free slot, so that a fresh one takes its place;
    /// answers with what is to be removed. There is nothing to do while `wanted` fresh ones are there or come.
    pub fn renew(&mut self, runtime: usize, wanted: usize) -> Option<Action<C>> {
        let healthy = self.hosts.iter().filter(|host| host.connection == Connection::Healthy && !self.closed);
        let coming = healthy.flat_map(|host| &host.slots).filter(|slot| slot.will_be_fresh(runtime)).count();
        if self.closed || coming >= wanted {
            return None;
        }
        let hosts =
            self.hosts.iter_mut().enumerate().filter(|(_, host)| host.connection == Connection::Healthy);
        for (host, known) in hosts {
            for (slot_index, slot) in known.slots.iter_mut().enumerate() {
                if slot.can_serve(runtime, Isolation::Reset)
                    && let Some(cell) = slot.cells.get_mut(runtime)
                    && let Content::Warm { container, .. } =
                        std::mem::replace(&mut cell.content, Content::Removing)
                {
                    let place = ContainerPlace { host, slot: slot_index, runtime, serial: cell.serial };
                    return Some(Action::Remove(place, container));
                }
            }
        }
        None
    }
}
