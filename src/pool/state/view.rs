//! What others see of the machine: how hosts do, and how many containers they have.

use super::host::{Content, Host};
use super::{Connection, Machine};

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
    /// How each host does.
    pub fn connections(&self) -> impl Iterator<Item = Connection> + '_ {
        self.hosts.iter().map(|host| host.connection)
    }

    /// Whether each host was connected to, and so swept of what earlier boots left, or could not be reached.
    pub fn all_were_tried(&self) -> bool {
        self.hosts.iter().all(Host::was_tried)
    }

    /// The containers of each host, by index of the runtime.
    pub fn populations(&self) -> impl Iterator<Item = Vec<Population>> + '_ {
        self.hosts.iter().map(|host| {
            let mut of_runtimes = vec![Population::default(); self.runtimes];
            for slot in &host.slots {
                for (population, cell) in of_runtimes.iter_mut().zip(&slot.cells) {
                    population.count(&cell.content);
                }
            }
            of_runtimes
        })
    }
}
