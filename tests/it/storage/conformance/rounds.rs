//! Drafts that are queued, files that are replaced, and later rounds.

use guichet::domain::event::EventBody;
use guichet::domain::ids::SubmissionId;
use guichet::domain::lease::{Guarded, Lease};
use guichet::domain::submission::{LostReason, NewSubmission, State, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{Enqueued, FilesReplaced, QueueCaps, Storage};

use crate::storage::factory::{
    CAPS, NO_CAPS, at, cancel, draft, events, file, finished, get, grade, grade_as, insert, insert_all,
    lease, new, next_round, order, pace, state, submission,
};

async fn enqueue(db: &impl Storage, id: SubmissionId) -> Enqueued {
    db.enqueue(id, NO_CAPS, pace(), at(50)).await.unwrap()
}

pub async fn files_are_not_replaced_while_they_are_graded(db: &impl Storage) {
    let queued = insert(db, new("alice")).await;
    let other = vec![file("main.py", "print(4)")];

    let while_queued = db.replace_files(queued, other.clone(), at(1)).await.unwrap();
    lease(db, at(1)).await;
    let while_running = db.replace_files(queued, other.clone(), at(1)).await.unwrap();
    let of_nothing = db.replace_files(SubmissionId::generate(), other, at(1)).await.unwrap();

    assert_eq!((while_queued, while_running), (FilesReplaced::Active, FilesReplaced::Active));
    assert_eq!(of_nothing, FilesReplaced::NotFound);
    assert_eq!(db.file(queued, "main.py").await.unwrap(), Some(file("main.py", "print(3)\n")));
}

pub async fn an_ended_submission_with_the_same_files_is_not_queued_again(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    db.replace_files(id, vec![file("main.py", "print(4)")], at(2)).await.unwrap();
    db.replace_files(id, vec![file("main.py", "print(3)\n")], at(3)).await.unwrap();

    let unchanged = enqueue(db, id).await;

    assert_eq!(unchanged, Enqueued::Unchanged(get(db, id).await));
    assert_eq!(state(db, id).await, StateName::Finished);
    assert_eq!(enqueue(db, SubmissionId::generate()).await, Enqueued::NotFound);
}

pub async fn the_order_of_files_is_no_change(db: &impl Storage) {
    let files = vec![file("a.py", "1"), file("b.py", "2")];
    let id = insert(db, NewSubmission { files: files.clone(), ..new("alice") }).await;
    grade(db, at(1)).await;
    db.replace_files(id, files.into_iter().rev().collect(), at(2)).await.unwrap();

    assert!(matches!(enqueue(db, id).await, Enqueued::Unchanged(_)));
}

pub async fn other_files_open_a_new_round_behind_all_others(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    let waiting = insert(db, new("alice")).await;

    let queued = next_round(db, id, "print(4)", at(2)).await;

    assert_eq!(queued, get(db, id).await);
    assert_eq!((queued.submission.round, queued.position), (2, Some(2)));
    assert_eq!(order(db).await, [waiting, id]);
    grade(db, at(3)).await;
    let second = lease(db, at(4)).await.work;
    assert_eq!((second.lease.round, second.lease.attempt), (2, 1));
    assert_eq!(second.files, [file("main.py", "print(4)")]);
}

pub async fn the_old_result_stays_until_the_new_one(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade_as(db, Verdict::WrongAnswer, at(1)).await;

    next_round(db, id, "print(4)", at(2)).await;
    let while_queued = submission(db, id).await.result.unwrap();
    let while_leased = lease(db, at(3)).await.work;
    let _held = db.finish(&while_leased.lease, vec![], finished(2, Verdict::Accepted), at(4)).await.unwrap();
    let after = submission(db, id).await.result.unwrap();

    assert_eq!((while_queued.round, while_queued.verdict), (1, Verdict::WrongAnswer));
    assert_eq!(while_leased.submission.result, Some(while_queued));
    assert_eq!((after.round, after.verdict), (2, Verdict::Accepted));
}

pub async fn a_cancelled_second_round_shows_the_result_of_the_first(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    next_round(db, id, "print(4)", at(2)).await;

    cancel(db, id, at(3)).await;

    let submission = submission(db, id).await;
    assert_eq!((submission.state.name(), submission.round), (StateName::Cancelled, 2));
    assert_eq!(submission.result.as_ref().unwrap().round, 1);
    let last = events(db, id).await.pop().unwrap();
    assert_eq!(last.body, EventBody::Cancelled { submission: Box::new(submission) });
}

pub async fn an_ending_event_reads_the_same_after_later_rounds(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade_as(db, Verdict::WrongAnswer, at(1)).await;
    let before = events(db, id).await;
    next_round(db, id, "print(4)", at(2)).await;
    cancel(db, id, at(3)).await;
    let cancelled = events(db, id).await;
    next_round(db, id, "print(5)", at(4)).await;
    grade(db, at(5)).await;

    let after = events(db, id).await;

    assert_eq!(after[..3], before);
    assert_eq!(after[..5], cancelled);
    let verdict_of = |body: &EventBody| match body {
        EventBody::Finished { submission } => submission.result.as_ref().map(|result| result.verdict),
        _ => None,
    };
    assert_eq!(verdict_of(&after[2].body), Some(Verdict::WrongAnswer));
    assert_eq!(verdict_of(&after[7].body), Some(Verdict::Accepted));
}

pub async fn a_lease_of_an_earlier_round_is_lost(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let first = grade(db, at(1)).await;
    next_round(db, id, "print(4)", at(2)).await;
    let second = lease(db, at(3)).await.work.lease;

    let late = db.finish(&first, vec![], finished(1, Verdict::WrongAnswer), at(4)).await.unwrap();

    assert_eq!(second, Lease { round: 2, ..first });
    assert_eq!(late, Guarded::LeaseLost);
    assert_eq!(state(db, id).await, StateName::Running);
}

pub async fn a_new_round_has_all_its_attempts(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let first = lease(db, at(1)).await.work.lease;
    let _held = db.give_up(&first, LostReason::ContainerLost.into(), CAPS, at(2)).await.unwrap();
    let second = lease(db, at(3)).await.work.lease;
    let _held = db.give_up(&second, LostReason::ContainerLost.into(), CAPS, at(4)).await.unwrap();
    assert_eq!(state(db, id).await, StateName::Failed);

    next_round(db, id, "print(4)", at(5)).await;
    let anew = lease(db, at(6)).await.work;
    let _held = db.give_up(&anew.lease, LostReason::ContainerLost.into(), CAPS, at(7)).await.unwrap();

    assert_eq!((anew.lease.round, anew.lease.attempt), (2, 1));
    assert_eq!(anew.submission.failure, None);
    assert_eq!(state(db, id).await, StateName::Queued);
}

pub async fn a_draft_is_queued_with_the_files_it_has_then(db: &impl Storage) {
    let id = insert(db, draft("alice")).await;
    db.replace_files(id, vec![file("main.py", "print(4)")], at(1)).await.unwrap();

    let queued = enqueue(db, id).await;
    let again = enqueue(db, id).await;

    assert_eq!(queued, Enqueued::Queued(get(db, id).await));
    assert_eq!(again, Enqueued::Unchanged(get(db, id).await));
    let work = lease(db, at(51)).await.work;
    assert_eq!((work.lease.round, work.lease.attempt), (1, 1));
    assert_eq!(work.files, [file("main.py", "print(4)")]);
}

pub async fn a_draft_enters_the_queue_only_within_its_limits(db: &impl Storage) {
    let drafts = insert_all(db, vec![draft("alice"), new("alice"), draft("bob")], at(0)).await;
    let (alice, bob) = (drafts[0].submission.id, drafts[2].submission.id);
    let one_each = QueueCaps { total: 10, per_owner: 1, ..NO_CAPS };
    let full = QueueCaps { total: 1, per_owner: 1, ..NO_CAPS };

    let too_many = db.enqueue(alice, one_each, pace(), at(1)).await.unwrap();
    let too_much = db.enqueue(bob, full, pace(), at(1)).await.unwrap();

    assert_eq!((too_many, too_much), (Enqueued::TooManyQueued, Enqueued::QueueFull));
    assert_eq!(submission(db, alice).await.state, State::Draft);
    assert_eq!(events(db, bob).await, []);
}

pub async fn a_cancelled_draft_is_queued_only_with_other_files(db: &impl Storage) {
    let id = insert(db, draft("alice")).await;
    cancel(db, id, at(1)).await;

    let unchanged = enqueue(db, id).await;
    let queued = next_round(db, id, "print(4)", at(2)).await;

    assert!(matches!(unchanged, Enqueued::Unchanged(_)), "{unchanged:?}");
    assert_eq!(queued.submission.round, 2);
}
