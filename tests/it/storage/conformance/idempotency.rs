//! Requests that are to be done once.

use guichet::domain::submission::{NewSubmission, StateName};
use guichet::domain::time::Timestamp;
use guichet::storage::{IdempotencyKey, Inserted, QueueCaps, Storage};

use crate::storage::factory::{NO_CAPS, at, get, grade, new, order, owner, pace};

const DAY_S: i64 = 24 * 60 * 60;

fn key(subject: &str, digest: u8) -> IdempotencyKey {
    IdempotencyKey { subject: owner(subject), key: "k1".to_owned(), digest: [digest; 32] }
}

async fn ask(db: &impl Storage, new: NewSubmission, key: IdempotencyKey, now: Timestamp) -> Inserted {
    db.insert(vec![new], Some(key), NO_CAPS, pace(), now).await.unwrap()
}

pub async fn the_same_request_is_answered_with_its_submission_as_it_is_now(db: &impl Storage) {
    let first = new("alice");
    ask(db, first.clone(), key("alice", 1), at(0)).await;
    grade(db, at(1)).await;

    let again = ask(db, new("alice"), key("alice", 1), at(2)).await;

    let now = get(db, first.id).await;
    assert_eq!(now.submission.state.name(), StateName::Finished);
    assert_eq!(again, Inserted::Replayed(vec![now]));
    assert_eq!(order(db).await, []);
}

pub async fn the_same_key_for_another_request_is_refused(db: &impl Storage) {
    ask(db, new("alice"), key("alice", 1), at(0)).await;

    let refused = ask(db, new("alice"), key("alice", 2), at(1)).await;

    assert_eq!(refused, Inserted::KeyReused);
    assert_eq!(order(db).await.len(), 1);
}

pub async fn keys_of_two_subjects_are_two_keys(db: &impl Storage) {
    ask(db, new("alice"), key("alice", 1), at(0)).await;

    let stored = ask(db, new("bob"), key("bob", 2), at(1)).await;

    assert!(matches!(stored, Inserted::Stored(_)), "{stored:?}");
}

pub async fn a_key_is_forgotten_after_a_day(db: &impl Storage) {
    let first = new("alice");
    ask(db, first.clone(), key("alice", 1), at(0)).await;

    let replayed = ask(db, new("alice"), key("alice", 1), at(DAY_S - 1)).await;
    let stored = ask(db, new("alice"), key("alice", 1), at(DAY_S)).await;
    let second = ask(db, new("alice"), key("alice", 1), at(DAY_S + 1)).await;

    assert!(matches!(&replayed, Inserted::Replayed(placed) if placed[0].submission.id == first.id));
    assert!(matches!(stored, Inserted::Stored(_)), "{stored:?}");
    assert!(matches!(&second, Inserted::Replayed(placed) if placed[0].submission.id != first.id));
}

pub async fn a_request_that_was_refused_keeps_no_key(db: &impl Storage) {
    let none = QueueCaps { total: 0, per_owner: 0, ..NO_CAPS };

    let refused = db.insert(vec![new("alice")], Some(key("alice", 1)), none, pace(), at(0)).await.unwrap();
    let stored = ask(db, new("alice"), key("alice", 1), at(1)).await;

    assert_eq!(refused, Inserted::QueueFull);
    assert!(matches!(stored, Inserted::Stored(_)), "{stored:?}");
}

pub async fn a_request_is_replayed_though_the_queue_is_full(db: &impl Storage) {
    let full = QueueCaps { total: 1, per_owner: 1, ..NO_CAPS };
    ask(db, new("alice"), key("alice", 1), at(0)).await;

    let again = db.insert(vec![new("alice")], Some(key("alice", 1)), full, pace(), at(1)).await.unwrap();

    assert!(matches!(again, Inserted::Replayed(_)), "{again:?}");
}

pub async fn asking_for_a_replay_stores_nothing(db: &impl Storage) {
    let unknown = db.replay(&key("alice", 1), at(0)).await.unwrap();
    ask(db, new("alice"), key("alice", 1), at(0)).await;
    let known = db.replay(&key("alice", 1), at(1)).await.unwrap();
    let reused = db.replay(&key("alice", 2), at(1)).await.unwrap();

    assert_eq!(unknown, None);
    assert!(matches!(known, Some(Inserted::Replayed(_))), "{known:?}");
    assert_eq!(reused, Some(Inserted::KeyReused));
}
