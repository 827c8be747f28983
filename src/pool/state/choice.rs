//! Which of the hosts that could give a container gives it: the one with the smallest part of its slots in use; of those with
//! the same, the one that is nearest and quickest, as it was measured; and then the one with most free slots.

use std::cmp::Reverse;
use std::time::Duration;

use super::Machine;
use super::host::Host;
use crate::domain::host::HostName;

/// Engines that answer within this are equally near.
const NEAR: Duration = Duration::from_micros(500);

/// Hosts on which a container starts within this are equally quick.
const QUICK: Duration = Duration::from_millis(200);

/// How long a host has taken, by what was measured in the last while.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    round_trip: Option<Duration>,
    launch: Option<Duration>,
}

/// Hosts with a smaller one come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Slots in use, in thousandths of all.
    load: usize,
    distance: u32,
    free: Reverse<usize>,
}

impl Measured {
    /// How far away and slow a host is: one more for each doubling. Differences that are chance count little.
    fn distance(self) -> u32 {
        let doublings = |measured: Option<Duration>, unit: Duration| {
            let units = measured.unwrap_or_default().as_micros() / unit.as_micros();
            units.checked_ilog2().map_or(0, |doublings| doublings + 1)
        };
        doublings(self.round_trip, NEAR) + doublings(self.launch, QUICK)
    }
}

/// Takes a measurement in, as a quarter of what is known.
fn blend(known: &mut Option<Duration>, measured: Duration) {
    *known = Some(known.map_or(measured, |known| (known * 3 + measured) / 4));
}

impl<C> Host<C> {
    pub(super) fn rank(&self) -> Rank {
        let (open, free) = (self.open_slots(), self.untaken_slots());
        let load = open.saturating_sub(free) * 1000 / open.max(1);
        Rank { load, distance: self.measured.distance(), free: Reverse(free) }
    }
}

impl<C> Machine<C> {
    /// A host's engine has answered: it is trusted, and so far away.
    pub fn answered(&mut self, host: &HostName, round_trip: Duration) {
        self.trust(host);
        if let Some(host) = self.hosts.get_mut(host) {
            blend(&mut host.measured.round_trip, round_trip);
        }
    }

    /// A container has started on a host within this time.
    pub fn launch_took(&mut self, host: &HostName, time: Duration) {
        if let Some(host) = self.hosts.get_mut(host) {
            blend(&mut host.measured.launch, time);
        }
    }
}
