//! Hosts that answer and on which programs do not run, on real engines: they take no work, say why, and come back.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::pool::hosts::OwnEngine;
use crate::support::client::{Client, text};
use crate::support::engine::Engine;
use crate::support::stream::EventStream;
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

/// Time in which a host on which nothing runs is in quarantine.
const A_MINUTE: Duration = Duration::from_mins(1);

/// Longest time for what takes an engine some work.
const IN_TIME: Duration = Duration::from_mins(2);

const PYTHON: &str = "guichet-python:2";

async fn guichet_on(engine: &OwnEngine, slots: usize) -> TestGuichet {
    let guichet = Options::default().slots(slots).docker_host(&engine.address()).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

async fn host(admin: &Client) -> Value {
    admin.get("/v1/hosts/host-1").await.expect(200)
}

async fn host_when(admin: &Client, what: &str, time: Duration, ready: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, time, || host(admin), ready).await
}

fn runtime<'a>(host: &'a Value, id: &str) -> &'a Value {
    let all = host["runtimes"].as_array().expect("a list");
    all.iter().find(|one| one["id"] == id).unwrap_or(&Value::Null)
}

fn in_state(state: &'static str) -> impl Fn(&Value) -> bool {
    move |host| host["state"] == state
}

fn is_warm(host: &Value) -> bool {
    runtime(host, "python")["warm"] == 1
}

/// An image in which nothing runs, in the place of one that is kept under another name.
fn break_image(engine: &Engine, image: &str) {
    if engine.ask_for(&["inspect", image]).is_some() {
        engine.ask(&["tag", image, "kept:1"]);
    }
    engine.build(image, "FROM scratch\nLABEL broken=true\n");
}

fn mend_image(engine: &Engine, image: &str) {
    engine.ask(&["tag", "kept:1", image]);
}

/// How often canaries have ended so on the host.
async fn canaries(admin: &Client, outcome: &str) -> u64 {
    let metrics = admin.get("/metrics").await.text;
    let name = format!("guichet_host_canaries_total{{host=\"host-1\",outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_host_on_which_no_program_runs_is_in_quarantine_costs_no_attempt_and_works_again_when_mended() {
    let engine = OwnEngine::start(&[]).await;
    let docker = Engine::at(&engine.address());
    break_image(&docker, PYTHON);
    let guichet = guichet_on(&engine, 1).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));

    let bad = host_when(&admin, "quarantine", A_MINUTE, in_state("quarantined")).await;

    let why = "python: its check program does not start (errno 2)";
    assert_eq!((&bad["last_error"]["code"], &bad["last_error"]["message"]), (&json!("canary"), &json!(why)));
    let id = alice.submit("patient", &programs::python_sum()).await;
    let queue = admin.get("/v1/queue").await.expect(200);
    assert_eq!((&queue["slots"]["total"], &queue["blocked_by"]), (&json!(0), &json!("no_healthy_host")));
    let later = host_when(&admin, "a pause", IN_TIME, |host| host["next_attempt_at"].is_string()).await;
    assert_eq!(later["since"], bad["since"], "it is the same quarantine while it is tried again");
    let listed = guichet.command(&["host", "list", "--url", &guichet.url()]).output().expect("a list");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("quarantined") && listed.contains(why), "{listed}");
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.contains("guichet_host_state{host=\"host-1\",state=\"quarantined\"} 1"), "{metrics}");
    assert!(canaries(&admin, "failed").await > 0 && canaries(&admin, "passed").await == 0);
    assert!(guichet.log().contains("the Docker host is in quarantine"));

    mend_image(&docker, PYTHON);
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "active" })).await.expect(200);

    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    let good = host(&admin).await;
    assert_eq!((&good["state"], &runtime(&good, "python")["error"]), (&json!("healthy"), &Value::Null));
}

#[tokio::test]
async fn operators_that_watch_are_told_of_a_quarantine_and_of_its_end() {
    let engine = OwnEngine::start(&[]).await;
    let docker = Engine::at(&engine.address());
    let guichet = guichet_on(&engine, 1).await;
    let admin = guichet.admin();
    host_when(&admin, "a warm container", IN_TIME, is_warm).await;
    let mut stream = EventStream::open(admin.request(Method::GET, "/v1/hosts/events")).await;
    let mut states = Vec::new();

    break_image(&docker, PYTHON);
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "active" })).await.expect(200);

    while states.last().is_none_or(|state| state != "healthy") || states.len() < 3 {
        let event = stream.next().await.expect("an event");
        if event.name != "host.changed" {
            continue;
        }
        let state = text(&event.json()["state"]);
        if state == "quarantined" && states.last() == Some(&"healthy".to_owned()) {
            mend_image(&docker, PYTHON);
            admin.patch("/v1/hosts/host-1", &json!({ "mode": "active" })).await.expect(200);
        }
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    assert_eq!(states, ["healthy", "quarantined", "healthy"]);
}

#[tokio::test]
async fn a_broken_image_of_one_runtime_takes_nothing_from_the_others() {
    let engine = OwnEngine::start(&[]).await;
    break_image(&Engine::at(&engine.address()), "guichet-c:2");
    let guichet = guichet_on(&engine, 1).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));

    let has_error = |host: &Value| runtime(host, "c")["error"].is_string();
    let seen = host_when(&admin, "the broken runtime", A_MINUTE, has_error).await;

    assert_eq!(runtime(&seen, "c")["error"], "its check program does not start (errno 2)");
    let id = alice.submit("patient", &programs::python_sum()).await;
    let waiting = alice.submit("patient", &programs::c_sum()).await;
    assert_eq!(alice.ended(&id).await["state"], "finished");
    assert_eq!(host(&admin).await["state"], "healthy");
    let runtimes = admin.get("/v1/runtimes").await.expect(200);
    let told = |id: &str| {
        let all = runtimes["items"].as_array().expect("a list");
        let one = all.iter().find(|one| one["id"] == id).expect("a runtime");
        (one["ready"].clone(), one["blocked_by"].clone())
    };
    assert_eq!(told("python"), (json!(true), Value::Null));
    assert_eq!(told("c"), (json!(false), json!("no_image")));
    let state = alice.submission(&waiting).await;
    assert_eq!(state["state"], "queued", "{state}");
    alice.cancel(&waiting).await;
}

#[tokio::test]
async fn a_host_with_a_full_disk_is_in_quarantine_says_so_and_takes_work_again_when_there_is_room() {
    let engine = OwnEngine::with_a_small_disk(256).await;
    let docker = Engine::at(&engine.address());
    let guichet = guichet_on(&engine, 1).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    host_when(&admin, "a warm container", IN_TIME, is_warm).await;
    let running = alice.submit("patient", &programs::sleep_then_sum(8.0)).await;
    host_when(&admin, "the run", IN_TIME, |host| host["submissions"]["running"] == 1).await;

    engine.fill_disk();
    docker.kill(&engine.containers_of_ours().await);

    let bad = host_when(&admin, "quarantine", A_MINUTE, in_state("quarantined")).await;
    assert_eq!(bad["last_error"]["code"], "disk_full", "{bad}");
    let warnings = bad["warnings"].as_array().expect("a list");
    assert!(warnings.iter().any(|warning| warning["code"] == "disk_full"), "{bad}");
    let queued = alice.submit("patient", &programs::python_sum()).await;
    engine.empty_disk();

    let ended = alice.ended(&queued).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    let lost = alice.ended(&running).await;
    assert_eq!((&lost["state"], &lost["attempt"]), (&json!("finished"), &json!(2)), "{lost}");
    let good = host(&admin).await;
    assert_eq!(good["state"], "healthy");
    let warnings = good["warnings"].as_array().expect("a list");
    assert!(warnings.iter().all(|warning| warning["code"] != "disk_full"), "{good}");
}

/// Kills the container that serves a submission.
async fn kill_run(docker: &Engine, admin: &Client, submission: &str) {
    let busy = || async { admin.get("/v1/containers?state=busy").await.expect(200)["items"].clone() };
    let busy = wait_for("the run", IN_TIME, busy, |items| items[0]["submission_id"] == submission).await;
    docker.kill(&[text(&busy[0]["id"])]);
}

#[tokio::test]
async fn after_three_runs_lost_in_a_row_a_host_proves_itself_again_and_no_run_fails() {
    let engine = OwnEngine::start(&[]).await;
    let docker = Engine::at(&engine.address());
    let guichet = guichet_on(&engine, 1).await;
    let (admin, teacher) = (guichet.admin(), guichet.teacher());
    host_when(&admin, "a warm container", IN_TIME, is_warm).await;
    assert_eq!(canaries(&admin, "passed").await, 1);
    let mut runs: Vec<(Client, String)> = Vec::new();
    // Each one stands before those that were lost.
    for (student, priority) in [("alice", "rejudge"), ("bob", "normal"), ("carol", "exam")] {
        let mut exercise = exercises::patient_sum();
        exercise["priority"] = json!(priority);
        teacher.put_exercise(priority, &exercise).await;
        let client = guichet.student(student);
        let id = client.submit(priority, &programs::sleep_then_sum(5.0)).await;
        if let Some((_, before)) = runs.last() {
            kill_run(&docker, &admin, before).await;
        }
        client.wait_for_state(&id, &["running"]).await;
        runs.push((client, id));
    }
    let (_, last) = runs.last().expect("a run");
    kill_run(&docker, &admin, last).await;

    for (client, id) in runs {
        let ended = client.ended(&id).await;
        assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(2)), "{ended}");
    }
    assert_eq!(canaries(&admin, "passed").await, 2);
}
