//! The shapes that scripts and generated clients rely on.

use guichet::app::Role;
use guichet::domain::exercise::Visibility;
use serde_json::{Value, json};

use super::house::{House, solution, sum, text};
use super::ownership::hidden_result;

#[tokio::test]
async fn a_queued_submission_shows_all_its_fields() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);

    let answer = house.post("/v1/submissions").token(&alice).json(&solution()).send().await;

    let mut body = answer.json();
    let (id, at) = (text(&body["id"]), text(&body["created_at"]));
    assert!(at.ends_with('Z') && at.len() == 24, "{at}");
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (202, format!("/v1/submissions/{id}").as_str())
    );
    let eta = body["eta"].take();
    assert!(eta["low_s"].is_u64() && eta["high_s"].is_u64(), "{eta}");
    assert_eq!(
        body,
        json!({
            "id": id, "backend": null, "legacy_id": null, "owner": "alice", "exercise_id": "sum",
            "exercise_version": 1, "run": null, "runtime": "python", "files": [{ "path": "main.py", "bytes": 40 }],
            "priority": "normal", "state": "queued",
            "position": 1, "eta": null, "round": 1, "attempt": 0, "created_at": at, "started_at": null,
            "finished_at": null, "metadata": { "lesson": 4 }, "result": null, "failure": null,
            "links": { "self": format!("/v1/submissions/{id}"), "events": format!("/v1/submissions/{id}/events") },
        })
    );
}

#[tokio::test]
async fn a_result_shows_all_its_fields() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let lease = house.lease().await;
    let mut result = hidden_result();
    for test in &mut result.tests {
        test.visibility = Visibility::Public;
        test.stdout.bytes = "3\n".into();
    }
    house.finish(&lease, result).await;
    let alice = house.token("alice", Role::Student);

    let body = house.get(&format!("/v1/submissions/{id}")).token(&alice).send().await.json();

    assert_eq!(
        body["result"],
        json!({
            "round": 1, "verdict": "accepted", "score": 2, "max_score": 2, "groups": null, "usage_source": "cgroup_v1",
            "compile": null,
            "tests": [{
                "index": 1, "name": "big", "visibility": "public", "verdict": "accepted", "score": 2, "max_score": 2,
                "usage": { "cpu_time_ms": 12, "wall_time_ms": 15, "memory_bytes": 8_011_776 }, "exit_code": 0,
                "signal": null, "limit": null, "stdin": "SECRET-IN", "expected": "SECRET-EXPECTED", "stdout": "3\n",
                "stdout_base64": null, "stdout_truncated": false, "stderr": "SECRET-ERR", "stderr_base64": null,
                "stderr_truncated": true, "message": "SECRET-MESSAGE",
            }],
            "timings": { "queued_ms": 0, "prepared_ms": 0, "compiled_ms": 0, "tested_ms": 0, "stored_ms": 0 },
        })
    );
    assert_eq!(body["position"], Value::Null);
    assert!(body["started_at"].is_string() && body["finished_at"].is_string(), "{body}");
}

#[tokio::test]
async fn a_run_needs_no_exercise() {
    let house = House::build().await;
    let alice = house.token("alice", Role::Student);
    let run = json!({ "runtime": "python", "files": [{ "path": "x.py", "content": "" }], "run": { "stdin": "", "args": [] } });

    let body = house.post("/v1/submissions").token(&alice).json(&run).send().await.json();

    assert_eq!((&body["run"], &body["exercise_id"]), (&run["run"], &Value::Null));
}

#[tokio::test]
async fn an_exercise_is_shown_as_it_was_sent() {
    let house = House::build().await;
    let teacher = house.token("tina", Role::Teacher);

    let answer = house.put("/v1/exercises/sum").token(&teacher).json(&sum()).send().await;

    let body = answer.json();
    assert_eq!((answer.status.as_u16(), &body["version"]), (201, &json!(1)));
    assert_eq!((answer.header("etag"), answer.header("location")), ("\"1\"", "/v1/exercises/sum"));
    for (field, value) in sum().as_object().unwrap() {
        assert_eq!(body[field], *value, "{field}");
    }
}

#[tokio::test]
async fn an_exercise_that_is_sent_as_it_was_shown_makes_no_version() {
    let house = House::build().await;
    let teacher = house.token("tina", Role::Teacher);
    let sent = json!({
        "title": "Sum", "kind": "stdio", "runtimes": ["c"], "limits": { "cpu_time_ms": 100, "processes": null },
        "limits_by_runtime": { "c": {} }, "checker": { "type": "tokens", "float_tolerance": { "absolute": 0.5 } },
        "starter_files": [{ "path": "main.c", "content_base64": "/w==" }],
        "tests": [{ "name": "a", "stdin_base64": "/w==", "expected": "" }],
    });
    let first = house.put("/v1/exercises/least").token(&teacher).json(&sent).send().await;
    let shown = house.get("/v1/exercises/least").token(&teacher).send().await.json();

    let second = house.put("/v1/exercises/least").token(&teacher).json(&shown).send().await;

    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200), "{second:?}");
    assert_eq!(second.json()["version"], 1);
}

#[tokio::test]
async fn what_an_exercise_leaves_out_shows_its_default() {
    let house = House::build().await;
    let teacher = house.token("tina", Role::Teacher);
    let least = json!({
        "title": "Sum", "kind": "stdio", "runtimes": ["c"],
        "tests": [{ "name": "a", "stdin_base64": "/w==", "expected": "" }],
    });

    let body = house.put("/v1/exercises/least").token(&teacher).json(&least).send().await.json();

    let shown = |field: &str| body[field].clone();
    assert_eq!(
        (shown("statement"), shown("priority"), shown("isolation")),
        (json!(""), json!("normal"), json!("reset"))
    );
    assert_eq!(
        (shown("limits"), shown("limits_by_runtime"), shown("compile_limits")),
        (json!({}), json!({}), json!({}))
    );
    assert_eq!(
        shown("checker"),
        json!({ "type": "tokens", "case_sensitive": true, "float_tolerance": null })
    );
    assert_eq!((shown("stop_on_first_failure"), shown("starter_files")), (json!(false), json!([])));
    assert_eq!(
        body["tests"][0],
        json!({
            "name": "a", "args": [], "stdin": null, "stdin_base64": "/w==", "expected": "", "visibility": "hidden",
            "weight": 1,
        })
    );
}

#[tokio::test]
async fn queue_runtimes_and_caller_show_all_their_fields() {
    let house = House::build().await;
    house.with_sum().await;
    house.submit("alice").await;
    let alice = house.token("alice", Role::Student);
    let get = async |path: &str| house.get(path).token(&alice).send().await.json();

    let (queue, runtimes, me) = (get("/v1/queue").await, get("/v1/runtimes").await, get("/v1/me").await);

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&queue),
        ["queued", "running", "slots", "oldest_queued_s", "finished_last_minute", "blocked_by", "eta"]
    );
    assert_eq!((&queue["queued"], &queue["running"]), (&json!(1), &json!(0)));
    let mut items = runtimes["items"].as_array().unwrap().iter();
    let runtime = items.find(|runtime| runtime["id"] == "c").unwrap();
    assert_eq!(
        keys(runtime),
        ["id", "language", "version", "name", "entry_file", "compiled", "limits", "ready", "blocked_by"]
    );
    assert_eq!(
        (&runtime["id"], &runtime["compiled"], &runtime["ready"], &runtime["blocked_by"]),
        (&json!("c"), &json!(true), &json!(false), &json!("no_healthy_host"))
    );
    assert_eq!(queue["blocked_by"], "no_healthy_host");
    assert_eq!(keys(&me), ["sub", "role", "expires_at", "queued", "max_queued"]);
    assert_eq!((&me["sub"], &me["role"], &me["queued"]), (&json!("alice"), &json!("student"), &json!(1)));
}

#[tokio::test]
async fn the_last_hour_of_the_queue_shows_all_its_fields() {
    let house = House::build().await;
    let now = house.clock.now();
    house.noted.send_modify(|history| {
        history.saw_queue(now, 3);
        history.started(now, 40);
        history.finished(now);
        history.lost(now);
    });

    let admin = house.token("root", Role::Admin);
    let mut shown = house.get("/v1/queue/history").token(&admin).send().await.json();

    assert!(shown["since"].take().is_string() && shown["minutes"][0]["at"].take().is_string());
    let wait = json!({ "p50_ms": 40, "p95_ms": 40 });
    assert_eq!(
        shown,
        json!({
            "since": null, "hour": { "wait": wait, "finished": 1, "faults": 1 },
            "minutes": [{ "at": null, "queued": 3, "wait": wait, "finished": 1, "faults": 1 }],
        })
    );
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let house = House::build().await;
    let committed = include_str!("../../../openapi/openapi.json");

    let served = house.get("/openapi.json").send().await;

    assert_eq!(String::from_utf8(served.bytes).unwrap(), committed);
}

#[test]
fn every_operation_has_a_name_an_example_and_a_description_of_each_answer() {
    let document: Value = serde_json::from_str(&guichet::http::openapi_json()).unwrap();
    let mut names = Vec::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        let name = text(&operation["operationId"]);
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let shared = answer.get("$ref").map(|path| text(path).replacen('#', "", 1));
            let answer = shared.map_or(answer, |path| document.pointer(&path).unwrap());
            assert!(answer["description"].is_string(), "{name} {status}");
            for content in
                answer.get("content").and_then(Value::as_object).into_iter().flat_map(|kinds| kinds.values())
            {
                let shown = content.get("example").or_else(|| content.get("examples"));
                assert!(shown.is_some(), "{name} {status} has no example");
            }
        }
        assert!(operation["summary"].is_string(), "{name}");
        names.push(name);
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[tokio::test]
async fn the_document_has_a_page_to_read_it_on() {
    let house = House::build().await;

    let page = house.get("/docs/").send().await;

    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert!(String::from_utf8(page.bytes).unwrap().contains("swagger"));
}

#[tokio::test]
async fn metadata_is_shown_as_it_was_sent_whatever_characters_it_has() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let metadata = json!({
        "nul": "a\u{0}b", "\u{0}": { "deep": ["\u{0}", "\u{ffff}", "\u{1f600}", "\u{2028}\r\n\u{7f}\""] }, "": null,
        "numbers": [0, -1, 18_446_744_073_709_551_615_u64, 0.1, 1e300],
    });
    let mut body = solution();
    body["metadata"] = metadata.clone();

    let stored = house.post("/v1/submissions").token(&alice).json(&body).send().await;
    let id = text(&stored.json()["id"]);
    let shown = house.get(&format!("/v1/submissions/{id}")).token(&alice).send().await.json();
    let listed = house.get("/v1/submissions").token(&alice).send().await.json();
    let cancelled = house.post(&format!("/v1/submissions/{id}/cancel")).token(&alice).send().await;

    assert_eq!(stored.status, 202, "{stored:?}");
    for seen in [&stored.json(), &shown, &listed["items"][0], &cancelled.json()] {
        assert_eq!(seen["metadata"], metadata);
    }
}
