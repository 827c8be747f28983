//! What a host has to give, and what all of them have together.

use std::collections::BTreeSet;

use super::Connection;
use super::copies::CopyState;
use super::hindrance::Hindrance;
use super::host::Host;
use crate::domain::host::HostMode;
use crate::domain::ids::RuntimeId;

/// What a host has to give; each list has an entry for each runtime, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    total: usize,
    free: usize,
    claimable: Vec<usize>,
    started: Vec<bool>,
    gives: Vec<bool>,
    hindrances: Vec<Hindrance>,
    /// Neither connected to nor found out of reach.
    untried: bool,
    /// What decides whether it gives or gets images.
    pub(super) images: Option<(HostMode, Connection, CopyState)>,
}

/// What all hosts have to give.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) total: usize,
    pub(super) free: usize,
    /// Of each runtime, slots that give it.
    pub(super) claimable: Vec<usize>,
    /// Of each runtime, hosts on which its canary has passed.
    pub(super) started: Vec<usize>,
    /// Of each runtime that is given for programs, and each that is given on the same host for companions, such hosts.
    pub(super) pairs: Vec<usize>,
    /// Of each runtime, what keeps the nearest host from it; [`Hindrance::NoHost`] without hosts.
    pub(super) hindrances: Vec<Hindrance>,
    hindrances_are_named: bool,
    pub(super) untried: usize,
    /// Copies that go on.
    pub(super) copies: usize,
}

impl<C> Host<C> {
    /// What it has to give as it is.
    pub(super) fn stand(&self, runtimes: &BTreeSet<RuntimeId>) -> Standing {
        let mut standing = Standing {
            claimable: vec![0; runtimes.len()],
            started: vec![false; runtimes.len()],
            gives: runtimes.iter().map(|runtime| self.gives(runtime)).collect(),
            hindrances: runtimes.iter().map(|runtime| self.hindrance(runtime)).collect(),
            untried: !self.was_tried(),
            images: Some((self.mode, self.connection, self.copies.state())),
            ..Standing::default()
        };
        if self.takes_work() {
            standing.total = self.open_slots();
            standing.started = runtimes.iter().map(|runtime| self.canaries.has_passed(runtime)).collect();
            let has_surplus = self.has_surplus();
            for slot in self.slots.values() {
                // A slot that is one too many is given to no other when it is empty.
                let emptying = slot.emptying().filter(|_runtime| !has_surplus);
                if slot.is_free() || emptying.is_some() {
                    standing.free += 1;
                    let given = |runtime| {
                        (emptying == Some(runtime) || slot.has_warm(runtime)) && self.gives(runtime)
                    };
                    for (claimable, runtime) in standing.claimable.iter_mut().zip(runtimes) {
                        *claimable += usize::from(given(runtime));
                    }
                }
            }
        }
        standing
    }
}

impl Totals {
    pub(super) fn new(runtimes: usize) -> Self {
        Self {
            total: 0,
            free: 0,
            claimable: vec![0; runtimes],
            started: vec![0; runtimes],
            pairs: vec![0; runtimes * runtimes],
            hindrances: vec![Hindrance::NoHost; runtimes],
            hindrances_are_named: true,
            untried: 0,
            copies: 0,
        }
    }

    /// A host that had the one has the other.
    pub(super) fn replace(&mut self, old: &Standing, new: &Standing) {
        self.change(old, |count, part| *count -= part);
        self.change(new, |count, part| *count += part);
        self.hindrances_are_named &= old.hindrances == new.hindrances;
    }

    fn change(&mut self, standing: &Standing, change: impl Fn(&mut usize, usize)) {
        change(&mut self.total, standing.total);
        change(&mut self.free, standing.free);
        for (count, part) in self.claimable.iter_mut().zip(&standing.claimable) {
            change(count, *part);
        }
        for (count, has_started) in self.started.iter_mut().zip(&standing.started) {
            change(count, usize::from(*has_started));
        }
        for (pairs, _) in self
            .pairs
            .chunks_mut(standing.gives.len().max(1))
            .zip(&standing.claimable)
            .filter(|(_, slots)| **slots > 0)
        {
            for (count, gives) in pairs.iter_mut().zip(&standing.gives) {
                change(count, usize::from(*gives));
            }
        }
        change(&mut self.untried, usize::from(standing.untried));
        let receives = standing.images.as_ref().is_some_and(|(_, _, copies)| copies.receives);
        change(&mut self.copies, usize::from(receives));
    }

    /// Says what hinders runtimes, if a host has changed.
    pub(super) fn name_hindrances<'a>(&mut self, hosts: impl Iterator<Item = &'a Standing>) {
        if !std::mem::replace(&mut self.hindrances_are_named, true) {
            self.hindrances.fill(Hindrance::NoHost);
            for standing in hosts {
                for (nearest, own) in self.hindrances.iter_mut().zip(&standing.hindrances) {
                    *nearest = (*nearest).max(*own);
                }
            }
        }
    }
}
