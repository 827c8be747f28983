//! Asking again: idempotency keys, entity tags, preconditions, pages, waiting.

use axum::http::Method;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{House, solution, sum, text};

#[tokio::test]
async fn the_same_key_with_the_same_body_is_one_submission() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let post = async |key: &str, body: &Value| {
        house.post("/v1/submissions").token(&alice).header("idempotency-key", key).json(body).send().await
    };

    let first = post("k-1", &solution()).await;
    let again = post("\"k-1\"", &solution()).await;

    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(first.json()["id"], again.json()["id"]);
    let mut other = solution();
    other["metadata"] = json!({});
    let reused = post("k-1", &other).await;
    assert_eq!(
        reused.problem(),
        (422, "idempotency_key_reused".to_owned(), vec!["header Idempotency-Key".to_owned()])
    );
    let bob = house.token("bob", Role::Student);
    let of_bob = house
        .post("/v1/submissions")
        .token(&bob)
        .header("idempotency-key", "k-1")
        .json(&solution())
        .send()
        .await;
    assert_ne!(of_bob.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn a_key_that_makes_no_sense_is_refused() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    for key in ["", "\"\"", "a b", &"k".repeat(256)] {
        let call = house.post("/v1/submissions").token(&alice).header("idempotency-key", key);

        let answer = call.json(&solution()).send().await;

        let expected = (422, "validation_failed".to_owned(), vec!["header Idempotency-Key".to_owned()]);
        assert_eq!(answer.problem(), expected, "{key:.20}");
    }
}

#[tokio::test]
async fn a_batch_is_repeated_as_a_whole() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let batch = json!({ "submissions": [solution(), solution()] });
    let post = async || {
        let call = house.post("/v1/submissions/batch").token(&alice).header("idempotency-key", "b");
        call.json(&batch).send().await.json()
    };

    let (first, again) = (post().await, post().await);

    let ids = |body: &Value| {
        body["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first).len(), 2);
    assert_eq!(ids(&first), ids(&again));
}

#[tokio::test]
async fn a_submission_that_did_not_change_is_not_sent_again() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let alice = house.token("alice", Role::Student);
    let path = format!("/v1/submissions/{id}");
    let tag = house.get(&path).token(&alice).send().await.header("etag").to_owned();

    let same = house.get(&path).token(&alice).header("if-none-match", &tag).send().await;
    house.post(&format!("{path}/cancel")).token(&alice).send().await;
    let changed = house.get(&path).token(&alice).header("if-none-match", &tag).send().await;

    assert_eq!((same.status.as_u16(), same.bytes.len()), (304, 0));
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn an_exercise_changes_only_from_the_version_that_is_meant() {
    let house = House::build().await;
    let tina = house.token("tina", Role::Teacher);
    let put = async |condition: Option<(&str, &str)>, title: &str| {
        let mut body = sum();
        body["title"] = json!(title);
        let call = house.put("/v1/exercises/sum").token(&tina);
        let call = if let Some((name, value)) = condition { call.header(name, value) } else { call };
        let answer = call.json(&body).send().await;
        (answer.status.as_u16(), answer.json()["version"].as_u64())
    };

    assert_eq!(put(Some(("if-match", "*")), "A").await.0, 412);
    assert_eq!(put(Some(("if-match", "\"1\"")), "A").await.0, 412);
    assert_eq!(put(Some(("if-none-match", "*")), "A").await, (201, Some(1)));
    assert_eq!(put(Some(("if-none-match", "*")), "B").await.0, 412);
    assert_eq!(put(None, "A").await, (200, Some(1)));
    assert_eq!(put(Some(("if-match", "\"1\"")), "B").await, (200, Some(2)));
    assert_eq!(put(Some(("if-match", "\"1\"")), "C").await.0, 412);
    assert_eq!(put(Some(("if-match", "W/\"2\"")), "C").await.0, 412);
    assert_eq!(put(Some(("if-match", "\"9\", \"2\"")), "C").await, (200, Some(3)));
    let delete = house.call(Method::DELETE, "/v1/exercises/sum").token(&tina);
    assert_eq!(delete.header("if-match", "\"1\"").send().await.status, 412);
    let delete = house.call(Method::DELETE, "/v1/exercises/sum").token(&tina);
    assert_eq!(delete.header("if-match", "\"3\"").send().await.status, 204);
    assert_eq!(put(None, "C").await, (201, Some(4)));
}

#[tokio::test]
async fn pages_show_every_submission_once_newest_first() {
    let house = House::build().await;
    house.with_sum().await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(house.submit("alice").await);
    }
    sent.reverse();
    let alice = house.token("alice", Role::Student);
    let mut path = "/v1/submissions?exercise_id=sum&limit=2".to_owned();
    let mut listed = Vec::new();
    let mut pages = 0;
    loop {
        let answer = house.get(&path).token(&alice).send().await;
        let body = answer.json();
        listed.extend(body["items"].as_array().unwrap().iter().map(|item| text(&item["id"])));
        pages += 1;
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        let link = answer.header("link").to_owned();
        path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        assert!(path.ends_with(&format!("limit=2&cursor={cursor}")), "{path}");
    }

    assert_eq!((listed, pages), (sent, 3));
}

#[tokio::test]
async fn a_cursor_is_worth_nothing_to_others_or_with_other_filters() {
    let house = House::build().await;
    house.with_sum().await;
    house.submit("alice").await;
    house.submit("alice").await;
    let alice = house.token("alice", Role::Student);
    let page = house.get("/v1/submissions?limit=1").token(&alice).send().await.json();
    let cursor = text(&page["next_cursor"]);
    let refused = async |token: &str, query: &str| {
        house.get(&format!("/v1/submissions?{query}&cursor={cursor}")).token(token).send().await.status == 422
    };

    assert!(!refused(&alice, "limit=1").await);
    assert!(refused(&alice, "state=queued").await);
    assert!(refused(&house.token("bob", Role::Student), "limit=1").await);
    assert!(refused(&house.token("alice", Role::Teacher), "limit=1").await);
    let of_exercises = house.get(&format!("/v1/exercises?cursor={cursor}")).token(&alice).send().await;
    assert_eq!(of_exercises.status, 422);
}

#[tokio::test]
async fn who_would_wait_gets_the_result_when_it_is_there() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let alice = house.token("alice", Role::Student);
    let path = format!("/v1/submissions/{id}");
    let waiting = house.get(&path).token(&alice).header("prefer", "wait=60").send();

    let (answer, ()) = tokio::join!(waiting, async {
        let lease = house.lease().await;
        house.finish(&lease, super::ownership::hidden_result()).await;
    });

    assert_eq!(answer.json()["state"], "finished");
    assert_eq!(answer.header("preference-applied"), "wait=60");
}

#[tokio::test]
async fn a_draft_is_answered_at_once() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let mut draft = solution();
    draft["enqueue"] = json!(false);

    let answer =
        house.post("/v1/submissions").token(&alice).header("prefer", "wait=60").json(&draft).send().await;

    assert_eq!((answer.status.as_u16(), text(&answer.json()["state"])), (202, "draft".to_owned()));
}

#[tokio::test]
async fn files_are_read_as_bytes_and_replaced_only_while_nothing_runs() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let mut draft = solution();
    draft["enqueue"] = json!(false);
    draft["files"] =
        json!([{ "path": "main.py", "content": "1" }, { "path": "d/x", "content_base64": "/wA=" }]);
    let made = house.post("/v1/submissions").token(&alice).json(&draft).send().await;
    let path = text(&made.json()["links"]["self"]);

    let file = house.get(&format!("{path}/files/d/x")).token(&alice).send().await;

    assert_eq!(
        (file.bytes.as_slice(), file.header("content-type")),
        (&[255, 0][..], "application/octet-stream")
    );
    assert_eq!(file.header("content-disposition"), "attachment");
    let files = json!({ "files": [{ "path": "main.py", "content": "2" }] });
    let replaced = house.put(&format!("{path}/files")).token(&alice).json(&files).send().await;
    assert_eq!(replaced.status, 200);
    assert_eq!(house.get(&format!("{path}/files/d/x")).token(&alice).send().await.status, 404);
    assert_eq!(house.post(&format!("{path}/enqueue")).token(&alice).send().await.status, 202);
    let active = house.put(&format!("{path}/files")).token(&alice).json(&files).send().await;
    assert_eq!(active.problem(), (409, "submission_active".to_owned(), vec![]));
}

#[tokio::test]
async fn a_legacy_id_is_taken_once() {
    let house = House::build().await;
    house.with_sum().await;
    let platform = house.token("platform", Role::Backend);
    let mut request = solution();
    request["legacy_id"] = json!("exercice/7 \u{e9}");
    let first = house.post("/v1/submissions").token(&platform).json(&request).send().await;

    let again = house.post("/v1/submissions").token(&platform).json(&request).send().await;

    assert_eq!(first.json()["backend"], "default");
    assert_eq!(first.json()["legacy_id"], "exercice/7 \u{e9}");
    assert_eq!(again.problem().0, 409);
    assert_eq!(again.json()["code"], "legacy_id_taken");
    assert_eq!(again.json()["submission_id"], first.json()["id"]);
}
