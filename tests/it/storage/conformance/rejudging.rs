//! What is judged again: its class, its version, its result, and how it gets its own class back.

use guichet::domain::ids::SubmissionId;
use guichet::domain::queue::Priority;
use guichet::domain::submission::{ExerciseRef, NewSubmission, Purpose, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{Expected, Placed, QueueCaps, Rejudged, Storage};

use crate::storage::factory::{
    NO_CAPS, at, cancel, draft, exercise_id, finished, get, grade_as, insert, lease, new, next_round, order,
    pace, spec, submission,
};

async fn rejudge(db: &impl Storage, id: SubmissionId) -> Rejudged {
    db.rejudge(id, NO_CAPS, pace(), at(20)).await.unwrap()
}

/// That it is judged again.
pub async fn queued_again(db: &impl Storage, id: SubmissionId) -> Placed {
    match rejudge(db, id).await {
        Rejudged::Queued(placed) => *placed,
        other => panic!("not queued: {other:?}"),
    }
}

/// A submission that was wrong in version 1 of an exercise that has version 2 now.
async fn graded(db: &impl Storage) -> SubmissionId {
    let (id, priority) = (exercise_id("sum"), Priority::Exam);
    db.put_exercise(&id, spec("Sum"), Expected::Anything, at(0)).await.unwrap();
    let purpose = Purpose::Graded(ExerciseRef { id: id.clone(), version: 1 });
    let submission = insert(db, NewSubmission { purpose, priority, ..new("alice") }).await;
    grade_as(db, Verdict::WrongAnswer, at(1)).await;
    db.put_exercise(&id, spec("Sums"), Expected::Anything, at(2)).await.unwrap();
    submission
}

fn version(placed: &Placed) -> Option<u32> {
    Some(placed.submission.purpose.exercise()?.version)
}

pub async fn it_waits_behind_all_others_for_the_newest_version_and_keeps_its_result(db: &impl Storage) {
    let id = graded(db).await;

    let again = queued_again(db, id).await;
    let other = insert(db, new("bob")).await;

    assert_eq!(again, Placed { position: again.position, ..get(db, id).await });
    assert_eq!((again.submission.round, again.submission.priority), (2, Priority::Rejudge));
    assert_eq!(version(&again), Some(2));
    assert_eq!(
        again.submission.result.map(|result| (result.round, result.verdict)),
        Some((1, Verdict::WrongAnswer))
    );
    assert_eq!(order(db).await, [other, id]);
    let _other = lease(db, at(21)).await;
    let work = lease(db, at(22)).await.work;
    assert_eq!((work.lease.submission, work.lease.round, work.lease.attempt), (id, 2, 1));
    assert_eq!(work.exercise.map(|exercise| exercise.version), Some(2));
    let _held = db.finish(&work.lease, vec![], finished(2, Verdict::Accepted), at(23)).await.unwrap();
    assert_eq!(submission(db, id).await.result.map(|result| result.round), Some(2));
}

pub async fn a_deleted_exercise_judges_with_the_version_it_had(db: &impl Storage) {
    let id = graded(db).await;
    db.delete_exercise(&exercise_id("sum"), Expected::Anything, at(3)).await.unwrap();

    assert_eq!(version(&queued_again(db, id).await), Some(1));
}

pub async fn other_files_bring_its_own_class_back(db: &impl Storage) {
    let id = graded(db).await;
    for _twice in 0..2 {
        queued_again(db, id).await;
        grade_as(db, Verdict::Accepted, at(21)).await;
    }

    let placed = next_round(db, id, "print(4)", at(30)).await;

    assert_eq!((placed.submission.priority, placed.submission.round), (Priority::Exam, 4));
    assert_eq!(placed, get(db, id).await);
}

pub async fn only_what_finished_or_failed_for_an_exercise_is_judged_again(db: &impl Storage) {
    let id = graded(db).await;
    let run = insert(db, new("alice")).await;
    grade_as(db, Verdict::Accepted, at(3)).await;
    let (never, taken_back) = (insert(db, draft("alice")).await, insert(db, new("alice")).await);
    cancel(db, taken_back, at(4)).await;

    for other in [run, never, taken_back] {
        assert_eq!(rejudge(db, other).await, Rejudged::NotGraded);
    }
    assert_eq!(rejudge(db, SubmissionId::generate()).await, Rejudged::NotFound);
    queued_again(db, id).await;
    assert_eq!(rejudge(db, id).await, Rejudged::Active);
    lease(db, at(21)).await;
    assert_eq!(rejudge(db, id).await, Rejudged::Active);
    assert_eq!(get(db, id).await.submission.state.name(), StateName::Running);
}

pub async fn its_owner_may_have_too_many_queued_but_the_queue_may_not_be_full(db: &impl Storage) {
    let id = graded(db).await;
    insert(db, new("alice")).await;
    let caps = |total| QueueCaps { total, per_owner: 1, ..NO_CAPS };

    let refused = db.rejudge(id, caps(1), pace(), at(20)).await.unwrap();
    let taken = db.rejudge(id, caps(2), pace(), at(20)).await.unwrap();

    assert_eq!(refused, Rejudged::QueueFull);
    assert!(matches!(taken, Rejudged::Queued(_)), "{taken:?}");
}
