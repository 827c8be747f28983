//! Which runtimes a host may run: those whose canary has passed there. A canary is a program of the runtime's own whose end is
//! known; it runs in a container that has just started, before any of the runtime's containers on the host serves.
//!
//! ```text
//! wanted ──► passed        the container started, and the canary ended well in it
//!      │ ◄── passed        the image was replaced, or three runs in a row were lost on the host
//!      └───► failed ──┐    the image or the container was of no use, or the canary did not end well
//!               ▲     │    tried again after a pause that grows
//!               └─────┘
//! ```
//!
//! A host that answers is in quarantine while of its runtimes one has failed, and none has passed or may pass yet: a broken image
//! of one runtime takes nothing from the others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::host::{Cell, Content, Host, Image, Pause, Slot};
use super::{Connection, Machine};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;

/// First and longest pause after a canary that failed, without the part that differs by process and number.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(45);

/// Runs lost in a row on one host, after which its canaries are wanted again.
const LOSSES: u32 = 3;

/// What the canaries of a host came to.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// Runtimes whose canary is not wanted for the first time.
    tried: BTreeMap<RuntimeId, Canary>,
    /// Runs that were lost since one ended.
    losses: u32,
}

#[derive(Debug)]
enum Canary {
    Passed,
    /// It is wanted again after a pause.
    Failed(Pause),
}

impl Canaries {
    pub(super) fn has_passed(&self, runtime: &RuntimeId) -> bool {
        matches!(self.tried.get(runtime), Some(Canary::Passed))
    }

    pub(super) fn has_failed(&self, runtime: &RuntimeId) -> bool {
        matches!(self.tried.get(runtime), Some(Canary::Failed(_)))
    }

    /// Whether the next launch of the runtime may carry its canary.
    pub(super) fn is_due(&self, runtime: &RuntimeId, now: Instant) -> bool {
        match self.tried.get(runtime) {
            None => true,
            Some(Canary::Failed(pause)) => pause.is_over(now),
            Some(Canary::Passed) => false,
        }
    }

    /// When those that failed are tried again.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Instant> + '_ {
        self.tried.values().filter_map(|canary| match canary {
            Canary::Failed(pause) => pause.until,
            Canary::Passed => None,
        })
    }

    pub(super) fn pass(&mut self, runtime: &RuntimeId) {
        self.tried.insert(runtime.clone(), Canary::Passed);
    }

    /// What is known of the runtime holds no more.
    pub(super) fn forget(&mut self, runtime: &RuntimeId) {
        self.tried.remove(runtime);
    }

    /// One that failed is tried again at once.
    pub(super) fn hurry(&mut self, runtime: &RuntimeId) {
        if let Some(Canary::Failed(pause)) = self.tried.get_mut(runtime) {
            pause.end();
        }
    }

    fn lost(&mut self) {
        self.losses += 1;
        if self.losses >= LOSSES {
            self.losses = 0;
            self.tried.retain(|_, canary| matches!(canary, Canary::Failed(_)));
        }
    }

    /// How often in a row it has failed.
    fn failures(&self, runtime: &RuntimeId) -> u32 {
        match self.tried.get(runtime) {
            Some(Canary::Failed(pause)) => pause.failures,
            Some(Canary::Passed) | None => 0,
        }
    }

    fn fail(&mut self, runtime: &RuntimeId, until: Instant) {
        let failures = self.failures(runtime).saturating_add(1);
        self.tried.insert(runtime.clone(), Canary::Failed(Pause { failures, until: Some(until) }));
    }
}

impl<C> Host<C> {
    /// Whether it may give containers of the runtime to submissions.
    pub(super) fn gives(&self, runtime: &RuntimeId) -> bool {
        self.canaries.has_passed(runtime) && !self.doubted && self.takes_work()
    }

    /// Whether it answers and is good for nothing.
    pub(super) fn is_quarantined(&self) -> bool {
        let has_failed = |runtime| self.canaries.has_failed(runtime);
        self.connection == Connection::Healthy
            && self.images.keys().any(has_failed)
            && !self.images.iter().any(|(runtime, (image, pause))| self.may_pass(runtime, image, pause))
    }

    /// Whether the runtime's canary has passed, or may when it is tried for the first time.
    fn may_pass(&self, runtime: &RuntimeId, image: &Image, pause: &Pause) -> bool {
        let is_missing = matches!(image, Image::Absent | Image::Preparing) && pause.failures > 0;
        !self.canaries.has_failed(runtime) && !is_missing
    }

    /// When the next canary is tried; `None` while one is, or none is to be.
    pub(super) fn next_canary(&self) -> Option<Instant> {
        let is_tried = self.cells().any(|cell| matches!(cell.content, Content::Starting { canary: true }));
        self.canaries.pauses().min().filter(|_| self.mode.takes_work() && !is_tried)
    }

    /// Whether a container of the runtime is to start with its canary now, if there is a place.
    pub(super) fn wants_canary(&self, runtime: &RuntimeId, now: Instant) -> bool {
        self.canaries.is_due(runtime, now)
            && !self.cells_of(runtime).any(|cell| matches!(cell.content, Content::Starting { .. }))
    }

    /// Where a canary finds all free slots in use by containers of its runtime that wait, one of them goes.
    pub(super) fn make_room_for_canaries(&mut self, now: Instant) {
        if !self.mode.takes_work() {
            return;
        }
        let ready =
            self.images.iter().filter(|(_, (image, _))| matches!(image, Image::Ready | Image::LookedAt));
        let wanted = ready.map(|(runtime, _)| runtime).filter(|runtime| self.wants_canary(runtime, now));
        for runtime in wanted.cloned().collect::<Vec<_>>() {
            let free = self.slots.values_mut().filter(|slot| slot.is_free());
            let mut cells: Vec<_> = free.filter_map(|slot| slot.cells.get_mut(&runtime)).collect();
            if cells.iter().all(|cell| matches!(cell.content, Content::Warm { .. }))
                && let Some(cell) = cells.first_mut()
            {
                cell.expire(now);
            }
        }
    }

    /// All that waits for its time is tried again at once, and images are looked at: one may have been mended.
    pub(super) fn try_at_once(&mut self) {
        for (runtime, (_image, pause)) in &mut self.images {
            self.canaries.hurry(runtime);
            pause.end();
        }
        for (_, _, cell) in self.slots.values_mut().flat_map(Slot::all_mut) {
            cell.pause.end();
        }
    }

    fn cells_of(&self, runtime: &RuntimeId) -> impl Iterator<Item = &Cell<C>> {
        self.slots.values().filter_map(|slot| slot.cells.get(runtime))
    }

    /// Whether a container of the runtime is there that has started.
    pub(super) fn has_started(&self, runtime: &RuntimeId) -> bool {
        self.cells_of(runtime).any(|cell| match cell.content {
            Content::Warm { .. } | Content::Busy { .. } | Content::Emptying { .. } => true,
            Content::Empty | Content::Starting { .. } | Content::Removing => false,
        })
    }
}

impl<C> Machine<C> {
    /// A run on a host has ended by itself.
    pub fn run_ended(&mut self, host: &HostName) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.canaries.losses = 0;
        }
    }

    /// A run on a host was lost for reasons of infrastructure.
    pub(super) fn run_lost(&mut self, host: &HostName) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.canaries.lost();
        }
    }

    /// A runtime is of no use on a host: what waits there for submissions of it goes, and it is tried again later.
    pub(super) fn canary_failed(&mut self, host: &HostName, runtime: &RuntimeId, now: Instant) {
        self.last_serial += 1;
        let failures = self.hosts.get(host).map_or(0, |host| host.canaries.failures(runtime));
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE);
        let until = now + pause + self.spread(self.last_serial, pause / 4);
        let Some(host) = self.hosts.get_mut(host) else { return };
        host.canaries.fail(runtime, until);
        for cell in host.slots.values_mut().flat_map(|slot| slot.of_mut(runtime)) {
            cell.expire(now);
        }
    }
}
