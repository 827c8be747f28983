//! All hosts, and what is known of them together: kept up with each host that changed, so that what is done for one costs the
//! same however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Instant;

use super::host::Host;
use super::standing::{Standing, Totals};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;

/// The hosts. Reading one is reading the map; what may change one notes that it did.
#[derive(Debug)]
pub(super) struct Fleet<C> {
    hosts: BTreeMap<HostName, Host<C>>,
    changed: Changed,
    /// When hosts wait for time, at the last plan: the next instant of each.
    wakes: BTreeSet<(Instant, HostName)>,
    totals: Totals,
    /// Whether hosts may be able to get images that could not before.
    copies_due: bool,
}

/// Hosts that may have changed since something was done with them.
#[derive(Debug, Default)]
struct Changed {
    /// Since they were asked what to begin.
    unplanned: BTreeSet<HostName>,
    /// Since they were counted.
    uncounted: BTreeSet<HostName>,
    /// Since others were told of them.
    untold: BTreeSet<HostName>,
}

impl<C> Deref for Fleet<C> {
    type Target = BTreeMap<HostName, Host<C>>;

    fn deref(&self) -> &Self::Target {
        &self.hosts
    }
}

impl<C> Fleet<C> {
    pub(super) fn new(runtimes: usize) -> Self {
        Self {
            hosts: BTreeMap::new(),
            changed: Changed::default(),
            wakes: BTreeSet::new(),
            totals: Totals::new(runtimes),
            copies_due: false,
        }
    }

    /// A host that may be changed.
    pub(super) fn get_mut(&mut self, host: &HostName) -> Option<&mut Host<C>> {
        let known = self.hosts.get_mut(host)?;
        let Changed { unplanned, uncounted, untold } = &mut self.changed;
        for changed in [unplanned, uncounted, untold] {
            note(changed, host);
        }
        Some(known)
    }

    /// A host that is asked what to begin, and then told when to ask again.
    pub(super) fn planned(&mut self, host: &HostName) -> Option<&mut Host<C>> {
        let known = self.hosts.get_mut(host)?;
        note(&mut self.changed.uncounted, host);
        note(&mut self.changed.untold, host);
        Some(known)
    }

    /// Takes a host in, unless one of that name is there.
    pub(super) fn insert(&mut self, name: HostName, host: impl FnOnce() -> Host<C>) {
        let key = name.clone();
        self.hosts.entry(name).or_insert_with(host);
        self.get_mut(&key);
    }

    pub(super) fn remove(&mut self, host: &HostName) {
        let Some(mut known) = self.hosts.remove(host) else { return };
        if let Some(instant) = known.wake.take() {
            self.wakes.remove(&(instant, host.clone()));
        }
        let Changed { unplanned, uncounted, untold } = &mut self.changed;
        for changed in [unplanned, uncounted, untold] {
            changed.remove(host);
        }
        self.totals.replace(&known.standing, &Standing::default());
        self.copies_due = true;
    }

    /// Takes those that changed, or waited for a time that has come, since they were asked what to begin.
    pub(super) fn due(&mut self, now: Instant) -> BTreeSet<HostName> {
        let mut due = std::mem::take(&mut self.changed.unplanned);
        while let Some((instant, host)) = self.wakes.pop_first() {
            if instant > now {
                self.wakes.insert((instant, host));
                break;
            }
            if let Some(known) = self.hosts.get_mut(&host) {
                known.wake = None;
                // An image may have waited for it that is to come from another host.
                self.copies_due |= known.copies.waits();
            }
            due.insert(host);
        }
        due
    }

    /// Notes when a host that was asked what to begin is to be asked again, if nothing changes.
    pub(super) fn note_wake(&mut self, host: &HostName, now: Instant) {
        let Some(known) = self.hosts.get_mut(host) else { return };
        if let Some(instant) = known.wake.take() {
            self.wakes.remove(&(instant, host.clone()));
        }
        known.wake = known.next_wake(now);
        self.wakes.extend(known.wake.map(|instant| (instant, host.clone())));
    }

    /// The next instant for which a host waits.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let planned = self.wakes.iter().map(|(instant, _host)| *instant).find(|instant| *instant > now);
        let changed = self.changed.unplanned.iter().filter_map(|host| self.hosts.get(host)?.next_wake(now));
        planned.into_iter().chain(changed).min()
    }

    /// What all hosts have together.
    pub(super) fn totals(&mut self, runtimes: &BTreeSet<RuntimeId>) -> &Totals {
        for host in std::mem::take(&mut self.changed.uncounted) {
            let Some(known) = self.hosts.get_mut(&host) else { continue };
            let standing = known.stand(runtimes);
            if standing != known.standing {
                self.copies_due |= standing.images != known.standing.images;
                self.totals.replace(&known.standing, &standing);
                known.standing = standing;
            }
        }
        self.totals.name_hindrances(self.hosts.values().map(|host| &host.standing));
        &self.totals
    }

    /// Takes the note that hosts may be able to get images.
    pub(super) fn take_copies_due(&mut self) -> bool {
        std::mem::take(&mut self.copies_due)
    }

    /// Takes those that changed since others were told of them.
    pub(super) fn take_untold(&mut self) -> BTreeSet<HostName> {
        std::mem::take(&mut self.changed.untold)
    }

    /// All are taken for changed.
    #[cfg(test)]
    pub(super) fn touch_all(&mut self) {
        for host in self.hosts.keys().cloned().collect::<Vec<_>>() {
            self.get_mut(&host);
        }
        self.copies_due = true;
    }
}

fn note(changed: &mut BTreeSet<HostName>, host: &HostName) {
    if !changed.contains(host) {
        changed.insert(host.clone());
    }
}
