//! `guichet exercise` and `guichet submission`: the true program against a true service.

use serde_json::{Value, json};

use crate::host_commands::{ask, complaint, json_of, printed};
use crate::support::{TestGuichet, exercises, programs};

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn an_exercise_is_stored_from_a_file_listed_shown_and_stored_again_as_it_was_shown() {
    let guichet = TestGuichet::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sum.json");
    std::fs::write(&file, exercises::sum().to_string()).expect("a file");
    let file = file.to_string_lossy();

    let stored = printed(&ask(&guichet, &["exercise", "put", &file]));
    let listed = printed(&ask(&guichet, &["exercise", "list"]));
    let shown = printed(&ask(&guichet, &["exercise", "show", "sum"]));
    let whole = json_of(&ask(&guichet, &["exercise", "show", "sum", "--json"]));

    assert!(stored.starts_with("sum is stored: version 1, "), "{stored}");
    let mut lines = listed.lines();
    assert_eq!(words(lines.next().expect("headings")), ["ID", "VERSION", "TESTS", "RUNTIMES", "TITLE"]);
    assert_eq!(words(lines.next().expect("an exercise"))[..2], ["sum", "1"]);
    assert!(shown.contains("sum · version 1 · stdio"), "{shown}");
    assert_eq!(whole["id"], "sum");
    let copy = folder.path().join("another.json");
    std::fs::write(&copy, whole.to_string()).expect("a file");
    let copy = copy.to_string_lossy();
    let again = ask(&guichet, &["exercise", "put", &copy]);
    assert!(printed(&again).starts_with("sum is stored: version 1, "), "{again:?}");
    let other = ask(&guichet, &["exercise", "put", &copy, "--id", "other"]);
    assert!(printed(&other).starts_with("other is stored: version 1, "), "{other:?}");
}

#[tokio::test]
async fn an_exercise_that_does_not_fit_is_refused_with_its_place_and_one_that_is_no_json_by_its_line() {
    let guichet = TestGuichet::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.json");
    let mut exercise = exercises::sum();
    exercise["tests"][0]["weight"] = json!(-1);
    let path = file.to_string_lossy().into_owned();

    std::fs::write(&file, exercise.to_string()).expect("a file");
    let refused = ask(&guichet, &["exercise", "put", &path]);
    std::fs::write(&file, "{\n  \"title\": }").expect("a file");
    let malformed = ask(&guichet, &["exercise", "put", &path]);
    let missing = ask(&guichet, &["exercise", "show", "nothing"]);

    assert_eq!(refused.status.code(), Some(1));
    assert!(complaint(&refused).contains("/tests/0/weight"), "{}", complaint(&refused));
    assert_eq!(malformed.status.code(), Some(1));
    assert!(complaint(&malformed).contains("line 2"), "{}", complaint(&malformed));
    assert_eq!(missing.status.code(), Some(1));
    assert!(complaint(&missing).contains("not_found"), "{}", complaint(&missing));
}

#[tokio::test]
async fn submissions_are_listed_shown_cancelled_and_fetched() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");
    let graded = alice.grade("sum", &programs::c_sum()).await;
    let right = alice.get("/v1/submissions").await.expect(200)["items"][0]["id"].clone();
    let right = right.as_str().expect("an id");
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("fetched").to_string_lossy().into_owned();

    let listed = ask(&guichet, &["submission", "list", "--owner", "alice", "--verdict", "accepted"]);
    assert!(listed.status.success(), "{listed:?}");
    let listed = printed(&listed);
    let none = printed(&ask(&guichet, &["submission", "list", "--owner", "bob"]));
    let shown = printed(&ask(&guichet, &["submission", "show", right]));
    let fetched = ask(&guichet, &["submission", "files", right, "--to", &to]);
    let again = ask(&guichet, &["submission", "files", right, "--to", &to]);
    let ended = ask(&guichet, &["submission", "cancel", right]);

    assert_eq!(graded["verdict"], "accepted");
    let row = listed.lines().nth(1).expect("a submission");
    assert_eq!(words(row)[..5], [right, "alice", "sum", "c", "accepted"], "{listed}");
    assert_eq!(none.lines().count(), 1, "{none}");
    assert!(shown.contains("accepted, ") && shown.contains("TEST"), "{shown}");
    assert!(printed(&fetched).contains("main.c"), "{}", printed(&fetched));
    let source = std::fs::read_to_string(folder.path().join("fetched/main.c")).expect("the source");
    assert_eq!(Value::from(source), programs::c_sum().body()["files"][0]["content"]);
    assert_eq!(again.status.code(), Some(1), "what is there already stays: {again:?}");
    assert_eq!(ended.status.code(), Some(1), "it has ended: {ended:?}");
    assert!(complaint(&ended).contains("(submission_ended)"), "{ended:?}");
}

#[tokio::test]
async fn a_submission_that_waits_is_cancelled() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(20.0)).await;

    let cancelled = ask(&guichet, &["submission", "cancel", &id]);

    assert!(cancelled.status.success(), "{cancelled:?}");
    assert_eq!(alice.wait_for_state(&id, &["cancelled"]).await["state"], "cancelled");
}
