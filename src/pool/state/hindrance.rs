//! Why a runtime is not ready.

use std::collections::BTreeMap;

use super::host::{Host, Image};
use super::standing::Totals;
use super::{Connection, Machine};
use crate::domain::ids::RuntimeId;

/// What keeps the programs of a runtime from running; of several hosts, that of the one that comes nearest. The last ones come
/// nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hindrance {
    /// There is no Docker host.
    NoHost,
    /// All Docker hosts are cordoned or draining.
    NoActiveHost,
    /// None of the others answers, or those that do are in quarantine.
    NoHealthyHost,
    /// None of those has an image of the runtime that works.
    NoImage,
    /// Containers are being made.
    Starting,
}

impl<C> Host<C> {
    pub(super) fn hindrance(&self, runtime: &RuntimeId) -> Hindrance {
        if !self.mode.takes_work() {
            return Hindrance::NoActiveHost;
        }
        if self.connection != Connection::Healthy || self.is_quarantined() {
            return Hindrance::NoHealthyHost;
        }
        if self.canaries.has_failed(runtime) {
            return Hindrance::NoImage;
        }
        match self.images.get(runtime) {
            Some((Image::Ready | Image::LookedAt, _)) => Hindrance::Starting,
            // Each image is looked for once before that can be said.
            Some((Image::Preparing | Image::Absent, pause)) if pause.failures == 0 => Hindrance::Starting,
            Some((Image::Preparing | Image::Absent, _)) | None => Hindrance::NoImage,
        }
    }
}

impl<C> Machine<C> {
    /// Why those runtimes are not ready that aren't.
    pub fn hindrances(&mut self) -> BTreeMap<RuntimeId, Hindrance> {
        let Totals { started, hindrances, .. } = self.hosts.totals(&self.runtimes);
        let told = self.runtimes.iter().zip(started).zip(hindrances);
        told.filter(|((_, hosts), _)| **hosts == 0)
            .map(|((runtime, _), hindrance)| (runtime.clone(), *hindrance))
            .collect()
    }
}
