//! Hosts get the images that they lack from hosts that have them, on real engines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::images::SmallRuntime;
use crate::pool::hosts::OwnEngine;
use crate::support::client::Client;
use crate::support::engine::{Engine, ground, root};
use crate::support::{Options, Program, TestGuichet, exercises, programs, wait_for};

/// Longest time for what takes an engine some work.
const IN_TIME: Duration = Duration::from_mins(3);

/// Size of an image that would be noticed in memory.
const LARGE: u64 = 400 << 20;

async fn host(admin: &Client, name: &str) -> Value {
    admin.get(&format!("/v1/hosts/{name}")).await.expect(200)
}

/// What is told of a runtime's image on a host.
fn image(host: &Value, runtime: &str) -> Value {
    let all = host["runtimes"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["id"] == runtime).unwrap_or_default()
}

async fn wait_for_host(admin: &Client, name: &str, what: &str, ready: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, IN_TIME, || host(admin, name), ready).await
}

async fn set_mode(admin: &Client, host: &str, mode: &str) {
    admin.patch(&format!("/v1/hosts/{host}"), &json!({ "mode": mode })).await.expect(200);
}

/// The bytes of images that a host got, as the metrics have it.
async fn moved_bytes(admin: &Client, host: &str) -> u64 {
    let text = admin.get("/metrics").await.text;
    let name = format!("guichet_image_bytes_moved_total{{host=\"{host}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

/// Peak memory of the service.
fn peak_bytes(guichet: &TestGuichet) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", guichet.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// A service on two engines, the second of which has no images and is not there yet; with a run of so many seconds on the
/// first.
async fn busy_with_an_engine_to_come(seconds: f64) -> (TestGuichet, OwnEngine, String) {
    let second = OwnEngine::empty().await;
    second.end("-TERM").await;
    let both = format!("{},{}", ground().docker_host, second.address());
    let guichet = Options::default().slots(1).env("GUICHET_DOCKER_HOSTS", &both).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let long = guichet.student("alice").submit("patient", &programs::sleep_then_sum(seconds)).await;
    wait_for_host(&guichet.admin(), "host-1", "a run", |host| host["submissions"]["running"] == 1).await;
    (guichet, second, long)
}

#[tokio::test]
async fn a_host_without_images_gets_them_beside_running_work_with_progress_one_at_a_time_and_grades() {
    let (guichet, second, long) = busy_with_an_engine_to_come(45.0).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    second.up().await;

    let mut seen: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let is_ready = |host: &Value| ["c", "python"].iter().all(|id| image(host, id)["image"] == "ready");
    loop {
        let now = host(&admin, "host-2").await;
        let all = now["runtimes"].as_array().cloned().unwrap_or_default();
        let copying: Vec<_> = all.iter().filter(|one| one["image"] == "copying").collect();
        assert!(copying.len() <= 1, "two copies at a time: {now}");
        for one in copying {
            let progress = one["progress"].as_f64().expect("progress");
            seen.entry(one["id"].to_string()).or_default().push(progress);
        }
        if is_ready(&now) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    assert_eq!(seen.len(), 2, "{seen:?}");
    for progress in seen.values() {
        assert!(progress.is_sorted() && progress.iter().all(|part| (0.0..=1.0).contains(part)), "{seen:?}");
        assert!(progress.iter().any(|part| *part > 0.0 && *part < 1.0), "{seen:?}");
    }
    assert!(moved_bytes(&admin, "host-2").await > 200_000_000, "{}", moved_bytes(&admin, "host-2").await);
    assert_eq!(moved_bytes(&admin, "host-1").await, 0);
    let id_on = |address: &str| Engine::at(address).ask(&["inspect", "-f", "{{.Id}}", "guichet-c:2"]);
    assert_eq!(id_on(&second.address()), id_on(&ground().docker_host));

    set_mode(&admin, "host-1", "cordoned").await;
    for program in [programs::c_sum(), programs::python_sum()] {
        assert_eq!(alice.grade("patient", &program).await["verdict"], "accepted");
    }
    wait_for_host(&admin, "host-2", "both ends", |host| host["submissions"]["ended"] == 2).await;
    assert_eq!(alice.ended(&long).await["attempt"], 1);
}

#[tokio::test]
async fn an_image_whose_source_dies_meanwhile_comes_when_the_source_is_back() {
    let source = OwnEngine::start(&[]).await;
    let target = OwnEngine::empty().await;
    target.end("-TERM").await;
    let both = format!("{},{}", source.address(), target.address());
    let options = Options::default().slots(1).docker_host(&source.address());
    let guichet = options.env("GUICHET_DOCKER_HOSTS", &both).start().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let long = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    wait_for_host(&admin, "host-1", "a run", |host| host["submissions"]["running"] == 1).await;
    target.up().await;
    let is_on_its_way =
        |host: &Value| image(host, "python")["progress"].as_f64().is_some_and(|part| part > 0.05);
    wait_for_host(&admin, "host-2", "a copy", is_on_its_way).await;

    source.end("-KILL").await;

    let failed =
        wait_for_host(&admin, "host-2", "the copy's end", |host| image(host, "python")["image"] == "missing")
            .await;
    assert_eq!(failed["last_error"]["code"], "image", "{failed}");
    assert_eq!(failed["state"], "healthy");
    assert_eq!(Engine::at(&target.address()).ask(&["images", "-q"]), "", "half an image");
    source.up().await;
    wait_for_host(&admin, "host-2", "the image", |host| image(host, "python")["image"] == "ready").await;
    alice.cancel(&long).await;
    alice.ended(&long).await;
}

#[tokio::test]
async fn a_large_image_costs_no_memory_on_its_way() {
    let shared = Engine::at(&ground().docker_host);
    let tag = format!("guichet-large:{}", uuid::Uuid::new_v4().simple());
    let fill = format!("open('/usr/filler', 'wb').truncate({LARGE})");
    shared.build(&tag, &format!("FROM guichet-python:2\nRUN [\"/usr/bin/python3\", \"-c\", \"{fill}\"]\n"));
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(root().join("runtimes/python/runtime.toml")).expect("a runtime");
    let (text, _recipe) = text.split_once("[build]").expect("a recipe");
    std::fs::create_dir_all(folder.path().join("python")).expect("a folder");
    std::fs::write(folder.path().join("python/runtime.toml"), text.replace("guichet-python:2", &tag))
        .expect("a file");
    let second = OwnEngine::empty().await;
    second.end("-TERM").await;
    let both = format!("{},{}", ground().docker_host, second.address());
    let options = Options::default().slots(1).env("GUICHET_DOCKER_HOSTS", &both);
    let runtimes = folder.path().to_string_lossy();
    let guichet = options.env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes).start().await;
    let admin = guichet.admin();
    let is_warm = |host: &Value| image(host, "python")["warm"] == 1;
    wait_for_host(&admin, "host-1", "a warm container", is_warm).await;
    let before = peak_bytes(&guichet);

    second.up().await;
    wait_for_host(&admin, "host-2", "a warm container", is_warm).await;

    let grown = peak_bytes(&guichet).saturating_sub(before);
    let moved = moved_bytes(&admin, "host-2").await;
    assert!(moved > 400_000_000, "{moved}");
    assert!(grown < 48 << 20, "{} MiB for {moved} bytes", grown >> 20);
    drop(guichet);
    shared.ask(&["rmi", "-f", &tag]);
}

#[tokio::test]
async fn an_image_made_anew_replaces_the_old_one_on_all_hosts_and_ends_no_run() {
    const PROBE: &str = "[\"/bin/busybox\", \"true\"]";
    let small = SmallRuntime::new(PROBE);
    let second = OwnEngine::empty().await;
    let (one, other) = (Engine::at(&ground().docker_host), Engine::at(&second.address()));
    let both = format!("{},{}", ground().docker_host, second.address());
    assert!(small.command_on(&both, &["build"]).status.success());
    let old = small.image_on(&one).expect("an image");
    let runtimes = small.folder().to_string_lossy();
    let options = Options::default().slots(1).env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes);
    let guichet = options.env("GUICHET_DOCKER_HOSTS", &both).start().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let mut exercise = exercises::patient_sum();
    exercise["runtimes"] = json!(["small"]);
    exercise["limits"] = json!({ "wall_time_ms": 6_000 });
    guichet.teacher().put_exercise("patient", &exercise).await;
    let sum = b"read a b; /bin/busybox sleep 1; echo $((a + b))\n";
    let sum = Program::of_one_file("small", "main.sh", sum);
    for name in ["host-1", "host-2"] {
        wait_for_host(&admin, name, "a warm container", |host| image(host, "small")["warm"] == 1).await;
    }
    let containers = async |engine: &Engine| engine.running(&guichet.label().await);
    let before = containers(&one).await;

    small.write(PROBE, "");
    let made = small.command_on(&ground().docker_host, &["build"]);
    assert!(made.status.success(), "{made:?}");
    let new = small.image_on(&one).expect("an image");
    let mut graded = 0;
    while containers(&one).await.iter().any(|id| before.contains(id)) {
        assert!(graded < 100, "the old containers stay");
        assert_eq!(alice.grade("patient", &sum).await["verdict"], "accepted");
        graded += 1;
    }

    assert_ne!(new, old);
    assert_eq!(
        small.image_on(&one),
        Some(new.clone()),
        "a service that knows the old recipe takes nothing back"
    );
    assert_eq!(small.image_on(&other), Some(old.clone()));
    let gone = async |engine: &Engine| {
        wait_for(
            "end of the old image",
            IN_TIME,
            async || engine.ask_for(&["inspect", &old]),
            Option::is_none,
        )
        .await;
    };
    gone(&one).await;
    let list = alice.get("/v1/submissions?limit=100").await.expect(200);
    let attempts: Vec<_> =
        list["items"].as_array().expect("a list").iter().map(|one| &one["attempt"]).collect();
    assert!(attempts.len() >= graded && attempts.iter().all(|attempt| **attempt == 1), "{attempts:?}");

    assert!(guichet.terminate().await.success());
    guichet.restart().await;
    wait_for("the new image", IN_TIME, async || small.image_on(&other), |id| id.as_ref() == Some(&new)).await;
    gone(&other).await;
    set_mode(&admin, "host-1", "cordoned").await;
    assert_eq!(alice.grade("patient", &sum).await["verdict"], "accepted");
}
