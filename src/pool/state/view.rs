//! What others see of the machine: how hosts do, and how many containers they have.

use super::host::{Content, Host};
use super::{Connection, HostId, Machine};
use crate::domain::ids::RuntimeId;

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
    /// How a host does; `None` for one that it has not.
    pub fn connection(&self, host: &HostId) -> Option<Connection> {
        self.hosts.get(host).map(|host| host.connection)
    }

    /// Whether each host was connected to, and so swept of what earlier instances left, or could not be reached.
    pub fn all_were_tried(&self) -> bool {
        self.hosts.values().all(Host::was_tried)
    }

    /// The containers of each runtime on each host.
    pub fn populations(&self) -> impl Iterator<Item = (&HostId, &RuntimeId, Population)> + '_ {
        self.hosts.iter().flat_map(|(id, host)| {
            self.runtimes.iter().map(move |runtime| {
                let mut population = Population::default();
                for cell in host.slots.values().filter_map(|slot| slot.cells.get(runtime)) {
                    population.count(&cell.content);
                }
                (id, runtime, population)
            })
        })
    }
}
