//! How many slots a host has, while an operator changes that.
//!
//! More come at once. With fewer, free ones go first; when all are taken, those that become free go until there are as
//! many as are wanted. A slot that is closed is given to no submission, and goes when its containers are gone.

use super::host::{Cell, Content, Host, Slot, of_each};
use super::{Action, Machine, SlotId};
use crate::domain::host::HostName;

impl<C> Host<C> {
    /// Slots that are not closed.
    pub(super) fn open_slots(&self) -> usize {
        self.slots.values().filter(|slot| !slot.is_closed).count()
    }

    /// Whether it has more slots than are wanted, of which none is free.
    pub(super) fn has_surplus(&self) -> bool {
        self.open_slots() > self.wanted_slots
    }

    /// Closes as many of the free slots as there are too many; the last ones first.
    pub(super) fn close_surplus(&mut self) {
        let surplus = self.open_slots().saturating_sub(self.wanted_slots);
        let free = self.slots.values_mut().rev().filter(|slot| slot.is_free());
        for slot in free.take(surplus) {
            slot.is_closed = true;
        }
    }

    /// Takes containers out of closed slots, and slots away that hold none any more.
    pub(super) fn empty_closed(&mut self, host: &HostName, actions: &mut Vec<Action<C>>) {
        for (slot, known) in self.slots.iter_mut().filter(|(_, slot)| slot.is_closed) {
            for (role, runtime, cell) in known.all_mut() {
                if matches!(cell.content, Content::Warm { .. })
                    && let Content::Warm { container, .. } =
                        std::mem::replace(&mut cell.content, Content::Removing)
                {
                    actions.push(Action::Remove(cell.place(host, *slot, role, runtime), container));
                }
            }
        }
        self.slots.retain(|_, slot| !slot.is_closed || slot.inhabited() > 0);
    }
}

impl<C> Machine<C> {
    /// A host that is connected shall have so many slots: more come at once, and fewer as what runs in them ends.
    pub fn set_slots(&mut self, host: &HostName, slots: u32) {
        let runtimes = &self.runtimes;
        let Some(host) = self.hosts.get_mut(host).filter(|host| host.is_connected()) else { return };
        host.wanted_slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let lacking = host.wanted_slots.saturating_sub(host.open_slots());
        for slot in host.slots.values_mut().filter(|slot| slot.is_closed).take(lacking) {
            slot.is_closed = false;
        }
        let lacking = host.wanted_slots.saturating_sub(host.open_slots());
        let unused: Vec<SlotId> =
            (0..slots).map(SlotId).filter(|slot| !host.slots.contains_key(slot)).take(lacking).collect();
        let new = || Slot::new(of_each(runtimes, Cell::empty));
        host.slots.extend(unused.into_iter().map(|slot| (slot, new())));
        host.close_surplus();
    }
}
