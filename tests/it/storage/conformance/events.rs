//! Event logs and hints.

use std::collections::BTreeMap;
use std::time::Duration;

use guichet::domain::event::{Epoch, Event, EventBody, LogPlace};
use guichet::domain::ids::{Owner, SubmissionId};
use guichet::domain::lease::Guarded;
use guichet::domain::queue::Priority;
use guichet::domain::submission::LostReason;
use guichet::storage::{Change, ChangedLogs, LogChanges, LogMark, LogPage, Retention, Storage};
use tokio::sync::broadcast::error::TryRecvError;

use crate::storage::factory::{
    CAPS, at, cancel, draft, events, get, grade, insert, insert_all, lease, new, owner, pace, runtime,
    with_priority,
};

/// All of alice's log behind a place.
pub async fn owner_log(db: &impl Storage, after: LogPlace) -> Vec<Event> {
    match db.owner_events_since(&owner("alice"), after, 1000).await.unwrap() {
        LogPage::Events(events) => events,
        LogPage::Unknown => panic!("the log does not reach back to {after}"),
    }
}

pub async fn the_log_of_a_submission_has_no_gaps(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    insert(db, new("alice")).await;
    let lost = lease(db, at(1)).await.work.lease;
    let guarded = db.give_up(&lost, LostReason::HostLost.into(), CAPS, at(2)).await.unwrap();
    grade(db, at(3)).await;

    let log = events(db, id).await;

    assert_eq!(guarded, Guarded::LeaseHeld);
    let seqs: Vec<_> = log.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let attempts: Vec<_> = log.iter().map(|event| event.attempt).collect();
    assert_eq!(attempts, [0, 1, 1, 2, 2]);
}

pub async fn the_log_of_an_owner_has_no_gaps(db: &impl Storage) {
    let first = insert(db, new("alice")).await;
    insert(db, new("bob")).await;
    let second = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    cancel(db, second, at(2)).await;

    let log = owner_log(db, LogPlace::Start).await;

    let seqs: Vec<_> = log.iter().map(|event| event.owner_seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let whose: Vec<_> = log.iter().map(|event| event.submission).collect();
    assert_eq!(whose, [first, second, first, first, second]);
    assert_eq!(log[0], events(db, first).await[0]);
}

pub async fn a_page_begins_behind_the_asked_place(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;

    let all = events(db, id).await;
    let second = db.events_since(id, all[0].place(), 1).await.unwrap();
    let at_the_end = db.events_since(id, all[2].place(), 10).await.unwrap();
    let of_owner = db.owner_events_since(&owner("alice"), all[0].owner_place(), 1).await.unwrap();

    assert_eq!(second, LogPage::Events(vec![all[1].clone()]));
    assert_eq!(at_the_end, LogPage::Events(vec![]));
    assert_eq!(of_owner, LogPage::Events(vec![all[1].clone()]));
}

pub async fn a_place_that_a_log_never_came_to_is_unknown(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let epoch = events(db, id).await[0].epoch;
    let behind = |seq| LogPlace::Behind { seq, epoch };

    assert_eq!(db.events_since(id, behind(2), 10).await.unwrap(), LogPage::Unknown);
    assert_eq!(db.owner_events_since(&owner("alice"), behind(2), 10).await.unwrap(), LogPage::Unknown);
    assert_eq!(db.events_since(SubmissionId::generate(), behind(1), 10).await.unwrap(), LogPage::Unknown);
    assert_eq!(db.owner_events_since(&owner("nobody"), behind(1), 10).await.unwrap(), LogPage::Unknown);
}

pub async fn a_place_of_an_epoch_in_which_its_event_was_not_written_is_unknown(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;
    let epoch = Epoch::from_bits(events(db, id).await[0].epoch.bits() ^ 1);

    for seq in 1..=3 {
        let behind = LogPlace::Behind { seq, epoch };
        assert_eq!(db.events_since(id, behind, 10).await.unwrap(), LogPage::Unknown, "{seq}");
        let of_owner = db.owner_events_since(&owner("alice"), behind, 10).await.unwrap();
        assert_eq!(of_owner, LogPage::Unknown, "{seq}");
    }
}

pub async fn a_log_that_nobody_wrote_is_empty(db: &impl Storage) {
    let id = insert(db, draft("alice")).await;

    let empty = LogPage::Events(vec![]);
    assert_eq!(db.events_since(id, LogPlace::Start, 10).await.unwrap(), empty);
    assert_eq!(db.owner_events_since(&owner("nobody"), LogPlace::Start, 10).await.unwrap(), empty);
    assert_eq!(db.unfinished(&owner("alice")).await.unwrap().end, LogPlace::Start);
    assert_eq!(db.unfinished(&owner("nobody")).await.unwrap().end, LogPlace::Start);
}

pub async fn a_snapshot_shows_what_is_unfinished_and_where_the_log_ends(db: &impl Storage) {
    insert_all(db, vec![new("alice")], at(0)).await;
    insert_all(db, vec![new("alice"), draft("alice"), new("bob")], at(1)).await;
    insert_all(db, vec![new("alice")], at(2)).await;
    grade(db, at(3)).await;
    let running = lease(db, at(4)).await.work.submission.id;

    let snapshot = db.unfinished(&owner("alice")).await.unwrap();

    let log = owner_log(db, LogPlace::Start).await;
    assert_eq!(snapshot.end, log.last().unwrap().owner_place());
    assert_eq!(snapshot.items.len(), 2);
    let mut without_files = get(db, snapshot.items[0].submission.id).await;
    without_files.submission.files = None;
    assert_eq!(snapshot.items[0], without_files);
    assert!(snapshot.items[0].submission.created_at <= snapshot.items[1].submission.created_at);
    let shown: Vec<_> = snapshot.items.iter().map(|placed| placed.submission.id).collect();
    assert!(!shown.contains(&log[0].submission));
    assert_ne!(running, log[0].submission);
}

pub async fn an_entry_tells_place_and_estimate(db: &impl Storage) {
    insert(db, new("alice")).await;
    insert(db, new("alice")).await;
    let third = insert(db, new("alice")).await;

    let body = events(db, third).await.remove(0).body;

    assert_eq!(body, EventBody::Queued { position: 3, eta: pace().eta(3, &runtime("python")) });
}

pub async fn changes_are_told_after_their_commit(db: &impl Storage) {
    let mut changes = db.changes();

    let id = insert(db, new("alice")).await;

    let log = Change::Log { submission: id, owner: owner("alice") };
    let mut told = [changes.recv().await.unwrap(), changes.recv().await.unwrap()];
    told.sort_by_key(|change| *change == Change::Queued);
    assert_eq!(told, [log, Change::Queued]);
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
}

pub async fn the_end_of_a_round_is_told_as_such(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    let mut changes = db.changes();

    cancel(db, id, at(1)).await;

    let mut told = [changes.recv().await.unwrap(), changes.recv().await.unwrap()];
    told.sort_by_key(|change| *change == Change::Unqueued);
    let log = Change::RoundEnded { submission: id, owner: owner("alice") };
    assert_eq!(told, [log, Change::Unqueued]);
}

pub async fn a_wish_to_cancel_is_told(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    lease(db, at(1)).await;
    let mut changes = db.changes();

    cancel(db, id, at(2)).await;

    let wish = Change::Cancel { submission: id, round: 1 };
    // Its lease may be told after it was given.
    while changes.recv().await.unwrap() != wish {}
}

/// How far all logs have come.
async fn mark(db: &impl Storage) -> LogMark {
    db.changed_logs(None).await.unwrap().mark
}

pub async fn a_first_look_at_all_logs_names_none(db: &impl Storage) {
    let empty = db.changed_logs(None).await.unwrap();
    insert(db, new("alice")).await;

    let written = db.changed_logs(None).await.unwrap();

    assert_eq!([empty.logs, written.logs], [ChangedLogs::Any, ChangedLogs::Any]);
    assert_ne!(empty.mark, written.mark);
}

pub async fn the_logs_that_grew_since_a_look_are_named_once_each(db: &impl Storage) {
    let empty = mark(db).await;
    let alice = insert(db, new("alice")).await;
    let first = db.changed_logs(Some(empty)).await.unwrap();
    let bob = insert(db, new("bob")).await;
    insert(db, draft("carol")).await;
    grade(db, at(1)).await;

    let second = db.changed_logs(Some(first.mark)).await.unwrap();
    let third = db.changed_logs(Some(second.mark)).await.unwrap();

    assert_eq!(named(&first), [(alice, owner("alice"))].into());
    assert_eq!(named(&second), [(alice, owner("alice")), (bob, owner("bob"))].into());
    assert_eq!(third, LogChanges { logs: ChangedLogs::These(vec![]), queued: 1, mark: second.mark });
}

/// Submissions whose logs changed, each named once, with their owners.
fn named(changes: &LogChanges) -> BTreeMap<SubmissionId, Owner> {
    let ChangedLogs::These(logs) = &changes.logs else { panic!("{changes:?}") };
    let named: BTreeMap<_, _> = logs.iter().map(|log| (log.submission, log.owner.clone())).collect();
    assert_eq!(named.len(), logs.len());
    named
}

pub async fn a_changed_log_says_where_its_submission_stands_now(db: &impl Storage) {
    let empty = mark(db).await;
    let (first, second) = (insert(db, new("alice")).await, insert(db, new("bob")).await);
    let exam = insert(db, with_priority("carol", Priority::Exam)).await;
    let runs = lease(db, at(1)).await.work.lease;
    let _held = db.give_up(&runs, LostReason::HostLost.into(), CAPS, at(2)).await.unwrap();
    cancel(db, second, at(3)).await;

    let changes = db.changed_logs(Some(empty)).await.unwrap();

    let ChangedLogs::These(logs) = changes.logs else { panic!("{changes:?}") };
    let mut standing: Vec<_> = logs.into_iter().filter_map(|log| log.queued).collect();
    standing.sort_unstable_by_key(|entry| entry.key);
    assert_eq!(standing.iter().map(|entry| entry.submission).collect::<Vec<_>>(), [exam, first]);
    assert_eq!(standing, db.queue().await.unwrap());
    assert_eq!(changes.queued, 2);
}

pub async fn a_log_that_grew_after_the_newest_events_were_pruned_is_not_missed(db: &impl Storage) {
    insert(db, new("alice")).await;
    grade(db, at(1)).await;
    let before = mark(db).await;
    let retention = Retention { submissions: Duration::from_secs(10), events: Duration::from_secs(10) };
    db.prune(retention, at(100)).await.unwrap();
    let bob = insert_all(db, vec![new("bob")], at(101)).await[0].submission.id;
    grade(db, at(102)).await;

    let changes = db.changed_logs(Some(before)).await.unwrap();

    let is_told = match &changes.logs {
        ChangedLogs::Any => true,
        ChangedLogs::These(logs) => logs.iter().any(|log| log.submission == bob && log.owner == owner("bob")),
    };
    assert!(is_told, "{changes:?}");
}
