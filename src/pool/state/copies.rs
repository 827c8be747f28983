//! Images on their way from host to host: which hosts lack one, which can give it, and which copies go on.
//!
//! An image made by the recipe as it is now replaces one that is older and was made by another, never one that is newer: while
//! `guichet runtime build` goes through the hosts, a service that knows the old recipe takes nothing back.
//!
//! A host takes part in one copy at a time, whether it gives or gets. So a fleet fills like a tree: each host that has got an
//! image gives it on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::host::{Content, Host, Pause};
use super::{Action, Connection, Machine};
use crate::domain::host::{HostMode, HostName};
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;
use crate::pool::docker::Presence;

/// First and longest pause after a copy that failed: some cost a gigabyte.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A copy that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Of which runtime's image.
    pub runtime: RuntimeId,
    /// The host that gives it.
    pub from: HostName,
    /// Serial number of the copy.
    pub serial: u64,
}

/// What is known of a host's images beside those of others.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Runtimes whose image is as it should be, and when it was made.
    current: BTreeMap<RuntimeId, Option<Timestamp>>,
    /// Runtimes whose image is missing or outdated.
    lacking: BTreeMap<RuntimeId, Lack>,
    /// What comes here.
    coming: Option<Copy>,
    /// One more with each change of these.
    version: u64,
}

/// Differs from an earlier one if a host may be able to give or get another image than then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CopyState {
    version: u64,
    pub(super) receives: bool,
}

/// An image that a host lacks.
#[derive(Debug, Default)]
struct Lack {
    /// The one that it has instead.
    outdated: Option<Outdated>,
    /// Whether it has come, and was not looked at yet.
    came: bool,
    failures: u32,
    /// It is not asked for before.
    until: Option<Instant>,
    /// The host that it did not come from.
    failed_from: Option<HostName>,
}

/// An image made by another recipe.
#[derive(Clone, Copy, Debug)]
struct Outdated {
    made_at: Option<Timestamp>,
}

/// A host that has an image as it should be.
struct Giver<'a> {
    host: &'a HostName,
    made_at: Option<Timestamp>,
    /// Submissions that run there.
    running: usize,
}

impl Copies {
    /// When something is to be tried again.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Instant> + '_ {
        self.lacking.values().filter_map(|lack| lack.until)
    }

    pub(super) const fn state(&self) -> CopyState {
        CopyState { version: self.version, receives: self.coming.is_some() }
    }

    /// Whether an image is to be asked for again after a pause.
    pub(super) fn waits(&self) -> bool {
        self.pauses().next().is_some()
    }
}

impl Lack {
    /// Whether an image made then is better than what is there.
    fn is_mended_by(&self, made_at: Option<Timestamp>) -> bool {
        self.outdated.is_none_or(|outdated| made_at > outdated.made_at)
    }

    fn lengthen(&mut self, now: Instant, spread: Duration) {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause + spread);
    }
}

impl<C> Host<C> {
    fn as_giver<'a>(&self, host: &'a HostName, runtime: &RuntimeId) -> Option<Giver<'a>> {
        let made_at = *self.copies.current.get(runtime).filter(|_| self.connection == Connection::Healthy)?;
        Some(Giver { host, made_at, running: self.running() })
    }

    /// What keeps it from getting the image, if it lacks it and could take it.
    fn wants(&self, runtime: &RuntimeId, now: Instant) -> Option<&Lack> {
        let takes_images = match self.mode {
            HostMode::Active | HostMode::Cordoned => self.connection == Connection::Healthy,
            HostMode::Draining => false,
        };
        let lack = self.copies.lacking.get(runtime).filter(|lack| takes_images && !lack.came)?;
        lack.until.is_none_or(|until| until <= now).then_some(lack)
    }

    fn running(&self) -> usize {
        self.cells().filter(|cell| matches!(cell.content, Content::Busy { .. })).count()
    }
}

impl<C> Machine<C> {
    /// How a runtime's image is on a host, by what its engine says.
    ///
    /// * `made_at` — when the image was made that is there.
    pub fn image_found(
        &mut self,
        host: &HostName,
        runtime: &RuntimeId,
        presence: Presence,
        made_at: Option<Timestamp>,
    ) {
        let Some(Host { copies, .. }) = self.hosts.get_mut(host) else { return };
        copies.version += 1;
        match presence {
            Presence::Current => {
                copies.lacking.remove(runtime);
                copies.current.insert(runtime.clone(), made_at);
            }
            Presence::Outdated | Presence::Missing => {
                copies.current.remove(runtime);
                let lack = copies.lacking.entry(runtime.clone()).or_default();
                lack.came = false;
                lack.outdated = (presence == Presence::Outdated).then_some(Outdated { made_at });
            }
        }
    }

    /// The copy that comes to a host.
    pub fn copy_to(&self, host: &HostName) -> Option<&Copy> {
        self.hosts.get(host)?.copies.coming.as_ref()
    }

    /// The hosts that take part in a copy.
    pub fn copying(&mut self) -> BTreeSet<&HostName> {
        if self.hosts.totals(&self.runtimes).copies == 0 {
            return BTreeSet::new();
        }
        self.engaged()
    }

    fn engaged(&self) -> BTreeSet<&HostName> {
        let copies =
            self.hosts.iter().filter_map(|(host, known)| Some((host, known.copies.coming.as_ref()?)));
        copies.flat_map(|(host, copy)| [host, &copy.from]).collect()
    }

    /// An image has come to a host: it is looked at. Answers with the copy, unless that means nothing any more.
    pub fn image_came(&mut self, host: &HostName, serial: u64, now: Instant) -> Option<Copy> {
        // If it is not what was wanted, it is not asked for at once.
        let copy = self.end_copy(host, serial, now)?;
        let known = self.hosts.get_mut(host)?;
        known.copies.version += 1;
        if let Some(lack) = known.copies.lacking.get_mut(&copy.runtime) {
            lack.came = true;
        }
        if let Some((_image, pause)) = known.images.get_mut(&copy.runtime) {
            *pause = Pause::none();
        }
        Some(copy)
    }

    /// An image has not come to a host. Answers with the copy, unless that means nothing any more.
    pub fn image_did_not_come(&mut self, host: &HostName, serial: u64, now: Instant) -> Option<Copy> {
        let copy = self.end_copy(host, serial, now)?;
        let copies = &mut self.hosts.get_mut(host)?.copies;
        copies.version += 1;
        if let Some(lack) = copies.lacking.get_mut(&copy.runtime) {
            lack.failed_from = Some(copy.from.clone());
        }
        Some(copy)
    }

    fn end_copy(&mut self, host: &HostName, serial: u64, now: Instant) -> Option<Copy> {
        let spread = self.spread(serial, FIRST_PAUSE);
        let copies = &mut self.hosts.get_mut(host)?.copies;
        let copy = copies.coming.take_if(|copy| copy.serial == serial)?;
        copies.version += 1;
        if let Some(lack) = copies.lacking.get_mut(&copy.runtime) {
            lack.lengthen(now, spread);
        }
        Some(copy)
    }

    /// Lets hosts that lack an image get it from those that have it.
    pub(super) fn plan_copies(&mut self, now: Instant, actions: &mut Vec<Action<C>>) {
        self.hosts.totals(&self.runtimes);
        if !self.hosts.take_copies_due() {
            return;
        }
        for (host, runtime, from) in self.pairs(now) {
            let Some(known) = self.hosts.get_mut(&host) else { continue };
            self.last_serial += 1;
            let copy = Copy { runtime, from, serial: self.last_serial };
            known.copies.coming = Some(copy.clone());
            known.copies.version += 1;
            actions.push(Action::CopyImage { host, copy });
        }
    }

    /// Who can get which image from which host now.
    fn pairs(&self, now: Instant) -> Vec<(HostName, RuntimeId, HostName)> {
        let mut engaged = self.engaged();
        let mut pairs = Vec::new();
        for runtime in self.runtimes.iter() {
            let mut givers: Vec<Giver<'_>> =
                self.hosts.iter().filter_map(|(host, known)| known.as_giver(host, runtime)).collect();
            givers.retain(|giver| !engaged.contains(giver.host));
            for (host, known) in self.hosts.iter() {
                if givers.is_empty() {
                    break;
                }
                let Some(lack) = known.wants(runtime, now).filter(|_| !engaged.contains(host)) else {
                    continue;
                };
                let fit = givers.iter().enumerate().filter(|(_, giver)| lack.is_mended_by(giver.made_at));
                let best = fit
                    .min_by_key(|(_, giver)| (lack.failed_from.as_ref() == Some(giver.host), giver.running));
                if let Some((index, _)) = best {
                    let giver = givers.swap_remove(index);
                    engaged.extend([host, giver.host]);
                    pairs.push((host.clone(), runtime.clone(), giver.host.clone()));
                }
            }
        }
        pairs
    }
}
