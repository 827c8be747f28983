//! More slots than cores: who comes beyond them waits for his turn on one.

use std::time::Duration;

use futures_util::FutureExt as _;
use guichet::domain::exercise::Isolation;
use guichet::pool::{Container, Settings};
use tokio::time::timeout;

use super::bench::{Bench, SOON, id};

/// Time that the pool gives a reservation for which it has no container.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool with a slot more than the engine has cores, and a container on each core.
async fn crowded() -> (Bench, Vec<Container>) {
    let engine = super::hosts::connect(&super::bench::shared_engine());
    let cores = engine.info().await.expect("an engine").ncpu.expect("a number of cores");
    let cores = usize::try_from(cores).expect("a number of cores");
    let settings = Settings { slots: Some(cores + 1), warm_per_runtime: cores + 1, ..Bench::settings() };
    let bench = Bench::of_one("python", settings);
    let mut held = Vec::new();
    for _ in 0..cores {
        held.push(bench.claim("python").await);
    }
    let mut free = bench.pool.free();
    let crowded = free.wait_for(|free| free.free == 1).await.expect("the pool goes on").clone();
    assert_eq!((crowded.total, crowded.at_once), (cores + 1, cores));
    (bench, held)
}

/// Whoever waits gets the core of one of `held`, as soon as that is released.
async fn gets_the_core_that_becomes_idle(
    next: impl Future<Output = Option<Container>>,
    mut held: Vec<Container>,
) {
    held.remove(0).release(Isolation::Reset).await;
    let next = timeout(SOON, next).await.expect("an idle core").expect("the pool goes on");
    next.release(Isolation::Reset).await;
}

#[tokio::test]
async fn a_slot_beyond_the_cores_is_promised_for_a_last_command_and_given_when_it_has_ended() {
    let (bench, held) = crowded().await;
    let mut free = bench.pool.free();
    assert!(free.borrow().runtimes.is_empty(), "a promise while more commands may follow");

    held[0].last_command_follows();
    timeout(SOON, free.wait_for(|free| free.runtimes.contains(&id("python"))))
        .await
        .expect("a promise")
        .expect("the pool goes on");
    let next = bench.pool.reserve(&id("python"), Isolation::Reset).await.expect("the pool goes on");
    let mut next = Box::pin(next.container());

    assert!(free.borrow().runtimes.is_empty(), "a promise that was taken");
    assert!(next.as_mut().now_or_never().is_none(), "two submissions on one core");
    gets_the_core_that_becomes_idle(next, held).await;
    bench.end().await;
}

#[tokio::test]
async fn whoever_waits_for_a_core_waits_as_long_as_it_takes() {
    let (bench, held) = crowded().await;
    let next = bench.pool.reserve(&id("python"), Isolation::Reset).await.expect("the pool goes on");
    let mut next = Box::pin(next.container());

    let waited = timeout(PATIENCE + Duration::from_secs(2), next.as_mut()).await;

    assert!(waited.is_err(), "{waited:?}");
    gets_the_core_that_becomes_idle(next, held).await;
    bench.end().await;
}

#[tokio::test]
async fn whoever_waits_for_a_container_that_does_not_come_hears_of_it() {
    let bench = Bench::start().await;
    let held = bench.claim("python").await;
    let next = bench.pool.reserve(&id("python"), Isolation::Reset).await.expect("the pool goes on");

    let given = timeout(PATIENCE + SOON, next.container()).await.expect("an answer");

    assert!(given.is_none(), "{given:?}");
    held.release(Isolation::Reset).await;
    bench.end().await;
}
