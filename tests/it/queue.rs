//! The queue as everybody in it sees it: exact places, fair order, classes, caps.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::storage::shell::answered;
use crate::support::client::text;
use crate::support::programs::sitter;
use crate::support::stream::{last_place_before_start, numbers};
use crate::support::{Counter, Event, Options, TestGuichet, Watch, exercises, programs};

pub fn places_grow_only_for_a_reason(history: &[Event]) {
    let mut told: Option<u64> = None;
    for event in history {
        if event.name == "submission.started" {
            // It has none any more; if it is lost, the next is a new one.
            told = None;
        }
        let event = event.json();
        let Some(place) = event["position"].as_u64() else { continue };
        if told.is_some_and(|told| place > told) {
            let reasons =
                ["overtaken_by_priority", "overtaken_by_fairness", "rescued_ahead", "slots_changed"];
            assert!(reasons.contains(&event["reason"].as_str().unwrap_or_default()), "{history:?}");
        }
        told = Some(place);
    }
}

#[tokio::test]
async fn two_hundred_of_twenty_owners_see_exact_places_and_nobody_waits_for_the_busy_one() {
    let mut counter = Counter::open(2).await;
    let mut watch = Watch::default();
    let mut owner_of = HashMap::new();
    for (owner, count) in
        std::iter::once(("busy".to_owned(), 100)).chain((0..18).map(|n| (format!("owner{n}"), 4 + n % 3)))
    {
        for id in counter.enter(&owner, "normal", count, &sitter()).await {
            owner_of.insert(id, owner.clone());
        }
    }
    let rest = 199_usize.saturating_sub(owner_of.len());
    for id in counter.enter("owner0", "normal", rest, &sitter()).await {
        owner_of.insert(id, "owner0".to_owned());
    }
    for id in owner_of.keys() {
        watch.open(&counter.backend, id).await;
    }
    counter.quiet(&watch).await;
    for _ in 0..10 {
        counter.advance().await;
    }

    let latecomer = counter.enter("late", "normal", 1, &sitter()).await.remove(0);
    watch.open(&counter.backend, &latecomer).await;
    owner_of.insert(latecomer.clone(), "late".to_owned());
    counter.quiet(&watch).await;
    assert_eq!(counter.listed_places().await, counter.places());
    let mut started = Vec::new();
    for step in 0..45 {
        started.push(counter.advance().await);
        if step % 3 == 0 {
            counter.quiet(&watch).await;
        }
    }
    assert_eq!(counter.listed_places().await, counter.places());

    let before_latecomer: Vec<_> = started.iter().take_while(|id| **id != latecomer).collect();
    assert!(before_latecomer.len() < started.len(), "the latecomer did not start");
    let busy_ones = before_latecomer.iter().filter(|id| owner_of[**id] == "busy").count();
    assert!(busy_ones <= 1, "{busy_ones} of the busy owner started before the only one of another");
    counter.close().await;
    watch.wait_for_ends().await;
    for id in owner_of.keys() {
        let history = watch.history(id);
        places_grow_only_for_a_reason(&history);
        if history.iter().any(|event| event.name == "submission.started") {
            assert_eq!(last_place_before_start(&history), 1, "{history:?}");
            let after = history.iter().skip_while(|event| event.name != "submission.started");
            assert_eq!(after.filter(|event| event.name == "queue.position").count(), 0, "{history:?}");
        }
        assert_eq!(history.iter().filter(|event| event.ends()).count(), 1, "{history:?}");
    }
}

#[tokio::test]
async fn a_flood_of_short_programs_ends_with_place_1_before_every_start() {
    let mut counter = Counter::open(2).await;
    let mut watch = Watch::default();
    let mut ids = Vec::new();
    for owner in 0..6 {
        ids.extend(counter.enter(&format!("owner{owner}"), "normal", 10, &programs::python_sum()).await);
    }
    for id in &ids {
        watch.open(&counter.backend, id).await;
    }
    counter.quiet(&watch).await;

    for id in counter.running.clone() {
        counter.backend.cancel(&id).await.expect(200);
    }
    watch.wait_for_ends().await;

    for id in &ids {
        let history = watch.history(id);
        assert_eq!(last_place_before_start(&history), 1, "{history:?}");
        places_grow_only_for_a_reason(&history);
        assert_eq!(numbers(&history), [1, 2, 3, 4], "{history:?}");
    }
}

#[tokio::test]
async fn exams_go_before_all_others_and_rejudging_behind() {
    let mut counter = Counter::open(1).await;
    let mut watch = Watch::default();
    let mut watched = Vec::new();
    for (owner, priority) in [
        ("anna", "rejudge"),
        ("bert", "normal"),
        ("cleo", "exam"),
        ("anna", "normal"),
        ("dora", "exam"),
        ("anna", "exam"),
    ] {
        let id = counter.enter(owner, priority, 1, &sitter()).await.remove(0);
        watch.open(&counter.backend, &id).await;
        watched.push(id);
        counter.quiet(&watch).await;
    }

    let overtaken = watch.history(&watched[0]);
    let reasons: Vec<_> =
        overtaken.iter().map(|event| event.json()["reason"].clone()).filter(Value::is_string).collect();
    assert!(reasons.iter().any(|reason| reason == "overtaken_by_priority"), "{overtaken:?}");
    for _ in 0..6 {
        counter.advance().await;
        counter.quiet(&watch).await;
    }
    counter.close().await;
}

#[tokio::test]
async fn a_newcomer_passes_a_busy_owner_and_he_is_told_why() {
    let mut counter = Counter::open(1).await;
    let mut watch = Watch::default();
    let busy = counter.enter("busy", "normal", 5, &sitter()).await;
    let last = busy[4].clone();
    watch.open(&counter.backend, &last).await;
    counter.quiet(&watch).await;

    counter.enter("newcomer", "normal", 1, &sitter()).await;
    counter.quiet(&watch).await;

    let history = watch.history(&last);
    let told = history[history.len() - 1].json();
    assert_eq!((&told["position"], &told["reason"]), (&json!(6), &json!("overtaken_by_fairness")));
    counter.close().await;
}

#[tokio::test]
async fn a_runtime_without_an_image_holds_nobody_up() {
    let prepared = TestGuichet::prepare(Options::default().slots(1));
    let runtimes = prepared.folder().join("runtimes");
    crate::support::engine::say(
        std::process::Command::new("cp")
            .arg("-r")
            .arg(crate::support::engine::root().join("runtimes"))
            .arg(&runtimes),
    );
    let described = std::fs::read_to_string(runtimes.join("python/runtime.toml")).expect("a runtime");
    let ghost =
        described.replace("id = \"python\"", "id = \"ghost\"").replace("guichet-python:2", "no-such-image:1");
    std::fs::create_dir(runtimes.join("ghost")).expect("a folder");
    std::fs::write(runtimes.join("ghost/runtime.toml"), ghost).expect("a runtime");
    prepared.set_env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes.display().to_string());
    prepared.restart().await;
    let alice = prepared.student("alice");

    let mut body = programs::python_sum().body();
    body["runtime"] = json!("ghost");
    body["run"] = json!({ "stdin": "1 2\n", "args": [] });
    let waiting = alice.submit_body(&body).await;
    let report = alice.run_report(&programs::python_sum(), "1 2\n", &[]).await;

    assert_eq!(report["stdout"], "3\n");
    let shown = alice.submission(&waiting).await;
    assert_eq!((&shown["state"], &shown["position"]), (&json!("queued"), &json!(1)));
    let listed = alice.get("/v1/runtimes").await.expect(200);
    let ready: HashMap<_, _> = listed["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| (text(&item["id"]), [item["ready"].clone(), item["blocked_by"].clone()]))
        .collect();
    assert_eq!(ready["ghost"], [json!(false), json!("no_image")]);
    assert_eq!(ready["python"], [json!(true), Value::Null]);
    alice.cancel(&waiting).await.expect(200);
}

#[tokio::test]
async fn who_waits_for_too_much_is_refused_and_nothing_is_stored() {
    let guichet = Options::default()
        .slots(1)
        .env("GUICHET_QUEUE__MAX_PER_OWNER", "2")
        .env("GUICHET_QUEUE__MAX_LENGTH", "3")
        .start()
        .await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let (alice, bob) = (guichet.student("alice"), guichet.student("bob"));
    let mut body = sitter().body();
    body["exercise_id"] = json!("patient");
    let running = alice.submit_body(&body).await;
    alice.wait_for_state(&running, &["running"]).await;
    let mut waiting = vec![alice.submit_body(&body).await, alice.submit_body(&body).await];

    let too_many = alice.post("/v1/submissions", &body).await;
    waiting.push(bob.submit_body(&body).await);
    let full = bob.post("/v1/submissions", &body).await;
    let mut draft = body.clone();
    draft["enqueue"] = json!(false);
    let stored = bob.post("/v1/submissions", &draft).await;

    assert_eq!(too_many.problem(429).0, "too_many_queued");
    assert_eq!(full.problem(503).0, "queue_full");
    assert!(too_many.header("retry-after").is_some() && full.header("retry-after").is_some());
    assert_eq!(stored.status, 202, "a draft counts in no limit: {stored:?}");
    let queue = guichet.admin().get("/v1/queue").await.expect(200);
    assert_eq!((&queue["queued"], &queue["running"]), (&json!(3), &json!(1)));
    for id in waiting.iter().rev().chain([&running]) {
        guichet.admin().cancel(id).await.expect(200);
    }
}

/// Queues all drafts as `enqueue` does, beside the service: it hears nothing of it.
const QUEUE_DRAFTS: &str = "PRAGMA busy_timeout = 5000;
    UPDATE submissions SET state = 'queued', rank = 1, ticket = 1, queued_at = created_at, queued_digest = files_digest
    WHERE state = 'draft';";

#[tokio::test]
async fn what_entered_the_queue_unheard_runs_all_the_same() {
    let guichet = TestGuichet::start().await;
    let alice = guichet.student("alice");
    let mut draft = programs::python_sum().body();
    draft["run"] = json!({ "stdin": "1 2\n", "args": [] });
    draft["enqueue"] = json!(false);
    let id = alice.submit_body(&draft).await;

    answered(&guichet.data().join("guichet.sqlite"), QUEUE_DRAFTS);

    assert_eq!(alice.result(&id).await["tests"][0]["stdout"], "3\n");
}
