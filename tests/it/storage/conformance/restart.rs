//! What outlives the process.

use std::time::Duration;

use guichet::domain::event::LogPlace;
use guichet::domain::sign_in::SessionId;
use guichet::domain::submission::StateName;
use guichet::storage::{LogPage, Retention, SignIns as _, Storage as _};

use super::Fixture;
use super::events::owner_log;
use super::sign_in::link;
use crate::storage::factory::{
    at, event_names, events, get, grade, insert, insert_all, lease, new, next_round, order, owner, state,
    submission,
};

fn run<T>(history: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(history)
}

pub fn everything_is_there_after_a_restart<F: Fixture>() {
    run(async {
        let fixture = F::open().await;
        insert_all(fixture.store(), vec![new("alice"), new("alice"), new("bob")], at(0)).await;
        let leased = lease(fixture.store(), at(1)).await;
        let order_before = order(fixture.store()).await;

        let fixture = fixture.reopen().await;

        let running = leased.work.submission.id;
        assert_eq!(submission(fixture.store(), running).await, leased.work.submission);
        assert_eq!(order(fixture.store()).await, order_before);
        assert_eq!(event_names(fixture.store(), running).await, ["submission.queued", "submission.started"]);
        assert_eq!(state(fixture.store(), order_before[0]).await, StateName::Queued);
    });
}

pub fn links_and_ended_sessions_are_as_they_were_after_a_restart<F: Fixture>() {
    run(async {
        let fixture = F::open().await;
        let session = SessionId::generate();
        for digest in [[1; 32], [2; 32]] {
            fixture.store().add_sign_in_link(digest, link(at(100))).await.unwrap();
        }
        fixture.store().use_sign_in_link([1; 32], at(1)).await.unwrap();
        fixture.store().end_session(session, at(100)).await.unwrap();

        let fixture = fixture.reopen().await;

        let used = async |digest| fixture.store().use_sign_in_link(digest, at(2)).await.unwrap();
        assert_eq!((used([1; 32]).await, used([2; 32]).await), (None, Some(link(at(100)))));
        assert!(fixture.store().is_session_ended(session).await.unwrap());
    });
}

pub fn the_installation_is_made_once<F: Fixture>() {
    run(async {
        let fixture = F::open().await;
        let first = fixture.store().installation().await.unwrap();

        let fixture = fixture.reopen().await;

        let second = fixture.store().installation().await.unwrap();
        assert_eq!((first.id, &first.secret), (second.id, &second.secret));
        assert_eq!(first.secret.len(), 32);
        fixture.store().check_writable().await.unwrap();
    });
}

pub fn ranks_and_tickets_go_on_after_a_restart<F: Fixture>() {
    run(async {
        let fixture = F::open().await;
        insert_all(fixture.store(), vec![new("alice"), new("alice")], at(0)).await;

        let fixture = fixture.reopen().await;

        let third = insert(fixture.store(), new("alice")).await;
        let key = get(fixture.store(), third).await.submission.state.queue_key().unwrap();
        assert_eq!((key.rank, key.ticket), (3, 3));
    });
}

pub fn logs_are_read_on_behind_each_of_their_places_after_restarts<F: Fixture>() {
    run(async {
        let fixture = F::open().await;
        let empty = fixture.store().unfinished(&owner("alice")).await.unwrap();
        let first = insert(fixture.store(), new("alice")).await;
        let snapshot = fixture.store().unfinished(&owner("alice")).await.unwrap();
        let fixture = fixture.reopen().await;
        grade(fixture.store(), at(1)).await;
        // An epoch in which nothing is written.
        let fixture = fixture.reopen().await.reopen().await;
        insert(fixture.store(), new("alice")).await;
        let (log, all) =
            (events(fixture.store(), first).await, owner_log(fixture.store(), LogPlace::Start).await);

        let fixture = fixture.reopen().await;

        let epochs: Vec<_> = all.iter().map(|event| event.epoch).collect();
        assert!(epochs[0] != epochs[1] && epochs[1] == epochs[2] && epochs[2] != epochs[3], "{epochs:?}");
        for (behind, event) in (1..).zip(&log) {
            let page = fixture.store().events_since(first, event.place(), 10).await.unwrap();
            assert_eq!(page, LogPage::Events(log[behind..].to_vec()));
        }
        for (behind, event) in (1..).zip(&all) {
            assert_eq!(owner_log(fixture.store(), event.owner_place()).await, all[behind..]);
        }
        assert_eq!(owner_log(fixture.store(), empty.end).await, all);
        assert_eq!(owner_log(fixture.store(), snapshot.end).await, all[1..]);
    });
}

pub fn a_pruned_log_is_read_on_behind_its_end_after_restarts<F: Fixture>() {
    run(async {
        let fixture = F::open().await;
        let id = insert(fixture.store(), new("alice")).await;
        grade(fixture.store(), at(1)).await;
        let log = events(fixture.store(), id).await;
        let fixture = fixture.reopen().await;
        let retention =
            Retention { submissions: Duration::from_secs(u64::MAX), events: Duration::from_hours(1) };
        fixture.store().prune(retention, at(4000)).await.unwrap();
        let end = log[2].place();
        let pruned = fixture.store().events_since(id, end, 10).await.unwrap();
        next_round(fixture.store(), id, "print(4)", at(4001)).await;

        let fixture = fixture.reopen().await;

        assert_eq!(pruned, LogPage::Events(vec![]));
        let kept = events(fixture.store(), id).await;
        assert_eq!(kept.len(), 1);
        assert_eq!(fixture.store().events_since(id, end, 10).await.unwrap(), LogPage::Events(kept.clone()));
        assert_eq!(owner_log(fixture.store(), log[2].owner_place()).await, kept);
    });
}
