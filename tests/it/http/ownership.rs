//! What isn't yours isn't there, and what is hidden stays hidden, in every answer, list and stream.

use axum::http::Method;
use guichet::app::Role;
use guichet::domain::exercise::Visibility;
use guichet::domain::verdict::{
    Capture, Exit, Points, SubmissionResult, TestReport, Timings, Usage, UsageSource, Verdict,
};
use serde_json::{Value, json};

use super::house::{House, text};

const ABSENT: &str = "01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1";

fn report(index: u32, name: &str, visibility: Visibility) -> TestReport {
    let points = Points { score: 2, max_score: 2 };
    TestReport {
        index,
        name: name.to_owned(),
        visibility,
        verdict: Verdict::Accepted,
        points: Some(points),
        usage: Usage { cpu_time_ms: 12, wall_time_ms: 15, memory_bytes: 8_011_776 },
        exit: Some(Exit::Code(0)),
        limit: None,
        stdin: Some("SECRET-IN".into()),
        expected: Some("SECRET-EXPECTED".into()),
        stdout: Capture { bytes: vec![b'S', 0xff].into(), truncated: false },
        stderr: Capture { bytes: "SECRET-ERR".into(), truncated: true },
        message: Some("SECRET-MESSAGE".to_owned()),
        judge_message: None,
    }
}

/// A result with one hidden test.
pub fn hidden_result() -> SubmissionResult {
    SubmissionResult {
        round: 1,
        verdict: Verdict::Accepted,
        points: Some(Points { score: 2, max_score: 2 }),
        groups: None,
        usage_source: UsageSource::CgroupV1,
        compile: None,
        tests: vec![report(1, "big", Visibility::Hidden)],
        timings: Timings::default(),
    }
}

async fn finished(house: &House) -> String {
    house.with_sum().await;
    let id = house.submit("alice").await;
    let lease = house.lease().await;
    house.finish(&lease, hidden_result()).await;
    id
}

#[tokio::test]
async fn another_s_submission_is_as_absent_as_an_absent_one() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let bob = house.token("bob", Role::Student);
    let table = [
        (Method::GET, "", None),
        (Method::GET, "/files/main.py", None),
        (Method::GET, "/events", None),
        (Method::POST, "/cancel", None),
        (Method::POST, "/enqueue", None),
        (Method::PUT, "/files", Some(json!({ "files": [{ "path": "main.py", "content": "" }] }))),
    ];
    for (method, rest, body) in table {
        let mut answers = Vec::new();
        for id in [id.as_str(), ABSENT] {
            let call = house.call(method.clone(), &format!("/v1/submissions/{id}{rest}")).token(&bob);
            let call = call.header("x-request-id", "same");
            let call = if let Some(body) = &body { call.json(body) } else { call };
            let answer = call.send().await;
            assert_eq!(answer.status, 404, "{method} {rest}");
            answers.push(answer.bytes);
        }
        assert_eq!(answers[0], answers[1], "{method} {rest}");
    }
    let ticket =
        house.post("/v1/stream-tickets").token(&bob).json(&json!({ "submission_id": id })).send().await;
    assert_eq!(ticket.status, 404);
    let list = house.get("/v1/submissions?owner=alice").token(&bob).send().await;
    assert_eq!(list.json()["items"], json!([]));
    let alice = house.token("alice", Role::Student);
    assert_eq!(
        house.get(&format!("/v1/submissions/{id}")).token(&alice).send().await.json()["state"],
        "queued"
    );
}

#[tokio::test]
async fn a_teacher_sees_everybody_s_submissions() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let tina = house.token("tina", Role::Teacher);

    let shown = house.get(&format!("/v1/submissions/{id}")).token(&tina).send().await;
    let cancelled = house.post(&format!("/v1/submissions/{id}/cancel")).token(&tina).send().await;

    assert_eq!(shown.json()["owner"], "alice");
    assert_eq!(cancelled.json()["state"], "cancelled");
}

const REDACTED: [&str; 8] = [
    "stdin",
    "expected",
    "stdout",
    "stdout_base64",
    "stdout_truncated",
    "stderr",
    "stderr_truncated",
    "message",
];

#[tokio::test]
async fn a_student_sees_of_a_hidden_test_how_it_went_and_no_more() {
    let house = House::build().await;
    let id = finished(&house).await;
    let alice = house.token("alice", Role::Student);
    let path = format!("/v1/submissions/{id}");

    let answer = house.get(&path).token(&alice).send().await;

    let body = answer.json();
    let test = &body["result"]["tests"][0];
    assert_eq!((text(&test["name"]), text(&test["verdict"])), ("big".to_owned(), "accepted".to_owned()));
    assert_eq!(test["usage"]["cpu_time_ms"], 12);
    for field in REDACTED {
        assert_eq!(test.get(field), Some(&Value::Null), "{field}");
    }
    let ways =
        ["/v1/submissions", path.as_str(), &format!("{path}/events"), "/v1/exercises/sum", "/v1/exercises"];
    for way in ways {
        let answer = house.get(way).token(&alice).send().await;
        let body = String::from_utf8(answer.bytes).unwrap();
        // The bare number occurs in ids and times.
        let hidden = ["SECRET", "40 2", "42\\n"];
        assert!(!hidden.iter().any(|text| body.contains(text)), "{way}: {body}");
    }
}

#[tokio::test]
async fn a_teacher_sees_all_of_a_hidden_test() {
    let house = House::build().await;
    let id = finished(&house).await;
    let tina = house.token("tina", Role::Teacher);

    let body = house.get(&format!("/v1/submissions/{id}")).token(&tina).send().await.json();

    let test = &body["result"]["tests"][0];
    assert_eq!(test["stdin"], "SECRET-IN");
    assert_eq!((&test["stdout"], &test["stdout_base64"]), (&json!("S\u{fffd}"), &json!("U/8=")));
    assert_eq!((&test["stderr"], &test["stderr_base64"]), (&json!("SECRET-ERR"), &Value::Null));
    let exercise = house.get("/v1/exercises/sum").token(&tina).send().await;
    assert_eq!(exercise.json()["tests"][1]["expected"], "42\n");
}

#[tokio::test]
async fn a_student_sees_of_a_hidden_test_case_its_name_and_weight() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);

    let answer = house.get("/v1/exercises/sum").token(&alice).send().await;

    assert_eq!(
        answer.json()["tests"][1],
        json!({ "name": "big", "args": null, "stdin": null, "expected": null, "visibility": "hidden", "weight": 3 })
    );
    let tina = house.token("tina", Role::Teacher);
    let of_teacher = house.get("/v1/exercises/sum").token(&tina).send().await;
    assert_ne!(answer.header("etag"), of_teacher.header("etag"));
}

#[tokio::test]
async fn a_list_leaves_the_tests_out() {
    let house = House::build().await;
    finished(&house).await;
    let alice = house.token("alice", Role::Student);

    let body = house.get("/v1/submissions?state=finished&verdict=accepted").token(&alice).send().await.json();

    assert_eq!(body["items"][0]["result"]["verdict"], "accepted");
    assert_eq!(body["items"][0]["result"].get("tests"), Some(&Value::Null));
}
