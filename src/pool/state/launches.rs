//! Containers that start: how many of each runtime on each host, which of them carry a canary, and how that ends.

use std::time::{Duration, Instant};

use super::host::{Content, FIRST_PAUSE, Host, Image, Life, Pause};
use super::{Action, ContainerPlace, Machine, Role, SlotId};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;

/// Age at which an idle container is replaced; each has up to a quarter more, so that they don't go together.
const MOST_AGE: Duration = Duration::from_hours(1);

/// Launches going on at one time on one host: more only makes each of them slower.
const LAUNCHES_AT_ONCE: usize = 4;

/// Why a container did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchFailure {
    /// Its image is not on the host.
    ImageGone,
    /// It was given up: an operator wanted that, or the host has gone.
    GivenUp,
    /// It is of no use, or its canary did not end well.
    Broken,
}

impl<C> Host<C> {
    pub(super) fn plan_launches(
        &mut self,
        host: &HostName,
        now: Instant,
        warm_per_runtime: usize,
        last_serial: &mut u64,
        actions: &mut Vec<Action<C>>,
    ) {
        if !self.mode.takes_work() {
            return;
        }
        let is_starting = |content: &Content<C>| matches!(content, Content::Starting { .. });
        let mut going_on = self.cells().filter(|cell| is_starting(&cell.content)).count();
        while going_on < LAUNCHES_AT_ONCE {
            let Some((slot, runtime)) = self.next_launch(warm_per_runtime, now) else { return };
            let canary = !self.canaries.has_passed(&runtime);
            let known = self.slots.get_mut(&slot);
            let Some(cell) = known.and_then(|known| known.cells.get_mut(&runtime)) else { return };
            *last_serial += 1;
            cell.serial = *last_serial;
            cell.content = Content::Starting { canary };
            cell.outdated = false;
            going_on += 1;
            actions.push(Action::Launch { place: cell.place(host, slot, Role::Program, &runtime), canary });
        }
    }

    /// The runtime that lacks most and the emptiest free slot for it. Of one whose canary has not passed, one container starts.
    fn next_launch(&self, warm_per_runtime: usize, now: Instant) -> Option<(SlotId, RuntimeId)> {
        let wanted = warm_per_runtime.min(self.untaken_slots());
        let ready =
            self.images.iter().filter(|(_, (image, _))| matches!(image, Image::Ready | Image::LookedAt));
        let mut lacking: Vec<(usize, &RuntimeId)> = ready
            .filter_map(|(runtime, _)| {
                if !self.canaries.has_passed(runtime) {
                    return self.wants_canary(runtime, now).then_some((0, runtime));
                }
                let have = self.slots.values().filter(|slot| slot.will_serve(runtime)).count();
                (have < wanted).then_some((have, runtime))
            })
            .collect();
        lacking.sort_unstable();
        lacking.into_iter().find_map(|(_, runtime)| {
            let open = self.slots.iter().filter(|(_, slot)| slot.can_launch(runtime, now));
            open.min_by_key(|(_, slot)| slot.inhabited()).map(|(slot, _)| (*slot, runtime.clone()))
        })
    }
}

impl<C> Machine<C> {
    /// A container has started, and its canary, if it carried one, has ended well. Answers with it if its place is
    /// another's by now.
    pub fn launched(&mut self, place: &ContainerPlace, container: C, now: Instant) -> Option<C> {
        let spread = self.spread(place.serial, MOST_AGE / 4);
        let most_submissions = self.supplies.submissions_per_container;
        let Some((cell, _)) = self.cell(place) else { return Some(container) };
        let Content::Starting { canary } = cell.content else { return Some(container) };
        let proves = canary && !cell.outdated;
        let until = if cell.outdated { now } else { now + MOST_AGE + spread };
        let life = Life { until, submissions: 0, most_submissions };
        cell.content = Content::Warm { container, life };
        if proves && let Some(host) = self.hosts.get_mut(&place.host) {
            host.canaries.pass(&place.runtime);
        }
        None
    }

    /// A container did not start, or its canary did not end well in it; nothing of it is left.
    pub fn launch_failed(&mut self, place: &ContainerPlace, why: LaunchFailure, now: Instant) {
        let spread = self.spread(place.serial, FIRST_PAUSE);
        let Some((cell, _)) = self.cell(place) else { return };
        let Content::Starting { canary } = cell.content else { return };
        cell.content = Content::Empty;
        // After a canary that failed its runtime waits, not the slot.
        if !canary || why != LaunchFailure::Broken {
            cell.pause.lengthen(now, spread);
        }
        let Some(host) = self.hosts.get_mut(&place.host) else { return };
        match why {
            LaunchFailure::ImageGone => {
                host.canaries.forget(&place.runtime);
                if let Some(image) = host.images.get_mut(&place.runtime) {
                    *image = (Image::Absent, Pause::none());
                }
            }
            LaunchFailure::GivenUp => {}
            LaunchFailure::Broken => {
                // While others of it serve, nothing says that they are of no use.
                if !host.canaries.has_passed(&place.runtime) || !host.has_started(&place.runtime) {
                    self.canary_failed(&place.host, &place.runtime, now);
                }
            }
        }
    }
}
