//! The queue's order and figures.

use guichet::domain::lease::Guarded;
use guichet::domain::queue::Priority;
use guichet::domain::submission::LostReason;
use guichet::storage::{QueueFigures, RecentRuns, Storage};

use crate::storage::factory::{
    CAPS, at, get, grade, insert, insert_all, lease, new, next_lease, order, with_priority,
};

pub async fn a_better_class_goes_first(db: &impl Storage) {
    let rejudged = insert(db, with_priority("alice", Priority::Rejudge)).await;
    let normal = insert(db, with_priority("bob", Priority::Normal)).await;
    let exam = insert(db, with_priority("carol", Priority::Exam)).await;

    assert_eq!(order(db).await, [exam, normal, rejudged]);
    assert_eq!(get(db, rejudged).await.position, Some(3));
}

pub async fn many_of_one_owner_delay_another_by_one_at_most(db: &impl Storage) {
    let many = insert_all(db, vec![new("alice"), new("alice"), new("alice")], at(0)).await;
    let bob = insert(db, new("bob")).await;

    let alice: Vec<_> = many.iter().map(|placed| placed.submission.id).collect();
    assert_eq!(order(db).await, [alice[0], bob, alice[1], alice[2]]);
}

pub async fn who_comes_late_stands_beside_the_next_to_start(db: &impl Storage) {
    insert_all(db, vec![new("alice"), new("alice"), new("alice"), new("alice")], at(0)).await;
    grade(db, at(1)).await;
    grade(db, at(2)).await;
    grade(db, at(3)).await;

    let bob = insert(db, new("bob")).await;
    let carol = insert(db, new("carol")).await;

    // Rank 3 has started; the last of alice has rank 4.
    assert_eq!(order(db).await[..2], [bob, carol]);
    assert_eq!(get(db, bob).await.submission.state.queue_key().unwrap().rank, 3);
}

pub async fn each_class_has_its_own_ranks(db: &impl Storage) {
    insert_all(db, vec![new("alice"), new("alice")], at(0)).await;

    let exam = insert(db, with_priority("alice", Priority::Exam)).await;

    assert_eq!(get(db, exam).await.submission.state.queue_key().unwrap().rank, 1);
}

pub async fn a_place_falls_when_one_ahead_starts(db: &impl Storage) {
    insert(db, new("alice")).await;
    let waiting = insert(db, new("alice")).await;

    let before = get(db, waiting).await.position;
    lease(db, at(1)).await;

    assert_eq!((before, get(db, waiting).await.position), (Some(2), Some(1)));
}

pub async fn places_are_right_across_many_ranks(db: &impl Storage) {
    let alone: Vec<_> = (0..150).map(|_| new("alice")).collect();
    let together: Vec<_> = (0..150).map(|number| new(&format!("student-{number}"))).collect();
    insert_all(db, alone, at(0)).await;
    insert_all(db, together, at(0)).await;

    let order = order(db).await;
    let first = get(db, order[0]).await.position;
    let among_equals = get(db, order[100]).await.position;
    let across_blocks = get(db, order[290]).await.position;
    let last = get(db, order[299]).await.position;

    assert_eq!((first, among_equals), (Some(1), Some(101)));
    assert_eq!((across_blocks, last), (Some(291), Some(300)));
}

pub async fn the_queue_tells_owner_round_and_lost_attempts(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lost = lease(db, at(1)).await.work.lease;
    let given_up = db.give_up(&lost, LostReason::HostLost.into(), CAPS, at(2)).await.unwrap();

    let entry = db.queue().await.unwrap().remove(0);

    assert_eq!(given_up, Guarded::LeaseHeld);
    assert_eq!((entry.submission, entry.owner.as_str(), entry.runtime.as_str()), (id, "alice", "python"));
    assert_eq!((entry.round, entry.attempt), (1, 1));
    assert_eq!(Some(entry.key), get(db, id).await.submission.state.queue_key());
}

pub async fn the_figures_count_what_waits_runs_and_finished(db: &impl Storage) {
    insert_all(db, vec![new("alice"), new("alice"), new("alice")], at(0)).await;
    insert_all(db, vec![new("alice")], at(5)).await;
    grade(db, at(10)).await;
    lease(db, at(11)).await;

    let soon = db.queue_figures(at(69)).await.unwrap();
    let later = db.queue_figures(at(70)).await.unwrap();

    let figures =
        QueueFigures { queued: 2, running: 1, oldest_queued_at: Some(at(0)), finished_last_minute: 1 };
    assert_eq!(soon, figures);
    assert_eq!(later, QueueFigures { finished_last_minute: 0, ..figures });
}

pub async fn durations_are_those_from_lease_to_end_newest_first(db: &impl Storage) {
    insert_all(db, vec![new("alice"), new("alice"), new("alice")], at(0)).await;
    let slow = lease(db, at(1)).await.work.lease;
    let _held = db.finish(&slow, vec![], super::lease::accepted(), at(5)).await.unwrap();
    let quick = lease(db, at(6)).await.work.lease;
    let _held = db.finish(&quick, vec![], super::lease::accepted(), at(7)).await.unwrap();
    assert!(next_lease(db, at(8)).await.is_some());

    let runs = db.recent_runs(10, at(11)).await.unwrap();
    assert_eq!(runs, RecentRuns { ended_ms: vec![1000, 4000], running_ms: vec![3000], entered: 3 });
    assert_eq!(db.recent_runs(1, at(11)).await.unwrap().ended_ms, [1000]);
}
