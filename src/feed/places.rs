//! Pushes places in the queue: at once when it was quiet, else once per [`COALESCE`].

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{COALESCE, Feed, Position};
use crate::domain::ids::SubmissionId;
use crate::domain::pace::Pace;
use crate::domain::queue::PositionReason;
use crate::storage::{QueueEntry, Storage as _};

/// Reads the queue after each change and tells followers where they stand, until `stop`.
pub(super) async fn push(feed: Feed, stop: CancellationToken) {
    let mut pace = feed.inner.pace.clone();
    let mut board = Board::default();
    loop {
        let mut known = true;
        tokio::select! {
            () = stop.cancelled() => return,
            () = feed.inner.queue_changed.notified() => {}
            () = feed.inner.queue_may_have_changed.notified() => known = false,
            changed = pace.changed() => if changed.is_err() { return },
        }
        if feed.inner.mailboxes.is_empty() {
            board = Board::default();
            continue;
        }
        let current = pace.borrow_and_update().clone();
        let begun = Instant::now();
        let mut pause = COALESCE;
        match feed.inner.storage.queue().await {
            Ok(queue) => {
                let (mut shown, moved) = board.update(&queue, &current);
                if !known && !moved {
                    // No bell was lost: nobody is told, and the next change needn't wait.
                    pause = COALESCE.min(begun.elapsed() * 4);
                    shown.clear();
                }
                for (entry, place) in shown {
                    if feed.inner.mailboxes.follows(entry.submission, &entry.owner) {
                        feed.inner.mailboxes.place(&entry.owner, place);
                    }
                }
                metrics::histogram!("guichet_positions_queue_length")
                    .record(u32::try_from(queue.len()).unwrap_or(u32::MAX));
            }
            Err(error) => {
                tracing::warn!(
                    error = %crate::chain::Chain(&error),
                    "places in the queue could not be read"
                );
                feed.inner.queue_changed.notify_one();
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The order as it was shown last.
#[derive(Debug, Default)]
struct Board {
    places: HashMap<SubmissionId, u64>,
    slots: u64,
}

impl Board {
    /// Takes a new order over; answers the place of each submission with the reason why it may be a later one, and
    /// whether anything moved.
    ///
    /// Followers know what they told: whoever told the same place before ignores it, whoever told a later one says
    /// that one ahead left.
    fn update<'a>(
        &mut self,
        queue: &'a [QueueEntry],
        pace: &Pace,
    ) -> (Vec<(&'a QueueEntry, Position)>, bool) {
        let before = std::mem::take(&mut self.places);
        let slots_changed = self.slots != pace.slots() && !before.is_empty();
        self.slots = pace.slots();
        let mut overtakers = Overtakers::default();
        let mut ahead = Ahead::default();
        let mut shown = Vec::with_capacity(queue.len());
        for (position, entry) in (1_u64..).zip(queue) {
            let reason = match before.get(&entry.submission) {
                Some(earlier) if *earlier < position => overtakers.reason(entry),
                Some(earlier) if *earlier == position && slots_changed => PositionReason::SlotsChanged,
                Some(_) | None => ahead.reason(entry),
            };
            ahead.add(entry);
            if !before.contains_key(&entry.submission) {
                overtakers.add(entry);
            }
            let place = Position {
                submission: entry.submission,
                round: entry.round,
                attempt: entry.attempt,
                position,
                eta: pace.eta(position, &entry.runtime),
                reason,
            };
            shown.push((entry, place));
            self.places.insert(entry.submission, position);
        }
        let moved = slots_changed || self.places != before;
        (shown, moved)
    }
}

/// Those that came since the last time and stand ahead of the one in view.
#[derive(Debug, Default)]
struct Overtakers {
    rescued: bool,
    classes: HashSet<u8>,
}

impl Overtakers {
    fn add(&mut self, entry: &QueueEntry) {
        if entry.attempt > 0 {
            self.rescued = true;
        } else {
            self.classes.insert(entry.key.priority.class());
        }
    }

    fn reason(&self, overtaken: &QueueEntry) -> PositionReason {
        if self.rescued {
            PositionReason::RescuedAhead
        } else if self.classes.iter().any(|class| *class < overtaken.key.priority.class()) {
            PositionReason::OvertakenByPriority
        } else {
            PositionReason::OvertakenByFairness
        }
    }
}

/// All those ahead of the one in view, whenever they came: a follower that has just begun may have told a place that
/// is older than this board.
#[derive(Debug, Default)]
struct Ahead {
    rescued: bool,
    class: u8,
    /// Highest ticket of the class in view, and of those before it.
    last_ticket: (i64, i64),
}

impl Ahead {
    fn add(&mut self, entry: &QueueEntry) {
        self.enter(entry);
        self.rescued |= entry.attempt > 0;
        self.last_ticket.0 = self.last_ticket.0.max(entry.key.ticket);
    }

    fn reason(&mut self, entry: &QueueEntry) -> PositionReason {
        self.enter(entry);
        let (same_class, better_class) = self.last_ticket;
        if better_class > entry.key.ticket {
            PositionReason::OvertakenByPriority
        } else if same_class > entry.key.ticket {
            PositionReason::OvertakenByFairness
        } else if self.rescued {
            PositionReason::RescuedAhead
        } else {
            PositionReason::AheadLeft
        }
    }

    fn enter(&mut self, entry: &QueueEntry) {
        let class = entry.key.priority.class();
        if class != self.class {
            self.class = class;
            self.last_ticket = (0, self.last_ticket.0.max(self.last_ticket.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, QueueEntry};
    use crate::domain::ids::SubmissionId;
    use crate::domain::pace::{Observed, Pace};
    use crate::domain::queue::{PositionReason, Priority, QueueKey};

    fn entry(priority: Priority, rank: i64, ticket: i64, attempt: u32) -> QueueEntry {
        QueueEntry {
            submission: SubmissionId::from_uuid(uuid::Uuid::from_u128(u128::from(ticket.unsigned_abs()))),
            owner: "alice".parse().unwrap(),
            runtime: "python".parse().unwrap(),
            key: QueueKey { priority, rank, ticket },
            round: 1,
            attempt,
        }
    }

    fn pace(slots: u64) -> Pace {
        Pace::of(Observed { slots, ..Observed::default() })
    }

    fn reason_of_last(
        before: &[QueueEntry],
        after: &[QueueEntry],
        slots: (u64, u64),
    ) -> (u64, PositionReason) {
        let mut board = Board::default();
        drop(board.update(before, &pace(slots.0)));
        let (_, place) = board.update(after, &pace(slots.1)).0.pop().unwrap();
        (place.position, place.reason)
    }

    #[test]
    fn a_place_falls_when_one_ahead_leaves() {
        let mine = entry(Priority::Normal, 2, 2, 0);
        let ahead = entry(Priority::Normal, 1, 1, 0);

        let shown = reason_of_last(&[ahead, mine.clone()], &[mine], (2, 2));

        assert_eq!(shown, (1, PositionReason::AheadLeft));
    }

    #[test]
    fn a_better_class_overtakes_by_priority() {
        let mine = entry(Priority::Normal, 2, 2, 0);
        let exam = entry(Priority::Exam, 9, 3, 0);

        let shown = reason_of_last(std::slice::from_ref(&mine), &[exam, mine.clone()], (2, 2));

        assert_eq!(shown, (2, PositionReason::OvertakenByPriority));
    }

    #[test]
    fn a_lower_rank_overtakes_by_fairness() {
        let mine = entry(Priority::Normal, 5, 2, 0);
        let other = entry(Priority::Normal, 1, 3, 0);

        let shown = reason_of_last(std::slice::from_ref(&mine), &[other, mine.clone()], (2, 2));

        assert_eq!(shown, (2, PositionReason::OvertakenByFairness));
    }

    #[test]
    fn one_that_was_running_comes_back_ahead() {
        let mine = entry(Priority::Normal, 2, 2, 0);
        let rescued = entry(Priority::Normal, 1, 1, 1);

        let shown = reason_of_last(std::slice::from_ref(&mine), &[rescued, mine.clone()], (2, 2));

        assert_eq!(shown, (2, PositionReason::RescuedAhead));
    }

    #[test]
    fn whoever_follows_later_is_told_who_came_after_him_and_stands_ahead() {
        let mine = entry(Priority::Normal, 5, 2, 0);
        let fair = entry(Priority::Normal, 1, 3, 0);
        let exam = entry(Priority::Exam, 9, 4, 0);
        let early = entry(Priority::Exam, 9, 1, 0);
        let shown = |ahead| {
            let queue = [ahead, mine.clone()];
            let (_, place) = Board::default().update(&queue, &pace(2)).0.pop().unwrap();
            (place.position, place.reason)
        };

        assert_eq!(shown(fair), (2, PositionReason::OvertakenByFairness));
        assert_eq!(shown(exam), (2, PositionReason::OvertakenByPriority));
        assert_eq!(shown(early), (2, PositionReason::AheadLeft));
    }

    #[test]
    fn a_lost_slot_is_told_at_the_same_place() {
        let mine = entry(Priority::Normal, 2, 2, 0);

        let shown = reason_of_last(std::slice::from_ref(&mine), std::slice::from_ref(&mine), (2, 1));

        assert_eq!(shown, (1, PositionReason::SlotsChanged));
    }

    #[test]
    fn an_order_that_is_looked_at_twice_has_not_moved() {
        let queue = [entry(Priority::Normal, 1, 1, 0), entry(Priority::Normal, 2, 2, 0)];
        let mut board = Board::default();
        let mut moved = |queue: &[QueueEntry], slots| board.update(queue, &pace(slots)).1;

        assert!(moved(&queue, 2));
        assert!(!moved(&queue, 2));
        assert!(moved(&queue, 1), "a slot less");
        assert!(moved(&queue[1..], 1), "one left");
    }
}
