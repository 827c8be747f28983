//! A service of today on what an earlier version has left.

use serde_json::{Value, json};

use crate::storage::shell::answered;
use crate::support::engine::root;
use crate::support::{Options, TestGuichet, programs};

/// A service whose database an earlier version wrote, before the migration 0011: an exercise, a graded submission of alice's, and two
/// that wait, of which the first is right.
fn of_earlier_version() -> TestGuichet {
    let guichet = TestGuichet::prepare(Options::default());
    std::fs::create_dir_all(guichet.data()).expect("a folder");
    let written =
        std::fs::read_to_string(root().join("tests/data/database-before-0011.sql")).expect("a database");
    answered(&guichet.data().join("guichet.sqlite"), &written);
    guichet
}

fn verdicts(list: &Value) -> Vec<Value> {
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|submission| submission["result"]["verdict"].clone()).collect()
}

#[tokio::test]
async fn what_an_earlier_version_left_is_there_after_an_upgrade_and_what_waited_runs() {
    let guichet = of_earlier_version();

    guichet.restart().await;

    let alice = guichet.student("alice");
    let all = alice.get("/v1/submissions").await.expect(200);
    for submission in all["items"].as_array().expect("a list") {
        alice.ended(submission["id"].as_str().expect("an id")).await;
    }
    let all = alice.get("/v1/submissions").await.expect(200);
    assert_eq!(verdicts(&all), [json!("wrong_answer"), json!("accepted"), json!("accepted")]);
    let oldest = all["items"][2]["id"].as_str().expect("an id");
    let events = alice.get(&format!("/v1/submissions/{oldest}/events")).await.text;
    assert!(events.contains("event: submission.finished"), "{events}");
    let results = guichet.teacher().get("/v1/exercises/sum/results").await.expect(200);
    assert_eq!(results["items"][0]["submissions"], 3, "{results}");
    let exercise = guichet.teacher().get("/v1/exercises/sum").await.expect(200);
    let stored = guichet.teacher().put("/v1/exercises/sum", &exercise).await.expect(200);
    assert_eq!(stored["version"], 1, "what was shown is what is stored: no new version");
    assert_eq!(alice.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
}
