//! What others see of the machine: how hosts do, and how many containers they have.

use std::time::Instant;

use super::host::{Content, Host};
use super::{Connection, ContainerPlace, HostId, Machine};
use crate::domain::ids::RuntimeId;
use crate::pool::host_view::HostState;

/// Containers of one runtime on one host, by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Population {
    /// Being made.
    pub starting: u32,
    /// Waiting for a submission.
    pub warm: u32,
    /// Serving one.
    pub busy: u32,
    /// Being removed.
    pub removing: u32,
}

/// Slots of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// In all.
    pub total: u32,
    /// With a submission, or something that one left.
    pub taken: u32,
    /// Those of them on whose cores something may run: they are not being emptied.
    pub busy: u32,
    /// With a submission that runs.
    pub running: u32,
}

impl<C> Host<C> {
    fn population(&self, runtime: &RuntimeId) -> Population {
        let mut population = Population::default();
        for cell in self.slots.values().filter_map(|slot| slot.cells.get(runtime)) {
            population.count(&cell.content);
        }
        population
    }
}

impl Population {
    const fn count<C>(&mut self, content: &Content<C>) {
        let counted = match content {
            Content::Empty => return,
            Content::Starting => &mut self.starting,
            Content::Warm { .. } => &mut self.warm,
            Content::Busy { .. } | Content::Emptying { .. } => &mut self.busy,
            Content::Removing => &mut self.removing,
        };
        *counted += 1;
    }
}

impl<C> Machine<C> {
    /// How a host does, and when it is tried again if it waits for that; `None` for one that it has not.
    pub fn condition(&self, host: &HostId) -> Option<(HostState, Option<Instant>)> {
        let host = self.hosts.get(host)?;
        let beyond_reach = if host.failures > 0 { HostState::Unreachable } else { HostState::Connecting };
        Some(match host.connection {
            Connection::Away { until } => (beyond_reach, Some(until)),
            Connection::Connecting => (beyond_reach, None),
            Connection::Healthy => (HostState::Healthy, None),
            Connection::Suspect => (HostState::Suspect, None),
        })
    }

    /// Whether a container serves a submission, or is being emptied after one.
    pub fn serves(&self, place: &ContainerPlace) -> bool {
        let slot = self.hosts.get(&place.host).and_then(|host| host.slots.get(&place.slot));
        slot.and_then(|slot| slot.cells.get(&place.runtime)).is_some_and(|cell| {
            cell.serial == place.serial
                && matches!(cell.content, Content::Busy { .. } | Content::Emptying { .. })
        })
    }

    /// How many slots a host has, and what is in them.
    pub fn occupancy(&self, host: &HostId) -> Occupancy {
        let mut occupancy = Occupancy::default();
        for slot in self.hosts.get(host).into_iter().flat_map(|host| host.slots.values()) {
            occupancy.total += 1;
            if slot.taken_by.is_some() {
                occupancy.taken += 1;
                occupancy.busy += u32::from(slot.emptying().is_none());
            }
            let is_running = slot.cells.values().any(|cell| matches!(cell.content, Content::Busy { .. }));
            occupancy.running += u32::from(is_running);
        }
        occupancy
    }

    /// The containers of a runtime on a host.
    pub fn population(&self, host: &HostId, runtime: &RuntimeId) -> Population {
        self.hosts.get(host).map(|host| host.population(runtime)).unwrap_or_default()
    }

    /// Whether each host was connected to, and so swept of what earlier instances left, or could not be reached.
    pub fn all_were_tried(&self) -> bool {
        self.hosts.values().all(Host::was_tried)
    }

    /// The containers of each runtime on each host.
    pub fn populations(&self) -> impl Iterator<Item = (&HostId, &RuntimeId, Population)> + '_ {
        self.hosts.iter().flat_map(|(id, host)| {
            self.runtimes.iter().map(move |runtime| (id, runtime, host.population(runtime)))
        })
    }
}
