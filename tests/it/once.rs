//! Requests that are sent again: done once.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{Client, TestGuichet, exercises, programs};

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

#[tokio::test]
async fn a_request_sent_again_while_it_waits_gets_the_same_result() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");
    let mut body = programs::sleep_then_sum(0.3).body();
    body["exercise_id"] = json!("sum");
    let post = || {
        let request = alice
            .request(reqwest::Method::POST, "/v1/submissions")
            .header("Idempotency-Key", "\"key-1\"")
            .header("Prefer", "wait=30")
            .json(&body);
        crate::support::client::send(request)
    };

    let answers = futures_util::future::join_all((0..10).map(|_| post())).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect(200)).collect();

    let first = &answers[0];
    assert_eq!(
        (&first["state"], &first["result"]["verdict"]),
        (&json!("finished"), &json!("accepted")),
        "{first}"
    );
    assert!(answers.iter().all(|answer| answer == first), "{answers:?}");
    assert_eq!(alice.get("/v1/submissions").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
}
