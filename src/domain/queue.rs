//! The order of the queue: priority class, fair rank, age.
//!
//! The fair rank is start-time fair queueing with one unit of cost a submission (Goyal, Vin, Cheng, 1996): each
//! owner's submissions take successive ranks, never below the highest rank started so far. An owner who sends a
//! hundred delays himself, not the others.

use serde::{Deserialize, Serialize};

/// Priority class; a better one always goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// An exam is being written.
    Exam,
    /// Everything else that a person waits for.
    Normal,
    /// Grading again what was graded.
    Rejudge,
}

impl Priority {
    /// All of them, best first.
    pub const ALL: [Self; 3] = [Self::Exam, Self::Normal, Self::Rejudge];

    /// Its place among the classes, 0 for the best; stored.
    pub const fn class(self) -> u8 {
        match self {
            Self::Exam => 0,
            Self::Normal => 1,
            Self::Rejudge => 2,
        }
    }

    /// The class with that place.
    pub fn from_class(class: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| i64::from(priority.class()) == class)
    }
}

/// Where a submission stands; less is earlier. No two submissions have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueKey {
    /// Its class.
    pub priority: Priority,
    /// Its fair rank within the class, from 1.
    pub rank: i64,
    /// Its age: grows with each submission that enters the queue.
    pub ticket: i64,
}

/// The rank of an owner's next submission in a class.
///
/// * `started` — highest rank started so far in the class, 0 at first.
/// * `last` — the owner's last rank in the class, 0 at first.
pub fn fair_rank(started: i64, last: i64) -> i64 {
    started.max(last.saturating_add(1))
}

/// Why the submissions ahead of a queued one changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionReason {
    /// One ahead started or was cancelled.
    AheadLeft,
    /// One of a better class came.
    OvertakenByPriority,
    /// One of an owner who waits for less came.
    OvertakenByFairness,
    /// One ahead of it had started, lost its container or host, and is back at its old place.
    RescuedAhead,
    /// Slots were added or lost: the estimate changed, not the place.
    SlotsChanged,
}

#[cfg(test)]
mod tests {
    use super::fair_rank;

    #[test]
    fn the_first_of_a_new_owner_stands_beside_the_next_to_start() {
        assert_eq!(fair_rank(7, 0), 7);
    }

    #[test]
    fn the_next_of_a_busy_owner_stands_one_rank_behind_his_last() {
        assert_eq!(fair_rank(7, 30), 31);
    }
}
