//! One host of the machine: its images, slots and cells, and what it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Action, Connection, ContainerPlace, HostId, SlotId};
use crate::domain::exercise::Isolation;
use crate::domain::host::HostMode;
use crate::domain::ids::RuntimeId;

/// First and longest pause after something failed.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Launches going on at one time on one host: more only makes each of them slower.
const LAUNCHES_AT_ONCE: usize = 4;

#[derive(Debug)]
pub(super) struct Pause {
    pub(super) failures: u32,
    pub(super) until: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Image {
    Absent,
    Preparing,
    Ready,
}

#[derive(Debug)]
pub(super) enum Content<C> {
    Empty,
    Starting,
    Warm {
        container: C,
        life: Life,
    },
    Busy {
        life: Life,
    },
    /// No command of a submission runs any more, and the container is being emptied, to be used again.
    Emptying {
        life: Life,
    },
    Removing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) until: Instant,
    pub(super) submissions: u32,
    /// After so many it is replaced.
    pub(super) most_submissions: u32,
}

impl Life {
    /// Whether the container is replaced after its submission.
    pub(super) fn is_spent(self, now: Instant) -> bool {
        self.submissions >= self.most_submissions || self.until <= now
    }
}

#[derive(Debug)]
pub(super) struct Cell<C> {
    pub(super) serial: u64,
    pub(super) content: Content<C>,
    pub(super) pause: Pause,
}

#[derive(Debug)]
pub(super) struct Slot<C> {
    /// The container that has the slot for itself.
    pub(super) taken_by: Option<u64>,
    pub(super) cells: BTreeMap<RuntimeId, Cell<C>>,
}

#[derive(Debug)]
pub(super) struct Host<C> {
    pub(super) mode: HostMode,
    pub(super) connection: Connection,
    pub(super) failures: u32,
    pub(super) images: BTreeMap<RuntimeId, (Image, Pause)>,
    /// Each has a core of its own.
    pub(super) slots: BTreeMap<SlotId, Slot<C>>,
    pub(super) started: BTreeSet<RuntimeId>,
}

impl<C> Host<C> {
    /// One that is to be connected to.
    pub(super) const fn away(until: Instant) -> Self {
        Self {
            mode: HostMode::Active,
            connection: Connection::Away { until },
            failures: 0,
            images: BTreeMap::new(),
            slots: BTreeMap::new(),
            started: BTreeSet::new(),
        }
    }

    pub(super) fn plan_images(&mut self, host: &HostId, now: Instant, actions: &mut Vec<Action<C>>) {
        for (runtime, (image, pause)) in &mut self.images {
            if matches!(image, Image::Absent) && pause.is_over(now) {
                *image = Image::Preparing;
                actions.push(Action::PrepareImage { host: host.clone(), runtime: runtime.clone() });
            }
        }
    }

    /// Takes those warm containers out of use that `shall_go` names.
    pub(super) fn retire(
        &mut self,
        host: &HostId,
        shall_go: impl Fn(&C, Life, &mut Pause) -> bool,
        actions: &mut Vec<Action<C>>,
    ) {
        for (slot, known) in &mut self.slots {
            for (runtime, cell) in &mut known.cells {
                let Cell { content, pause, .. } = cell;
                let goes =
                    matches!(content, Content::Warm { container, life } if shall_go(container, *life, pause));
                if goes
                    && let Content::Warm { container, .. } =
                        std::mem::replace(&mut cell.content, Content::Removing)
                {
                    let place = cell.place(host, *slot, runtime);
                    actions.push(Action::Remove(place, container));
                }
            }
        }
    }

    pub(super) fn plan_launches(
        &mut self,
        host: &HostId,
        now: Instant,
        warm_per_runtime: usize,
        last_serial: &mut u64,
        actions: &mut Vec<Action<C>>,
    ) {
        if !self.mode.takes_work() {
            return;
        }
        let mut going_on = self.cells().filter(|cell| matches!(cell.content, Content::Starting)).count();
        while going_on < LAUNCHES_AT_ONCE {
            let Some((slot, runtime)) = self.next_launch(warm_per_runtime, now) else { return };
            let known = self.slots.get_mut(&slot);
            let Some(cell) = known.and_then(|known| known.cells.get_mut(&runtime)) else { return };
            *last_serial += 1;
            cell.serial = *last_serial;
            cell.content = Content::Starting;
            going_on += 1;
            actions.push(Action::Launch(cell.place(host, slot, &runtime)));
        }
    }

    /// The runtime that lacks most and the emptiest free slot for it.
    fn next_launch(&self, warm_per_runtime: usize, now: Instant) -> Option<(SlotId, RuntimeId)> {
        let wanted = warm_per_runtime.min(self.untaken_slots());
        let ready = self.images.iter().filter(|(_, (image, _))| matches!(image, Image::Ready));
        let mut lacking: Vec<(usize, &RuntimeId)> = ready
            .map(|(runtime, _)| {
                (self.slots.values().filter(|slot| slot.will_serve(runtime)).count(), runtime)
            })
            .filter(|(have, _)| *have < wanted)
            .collect();
        lacking.sort_unstable();
        lacking.into_iter().find_map(|(_, runtime)| {
            let open = self.slots.iter().filter(|(_, slot)| slot.can_launch(runtime, now));
            open.min_by_key(|(_, slot)| slot.inhabited()).map(|(slot, _)| (*slot, runtime.clone()))
        })
    }

    pub(super) const fn was_tried(&self) -> bool {
        self.failures > 0 || matches!(self.connection, Connection::Healthy | Connection::Suspect)
    }

    /// Slots that hold no submission and nothing that one left.
    pub(super) fn untaken_slots(&self) -> usize {
        self.slots.values().filter(|slot| slot.taken_by.is_none()).count()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell<C>> {
        self.slots.values().flat_map(|slot| slot.cells.values())
    }
}

impl<C> Slot<C> {
    pub(super) fn can_serve(&self, runtime: &RuntimeId, isolation: Isolation) -> bool {
        let suits = |life: &Life| match isolation {
            Isolation::Reset => true,
            Isolation::Fresh => life.submissions == 0,
        };
        self.taken_by.is_none()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(&cell.content, Content::Warm { life, .. } if suits(life)))
    }

    /// Whether the slot holds a container that has served nobody, or will as soon as one starts there.
    pub(super) fn will_be_fresh(&self, runtime: &RuntimeId) -> bool {
        let coming = |cell: &Cell<C>| match cell.content {
            Content::Starting | Content::Removing => true,
            // The last one did not start; another one would not help.
            Content::Empty => cell.pause.until.is_some(),
            Content::Warm { .. } | Content::Busy { .. } | Content::Emptying { .. } => false,
        };
        self.taken_by.is_none()
            && (self.can_serve(runtime, Isolation::Fresh) || self.cells.get(runtime).is_some_and(coming))
    }

    pub(super) fn will_serve(&self, runtime: &RuntimeId) -> bool {
        self.taken_by.is_none()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(cell.content, Content::Warm { .. } | Content::Starting))
    }

    pub(super) fn can_launch(&self, runtime: &RuntimeId, now: Instant) -> bool {
        self.taken_by.is_none()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(cell.content, Content::Empty) && cell.pause.is_over(now))
    }

    pub(super) fn warm(&self) -> impl Iterator<Item = &RuntimeId> + '_ {
        let cells = self.cells.iter();
        cells.filter(|(_, cell)| matches!(cell.content, Content::Warm { .. })).map(|(runtime, _)| runtime)
    }

    /// Runtime of the container that is being emptied: the slot is taken only until then.
    pub(super) fn emptying(&self) -> Option<&RuntimeId> {
        let emptying = |cell: &Cell<C>| matches!(cell.content, Content::Emptying { .. });
        self.cells.iter().find(|(_, cell)| emptying(cell)).map(|(runtime, _)| runtime)
    }

    pub(super) fn inhabited(&self) -> usize {
        self.cells.values().filter(|cell| !matches!(cell.content, Content::Empty)).count()
    }
}

impl<C> Cell<C> {
    pub(super) const fn empty() -> Self {
        Self { serial: 0, content: Content::Empty, pause: Pause::none() }
    }

    /// The place of what is in it.
    pub(super) fn place(&self, host: &HostId, slot: SlotId, runtime: &RuntimeId) -> ContainerPlace {
        ContainerPlace { host: host.clone(), slot, runtime: runtime.clone(), serial: self.serial }
    }
}

impl Pause {
    pub(super) const fn none() -> Self {
        Self { failures: 0, until: None }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    pub(super) fn lengthen(&mut self, now: Instant, spread: Duration) {
        self.until = Some(now + pause_after(self.failures) + spread);
        self.failures = self.failures.saturating_add(1);
    }
}

pub(super) fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

pub(super) fn of_each<T>(runtimes: &BTreeSet<RuntimeId>, make: impl Fn() -> T) -> BTreeMap<RuntimeId, T> {
    runtimes.iter().map(|runtime| (runtime.clone(), make())).collect()
}
