//! What outlives the process.

use guichet::domain::submission::StateName;
use guichet::storage::Storage as _;

use super::Fixture;
use crate::storage::factory::{
    at, event_names, get, insert, insert_all, lease, new, order, state, submission,
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
