//! Tells places in the queue: near ones at once when it was quiet, else once per [`NEAR`]; the others once per [`FAR`],
//! or when a tenth of them is gone.
//!
//! The queue is kept in memory ([`board`]): the tail says what changed in it.

mod board;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Feed;
use super::mailboxes::Mailboxes;
use crate::domain::ids::SubmissionId;
use crate::domain::pace::Pace;
use crate::storage::QueueEntry;
use board::{Board, Round};

/// Pause between two rounds of told places.
const NEAR: Duration = Duration::from_millis(200);
/// Pause between two rounds in which all places are told.
const FAR: Duration = Duration::from_secs(1);
/// Places that are told before others come to their turn.
const SLICE: usize = 256;

/// The queue in memory, and when its places were told.
#[derive(Debug, Default)]
pub(super) struct Places {
    board: Board,
    /// Whether places were held back since.
    are_held_back: bool,
    told_at: Option<Instant>,
    all_told_at: Option<Instant>,
}

impl Places {
    /// Queued submissions.
    pub(super) fn count(&self) -> u64 {
        self.board.len()
    }

    /// Takes over where a submission stands now.
    ///
    /// * `is_followed` — whether its places are to be told if it has just entered.
    pub(super) fn set(&mut self, submission: SubmissionId, now: Option<QueueEntry>, is_followed: bool) {
        self.board.set(submission, now, is_followed);
    }

    /// Takes the whole queue over; others come to their turn in between.
    pub(super) async fn set_all(&mut self, queue: Vec<QueueEntry>, mailboxes: &Mailboxes) {
        let mut present = HashSet::with_capacity(queue.len());
        for slice in queue.chunks(SLICE) {
            present.extend(slice.iter().map(|entry| entry.submission));
            tokio::task::yield_now().await;
        }
        for slice in self.board.submissions().chunks(SLICE) {
            for submission in slice.iter().filter(|submission| !present.contains(*submission)) {
                self.board.set(*submission, None, false);
            }
            tokio::task::yield_now().await;
        }
        for slice in queue.chunks(SLICE) {
            for entry in slice {
                let is_followed = mailboxes.follows(entry.submission, &entry.owner);
                self.board.set(entry.submission, Some(entry.clone()), is_followed);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Has the places of these be told that are queued.
    pub(super) fn follow(&mut self, submissions: Vec<SubmissionId>) {
        for submission in submissions {
            self.board.follow(submission);
        }
    }

    /// Tells no place any more.
    pub(super) fn follow_none(&mut self) {
        self.board.follow_none();
        self.are_held_back = false;
    }

    /// When places may be told that are held back now.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.are_held_back {
            self.told_at.and_then(|told| told.checked_add(NEAR))
        } else if self.board.is_behind() {
            self.all_told_at.and_then(|told| told.checked_add(FAR))
        } else {
            None
        }
    }

    /// Tells the places that may be told now; others come to their turn in between.
    pub(super) async fn tell(&mut self, feed: &Feed, pace: &Pace) {
        let now = Instant::now();
        let is_due = |told: Option<Instant>, pause| told.is_none_or(|told| now.duration_since(told) >= pause);
        self.are_held_back = !is_due(self.told_at, NEAR);
        if self.are_held_back {
            return;
        }
        let round = if is_due(self.all_told_at, FAR) { Round::All } else { Round::Near };
        if self.board.is_behind() {
            self.told_at = Some(now);
            self.all_told_at = if round == Round::All { Some(now) } else { self.all_told_at };
        }
        let mut told = 0_usize;
        for places in self.board.begin(round, pace).chunks(SLICE) {
            let mut bells = Vec::new();
            let some = self.board.tell(round, places, pace, |owner, place| {
                feed.inner.mailboxes.place(owner, place, &mut bells)
            });
            told = told.saturating_add(some);
            feed.inner.crowd.add(bells);
            tokio::task::yield_now().await;
        }
        self.board.end(round);
        if told > 0 {
            metrics::histogram!("guichet_positions_queue_length")
                .record(u32::try_from(self.board.len()).unwrap_or(u32::MAX));
        }
    }
}
