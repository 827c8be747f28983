//! Submissions whose exercise has a program of its own run beside theirs.

use std::time::Duration;

use guichet::domain::ids::SubmissionId;
use guichet::domain::lease::Guarded;
use guichet::domain::submission::{ExerciseRef, FailureCode, NewSubmission, Purpose, RunInput, StateName};
use guichet::domain::verdict::{Capture, CheckerFault, Exit};
use guichet::storage::{Ending, Expected, Runnable, Storage};

use crate::storage::conformance::rejudging::queued_again;
use crate::storage::factory::{
    alone, at, cancel, checked_by, event_names, exercise_id, insert, lease, new, runtime, spec, state,
    submission, worker,
};

/// A submission to the newest version of an exercise whose checker is written in this runtime.
async fn checked(db: &impl Storage, exercise: &str, by: &str) -> SubmissionId {
    let id = exercise_id(exercise);
    db.put_exercise(&id, checked_by(by), Expected::Anything, at(0)).await.unwrap();
    insert(db, NewSubmission { purpose: Purpose::Graded(ExerciseRef { id, version: 1 }), ..new("alice") })
        .await
}

/// What is leased by a worker that can run this.
async fn lease_of(db: &impl Storage, runnable: &[Runnable]) -> Option<SubmissionId> {
    let leased =
        db.lease_next(&worker("w1"), runnable, at(1), at(1).plus(Duration::from_secs(15))).await.unwrap();
    leased.map(|leased| leased.work.submission.id)
}

fn beside(companions: &[&str]) -> Runnable {
    Runnable { runtime: runtime("python"), companions: companions.iter().map(|id| runtime(id)).collect() }
}

pub async fn what_has_a_companion_is_leased_where_both_can_run(db: &impl Storage) {
    let id = checked(db, "sum", "c").await;

    assert_eq!(lease_of(db, &[alone(runtime("python"))]).await, None);
    assert_eq!(lease_of(db, &[beside(&["python"]), alone(runtime("c"))]).await, None);
    assert_eq!(lease_of(db, &[beside(&["python", "c"])]).await, Some(id));
}

pub async fn what_waits_for_a_companion_holds_up_nothing_behind_it(db: &impl Storage) {
    let first = checked(db, "first", "haskell").await;
    let second = checked(db, "second", "c").await;
    let third = insert(db, new("alice")).await;
    let everything = [beside(&["c", "haskell", "python"])];

    assert_eq!(lease_of(db, &[beside(&["c"])]).await, Some(second));
    assert_eq!(lease_of(db, &[beside(&["c"])]).await, Some(third));
    assert_eq!(lease_of(db, &everything).await, Some(first));
    assert_eq!(lease_of(db, &everything).await, None);
}

pub async fn a_run_and_a_later_version_without_a_checker_program_have_no_companion(db: &impl Storage) {
    let graded = checked(db, "sum", "c").await;
    let exercise = ExerciseRef { id: exercise_id("sum"), version: 1 };
    let purpose = Purpose::Run { input: RunInput::default(), exercise: Some(exercise.clone()) };
    let run = insert(db, NewSubmission { purpose, ..new("alice") }).await;
    assert_eq!(lease_of(db, &[alone(runtime("python"))]).await, Some(run));
    assert_eq!(lease_of(db, &[beside(&["c"])]).await, Some(graded));
    let lease = submission(db, graded).await;
    let lease = guichet::domain::lease::Lease {
        submission: graded,
        round: lease.round,
        attempt: lease.state.attempt(),
        worker: worker("w1"),
    };
    assert_eq!(db.finish(&lease, vec![], fault(), at(2)).await.unwrap(), Guarded::LeaseHeld);

    db.put_exercise(&exercise.id, spec("Sum"), Expected::Anything, at(3)).await.unwrap();
    queued_again(db, graded).await;

    assert_eq!(lease_of(db, &[alone(runtime("python"))]).await, Some(graded));
}

fn fault() -> Ending {
    Ending::Failed(Box::new(CheckerFault {
        test: Some("small".to_owned()),
        problem: "the checker ended with exit code 1".to_owned(),
        exit: Exit::Code(1),
        limit: None,
        output: Capture { bytes: "no".into(), truncated: false },
        judge_message: None,
    }))
}

pub async fn a_fault_of_the_exercise_ends_the_round_and_counts_no_lost_attempt(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = lease(db, at(1)).await.work.lease;

    assert_eq!(db.finish(&lease, vec![], fault(), at(2)).await.unwrap(), Guarded::LeaseHeld);

    let stored = submission(db, id).await;
    assert_eq!((stored.state.name(), stored.state.attempt()), (StateName::Failed, 1));
    let failure = stored.failure.unwrap();
    assert_eq!((failure.code, failure.attempts.len()), (FailureCode::CheckerFailed, 0));
    assert_eq!(failure.message, CheckerFault::MESSAGE);
    assert_eq!(failure.checker.unwrap().problem, "the checker ended with exit code 1");
    assert_eq!(event_names(db, id).await, ["submission.queued", "submission.started", "submission.failed"]);
}

pub async fn a_wish_to_cancel_wins_over_a_fault_of_the_exercise(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let lease = lease(db, at(1)).await.work.lease;
    cancel(db, id, at(2)).await;

    assert_eq!(db.finish(&lease, vec![], fault(), at(3)).await.unwrap(), Guarded::LeaseHeld);

    assert_eq!((state(db, id).await, submission(db, id).await.failure), (StateName::Cancelled, None));
}
