//! Hosts come and go, and answer or don't; which of them take new submissions.

use std::time::Instant;

use super::canaries::Canaries;
use super::choice::Measured;
use super::copies::Copies;
use super::host::{Cell, FIRST_PAUSE, Host, Image, Pause, Slot, of_each, pause_after};
use super::{Connection, Machine, SlotId};
use crate::domain::host::{HostMode, HostName};

impl<C> Host<C> {
    /// Whether it answers, is in no quarantine and takes new submissions.
    pub(super) fn takes_work(&self) -> bool {
        self.connection == Connection::Healthy && self.mode.takes_work() && !self.is_quarantined()
    }
}

impl<C> Machine<C> {
    /// A new host, which is to be connected to. One that is known under this name stays as it is.
    pub fn add_host(&mut self, host: HostName, mode: HostMode, now: Instant) {
        self.hosts.insert(host, || Host::away(mode, now));
    }

    /// A host is none of ours any more, and what is on it is forgotten.
    pub fn remove_host(&mut self, host: &HostName) {
        self.hosts.remove(host);
    }

    /// What an operator wants of a host. One that takes no submissions keeps the containers that it has, and gets no more; of
    /// one that shall take some, all that waits to be tried again is tried at once.
    pub fn set_mode(&mut self, host: &HostName, mode: HostMode, now: Instant) {
        let Some(host) = self.hosts.get_mut(host) else { return };
        host.mode = mode;
        if !mode.takes_work() {
            return;
        }
        if let Connection::Away { until } = &mut host.connection {
            *until = (*until).min(now);
        }
        host.try_at_once();
    }

    /// Whether some host takes new submissions, or will as soon as it answers.
    pub fn takes_work(&self) -> bool {
        self.hosts.values().any(|host| host.mode.takes_work())
    }

    /// A host is connected and holds nothing of ours; it has this many slots. `false` if that attempt means nothing any more.
    pub fn connected(&mut self, host: &HostName, attempt: u64, slots: u32) -> bool {
        let runtimes = &self.runtimes;
        let Some(host) = self.hosts.get_mut(host).filter(|host| host.is_connecting(attempt)) else {
            return false;
        };
        host.connection = Connection::Healthy;
        host.failures = 0;
        host.canaries = Canaries::default();
        host.measured = Measured::default();
        host.doubted = false;
        host.copies = Copies::default();
        host.images = of_each(runtimes, || (Image::Absent, Pause::none()));
        let slot = || Slot::new(of_each(runtimes, Cell::empty));
        host.wanted_slots = usize::try_from(slots).unwrap_or(usize::MAX);
        host.slots = (0..slots).map(|number| (SlotId(number), slot())).collect();
        true
    }

    /// A host could not be reached. `false` if that attempt means nothing any more.
    pub fn connect_failed(&mut self, host: &HostName, attempt: u64, now: Instant) -> bool {
        let is_awaited = self.hosts.get(host).is_some_and(|host| host.is_connecting(attempt));
        if is_awaited {
            self.lost(host, now);
        }
        is_awaited
    }

    /// A host did not answer in time: nothing new goes there.
    pub fn suspect(&mut self, host: &HostName) {
        self.reconnect_as(host, Connection::Healthy, Connection::Suspect);
    }

    /// A container on a host was silent: the host gives none until its engine has answered.
    pub fn doubt(&mut self, host: &HostName) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.doubted = true;
        }
    }

    /// A host answers.
    pub(super) fn trust(&mut self, host: &HostName) {
        self.reconnect_as(host, Connection::Suspect, Connection::Healthy);
        if let Some(host) = self.hosts.get_mut(host) {
            host.doubted = false;
        }
    }

    /// A host is gone, and what was on it.
    pub fn lost(&mut self, host: &HostName, now: Instant) {
        self.last_serial += 1;
        let spread = self.spread(self.last_serial, FIRST_PAUSE);
        if let Some(host) = self.hosts.get_mut(host) {
            host.connection = Connection::Away { until: now + pause_after(host.failures) + spread };
            host.failures = host.failures.saturating_add(1);
            host.images.clear();
            host.slots.clear();
            host.canaries = Canaries::default();
            host.copies = Copies::default();
        }
    }

    fn reconnect_as(&mut self, host: &HostName, from: Connection, to: Connection) {
        if let Some(host) = self.hosts.get_mut(host)
            && host.connection == from
        {
            host.connection = to;
        }
    }
}
