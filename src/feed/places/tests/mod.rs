//! Which places are told, and why.

mod model;

use super::board::{Board, Round};
use crate::domain::ids::SubmissionId;
use crate::domain::pace::{Observed, Pace};
use crate::domain::queue::{PositionReason, Priority, QueueKey};
use crate::feed::Position;
use crate::storage::QueueEntry;

fn entry(priority: Priority, rank: i64, ticket: i64, attempt: u32) -> QueueEntry {
    QueueEntry {
        submission: id(ticket),
        owner: "alice".parse().unwrap(),
        runtime: "python".parse().unwrap(),
        key: QueueKey { priority, rank, ticket },
        round: 1,
        attempt,
    }
}

/// Takes the whole queue over.
fn set_all(board: &mut Board, queue: Vec<QueueEntry>, is_followed: bool) {
    for submission in board.submissions() {
        if queue.iter().all(|entry| entry.submission != submission) {
            board.set(submission, None, false);
        }
    }
    for entry in queue {
        board.set(entry.submission, Some(entry), is_followed);
    }
}

fn id(ticket: i64) -> SubmissionId {
    SubmissionId::from_uuid(uuid::Uuid::from_u128(u128::from(ticket.unsigned_abs())))
}

fn pace(slots: u64) -> Pace {
    let ready = ["python".parse().unwrap()].into();
    Pace::of(Observed { slots, ready, ended_ms: vec![1000; 10], ..Observed::default() })
}

fn tell(board: &mut Board, round: Round, slots: u64) -> Vec<Position> {
    let mut told = Vec::new();
    tell_to(board, round, slots, |place| {
        told.push(place);
        true
    });
    told
}

fn tell_to(board: &mut Board, round: Round, slots: u64, mut hear: impl FnMut(Position) -> bool) {
    let places = board.begin(round, &pace(slots));
    board.tell(round, &places, &pace(slots), |_owner, place| hear(place));
    board.end(round);
}

fn reason_of_last(
    before: &[QueueEntry],
    after: &[QueueEntry],
    slots: (u64, u64),
) -> Option<(u64, PositionReason)> {
    let mut board = Board::default();
    set_all(&mut board, before.to_vec(), true);
    tell(&mut board, Round::All, slots.0);
    set_all(&mut board, after.to_vec(), true);
    tell(&mut board, Round::All, slots.1).last().map(|place| (place.position, place.reason))
}

#[test]
fn a_place_falls_when_one_ahead_leaves() {
    let mine = entry(Priority::Normal, 2, 2, 0);
    let ahead = entry(Priority::Normal, 1, 1, 0);

    let told = reason_of_last(&[ahead, mine.clone()], &[mine], (2, 2));

    assert_eq!(told, Some((1, PositionReason::AheadLeft)));
}

#[test]
fn a_better_class_overtakes_by_priority() {
    let mine = entry(Priority::Normal, 2, 2, 0);
    let exam = entry(Priority::Exam, 9, 3, 0);

    let told = reason_of_last(std::slice::from_ref(&mine), &[exam, mine.clone()], (2, 2));

    assert_eq!(told, Some((2, PositionReason::OvertakenByPriority)));
}

#[test]
fn a_lower_rank_overtakes_by_fairness() {
    let mine = entry(Priority::Normal, 5, 2, 0);
    let other = entry(Priority::Normal, 1, 3, 0);

    let told = reason_of_last(std::slice::from_ref(&mine), &[other, mine.clone()], (2, 2));

    assert_eq!(told, Some((2, PositionReason::OvertakenByFairness)));
}

#[test]
fn one_that_was_running_comes_back_ahead() {
    let mine = entry(Priority::Normal, 2, 2, 0);
    let rescued = entry(Priority::Normal, 1, 1, 1);

    let told = reason_of_last(std::slice::from_ref(&mine), &[rescued, mine.clone()], (2, 2));

    assert_eq!(told, Some((2, PositionReason::RescuedAhead)));
}

#[test]
fn a_late_follower_is_told_who_came_after_him_and_stands_ahead() {
    let mine = entry(Priority::Normal, 5, 2, 0);
    let fair = entry(Priority::Normal, 1, 3, 0);
    let exam = entry(Priority::Exam, 9, 4, 0);
    let early = entry(Priority::Exam, 9, 1, 0);
    let told = |ahead| {
        let mut board = Board::default();
        set_all(&mut board, vec![ahead, mine.clone()], false);
        tell(&mut board, Round::All, 2);
        board.follow(mine.submission);
        tell(&mut board, Round::Near, 2).last().map(|place| (place.position, place.reason))
    };

    assert_eq!(told(fair), Some((2, PositionReason::OvertakenByFairness)));
    assert_eq!(told(exam), Some((2, PositionReason::OvertakenByPriority)));
    assert_eq!(told(early), Some((2, PositionReason::AheadLeft)));
}

#[test]
fn a_lost_slot_is_told_at_the_same_place() {
    let mine = entry(Priority::Normal, 2, 2, 0);

    let told = reason_of_last(std::slice::from_ref(&mine), std::slice::from_ref(&mine), (2, 1));

    assert_eq!(told, Some((1, PositionReason::SlotsChanged)));
}

#[test]
fn an_order_that_is_looked_at_twice_tells_nothing() {
    let queue = vec![entry(Priority::Normal, 1, 1, 0), entry(Priority::Normal, 2, 2, 0)];
    let mut board = Board::default();

    set_all(&mut board, queue.clone(), true);
    assert_eq!(tell(&mut board, Round::All, 2).len(), 2);
    set_all(&mut board, queue, true);
    assert_eq!(tell(&mut board, Round::All, 2), []);
}

/// A board with so many in the queue, all told.
fn long_queue(length: i64) -> Board {
    let mut board = Board::default();
    let queue = (1..=length).map(|ticket| entry(Priority::Normal, ticket, ticket, 0)).collect();
    set_all(&mut board, queue, true);
    tell(&mut board, Round::All, 2);
    board
}

#[test]
fn near_places_are_told_at_each_change_and_far_ones_when_all_are() {
    let mut board = long_queue(100);

    board.set(id(1), None, false);
    let near: Vec<_> = tell(&mut board, Round::Near, 2).iter().map(|place| place.position).collect();
    board.set(id(2), None, false);
    board.set(id(3), None, false);
    let nearer: Vec<_> = tell(&mut board, Round::Near, 2).iter().map(|place| place.position).collect();
    let all = tell(&mut board, Round::All, 2);

    assert_eq!(near, (1..=10).collect::<Vec<_>>());
    // A tenth is gone of those that had told up to 30.
    assert_eq!(nearer, (1..=27).collect::<Vec<_>>());
    assert_eq!(all.iter().map(|place| place.position).collect::<Vec<_>>(), (28..=97).collect::<Vec<_>>());
    assert!(!board.is_behind());
}

#[test]
fn a_change_at_the_end_moves_none_of_those_ahead() {
    let mut board = long_queue(100);

    board.set(id(101), Some(entry(Priority::Normal, 101, 101, 0)), true);

    let told: Vec<_> = tell(&mut board, Round::All, 2).iter().map(|place| place.position).collect();
    assert_eq!(told, [101]);
}

#[test]
fn a_place_that_is_followed_no_more_is_looked_at_once() {
    let mut board = long_queue(3);
    let mut asked = 0;
    for leaving in [1, 2] {
        board.set(id(leaving), None, false);
        tell_to(&mut board, Round::All, 2, |_place| {
            asked += 1;
            false
        });
    }

    assert_eq!(asked, 2);
}

#[test]
fn nothing_is_due_once_nothing_is_followed() {
    let mut board = long_queue(3);
    board.set(id(1), None, false);
    assert!(board.is_behind());

    board.follow_none();

    assert!(!board.is_behind());
    assert_eq!(tell(&mut board, Round::All, 2), []);
}
