//! One host of the machine: its images, slots and cells, and what it lacks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Action, Connection, ContainerPlace};
use crate::domain::exercise::Isolation;

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
    pub(super) cells: Vec<Cell<C>>,
}

#[derive(Debug)]
pub(super) struct Host<C> {
    pub(super) connection: Connection,
    pub(super) failures: u32,
    pub(super) images: Vec<(Image, Pause)>,
    /// Each has a core of its own.
    pub(super) slots: Vec<Slot<C>>,
    pub(super) started: BTreeSet<usize>,
}

impl<C> Host<C> {
    pub(super) fn plan_images(&mut self, index: usize, now: Instant, actions: &mut Vec<Action<C>>) {
        for (runtime, (image, pause)) in self.images.iter_mut().enumerate() {
            if matches!(image, Image::Absent) && pause.is_over(now) {
                *image = Image::Preparing;
                actions.push(Action::PrepareImage { host: index, runtime });
            }
        }
    }

    /// Takes those warm containers out of use that `shall_go` names.
    pub(super) fn retire(
        &mut self,
        host: usize,
        shall_go: impl Fn(&C, Life, &mut Pause) -> bool,
        actions: &mut Vec<Action<C>>,
    ) {
        for (slot_index, slot) in self.slots.iter_mut().enumerate() {
            for (runtime, cell) in slot.cells.iter_mut().enumerate() {
                let Cell { content, pause, .. } = cell;
                let goes =
                    matches!(content, Content::Warm { container, life } if shall_go(container, *life, pause));
                if goes
                    && let Content::Warm { container, .. } =
                        std::mem::replace(&mut cell.content, Content::Removing)
                {
                    let place = ContainerPlace { host, slot: slot_index, runtime, serial: cell.serial };
                    actions.push(Action::Remove(place, container));
                }
            }
        }
    }

    pub(super) fn plan_launches(
        &mut self,
        host: usize,
        now: Instant,
        warm_per_runtime: usize,
        last_serial: &mut u64,
        actions: &mut Vec<Action<C>>,
    ) {
        let mut going_on = self.cells().filter(|cell| matches!(cell.content, Content::Starting)).count();
        while going_on < LAUNCHES_AT_ONCE {
            let Some((slot_index, runtime)) = self.next_launch(warm_per_runtime, now) else { return };
            let slot = self.slots.get_mut(slot_index);
            let Some(cell) = slot.and_then(|slot| slot.cells.get_mut(runtime)) else { return };
            *last_serial += 1;
            cell.serial = *last_serial;
            cell.content = Content::Starting;
            going_on += 1;
            actions.push(Action::Launch(ContainerPlace {
                host,
                slot: slot_index,
                runtime,
                serial: cell.serial,
            }));
        }
    }

    /// The runtime that lacks most and the emptiest free slot for it.
    pub(super) fn next_launch(&self, warm_per_runtime: usize, now: Instant) -> Option<(usize, usize)> {
        let wanted = warm_per_runtime.min(self.untaken_slots());
        let ready = self.images.iter().enumerate().filter(|(_, (image, _))| matches!(image, Image::Ready));
        let mut lacking: Vec<(usize, usize)> = ready
            .map(|(runtime, _)| (self.slots.iter().filter(|slot| slot.will_serve(runtime)).count(), runtime))
            .filter(|(have, _)| *have < wanted)
            .collect();
        lacking.sort_unstable();
        lacking.into_iter().find_map(|(_, runtime)| {
            let open = self.slots.iter().enumerate().filter(|(_, slot)| slot.can_launch(runtime, now));
            open.min_by_key(|(_, slot)| slot.inhabited()).map(|(slot, _)| (slot, runtime))
        })
    }

    pub(super) const fn was_tried(&self) -> bool {
        self.failures > 0 || matches!(self.connection, Connection::Healthy | Connection::Suspect)
    }

    /// Slots that hold no submission and nothing that one left.
    pub(super) fn untaken_slots(&self) -> usize {
        self.slots.iter().filter(|slot| slot.taken_by.is_none()).count()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell<C>> {
        self.slots.iter().flat_map(|slot| &slot.cells)
    }
}

impl<C> Slot<C> {
    pub(super) fn can_serve(&self, runtime: usize, isolation: Isolation) -> bool {
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
    pub(super) fn will_be_fresh(&self, runtime: usize) -> bool {
        let coming = |cell: &Cell<C>| match cell.content {
            Content::Starting | Content::Removing => true,
            // The last one did not start; another one would not help.
            Content::Empty => cell.pause.until.is_some(),
            Content::Warm { .. } | Content::Busy { .. } | Content::Emptying { .. } => false,
        };
        self.taken_by.is_none()
            && (self.can_serve(runtime, Isolation::Fresh) || self.cells.get(runtime).is_some_and(coming))
    }

    pub(super) fn will_serve(&self, runtime: usize) -> bool {
        self.taken_by.is_none()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(cell.content, Content::Warm { .. } | Content::Starting))
    }

    pub(super) fn can_launch(&self, runtime: usize, now: Instant) -> bool {
        self.taken_by.is_none()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(cell.content, Content::Empty) && cell.pause.is_over(now))
    }

    pub(super) fn warm(&self) -> impl Iterator<Item = usize> + '_ {
        let cells = self.cells.iter().enumerate();
        cells.filter(|(_, cell)| matches!(cell.content, Content::Warm { .. })).map(|(runtime, _)| runtime)
    }

    /// Runtime of the container that is being emptied: the slot is taken only until then.
    pub(super) fn emptying(&self) -> Option<usize> {
        self.cells.iter().position(|cell| matches!(cell.content, Content::Emptying { .. }))
    }

    pub(super) fn inhabited(&self) -> usize {
        self.cells.iter().filter(|cell| !matches!(cell.content, Content::Empty)).count()
    }
}

impl<C> Cell<C> {
    pub(super) const fn empty() -> Self {
        Self { serial: 0, content: Content::Empty, pause: Pause::none() }
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

pub(super) fn repeat<T>(count: usize, make: impl FnMut() -> T) -> Vec<T> {
    std::iter::repeat_with(make).take(count).collect()
}
