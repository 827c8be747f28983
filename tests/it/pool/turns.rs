//! A slot has a core of its own, who waits for a container that does not come hears of it, and each serves for a while.

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::FutureExt as _;
use guichet::domain::exercise::Isolation;
use guichet::domain::ids::SubmissionId;
use guichet::pool::Settings;
use tokio::time::timeout;

use super::bench::{Bench, SOON, id};

/// Time that the pool gives a reservation for which it has no container.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn there_are_no_more_slots_than_cores_and_who_comes_beyond_them_is_promised_nothing() {
    let engine = super::hosts::connect(&super::bench::shared_engine());
    let cores = engine.info().await.expect("an engine").ncpu.expect("a number of cores");
    let cores = usize::try_from(cores).expect("a number of cores");
    let settings = Settings { slots: Some(cores + 1), warm_per_runtime: cores + 1, ..Bench::settings() };
    let bench = Bench::of_one("python", settings);
    let mut held = Vec::new();
    for _ in 0..cores {
        held.push(bench.claim("python").await);
    }

    let free = bench.pool.free().borrow().clone();
    let next = bench
        .pool
        .reserve(SubmissionId::generate(), &id("python"), None, Isolation::Reset)
        .await
        .expect("the pool goes on");
    let mut next = Box::pin(next.container());

    assert_eq!((free.total, free.free, free.runtimes.len()), (cores, 0, 0));
    assert!(next.as_mut().now_or_never().is_none(), "two submissions on one core");
    held.remove(0).release(Isolation::Reset).await;
    let next = timeout(SOON, next).await.expect("an idle core").expect("the pool goes on");
    next.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn a_wait_for_a_container_that_does_not_come_ends_with_the_reason() {
    let bench = Bench::start().await;
    let held = bench.claim("python").await;
    let next = bench
        .pool
        .reserve(SubmissionId::generate(), &id("python"), None, Isolation::Reset)
        .await
        .expect("the pool goes on");

    let given = timeout(PATIENCE + SOON, next.container()).await.expect("an answer");

    assert!(given.is_none(), "{given:?}");
    held.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn a_container_serves_as_many_submissions_as_are_set() {
    let two = NonZeroU32::new(2).expect("a number");
    let bench = Bench::with(Settings { submissions_per_container: two, ..Bench::settings() }).await;
    let mut served = Vec::new();

    for _ in 0..4 {
        let container = bench.claim("python").await;
        served.push(container.id().expect("a container").to_owned());
        container.release(Isolation::Reset).await;
    }

    assert_eq!((&served[0], &served[2]), (&served[1], &served[3]));
    assert_ne!(served[1], served[2]);
    bench.end().await;
}
