//! Containers come, serve again, are replaced and go, ended by us or not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use guichet::domain::exercise::{Isolation, SourceFile};
use guichet::domain::ids::SubmissionId;
use guichet::domain::submission::LostReason;
use guichet::pool::{Container, Free, Lost, Pool, Settings, TransportKind};
use guichet_agent::{Ended, StoppedBy};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bench::{
    Bench, Done, ROOMY, SOON, by_both_ways, containers_with, exec, id, run_exec, run_in, runtimes, wait_for,
};

const SPIN: &str = "print('spinning', flush=True)\nwhile True: pass";

/// Starts `SPIN` and lets `disturb` run as soon as it spins.
async fn spin(
    container: &mut Container,
    abort: &CancellationToken,
    disturb: impl Future<Output = ()>,
) -> Result<guichet_agent::Report, Lost> {
    container.prepare(&[SourceFile { path: "main.py".to_owned(), content: SPIN.into() }]);
    let spins = Notify::new();
    let mut sink = |_stream, _bytes: &[u8]| spins.notify_one();
    let argv = ["/usr/bin/python3", "main.py"].map(str::to_owned);
    let running = container.exec(exec(&argv, ROOMY, false), b"", abort, &mut sink);
    let disturbed = async {
        spins.notified().await;
        disturb.await;
    };
    tokio::join!(running, disturbed).0
}

by_both_ways! {
    a_container_serves_again_and_holds_nothing_of_the_submission_before,
    a_running_container_killed_from_outside_is_lost_and_replaced,
    an_idle_container_killed_from_outside_is_replaced,
    an_aborted_command_ends_at_once_and_its_container_serves_on,
    a_long_input_reaches_a_program_that_reads_it_and_does_not_stop_one_that_does_not,
    a_command_that_ignores_a_long_input_can_be_aborted,
    a_flood_of_output_is_cut_at_its_limit,
}

async fn kill(bench: &Bench, container: &str) {
    bench.docker.kill_container(container, None).await.expect("a container to kill");
}

async fn a_container_serves_again_and_holds_nothing_of_the_submission_before(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let first = "
import os, subprocess, sys
for folder in ('/tmp', '/dev/shm'):
    open(folder + '/left', 'w').write('secret')
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True)
";
    bench.run("python", first).await;
    let before = bench.containers_of("python").await;

    let second = "
import os
print([sorted(os.listdir(folder)) for folder in ('/w', '.', '/tmp', '/dev/shm')])
print([pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) not in (1, os.getpid())])
";
    let done = bench.run("python", second).await;

    assert_eq!(done.stdout, "[['group', 'passwd', 'work'], ['main.py'], [], []]\n[]\n", "{}", done.stderr);
    assert_eq!(bench.containers_of("python").await, before);
    bench.end().await;
}

#[tokio::test]
async fn a_dropped_container_is_destroyed_and_replaced() {
    let bench = Bench::start().await;
    let container = bench.claim("python").await;
    let before = bench.containers_of("python").await;

    drop(container);

    let again = bench.claim("python").await;
    assert!(!bench.containers_of("python").await.contains(&before[0]), "the dropped one is still there");
    again.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn a_destroyed_container_is_gone_when_that_is_said() {
    let bench = Bench::start().await;
    let container = bench.claim("python").await;
    let before = bench.containers_of("python").await;

    container.destroy().await;

    assert!(!bench.containers_of("python").await.contains(&before[0]), "it is still there");
    bench.end().await;
}

#[tokio::test]
async fn a_fresh_container_has_served_nobody() {
    let bench = Bench::start().await;
    bench.run("python", "print(1)").await;
    let used = bench.containers_of("python").await;

    let fresh = bench.claim_for("python", Isolation::Fresh).await;

    let there = bench.containers_of("python").await;
    assert!(used.iter().all(|container| !there.contains(container)), "{used:?} {there:?}");
    fresh.release(Isolation::Fresh).await;
    bench.end().await;
}

#[tokio::test]
async fn who_reserves_first_is_served_first_and_what_is_reserved_is_not_free() {
    let bench = Bench::start().await;
    let running = bench.claim("python").await;
    let first = bench
        .pool
        .reserve(SubmissionId::generate(), &id("python"), None, Isolation::Fresh)
        .await
        .expect("the pool goes on");
    let mut second = Box::pin(bench.claim("python"));

    assert!((&mut second).now_or_never().is_none());
    running.release(Isolation::Reset).await;

    let container =
        tokio::time::timeout(SOON, first.container()).await.expect("in time").expect("a container");
    assert_eq!(bench.pool.free().borrow().free, 0);
    assert!((&mut second).now_or_never().is_none(), "two submissions in one slot");
    container.release(Isolation::Fresh).await;
    second.await.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn a_reservation_that_is_given_up_blocks_nobody() {
    let bench = Bench::start().await;
    let running = bench.claim("python").await;
    drop(
        bench
            .pool
            .reserve(SubmissionId::generate(), &id("python"), None, Isolation::Reset)
            .await
            .expect("the pool goes on"),
    );

    running.release(Isolation::Reset).await;

    bench.claim("python").await.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn a_fresh_container_serves_one_submission() {
    let bench = Bench::start().await;
    let mut container = bench.claim("python").await;
    run_in(&mut container, "python", "print(1)", ROOMY).await.expect("a report");
    let before = bench.containers_of("python").await;

    container.release(Isolation::Fresh).await;

    let again = bench.claim("python").await;
    assert!(!bench.containers_of("python").await.contains(&before[0]), "it served twice");
    again.release(Isolation::Reset).await;
    bench.end().await;
}

async fn a_running_container_killed_from_outside_is_lost_and_replaced(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    let victim = bench.containers_of("python").await.remove(0);

    let ended = spin(&mut container, &CancellationToken::new(), kill(&bench, &victim)).await;

    assert_eq!(ended.expect_err("no report").reason, LostReason::ContainerLost);
    container.release(Isolation::Reset).await;
    assert_eq!(bench.run("python", "print('next')").await.stdout, "next\n");
    bench.end().await;
}

async fn an_idle_container_killed_from_outside_is_replaced(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    bench.claim("python").await.release(Isolation::Reset).await;
    let victim = bench.containers_of("python").await.remove(0);

    kill(&bench, &victim).await;

    let replacement = wait_for("other container", Duration::from_mins(1), async || {
        bench.containers_of("python").await.into_iter().find(|id| *id != victim)
    });
    replacement.await;
    assert_eq!(bench.run("python", "print('next')").await.stdout, "next\n");
    bench.end().await;
}

async fn an_aborted_command_ends_at_once_and_its_container_serves_on(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    let before = bench.containers_of("python").await;
    let abort = CancellationToken::new();

    let ended = spin(&mut container, &abort, async { abort.cancel() }).await;

    let report = ended.expect("a report");
    assert_eq!(report.stopped_by, Some(StoppedBy::Abort));
    assert!(report.wall_time_us < 5_000_000, "{report:?}");
    container.release(Isolation::Reset).await;
    assert_eq!(bench.run("python", "print('next')").await.stdout, "next\n");
    assert_eq!(bench.containers_of("python").await, before);
    bench.end().await;
}

async fn a_long_input_reaches_a_program_that_reads_it_and_does_not_stop_one_that_does_not(
    transport: TransportKind,
) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    let input = vec![b'x'; 5 << 20];
    let run = async |container: &mut Container, source: &str| -> Done {
        let argv = ["/usr/bin/python3", "-c", source].map(str::to_owned);
        run_exec(container, exec(&argv, ROOMY, false), &input).await.expect("a report")
    };
    container.prepare(&[]);

    let reader = run(&mut container, "import sys; print(len(sys.stdin.read()))").await;
    let idler = run(&mut container, "print('not interested')").await;
    let after = run(&mut container, "import sys; print(len(sys.stdin.read()))").await;

    assert_eq!(reader.stdout, "5242880\n");
    assert_eq!(idler.stdout, "not interested\n");
    assert_eq!(after.stdout, "5242880\n");
    container.release(Isolation::Reset).await;
    bench.end().await;
}

async fn a_command_that_ignores_a_long_input_can_be_aborted(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    container.prepare(&[]);
    let abort = CancellationToken::new();
    let argv = ["/usr/bin/python3", "-c", "print(1, flush=True)\nwhile True: pass"].map(str::to_owned);
    let mut sink = |_stream, _bytes: &[u8]| abort.cancel();

    let ended = container.exec(exec(&argv, ROOMY, false), &vec![b'x'; 8 << 20], &abort, &mut sink).await;

    assert_eq!(ended.expect("a report").stopped_by, Some(StoppedBy::Abort));
    container.release(Isolation::Reset).await;
    bench.end().await;
}

async fn a_flood_of_output_is_cut_at_its_limit(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    let limits = guichet_agent::Limits { output_bytes: 1 << 20, ..ROOMY };

    let source = "import os\nwhile True: os.write(1, b'x' * 65536)";
    let done = run_in(&mut container, "python", source, limits).await.expect("a report");

    assert_eq!(done.report.stopped_by, Some(StoppedBy::Output));
    assert!(done.stdout.len() <= 1 << 20, "{}", done.stdout.len());
    container.release(Isolation::Reset).await;
    bench.end().await;
}

#[tokio::test]
async fn slots_run_side_by_side_and_are_counted() {
    let bench = Bench::with(Settings { slots: Some(2), warm_per_runtime: 2, ..Bench::settings() }).await;
    let mut one = bench.claim("python").await;
    let mut other = bench.claim("python").await;
    let mut free = bench.pool.free();
    let taken = free.wait_for(|free| free.free == 0).await.expect("the pool goes on").clone();
    assert_eq!(taken, Free { total: 2, free: 0, runtimes: BTreeSet::new(), ..taken.clone() });
    let third = bench
        .pool
        .reserve(SubmissionId::generate(), &id("c"), None, Isolation::Reset)
        .await
        .expect("the pool goes on");
    assert!(third.container().now_or_never().is_none(), "a third submission in two slots");

    let (a, b) = tokio::join!(
        run_in(&mut one, "python", "print('a')", ROOMY),
        run_in(&mut other, "python", "print('b')", ROOMY)
    );

    assert_eq!((a.expect("a report").stdout, b.expect("a report").stdout), ("a\n".into(), "b\n".into()));
    one.release(Isolation::Reset).await;
    other.release(Isolation::Reset).await;
    free.wait_for(|free| free.free == 2).await.expect("the pool goes on");
    bench.end().await;
}

#[tokio::test]
async fn a_runtime_without_image_is_not_ready_and_does_not_hinder_others() {
    let settings = Bench::settings();
    let mut languages = runtimes();
    languages.get_mut(&id("c")).expect("c").image = "guichet-nowhere:1".to_owned();
    let tasks = TaskTracker::new();
    let pool = Pool::start(settings, Arc::new(languages), &tasks, CancellationToken::new());
    let mut free = pool.free();

    tokio::time::timeout(SOON, free.wait_for(|free| free.runtimes.contains(&id("python"))))
        .await
        .expect("a container of python")
        .expect("the pool goes on");

    assert_eq!(pool.hindrance(&id("python")), None);
    assert!(pool.hindrance(&id("c")).is_some());
    pool.shutdown().await;
}

/// Our process dies without a word: the connections end, and with them the containers.
#[test]
fn containers_of_a_killed_process_vanish_by_themselves() {
    kill_the_process_that_has(Bench::settings_by(TransportKind::Socket));
}

#[test]
fn containers_of_a_killed_process_that_spoke_through_the_engine_vanish_by_themselves() {
    kill_the_process_that_has(Bench::settings_by(TransportKind::Attach));
}

fn kill_the_process_that_has(settings: Settings) {
    let label = format!("guichet.installation={}", settings.installation);
    let doomed = tokio::runtime::Runtime::new().expect("a runtime");
    let spins = Arc::new(Notify::new());
    let tell = Arc::clone(&spins);
    let life = async move {
        let bench = Bench::with(settings).await;
        let mut container = bench.claim("python").await;
        let never = CancellationToken::new();
        let disturb = async {
            tell.notify_one();
            std::future::pending::<()>().await;
        };
        let ended = spin(&mut container, &never, disturb).await;
        panic!("{ended:?}");
    };
    TaskTracker::new().spawn_on(life, doomed.handle());
    doomed.block_on(spins.notified());

    doomed.shutdown_background();

    let survivor = tokio::runtime::Runtime::new().expect("a runtime");
    survivor.block_on(async {
        let bench = Bench::start().await;
        wait_for("end of the containers", Duration::from_mins(1), async || {
            containers_with(&bench.docker, &label).await.is_empty().then_some(())
        })
        .await;
        bench.end().await;
    });
}

#[tokio::test]
async fn a_program_ends_by_its_exit_code_after_many_others_in_the_same_container() {
    let bench = Bench::start().await;
    let mut container = bench.claim("python").await;
    container.prepare(&[]);

    for code in 0..20 {
        let argv = ["/usr/bin/python3", "-c", &format!("exit({code})")].map(str::to_owned);
        let done = run_exec(&mut container, exec(&argv, ROOMY, false), b"").await.expect("a report");
        assert_eq!(done.report.ended, Ended::Exited(code));
    }

    container.release(Isolation::Reset).await;
    bench.end().await;
}
