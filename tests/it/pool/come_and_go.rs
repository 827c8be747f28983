//! Hosts that are added and removed while the pool goes on.

use std::num::NonZeroU32;
use std::time::Duration;

use guichet::domain::exercise::Isolation;
use guichet::domain::host::{HostSettings, HostUpdate};
use guichet::domain::ids::SubmissionId;
use guichet::domain::submission::LostReason;
use guichet::pool::Settings;
use guichet_agent::Limits;

use super::bench::{Bench, ROOMY, SOON, hosts, id, reason, run_in, shared_engine, wait_for};
use super::hosts::connect;

const SPIN: &str = "while True: pass";
const LONG: Limits = Limits { cpu_time_ms: 60_000, wall_time_ms: 60_000, ..ROOMY };

/// A pool without hosts, and one that it may get.
fn bench_without_hosts() -> (Bench, HostSettings) {
    let settings = Settings { hosts: Vec::new(), ..Bench::settings() };
    let [host] = hosts([shared_engine()]).try_into().expect("one host");
    (Bench::over(connect(&host.url), settings), host)
}

#[tokio::test]
async fn a_host_that_is_added_serves_and_one_that_is_removed_is_left_empty() {
    let (bench, host) = bench_without_hosts();
    assert!(bench.pool.hosts().await.expect("a pool").is_empty());

    bench.pool.add_host(host.clone()).await;

    // What is reserved now is served when the host is there.
    assert_eq!(bench.run("python", "print('here')").await.stdout, "here\n");
    bench.pool.remove_host(&host.name).await;
    assert!(bench.pool.hosts().await.expect("a pool").is_empty());
    assert_eq!(bench.pool.free().borrow().total, 0);
    wait_for("an empty host", SOON, async || bench.containers().await.is_empty().then_some(())).await;
    bench.pool.add_host(host).await;
    assert_eq!(bench.run("python", "print('again')").await.stdout, "again\n");
    bench.end().await;
}

#[tokio::test]
async fn what_runs_on_a_host_that_is_removed_is_given_up_at_once_and_has_not_failed() {
    let (bench, host) = bench_without_hosts();
    bench.pool.add_host(host.clone()).await;
    let mut container = bench.claim("python").await;

    let (ended, ()) = tokio::join!(run_in(&mut container, "python", SPIN, LONG), async {
        wait_for("the run", SOON, async || {
            let hosts = bench.pool.hosts().await.expect("a pool");
            (hosts[0].submissions.running == 1).then_some(())
        })
        .await;
        bench.pool.remove_host(&host.name).await;
    });

    assert_eq!(reason(&ended), Some(LostReason::HostLost));
    assert_eq!(container.interrupted(), Some(LostReason::HostLost));
    container.destroy().await;
    wait_for("an empty host", SOON, async || bench.containers().await.is_empty().then_some(())).await;
    bench.end().await;
}

#[tokio::test]
async fn an_engine_that_is_added_under_a_second_name_keeps_what_runs_under_the_first() {
    let (bench, host) = bench_without_hosts();
    bench.pool.add_host(host.clone()).await;
    let mut container = bench.claim("python").await;
    let other_name = "again".parse().expect("a name");
    let other_url = host.url.replacen("unix://", "unix:///.", 1);
    let again = HostSettings { name: other_name, url: other_url, ..host };

    bench.pool.add_host(again).await;
    wait_for("the second name", SOON, async || {
        let hosts = bench.pool.hosts().await.expect("a pool");
        hosts.iter().all(|host| host.slots.total > 0).then_some(())
    })
    .await;
    let ended = run_in(&mut container, "python", "print('still here')", ROOMY).await;

    assert_eq!(reason(&ended), None, "{ended:?}");
    container.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn a_host_that_is_removed_while_its_containers_start_and_added_again_is_served_by_new_ones() {
    let (bench, host) = bench_without_hosts();
    bench.pool.add_host(host.clone()).await;
    wait_for("containers", SOON, async || (!bench.containers().await.is_empty()).then_some(())).await;
    let earlier = bench.containers().await;

    bench.pool.remove_host(&host.name).await;
    bench.pool.add_host(host).await;

    assert_eq!(bench.run("python", "print('again')").await.stdout, "again\n");
    wait_for("the end of the first containers", SOON, async || {
        let now = bench.containers().await;
        earlier.iter().all(|id| !now.contains(id)).then_some(())
    })
    .await;
    assert_eq!(bench.run("python", "print('still')").await.stdout, "still\n");
    bench.end().await;
}

#[tokio::test]
async fn what_waits_for_a_slot_that_goes_is_told_at_once() {
    let (bench, host) = bench_without_hosts();
    bench.pool.add_host(HostSettings { slots: NonZeroU32::new(2), ..host.clone() }).await;
    let both = [bench.claim("python").await, bench.claim("python").await];
    let waits = bench
        .pool
        .reserve(SubmissionId::generate(), &id("python"), None, Isolation::Reset)
        .await
        .expect("a pool");

    let change = HostUpdate { mode: None, slots: Some(NonZeroU32::new(1)) };
    bench.pool.update_host(&host.name, change).await;

    let told = tokio::time::timeout(Duration::from_secs(3), waits.container()).await;
    assert!(told.expect("an answer, long before ten seconds").is_none());
    let shown = bench.pool.hosts().await.expect("a pool");
    assert_eq!((shown[0].slots.total, shown[0].slots.busy), (2, 2));
    for container in both {
        container.release(Isolation::Reset).await;
    }
    wait_for("the slot's end", SOON, async || {
        let shown = bench.pool.hosts().await.expect("a pool");
        (shown[0].slots.total == 1).then_some(())
    })
    .await;
    bench.end().await;
}
