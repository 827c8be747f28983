//! Docker hosts as an operator sees and empties them, on real engines.

use std::time::Duration;

use serde_json::{Value, json};

use crate::pool::hosts::OwnEngine;
use crate::support::client::{Client, text};
use crate::support::engine::ground;
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_secs(30);

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
        let warm = |id: &str| json!({ "id": id, "image": "ready", "progress": null, "warm": 1, "busy": 0 });
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

    let id = alice.submit("patient", &programs::sleep_then_sum(1.0)).await;
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
    let long = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
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
    assert_eq!(host(&admin, other).await["submissions"]["ended"], 3);
    let meanwhile = host(&admin, &busy).await;
    let state = text(&alice.submission(&long).await["state"]);
    assert_eq!((state.as_str(), &meanwhile["drained"]), ("running", &json!(false)), "{meanwhile}");
    let ended = alice.ended(&long).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    let drained = host_when(&admin, &busy, "the end of draining", |host| host["drained"] == true).await;
    assert_eq!(drained["submissions"], json!({ "running": 0, "ended": 1, "lost": 0 }));
    let log = guichet.log();
    let line = log.lines().find(|line| line.contains("the mode of a Docker host was changed"));
    let line = line.unwrap_or_else(|| panic!("no audit line in\n{log}"));
    for part in ["admin", &busy, "before=\"active\"", "after=\"draining\""] {
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
