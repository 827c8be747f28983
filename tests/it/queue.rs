//! The queue as everybody in it sees it: exact places, fair order, cancelling.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::stream::last_place_before_start;
use crate::support::{
    Client, Event, Model, Options, Program, Role, TestGuichet, Watch, exercises, programs, wait_for,
};

const QUIET: Duration = Duration::from_secs(20);

/// Keeps its slot until it is cancelled.
fn sitter() -> Program {
    Program::python("import signal\nsignal.pause()\n")
}

/// A service with so many slots, all taken by sitters, and a backend that submits for anybody.
struct Counter {
    _guichet: TestGuichet,
    backend: Client,
    model: Model,
    /// What runs, oldest first.
    running: Vec<String>,
}

impl Counter {
    async fn open(slots: usize) -> Self {
        let guichet = Options::default().slots(slots).start().await;
        guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
        let backend = guichet.client(Role::Backend, "platform");
        let mut counter = Self { _guichet: guichet, backend, model: Model::default(), running: Vec::new() };
        for _ in 0..slots {
            counter.enter("early", "normal", 1, &sitter()).await;
            let next = counter.start_next();
            counter.backend.wait_for_state(&next, &["running"]).await;
        }
        counter
    }

    /// Submits for an owner and tells the model.
    async fn enter(&mut self, owner: &str, priority: &str, count: usize, program: &Program) -> Vec<String> {
        let mut body = program.body();
        for (field, value) in [("exercise_id", "patient"), ("owner", owner), ("priority", priority)] {
            body[field] = json!(value);
        }
        let batch = json!({ "submissions": vec![body; count] });
        let stored = self.backend.post("/v1/submissions/batch", &batch).await.expect(202);
        let ids: Vec<_> =
            stored["items"].as_array().into_iter().flatten().map(|item| text(&item["id"])).collect();
        for id in &ids {
            self.model.enter(priority, owner, id);
        }
        ids
    }

    /// Moves the model's next one to the running ones.
    fn start_next(&mut self) -> String {
        let (_owner, id) = self.model.start_next().expect("somebody waits");
        self.running.push(id.clone());
        id
    }

    /// Cancels what has run longest, so that the next one starts; answers which that is by the model.
    async fn advance(&mut self) -> String {
        let oldest = self.running.remove(0);
        self.backend.cancel(&oldest).await.expect(200);
        let next = self.start_next();
        self.backend.wait_for_state(&next, &["running"]).await;
        next
    }

    /// The model's places.
    fn places(&self) -> HashMap<String, u64> {
        (1..).zip(self.model.order()).map(|(place, id)| (id, place)).collect()
    }

    /// The places that the list of queued submissions shows.
    async fn listed_places(&self) -> HashMap<String, u64> {
        let mut places = HashMap::new();
        let mut cursor = String::new();
        loop {
            let list = self
                .backend
                .get(&format!("/v1/submissions?state=queued&limit=100{cursor}"))
                .await
                .expect(200);
            for item in list["items"].as_array().into_iter().flatten() {
                places.insert(text(&item["id"]), item["position"].as_u64().unwrap_or_default());
            }
            match list["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return places,
            }
        }
    }

    /// Waits until every stream told the places that the model has.
    async fn quiet(&self, watch: &Watch) {
        let mut expected = self.places();
        expected.retain(|id, _place| watch.is_open(id));
        let told = || async {
            let told = watch.places();
            let wrong = |(id, place): (&String, &u64)| {
                (told.get(id) != Some(place)).then(|| (id.clone(), *place, told.get(id).copied()))
            };
            expected.iter().filter_map(wrong).collect::<Vec<_>>()
        };
        wait_for("streams to tell the places of the model: (id, place, told)", QUIET, told, Vec::is_empty)
            .await;
    }

    /// Cancels everything, the waiting first.
    async fn close(mut self) {
        for id in self.model.order().into_iter().rev().chain(std::mem::take(&mut self.running)) {
            let answer = self.backend.cancel(&id).await;
            assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
        }
    }
}

fn places_grow_only_for_a_reason(history: &[Event]) {
    let mut told: Option<u64> = None;
    for event in history.iter().map(Event::json) {
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
        let facts: Vec<_> = history.iter().filter_map(|event| event.id.clone()).collect();
        assert_eq!(facts, ["1", "2", "3", "4"], "{history:?}");
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
async fn cancelling_a_queued_one_moves_the_others_up() {
    let mut counter = Counter::open(1).await;
    let mut watch = Watch::default();
    let ids = counter.enter("owner", "normal", 3, &sitter()).await;
    for id in &ids {
        watch.open(&counter.backend, id).await;
    }
    counter.quiet(&watch).await;

    let cancelled = counter.backend.cancel(&ids[0]).await.expect(200);
    counter.model.leave(&ids[0]);
    counter.quiet(&watch).await;

    assert_eq!((&cancelled["state"], &cancelled["position"]), (&json!("cancelled"), &Value::Null));
    let again = counter.backend.cancel(&ids[0]).await.expect(200);
    assert_eq!(again["state"], "cancelled");
    let moved = watch.history(&ids[2]);
    let told = moved[moved.len() - 1].json();
    assert_eq!((&told["position"], &told["reason"]), (&json!(2), &json!("ahead_left")));
    let names: Vec<_> =
        counter.backend.events(&ids[0]).await.into_end().await.into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["submission.queued", "submission.cancelled"]);
    counter.close().await;
}

#[tokio::test]
async fn cancelling_a_running_one_ends_its_processes_and_spares_the_container() {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let alice = guichet.student("alice");
    let (engine, label) = (guichet.engine(), guichet.label().await);
    let marked = Program::python("import os, time\nos.fork()\nos.fork()\ntime.sleep(100)\n");
    let id = alice.submit("patient", &marked).await;
    let students = || {
        let in_all = engine.running(&label).into_iter().flat_map(|container| engine.processes(&container));
        in_all.filter(|process| process.contains("main.py")).count()
    };
    wait_for("four processes", QUIET, || async { students() }, |count| *count == 4).await;
    let before = engine.running(&label);

    let answer = alice.cancel(&id).await.expect(200);

    assert_eq!(students(), 0);
    assert_eq!(answer["state"], "cancelled");
    assert_eq!(alice.submission(&id).await["state"], "cancelled");
    let next = alice.grade("patient", &programs::python_sum()).await;
    assert_eq!(next["verdict"], "accepted");
    assert_eq!(engine.running(&label), before, "a student who cancels costs no container");
    let names: Vec<_> =
        alice.events(&id).await.into_end().await.into_iter().map(|event| event.name).collect();
    assert_eq!(names.iter().filter(|name| *name == "submission.cancelled").count(), 1, "{names:?}");
}

#[tokio::test]
async fn a_compilation_is_cancelled_too() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &Program::plain_c("#include \"/dev/zero\"\n")).await;
    alice.wait_for_state(&id, &["running"]).await;

    alice.cancel(&id).await.expect(200);

    assert_eq!(alice.submission(&id).await["state"], "cancelled");
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled_and_a_draft_can() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");
    let finished = alice.submit("sum", &programs::python_sum()).await;
    alice.ended(&finished).await;
    let mut draft = programs::python_sum().body();
    draft["exercise_id"] = json!("sum");
    draft["enqueue"] = json!(false);
    let draft = alice.submit_body(&draft).await;

    assert_eq!(alice.cancel(&finished).await.problem(409).0, "submission_ended");
    assert_eq!(alice.submission(&draft).await["state"], "draft");
    assert_eq!(alice.cancel(&draft).await.expect(200)["state"], "cancelled");
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
        described.replace("id = \"python\"", "id = \"ghost\"").replace("guichet-python:1", "no-such-image:1");
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
        .map(|item| (text(&item["id"]), item["ready"].clone()))
        .collect();
    assert_eq!((&ready["ghost"], &ready["python"]), (&json!(false), &json!(true)));
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

#[tokio::test]
async fn a_request_with_the_same_key_is_done_once() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let (alice, bob) = (guichet.student("alice"), guichet.student("bob"));
    let mut body = programs::python_sum().body();
    body["exercise_id"] = json!("sum");
    let post = async |client: &Client, body: &Value| {
        let request = client
            .request(reqwest::Method::POST, "/v1/submissions")
            .header("Idempotency-Key", "\"key-1\"")
            .json(body);
        crate::support::client::send(request).await
    };

    let answers = futures_util::future::join_all((0..10).map(|_| post(&alice, &body))).await;
    let ids: std::collections::HashSet<_> =
        answers.into_iter().map(|answer| text(&answer.expect(202)["id"])).collect();
    let mut other = body.clone();
    other["metadata"] = json!({ "other": true });

    assert_eq!(ids.len(), 1);
    assert_eq!(post(&alice, &other).await.problem(422).0, "idempotency_key_reused");
    let bobs = text(&post(&bob, &body).await.expect(202)["id"]);
    assert!(!ids.contains(&bobs));
    assert_eq!(alice.get("/v1/submissions").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    let ended = alice.ended(ids.iter().next().expect("an id")).await;
    bob.ended(&bobs).await;
    assert_eq!(post(&alice, &body).await.expect(202), ended, "the submission as it is now");
}
