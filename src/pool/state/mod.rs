//! What is where: hosts, their slots, and in each slot one cell for each runtime. Pure: no clock, no engine.
//!
//! ```text
//! host:  away ──► connecting ──► healthy ◄──► suspect          cell:  empty ──► starting ──► warm ──► busy
//!          ▲           │            │            │                      ▲           │          │        │
//!          └───────────┴────────────┴────────────┘                      └───────────┴──────────┴─► removing
//! ```
//!
//! A slot holds at most one submission: of its cells at most one is busy. Each slot has a core of its own, so that a
//! submission that gets one runs. Each container has a serial number of its own, so that news of one that is gone
//! changes nothing. The owner asks [`Machine::plan`] after each change what to
//! begin, begins it, and tells the machine how it went.

mod host;
mod modes;
mod supply;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use view::Population;

use crate::domain::ids::RuntimeId;
use host::{Cell, Content, FIRST_PAUSE, Host, Image, Life, Pause, Slot, of_each, pause_after};

/// Age at which an idle container is replaced; each has up to a quarter more, so that they don't go together.
const MOST_AGE: Duration = Duration::from_hours(1);

/// A host: its address, as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(Arc<str>);

impl HostId {
    /// The host at this address.
    pub fn new(address: &str) -> Self {
        Self(address.into())
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.0
    }
}

/// A slot of a host: its number there, from 0, which names its core and its uids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// One container's place, now and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlace {
    /// The host.
    pub host: HostId,
    /// The slot on it.
    pub slot: SlotId,
    /// What it is for.
    pub runtime: RuntimeId,
    /// Serial number of the container.
    pub serial: u64,
}

/// What is to be begun.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<C> {
    /// Connect to a host and remove what is left there; answered by `connected` or `connect_failed`.
    Connect {
        /// The host.
        host: HostId,
    },
    /// See to a runtime's image; answered by `image_ready` or `image_failed`.
    PrepareImage {
        /// The host.
        host: HostId,
        /// The runtime.
        runtime: RuntimeId,
    },
    /// Start a container; answered by `launched` or `launch_failed`.
    Launch(ContainerPlace),
    /// Remove a container; answered by `removed`.
    Remove(ContainerPlace, C),
}

/// What became of a container after a submission.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate<C> {
    /// It is empty and verified.
    Reusable(C),
    /// Nothing of the submission runs any more, but it shall not be used again.
    Retired(C),
    /// Something of the submission may still run.
    Doubtful(C),
}

/// How a host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not connected; the next attempt is at this instant.
    Away {
        /// When.
        until: Instant,
    },
    /// An attempt goes on.
    Connecting,
    /// It answers.
    Healthy,
    /// It did not answer the last time.
    Suspect,
}

/// How many containers are kept, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Supplies {
    /// Free slots of a host that shall hold a warm container of each runtime, at least 1.
    pub warm_per_runtime: usize,
    /// Submissions after which a container is replaced.
    pub submissions_per_container: u32,
}

/// The state of all hosts.
#[derive(Debug)]
pub struct Machine<C> {
    hosts: BTreeMap<HostId, Host<C>>,
    runtimes: BTreeSet<RuntimeId>,
    supplies: Supplies,
    seed: u64,
    last_serial: u64,
    closed: bool,
}

impl<C> Machine<C> {
    /// A machine with nothing in it.
    ///
    /// * `seed` — spreads retries of different processes over time.
    pub fn new(
        hosts: impl IntoIterator<Item = HostId>,
        runtimes: impl IntoIterator<Item = RuntimeId>,
        supplies: Supplies,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().map(|host| (host, Host::away(now))).collect(),
            runtimes: runtimes.into_iter().collect(),
            supplies,
            seed,
            last_serial: 0,
            closed: false,
        }
    }

    /// Begins nothing any more and gives no container away.
    pub const fn close(&mut self) {
        self.closed = true;
    }

    /// No command of a container's submission runs any more: it is being emptied, to be used again unless it is spent.
    pub fn emptying(&mut self, place: &ContainerPlace, now: Instant) {
        if let Some((cell, _)) = self.cell(place)
            && let Content::Busy { life } = cell.content
            && !life.is_spent(now)
        {
            cell.content = Content::Emptying { life };
        }
    }

    /// Takes a container back; answers with one that is to be removed.
    pub fn give_back(&mut self, place: ContainerPlace, fate: Fate<C>, now: Instant) -> Option<Action<C>> {
        let Some((cell, taken_by)) = self.cell(&place) else {
            // Its host was lost meanwhile; what is left of it there is swept when the host is back.
            return None;
        };
        let (Content::Busy { life } | Content::Emptying { life }) = cell.content else { return None };
        let spent = life.is_spent(now);
        let (content, removed) = match fate {
            Fate::Reusable(container) if !spent => {
                cell.pause = Pause::none();
                (Content::Warm { container, life }, None)
            }
            Fate::Reusable(container) | Fate::Retired(container) => (Content::Removing, Some(container)),
            Fate::Doubtful(container) => {
                cell.content = Content::Removing;
                return Some(Action::Remove(place, container));
            }
        };
        cell.content = content;
        *taken_by = None;
        removed.map(|container| Action::Remove(place, container))
    }

    /// A container is gone.
    pub fn removed(&mut self, place: &ContainerPlace) {
        if let Some((cell, taken_by)) = self.cell(place)
            && matches!(cell.content, Content::Removing)
        {
            cell.content = Content::Empty;
            if *taken_by == Some(place.serial) {
                *taken_by = None;
            }
        }
    }

    /// A container has started. Answers with it if nobody waits for it any more.
    pub fn launched(&mut self, place: &ContainerPlace, container: C, now: Instant) -> Option<C> {
        let spread = self.spread(place.serial, MOST_AGE / 4);
        let most_submissions = self.supplies.submissions_per_container;
        let Some((cell, _)) = self.cell(place) else { return Some(container) };
        if !matches!(cell.content, Content::Starting) {
            return Some(container);
        }
        let life = Life { until: now + MOST_AGE + spread, submissions: 0, most_submissions };
        cell.content = Content::Warm { container, life };
        if let Some(host) = self.hosts.get_mut(&place.host) {
            host.started.insert(place.runtime.clone());
        }
        None
    }

    /// A container did not start; with `image_gone`, for lack of its image.
    pub fn launch_failed(&mut self, place: &ContainerPlace, image_gone: bool, now: Instant) {
        let spread = self.spread(place.serial, FIRST_PAUSE);
        let Some((cell, _)) = self.cell(place) else { return };
        if !matches!(cell.content, Content::Starting) {
            return;
        }
        cell.content = Content::Empty;
        cell.pause.lengthen(now, spread);
        if image_gone && let Some(host) = self.hosts.get_mut(&place.host) {
            host.started.remove(&place.runtime);
            if let Some((image, _)) = host.images.get_mut(&place.runtime) {
                *image = Image::Absent;
            }
        }
    }

    /// Warm containers that died or stand still are removed, those that `has_stopped` names.
    pub fn stopped(
        &mut self,
        host: &HostId,
        has_stopped: impl Fn(&C) -> bool,
        now: Instant,
    ) -> Vec<Action<C>> {
        let mut actions = Vec::new();
        if let Some(known) = self.hosts.get_mut(host) {
            let retire = |container: &C, _life, pause: &mut Pause| {
                let stopped = has_stopped(container);
                if stopped {
                    pause.lengthen(now, Duration::ZERO);
                }
                stopped
            };
            known.retire(host, retire, &mut actions);
        }
        actions
    }

    /// A host is connected and holds nothing of ours; it has this many slots.
    pub fn connected(&mut self, host: &HostId, slots: u32) {
        let runtimes = &self.runtimes;
        if let Some(host) = self.hosts.get_mut(host)
            && host.connection == Connection::Connecting
        {
            host.connection = Connection::Healthy;
            host.failures = 0;
            host.images = of_each(runtimes, || (Image::Absent, Pause::none()));
            let slot = || Slot { taken_by: None, cells: of_each(runtimes, Cell::empty) };
            host.slots = (0..slots).map(|number| (SlotId(number), slot())).collect();
        }
    }

    /// A host could not be reached.
    pub fn connect_failed(&mut self, host: &HostId, now: Instant) {
        self.lost(host, now);
    }

    /// A runtime's image is on a host.
    pub fn image_ready(&mut self, host: &HostId, runtime: &RuntimeId) {
        if let Some((image, pause)) = self.image(host, runtime) {
            *image = Image::Ready;
            *pause = Pause::none();
        }
    }

    /// A runtime's image is not on a host.
    pub fn image_failed(&mut self, host: &HostId, runtime: &RuntimeId, now: Instant) {
        self.last_serial += 1;
        let spread = self.spread(self.last_serial, FIRST_PAUSE);
        if let Some((image, pause)) = self.image(host, runtime) {
            *image = Image::Absent;
            pause.lengthen(now, spread);
        }
    }

    /// A host did not answer in time: nothing new goes there.
    pub fn suspect(&mut self, host: &HostId) {
        self.reconnect_as(host, Connection::Healthy, Connection::Suspect);
    }

    /// A suspected host answers again.
    pub fn trust(&mut self, host: &HostId) {
        self.reconnect_as(host, Connection::Suspect, Connection::Healthy);
    }

    /// A host is gone, and what was on it.
    pub fn lost(&mut self, host: &HostId, now: Instant) {
        self.last_serial += 1;
        let spread = self.spread(self.last_serial, FIRST_PAUSE);
        if let Some(host) = self.hosts.get_mut(host) {
            host.connection = Connection::Away { until: now + pause_after(host.failures) + spread };
            host.failures = host.failures.saturating_add(1);
            host.images.clear();
            host.slots.clear();
            host.started.clear();
        }
    }

    /// What is to be begun now; counts as begun.
    pub fn plan(&mut self, now: Instant) -> Vec<Action<C>> {
        let mut actions = Vec::new();
        if self.closed {
            return actions;
        }
        for (id, host) in &mut self.hosts {
            match host.connection {
                Connection::Away { until } if until <= now => {
                    host.connection = Connection::Connecting;
                    actions.push(Action::Connect { host: id.clone() });
                }
                Connection::Healthy => {
                    host.plan_images(id, now, &mut actions);
                    host.retire(id, |_container, life, _pause| life.until <= now, &mut actions);
                    host.plan_launches(
                        id,
                        now,
                        self.supplies.warm_per_runtime,
                        &mut self.last_serial,
                        &mut actions,
                    );
                }
                Connection::Away { .. } | Connection::Connecting | Connection::Suspect => {}
            }
        }
        actions
    }

    /// The next instant at which [`Machine::plan`] may have something to say by itself.
    pub fn next_wake(&self, now: Instant) -> Option<Instant> {
        let instants = self.hosts.values().flat_map(|host| {
            let away = match host.connection {
                Connection::Away { until } => Some(until),
                Connection::Connecting | Connection::Healthy | Connection::Suspect => None,
            };
            let images = host.images.values().filter_map(|(_, pause)| pause.until);
            let cells = host.cells().filter_map(|cell| match &cell.content {
                Content::Empty => cell.pause.until,
                Content::Warm { life, .. } => Some(life.until),
                Content::Starting | Content::Busy { .. } | Content::Emptying { .. } | Content::Removing => {
                    None
                }
            });
            away.into_iter().chain(images).chain(cells)
        });
        instants.filter(|instant| *instant > now).min()
    }

    fn cell(&mut self, place: &ContainerPlace) -> Option<(&mut Cell<C>, &mut Option<u64>)> {
        let slot = self.hosts.get_mut(&place.host)?.slots.get_mut(&place.slot)?;
        let cell = slot.cells.get_mut(&place.runtime)?;
        (cell.serial == place.serial).then_some((cell, &mut slot.taken_by))
    }

    fn image(&mut self, host: &HostId, runtime: &RuntimeId) -> Option<&mut (Image, Pause)> {
        let image = self.hosts.get_mut(host)?.images.get_mut(runtime)?;
        matches!(image.0, Image::Preparing).then_some(image)
    }

    fn reconnect_as(&mut self, host: &HostId, from: Connection, to: Connection) {
        if let Some(host) = self.hosts.get_mut(host)
            && host.connection == from
        {
            host.connection = to;
        }
    }

    /// A part of `most` that differs by process and number (splitmix64).
    fn spread(&self, number: u64, most: Duration) -> Duration {
        let mut mixed = self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let part = u32::try_from(mixed >> 54).unwrap_or(0);
        most * part / 1024
    }
}
