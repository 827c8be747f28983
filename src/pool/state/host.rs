//! One host of the machine: its images, slots and cells, and what it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::canaries::Canaries;
use super::choice::Measured;
use super::copies::Copies;
use super::standing::Standing;
use super::{Action, Connection, ContainerPlace, Role, SlotId};
use crate::domain::exercise::Isolation;
use crate::domain::host::{HostMode, HostName};
use crate::domain::ids::RuntimeId;

/// First and longest pause after something failed.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

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
    /// Ready, and being looked at again.
    LookedAt,
}

#[derive(Debug)]
pub(super) enum Content<C> {
    Empty,
    Starting {
        /// Whether it counts as launched only when the runtime's canary has ended well in it.
        canary: bool,
    },
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
    /// Whether the image of what starts in it was replaced meanwhile.
    pub(super) outdated: bool,
    pub(super) pause: Pause,
}

#[derive(Debug)]
pub(super) struct Slot<C> {
    /// The container that has the slot for itself.
    pub(super) taken_by: Option<u64>,
    /// The companion that serves the same submission, or is being removed after one.
    pub(super) companion: Option<u64>,
    /// It is to go, and holds no submission.
    pub(super) is_closed: bool,
    pub(super) cells: BTreeMap<RuntimeId, Cell<C>>,
    /// Of runtimes that were asked for.
    pub(super) companions: BTreeMap<RuntimeId, Cell<C>>,
}

#[derive(Debug)]
pub(super) struct Host<C> {
    pub(super) mode: HostMode,
    pub(super) connection: Connection,
    pub(super) failures: u32,
    pub(super) images: BTreeMap<RuntimeId, (Image, Pause)>,
    /// How many there shall be.
    pub(super) wanted_slots: usize,
    /// Each has a core of its own.
    pub(super) slots: BTreeMap<SlotId, Slot<C>>,
    pub(super) canaries: Canaries,
    pub(super) measured: Measured,
    /// A container there was silent, and its engine has not answered since.
    pub(super) doubted: bool,
    pub(super) copies: Copies,
    /// When it waits for time, as the fleet knows.
    pub(super) wake: Option<Instant>,
    /// What it has to give, as the fleet knows.
    pub(super) standing: Standing,
}

impl<C> Host<C> {
    /// One that is to be connected to.
    pub(super) fn away(mode: HostMode, until: Instant) -> Self {
        Self {
            mode,
            connection: Connection::Away { until },
            failures: 0,
            images: BTreeMap::new(),
            wanted_slots: 0,
            slots: BTreeMap::new(),
            canaries: Canaries::default(),
            measured: Measured::default(),
            doubted: false,
            copies: Copies::default(),
            wake: None,
            standing: Standing::default(),
        }
    }

    pub(super) fn plan_images(&mut self, host: &HostName, now: Instant, actions: &mut Vec<Action<C>>) {
        for (runtime, (image, pause)) in &mut self.images {
            let looked_at = match image {
                Image::Absent => Image::Preparing,
                Image::Ready => Image::LookedAt,
                Image::Preparing | Image::LookedAt => continue,
            };
            if pause.is_over(now) {
                *image = looked_at;
                actions.push(Action::PrepareImage { host: host.clone(), runtime: runtime.clone() });
            }
        }
    }

    /// Takes those warm containers out of use that `shall_go` names.
    pub(super) fn retire(
        &mut self,
        host: &HostName,
        shall_go: impl Fn(&C, Life, &mut Pause) -> bool,
        actions: &mut Vec<Action<C>>,
    ) {
        for (slot, known) in &mut self.slots {
            for (role, runtime, cell) in known.all_mut() {
                let Cell { content, pause, .. } = cell;
                let goes =
                    matches!(content, Content::Warm { container, life } if shall_go(container, *life, pause));
                if goes
                    && let Content::Warm { container, .. } =
                        std::mem::replace(&mut cell.content, Content::Removing)
                {
                    let place = cell.place(host, *slot, role, runtime);
                    actions.push(Action::Remove(place, container));
                }
            }
        }
    }

    /// Whether the attempt of that number to connect to it goes on.
    pub(super) fn is_connecting(&self, attempt: u64) -> bool {
        self.connection == Connection::Connecting { attempt }
    }

    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.connection, Connection::Healthy | Connection::Suspect)
    }

    pub(super) const fn was_tried(&self) -> bool {
        self.failures > 0 || self.is_connected()
    }

    /// The next instant at which it may be asked what to begin though nothing has changed.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let away = match self.connection {
            Connection::Away { until } => Some(until),
            Connection::Connecting { .. } | Connection::Healthy | Connection::Suspect => None,
        };
        let images = self.images.values().filter_map(|(_, pause)| pause.until);
        let cells = self.cells().filter_map(|cell| match &cell.content {
            Content::Empty => cell.pause.until,
            Content::Warm { life, .. } => Some(life.until),
            Content::Starting { .. }
            | Content::Busy { .. }
            | Content::Emptying { .. }
            | Content::Removing => None,
        });
        let pauses = self.copies.pauses().chain(self.canaries.pauses());
        away.into_iter().chain(images).chain(cells).chain(pauses).filter(|instant| *instant > now).min()
    }

    /// Slots that hold no submission and nothing that one left.
    pub(super) fn untaken_slots(&self) -> usize {
        self.slots.values().filter(|slot| slot.is_free()).count()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell<C>> {
        self.slots.values().flat_map(|slot| slot.cells.values().chain(slot.companions.values()))
    }
}

impl<C> Slot<C> {
    pub(super) const fn new(cells: BTreeMap<RuntimeId, Cell<C>>) -> Self {
        Self { taken_by: None, companion: None, is_closed: false, cells, companions: BTreeMap::new() }
    }

    /// All cells, with what they are for.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (Role, &RuntimeId, &mut Cell<C>)> {
        let programs = self.cells.iter_mut().map(|(runtime, cell)| (Role::Program, runtime, cell));
        let companions = self.companions.iter_mut().map(|(runtime, cell)| (Role::Companion, runtime, cell));
        programs.chain(companions)
    }

    /// All cells of a runtime.
    pub(super) fn of_mut(&mut self, runtime: &RuntimeId) -> impl Iterator<Item = &mut Cell<C>> {
        let program = self.cells.get_mut(runtime);
        program.into_iter().chain(self.companions.get_mut(runtime))
    }

    /// Whether a submission has it, or something that one left.
    pub(super) const fn is_taken(&self) -> bool {
        self.taken_by.is_some() || self.companion.is_some()
    }

    /// Whether it may be given to a submission.
    pub(super) const fn is_free(&self) -> bool {
        !self.is_taken() && !self.is_closed
    }

    pub(super) fn can_serve(&self, runtime: &RuntimeId, isolation: Isolation) -> bool {
        let suits = |life: &Life| match isolation {
            Isolation::Reset => true,
            Isolation::Fresh => life.submissions == 0,
        };
        self.is_free()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(&cell.content, Content::Warm { life, .. } if suits(life)))
    }

    /// Whether the slot holds a container that has served nobody, or will as soon as one starts there.
    pub(super) fn will_be_fresh(&self, runtime: &RuntimeId) -> bool {
        let coming = |cell: &Cell<C>| match cell.content {
            Content::Starting { .. } | Content::Removing => true,
            // The last one did not start; another one would not help.
            Content::Empty => cell.pause.until.is_some(),
            Content::Warm { .. } | Content::Busy { .. } | Content::Emptying { .. } => false,
        };
        self.is_free()
            && (self.can_serve(runtime, Isolation::Fresh) || self.cells.get(runtime).is_some_and(coming))
    }

    pub(super) fn will_serve(&self, runtime: &RuntimeId) -> bool {
        self.is_free()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(cell.content, Content::Warm { .. } | Content::Starting { .. }))
    }

    pub(super) fn can_launch(&self, runtime: &RuntimeId, now: Instant) -> bool {
        self.is_free()
            && self
                .cells
                .get(runtime)
                .is_some_and(|cell| matches!(cell.content, Content::Empty) && cell.pause.is_over(now))
    }

    pub(super) fn has_warm(&self, runtime: &RuntimeId) -> bool {
        self.cells.get(runtime).is_some_and(|cell| matches!(cell.content, Content::Warm { .. }))
    }

    /// Runtime of the container that is being emptied: the slot is taken only until then.
    pub(super) fn emptying(&self) -> Option<&RuntimeId> {
        if self.companion.is_some() {
            return None;
        }
        let emptying = |cell: &Cell<C>| matches!(cell.content, Content::Emptying { .. });
        self.cells.iter().find(|(_, cell)| emptying(cell)).map(|(runtime, _)| runtime)
    }

    pub(super) fn inhabited(&self) -> usize {
        let all = self.cells.values().chain(self.companions.values());
        all.filter(|cell| !matches!(cell.content, Content::Empty)).count()
    }
}

impl<C> Cell<C> {
    pub(super) const fn empty() -> Self {
        Self { serial: 0, content: Content::Empty, outdated: false, pause: Pause::none() }
    }

    /// A container that waits there goes at the next plan.
    pub(super) const fn expire(&mut self, now: Instant) {
        if let Content::Warm { life, .. } = &mut self.content {
            life.until = now;
        }
    }

    /// The place of what is in it.
    pub(super) fn place(
        &self,
        host: &HostName,
        slot: SlotId,
        role: Role,
        runtime: &RuntimeId,
    ) -> ContainerPlace {
        ContainerPlace { host: host.clone(), slot, role, runtime: runtime.clone(), serial: self.serial }
    }
}

impl Pause {
    pub(super) const fn none() -> Self {
        Self { failures: 0, until: None }
    }

    pub(super) const fn until(instant: Instant) -> Self {
        Self { failures: 0, until: Some(instant) }
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    pub(super) fn lengthen(&mut self, now: Instant, spread: Duration) {
        self.until = Some(now + pause_after(self.failures) + spread);
        self.failures = self.failures.saturating_add(1);
    }

    /// It ends at once.
    pub(super) const fn end(&mut self) {
        self.until = None;
    }
}

pub(super) fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

pub(super) fn of_each<T>(runtimes: &BTreeSet<RuntimeId>, make: impl Fn() -> T) -> BTreeMap<RuntimeId, T> {
    runtimes.iter().map(|runtime| (runtime.clone(), make())).collect()
}
