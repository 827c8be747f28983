//! One example for each body of each operation, in the words of the product's own tour.

use serde_json::{Value, json};

use super::judging_examples;

pub(super) const ID: &str = "01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1";
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
const LINK: &str = "q0Zt3w5dM1n8Xb2Yc7LkVh4sGf6RpTj9eUaWoIvNyQE";
const CONTAINER: &str = "4f1c0d2b9a7e6f5d3c8b1a0e9d7f6c5b4a3e2d1c0f9b8a7e6d5c4b3a2f1e0d9c";

/// Puts the examples into an operation of the document.
pub fn add(operation: &mut Value) {
    let Some(name) = operation.get("operationId").and_then(Value::as_str).map(str::to_owned) else { return };
    if let Some(example) = request(&name) {
        set(operation.pointer_mut("/requestBody/content/application~1json"), example);
    }
    for status in ["200", "201", "202"] {
        let content = format!("/responses/{status}/content");
        let contents = operation.pointer_mut(&content).and_then(Value::as_object_mut);
        for (media, content) in contents.into_iter().flatten() {
            if let Some(example) = answer(&name, status, media) {
                set(Some(content), example);
            }
        }
    }
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let named = parameter.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(example) = self::parameter(&name, &named) {
            set(Some(parameter), example);
        }
    }
}

fn set(place: Option<&mut Value>, example: Value) {
    if let Some(place) = place.and_then(Value::as_object_mut) {
        place.insert("example".to_owned(), example);
    }
}

/// Only what must be sent: pages that try the API fill in what they find here, and send it.
fn parameter(operation: &str, name: &str) -> Option<Value> {
    Some(match name {
        "id" if matches!(
            operation,
            "get_exercise"
                | "put_exercise"
                | "get_exercise_results"
                | "rejudge_exercise"
                | "check_exercise"
                | "export_exercise"
        ) =>
        {
            json!("sum")
        }
        "id" if operation == "delete_container" => json!(CONTAINER),
        "path" => json!("main.py"),
        "name" => json!("host-1"),
        "code" => json!("validation_failed"),
        "link" => json!(LINK),
        _ => return None,
    })
}

fn imported_exercise(version: u32) -> Value {
    let mut imported = exercise(version);
    if let Some(fields) = imported.as_object_mut() {
        let notes = json!([{ "path": "problem.yaml", "message": "license is not kept" }]);
        fields.insert("notes".to_owned(), notes);
    }
    imported
}

fn files() -> Value {
    json!([{ "path": "main.py", "content": "a,b=map(int,input().split())\nprint(a+b)\n" }])
}

fn submission_request() -> Value {
    json!({ "exercise_id": "sum", "runtime": "python", "files": files(), "metadata": { "lesson": 4 } })
}

fn request(operation: &str) -> Option<Value> {
    Some(match operation {
        "create_submission" => submission_request(),
        "create_submission_batch" => json!({ "submissions": [
            submission_request(),
            { "runtime": "python", "files": files(), "run": { "stdin": "1 2\n", "args": [] } },
        ] }),
        "replace_submission_files" => json!({ "files": files() }),
        "create_stream_ticket" => json!({ "ttl_s": 600 }),
        "create_sign_in_link" => {
            json!({ "sub": "alice", "role": "student", "path": "/exercises/sum" })
        }
        "create_session" => json!({ "token": TOKEN }),
        "put_exercise" => exercise_request(),
        "rejudge_exercise" => json!({ "mode": "preview", "runtime": "python" }),
        "add_host" => json!({ "name": "judge-2", "url": "tcp://judge-2.example:2375", "slots": 2 }),
        "update_host" => json!({ "mode": "draining" }),
        _ => return None,
    })
}

fn answer(operation: &str, status: &str, media: &str) -> Option<Value> {
    Some(match operation {
        "create_submission" if status == "200" => finished_submission(),
        "create_submission" | "enqueue_submission" | "rejudge_submission" => queued_submission(),
        "replace_submission_files" | "get_submission" => finished_submission(),
        "cancel_submission" => cancelled_submission(),
        "create_submission_batch" => json!({ "items": [queued_submission()] }),
        "follow_events" => {
            json!({ "type": "stream.snapshot", "items": [without_files(queued_submission())] })
        }
        "list_submissions" => json!({ "items": [listed_submission()], "next_cursor": null }),
        "import_exercise" => imported_exercise(if status == "200" { 2 } else { 1 }),
        "export_exercise" | "get_submission_files" => json!("PK\u{3}\u{4}\u{a}\u{0}…"),
        "get_submission_file" => json!("a,b=map(int,input().split())\nprint(a+b)\n"),
        "follow_submission_events" => {
            json!({ "type": "submission.queued", "submission_id": ID, "round": 1, "attempt": 0, "position": 3, "eta": { "low_s": 2, "high_s": 5 } })
        }
        "create_stream_ticket" => {
            json!({ "ticket": "eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl", "expires_at": "2026-11-22T10:10:00.000Z" })
        }
        "put_exercise" if status == "200" => exercise(2),
        "put_exercise" | "get_exercise" => exercise(1),
        "list_exercises" => json!({ "items": [listed_exercise()], "next_cursor": null }),
        "get_exercise_results" if media == "text/csv" => json!(RESULTS_TABLE),
        "get_exercise_results" => exercise_results(),
        "list_runtimes" => json!({ "items": [runtime()] }),
        "get_queue" => queue(),
        "get_queue_history" => queue_history(),
        "get_me" | "create_session" => json!({
            "sub": "alice", "role": "student", "expires_at": "2026-11-23T10:00:00.000Z", "queued": 1,
            "max_queued": 500,
        }),
        "create_sign_in_link" => json!({
            "url": format!("https://school.example/guichet/v1/sign-in?link={LINK}"),
            "expires_at": "2026-11-22T11:00:00.000Z",
        }),
        "show_sign_in_link" => json!("<!doctype html>\n<title>Sign in to Guichet</title>\n"),
        "list_links" => json!({ "items": [link()] }),
        "list_hosts" => json!({ "items": [host("active")] }),
        "get_host" => host("active"),
        "add_host" => added_host(),
        "update_host" => host("draining"),
        "follow_host_events" => {
            json!({ "type": "hosts.snapshot", "hosts": [host("active")], "queue": queue() })
        }
        "list_containers" => json!({ "items": [container("busy")], "next_cursor": null }),
        "delete_container" => container("removing"),
        "explain_problem" if media == "text/html" => {
            json!("<!doctype html>\n<title>The request is not valid · Guichet</title>\n")
        }
        "explain_problem" => explanation(),
        "get_liveness" | "get_readiness" => json!("ok\n"),
        "get_metrics" => json!("# TYPE guichet_streams_open gauge\nguichet_streams_open 2\n"),
        _ => return judging_examples::answer(operation),
    })
}

fn submission(state: &Value, result: &Value) -> Value {
    json!({
        "id": ID, "backend": null, "legacy_id": null, "owner": "alice", "exercise_id": "sum", "exercise_version": 1,
        "run": null, "runtime": "python", "files": [{ "path": "main.py", "bytes": 40 }], "priority": "normal", "state": state["state"],
        "position": state["position"], "eta": state["eta"], "round": 1, "attempt": state["attempt"],
        "created_at": "2026-11-22T10:00:00.000Z", "started_at": state["started_at"],
        "finished_at": state["finished_at"], "metadata": { "lesson": 4 }, "result": result, "failure": null,
        "links": { "self": format!("/v1/submissions/{ID}"), "events": format!("/v1/submissions/{ID}/events") },
    })
}

fn queued_submission() -> Value {
    let state = json!({ "state": "queued", "position": 3, "eta": { "low_s": 2, "high_s": 5 }, "attempt": 0 });
    submission(&state, &Value::Null)
}

fn cancelled_submission() -> Value {
    let state = json!({ "state": "cancelled", "attempt": 0, "finished_at": "2026-11-22T10:00:01.000Z" });
    submission(&state, &Value::Null)
}

fn finished_state() -> Value {
    json!({
        "state": "finished", "attempt": 1, "started_at": "2026-11-22T10:00:02.000Z",
        "finished_at": "2026-11-22T10:00:02.040Z",
    })
}

fn result(tests: &Value) -> Value {
    json!({
        "round": 1, "verdict": "accepted", "score": 4, "max_score": 4, "usage_source": "cgroup_v1", "compile": null,
        "tests": tests,
        "timings": { "queued_ms": 3, "prepared_ms": 1, "compiled_ms": 0, "tested_ms": 31, "stored_ms": 1 },
    })
}

fn finished_submission() -> Value {
    let usage = json!({ "cpu_time_ms": 12, "wall_time_ms": 15, "memory_bytes": 8_011_776 });
    let tests = json!([
        {
            "index": 1, "name": "small", "visibility": "public", "verdict": "accepted", "score": 1, "max_score": 1,
            "usage": usage, "exit_code": 0, "signal": null, "limit": null, "stdin": "1 2\n", "expected": "3\n",
            "stdout": "3\n", "stdout_base64": null, "stdout_truncated": false, "stderr": "", "stderr_base64": null,
            "stderr_truncated": false, "message": null,
        },
        {
            "index": 2, "name": "big", "visibility": "hidden", "verdict": "accepted", "score": 3, "max_score": 3,
            "usage": usage, "exit_code": 0, "signal": null, "limit": null, "stdin": null, "expected": null,
            "stdout": null, "stdout_base64": null, "stdout_truncated": null, "stderr": null, "stderr_base64": null,
            "stderr_truncated": null, "message": null,
        },
    ]);
    submission(&finished_state(), &result(&tests))
}

fn listed_submission() -> Value {
    without_files(submission(&finished_state(), &result(&Value::Null)))
}

fn without_files(submission: Value) -> Value {
    without("files", submission)
}

/// The object with null in that field.
fn without(field: &str, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), Value::Null);
    }
    object
}

fn exercise_request() -> Value {
    json!({
        "title": "Sum", "statement": "Read two integers, print their sum.", "kind": "stdio",
        "runtimes": ["python", "c"], "starter_files": [], "priority": "normal", "isolation": "reset",
        "limits": {
            "cpu_time_ms": 1000, "wall_time_ms": 3000, "memory_bytes": 268_435_456, "output_bytes": 65536,
            "processes": 16,
        },
        "limits_by_runtime": { "python": { "cpu_time_ms": 3000 } },
        "compile_limits": { "cpu_time_ms": 10000, "wall_time_ms": 30000, "memory_bytes": 536_870_912 },
        "checker": { "type": "tokens", "case_sensitive": true, "float_tolerance": null },
        "stop_on_first_failure": false,
        "tests": [
            { "name": "small", "args": [], "stdin": "1 2\n", "expected": "3\n", "visibility": "public", "weight": 1 },
            { "name": "big", "args": [], "stdin": "40 2\n", "expected": "42\n", "visibility": "hidden", "weight": 3 },
        ],
        "solutions": [
            { "name": "right", "runtime": "python", "files": files(), "expected_verdicts": ["accepted"] },
        ],
    })
}

fn exercise(version: u32) -> Value {
    let mut shown =
        json!({ "id": "sum", "version": version, "updated_at": "2026-11-22T09:00:00.000Z", "test_count": 2 });
    if let (Some(shown), Value::Object(request)) = (shown.as_object_mut(), exercise_request()) {
        shown.extend(request);
    }
    shown
}

fn listed_exercise() -> Value {
    without("tests", without("solutions", exercise(1)))
}

/// What [`exercise_results`] shows of owners.
const RESULTS_TABLE: &str = "owner,submissions,best_submission_id,best_exercise_version,best_verdict,best_score,\
    best_max_score,best_ended_at,last_submission_id,last_exercise_version,last_verdict,last_score,last_max_score,\
    last_ended_at\r\n\"alice\",2,\"01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1\",1,\"accepted\",4,4,\
    \"2026-11-22T10:00:02.040Z\",\"01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1\",1,\"accepted\",4,4,\
    \"2026-11-22T10:00:02.040Z\"\r\n";

fn exercise_results() -> Value {
    let graded = json!({
        "submission_id": ID, "exercise_version": 1, "verdict": "accepted", "score": 4, "max_score": 4,
        "ended_at": "2026-11-22T10:00:02.040Z",
    });
    let accepted = json!({ "runs": 1, "failures": 0, "verdicts": [{ "verdict": "accepted", "count": 1 }] });
    let mixed = json!({
        "runs": 2, "failures": 1,
        "verdicts": [{ "verdict": "accepted", "count": 1 }, { "verdict": "wrong_answer", "count": 1 }],
    });
    json!({
        "items": [{ "owner": "alice", "submissions": 2, "best": graded, "last": graded }], "next_cursor": null,
        "tests": [{ "name": "small", "last": accepted, "all": mixed }, { "name": "big", "last": accepted, "all": mixed }],
    })
}

fn explanation() -> Value {
    json!({
        "type": "/problems/validation_failed", "code": "validation_failed", "status": 422,
        "title": "The request is not valid", "what_happened": "Fields of the request don't fit.",
        "what_is_true_now": "Nothing was stored and nothing was changed.",
        "what_to_do": "Correct all fields that are named and send it again.",
    })
}

fn runtime() -> Value {
    json!({
        "id": "python", "language": "python", "version": "3.11", "name": "Python 3.11", "entry_file": "main.py",
        "compiled": false,
        "limits": {
            "default": {
                "cpu_time_ms": 2000, "wall_time_ms": 5000, "memory_bytes": 268_435_456, "output_bytes": 1_048_576,
                "processes": 32,
            },
            "maximum": {
                "cpu_time_ms": 60000, "wall_time_ms": 120_000, "memory_bytes": 1_073_741_824,
                "output_bytes": 16_777_216, "processes": 512,
            },
        },
        "ready": true, "blocked_by": null,
    })
}

fn queue() -> Value {
    json!({
        "queued": 3, "running": 2, "slots": { "total": 2, "free": 0 }, "oldest_queued_s": 4,
        "finished_last_minute": 57, "blocked_by": null, "eta": { "low_s": 1, "high_s": 4 },
    })
}

fn queue_history() -> Value {
    let wait = json!({ "p50_ms": 240, "p95_ms": 1920 });
    json!({
        "since": "2026-11-22T09:58:13.000Z", "hour": { "wait": wait, "finished": 112, "faults": 1 },
        "minutes": [
            { "at": "2026-11-22T09:58:00.000Z", "queued": 0, "wait": null, "finished": 0, "faults": 0 },
            { "at": "2026-11-22T09:59:00.000Z", "queued": 6, "wait": wait, "finished": 112, "faults": 1 },
        ],
    })
}

fn link() -> Value {
    json!({
        "name": "default", "host": "backend.example", "tcp_port": 54555, "state": "connected", "encoding": "kryo",
        "since": "2026-11-22T10:00:00.000Z", "connections": 2, "packets_in": 12, "packets_out": 2,
        "exercises": { "enqueued": 11, "duplicate": 1, "unknown": 0, "invalid": 0 },
        "last_error": {
            "at": "2026-11-22T09:59:58.000Z", "message": "the backend sent nothing for read_timeout_ms",
        },
    })
}

fn added_host() -> Value {
    json!({
        "name": "judge-2", "url": "tcp://judge-2.example:2375", "certs": null, "source": "api", "mode": "active",
        "drained": false, "state": "connecting", "since": "2026-11-22T10:00:00.000Z", "next_attempt_at": null,
        "engine": null, "warnings": [], "slots": { "configured": 2, "total": 0, "busy": 0, "free": 0 },
        "runtimes": [], "submissions": { "running": 0, "ended": 0, "lost": 0 }, "last_error": null,
        "created_at": "2026-11-22T10:00:00.000Z", "links": { "self": "/v1/hosts/judge-2", "containers": "/v1/containers?host=judge-2" },
    })
}

fn container(state: &str) -> Value {
    json!({
        "id": CONTAINER, "host": "host-1", "runtime": "python", "slot": 0, "state": state, "submission_id": ID,
        "transport": "socket", "created_at": "2026-11-22T10:00:00.000Z", "submissions": 12,
    })
}

fn host(mode: &str) -> Value {
    json!({
        "name": "host-1", "url": "unix:///var/run/docker.sock", "certs": null, "source": "config", "mode": mode,
        "drained": false, "state": "healthy", "since": "2026-11-22T10:00:00.000Z", "next_attempt_at": null,
        "engine": {
            "version": "20.10.24", "api_version": "1.41", "runc_version": "1.1.5", "kernel": "6.1.0", "cgroup": "v1",
            "cores": 2, "memory_bytes": 25_282_080_768_u64,
        },
        "warnings": [{
            "code": "live_restore",
            "message": "live-restore is off, a restart of the engine ends the programs that run: \
                        set \"live-restore\": true in /etc/docker/daemon.json",
        }],
        "slots": { "configured": null, "total": 2, "busy": 1, "free": 1 },
        "runtimes": [{ "id": "python", "image": "ready", "progress": null, "warm": 1, "busy": 1, "error": null }],
        "submissions": { "running": 1, "ended": 812, "lost": 0 }, "last_error": null,
        "created_at": "2026-11-20T08:00:00.000Z",
        "links": { "self": "/v1/hosts/host-1", "containers": "/v1/containers?host=host-1" },
    })
}
