//! Attempts that are lost.

use guichet::domain::event::EventBody;
use guichet::domain::lease::{Guarded, Lease};
use guichet::domain::submission::{GivenUp, LostAttempt, LostReason, State, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{CancelRequested, Rescue, Rescued, Storage};

use crate::storage::factory::{
    CAPS, at, cancel, event_names, events, finished, get, grade, insert, insert_all, lease, lease_as, new,
    order, runtime, state, submission, worker,
};

/// Leases what is next and gives it up a second later.
async fn lose(db: &impl Storage, reason: LostReason, seconds: i64) {
    let lost = lease(db, at(seconds)).await.work.lease;
    let guarded = db.give_up(&lost, reason.into(), CAPS, at(seconds + 1)).await.unwrap();
    assert_eq!(guarded, Guarded::LeaseHeld);
}

pub async fn a_lease_is_not_rescued_before_it_expires(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lease(db, at(1)).await;

    let early = db.rescue(Rescue::Expired, CAPS, at(15)).await.unwrap();
    let rescued = db.rescue(Rescue::Expired, CAPS, at(16)).await.unwrap();

    assert_eq!(early, []);
    assert_eq!(rescued, [Rescued { submission: id, state: StateName::Queued }]);
}

pub async fn an_expired_lease_goes_back_to_its_old_place(db: &impl Storage) {
    let stored = insert_all(db, vec![new("alice"), new("alice"), new("bob")], at(0)).await;
    let first = stored[0].submission.id;
    lease(db, at(1)).await;
    let late = insert(db, new("carol")).await;

    db.rescue(Rescue::Expired, CAPS, at(20)).await.unwrap();

    let alice_second = stored[1].submission.id;
    assert_eq!(order(db).await, [first, stored[2].submission.id, late, alice_second]);
    let submission = submission(db, first).await;
    assert_eq!(submission.state.queue_key(), stored[0].submission.state.queue_key());
    let last = events(db, first).await.pop().unwrap();
    assert_eq!(
        last.body,
        EventBody::Requeued { reason: LostReason::InstanceLost, position: 1, container: None }
    );
    assert_eq!((last.round, last.attempt), (1, 1));
    assert_eq!(lease(db, at(21)).await.work.lease.attempt, 2);
}

pub async fn the_leases_of_all_other_workers_are_rescued_at_once(db: &impl Storage) {
    let lost = insert(db, new("alice")).await;
    let kept = insert(db, new("alice")).await;
    lease(db, at(1)).await;
    lease_as(db, "w2", &[runtime("python")], at(1)).await.unwrap();

    let rescued = db.rescue(Rescue::Others(worker("w2")), CAPS, at(2)).await.unwrap();

    assert_eq!(rescued, [Rescued { submission: lost, state: StateName::Queued }]);
    assert_eq!(state(db, kept).await, StateName::Running);
}

pub async fn a_late_result_of_a_lost_lease_is_dropped(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let late = lease(db, at(1)).await.work.lease;
    db.rescue(Rescue::Expired, CAPS, at(20)).await.unwrap();

    let while_queued = db.finish(&late, vec![], finished(1, Verdict::Accepted), at(21)).await.unwrap();
    lease(db, at(22)).await;
    let while_running = db.finish(&late, vec![], finished(1, Verdict::Accepted), at(23)).await.unwrap();
    let given_up = db.give_up(&late, LostReason::HostLost.into(), CAPS, at(23)).await.unwrap();

    assert_eq!([while_queued, while_running, given_up], [Guarded::LeaseLost; 3]);
    assert_eq!(state(db, id).await, StateName::Running);
    let story = ["submission.queued", "submission.started", "submission.requeued", "submission.started"];
    assert_eq!(event_names(db, id).await, story);
}

pub async fn the_third_lost_instance_is_the_last(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lose(db, LostReason::InstanceLost, 1).await;
    lose(db, LostReason::HostLost, 3).await;
    assert_eq!(state(db, id).await, StateName::Queued);

    lose(db, LostReason::InstanceLost, 5).await;

    let submission = submission(db, id).await;
    assert_eq!((submission.state.name(), submission.state.attempt()), (StateName::Failed, 3));
    assert_eq!(submission.state.started_at(), Some(at(5)));
    let failure = submission.failure.clone().unwrap();
    assert_eq!(failure.code, LostReason::InstanceLost.into());
    let second = LostAttempt { attempt: 2, started_at: at(3), ended_at: at(4), reason: LostReason::HostLost };
    assert_eq!((failure.attempts.len(), &failure.attempts[1]), (3, &second));
    let last = events(db, id).await.pop().unwrap();
    assert_eq!(last.body, EventBody::Failed { submission: Box::new(submission) });
}

pub async fn the_second_lost_container_is_the_last(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lose(db, LostReason::ContainerLost, 1).await;
    assert_eq!(state(db, id).await, StateName::Queued);

    lose(db, LostReason::ContainerLost, 3).await;

    assert_eq!(state(db, id).await, StateName::Failed);
}

pub async fn a_container_lost_beside_a_host_is_not_the_last(db: &impl Storage) {
    let (before, after) = (insert(db, new("alice")).await, insert(db, new("alice")).await);

    lose(db, LostReason::HostLost, 1).await;
    lose(db, LostReason::ContainerLost, 3).await;
    assert_eq!(state(db, before).await, StateName::Queued);
    grade(db, at(5)).await;
    lose(db, LostReason::ContainerLost, 6).await;
    lose(db, LostReason::HostLost, 8).await;
    assert_eq!(state(db, after).await, StateName::Queued);
    lose(db, LostReason::ContainerLost, 10).await;

    let failure = submission(db, after).await.failure.unwrap();
    assert_eq!((failure.code, failure.attempts.len()), (LostReason::ContainerLost.into(), 3));
}

pub async fn the_third_loss_is_the_last_for_whatever_reasons(db: &impl Storage) {
    let id = insert(db, new("alice")).await;

    lose(db, LostReason::ContainerLost, 1).await;
    lose(db, LostReason::HostLost, 3).await;
    lose(db, LostReason::InstanceLost, 5).await;

    assert_eq!(submission(db, id).await.failure.unwrap().code, LostReason::InstanceLost.into());
}

pub async fn what_was_lost_with_two_instances_rests_before_its_last_attempt(db: &impl Storage) {
    let (poison, other) = (insert(db, new("alice")).await, insert(db, new("bob")).await);
    lose(db, LostReason::InstanceLost, 1).await;
    lose(db, LostReason::InstanceLost, 3).await;
    assert_eq!(order(db).await, [poison, other]);

    let meanwhile = lease(db, at(13)).await.work.lease;
    let rested = lease(db, at(14)).await.work.lease;

    assert_eq!((meanwhile.submission, rested.submission, rested.attempt), (other, poison, 3));
}

pub async fn what_was_lost_with_two_instances_runs_alone_among_its_like(db: &impl Storage) {
    let (poison, bystander, other) =
        (insert(db, new("alice")).await, insert(db, new("bob")).await, insert(db, new("carol")).await);
    for seconds in [1, 3] {
        let ran = [lease(db, at(seconds)).await, lease(db, at(seconds)).await];
        let ran = ran.map(|leased| leased.work.lease);
        for lost in &ran {
            let guarded =
                db.give_up(lost, LostReason::InstanceLost.into(), CAPS, at(seconds + 1)).await.unwrap();
            assert_eq!(guarded, Guarded::LeaseHeld);
        }
        assert_eq!(ran.map(|lost| lost.submission), [poison, bystander]);
    }

    let alone = lease(db, at(60)).await.work.lease;
    let beside = lease(db, at(60)).await.work.lease;
    let none = lease_as(db, "w1", &[runtime("python")], at(60)).await;
    let ended = db.finish(&alone, vec![], finished(1, Verdict::Accepted), at(61)).await.unwrap();
    let next = lease(db, at(62)).await.work.lease;

    assert_eq!([alone.submission, beside.submission, next.submission], [poison, other, bystander]);
    assert_eq!((none, ended), (None, Guarded::LeaseHeld));
}

pub async fn what_was_handed_back_or_lost_with_hosts_does_not_rest(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lose(db, LostReason::InstanceLost, 1).await;
    lose(db, LostReason::HostLost, 3).await;
    hand_back(db, 5).await;

    assert_eq!(lease(db, at(6)).await.work.lease.submission, id);
}

pub async fn a_clock_that_was_set_back_lets_nothing_rest(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lose(db, LostReason::InstanceLost, 1001).await;
    lose(db, LostReason::InstanceLost, 1003).await;

    assert_eq!(lease(db, at(1)).await.work.lease.submission, id);
}

/// Leases what is next and hands it back a second later.
async fn hand_back(db: &impl Storage, seconds: i64) -> Lease {
    let lease = lease(db, at(seconds)).await.work.lease;
    assert_eq!(
        db.hand_back(&lease, LostReason::InstanceLost.into(), at(seconds + 1)).await.unwrap(),
        Guarded::LeaseHeld
    );
    lease
}

pub async fn what_is_handed_back_stands_at_its_old_place_with_the_attempt_counted(db: &impl Storage) {
    let stored = insert_all(db, vec![new("alice"), new("bob")], at(0)).await;
    let (alice, bob) = (stored[0].submission.id, stored[1].submission.id);

    let lease = hand_back(db, 1).await;

    assert_eq!((lease.submission, order(db).await), (alice, vec![alice, bob]));
    let submission = submission(db, alice).await;
    assert_eq!((submission.state.name(), submission.state.attempt()), (StateName::Queued, 1));
    assert_eq!(submission.state.queue_key(), stored[0].submission.state.queue_key());
    let last = events(db, alice).await.pop().unwrap();
    assert_eq!(
        last.body,
        EventBody::Requeued { reason: LostReason::InstanceLost, position: 1, container: None }
    );
    let late = db.finish(&lease, vec![], finished(1, Verdict::Accepted), at(3)).await.unwrap();
    assert_eq!(
        (late, db.hand_back(&lease, LostReason::InstanceLost.into(), at(3)).await.unwrap()),
        (Guarded::LeaseLost, Guarded::LeaseLost)
    );
}

pub async fn what_is_handed_back_however_often_is_not_lost(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    for seconds in [1, 3, 5, 7] {
        hand_back(db, seconds).await;
    }
    lose(db, LostReason::InstanceLost, 9).await;
    hand_back(db, 11).await;
    lose(db, LostReason::HostLost, 13).await;
    assert_eq!((state(db, id).await, order(db).await), (StateName::Queued, vec![id]));

    lose(db, LostReason::InstanceLost, 15).await;

    let failure = submission(db, id).await.failure.unwrap();
    let lost: Vec<_> = failure.attempts.iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(lost, [5, 7, 8]);
}

pub async fn what_is_handed_back_says_why_and_with_which_container(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    for attempt in 1..=4 {
        let lease = lease(db, at(attempt)).await.work.lease;
        let given_up = GivenUp { reason: LostReason::ContainerLost, container: Some(format!("c{attempt}")) };

        let held = db.hand_back(&lease, given_up.clone(), at(attempt)).await.unwrap();

        assert_eq!((held, state(db, id).await), (Guarded::LeaseHeld, StateName::Queued));
        let last = events(db, id).await.pop().unwrap();
        let GivenUp { reason, container } = given_up;
        assert_eq!(last.body, EventBody::Requeued { reason, position: 1, container });
    }
}

pub async fn a_wish_to_cancel_ends_what_is_handed_back(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = lease(db, at(1)).await.work.lease;
    cancel(db, id, at(2)).await;

    assert_eq!(
        db.hand_back(&lease, LostReason::InstanceLost.into(), at(3)).await.unwrap(),
        Guarded::LeaseHeld
    );

    assert_eq!(state(db, id).await, StateName::Cancelled);
}

pub async fn what_is_cancelled_after_it_was_handed_back_tells_of_its_attempt(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    hand_back(db, 1).await;

    cancel(db, id, at(9)).await;

    let State::Cancelled(ended) = submission(db, id).await.state else { panic!("not cancelled") };
    assert_eq!((ended.attempt, ended.started_at), (1, Some(at(1))));
}

pub async fn a_wish_to_cancel_ends_a_lost_attempt(db: &impl Storage) {
    let rescued = insert(db, new("alice")).await;
    let given_up = insert(db, new("alice")).await;
    lease(db, at(1)).await;
    let lost = lease(db, at(1)).await.work.lease;
    cancel(db, rescued, at(2)).await;
    cancel(db, given_up, at(2)).await;

    let guarded = db.give_up(&lost, LostReason::ContainerLost.into(), CAPS, at(3)).await.unwrap();
    let rescue = db.rescue(Rescue::Expired, CAPS, at(20)).await.unwrap();

    assert_eq!(guarded, Guarded::LeaseHeld);
    assert_eq!(state(db, given_up).await, StateName::Cancelled);
    assert_eq!(rescue, [Rescued { submission: rescued, state: StateName::Cancelled }]);
    let story = ["submission.queued", "submission.started", "submission.cancelled"];
    assert_eq!(event_names(db, rescued).await, story);
}

pub async fn what_is_cancelled_between_attempts_tells_of_the_last_one(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lose(db, LostReason::HostLost, 1).await;

    let cancelled = cancel(db, id, at(9)).await;

    assert_eq!(cancelled, CancelRequested::Cancelled(get(db, id).await));
    let State::Cancelled(ended) = submission(db, id).await.state else { panic!("not cancelled") };
    assert_eq!((ended.attempt, ended.started_at, ended.finished_at), (1, Some(at(1)), at(9)));
}
