//! What others see of the machine: how hosts do, and how many containers they have.

use std::time::Instant;

use super::host::{Content, Host};
use super::{Connection, ContainerPlace, Machine, Role};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;
use crate::pool::hosts::HostState;

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
    /// In all, but those that are closed.
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
        for slot in self.slots.values() {
            for cell in slot.cells.get(runtime).into_iter().chain(slot.companions.get(runtime)) {
                population.count(&cell.content);
            }
        }
        population
    }
}

impl Population {
    const fn count<C>(&mut self, content: &Content<C>) {
        let counted = match content {
            Content::Empty => return,
            Content::Starting { .. } => &mut self.starting,
            Content::Warm { .. } => &mut self.warm,
            Content::Busy { .. } | Content::Emptying { .. } => &mut self.busy,
            Content::Removing => &mut self.removing,
        };
        *counted += 1;
    }
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It is being made.
    Starting,
    /// It waits for a submission.
    Warm,
    /// It serves one.
    Busy,
    /// It is being emptied after one.
    Emptying,
    /// It is being removed.
    Removing,
}

impl<C> Machine<C> {
    /// What the container is doing that was given this place; `None` if it is gone.
    pub fn activity(&self, place: &ContainerPlace) -> Option<Activity> {
        let slot = self.hosts.get(&place.host)?.slots.get(&place.slot)?;
        let cells = match place.role {
            Role::Program => &slot.cells,
            Role::Companion => &slot.companions,
        };
        let cell = cells.get(&place.runtime).filter(|cell| cell.serial == place.serial)?;
        match cell.content {
            Content::Empty => None,
            Content::Starting { .. } => Some(Activity::Starting),
            Content::Warm { .. } => Some(Activity::Warm),
            Content::Busy { .. } => Some(Activity::Busy),
            Content::Emptying { .. } => Some(Activity::Emptying),
            Content::Removing => Some(Activity::Removing),
        }
    }

    /// How a host does, and when it is tried again if it waits for that; `None` for one that it has not.
    pub fn condition(&self, host: &HostName) -> Option<(HostState, Option<Instant>)> {
        let host = self.hosts.get(host)?;
        let beyond_reach = if host.failures > 0 { HostState::Unreachable } else { HostState::Connecting };
        Some(match host.connection {
            Connection::Away { until } => (beyond_reach, Some(until)),
            Connection::Connecting { .. } => (beyond_reach, None),
            Connection::Healthy if host.is_quarantined() => (HostState::Quarantined, host.next_canary()),
            Connection::Healthy => (HostState::Healthy, None),
            Connection::Suspect => (HostState::Suspect, None),
        })
    }

    /// Whether a container serves a submission, or is being emptied after one.
    pub fn serves(&self, place: &ContainerPlace) -> bool {
        matches!(self.activity(place), Some(Activity::Busy | Activity::Emptying))
    }

    /// How many slots a host has, and what is in them.
    pub fn occupancy(&self, host: &HostName) -> Occupancy {
        let mut occupancy = Occupancy::default();
        let slots = self.hosts.get(host).into_iter().flat_map(|host| host.slots.values());
        for slot in slots.filter(|slot| !slot.is_closed) {
            occupancy.total += 1;
            if slot.is_taken() {
                occupancy.taken += 1;
                occupancy.busy += u32::from(slot.emptying().is_none());
            }
            let is_running = slot.cells.values().any(|cell| matches!(cell.content, Content::Busy { .. }));
            occupancy.running += u32::from(is_running);
        }
        occupancy
    }

    /// The containers of a runtime on a host.
    pub fn population(&self, host: &HostName, runtime: &RuntimeId) -> Population {
        self.hosts.get(host).map(|host| host.population(runtime)).unwrap_or_default()
    }

    /// Whether each host was connected to, and so swept of what earlier instances left, or could not be reached.
    pub fn all_were_tried(&mut self) -> bool {
        self.hosts.totals(&self.runtimes).untried == 0
    }

    /// The containers of each runtime on a host.
    pub fn populations(&self, host: &HostName) -> impl Iterator<Item = (&RuntimeId, Population)> + '_ {
        let known = self.hosts.get(host);
        let of_runtime = move |runtime| known.map(|host| host.population(runtime)).unwrap_or_default();
        self.runtimes.iter().map(move |runtime| (runtime, of_runtime(runtime)))
    }
}
