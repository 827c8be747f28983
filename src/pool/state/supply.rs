//! What can be claimed, and claiming it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::host::{Content, Life};
use super::standing::Totals;
use super::{Action, ContainerPlace, Machine, Role};
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
    /// Runtimes whose canary has passed on such a host that still has the image.
    pub started: BTreeSet<RuntimeId>,
    /// Of which runtimes a companion could be had beside those.
    pub pairs: Pairs,
}

/// Runtimes of which some host gives containers for programs and of which companions beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    runtimes: Arc<BTreeSet<RuntimeId>>,
    /// Of each runtime of a program, for each of a companion.
    possible: Vec<bool>,
}

impl Pairs {
    /// * `hosts` — of each pair, those that give it.
    fn of(runtimes: &Arc<BTreeSet<RuntimeId>>, hosts: &[usize]) -> Self {
        if hosts.iter().all(|hosts| *hosts == 0) {
            return Self::default();
        }
        Self { runtimes: Arc::clone(runtimes), possible: hosts.iter().map(|hosts| *hosts > 0).collect() }
    }

    /// The runtimes of companions for programs of this one.
    pub fn companions_of(&self, runtime: &RuntimeId) -> impl Iterator<Item = &RuntimeId> {
        let row = self.runtimes.iter().position(|other| other == runtime);
        let skipped = row.map_or(self.possible.len(), |row| row * self.runtimes.len());
        let row = self.runtimes.iter().zip(self.possible.iter().skip(skipped));
        row.filter(|(_, possible)| **possible).map(|(companion, _)| companion)
    }
}

impl Supply {
    /// Counts one off for a submission that waits for this runtime; `false` if there is none for it.
    pub fn serve(&mut self, runtime: &RuntimeId) -> bool {
        let of_runtime = self.claimable.get_mut(runtime).filter(|slots| **slots > 0 && self.free > 0);
        let Some(slots) = of_runtime else { return false };
        *slots -= 1;
        self.free -= 1;
        true
    }

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
    pub fn supply(&mut self) -> Supply {
        if self.closed {
            return Supply::default();
        }
        let Totals { total, free, claimable, started, pairs, .. } = self.hosts.totals(&self.runtimes);
        let of_each = |counts: &[usize]| {
            let counts = self.runtimes.iter().cloned().zip(counts.iter().copied());
            counts.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        Supply {
            total: *total,
            free: *free,
            claimable: of_each(claimable).into_iter().collect(),
            pairs: Pairs::of(&self.runtimes, pairs),
            started: of_each(started).into_iter().map(|(runtime, _)| runtime).collect(),
        }
    }

    /// Gives a warm container away, from the host that is best for it (`choice`).
    ///
    /// * `companion` — of what runtime a companion is to be had beside it.
    /// * `isolation` — a fresh one has served nobody before.
    pub fn claim(
        &mut self,
        runtime: &RuntimeId,
        companion: Option<&RuntimeId>,
        isolation: Isolation,
    ) -> Option<(ContainerPlace, C)> {
        if self.closed {
            return None;
        }
        let able = self.hosts.iter().filter_map(|(id, host)| {
            let (slot, _) = host.slots.iter().find(|(_, slot)| slot.can_serve(runtime, isolation))?;
            let gives = host.gives(runtime) && companion.is_none_or(|companion| host.gives(companion));
            gives.then(|| (host.rank(), id, *slot))
        });
        let (_, id, slot) = able.min_by_key(|(rank, ..)| *rank)?;
        let id = id.clone();
        let known = self.hosts.get_mut(&id)?.slots.get_mut(&slot)?;
        let cell = known.cells.get_mut(runtime)?;
        let Content::Warm { container, life } = std::mem::replace(&mut cell.content, Content::Empty) else {
            return None;
        };
        cell.content = Content::Busy { life: Life { submissions: life.submissions + 1, ..life } };
        known.taken_by = Some(cell.serial);
        Some((cell.place(&id, slot, Role::Program, runtime), container))
    }

    /// Takes a warm container that has served a submission out of a free slot, so that a fresh one takes its place;
    /// answers with what is to be removed. There is nothing to do while `wanted` fresh ones are there or come.
    pub fn renew(&mut self, runtime: &RuntimeId, wanted: usize) -> Option<Action<C>> {
        let taking = self.hosts.values().filter(|host| host.gives(runtime) && !self.closed);
        let coming =
            taking.flat_map(|host| host.slots.values()).filter(|slot| slot.will_be_fresh(runtime)).count();
        if self.closed || coming >= wanted {
            return None;
        }
        let able = self.hosts.iter().filter(|(_, host)| host.gives(runtime)).filter_map(|(id, host)| {
            let mut slots = host.slots.iter();
            let (slot, _) = slots.find(|(_, slot)| slot.can_serve(runtime, Isolation::Reset))?;
            Some((host.rank(), id, *slot))
        });
        let (_, id, slot) = able.min_by_key(|(rank, ..)| *rank)?;
        let id = id.clone();
        let cell = self.hosts.get_mut(&id)?.slots.get_mut(&slot)?.cells.get_mut(runtime)?;
        match std::mem::replace(&mut cell.content, Content::Removing) {
            Content::Warm { container, .. } => {
                Some(Action::Remove(cell.place(&id, slot, Role::Program, runtime), container))
            }
            other => {
                cell.content = other;
                None
            }
        }
    }
}
