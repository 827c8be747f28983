//! The inbox, into which an original backend writes by itself, and submissions by the ids it gave.

use std::time::Duration;

use guichet::domain::exercise::SourceFile;
use guichet::domain::ids::SubmissionId;
use guichet::domain::queue::Priority;
use guichet::domain::submission::{ExerciseRef, LegacyRef, NewSubmission, Purpose, StateName};
use guichet::storage::{
    DraftBounds, Expected, Intake, LegacyDraft, LegacyEnqueued, LegacyStanding, Retention, Storage,
};

use super::Fixture;
use super::rejudging::queued_again;
use crate::storage::factory::{
    at, cancel, draft, exercise_id, file, get, grade, insert, lease, legacy, new, owner, pace, runtime, spec,
    state, submission,
};

const BOUNDS: DraftBounds = DraftBounds { files: 3, bytes: 100, path_bytes: 10 };

fn seven() -> LegacyRef {
    legacy("default", "7")
}

/// A draft of Alice's for the exercise `sum`.
fn written(content: &str) -> LegacyDraft {
    LegacyDraft {
        owner: "alice".to_owned(),
        exercise_id: "sum".to_owned(),
        runtime: "python".to_owned(),
        files: Some(vec![file("main.py", content)]),
    }
}

/// A draft with what it asks for, as it comes from the checks.
fn checked(draft: LegacyDraft) -> Intake {
    let submission = NewSubmission {
        owner: owner(&draft.owner),
        legacy: Some(seven()),
        purpose: Purpose::Graded(ExerciseRef { id: exercise_id(&draft.exercise_id), version: 1 }),
        runtime: runtime(&draft.runtime),
        files: draft.files.clone().unwrap(),
        ..new("alice")
    };
    Intake { draft, bounds: BOUNDS, submission }
}

async fn standing(db: &impl Fixture) -> LegacyStanding {
    db.store().legacy_standing(&seven(), BOUNDS).await.unwrap()
}

async fn held(db: &impl Fixture) -> Option<LegacyDraft> {
    standing(db).await.draft
}

async fn enqueue(db: &impl Fixture, intake: impl Into<Option<Intake>>) -> LegacyEnqueued {
    db.store().enqueue_by_legacy(&seven(), intake.into(), pace(), at(10)).await.unwrap()
}

/// Stores the exercises, writes a draft, and takes it in.
async fn taken_in(db: &impl Fixture) -> SubmissionId {
    for id in ["sum", "other"] {
        db.store().put_exercise(&exercise_id(id), spec(id), Expected::Anything, at(0)).await.unwrap();
    }
    db.write_draft(&seven(), &written("print(3)"), at(1)).await;
    match enqueue(db, checked(written("print(3)"))).await {
        LegacyEnqueued::Queued(id) => id,
        other => panic!("not queued: {other:?}"),
    }
}

pub async fn a_draft_of_the_inbox_reads_back_by_its_paths(db: &impl Fixture) {
    let bytes = SourceFile { path: "a/b.bin".to_owned(), content: vec![0xff, 0x00].into() };
    let files = vec![file("main.py", "é\n"), bytes.clone()];
    let draft = LegacyDraft { files: Some(files), ..written("") };

    db.write_draft(&seven(), &draft, at(1)).await;
    db.write_draft(&legacy("other", "7"), &written("another's"), at(1)).await;

    let sorted = LegacyDraft { files: Some(vec![bytes, file("main.py", "é\n")]), ..draft };
    assert_eq!(standing(db).await, LegacyStanding { stored: None, draft: Some(sorted) });
}

pub async fn more_than_is_to_be_read_is_not_read(db: &impl Fixture) {
    let within = vec![file("0123456789", &"x".repeat(100)), file("b", ""), file("c", "")];
    let too_many = vec![file("a", ""), file("b", ""), file("c", ""), file("d", "")];
    let read = async |files| {
        db.write_draft(&seven(), &LegacyDraft { files: Some(files), ..written("") }, at(1)).await;
        held(db).await.unwrap().files
    };

    assert_eq!(read(within.clone()).await, Some(within));
    assert_eq!(read(too_many).await, None);
    assert_eq!(read(vec![file("a", &"x".repeat(101))]).await, None);
    assert_eq!(read(vec![file("01234567890", "")]).await, None);
}

pub async fn a_draft_of_the_inbox_becomes_a_submission_and_leaves_the_inbox(db: &impl Fixture) {
    let id = taken_in(db).await;

    let placed = get(db.store(), id).await;
    assert_eq!(placed.position, Some(1));
    assert_eq!(placed.submission.legacy, Some(seven()));
    assert_eq!(standing(db).await, LegacyStanding { stored: Some(placed), draft: None });
    assert_eq!(db.store().file(id, "main.py").await.unwrap(), Some(file("main.py", "print(3)")));
}

pub async fn what_was_written_since_it_was_checked_is_not_taken_in(db: &impl Fixture) {
    db.write_draft(&seven(), &written("print(4)"), at(1)).await;

    let of_older_files = enqueue(db, checked(written("print(3)"))).await;
    let of_an_empty_inbox = enqueue(db, None).await;

    assert_eq!(of_older_files, LegacyEnqueued::InboxChanged);
    assert_eq!(of_an_empty_inbox, LegacyEnqueued::InboxChanged);
    assert_eq!(standing(db).await, LegacyStanding { stored: None, draft: Some(written("print(4)")) });
}

pub async fn a_draft_that_was_taken_in_meanwhile_is_not_taken_in_again(db: &impl Fixture) {
    let id = taken_in(db).await;

    let while_queued = enqueue(db, checked(written("print(3)"))).await;
    grade(db.store(), at(11)).await;
    let after_the_end = enqueue(db, checked(written("print(3)"))).await;

    assert_eq!(while_queued, LegacyEnqueued::Unchanged(id));
    assert_eq!(after_the_end, LegacyEnqueued::InboxChanged);
    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Unchanged(id));
    assert_eq!(state(db.store(), id).await, StateName::Finished);
}

pub async fn a_draft_stays_in_the_inbox_while_its_submission_is_graded(db: &impl Fixture) {
    let id = taken_in(db).await;
    db.write_draft(&seven(), &written("print(4)"), at(11)).await;

    let while_queued = enqueue(db, checked(written("print(4)"))).await;
    lease(db.store(), at(12)).await;
    let while_running = enqueue(db, checked(written("print(4)"))).await;

    assert_eq!(while_queued, LegacyEnqueued::Unchanged(id));
    assert_eq!(while_running, LegacyEnqueued::Unchanged(id));
    assert_eq!(held(db).await, Some(written("print(4)")));
    assert_eq!(db.store().file(id, "main.py").await.unwrap(), Some(file("main.py", "print(3)")));
}

pub async fn other_files_in_the_inbox_open_a_new_round(db: &impl Fixture) {
    let id = taken_in(db).await;
    grade(db.store(), at(11)).await;
    db.write_draft(&seven(), &written("print(4)"), at(12)).await;

    let queued = enqueue(db, checked(written("print(4)"))).await;

    assert_eq!(queued, LegacyEnqueued::Queued(id));
    assert_eq!(held(db).await, None);
    let work = lease(db.store(), at(13)).await.work;
    assert_eq!((work.lease.submission, work.lease.round), (id, 2));
    assert_eq!(work.files, [file("main.py", "print(4)")]);
}

pub async fn the_same_files_in_the_inbox_open_no_round(db: &impl Fixture) {
    let id = taken_in(db).await;
    grade(db.store(), at(11)).await;
    db.write_draft(&seven(), &written("print(3)"), at(12)).await;

    let unchanged = enqueue(db, checked(written("print(3)"))).await;

    assert_eq!(unchanged, LegacyEnqueued::Unchanged(id));
    assert_eq!(held(db).await, None);
    assert_eq!(submission(db.store(), id).await.round, 1);
}

pub async fn another_runtime_in_the_inbox_opens_a_new_round(db: &impl Fixture) {
    let id = taken_in(db).await;
    grade(db.store(), at(11)).await;
    let in_c = LegacyDraft { runtime: "c".to_owned(), ..written("print(3)") };
    db.write_draft(&seven(), &in_c, at(12)).await;

    let queued = enqueue(db, checked(in_c)).await;

    assert_eq!(queued, LegacyEnqueued::Queued(id));
    assert_eq!(lease(db.store(), at(13)).await.work.submission.runtime, runtime("c"));
}

pub async fn what_was_judged_again_is_in_its_own_class_when_the_inbox_asks_for_it(db: &impl Fixture) {
    let id = taken_in(db).await;
    grade(db.store(), at(11)).await;
    let again = queued_again(db.store(), id).await;
    assert_eq!(again.submission.priority, Priority::Rejudge);
    grade(db.store(), at(21)).await;
    db.write_draft(&seven(), &written("print(4)"), at(22)).await;

    let queued = enqueue(db, checked(written("print(4)"))).await;

    assert_eq!(queued, LegacyEnqueued::Queued(id));
    assert_eq!(submission(db.store(), id).await.priority, Priority::Normal);
}

pub async fn a_draft_of_another_owner_or_exercise_changes_nothing(db: &impl Fixture) {
    let id = taken_in(db).await;
    grade(db.store(), at(11)).await;
    let others = LegacyDraft { owner: "bob".to_owned(), ..written("print(4)") };
    let elsewhere = LegacyDraft { exercise_id: "other".to_owned(), ..written("print(4)") };

    db.write_draft(&seven(), &others, at(12)).await;
    let of_bob = enqueue(db, checked(others)).await;
    db.write_draft(&seven(), &elsewhere, at(12)).await;
    let of_another_exercise = enqueue(db, checked(elsewhere.clone())).await;

    assert_eq!(of_bob, LegacyEnqueued::BelongsElsewhere);
    assert_eq!(of_another_exercise, LegacyEnqueued::BelongsElsewhere);
    assert_eq!(held(db).await, Some(elsewhere));
    assert_eq!(state(db.store(), id).await, StateName::Finished);
    assert_eq!(db.store().file(id, "main.py").await.unwrap(), Some(file("main.py", "print(3)")));
}

pub async fn what_was_stored_without_the_inbox_is_queued_by_its_id_once(db: &impl Fixture) {
    let id = insert(db.store(), NewSubmission { legacy: Some(seven()), ..draft("alice") }).await;

    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Queued(id));
    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Unchanged(id));
    grade(db.store(), at(11)).await;
    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Unchanged(id));
    db.store().replace_files(id, vec![file("main.py", "print(4)")], at(12)).await.unwrap();
    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Queued(id));
    cancel(db.store(), id, at(13)).await;
    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Unchanged(id));
}

pub async fn an_id_that_nobody_stored_is_unknown(db: &impl Fixture) {
    insert(db.store(), NewSubmission { legacy: Some(legacy("other", "7")), ..draft("alice") }).await;

    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Unknown);
}

pub async fn what_is_stored_later_is_newer_than_the_inbox(db: &impl Fixture) {
    db.write_draft(&seven(), &written("print(1)"), at(1)).await;
    let id = insert(db.store(), NewSubmission { legacy: Some(seven()), ..draft("alice") }).await;
    let after_it_was_stored = held(db).await;
    db.write_draft(&seven(), &written("print(2)"), at(2)).await;
    db.store().replace_files(id, vec![file("main.py", "print(3)")], at(3)).await.unwrap();
    let after_new_files = held(db).await;

    assert_eq!((after_it_was_stored, after_new_files), (None, None));
    assert_eq!(enqueue(db, None).await, LegacyEnqueued::Queued(id));
    assert_eq!(lease(db.store(), at(13)).await.work.files, [file("main.py", "print(3)")]);
}

pub async fn a_draft_that_nobody_asked_for_is_pruned_with_age(db: &impl Fixture) {
    db.write_draft(&seven(), &written("print(3)"), at(0)).await;
    db.write_draft(&legacy("default", "8"), &written("print(3)"), at(10)).await;
    let hour = Duration::from_hours(1);

    db.store().prune(Retention { submissions: hour, events: hour }, at(3605)).await.unwrap();

    let eight = db.store().legacy_standing(&legacy("default", "8"), BOUNDS).await.unwrap();
    assert_eq!(held(db).await, None);
    assert!(eight.draft.is_some());
    // Its files went with it: a new draft doesn't find them.
    let other_file = LegacyDraft { files: Some(vec![file("b.py", "")]), ..written("") };
    db.write_draft(&seven(), &other_file, at(3606)).await;
    assert_eq!(held(db).await, Some(other_file));
}
