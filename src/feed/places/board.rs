//! The queue as this process knows it, and which of its places were told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::Position;
use super::super::order::{Ahead, Order};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::pace::Pace;
use crate::domain::queue::{PositionReason, QueueKey};
use crate::storage::QueueEntry;

/// Places up to this one are near: each change of theirs is told.
const NEAR: u64 = 10;

/// Whose places are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Those that are near, that fell by a tenth, or that a follower waits for who has just begun.
    Near,
    /// All of them.
    All,
}

/// All queued submissions in order, and those among them that are followed.
#[derive(Debug, Default)]
pub(super) struct Board {
    queued: HashMap<SubmissionId, QueueEntry>,
    order: Order,
    followed: BTreeMap<QueueKey, Followed>,
    /// Those of them that a follower waits to hear of who has just begun.
    untold: BTreeSet<QueueKey>,
    /// Counts what entered and left.
    step: u64,
    /// Highest ticket that was seen.
    ticket: i64,
    /// Where the order changed first since all places were told.
    changed_from: Option<QueueKey>,
    /// The step at which all places were told.
    told_at: u64,
    slots: u64,
}

#[derive(Debug)]
struct Followed {
    submission: SubmissionId,
    told: Option<Told>,
}

/// A place that was told, and what was known then.
#[derive(Clone, Copy, Debug)]
struct Told {
    position: u64,
    step: u64,
    ticket: i64,
    slots: u64,
}

impl Board {
    /// Queued submissions.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.queued.len()).unwrap_or(u64::MAX)
    }

    /// Takes over where a submission stands now.
    ///
    /// * `is_followed` — whether its places are to be told if it has just entered.
    pub(super) fn set(&mut self, submission: SubmissionId, now: Option<QueueEntry>, is_followed: bool) {
        if self.queued.get(&submission) == now.as_ref() {
            return;
        }
        if let Some(before) = self.queued.remove(&submission) {
            self.order.remove(before.key);
            self.forget(before.key);
            self.change_at(before.key);
        }
        if let Some(entry) = now {
            self.change_at(entry.key);
            self.order.insert(entry.key, (entry.attempt > 0).then_some(self.step));
            self.ticket = self.ticket.max(entry.key.ticket);
            if is_followed {
                self.expect(entry.key, submission);
            }
            self.queued.insert(submission, entry);
        }
    }

    /// Those that are queued.
    pub(super) fn submissions(&self) -> Vec<SubmissionId> {
        self.queued.keys().copied().collect()
    }

    /// Has the place of a submission be told, if it has one.
    pub(super) fn follow(&mut self, submission: SubmissionId) {
        if let Some(entry) = self.queued.get(&submission) {
            self.expect(entry.key, submission);
        }
    }

    /// Follows nothing any more: nothing is left to be told.
    pub(super) fn follow_none(&mut self) {
        self.followed.clear();
        self.untold.clear();
        self.changed_from = None;
        self.told_at = self.step;
    }

    /// Whether there may be places to tell in a round of all.
    pub(super) const fn is_behind(&self) -> bool {
        self.changed_from.is_some()
    }

    fn expect(&mut self, key: QueueKey, submission: SubmissionId) {
        self.followed.entry(key).or_insert(Followed { submission, told: None });
        self.untold.insert(key);
    }

    fn forget(&mut self, key: QueueKey) {
        self.followed.remove(&key);
        self.untold.remove(&key);
    }

    fn change_at(&mut self, key: QueueKey) {
        self.step = self.step.saturating_add(1);
        self.changed_from = Some(self.changed_from.map_or(key, |first| first.min(key)));
    }

    /// Begins a round: the followed places that may have to be told, in order.
    pub(super) fn begin(&mut self, round: Round, pace: &Pace) -> Vec<QueueKey> {
        let slots_changed = self.slots != pace.slots();
        self.slots = pace.slots();
        self.candidates(if slots_changed { Round::All } else { round }, slots_changed)
    }

    /// Tells those of some places that are to be told.
    ///
    /// * `tell` — tells one; whether it is followed.
    /// * returns — how many were told.
    pub(super) fn tell(
        &mut self,
        round: Round,
        places: &[QueueKey],
        pace: &Pace,
        mut tell: impl FnMut(&Owner, Position) -> bool,
    ) -> usize {
        let mut told = 0_usize;
        for key in places {
            let Some(place) = self.place_to_tell(round, *key, pace) else { continue };
            let Some(entry) = self.queued.get(&place.submission) else { continue };
            if tell(&entry.owner, place) {
                told = told.saturating_add(1);
            } else {
                self.forget(*key);
            }
        }
        told
    }

    /// Ends a round in which everything was told that [`Self::begin`] named.
    pub(super) const fn end(&mut self, round: Round) {
        match round {
            Round::Near => {}
            Round::All => {
                self.changed_from = None;
                self.told_at = self.step;
            }
        }
    }

    /// The followed ones whose places may have to be told.
    fn candidates(&self, round: Round, slots_changed: bool) -> Vec<QueueKey> {
        let untold = self.untold.iter().copied();
        match (round, self.changed_from) {
            (Round::All, _) if slots_changed => self.followed.keys().copied().collect(),
            (Round::All, Some(first)) => {
                untold.filter(|key| *key < first).chain(self.followed.range(first..).map(key_of)).collect()
            }
            (Round::Near, Some(_)) => {
                // No place moved by more since it was told. So a place that was near stands before the first bound, one
                // that fell by a tenth before the second.
                let steps = self.step.saturating_sub(self.told_at);
                let bound = NEAR.saturating_add(steps).max(steps.saturating_mul(9));
                let near = |key: &QueueKey| self.order.ahead(*key).count < bound;
                let mut candidates: Vec<_> = self.followed.keys().copied().take_while(near).collect();
                let last = candidates.last().copied();
                candidates.extend(untold.filter(|key| last.is_none_or(|last| *key > last)));
                candidates
            }
            (Round::All | Round::Near, None) => untold.collect(),
        }
    }

    /// The place of a followed submission, if it is to be told in this round; it counts as told then.
    fn place_to_tell(&mut self, round: Round, key: QueueKey, pace: &Pace) -> Option<Position> {
        let followed = self.followed.get_mut(&key)?;
        let entry = self.queued.get(&followed.submission)?;
        let ahead = self.order.ahead(key);
        let position = ahead.count.saturating_add(1);
        let before = followed.told;
        let slots_changed = before.is_some_and(|told| told.slots != pace.slots());
        let is_asked_for = self.untold.remove(&key) || slots_changed;
        if !is_asked_for && round == Round::Near && before.is_some_and(|told| told.may_wait(position)) {
            return None;
        }
        followed.told = Some(Told { position, step: self.step, ticket: self.ticket, slots: pace.slots() });
        if !is_asked_for && before.is_some_and(|told| told.position == position) {
            return None;
        }
        Some(Position {
            submission: entry.submission,
            round: entry.round,
            attempt: entry.attempt,
            position,
            eta: pace.eta(position, &entry.runtime),
            reason: match before {
                Some(told) if told.position == position && slots_changed => PositionReason::SlotsChanged,
                Some(told) if told.position < position => overtaken(told, ahead),
                Some(_) | None => ahead_of(key, ahead),
            },
        })
    }
}

impl Told {
    /// Whether a place is far, and did not fall by a tenth since.
    const fn may_wait(self, now: u64) -> bool {
        let is_far = self.position > NEAR && now > NEAR;
        is_far && now.saturating_mul(10) > self.position.saturating_mul(9)
    }
}

fn key_of((key, _): (&QueueKey, &Followed)) -> QueueKey {
    *key
}

/// Why a submission stands at a later place than the one told before: who came since and stands ahead.
fn overtaken(told: Told, ahead: Ahead) -> PositionReason {
    if ahead.returned.is_some_and(|step| step > told.step) {
        PositionReason::RescuedAhead
    } else if ahead.better_ticket > told.ticket {
        PositionReason::OvertakenByPriority
    } else {
        PositionReason::OvertakenByFairness
    }
}

/// Why a submission may stand at a later place than a follower has told who has just begun: who is ahead, whenever it
/// came. A follower that told a later place says that one ahead left.
const fn ahead_of(key: QueueKey, ahead: Ahead) -> PositionReason {
    if ahead.better_ticket > key.ticket {
        PositionReason::OvertakenByPriority
    } else if ahead.own_ticket > key.ticket {
        PositionReason::OvertakenByFairness
    } else if ahead.returned.is_some() {
        PositionReason::RescuedAhead
    } else {
        PositionReason::AheadLeft
    }
}
