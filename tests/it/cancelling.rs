//! Taking submissions back: waiting, running, compiling, ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::programs::sitter;
use crate::support::{Counter, Options, Program, Role, TestGuichet, Watch, exercises, programs, wait_for};

const QUIET: Duration = Duration::from_secs(20);

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
async fn a_cancel_that_races_with_the_end_is_answered_by_what_became_true() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let backend = guichet.client(Role::Backend, "platform");
    let mut body = programs::sleep_then_sum(0.02).body();
    body["exercise_id"] = json!("sum");

    for _ in 0..5 {
        let stored = backend
            .post("/v1/submissions/batch", &json!({ "submissions": vec![body.clone(); 8] }))
            .await
            .expect(202);
        let ids: Vec<_> =
            stored["items"].as_array().into_iter().flatten().map(|item| text(&item["id"])).collect();
        let answers = futures_util::future::join_all(ids.iter().rev().map(|id| backend.cancel(id))).await;
        for (id, answer) in ids.iter().rev().zip(answers) {
            let shown = backend.ended(id).await;
            let state = if answer.status == 200 { "cancelled" } else { "finished" };
            assert_eq!(shown["state"], state, "{answer:?}");
            let log = backend.events(id).await.into_end().await;
            assert_eq!(log.iter().filter(|event| event.ends()).count(), 1, "{log:?}");
        }
    }
}
