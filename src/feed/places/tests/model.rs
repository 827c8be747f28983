//! Places against a naive model, which walks over the whole queue each time.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::{entry, tell};
use crate::domain::ids::SubmissionId;
use crate::domain::queue::{PositionReason, Priority, QueueKey};
use crate::feed::places::board::{Board, Round};
use crate::storage::QueueEntry;

/// The queue as a list, and what was told of it by walking over it.
#[derive(Default)]
struct Naive {
    queue: BTreeMap<QueueKey, QueueEntry>,
    before: HashMap<SubmissionId, u64>,
    /// Whose followers have begun since.
    begun: HashSet<SubmissionId>,
}

impl Naive {
    /// What each follower is told who told `told` before: another place, and why.
    fn told(&mut self, told: &mut HashMap<SubmissionId, u64>) -> Vec<(SubmissionId, u64, PositionReason)> {
        let (before, begun) = (std::mem::take(&mut self.before), std::mem::take(&mut self.begun));
        let mut new = Vec::new();
        for (position, (mine, key)) in (1_u64..).zip(self.queue.values().zip(self.queue.keys())) {
            let ahead = || self.queue.range(..key).map(|(_, entry)| entry);
            let newcomers = || ahead().filter(|entry| !before.contains_key(&entry.submission));
            let is_better = |entry: &QueueEntry| entry.key.priority < key.priority;
            let reason = match before.get(&mine.submission) {
                Some(earlier) if *earlier < position && !begun.contains(&mine.submission) => {
                    if newcomers().any(|entry| entry.attempt > 0) {
                        PositionReason::RescuedAhead
                    } else if newcomers().any(is_better) {
                        PositionReason::OvertakenByPriority
                    } else {
                        PositionReason::OvertakenByFairness
                    }
                }
                Some(_) | None => {
                    let later = || ahead().filter(|entry| entry.key.ticket > key.ticket);
                    if later().any(is_better) {
                        PositionReason::OvertakenByPriority
                    } else if later().next().is_some() {
                        PositionReason::OvertakenByFairness
                    } else if ahead().any(|entry| entry.attempt > 0) {
                        PositionReason::RescuedAhead
                    } else {
                        PositionReason::AheadLeft
                    }
                }
            };
            self.before.insert(mine.submission, position);
            if let Some(told) = told.get_mut(&mine.submission) {
                new.extend(heard(told, mine.submission, position, reason));
            }
        }
        new
    }
}

/// What a follower passes on of what it is told.
fn heard(
    told: &mut u64,
    submission: SubmissionId,
    position: u64,
    reason: PositionReason,
) -> Option<(SubmissionId, u64, PositionReason)> {
    match std::mem::replace(told, position) {
        earlier if earlier == position => None,
        earlier if earlier > position => Some((submission, position, PositionReason::AheadLeft)),
        _ => Some((submission, position, reason)),
    }
}

/// A step of what happens to the queue.
#[derive(Clone, Debug)]
enum Step {
    /// One enters, of this class, so many ranks behind the one that started last.
    Enter(i64, i64),
    /// The one at this place, counted round and round, is cancelled.
    Cancel(usize),
    /// The first starts.
    Start,
    /// One that runs comes back to its old place.
    Return(usize),
    /// A follower begins.
    Follow(usize),
    /// Near places are told.
    Near,
    /// All is told that is to be told.
    Quiet,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_i64, 0..6_i64).prop_map(|(class, behind)| Step::Enter(class, behind)),
        2 => any::<usize>().prop_map(Step::Cancel),
        3 => Just(Step::Start),
        2 => any::<usize>().prop_map(Step::Return),
        2 => any::<usize>().prop_map(Step::Follow),
        2 => Just(Step::Near),
        2 => Just(Step::Quiet),
    ]
}

/// The queue as it is, a board that hears of it, and what followers told.
#[derive(Default)]
struct World {
    naive: Naive,
    board: Board,
    running: Vec<QueueEntry>,
    ticket: i64,
    rank: i64,
    /// What the board has not heard of yet.
    unheard: Vec<SubmissionId>,
    told_by_naive: HashMap<SubmissionId, u64>,
    told_by_board: HashMap<SubmissionId, u64>,
}

impl World {
    fn queue(&self) -> Vec<QueueEntry> {
        self.naive.queue.values().cloned().collect()
    }

    fn nth(&self, nth: usize) -> Option<QueueEntry> {
        let queue = self.queue();
        queue.get(nth % queue.len().max(1)).cloned()
    }

    fn put(&mut self, entry: QueueEntry) {
        self.unheard.push(entry.submission);
        self.naive.queue.insert(entry.key, entry);
    }

    fn take(&mut self, entry: &QueueEntry) {
        self.unheard.push(entry.submission);
        self.naive.queue.remove(&entry.key);
        self.naive.before.remove(&entry.submission);
        self.told_by_naive.remove(&entry.submission);
        self.told_by_board.remove(&entry.submission);
    }

    fn go(&mut self, step: &Step) {
        match step {
            Step::Enter(class, behind) => {
                self.ticket += 1;
                let priority = Priority::from_class(*class).unwrap();
                self.put(entry(priority, self.rank + behind, self.ticket, 0));
            }
            Step::Cancel(nth) => {
                if let Some(entry) = self.nth(*nth) {
                    self.take(&entry);
                }
            }
            Step::Start => {
                if let Some(entry) = self.nth(0) {
                    self.rank = self.rank.max(entry.key.rank);
                    self.take(&entry);
                    self.running.push(entry);
                }
            }
            Step::Return(nth) => {
                if !self.running.is_empty() {
                    let entry = self.running.remove(nth % self.running.len());
                    self.put(QueueEntry { attempt: entry.attempt + 1, ..entry });
                }
            }
            Step::Follow(nth) => self.follow(*nth),
            Step::Near => drop(self.tell(Round::Near)),
            Step::Quiet => drop(self.tell(Round::All)),
        }
    }

    /// One begins to follow; it has told the place that it found.
    fn follow(&mut self, nth: usize) {
        self.hear();
        if let Some(entry) = self.nth(nth) {
            let position = u64::try_from(self.naive.queue.range(..entry.key).count()).unwrap() + 1;
            if self.told_by_naive.insert(entry.submission, position).is_none() {
                self.naive.begun.insert(entry.submission);
            }
            self.told_by_board.insert(entry.submission, position);
            self.board.follow(entry.submission);
        }
    }

    /// The board hears of what it has not heard of, in any order.
    fn hear(&mut self) {
        for submission in std::mem::take(&mut self.unheard).into_iter().rev() {
            let now = self.naive.queue.values().find(|entry| entry.submission == submission).cloned();
            self.board.set(submission, now, false);
        }
    }

    /// The hints were lost: the board reads the queue anew.
    fn read_anew(&mut self) {
        self.unheard.clear();
        let queue = self.queue();
        super::set_all(&mut self.board, queue, false);
    }

    fn tell(&mut self, round: Round) -> Vec<(SubmissionId, u64, PositionReason)> {
        self.hear();
        let mut new = Vec::new();
        for place in tell(&mut self.board, round, 2) {
            if let Some(told) = self.told_by_board.get_mut(&place.submission) {
                new.extend(heard(told, place.submission, place.position, place.reason));
            }
        }
        new
    }

    fn places(&self) -> HashMap<SubmissionId, u64> {
        let places = (1..).zip(self.naive.queue.values()).map(|(place, entry)| (entry.submission, place));
        places.filter(|(submission, _)| self.told_by_board.contains_key(submission)).collect()
    }
}

proptest! {
    #[test]
    fn at_each_quiet_moment_places_and_reasons_are_those_of_a_walk_over_the_queue(
        moments in prop::collection::vec((prop::collection::vec(step(), 0..12), any::<bool>()), 1..12),
    ) {
        let mut world = World::default();
        for (steps, hints_are_lost) in moments {
            for step in steps.iter().filter(|step| !matches!(step, Step::Near | Step::Quiet)) {
                world.go(step);
            }
            if hints_are_lost {
                world.read_anew();
            }
            let expected = world.naive.told(&mut world.told_by_naive);
            prop_assert_eq!(world.tell(Round::All), expected);
            prop_assert_eq!(world.places(), world.told_by_board.clone());
        }
    }

    #[test]
    fn under_constant_change_near_places_are_exact_and_no_other_is_off_by_a_tenth(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut world = World::default();
        for step in steps {
            world.go(&step);
            world.tell(Round::Near);
            for (submission, place) in world.places() {
                let told = world.told_by_board[&submission];
                let is_near = place <= 10 || told <= 10;
                prop_assert!(told == place || (!is_near && place * 10 > told * 9), "{place}, but told {told}");
            }
        }
        world.tell(Round::All);
        prop_assert_eq!(world.places(), world.told_by_board);
    }
}
