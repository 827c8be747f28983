//! Followers over a real database.

mod lost;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use guichet::domain::event::EventBody;
use guichet::domain::ids::SubmissionId;
use guichet::domain::pace::Pace;
use guichet::domain::queue::{PositionReason, Priority};
use guichet::domain::submission::LostReason;
use guichet::feed::{Feed, Follow, Follower, LogEntry, Notice, Resume};
use guichet::shutdown::Tasks;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{Retention, Storage as _};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::storage::factory::{
    CAPS, at, cancel, draft, get, grade, insert, insert_all, lease, new, pace, with_priority,
};

/// How long a follower may take to hear what it is to hear.
const PATIENCE: Duration = Duration::from_secs(30);

/// A feed over a database of its own.
struct Heard {
    folder: TempDir,
    tasks: Tasks,
    db: SqliteStorage,
    feed: Feed,
    _pace: watch::Sender<Pace>,
}

impl Heard {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tasks = Tasks::default();
        let options = Options { path: folder.path().join("guichet.db"), migrate: true };
        let db = SqliteStorage::open(options, tasks.tracker()).await.unwrap();
        let (sender, observed) = watch::channel(pace());
        let feed = Feed::start(db.clone(), observed, &tasks);
        Self { folder, tasks, db, feed, _pace: sender }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("guichet.db")
    }

    /// A follower that has told the log of one event and waits.
    async fn follow_queued(&self, id: SubmissionId) -> Follower {
        let mut follower = self.follow(id).await;
        let queued = next(&mut follower).await;
        assert!(matches!(queued, Some(Notice::Event(_))), "{queued:?}");
        follower
    }

    async fn follow(&self, id: SubmissionId) -> Follower {
        match self.feed.follow(id, Resume::Start).await.unwrap() {
            Follow::Live(follower) => follower,
            Follow::Ended => panic!("{id} has ended"),
        }
    }

    /// Writes to the database beside the service: no bell rings.
    async fn write_unheard(&self, statement: &'static str, id: SubmissionId) {
        let mut stranger = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        sqlx::query(statement).bind(id.uuid().as_bytes().to_vec()).execute(&mut stranger).await.unwrap();
    }

    /// The end and an event that shows it in one commit, as each end is written.
    async fn end_unheard(&self, id: SubmissionId) {
        let mut stranger = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        let mut tx = stranger.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for statement in [END_WITHOUT_AN_EVENT, ONE_MORE_EVENT] {
            sqlx::query(statement).bind(id.uuid().as_bytes().to_vec()).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn end(self) {
        self.tasks.stop_hard();
        self.db.close().await;
        self.tasks.ended().await;
    }
}

/// The next thing that is told.
async fn next(follower: &mut Follower) -> Option<Notice> {
    tokio::time::timeout(PATIENCE, follower.next()).await.expect("nothing was told").unwrap()
}

/// The next event; places are passed over.
async fn next_event(follower: &mut Follower) -> Option<Arc<LogEntry>> {
    loop {
        match follower.next().await.unwrap()? {
            Notice::Event(entry) => return Some(entry),
            Notice::Position(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Repeats the last event of a log as a further one.
const ONE_MORE_EVENT: &str = "INSERT INTO events (submission_id, seq, owner, owner_seq, epoch, epoch_before, \
         owner_epoch_before, round, attempt, at, body) \
     SELECT submission_id, seq + 1, owner, owner_seq + 1, epoch, epoch, epoch, round, attempt, at, body \
     FROM events WHERE submission_id = ?1 ORDER BY seq DESC LIMIT 1";

/// Ends a submission without telling.
const END_WITHOUT_AN_EVENT: &str = "UPDATE submissions SET state = 'cancelled', finished_at = queued_at, rank = NULL, ticket = NULL, \
     queued_at = NULL, worker = NULL, lease_until = NULL WHERE id = ?1";

#[tokio::test]
async fn a_log_that_ended_and_was_pruned_has_nothing_to_follow() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, new("alice")).await;
    grade(&heard.db, at(1)).await;
    let retention = Retention { submissions: Duration::from_secs(u64::MAX), events: Duration::from_hours(1) };
    heard.db.prune(retention, at(4000)).await.unwrap();

    let follow = heard.feed.follow(id, Resume::Start).await.unwrap();

    assert!(matches!(follow, Follow::Ended));
    heard.end().await;
}

#[tokio::test]
async fn an_event_whose_bell_was_lost_is_told_all_the_same() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, new("alice")).await;
    let mut of_submission = heard.follow_queued(id).await;
    let end = heard.db.unfinished(&"alice".parse().unwrap()).await.unwrap().end;
    let mut of_owner = heard.feed.follow_owner(&"alice".parse().unwrap(), Resume::After(end));

    heard.write_unheard(ONE_MORE_EVENT, id).await;

    for follower in [&mut of_submission, &mut of_owner] {
        let told = tokio::time::timeout(PATIENCE, next_event(follower)).await.expect("nothing was told");
        assert_eq!(told.map(|event| event.seq), Some(2));
    }
    heard.end().await;
}

#[tokio::test]
async fn a_wait_for_an_end_ends_though_the_bell_was_lost() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, new("alice")).await;
    let mut ended = Box::pin(heard.feed.waiter(id).ended());
    assert!(futures_util::poll!(ended.as_mut()).is_pending());

    heard.end_unheard(id).await;

    let placed = tokio::time::timeout(PATIENCE, ended).await.expect("nothing was heard").unwrap().unwrap();
    assert!(placed.submission.state.is_ended());
    heard.end().await;
}

#[tokio::test]
async fn who_waits_before_a_submission_is_stored_hears_of_its_end() {
    let heard = Heard::start().await;
    let submission = new("alice");
    let waiter = heard.feed.waiter(submission.id);
    let id = insert(&heard.db, submission).await;

    let ended = tokio::time::timeout(PATIENCE, waiter.ended_since());
    let (ended, _lease) = tokio::join!(ended, grade(&heard.db, at(1)));

    let ended = ended.expect("nothing was heard").unwrap();
    assert_eq!(ended, heard.db.submission(id).await.unwrap());
    assert!(ended.is_some_and(|placed| placed.submission.state.is_ended()));
    heard.end().await;
}

#[tokio::test]
async fn a_follower_whose_log_did_not_grow_does_not_look_at_the_database() {
    let heard = Heard::start().await;
    // It runs: a follower of what waits in the queue looks when places are pushed.
    let still = insert(&heard.db, new("alice")).await;
    lease(&heard.db, at(1)).await;
    let grown = insert(&heard.db, new("bob")).await;
    let mut of_still = heard.follow_queued(still).await;
    assert!(next_event(&mut of_still).await.is_some());
    let mut of_grown = heard.follow_queued(grown).await;

    let growing = async {
        // The first look still finds what both had heard of.
        for round in 1..=3 {
            if round == 3 {
                // A follower that looked would find that nothing will come any more.
                heard.write_unheard(END_WITHOUT_AN_EVENT, still).await;
            }
            let told = tokio::time::timeout(PATIENCE, next_event(&mut of_grown));
            let (told, ()) = tokio::join!(told, heard.write_unheard(ONE_MORE_EVENT, grown));
            assert!(told.is_ok_and(|told| told.is_some()), "nothing was told");
        }
    };
    tokio::select! {
        biased;
        told = next_event(&mut of_still) => panic!("{told:?}"),
        () = growing => {}
    }

    heard.end().await;
}

#[tokio::test]
async fn a_follower_of_a_draft_that_is_pruned_hears_that_nothing_will_come() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, draft("alice")).await;
    let mut follower = heard.follow(id).await;
    let retention = Retention { submissions: Duration::from_hours(1), events: Duration::from_hours(1) };

    let (told, pruned) = tokio::join!(next(&mut follower), heard.db.prune(retention, at(4000)));

    assert_eq!((told, pruned.unwrap()), (None, 1));
    heard.end().await;
}

#[tokio::test]
async fn all_who_follow_a_log_are_handed_the_same_entry() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, new("alice")).await;
    let mut followers = [heard.follow_queued(id).await, heard.follow_queued(id).await];
    let mut of_owner = heard.feed.follow_owner(&"alice".parse().unwrap(), Resume::Start);
    assert!(matches!(next(&mut of_owner).await, Some(Notice::Snapshot { .. })));

    lease(&heard.db, at(1)).await;

    let [first, second] = &mut followers;
    let told = [next_event(first).await, next_event(second).await, next_event(&mut of_owner).await];
    let [Some(first), Some(second), Some(third)] = told else { panic!("{told:?}") };
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &third));
    heard.end().await;
}

#[tokio::test]
async fn a_follower_from_an_unreadable_id_is_told_the_place_as_it_is_now() {
    let heard = Heard::start().await;
    let first = insert(&heard.db, new("bob")).await;
    insert(&heard.db, new("bob")).await;
    let third = insert(&heard.db, new("alice")).await;
    let before = get(&heard.db, third).await.position;
    cancel(&heard.db, first, at(1)).await;

    let Follow::Live(mut follower) = heard.feed.follow(third, Resume::Unreadable).await.unwrap() else {
        panic!("it is queued")
    };

    assert_eq!(next(&mut follower).await, Some(Notice::Reset));
    assert!(matches!(next(&mut follower).await, Some(Notice::Event(_))));
    let told = next(&mut follower).await;
    let now = get(&heard.db, third).await.position;
    assert_ne!(before, now);
    assert!(matches!(told, Some(Notice::Position(place)) if Some(place.position) == now), "{told:?}");
    drop(follower);
    heard.end().await;
}

#[tokio::test]
async fn a_follower_that_missed_much_is_told_the_places_as_they_are_now() {
    let heard = Heard::start().await;
    let mut of_owner = heard.feed.follow_owner(&"alice".parse().unwrap(), Resume::Start);
    assert!(matches!(next(&mut of_owner).await, Some(Notice::Snapshot { .. })));
    let many = insert_all(&heard.db, (0..60).map(|_| new("alice")).collect(), at(0)).await;
    let last = many[59].submission.id;
    let mut of_last = Told { follower: heard.follow(last).await, place: 0 };
    for second in 1..=5 {
        grade(&heard.db, at(second)).await;
    }
    // The other one was told at the same time.
    while of_last.place != 55 {
        let notice = next(&mut of_last.follower).await.expect("it is queued");
        of_last.hear(&notice);
    }

    let mut told = None;
    while told != Some(55) {
        match next(&mut of_owner).await {
            Some(Notice::Position(place)) if place.submission == last => told = Some(place.position),
            Some(_) => {}
            None => panic!("the log of an owner never ends"),
        }
    }
    drop((of_owner, of_last));
    heard.end().await;
}

#[tokio::test]
async fn the_last_place_is_told_though_the_start_follows_a_snapshot_at_once() {
    let heard = Heard::start().await;
    insert(&heard.db, new("bob")).await;
    insert(&heard.db, new("alice")).await;
    let mut follower = heard.feed.follow_owner(&"alice".parse().unwrap(), Resume::Start);
    let snapshot = next(&mut follower).await;
    assert!(matches!(&snapshot, Some(Notice::Snapshot { items, .. }) if items[0].position == Some(2)));

    grade(&heard.db, at(1)).await;
    lease(&heard.db, at(2)).await;

    let last = next(&mut follower).await;
    assert!(matches!(last, Some(Notice::Position(place)) if place.position == 1), "{last:?}");
    let started = next(&mut follower).await;
    assert!(matches!(started, Some(Notice::Event(_))), "{started:?}");
}

/// Waits until each follower has told where its submission stands.
async fn places_are_told(heard: &Heard, followers: &mut BTreeMap<SubmissionId, Told>) {
    for (place, entry) in (1..).zip(heard.db.queue().await.unwrap()) {
        if let Some(told) = followers.get_mut(&entry.submission) {
            while told.place != place {
                let notice = next(&mut told.follower).await.expect("it is queued");
                told.hear(&notice);
            }
        }
    }
}

/// A follower, and the place that it told last.
struct Told {
    follower: Follower,
    place: u64,
}

impl Told {
    fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::Position(place) => {
                let later = place.position > self.place;
                assert!(
                    !later || place.reason != PositionReason::AheadLeft,
                    "{notice:?} after {}",
                    self.place
                );
                self.place = place.position;
            }
            Notice::Event(entry) => match &entry.body {
                EventBody::Queued { position, .. } | EventBody::Requeued { position, .. } => {
                    self.place = *position;
                }
                EventBody::Started { .. } => self.place = 0,
                other => panic!("{other:?}"),
            },
            Notice::Reset | Notice::Snapshot { .. } => panic!("{notice:?}"),
        }
    }
}

#[tokio::test]
async fn places_are_exact_at_each_quiet_moment_though_another_process_changes_the_queue_too() {
    let heard = Heard::start().await;
    let mut followers = BTreeMap::new();
    for _moment in 0..4 {
        for (owner, priority) in [
            ("alice", Priority::Normal),
            ("bob", Priority::Rejudge),
            ("carol", Priority::Exam),
            ("alice", Priority::Normal),
        ] {
            let id = insert(&heard.db, with_priority(owner, priority)).await;
            followers.insert(id, Told { follower: heard.follow(id).await, place: 0 });
        }
        let unfollowed = insert(&heard.db, with_priority("bob", Priority::Normal)).await;
        places_are_told(&heard, &mut followers).await;

        heard.end_unheard(unfollowed).await;
        places_are_told(&heard, &mut followers).await;

        let (lost, runs) =
            (lease(&heard.db, at(1)).await.work.lease, lease(&heard.db, at(1)).await.work.lease);
        let _held = heard.db.give_up(&lost, LostReason::HostLost.into(), CAPS, at(2)).await.unwrap();
        followers.remove(&runs.submission);
        places_are_told(&heard, &mut followers).await;

        followers.remove(&grade(&heard.db, at(3)).await.submission);
        places_are_told(&heard, &mut followers).await;
    }
    drop(followers);
    heard.end().await;
}

#[tokio::test]
async fn streams_end_where_a_hard_stop_comes_right_behind_the_soft_one() {
    // Which of the two the tail sees first differs from time to time.
    for _ in 0..20 {
        let heard = Heard::start().await;

        heard.tasks.stop_hard();

        let ended = tokio::time::timeout(PATIENCE, heard.feed.ending().cancelled()).await;
        assert!(ended.is_ok(), "streams do not end");
        heard.end().await;
    }
}
