//! Whose data goes where: no byte of one user to another, none of any to the log.

use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, Event, Program, TestGuichet, exercises};

/// A program whose source, output, file name and errors carry a mark.
fn marked(mark: &str) -> Program {
    let source = format!(
        "import sys\nprint('{mark}-output')\nprint('{mark}-error', file=sys.stderr)\n# {mark}-source\n"
    );
    Program::python(&source).with(&format!("{mark}-name.txt"), format!("{mark}-content").as_bytes())
}

#[tokio::test]
async fn no_byte_of_one_user_reaches_another() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("open", &exercises::one_test("", "")).await;
    let users: Vec<_> = ["anna", "bert", "cleo"].map(|name| (name, guichet.student(name))).into();
    let mut streams = Vec::new();
    for (_, client) in &users {
        streams.push(client.own_events().await);
    }

    let mut ids = Vec::new();
    for round in 0..3 {
        for (name, client) in &users {
            ids.push((*name, client.submit("open", &marked(&format!("mark-{name}-{round}"))).await));
        }
    }
    for stream in &mut streams {
        for _ in 0..3 {
            stream.until(Event::ends).await;
        }
        stream.drain(Duration::from_millis(300)).await;
    }

    for ((name, client), stream) in users.iter().zip(&streams) {
        let list = client.get("/v1/submissions").await.text;
        let queue = client.get("/v1/queue").await.text;
        for (other, _) in users.iter().filter(|(other, _)| other != name) {
            for text in [stream.raw(), list.clone(), queue.clone()] {
                assert!(!text.contains(&format!("mark-{other}")), "{name} saw something of {other}: {text}");
            }
        }
        assert!(stream.raw().contains(&format!("mark-{name}-2-output")));
        for (owner, id) in &ids {
            let status = client.get(&format!("/v1/submissions/{id}")).await.status.as_u16();
            assert_eq!(status, if owner == name { 200 } else { 404 });
        }
    }
}

#[tokio::test]
async fn the_log_holds_no_program_no_output_no_test_and_no_token() {
    let guichet = TestGuichet::prepare(crate::support::Options::default().env("GUICHET_LOG__LEVEL", "trace"));
    guichet.restart().await;
    let mut exercise = exercises::sum();
    exercise["tests"][1]["stdin"] = json!("mark-input");
    exercise["tests"][1]["expected"] = json!("mark-expected");
    guichet.teacher().put_exercise("marked", &exercise).await;
    let alice = guichet.student("alice");

    alice.grade("marked", &marked("mark")).await;
    alice.grade("marked", &Program::plain_c("int mark_compile(void) { return mark_undeclared; }")).await;

    let log = guichet.log();
    for secret in [
        "mark-output",
        "mark-error",
        "mark-source",
        "mark-content",
        "mark-input",
        "mark-expected",
        "mark_undeclared",
        alice.token(),
    ] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}

#[tokio::test]
async fn no_secret_is_in_a_container() {
    let bench = Bench::expecting("").await;
    let id = bench.student.submit(&bench.exercise, &marked("mark")).await;
    bench.student.ended(&id).await;
    let key = std::fs::read(bench.guichet.data().join("key")).expect("the key");
    let key = String::from_utf8_lossy(&key).trim().to_owned();

    let engine = bench.guichet.engine();
    for container in engine.running(&bench.guichet.label().await) {
        let inspected = engine.ask(&["inspect", &container]);
        assert!(!inspected.contains(&key) && !inspected.contains("mark-"), "{inspected}");
    }
}
