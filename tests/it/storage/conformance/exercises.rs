//! Exercises and their versions.

use std::sync::Arc;

use guichet::domain::exercise::ExerciseSpec;
use guichet::storage::{ExercisePut, Expected, Storage};

use crate::storage::factory::{at, exercise_id, spec};

async fn put(db: &impl Storage, id: &str, title: &str, expected: Expected) -> ExercisePut {
    db.put_exercise(&exercise_id(id), spec(title), expected, at(1)).await.unwrap()
}

async fn version(db: &impl Storage, id: &str) -> Option<u32> {
    db.exercise(&exercise_id(id)).await.unwrap().map(|exercise| exercise.version)
}

pub async fn a_changed_exercise_gets_the_next_version(db: &impl Storage) {
    let created = put(db, "sum", "Sum", Expected::Anything).await;
    let changed = put(db, "sum", "Sums", Expected::Anything).await;

    assert!(matches!(&created, ExercisePut::Created(exercise) if exercise.version == 1), "{created:?}");
    let stored = db.exercise(&exercise_id("sum")).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.updated_at, &stored.spec), (2, at(1), &spec("Sums")));
    assert_eq!(changed, ExercisePut::Changed(Arc::unwrap_or_clone(stored)));
}

pub async fn an_exercise_that_says_the_same_gets_none(db: &impl Storage) {
    put(db, "sum", "Sum", Expected::Anything).await;

    let same = put(db, "sum", "Sum", Expected::Version(1)).await;

    assert!(matches!(&same, ExercisePut::Unchanged(exercise) if exercise.version == 1), "{same:?}");
}

pub async fn a_version_that_was_not_expected_changes_nothing(db: &impl Storage) {
    put(db, "sum", "Sum", Expected::Anything).await;
    let sum = exercise_id("sum");

    let put = put(db, "sum", "Sums", Expected::Version(2)).await;
    let deleted = db.delete_exercise(&sum, Expected::Version(2), at(2)).await.unwrap();

    assert_eq!((put, deleted), (ExercisePut::VersionMismatch, Some(false)));
    assert_eq!(db.exercise(&sum).await.unwrap().unwrap().spec, spec("Sum"));
}

pub async fn what_should_be_absent_or_exist_is_checked(db: &impl Storage) {
    let missing = put(db, "sum", "Sum", Expected::Existing).await;
    let created = put(db, "sum", "Sum", Expected::Absent).await;
    let taken = put(db, "sum", "Sums", Expected::Absent).await;
    let changed = put(db, "sum", "Sums", Expected::Existing).await;

    assert_eq!((missing, taken), (ExercisePut::VersionMismatch, ExercisePut::VersionMismatch));
    assert!(matches!(created, ExercisePut::Created(_)), "{created:?}");
    assert!(matches!(changed, ExercisePut::Changed(_)), "{changed:?}");
}

pub async fn the_numbering_goes_on_after_a_deletion(db: &impl Storage) {
    put(db, "sum", "Sum", Expected::Anything).await;
    let deleted = db.delete_exercise(&exercise_id("sum"), Expected::Version(1), at(2)).await.unwrap();

    let again = put(db, "sum", "Sum", Expected::Absent).await;

    assert_eq!(deleted, Some(true));
    assert!(matches!(&again, ExercisePut::Created(exercise) if exercise.version == 2), "{again:?}");
    assert_eq!(version(db, "sum").await, Some(2));
}

pub async fn an_exercise_that_was_read_is_read_as_it_is_after_each_change(db: &impl Storage) {
    let mut read = Vec::new();
    for change in ["Sum", "Total", "", "Sum"] {
        if change.is_empty() {
            db.delete_exercise(&exercise_id("sum"), Expected::Anything, at(2)).await.unwrap();
        } else {
            put(db, "sum", change, Expected::Anything).await;
        }
        read.push([version(db, "sum").await, version(db, "sum").await]);
    }

    assert_eq!(read, [[Some(1); 2], [Some(2); 2], [None; 2], [Some(3); 2]]);
}

pub async fn a_deleted_exercise_is_gone_from_every_list(db: &impl Storage) {
    put(db, "sum", "Sum", Expected::Anything).await;
    db.delete_exercise(&exercise_id("sum"), Expected::Anything, at(2)).await.unwrap();

    let again = db.delete_exercise(&exercise_id("sum"), Expected::Anything, at(3)).await.unwrap();

    assert_eq!(again, None);
    assert_eq!(version(db, "sum").await, None);
    assert_eq!(db.exercises(None, 10).await.unwrap().items, []);
}

pub async fn exercises_are_listed_newest_first(db: &impl Storage) {
    for (second, id) in (1..).zip(["b", "c", "a"]) {
        let stored = db.put_exercise(&exercise_id(id), spec(id), Expected::Anything, at(second)).await;
        assert!(matches!(stored, Ok(ExercisePut::Created(_))));
    }

    let first = db.exercises(None, 2).await.unwrap();
    let rest = db.exercises(Some(exercise_id("c")), 2).await.unwrap();

    let listed: Vec<_> =
        first.items.iter().chain(&rest.items).map(|listed| listed.exercise.id.as_str()).collect();
    assert_eq!((listed, first.more, rest.more), (vec!["a", "c", "b"], true, false));
}

pub async fn a_list_of_exercises_is_of_their_newest_versions_without_tests(db: &impl Storage) {
    let tests = |id: &str, count: usize| {
        let mut spec = spec(id);
        let test = spec.kind.tests()[0].clone();
        *spec.kind.tests_mut() = vec![test; count];
        spec
    };
    for (title, count) in [("Sum", 1), ("Sums", 3)] {
        db.put_exercise(&exercise_id("sum"), tests(title, count), Expected::Anything, at(1)).await.unwrap();
    }

    let listed = db.exercises(None, 10).await.unwrap().items;

    let [listed] = <[_; 1]>::try_from(listed).unwrap();
    assert_eq!((listed.test_count, listed.exercise.version), (3, 2));
    assert_eq!(listed.exercise.spec, tests("Sums", 0));
}

pub async fn a_page_of_large_exercises_is_short(db: &impl Storage) {
    for (second, id) in (1..).zip(["a", "b"]) {
        let large = ExerciseSpec { statement: "x".repeat(5 << 20), ..spec(id) };
        db.put_exercise(&exercise_id(id), large, Expected::Anything, at(second)).await.unwrap();
    }

    let page = db.exercises(None, 100).await.unwrap();

    assert_eq!((page.items.len(), page.more), (1, true));
}
