//! What is deleted with age, and what never comes again.

use std::time::Duration;

use guichet::domain::event::{Event, LogPlace};
use guichet::domain::ids::SubmissionId;
use guichet::domain::submission::StateName;
use guichet::storage::{LogPage, Retention, Storage};

use super::events::owner_log;
use crate::storage::factory::{
    at, cancel, draft, events, grade, insert, insert_all, lease, new, next_round, owner, state,
};

const HOUR: Duration = Duration::from_hours(1);
const NEVER: Duration = Duration::from_secs(u64::MAX);
const SUBMISSIONS: Retention = Retention { submissions: HOUR, events: NEVER };
const EVENTS: Retention = Retention { submissions: NEVER, events: HOUR };

pub async fn old_ended_submissions_go_with_all_they_have(db: &impl Storage) {
    let old = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    next_round(db, old, "print(4)", at(2)).await;
    grade(db, at(3)).await;
    let young = insert(db, new("alice")).await;
    cancel(db, young, at(1800)).await;
    let log = events(db, old).await;

    let gone = db.prune(SUBMISSIONS, at(3604)).await.unwrap();

    assert_eq!(gone, 1);
    assert_eq!(db.submission(old).await.unwrap(), None);
    assert_eq!(db.file(old, "main.py").await.unwrap(), None);
    assert_eq!(db.events_since(old, log[0].place(), 10).await.unwrap(), LogPage::Unknown);
    assert_eq!(state(db, young).await, StateName::Cancelled);
    assert_eq!(events(db, young).await.len(), 2);
}

pub async fn what_waits_or_runs_stays_however_old(db: &impl Storage) {
    insert_all(db, vec![new("alice"), new("alice")], at(0)).await;
    let running = lease(db, at(1)).await.work.submission.id;

    let gone = db.prune(Retention { submissions: HOUR, events: HOUR }, at(999_999)).await.unwrap();

    assert_eq!(gone, 0);
    assert_eq!(events(db, running).await.len(), 2);
}

pub async fn a_draft_that_nobody_queued_goes_with_age(db: &impl Storage) {
    let kept = insert_all(db, vec![draft("alice")], at(3000)).await;
    let old = insert_all(db, vec![draft("alice")], at(0)).await;

    let gone = db.prune(SUBMISSIONS, at(3604)).await.unwrap();

    assert_eq!(gone, 1);
    assert_eq!(db.submission(old[0].submission.id).await.unwrap(), None);
    assert_eq!(state(db, kept[0].submission.id).await, StateName::Draft);
}

pub async fn those_that_went_are_missing_and_the_others_are_not(db: &impl Storage) {
    let old = insert_all(db, vec![draft("alice")], at(0)).await[0].submission.id;
    let kept = insert_all(db, vec![draft("alice")], at(3000)).await[0].submission.id;
    assert_eq!(db.missing(vec![old, kept]).await.unwrap(), []);

    db.prune(SUBMISSIONS, at(3604)).await.unwrap();

    let never = SubmissionId::generate();
    assert_eq!(db.missing(vec![old, kept, never]).await.unwrap(), [old, never]);
    assert_eq!(db.missing(vec![]).await.unwrap(), []);
}

/// The submission, and what was pruned of its log.
async fn two_rounds_of_which_the_first_log_is_pruned(db: &impl Storage) -> (SubmissionId, Vec<Event>) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    let pruned = events(db, id).await;
    db.prune(EVENTS, at(4000)).await.unwrap();
    next_round(db, id, "print(4)", at(4001)).await;
    (id, pruned)
}

pub async fn a_pruned_log_is_unknown_from_before_its_start(db: &impl Storage) {
    let (id, pruned) = two_rounds_of_which_the_first_log_is_pruned(db).await;

    let kept = events(db, id).await;

    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].seq, kept[0].round), (4, 2));
    assert_eq!(db.events_since(id, pruned[1].place(), 10).await.unwrap(), LogPage::Unknown);
    assert_eq!(db.events_since(id, pruned[2].place(), 10).await.unwrap(), LogPage::Events(kept));
    let of_owner = db.owner_events_since(&owner("alice"), LogPlace::Start, 10).await.unwrap();
    assert_eq!(of_owner, LogPage::Unknown);
}

pub async fn a_gap_in_the_log_of_an_owner_is_told(db: &impl Storage) {
    insert(db, new("alice")).await;
    let cancelled = insert(db, new("alice")).await;
    cancel(db, cancelled, at(1)).await;
    lease(db, at(2)).await;
    let whole = owner_log(db, LogPlace::Start).await;

    db.prune(EVENTS, at(4000)).await.unwrap();

    let before_the_gap = owner_log(db, LogPlace::Start).await;
    assert_eq!(before_the_gap.len(), 1);
    let in_the_gap = db.owner_events_since(&owner("alice"), whole[0].owner_place(), 10).await.unwrap();
    assert_eq!(in_the_gap, LogPage::Unknown);
    let behind_the_gap = owner_log(db, whole[2].owner_place()).await;
    assert_eq!((behind_the_gap.len(), behind_the_gap[0].owner_seq), (1, 4));
}

pub async fn numbers_go_on_after_pruning(db: &impl Storage) {
    insert(db, new("alice")).await;
    let first = grade(db, at(1)).await.submission;
    let pruned = events(db, first).await;
    db.prune(Retention { submissions: HOUR, events: HOUR }, at(4000)).await.unwrap();

    let next = insert(db, new("alice")).await;

    assert_eq!(db.submission(first).await.unwrap(), None);
    assert_eq!(events(db, next).await[0].owner_seq, 4);
    assert_eq!(owner_log(db, pruned[2].owner_place()).await.len(), 1);
}
