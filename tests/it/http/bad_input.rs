//! Bad input of every kind: status, code, place, and nothing stored.

use axum::http::Method;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{House, Plan, solution, sum};
use guichet::storage::QueueCaps;

/// `base` with what stands at `pointer` replaced, or removed by null at the end of an object.
fn with(base: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = base.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = changed.pointer_mut(parent).unwrap();
    match parent {
        Value::Object(fields) => {
            fields.insert(name.to_owned(), value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no {name}"),
    }
    changed
}

async fn assert_nothing_stored(house: &House) {
    let admin = house.token("root", Role::Admin);
    let list = house.get("/v1/submissions").token(&admin).send().await.json();
    assert_eq!(list["items"], json!([]));
}

fn in_body(pointer: &str) -> Vec<String> {
    vec![format!("body {pointer}")]
}

#[tokio::test]
async fn a_submission_that_does_not_fit_is_refused_with_its_place() {
    let house = House::build().await;
    house.with_sum().await;
    let token = house.token("platform", Role::Backend);
    let base = solution();
    let file = |path: &str| json!([{ "path": path, "content": "" }]);
    let twice = json!([{ "path": "main.py", "content": "" }, { "path": "main.py", "content": "" }]);
    let table = [
        (with(&base, "/score", json!(100)), "/score"),
        (with(&base, "/files/0/mode", json!(755)), "/files/0/mode"),
        (with(&base, "/runtime", json!(3)), "/runtime"),
        (with(&base, "/runtime", json!(null)), "/runtime"),
        (with(&base, "/runtime", json!("cobol")), "/runtime"),
        (with(&base, "/files", json!({})), "/files"),
        (with(&base, "/files", json!([])), "/files"),
        (with(&base, "/files/0", json!(["main.py", ""])), "/files/0"),
        (with(&base, "/files", json!([{ "path": "main.py" }])), "/files/0/content"),
        (with(&base, "/files/0/content_base64", json!("")), "/files/0/content_base64"),
        (with(&base, "/files", json!([{ "path": "a", "content_base64": "?" }])), "/files/0/content_base64"),
        (with(&base, "/files", file("")), "/files/0/path"),
        (with(&base, "/files", file(".")), "/files/0/path"),
        (with(&base, "/files", file("/etc/passwd")), "/files/0/path"),
        (with(&base, "/files", file("a/../../b")), "/files/0/path"),
        (with(&base, "/files", file("a\\b")), "/files/0/path"),
        (with(&base, "/files", file("a\u{0}b")), "/files/0/path"),
        (with(&base, "/files", file("a\nb")), "/files/0/path"),
        (with(&base, "/files", file(&"a".repeat(256))), "/files/0/path"),
        (with(&base, "/files", twice), "/files/1/path"),
        (with(&base, "/metadata", json!([])), "/metadata"),
        (with(&base, "/metadata", json!({ "x": "y".repeat(5000) })), "/metadata"),
        (with(&base, "/priority", json!("urgent")), "/priority"),
        (with(&base, "/enqueue", json!("yes")), "/enqueue"),
        (with(&base, "/backend", json!("default")), "/legacy_id"),
        (with(&base, "/legacy_id", json!(7)), "/legacy_id"),
        (with(&base, "/legacy_id", json!("")), "/legacy_id"),
        (with(&base, "/legacy_id", json!("a\u{0}b")), "/legacy_id"),
        (with(&base, "/legacy_id", json!("7".repeat(1025))), "/legacy_id"),
        (with(&base, "/owner", json!("")), "/owner"),
        (with(&base, "/owner", json!("a\u{0}b")), "/owner"),
        (with(&base, "/run", json!({ "stdin": "", "env": {} })), "/run/env"),
        (json!({ "exercise_id": "sum", "files": file("main.py") }), "/runtime"),
        (json!({ "runtime": "python", "files": file("main.py") }), "/exercise_id"),
        (json!([]), ""),
        (json!("{}"), ""),
    ];
    for (request, pointer) in table {
        let answer = house.post("/v1/submissions").token(&token).json(&request).send().await;

        assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), in_body(pointer)), "{request}");
    }
    assert_nothing_stored(&house).await;
}

#[tokio::test]
async fn an_unknown_exercise_has_a_code_of_its_own() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    for id in ["sum", "no such", "", "../x"] {
        let request = with(&solution(), "/exercise_id", json!(id));

        let answer = house.post("/v1/submissions").token(&token).json(&request).send().await;

        assert_eq!(answer.problem(), (422, "exercise_not_found".to_owned(), in_body("/exercise_id")), "{id}");
    }
}

#[tokio::test]
async fn an_exercise_that_does_not_fit_is_refused_with_its_place() {
    let house = House::build().await;
    let token = house.token("tina", Role::Teacher);
    let base = sum();
    let test = &base["tests"][0];
    let plain = with(&base, "/limits_by_runtime", json!({}));
    let table = [
        (with(&base, "/id", json!("other")), "/id"),
        (with(&base, "/title", json!("")), "/title"),
        (with(&base, "/title", json!("a\u{0}b")), "/title"),
        (with(&base, "/kind", json!("quiz")), "/kind"),
        (with(&plain, "/runtimes", json!([])), "/runtimes"),
        (with(&plain, "/runtimes", json!(["cobol"])), "/runtimes/0"),
        (with(&plain, "/runtimes", json!(["a b"])), "/runtimes/0"),
        (with(&base, "/limits/cpu_time_ms", json!(0)), "/limits/cpu_time_ms"),
        (with(&base, "/limits/cpu_time_ms", json!(60_001)), "/limits/cpu_time_ms"),
        (with(&base, "/limits/cpu_time_ms", json!(-1)), "/limits/cpu_time_ms"),
        (with(&base, "/limits/cpu_time_ms", json!("1")), "/limits/cpu_time_ms"),
        (with(&base, "/limits/wall_time_ms", json!(120_001)), "/limits/wall_time_ms"),
        (with(&base, "/limits/memory_bytes", json!(8_388_607)), "/limits/memory_bytes"),
        (with(&base, "/limits/memory_bytes", json!(u64::MAX)), "/limits/memory_bytes"),
        (with(&base, "/limits/output_bytes", json!(16_777_217)), "/limits/output_bytes"),
        (with(&base, "/limits/processes", json!(513)), "/limits/processes"),
        (with(&base, "/limits/threads", json!(1)), "/limits/threads"),
        (with(&base, "/compile_limits/cpu_time_ms", json!(300_001)), "/compile_limits/cpu_time_ms"),
        (with(&base, "/limits_by_runtime/c~", json!({})), "/limits_by_runtime/c~0"),
        (with(&base, "/limits_by_runtime/python/processes", json!(0)), "/limits_by_runtime/python/processes"),
        (with(&base, "/checker", json!({ "type": "magic" })), "/checker/type"),
        (
            with(&base, "/checker", json!({ "type": "exact", "case_sensitive": true })),
            "/checker/case_sensitive",
        ),
        (
            with(&base, "/checker/float_tolerance", json!({ "absolute": -1 })),
            "/checker/float_tolerance/absolute",
        ),
        (with(&base, "/tests", json!([])), "/tests"),
        (with(&base, "/tests/1", test.clone()), "/tests/1/name"),
        (with(&base, "/tests/0/weight", json!(1_000_001)), "/tests/0/weight"),
        (with(&base, "/tests/0/weight", json!(0.5)), "/tests/0/weight"),
        (with(&base, "/tests/0/stdin_base64", json!("")), "/tests/0/stdin_base64"),
        (with(&base, "/tests/0/expected", json!(null)), "/tests/0/expected"),
        (with(&base, "/tests/0/visibility", json!("secret")), "/tests/0/visibility"),
        (with(&base, "/starter_files", json!([{ "path": "../x", "content": "" }])), "/starter_files/0/path"),
    ];
    for (request, pointer) in table {
        let answer = house.put("/v1/exercises/bad").token(&token).json(&request).send().await;

        assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), in_body(pointer)), "{request}");
    }
    assert_eq!(house.get("/v1/exercises/bad").token(&token).send().await.status, 404);
    let misnamed = house.put("/v1/exercises/a%20b").token(&token).json(&base).send().await;
    assert_eq!(misnamed.problem(), (422, "validation_failed".to_owned(), vec!["path id".to_owned()]));
}

#[tokio::test]
async fn a_batch_names_the_place_of_each_fault_and_stores_nothing() {
    let house = House::build().await;
    house.with_sum().await;
    let token = house.token("alice", Role::Student);
    let batch =
        json!({ "submissions": [solution(), with(&solution(), "/runtime", json!("cobol")), solution()] });

    let answer = house.post("/v1/submissions/batch").token(&token).json(&batch).send().await;

    assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), in_body("/submissions/1/runtime")));
    for count in [0, 101] {
        let batch = json!({ "submissions": vec![solution(); count] });
        let answer = house.post("/v1/submissions/batch").token(&token).json(&batch).send().await;
        assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), in_body("/submissions")));
    }
    assert_nothing_stored(&house).await;
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [&[u8]; 14] = [
        b"",
        b"{",
        b"{}x",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"[1,]",
        b"NaN",
        b"01",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"\"\xff\"",
        b"\"\x01\"",
        b"\"\\ud800\"",
        b"{\"a\":1e400}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let answer = house.post("/v1/submissions").token(&token).raw(body.to_vec()).send().await;

        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        assert_eq!(answer.problem(), (400, "malformed_body".to_owned(), vec![]), "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_comes_twice_does_not_fit() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    let body = br#"{"runtime":"python","runtime":"c","files":[]}"#.to_vec();

    let answer = house.post("/v1/submissions").token(&token).raw(body).send().await;

    assert_eq!(answer.problem().0, 422);
}

#[tokio::test]
async fn a_body_is_json_by_its_type_and_nothing_else() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    let post = |kind: &'static str| house.post("/v1/submissions").token(&token).header("content-type", kind);
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data; boundary=x",
    ] {
        let answer = post(kind).body("{}").send().await;

        assert_eq!(answer.problem().1, "unsupported_media_type", "{kind}");
    }
    let untyped = house.post("/v1/submissions").token(&token).body("{}").send().await;
    assert_eq!(untyped.status, 415);
    let coded = post("application/json").header("content-encoding", "gzip").body("{}").send().await;
    assert_eq!(coded.status, 415);
    assert_eq!(post("Application/JSON; charset=UTF-8").body("{}").send().await.status, 422);
}

#[tokio::test]
async fn more_than_a_mebibyte_of_files_is_too_large() {
    let house = House::build().await;
    house.with_sum().await;
    let token = house.token("alice", Role::Student);
    let of = |bytes: usize| with(&solution(), "/files/0/content", json!("#".repeat(bytes)));

    let just = house.post("/v1/submissions").token(&token).json(&of(1 << 20)).send().await;
    let over = house.post("/v1/submissions").token(&token).json(&of((1 << 20) + 1)).send().await;
    let far = house.post("/v1/submissions").token(&token).json(&of(4 << 20)).send().await;

    assert_eq!(just.status, 202);
    assert_eq!(over.problem(), (413, "payload_too_large".to_owned(), vec![]));
    assert_eq!(far.problem(), (413, "payload_too_large".to_owned(), vec![]));
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    let table = [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1000000000", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("state=lost", "state"),
        ("verdict=OK", "verdict"),
        ("owner=", "owner"),
        ("exercise_id=a%20b", "exercise_id"),
        ("legacy_id=", "legacy_id"),
        ("legacy_id=a%00", "legacy_id"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-13-01T00:00:00Z", "created_before"),
        ("cursor=", "cursor"),
        ("cursor=AAAA.AAAA", "cursor"),
        ("sort=owner", "sort"),
    ];
    for (query, name) in table {
        let answer = house.get(&format!("/v1/submissions?{query}")).token(&token).send().await;

        let expected = (422, "validation_failed".to_owned(), vec![format!("query {name}")]);
        assert_eq!(answer.problem(), expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_does_not_go_are_problems_too() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    for path in ["/v1", "/v1/submission", "/v1//submissions", "/v1/submissions/x/y/z", "/V1/me"] {
        let answer = house.get(path).token(&token).send().await;

        assert_eq!(answer.problem(), (404, "not_found".to_owned(), vec![]), "{path}");
    }
    let answer = house.call(Method::DELETE, "/v1/queue").token(&token).send().await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned(), vec![]));
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let malformed = house.get("/v1/submissions/not-an-id").token(&token).send().await;
    assert_eq!(malformed.problem(), (404, "not_found".to_owned(), vec![]));
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let house =
        House::of(Plan { caps: QueueCaps { total: 2, per_owner: 1, ..QueueCaps::NONE }, ..Plan::default() })
            .await;
    house.with_sum().await;
    let submit = async |subject: &str| {
        let token = house.token(subject, Role::Student);
        house.post("/v1/submissions").token(&token).json(&solution()).send().await
    };
    assert_eq!(submit("alice").await.status, 202);

    let too_many = submit("alice").await;
    assert_eq!(submit("bob").await.status, 202);
    let full = submit("carol").await;

    assert_eq!(too_many.problem(), (429, "too_many_queued".to_owned(), vec![]));
    assert_eq!(full.problem(), (503, "queue_full".to_owned(), vec![]));
    assert!(too_many.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(full.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_student_stores_no_drafts_without_end_and_a_backend_may() {
    let caps = QueueCaps { drafts_per_owner: 2, ..QueueCaps::NONE };
    let house = House::of(Plan { caps, ..Plan::default() }).await;
    house.with_sum().await;
    let mut draft = solution();
    draft["enqueue"] = json!(false);
    let batch = json!({ "submissions": vec![draft.clone(); 2] });
    let alice = house.token("alice", Role::Student);
    let stored = house.post("/v1/submissions/batch").token(&alice).json(&batch).send().await;
    assert_eq!(stored.status, 202, "{stored:?}");

    let refused = house.post("/v1/submissions").token(&alice).json(&draft).send().await;
    let queued = house.post("/v1/submissions").token(&alice).json(&solution()).send().await;
    draft["owner"] = json!("alice");
    let backend = house.token("platform", Role::Backend);
    let by_backend = house.post("/v1/submissions").token(&backend).json(&draft).send().await;

    assert_eq!(refused.problem(), (429, "too_many_drafts".to_owned(), vec![]));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!((queued.status.as_u16(), by_backend.status.as_u16()), (202, 202));
}

#[tokio::test]
async fn a_request_id_goes_through_and_a_hostile_one_does_not() {
    let house = House::build().await;
    let answer = house.get("/livez").header("x-request-id", "r-42").send().await;
    let hostile = house.get("/nothing").header("x-request-id", "a b").send().await;

    assert_eq!(answer.header("x-request-id"), "r-42");
    assert_ne!(hostile.header("x-request-id"), "a b");
    assert_eq!(hostile.json()["request_id"], hostile.header("x-request-id"));
}
