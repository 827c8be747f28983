//! Containers that do not answer are not given away, and those that fall silent are lost.

use std::path::{Path, PathBuf};
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
    a_container_that_stands_still_while_a_command_runs_is_lost,
}

/// A container's agent, as its machine numbers it.
async fn agent_of(bench: &Bench, container: &str) -> String {
    let none = None::<bollard::query_parameters::InspectContainerOptions>;
    let found = bench.docker.inspect_container(container, none).await.expect("the container");
    found.state.and_then(|state| state.pid).expect("its agent").to_string()
}

/// Lets a container's agent stand still, unseen by its engine.
async fn freeze(bench: &Bench, container: &str) {
    say(Command::new("kill").args(["-STOP", &agent_of(bench, container).await]));
}

/// The file by which all of a container stands still or goes on, unseen by its engine, and what is written there for either.
async fn freezer_of(bench: &Bench, container: &str) -> (PathBuf, [&'static str; 2]) {
    let groups = format!("/proc/{}/cgroup", agent_of(bench, container).await);
    let groups = std::fs::read_to_string(groups).expect("its control groups");
    let of = |hierarchy: &str| {
        groups
            .lines()
            .find_map(|line| line.split_once(hierarchy))
            .map(|(_, path)| path.trim_start_matches('/'))
    };
    let root = Path::new("/sys/fs/cgroup");
    match of(":freezer:") {
        Some(path) => (root.join("freezer").join(path).join("freezer.state"), ["FROZEN", "THAWED"]),
        None => (root.join(of("0::").expect("a group")).join("cgroup.freeze"), ["1", "0"]),
    }
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
async fn time_in_which_its_container_stood_still_is_no_wall_time_of_a_program() {
    let bench = Bench::start().await;
    let mut container = bench.claim("python").await;
    let (freezer, [still, on]) = freezer_of(&bench, container.id().expect("a container")).await;
    container.prepare(&[SourceFile { path: "main.py".to_owned(), content: "".into() }]);
    let source = "import time\nfor _ in range(20): time.sleep(0.05)\n";
    let argv = ["/usr/bin/python3", "-c", source].map(str::to_owned);
    let limits = Limits { wall_time_ms: 3000, ..ROOMY };

    let pause = async {
        std::fs::write(&freezer, still).expect("it stands still");
        tokio::time::sleep(Duration::from_secs(4)).await;
        std::fs::write(&freezer, on).expect("it goes on");
    };
    let (ended, ()) = tokio::join!(run_exec(&mut container, exec(&argv, limits, false), b""), pause);

    let report = ended.expect("a report").report;
    assert_eq!((report.ended, report.stopped_by), (Ended::Exited(0), None), "{report:?}");
    assert!(report.wall_time_us < 3_000_000, "{report:?}");
    container.release(Isolation::Reset).await;
    bench.end().await;
}

async fn a_container_that_stands_still_while_a_command_runs_is_lost(transport: TransportKind) {
    let bench = Bench::by(transport).await;
    let mut container = bench.claim("python").await;
    let victim = container.id().expect("a container").to_owned();
    container.prepare(&[SourceFile { path: "main.py".to_owned(), content: "".into() }]);
    let argv = ["/usr/bin/python3", "-c", "import time; time.sleep(60)"].map(str::to_owned);
    let limits = Limits { wall_time_ms: 1000, ..ROOMY };

    let (freezer, [still, on]) = freezer_of(&bench, &victim).await;

    let begun = Instant::now();
    std::fs::write(&freezer, still).expect("it stands still");
    let ended = timeout(SOON, run_exec(&mut container, exec(&argv, limits, false), b"")).await;

    assert_eq!(reason(&ended.expect("an answer")), Some(LostReason::ContainerLost));
    assert!(begun.elapsed() > Duration::from_secs(5), "it had 5 seconds beyond its limit");
    // What stands still is removed only once it goes on.
    std::fs::write(&freezer, on).expect("it goes on");
    container.destroy().await;
    assert!(!bench.containers().await.contains(&victim), "it is still there");
    assert_eq!(bench.run("python", "print('next')").await.stdout, "next\n");
    bench.end().await;
}
