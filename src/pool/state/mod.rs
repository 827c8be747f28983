//! What is where: hosts, their slots, and in each slot one cell for each runtime. Pure: no clock, no engine.
//!
//! ```text
//! host:  away ──► connecting ──► healthy ◄──► suspect          cell:  empty ──► starting ──► warm ──► busy
//!          ▲           │            │            │                      ▲           │          │        │
//!          └───────────┴────────────┴────────────┘                      └───────────┴──────────┴─► removing
//! ```
//!
//! A healthy host gives containers of the runtimes whose canary has passed there, and is in quarantine while none can
//! (`canaries`).
//!
//! A slot holds at most one submission: of its cells at most one is busy, and beside it at most one companion (`companions`). Each slot has a core of its own, so that a
//! submission that gets one runs. Each container has a serial number of its own, so that news of one that is gone
//! changes nothing; so has each attempt to connect to a host, since hosts come and go. The owner asks [`Machine::plan`] after each change what to
//! begin, begins it, and tells the machine how it went.

mod canaries;
mod choice;
mod companions;
mod copies;
mod fleet;
mod hindrance;
mod host;
mod hosts;
mod images;
mod launches;
mod slots;
mod standing;
mod supply;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use companions::Company;
pub use copies::Copy;
pub use hindrance::Hindrance;
pub use images::{ImageFailure, ImageUse};
pub use launches::LaunchFailure;
pub use supply::Pairs;
pub use view::{Activity, Occupancy, Population};

use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;
use fleet::Fleet;
use host::{Cell, Content, Pause};

/// A slot of a host: its number there, from 0, which names its core and its uids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// What a container does for the submission that has its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The submission's program runs in it.
    Program,
    /// A program of its exercise runs in it.
    Companion,
}

/// One container's place, now and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlace {
    /// The host.
    pub host: HostName,
    /// The slot on it.
    pub slot: SlotId,
    /// What it does there.
    pub role: Role,
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
        host: HostName,
        /// Serial number of the attempt.
        attempt: u64,
    },
    /// See to a runtime's image; answered by `image_ready` or `image_failed`.
    PrepareImage {
        /// The host.
        host: HostName,
        /// The runtime.
        runtime: RuntimeId,
    },
    /// Bring an image from another host; answered by `image_came` or `image_did_not_come`.
    CopyImage {
        /// The host that gets it.
        host: HostName,
        /// What comes from where.
        copy: Copy,
    },
    /// Start a container; answered by `launched` or `launch_failed`.
    Launch {
        /// Its place.
        place: ContainerPlace,
        /// Whether the runtime's canary has to end well in it before it counts as launched.
        canary: bool,
    },
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
    /// The same, and its run was lost for reasons of infrastructure.
    Lost(C),
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
    Connecting {
        /// Its serial number.
        attempt: u64,
    },
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
    hosts: Fleet<C>,
    runtimes: Arc<BTreeSet<RuntimeId>>,
    supplies: Supplies,
    seed: u64,
    last_serial: u64,
    closed: bool,
}

impl<C> Machine<C> {
    /// A machine without hosts.
    ///
    /// * `seed` — spreads retries of different processes over time.
    pub fn new(runtimes: impl IntoIterator<Item = RuntimeId>, supplies: Supplies, seed: u64) -> Self {
        let runtimes: BTreeSet<RuntimeId> = runtimes.into_iter().collect();
        let hosts = Fleet::new(runtimes.len());
        Self { hosts, runtimes: Arc::new(runtimes), supplies, seed, last_serial: 0, closed: false }
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
            // Its host was lost or removed meanwhile; what is left of it there is swept.
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
            Fate::Lost(container) => {
                cell.content = Content::Removing;
                self.run_lost(&place.host);
                return Some(Action::Remove(place, container));
            }
        };
        cell.content = content;
        *taken_by = None;
        self.close_surplus(&place.host);
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
                self.close_surplus(&place.host);
            }
        }
    }

    /// Takes a warm container out of use, to be replaced; answers with what is to be removed.
    pub fn retire(&mut self, place: &ContainerPlace) -> Option<Action<C>> {
        let (cell, _) = self.cell(place)?;
        match std::mem::replace(&mut cell.content, Content::Removing) {
            Content::Warm { container, .. } => Some(Action::Remove(place.clone(), container)),
            other => {
                cell.content = other;
                None
            }
        }
    }

    /// Warm containers that died or stand still are removed, those that `has_stopped` names.
    pub fn stopped(
        &mut self,
        host: &HostName,
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

    /// What is to be begun now; counts as begun.
    pub fn plan(&mut self, now: Instant) -> Vec<Action<C>> {
        let mut actions = Vec::new();
        if self.closed {
            return actions;
        }
        for id in self.hosts.due(now) {
            let Some(host) = self.hosts.planned(&id) else { continue };
            match host.connection {
                Connection::Away { until } if until <= now => {
                    self.last_serial += 1;
                    host.connection = Connection::Connecting { attempt: self.last_serial };
                    actions.push(Action::Connect { host: id.clone(), attempt: self.last_serial });
                }
                Connection::Healthy => {
                    let warm_per_runtime = self.supplies.warm_per_runtime;
                    host.plan_images(&id, now, &mut actions);
                    host.empty_closed(&id, &mut actions);
                    host.make_room_for_canaries(now);
                    host.retire(&id, |_container, life, _pause| life.until <= now, &mut actions);
                    host.plan_launches(&id, now, warm_per_runtime, &mut self.last_serial, &mut actions);
                }
                Connection::Away { .. } | Connection::Connecting { .. } | Connection::Suspect => {}
            }
            self.hosts.note_wake(&id, now);
        }
        self.plan_copies(now, &mut actions);
        actions
    }

    /// The next instant at which [`Machine::plan`] may have something to say by itself.
    pub fn next_wake(&self, now: Instant) -> Option<Instant> {
        self.hosts.next_wake(now)
    }

    /// Takes the hosts that may have changed since they were taken last.
    pub fn take_changed(&mut self) -> BTreeSet<HostName> {
        self.hosts.take_untold()
    }

    /// A slot of the host has become free; it may be one too many.
    fn close_surplus(&mut self, host: &HostName) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.close_surplus();
        }
    }

    fn cell(&mut self, place: &ContainerPlace) -> Option<(&mut Cell<C>, &mut Option<u64>)> {
        let slot = self.hosts.get_mut(&place.host)?.slots.get_mut(&place.slot)?;
        let (cells, taken_by) = match place.role {
            Role::Program => (&mut slot.cells, &mut slot.taken_by),
            Role::Companion => (&mut slot.companions, &mut slot.companion),
        };
        let cell = cells.get_mut(&place.runtime)?;
        (cell.serial == place.serial).then_some((cell, taken_by))
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
