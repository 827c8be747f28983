//! The process dies at each stage of a submission's way; the next one goes on as if nothing had happened.

mod again;

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{self, text};
use crate::support::stream::{facts, numbers};
use crate::support::{Client, Event, Options, TestGuichet, exercises, programs, wait_for};

/// How soon what ran must run again.
const AT_ONCE: Duration = Duration::from_secs(20);

async fn guichet() -> TestGuichet {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

/// Lets the service die at a named point: restarts it with that point armed.
async fn arm(guichet: &TestGuichet, point: &str) {
    assert!(guichet.terminate().await.success());
    guichet.set_env("FAILPOINTS", &format!("{point}=return"));
    guichet.launch();
    guichet.wait_until_ready().await;
}

/// Waits for the death that was prepared.
async fn die(guichet: &TestGuichet) {
    let status = guichet.ended(AT_ONCE).await;
    assert_eq!(status.signal(), Some(9), "it died of something else: {status}");
}

/// Waits for the death that was prepared, and starts anew.
async fn die_and_restart(guichet: &TestGuichet) {
    die(guichet).await;
    guichet.set_env("FAILPOINTS", "");
    guichet.restart().await;
}

/// Every accepted submission ended once, in few attempts, and its stream tells it without gap or repeat.
async fn all_is_told_once(client: &Client, ids: &[String]) -> HashMap<String, Value> {
    let mut ended = HashMap::new();
    for id in ids {
        let shown = client.ended(id).await;
        assert!(shown["attempt"].as_u64().is_some_and(|attempt| attempt <= 4), "{shown}");
        let log = client.events(id).await.into_end().await;
        let numbers = numbers(&log);
        assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<_>>(), "{log:?}");
        assert_eq!(log.iter().filter(|event| event.ends()).count(), 1, "{log:?}");
        assert_eq!(
            log.iter().filter(|event| event.name == "submission.started").count(),
            attempts(&shown),
            "{log:?}"
        );
        ended.insert(id.clone(), shown);
    }
    ended
}

fn attempts(shown: &Value) -> usize {
    shown["attempt"].as_u64().and_then(|attempt| usize::try_from(attempt).ok()).unwrap_or_default()
}

/// What one reader saw over two connections is the log.
async fn seen_once(client: &Client, id: &str, before: &[Event], last: Option<&str>) {
    let after = match last {
        Some(last) => client.events_after(id, last).await,
        None => client.events(id).await,
    };
    let mut seen = facts(before);
    if after.status == 200 {
        seen.extend(facts(&after.into_end().await));
    }
    assert_eq!(seen, facts(&client.events(id).await.into_end().await));
}

async fn no_container_of_the_dead(guichet: &TestGuichet, dead: &[String]) {
    let (engine, label) = (guichet.engine(), guichet.label().await);
    let left =
        || async { engine.containers(&label).into_iter().filter(|id| dead.contains(id)).collect::<Vec<_>>() };
    wait_for("containers of the dead process to go", Duration::from_mins(1), left, Vec::is_empty).await;
}

async fn containers(guichet: &TestGuichet) -> Vec<String> {
    guichet.engine().containers(&guichet.label().await)
}

#[tokio::test]
async fn what_was_committed_before_the_answer_was_lost_is_found_by_its_key() {
    let guichet = guichet().await;
    arm(&guichet, "committed_before_answer").await;
    let alice = guichet.student("alice");
    let mut body = programs::python_sum().body();
    body["exercise_id"] = json!("sum");
    let request = || {
        alice
            .request(reqwest::Method::POST, "/v1/submissions")
            .header("Idempotency-Key", "\"one\"")
            .json(&body)
    };

    assert!(request().send().await.is_err(), "the answer was to be lost");
    die(&guichet).await;
    // One if its container was warm already: the lease is a part of the entry's commit then.
    let begun: i64 = guichet.query("SELECT attempt FROM submissions").await;
    guichet.set_env("FAILPOINTS", "");
    guichet.restart().await;
    let again = text(&client::send(request()).await.expect(202)["id"]);

    let listed = alice.get("/v1/submissions").await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["items"][0]["id"], json!(again));
    let ended = all_is_told_once(&alice, std::slice::from_ref(&again)).await;
    assert_eq!((&ended[&again]["state"], &ended[&again]["attempt"]), (&json!("finished"), &json!(begun + 1)));
}

#[tokio::test]
async fn what_waits_keeps_its_place_and_what_runs_runs_again_at_once() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let mut ids = vec![alice.submit("patient", &programs::sleep_then_sum(6.0)).await];
    alice.wait_for_state(&ids[0], &["running"]).await;
    for _ in 0..5 {
        ids.push(alice.submit("sum", &programs::python_sum()).await);
    }
    let mut running = alice.events(&ids[0]).await;
    running.until_named("submission.started").await;
    let mut waiting = alice.events(&ids[5]).await;
    waiting.until_named("submission.queued").await;
    let dead = containers(&guichet).await;

    guichet.kill();
    guichet.restart().await;

    let look = || alice.submission(&ids[0]);
    wait_for("the second attempt", AT_ONCE, look, |seen| seen["attempt"] == 2 && seen["state"] == "running")
        .await;
    let ended = all_is_told_once(&alice, &ids).await;
    assert!(ended.values().all(|shown| shown["result"]["verdict"] == "accepted"), "{ended:?}");
    let started: Vec<_> = ids.iter().map(|id| text(&ended[id]["started_at"])).collect();
    assert!(started.is_sorted(), "{started:?}");
    assert_eq!(ids.iter().map(|id| attempts(&ended[id])).collect::<Vec<_>>(), [2, 1, 1, 1, 1, 1]);
    seen_once(&alice, &ids[0], &running.history, running.last_id()).await;
    seen_once(&alice, &ids[5], &waiting.history, waiting.last_id()).await;
    no_container_of_the_dead(&guichet, &dead).await;
}

#[tokio::test]
async fn a_death_while_containers_start_leaves_none_behind() {
    die_while_containers_start("container_starting").await;
}

#[tokio::test]
async fn a_death_before_an_agent_that_listens_is_connected_to_leaves_no_container_behind() {
    die_while_containers_start("agent_greeted").await;
}

async fn die_while_containers_start(point: &str) {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let blocker = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    let waiting = alice.submit("sum", &programs::python_sum()).await;
    alice.wait_for_state(&blocker, &["running"]).await;
    guichet.kill();
    guichet.set_env("FAILPOINTS", &format!("{point}=return"));
    guichet.launch();
    let status = guichet.ended(AT_ONCE).await;
    assert_eq!(status.signal(), Some(9));
    let dead = containers(&guichet).await;
    let sockets = guichet.sockets();
    let shared = std::fs::read_dir(&sockets).expect("the folder of shared ones").count();
    assert_ne!(shared, 0, "a folder shared with a container that starts");

    guichet.set_env("FAILPOINTS", "");
    guichet.restart().await;

    let ended = all_is_told_once(&alice, &[blocker, waiting]).await;
    assert!(ended.values().all(|shown| shown["state"] == "finished"), "{ended:?}");
    no_container_of_the_dead(&guichet, &dead).await;
}

#[tokio::test]
async fn what_was_to_be_cancelled_is_so_only_when_no_container_of_the_dead_is_left() {
    let guichet = guichet().await;
    arm(&guichet, "cancel_wished").await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    alice.wait_for_state(&id, &["running"]).await;
    let dead = containers(&guichet).await;

    let cancel = alice.request(reqwest::Method::POST, &format!("/v1/submissions/{id}/cancel"));
    assert!(cancel.send().await.is_err(), "the answer was to be lost");
    let status = guichet.ended(AT_ONCE).await;
    guichet.set_env("FAILPOINTS", "sweeping=sleep(8000)");
    guichet.restart().await;
    let before = alice.submission(&id).await;
    let look = || async {
        let state = text(&alice.submission(&id).await["state"]);
        (state, containers(&guichet).await.into_iter().filter(|id| dead.contains(id)).count())
    };
    let (_, left) = wait_for("it to be cancelled", AT_ONCE, look, |(state, _)| state == "cancelled").await;

    assert_eq!(status.signal(), Some(9), "it died of something else: {status}");
    assert_eq!((&before["state"], left), (&json!("running"), 0));
    let names: Vec<_> =
        alice.events(&id).await.into_end().await.into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["submission.queued", "submission.started", "submission.cancelled"]);
}

#[tokio::test]
async fn a_result_that_was_read_but_not_stored_is_made_again() {
    let guichet = guichet().await;
    arm(&guichet, "result_read").await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_nearly_sum()).await;

    die_and_restart(&guichet).await;

    let ended = all_is_told_once(&alice, std::slice::from_ref(&id)).await;
    assert_eq!(
        (&ended[&id]["attempt"], &ended[&id]["result"]["verdict"]),
        (&json!(2), &json!("wrong_answer"))
    );
}

#[tokio::test]
async fn a_result_that_was_stored_but_not_told_is_told_and_not_made_again() {
    let guichet = guichet().await;
    arm(&guichet, "finished_before_hint").await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    let mut stream = alice.events(&id).await;
    while stream.next().await.is_some() {}
    assert!(!stream.history.iter().any(Event::ends), "{:?}", stream.history);

    die_and_restart(&guichet).await;

    let ended = all_is_told_once(&alice, std::slice::from_ref(&id)).await;
    assert_eq!((&ended[&id]["attempt"], &ended[&id]["result"]["verdict"]), (&json!(1), &json!("accepted")));
    seen_once(&alice, &id, &stream.history, stream.last_id()).await;
}

#[tokio::test]
async fn a_stop_between_the_commit_of_a_lease_and_its_registration_lets_the_run_end() {
    let guichet = guichet().await;
    assert!(guichet.terminate().await.success());
    guichet.set_env("FAILPOINTS", "leased=sleep(3000)");
    guichet.restart().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    alice.wait_for_state(&id, &["running"]).await;

    let status = guichet.terminate().await;
    guichet.set_env("FAILPOINTS", "");
    guichet.restart().await;

    assert!(status.success(), "{status}");
    let shown = alice.submission(&id).await;
    assert_eq!((&shown["state"], &shown["attempt"]), (&json!("finished"), &json!(1)), "{shown}");
}
