//! Leases, what is written under them, and taking back.

use guichet::domain::event::{EventBody, Progress};
use guichet::domain::ids::SubmissionId;
use guichet::domain::lease::{Guarded, Lease};
use guichet::domain::queue::Priority;
use guichet::domain::submission::{ExerciseRef, NewSubmission, Purpose, State, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{CancelRequested, Ending, Expected, Renewed, Rescue, Storage};

use crate::storage::factory::{
    CAPS, at, cancel, draft, event_names, events, exercise_id, file, finished, get, grade, insert, lease,
    lease_as, new, next_lease, order, result, runtime, spec, state, submission, test_report, with_priority,
    with_runtime, worker,
};

pub fn accepted() -> Ending {
    finished(1, Verdict::Accepted)
}

fn test_finished() -> Progress {
    Progress::TestFinished { of: 1, test: Box::new(test_report(1, Verdict::Accepted)) }
}

pub async fn a_run_goes_all_the_way(db: &impl Storage) {
    let id = insert(db, new("alice")).await;

    let leased = lease(db, at(1)).await;
    let guarded = db.finish(&leased.work.lease, vec![test_finished()], accepted(), at(2)).await.unwrap();

    assert_eq!(guarded, Guarded::LeaseHeld);
    assert_eq!((leased.queued_at, leased.work.lease.attempt), (at(0), 1));
    let submission = submission(db, id).await;
    assert_eq!(submission.state.name(), StateName::Finished);
    assert_eq!((submission.state.started_at(), submission.state.finished_at()), (Some(at(1)), Some(at(2))));
    assert_eq!(submission.result, Some(result(1, Verdict::Accepted)));
    let names = event_names(db, id).await;
    let story =
        ["submission.queued", "submission.started", "submission.test_finished", "submission.finished"];
    assert_eq!(names, story);
    let last = events(db, id).await.pop().unwrap();
    assert_eq!(last.body, EventBody::Finished { submission: Box::new(submission) });
}

pub async fn nothing_is_leased_while_nothing_is_queued(db: &impl Storage) {
    insert(db, draft("alice")).await;
    insert(db, with_runtime("alice", "java")).await;

    assert_eq!(next_lease(db, at(1)).await, None);
}

pub async fn leases_are_taken_in_the_order_of_the_queue(db: &impl Storage) {
    insert(db, new("alice")).await;
    insert(db, with_runtime("alice", "c")).await;
    insert(db, new("bob")).await;
    insert(db, with_priority("carol", Priority::Exam)).await;
    let order = order(db).await;

    let first = lease(db, at(1)).await.work.submission.id;
    let second = lease(db, at(1)).await.work.submission.id;
    let third = lease(db, at(1)).await.work.submission.id;
    let fourth = lease(db, at(1)).await.work.submission.id;

    assert_eq!([first, second, third, fourth], order[..]);
}

pub async fn what_waits_for_another_runtime_is_overtaken(db: &impl Storage) {
    let waiting = insert(db, new("alice")).await;
    let behind = insert(db, with_runtime("bob", "c")).await;

    let leased = lease_as(db, "w1", &[runtime("c")], at(1)).await.unwrap();

    assert_eq!(leased.work.submission.id, behind);
    assert_eq!(events(db, behind).await[1].body, EventBody::Started { position_before: 2 });
    assert_eq!(get(db, waiting).await.position, Some(1));
}

pub async fn a_lease_brings_the_files_in_their_order(db: &impl Storage) {
    let files = vec![file("z.py", "import a"), file("a.py", "")];
    insert(db, NewSubmission { files: files.clone(), ..new("alice") }).await;

    assert_eq!(lease(db, at(1)).await.work.files, files);
}

pub async fn a_lease_brings_the_exercise_in_the_version_of_the_submission(db: &impl Storage) {
    let sum = exercise_id("sum");
    db.put_exercise(&sum, spec("First"), Expected::Anything, at(0)).await.unwrap();
    let purpose = Purpose::Graded(ExerciseRef { id: sum.clone(), version: 1 });
    insert(db, NewSubmission { purpose, ..new("alice") }).await;
    db.put_exercise(&sum, spec("Second"), Expected::Anything, at(1)).await.unwrap();
    db.delete_exercise(&sum, Expected::Anything, at(2)).await.unwrap();

    let exercise = lease(db, at(3)).await.work.exercise.unwrap();

    assert_eq!((exercise.version, exercise.spec.clone()), (1, spec("First")));
}

pub async fn a_lease_that_was_renewed_does_not_expire(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = lease(db, at(1)).await.work.lease;

    let renewed = db.renew(vec![lease], at(30)).await.unwrap();
    let rescued = db.rescue(Rescue::Expired, CAPS, at(29)).await.unwrap();

    assert_eq!(renewed, [Renewed::Held]);
    assert_eq!(rescued, []);
    assert_eq!(state(db, id).await, StateName::Running);
}

pub async fn a_lease_of_another_worker_is_not_renewed(db: &impl Storage) {
    insert(db, new("alice")).await;
    let held = lease(db, at(1)).await.work.lease;
    let claimed = Lease { worker: worker("w2"), ..held.clone() };

    let renewed = db.renew(vec![claimed, held], at(30)).await.unwrap();

    assert_eq!(renewed, [Renewed::Lost, Renewed::Held]);
}

pub async fn progress_is_logged_under_the_lease_only(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let held = lease(db, at(1)).await.work.lease;
    let next_attempt = Lease { attempt: 2, ..held.clone() };

    let written = db.record(&held, vec![test_finished(), test_finished()], at(2)).await.unwrap();
    let dropped = db.record(&next_attempt, vec![test_finished()], at(2)).await.unwrap();

    assert_eq!((written, dropped), (Guarded::LeaseHeld, Guarded::LeaseLost));
    let events = events(db, id).await;
    assert_eq!(events.len(), 4);
    assert_eq!((events[3].round, events[3].attempt, events[3].at), (1, 1, at(2)));
    assert_eq!(events[3].body, EventBody::from(test_finished()));
}

pub async fn a_result_is_written_once(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = grade(db, at(1)).await;

    let again = db.finish(&lease, vec![], finished(1, Verdict::WrongAnswer), at(2)).await.unwrap();

    assert_eq!(again, Guarded::LeaseLost);
    assert_eq!(submission(db, id).await.result.unwrap().verdict, Verdict::Accepted);
    assert_eq!(event_names(db, id).await.len(), 3);
}

pub async fn a_draft_is_cancelled_with_an_event(db: &impl Storage) {
    let id = insert(db, draft("alice")).await;

    let cancelled = cancel(db, id, at(1)).await;

    assert_eq!(cancelled, CancelRequested::Cancelled(get(db, id).await));
    assert_eq!(event_names(db, id).await, ["submission.cancelled"]);
}

pub async fn a_queued_submission_is_cancelled_and_leaves_the_queue(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let behind = insert(db, new("alice")).await;

    let cancelled = cancel(db, id, at(1)).await;

    assert_eq!(cancelled, CancelRequested::Cancelled(get(db, id).await));
    assert_eq!(event_names(db, id).await, ["submission.queued", "submission.cancelled"]);
    assert_eq!(order(db).await, [behind]);
    assert_eq!(get(db, behind).await.position, Some(1));
}

pub async fn a_running_submission_keeps_the_wish_to_cancel(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = lease(db, at(1)).await.work.lease;

    let first = cancel(db, id, at(2)).await;
    let again = cancel(db, id, at(3)).await;
    let renewed = db.renew(vec![lease.clone()], at(30)).await.unwrap();

    assert_eq!((first, again), (CancelRequested::Running(lease.clone()), CancelRequested::Running(lease)));
    assert_eq!(renewed, [Renewed::CancelRequested]);
    assert_eq!(state(db, id).await, StateName::Running);
}

pub async fn a_wish_to_cancel_wins_over_a_result(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = lease(db, at(1)).await.work.lease;
    cancel(db, id, at(2)).await;

    let guarded = db.finish(&lease, vec![test_finished()], accepted(), at(3)).await.unwrap();

    assert_eq!(guarded, Guarded::LeaseHeld);
    let submission = submission(db, id).await;
    assert_eq!((submission.state.name(), submission.result), (StateName::Cancelled, None));
    let names = event_names(db, id).await;
    assert_eq!(names[2..], ["submission.test_finished", "submission.cancelled"]);
}

pub async fn what_was_cancelled_is_cancelled_again_without_an_event(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    cancel(db, id, at(1)).await;

    let again = cancel(db, id, at(2)).await;

    let CancelRequested::Cancelled(placed) = again else { panic!("{again:?}") };
    assert!(matches!(placed.submission.state, State::Cancelled(ended) if ended.finished_at == at(1)));
    assert_eq!(event_names(db, id).await.len(), 2);
}

pub async fn what_finished_is_not_cancelled(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;

    assert_eq!(cancel(db, id, at(2)).await, CancelRequested::Ended);
    assert_eq!(cancel(db, SubmissionId::generate(), at(2)).await, CancelRequested::NotFound);
}
