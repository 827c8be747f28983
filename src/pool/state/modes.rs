//! Which hosts take new submissions.

use super::host::Host;
use super::{Connection, HostId, Machine};
use crate::domain::host::HostMode;

impl<C> Host<C> {
    /// Whether it answers and takes new submissions.
    pub(super) fn takes_work(&self) -> bool {
        self.connection == Connection::Healthy && self.mode.takes_work()
    }
}

impl<C> Machine<C> {
    /// What an operator wants of a host. One that takes no submissions keeps the containers that it has, and gets no more.
    pub fn set_mode(&mut self, host: &HostId, mode: HostMode) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.mode = mode;
        }
    }

    /// Whether some host takes new submissions, or will as soon as it answers.
    pub fn takes_work(&self) -> bool {
        self.hosts.values().any(|host| host.mode.takes_work())
    }
}
