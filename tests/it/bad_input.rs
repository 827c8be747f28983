//! Bad input of every kind that the specification names, sent to the true service: what it answers, and that nothing is stored.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{self, Answer};
use crate::support::{Client, Role, TestGuichet, exercises, programs};

/// A submission that would be taken.
fn good() -> Value {
    let mut body = programs::python_sum().body();
    body["exercise_id"] = json!("sum");
    body
}

/// The same with another value at a pointer.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match body.pointer_mut(parent).expect("the parent") {
        Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value,
        object => object[name] = value,
    }
    body
}

fn named(path: &str) -> Value {
    with(good(), "/files", json!([{ "path": "main.py", "content": "" }, { "path": path, "content": "" }]))
}

async fn raw(client: &Client, body: impl Into<reqwest::Body>, content_type: &str) -> Answer {
    let request = client.request(Method::POST, "/v1/submissions").header("Content-Type", content_type);
    client::send(request.body(body)).await
}

#[tokio::test]
async fn a_submission_that_does_not_fit_is_refused_with_code_and_place_and_not_stored() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let mut only_c = exercises::sum();
    only_c["runtimes"] = json!(["c"]);
    guichet.teacher().put_exercise("only-c", &only_c).await;
    let backend = guichet.client(Role::Backend, "platform");
    let invalid = "validation_failed";
    let table = [
        (with(good(), "/unknown", json!(1)), invalid, "/unknown"),
        (with(good(), "/files/0/mode", json!(7)), invalid, "/files/0/mode"),
        (with(good(), "/runtime", json!(7)), invalid, "/runtime"),
        (with(good(), "/runtime", json!("cobol")), invalid, "/runtime"),
        (with(good(), "/exercise_id", json!("only-c")), invalid, "/runtime"),
        (with(good(), "/exercise_id", json!("absent")), "exercise_not_found", "/exercise_id"),
        (with(good(), "/exercise_id", json!("../sum")), "exercise_not_found", "/exercise_id"),
        (with(good(), "/files", json!([])), invalid, "/files"),
        (with(good(), "/files/0/content_base64", json!("")), invalid, "/files/0/content_base64"),
        (with(good(), "/metadata", json!([1])), invalid, "/metadata"),
        (with(good(), "/metadata", json!({ "long": "x".repeat(4096) })), invalid, "/metadata"),
        (with(good(), "/priority", json!("urgent")), invalid, "/priority"),
        (with(good(), "/backend", json!("other")), invalid, "/legacy_id"),
        (with(good(), "/enqueue", json!("yes")), invalid, "/enqueue"),
        (named(""), invalid, "/files/1/path"),
        (named("."), invalid, "/files/1/path"),
        (named("/etc/passwd"), invalid, "/files/1/path"),
        (named("../x"), invalid, "/files/1/path"),
        (named("a/../../x"), invalid, "/files/1/path"),
        (named("a\\b"), invalid, "/files/1/path"),
        (named("a\0b"), invalid, "/files/1/path"),
        (named("a\nb"), invalid, "/files/1/path"),
        (named(&"x".repeat(256)), invalid, "/files/1/path"),
        (named("main.py"), invalid, "/files/1/path"),
    ];

    for (body, code, pointer) in table {
        let answer = backend.post("/v1/submissions", &body).await;
        assert_eq!(answer.problem(422), (code.to_owned(), vec![pointer.to_owned()]), "{body}");
        let batch = json!({ "submissions": [good(), body] });
        let (_code, pointers) = backend.post("/v1/submissions/batch", &batch).await.problem(422);
        assert_eq!(pointers, [format!("/submissions/1{pointer}")], "{batch}");
    }
    let missing = json!({ "runtime": "python", "files": [] });
    let (_code, pointers) = backend.post("/v1/submissions", &missing).await.problem(422);
    assert!(pointers.contains(&"/files".to_owned()), "{pointers:?}");
    let stored = guichet.admin().get("/v1/submissions").await.expect(200);
    assert_eq!(stored["items"], json!([]));
}

#[tokio::test]
async fn what_is_no_json_or_too_large_is_refused_and_not_stored() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");
    let json_type = "application/json";

    for text in ["", "{", "[1,]", "{\"a\":NaN}", "\u{feff}\u{feff}{}", "nonsense"] {
        assert_eq!(raw(&alice, text, json_type).await.problem(400).0, "malformed_body", "{text}");
    }
    assert_eq!(raw(&alice, vec![b'"', 0xff, b'"'], json_type).await.problem(400).0, "malformed_body");
    assert_eq!(raw(&alice, "[".repeat(100_000), json_type).await.problem(400).0, "malformed_body");
    let long = with(good(), "/files/0/content", json!("x".repeat((1 << 20) + 1)));
    assert_eq!(alice.post("/v1/submissions", &long).await.status, 413);
    let longest = with(good(), "/files/0/content", json!("#".repeat(1 << 20)));
    assert_eq!(alice.post("/v1/submissions", &longest).await.status, 202);
    assert_eq!(raw(&alice, good().to_string(), "text/plain").await.status, 415);

    let stored = guichet.admin().get("/v1/submissions").await.expect(200);
    assert_eq!(stored["items"].as_array().map(Vec::len), Some(1));
    let id = client::text(&stored["items"][0]["id"]);
    alice.ended(&id).await;
}

#[tokio::test]
async fn limits_outside_their_ranges_are_refused_with_their_place() {
    let guichet = TestGuichet::start().await;
    let teacher = guichet.teacher();
    let limit = |name: &str, value: Value| {
        with(with(exercises::sum(), "/limits", json!({})), &format!("/limits/{name}"), value)
    };
    let table = [
        (limit("cpu_time_ms", json!(0)), "/limits/cpu_time_ms"),
        (limit("cpu_time_ms", json!(60_001)), "/limits/cpu_time_ms"),
        (limit("cpu_time_ms", json!(-1)), "/limits/cpu_time_ms"),
        (limit("cpu_time_ms", json!(1.5)), "/limits/cpu_time_ms"),
        (limit("wall_time_ms", json!(120_001)), "/limits/wall_time_ms"),
        (limit("memory_bytes", json!((8 << 20) - 1)), "/limits/memory_bytes"),
        (limit("output_bytes", json!(0)), "/limits/output_bytes"),
        (limit("output_bytes", json!((16 << 20) + 1)), "/limits/output_bytes"),
        (limit("processes", json!(513)), "/limits/processes"),
        (limit("gpu", json!(1)), "/limits/gpu"),
        (
            with(exercises::sum(), "/compile_limits", json!({ "cpu_time_ms": 300_001 })),
            "/compile_limits/cpu_time_ms",
        ),
        (with(exercises::sum(), "/tests/1/weight", json!(1_000_001)), "/tests/1/weight"),
        (with(exercises::sum(), "/tests/1/weight", json!(0.5)), "/tests/1/weight"),
        (with(exercises::sum(), "/tests/1/name", json!("small")), "/tests/1/name"),
        (with(exercises::sum(), "/tests", json!([])), "/tests"),
        (with(exercises::sum(), "/runtimes", json!(["cobol"])), "/runtimes/0"),
        (with(exercises::sum(), "/checker", json!({ "type": "guess" })), "/checker/type"),
    ];

    for (body, pointer) in table {
        let answer = teacher.put("/v1/exercises/sum", &body).await;
        assert_eq!(answer.problem(422), ("validation_failed".to_owned(), vec![pointer.to_owned()]), "{body}");
    }
    let memory = limit("memory_bytes", json!(1_u64 << 40));
    assert_eq!(teacher.put("/v1/exercises/sum", &memory).await.status, 422);
    assert_eq!(teacher.get("/v1/exercises/sum").await.problem(404).0, "not_found");
}

#[tokio::test]
async fn who_may_not_is_told_so_and_who_is_nobody_too() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");

    for field in ["owner", "backend"] {
        assert_eq!(
            alice
                .post("/v1/submissions", &with(good(), &format!("/{field}"), json!("bob")))
                .await
                .problem(403)
                .0,
            "forbidden"
        );
    }
    assert_eq!(
        alice.post("/v1/submissions", &with(good(), "/priority", json!("exam"))).await.problem(403).0,
        "forbidden"
    );
    assert_eq!(alice.put("/v1/exercises/mine", &exercises::sum()).await.problem(403).0, "forbidden");
    let nobody = client::send(alice.anonymous(Method::POST, "/v1/submissions").json(&good())).await;
    assert_eq!(nobody.problem(401).0, "invalid_token");
    assert!(nobody.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    assert_eq!(alice.get("/v1/submissions/not-an-id").await.problem(404).0, "not_found");
    assert_eq!(alice.get("/v1/submissions?limit=0").await.problem(422).1, ["limit"]);
    assert_eq!(alice.get("/v1/submissions?cursor=forged").await.problem(422).1, ["cursor"]);
    assert_eq!(alice.get("/v1/submissions?colour=red").await.problem(422).1, ["colour"]);
    assert_eq!(alice.get("/v1/submissions").await.expect(200)["items"], json!([]));
}
