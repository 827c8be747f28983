//! Storing and finding.

use guichet::domain::metadata::Metadata;
use guichet::domain::queue::Priority;
use guichet::domain::submission::{ExerciseRef, LegacyRef, NewSubmission, Purpose, RunInput, State};
use guichet::storage::{DraftBounds, Expected, Inserted, Placed, QueueCaps, Storage};

use crate::storage::factory::{
    NO_CAPS, at, cancel, draft, event_names, exercise_id, file, get, insert, insert_all, legacy, new, order,
    owner, pace, runtime, spec, with_priority,
};

/// The submission with that id at a backend.
async fn with_id(db: &impl Storage, legacy: &LegacyRef) -> Option<Placed> {
    db.legacy_standing(legacy, DraftBounds::default()).await.unwrap().stored
}

pub async fn a_queued_submission_reads_back_as_it_was_stored(db: &impl Storage) {
    db.put_exercise(&exercise_id("sum"), spec("Sum"), Expected::Anything, at(0)).await.unwrap();
    let exercise = ExerciseRef { id: exercise_id("sum"), version: 1 };
    let input = RunInput { stdin: vec![0xfe, 0x00].into(), args: vec!["-v".to_owned()] };
    let own = r#"{"lesson":123456789012345678901234567890,"nested":{"é":null}}"#;
    let metadata = Metadata::from_text(own.to_owned()).unwrap();
    let new = NewSubmission {
        legacy: Some(legacy("default", "\u{e9} 7")),
        purpose: Purpose::Run { input, exercise: Some(exercise) },
        runtime: runtime("c"),
        priority: Priority::Exam,
        metadata,
        ..new("alice")
    };

    let stored = insert_all(db, vec![new.clone()], at(3)).await.remove(0);

    assert_eq!(get(db, new.id).await, stored);
    assert_eq!(with_id(db, &legacy("default", "\u{e9} 7")).await.as_ref(), Some(&stored));
    assert_eq!(stored.position, Some(1));
    assert_eq!(stored.submission.purpose, new.purpose);
    assert_eq!(stored.submission.metadata, new.metadata);
    assert_eq!((stored.submission.created_at, stored.submission.round), (at(3), 1));
    assert!(
        matches!(stored.submission.state, State::Queued { queued_at, attempt: 0, .. } if queued_at == at(3))
    );
}

pub async fn a_draft_has_neither_place_nor_events(db: &impl Storage) {
    let id = insert(db, draft("alice")).await;

    let draft = get(db, id).await;

    assert_eq!((draft.submission.state, draft.position), (State::Draft, None));
    assert_eq!(event_names(db, id).await, Vec::<&str>::new());
    assert_eq!(order(db).await, []);
}

pub async fn nothing_is_stored_if_one_of_them_cannot_be(db: &impl Storage) {
    let first = insert(db, new("alice")).await;
    let good = new("bob");
    let same_id = NewSubmission { id: first, ..new("bob") };

    db.insert(vec![good.clone(), same_id], None, NO_CAPS, pace(), at(1)).await.unwrap_err();

    assert_eq!(db.submission(good.id).await.unwrap(), None);
    assert_eq!(order(db).await, [first]);
    assert_eq!(db.queued_of(&owner("bob")).await.unwrap(), 0);
}

pub async fn places_count_all_that_were_stored_together(db: &impl Storage) {
    let batch = vec![new("alice"), new("alice"), new("bob"), with_priority("carol", Priority::Exam)];

    let stored = insert_all(db, batch, at(0)).await;

    let positions: Vec<_> = stored.iter().map(|placed| placed.position.unwrap()).collect();
    assert_eq!(positions, [2, 4, 3, 1]);
}

pub async fn an_id_that_a_backend_gave_twice_is_refused_with_its_holder(db: &impl Storage) {
    let first = insert(db, NewSubmission { legacy: Some(legacy("default", "5")), ..draft("alice") }).await;
    let second = NewSubmission { legacy: Some(legacy("default", "5")), ..new("bob") };

    let refused = db.insert(vec![new("bob"), second], None, NO_CAPS, pace(), at(1)).await.unwrap();

    assert_eq!(refused, Inserted::LegacyIdTaken { index: 1, submission: first });
    assert_eq!(order(db).await, []);
}

pub async fn an_id_that_comes_twice_in_one_call_is_refused(db: &impl Storage) {
    let one = NewSubmission { legacy: Some(legacy("default", "5")), ..new("alice") };
    let other = NewSubmission { legacy: Some(legacy("default", "5")), ..new("alice") };

    let refused = db.insert(vec![one.clone(), other], None, NO_CAPS, pace(), at(1)).await.unwrap();

    assert_eq!(refused, Inserted::LegacyIdTaken { index: 1, submission: one.id });
}

pub async fn two_backends_may_give_the_same_id(db: &impl Storage) {
    let one = NewSubmission { legacy: Some(legacy("default", "5")), ..new("alice") };
    let other = NewSubmission { legacy: Some(legacy("other", "5")), ..new("alice") };

    let stored = insert_all(db, vec![one, other.clone()], at(0)).await;

    assert_eq!(stored.len(), 2);
    let found = with_id(db, &legacy("other", "5")).await.unwrap();
    assert_eq!(found.submission.id, other.id);
    assert_eq!(with_id(db, &legacy("third", "5")).await, None);
}

pub async fn a_file_reads_back_with_its_bytes(db: &impl Storage) {
    let mut files = vec![file("main.py", "print(1)"), file("lib/données.bin", "")];
    files[1].content = vec![0, 0xff, 0x0a].into();
    let id = insert(db, NewSubmission { files: files.clone(), ..new("alice") }).await;

    assert_eq!(db.file(id, "lib/données.bin").await.unwrap().as_ref(), Some(&files[1]));
    assert_eq!(db.file(id, "lib").await.unwrap(), None);
}

pub async fn what_would_be_too_much_in_all_is_refused(db: &impl Storage) {
    let caps = QueueCaps { total: 2, per_owner: 2, ..NO_CAPS };
    insert(db, new("alice")).await;

    let refused = db.insert(vec![new("bob"), new("carol")], None, caps, pace(), at(1)).await.unwrap();
    let taken = db.insert(vec![new("bob")], None, caps, pace(), at(1)).await.unwrap();

    assert_eq!(refused, Inserted::QueueFull);
    assert!(matches!(taken, Inserted::Stored(_)), "{taken:?}");
    assert_eq!(order(db).await.len(), 2);
}

pub async fn what_would_be_too_much_of_an_owner_is_refused(db: &impl Storage) {
    let caps = QueueCaps { total: 100, per_owner: 2, ..NO_CAPS };
    insert(db, new("alice")).await;

    let batch = vec![new("bob"), new("alice"), with_priority("alice", Priority::Exam)];
    let refused = db.insert(batch, None, caps, pace(), at(1)).await.unwrap();

    assert_eq!(refused, Inserted::TooManyQueued(owner("alice")));
    assert_eq!(db.queued_of(&owner("alice")).await.unwrap(), 1);
    assert_eq!(db.queued_of(&owner("bob")).await.unwrap(), 0);
}

pub async fn what_would_be_too_many_drafts_of_an_owner_is_refused(db: &impl Storage) {
    let caps = QueueCaps { drafts_per_owner: 2, ..NO_CAPS };
    let first = insert(db, draft("alice")).await;
    insert(db, new("alice")).await;
    let ask = async |new| db.insert(new, None, caps, pace(), at(1)).await.unwrap();

    let refused = ask(vec![draft("bob"), draft("alice"), draft("alice")]).await;
    let taken = ask(vec![draft("alice"), new("alice")]).await;
    let again = ask(vec![draft("alice")]).await;
    cancel(db, first, at(2)).await;
    let after = ask(vec![draft("alice")]).await;

    let too_many = Inserted::TooManyDrafts(owner("alice"));
    assert_eq!((&refused, &again), (&too_many, &too_many));
    assert!(matches!((&taken, &after), (Inserted::Stored(_), Inserted::Stored(_))), "{taken:?} {after:?}");
}

pub async fn drafts_count_in_no_limit_of_the_queue(db: &impl Storage) {
    let caps = QueueCaps { total: 1, per_owner: 1, ..NO_CAPS };
    insert(db, new("alice")).await;

    let stored = db.insert(vec![draft("alice"), draft("alice")], None, caps, pace(), at(1)).await.unwrap();

    assert!(matches!(stored, Inserted::Stored(_)), "{stored:?}");
}
