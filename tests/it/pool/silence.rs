//! Containers that do not answer are not given away, and those that fall silent are lost.

use std::process::Command;
use std::time::Duration;

use guichet::domain::exercise::{Isolation, SourceFile};
use guichet::domain::submission::LostReason;
use guichet::pool::TransportKind;
use guichet_agent::{Ended, Limits};
use tokio::time::{Instant, timeout};

use super::bench::{Bench, ROOMY, SOON, by_both_ways, exec, reason, run_exec, wait_for};
use crate::support::engine::say;

by_both_ways! {
    an_idle_container_that_is_paused_is_replaced,
    an_idle_container_whose_agent_stands_still_is_replaced_by_who_would_have_got_it,
    a_container_that_is_paused_while_a_command_runs_is_lost,
}

/// Lets a container's agent stand still, unseen by its engine.
async fn freeze(bench: &Bench, container: &str) {
    let none = None::<bollard::query_parameters::InspectContainerOptions>;
    let found = bench.docker.inspect_container(container, none).await.expect("the container");
    let pid = found.state.and_then(|state| state.pid).expect("its agent");
    say(Command::new("kill").args(["-STOP", &pid.to_string()]));
}

async fn an_idle_container_that_is_paused_is_replaced(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let victim = bench.containers_of("python").await.remove(0);

    bench.docker.pause_container(&victim).await.expect("it is paused");

    wait_for("another container", SOON, async || {
        bench.containers_of("python").await.into_iter().find(|id| *id != victim)
    })
    .await;
    assert_eq!(bench.run("python", "print('next')").await.stdout, "next\n");
    bench.end().await;
}

async fn an_idle_container_whose_agent_stands_still_is_replaced_by_who_would_have_got_it(
    transport: TransportKind,
) {
    let bench = Bench::by(transport).await;
    let victim = bench.containers_of("python").await.remove(0);
    freeze(&bench, &victim).await;
    // What answered a moment ago is not asked.
    tokio::time::sleep(Duration::from_millis(100)).await;

    let container = bench.claim("python").await;

    assert_ne!(container.id(), Some(victim.as_str()));
    container.release(Isolation::Reset).await;
    assert!(!bench.containers_of("python").await.contains(&victim), "it is still there");
    bench.end().await;
}

#[tokio::test]
async fn time_in_which_its_container_was_paused_is_no_wall_time_of_a_program() {
    let bench = Bench::start().await;
    let mut container = bench.claim("python").await;
    let paused = container.id().expect("a container").to_owned();
    container.prepare(&[SourceFile { path: "main.py".to_owned(), content: "".into() }]);
    let source = "import time\nfor _ in range(20): time.sleep(0.05)\n";
    let argv = ["/usr/bin/python3", "-c", source].map(str::to_owned);
    let limits = Limits { wall_time_ms: 3000, ..ROOMY };

    let pause = async {
        bench.docker.pause_container(&paused).await.expect("it is paused");
        tokio::time::sleep(Duration::from_secs(4)).await;
        bench.docker.unpause_container(&paused).await.expect("it goes on");
    };
    let (ended, ()) = tokio::join!(run_exec(&mut container, exec(&argv, limits, false), b""), pause);

    let report = ended.expect("a report").report;
    assert_eq!((report.ended, report.stopped_by), (Ended::Exited(0), None), "{report:?}");
    assert!(report.wall_time_us < 3_000_000, "{report:?}");
    container.release(Isolation::Reset).await;
    bench.end().await;
}

async fn a_container_that_is_paused_while_a_command_runs_is_lost(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    let victim = container.id().expect("a container").to_owned();
    container.prepare(&[SourceFile { path: "main.py".to_owned(), content: "".into() }]);
    let argv = ["/usr/bin/python3", "-c", "import time; time.sleep(60)"].map(str::to_owned);
    let limits = Limits { wall_time_ms: 1000, ..ROOMY };

    let begun = Instant::now();
    let (ended, paused) = tokio::join!(
        timeout(SOON, run_exec(&mut container, exec(&argv, limits, false), b"")),
        bench.docker.pause_container(&victim)
    );

    paused.expect("it is paused");
    assert_eq!(reason(&ended.expect("an answer")), Some(LostReason::ContainerLost));
    assert!(begun.elapsed() > Duration::from_secs(5), "it had 5 seconds beyond its limit");
    container.destroy().await;
    assert!(!bench.containers().await.contains(&victim), "it is still there");
    assert_eq!(bench.run("python", "print('next')").await.stdout, "next\n");
    bench.end().await;
}
