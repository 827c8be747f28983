//! What followers hear though hints are lost, or the database can't be read for a while.

use std::sync::Arc;

use guichet::feed::{Follow, Follower, LogEntry, Notice, Resume};
use guichet::storage::Error;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::{Heard, PATIENCE, next, next_event};
use crate::storage::factory::{at, draft, insert, insert_all, new};

impl Heard {
    /// Another process takes the table of events away, or brings it back.
    async fn rename(&self, statement: &'static str) {
        let mut other = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        sqlx::query(statement).execute(&mut other).await.unwrap();
    }

    async fn take_events_away(&self) {
        self.rename("ALTER TABLE events RENAME TO away").await;
    }

    async fn bring_events_back(&self) {
        self.rename("ALTER TABLE away RENAME TO events").await;
    }
}

/// So many events of a follower's log.
async fn take(follower: &mut Follower, count: usize) -> Vec<Arc<LogEntry>> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let event = tokio::time::timeout(PATIENCE, next_event(follower)).await.expect("nothing was told");
        taken.push(event.expect("the log goes on"));
    }
    taken
}

#[tokio::test]
async fn a_stream_ends_though_the_hint_of_its_round_s_end_was_lost() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, new("alice")).await;
    let mut follower = heard.follow_queued(id).await;

    heard.end_unheard(id).await;

    assert_eq!(take(&mut follower, 1).await[0].seq, 2);
    assert_eq!(next(&mut follower).await, None);
    heard.end().await;
}

#[tokio::test]
async fn a_wait_and_a_stream_hear_of_an_end_whose_hint_was_lost_while_others_end_too() {
    let heard = Heard::start().await;
    let [mine, other] = [insert(&heard.db, new("alice")).await, insert(&heard.db, new("bob")).await];
    let mut follower = heard.follow_queued(mine).await;
    let mut ended = Box::pin(heard.feed.waiter(mine).ended());
    assert!(futures_util::poll!(ended.as_mut()).is_pending());

    heard.end_unheard(other).await;
    heard.end_unheard(mine).await;

    let placed = tokio::time::timeout(PATIENCE, ended).await.expect("nothing was heard").unwrap().unwrap();
    assert!(placed.submission.state.is_ended());
    while let Some(notice) = next(&mut follower).await {
        assert!(matches!(notice, Notice::Event(_) | Notice::Position(_)), "{notice:?}");
    }
    heard.end().await;
}

#[tokio::test]
async fn a_stream_of_a_draft_that_went_unheard_ends() {
    let heard = Heard::start().await;
    let [gone, kept] = [insert(&heard.db, draft("alice")).await, insert(&heard.db, draft("alice")).await];
    let mut of_gone = heard.follow(gone).await;
    let mut of_kept = heard.follow(kept).await;
    for follower in [&mut of_gone, &mut of_kept] {
        assert!(futures_util::poll!(Box::pin(follower.next())).is_pending());
    }

    heard.write_unheard("DELETE FROM submissions WHERE id = ?1", gone).await;

    assert_eq!(next(&mut of_gone).await, None);
    assert!(futures_util::poll!(Box::pin(of_kept.next())).is_pending());
    drop(of_kept);
    heard.end().await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_for_a_while_is_told_once_it_can() {
    let heard = Heard::start().await;
    let mut of_owner = heard.feed.follow_owner(&"alice".parse().unwrap(), Resume::Start);
    let Some(Notice::Snapshot { end, .. }) = next(&mut of_owner).await else { panic!("no snapshot") };
    insert_all(&heard.db, (0..40).map(|_| new("alice")).collect(), at(0)).await;
    let mut replays = heard.feed.follow_owner(&"alice".parse().unwrap(), Resume::After(end));
    // A page was read, and the next one is to be.
    take(&mut replays, 16).await;

    heard.take_events_away().await;
    let mut rest = Box::pin(take(&mut replays, 24));
    let failed = tokio::time::timeout(std::time::Duration::from_secs(2), rest.as_mut()).await;
    heard.bring_events_back().await;

    assert!(failed.is_err(), "it was told something: {failed:?}");
    let rest: Vec<_> = rest.await.iter().map(|event| event.owner_seq).collect();
    assert_eq!(rest, (17..=40).collect::<Vec<_>>());
    drop((of_owner, replays));
    heard.end().await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_at_all_ends_in_a_fault_and_goes_on_where_it_was_when_asked_again() {
    let heard = Heard::start().await;
    let id = insert(&heard.db, new("alice")).await;
    let Follow::Live(mut follower) = heard.feed.follow(id, Resume::Unreadable).await.unwrap() else {
        panic!("it is queued")
    };
    assert_eq!(next(&mut follower).await, Some(Notice::Reset));

    heard.take_events_away().await;
    let fault = tokio::time::timeout(PATIENCE * 3, follower.next()).await.expect("patience has a bound");
    heard.bring_events_back().await;

    assert!(matches!(fault, Err(Error::Unavailable(_))), "{fault:?}");
    assert_eq!(take(&mut follower, 1).await[0].seq, 1);
    drop(follower);
    heard.end().await;
}
