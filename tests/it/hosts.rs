//! Docker hosts as an operator sees and empties them, on real engines.

use std::time::Duration;

use serde_json::{Value, json};

use crate::pool::hosts::OwnEngine;
use crate::support::client::{Client, text};
use crate::support::engine::ground;
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

async fn guichet(options: Options) -> TestGuichet {
    let guichet = options.start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

async fn set_mode(admin: &Client, host: &str, mode: &str) -> Value {
    admin.patch(&format!("/v1/hosts/{host}"), &json!({ "mode": mode })).await.expect(200)
}

async fn host(admin: &Client, name: &str) -> Value {
    admin.get(&format!("/v1/hosts/{name}")).await.expect(200)
}

async fn host_when(admin: &Client, name: &str, what: &str, ready: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, SOON, || host(admin, name), ready).await
}

/// Whether programs in Python could start there at once.
fn is_warm(host: &Value) -> bool {
    host["runtimes"]
        .as_array()
        .is_some_and(|all| all.iter().any(|runtime| runtime["id"] == "python" && runtime["warm"] == 1))
}

#[tokio::test]
async fn a_host_shows_its_engine_its_slots_and_what_ran_there() {
    let guichet = guichet(Options::default().slots(1)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let both_warm = |host: &Value| {
        let warm = |id: &str| json!({ "id": id, "image": "ready", "progress": null, "warm": 1, "busy": 0, "error": null });
        host["runtimes"] == json!([warm("c"), warm("python")])
    };

    let idle = host_when(&admin, "host-1", "warm containers", both_warm).await;

    assert_eq!((&idle["state"], &idle["url"]), (&json!("healthy"), &json!(ground().docker_host)));
    assert_eq!(idle["slots"], json!({ "configured": null, "total": 1, "busy": 0, "free": 1 }));
    let engine = &idle["engine"];
    for fact in ["version", "api_version", "runc_version", "kernel"] {
        assert!(engine[fact].as_str().is_some_and(|fact| fact.starts_with(char::is_numeric)), "{engine}");
    }
    assert!(["v1", "v2"].map(Value::from).contains(&engine["cgroup"]), "{engine}");
    assert!(
        engine["cores"].as_u64() > Some(0) && engine["memory_bytes"].as_u64() > Some(1 << 28),
        "{engine}"
    );
    let doctor = guichet.command(&["doctor"]).output().expect("doctor runs");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let warnings = idle["warnings"].as_array().expect("a list");
    assert!(warnings.iter().any(|warning| warning["code"] == "live_restore"), "{warnings:?}");
    for warning in warnings {
        let message = text(&warning["message"]);
        let (found, _advice) = message.split_once(": ").expect("what was found and what to do");
        assert!(doctor.contains(found), "{message} is not in\n{doctor}");
    }

    let id = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    let busy = host_when(&admin, "host-1", "a run", |host| host["submissions"]["running"] == 1).await;
    assert_eq!(busy["slots"], json!({ "configured": null, "total": 1, "busy": 1, "free": 0 }));
    alice.ended(&id).await;
    let counts = json!({ "running": 0, "ended": 1, "lost": 0 });
    host_when(&admin, "host-1", "its end", |host| host["submissions"] == counts).await;
}

#[tokio::test]
async fn a_draining_host_takes_nothing_new_and_says_when_its_last_run_has_ended() {
    let second = OwnEngine::start(&[]).await;
    let both = format!("{},{}", ground().docker_host, second.address());
    let guichet = guichet(Options::default().slots(1).env("GUICHET_DOCKER_HOSTS", &both)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    for name in ["host-1", "host-2"] {
        host_when(&admin, name, "a warm container", is_warm).await;
    }
    let long = alice.submit("patient", &programs::sleep_then_sum(10.0)).await;
    let runs_on = |host: &Value| host["submissions"]["running"] == 1;
    let busy = wait_for(
        "the run to start",
        SOON,
        || async {
            admin.get("/v1/hosts").await.expect(200)["items"].as_array().cloned().unwrap_or_default()
        },
        |hosts| hosts.iter().any(runs_on),
    )
    .await;
    let busy = text(&busy.iter().find(|host| runs_on(host)).expect("a host")["name"]);
    let other = if busy == "host-1" { "host-2" } else { "host-1" };

    let draining = set_mode(&admin, &busy, "draining").await;

    assert_eq!((&draining["mode"], &draining["drained"]), (&json!("draining"), &json!(false)));
    assert_eq!(admin.get("/v1/queue").await.expect(200)["slots"]["total"], 1);
    for _ in 0..3 {
        let id = alice.submit("patient", &programs::python_sum()).await;
        assert_eq!(alice.ended(&id).await["attempt"], 1);
    }
    host_when(&admin, other, "the three ends", |host| host["submissions"]["ended"] == 3).await;
    let meanwhile = host(&admin, &busy).await;
    let state = text(&alice.submission(&long).await["state"]);
    assert_eq!((state.as_str(), &meanwhile["drained"]), ("running", &json!(false)), "{meanwhile}");
    let ended = alice.ended(&long).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    let drained = host_when(&admin, &busy, "the end of draining", |host| host["drained"] == true).await;
    assert_eq!(drained["submissions"], json!({ "running": 0, "ended": 1, "lost": 0 }));
    let log = guichet.log();
    let line = log.lines().find(|line| line.contains("a Docker host was changed"));
    let line = line.unwrap_or_else(|| panic!("no audit line in\n{log}"));
    for part in ["audit=true", "admin", &busy, "mode=active slots=default\"", "mode=draining slots=default\""]
    {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[tokio::test]
async fn while_no_host_takes_work_submissions_wait_over_a_restart_and_no_estimate_is_given() {
    let guichet = guichet(Options::default().slots(1)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let idle = host_when(&admin, "host-1", "a warm container", is_warm).await;
    for _ in 0..6 {
        let id = alice.submit("patient", &programs::python_sum()).await;
        alice.ended(&id).await;
    }

    set_mode(&admin, "host-1", "cordoned").await;
    let id = alice.submit("patient", &programs::python_sum()).await;

    let waits = async || {
        let submission = alice.submission(&id).await;
        assert_eq!((&submission["state"], &submission["position"]), (&json!("queued"), &json!(1)));
        let runtimes = admin.get("/v1/runtimes").await.expect(200);
        let ready = runtimes["items"].as_array().expect("a list").iter().any(|one| one["ready"] == true);
        let queue = admin.get("/v1/queue").await.expect(200);
        assert_eq!((&queue["slots"], &queue["queued"]), (&json!({ "total": 0, "free": 0 }), &json!(1)));
        assert_eq!(queue["blocked_by"], "no_active_host");
        assert_eq!(runtimes["items"][0]["blocked_by"], "no_active_host");
        assert!(!ready, "{runtimes}");
        (submission["eta"].clone(), queue["eta"].clone())
    };
    // Estimates follow when the pace of the queue is looked at again.
    let nothing = (Value::Null, Value::Null);
    wait_for("no estimate", SOON, &waits, |etas| *etas == nothing).await;
    assert_eq!(guichet.terminate().await.code(), Some(0), "{}", guichet.log());
    guichet.restart().await;
    let cordoned = host_when(&admin, "host-1", "the host", |host| host["state"] == "healthy").await;
    assert_eq!((&cordoned["mode"], &cordoned["drained"]), (&json!("cordoned"), &json!(true)));
    assert_eq!(cordoned["created_at"], idle["created_at"]);
    assert_eq!(waits().await, nothing);

    set_mode(&admin, "host-1", "active").await;

    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
}

/// A service with a host of its settings that is cordoned, and an engine that it may get besides.
async fn guichet_with_a_second_engine() -> (TestGuichet, OwnEngine) {
    let engine = OwnEngine::start(&[]).await;
    let guichet = guichet(Options::default().slots(1)).await;
    set_mode(&guichet.admin(), "host-1", "cordoned").await;
    (guichet, engine)
}

async fn add(admin: &Client, engine: &OwnEngine) -> Value {
    admin.post("/v1/hosts", &json!({ "name": "second", "url": engine.address() })).await.expect(201)
}

#[tokio::test]
async fn a_host_that_is_added_while_none_takes_work_serves_what_waits_and_outlives_a_restart() {
    let (guichet, engine) = guichet_with_a_second_engine().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let waiting = alice.submit("patient", &programs::python_sum()).await;

    let added = add(&admin, &engine).await;

    assert_eq!((&added["source"], &added["state"]), (&json!("api"), &json!("connecting")));
    let ended = alice.ended(&waiting).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    let doctor = guichet.command(&["doctor"]).output().expect("doctor runs");
    let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(found.contains(&format!("{}: image", engine.address())), "{found}");
    admin.patch("/v1/hosts/second", &json!({ "slots": 1, "mode": "draining" })).await.expect(200);
    assert_eq!(guichet.terminate().await.code(), Some(0), "{}", guichet.log());
    guichet.restart().await;
    let again = host_when(&admin, "second", "the host", |host| host["state"] == "healthy").await;
    assert_eq!((&again["mode"], &again["slots"]["configured"]), (&json!("draining"), &json!(1)));
    assert_eq!((&again["url"], &again["created_at"]), (&added["url"], &added["created_at"]));
    assert_eq!(admin.delete("/v1/hosts/second").await.status, 204);
    assert_eq!(admin.get("/v1/hosts").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    let log = guichet.log();
    for what in ["a Docker host was added", "a Docker host was removed"] {
        assert!(log.contains(what), "no audit line that {what} in\n{log}");
    }
}

#[tokio::test]
async fn programs_on_two_engines_of_one_machine_do_not_meet() {
    let (guichet, engine) = guichet_with_a_second_engine().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    set_mode(&admin, "host-1", "active").await;
    add(&admin, &engine).await;
    for host in ["host-1", "second"] {
        host_when(&admin, host, "a warm container", is_warm).await;
    }
    let warm = || async { admin.get("/v1/containers?runtime=python").await.expect(200)["items"].clone() };
    let ids = |items: &Value| {
        let items = items.as_array().expect("a list").iter();
        items.map(|item| text(&item["id"])).collect::<std::collections::BTreeSet<_>>()
    };
    let before = ids(&warm().await);
    assert_eq!(before.len(), 2, "{before:?}");

    for _ in 0..10 {
        let (one, other) = (programs::sleep_then_sum(0.1), programs::sleep_then_sum(0.15));
        let one = alice.submit("patient", &one).await;
        let other = alice.submit("patient", &other).await;
        for id in [one, other] {
            assert_eq!(alice.result(&id).await["verdict"], "accepted");
        }
    }

    let after = wait_for("both to be warm", SOON, warm, |items| {
        items.as_array().is_some_and(|items| items.iter().filter(|item| item["state"] == "warm").count() == 2)
    });
    assert_eq!(ids(&after.await), before, "a container was replaced");
    assert!(!guichet.log().contains("is not clean"), "{}", guichet.log());
}

#[tokio::test]
async fn a_host_is_not_removed_while_something_runs_there_unless_that_may_go_elsewhere() {
    let (guichet, engine) = guichet_with_a_second_engine().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    add(&admin, &engine).await;
    host_when(&admin, "second", "a warm container", is_warm).await;
    let long = alice.submit("patient", &programs::sleep_then_sum(10.0)).await;
    host_when(&admin, "second", "the run", |host| host["submissions"]["running"] == 1).await;
    let later = alice.submit("patient", &programs::python_sum()).await;

    let refused = admin.delete("/v1/hosts/second").await;
    assert_eq!(refused.problem(409).0, "host_busy");
    let busy = host(&admin, "second").await;
    assert_eq!((&busy["mode"], &busy["submissions"]["running"]), (&json!("active"), &json!(1)));
    assert_eq!(admin.delete("/v1/hosts/second?force=true").await.status, 204);

    let again = wait_for(
        "the run to be queued again",
        SOON,
        || alice.submission(&long),
        |submission| submission["state"] == "queued",
    )
    .await;
    assert_eq!(again["position"], 1, "{again}");
    assert_eq!(alice.submission(&later).await["position"], 2);
    set_mode(&admin, "host-1", "active").await;
    let ended = alice.ended(&long).await;
    assert_eq!(&ended["state"], "finished", "{ended}");
    assert_eq!(ended["result"]["verdict"], "accepted");
    alice.ended(&later).await;
    wait_for("an empty engine", SOON, async || engine.containers_of_ours().await, Vec::is_empty).await;
}

#[tokio::test]
async fn the_slots_of_a_host_change_while_submissions_run() {
    let guichet = guichet(Options::default().slots(1)).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    host_when(&admin, "host-1", "a warm container", is_warm).await;
    let long = alice.submit("patient", &programs::sleep_then_sum(8.0)).await;
    host_when(&admin, "host-1", "the run", |host| host["submissions"]["running"] == 1).await;

    let two = admin.patch("/v1/hosts/host-1", &json!({ "slots": 2 })).await.expect(200);

    assert_eq!(two["slots"], json!({ "configured": 2, "total": 2, "busy": 1, "free": 1 }));
    let quick = alice.submit("patient", &programs::python_sum()).await;
    alice.ended(&quick).await;
    assert_eq!(alice.submission(&long).await["state"], "running");
    let one = admin.patch("/v1/hosts/host-1", &json!({ "slots": null })).await.expect(200);
    assert_eq!(one["slots"], json!({ "configured": null, "total": 1, "busy": 1, "free": 0 }));
    let ended = alice.ended(&long).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
}
