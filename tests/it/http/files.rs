//! The files of a submission: told everywhere but in lists, and read as a zip by its owner.

use std::io::Read as _;

use axum::body::Body;
use guichet::app::Role;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::house::{Answer, House, solution, text};
use super::ownership::hidden_result;

fn two_files() -> Value {
    json!([{ "path": "main.py", "content": "é\n" }, { "path": "d/ü x", "content_base64": "/wA=" }])
}

fn told() -> Value {
    json!([{ "path": "main.py", "bytes": 3 }, { "path": "d/ü x", "bytes": 2 }])
}

fn with_two_files() -> Value {
    let mut body = solution();
    body["files"] = two_files();
    body
}

/// The first event of that type on a stream.
async fn event(body: Body, kind: &str) -> Value {
    let mut body = body;
    let mut read = String::new();
    loop {
        let frame = body.frame().await.expect("the stream goes on").expect("a frame");
        read.push_str(&String::from_utf8_lossy(&frame.into_data().expect("data")));
        let found = read.split("\n\n").find(|event| event.contains(&format!("event: {kind}\n")));
        if let Some(data) = found.and_then(|event| event.split("data: ").nth(1)?.lines().next())
            && let Ok(data) = serde_json::from_str(data)
        {
            return data;
        }
    }
}

#[tokio::test]
async fn a_submission_tells_its_files_and_a_list_does_not() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);

    let made = house.post("/v1/submissions").token(&alice).json(&with_two_files()).send().await.json();
    let batch = json!({ "submissions": [with_two_files()] });
    let batch = house.post("/v1/submissions/batch").token(&alice).json(&batch).send().await.json();
    let path = text(&made["links"]["self"]);
    let got = house.get(&path).token(&alice).send().await.json();
    let list = house.get("/v1/submissions").token(&alice).send().await.json();
    let own = house.get("/v1/events").token(&alice).answer().await.into_body();

    assert_eq!([&made["files"], &batch["items"][0]["files"], &got["files"]], [&told(), &told(), &told()]);
    assert_eq!((&list["items"][0]["files"], list["items"].as_array().unwrap().len()), (&Value::Null, 2));
    assert_eq!(event(own, "stream.snapshot").await["items"][0]["files"], Value::Null);
}

#[tokio::test]
async fn the_event_of_an_end_tells_the_files_that_were_graded() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let made = house.post("/v1/submissions").token(&alice).json(&with_two_files()).send().await.json();
    let path = text(&made["links"]["self"]);
    let lease = house.lease().await;
    let waiting = house.get(&path).token(&alice).header("prefer", "wait=60").send();
    let (waited, ()) = tokio::join!(waiting, house.finish(&lease, hidden_result()));
    let files = json!({ "files": [{ "path": "main.py", "content": "" }] });

    let replaced = house.put(&format!("{path}/files")).token(&alice).json(&files).send().await.json();
    let log = house.get(&format!("{path}/events")).token(&alice).answer().await.into_body();

    assert_eq!(waited.json()["files"], told());
    assert_eq!(replaced["files"], json!([{ "path": "main.py", "bytes": 0 }]));
    assert_eq!(event(log, "submission.finished").await["submission"]["files"], told());
}

fn entries(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&answer.bytes)).expect("a zip");
    let count = zip.len();
    let read = |index| {
        let mut file = zip.by_index(index).expect("an entry");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("its bytes");
        (file.name().expect("a name").into_owned(), bytes)
    };
    (0..count).map(read).collect()
}

#[tokio::test]
async fn all_files_are_read_as_one_zip_in_every_state() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let mut draft = with_two_files();
    draft["enqueue"] = json!(false);
    let made = house.post("/v1/submissions").token(&alice).json(&draft).send().await.json();
    let path = format!("{}/files", text(&made["links"]["self"]));
    let expected =
        vec![("main.py".to_owned(), "é\n".as_bytes().to_vec()), ("d/ü x".to_owned(), vec![255, 0])];

    let of_draft = house.get(&path).token(&alice).send().await;

    assert_eq!((of_draft.status.as_u16(), of_draft.header("content-type")), (200, "application/zip"));
    let name = format!("attachment; filename=\"submission-{}.zip\"", text(&made["id"]));
    assert_eq!(of_draft.header("content-disposition"), name);
    assert_eq!(of_draft.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(entries(&of_draft), expected);
    let tag = of_draft.header("etag").to_owned();
    let same = house.get(&path).token(&alice).header("if-none-match", &tag).send().await;
    assert_eq!((same.status.as_u16(), same.bytes.len()), (304, 0));
    house.post(&path.replace("/files", "/enqueue")).token(&alice).send().await;
    assert_eq!(entries(&house.get(&path).token(&alice).send().await), expected);
    house.post(&path.replace("/files", "/cancel")).token(&alice).send().await;
    let files = json!({ "files": [{ "path": "main.py", "content": "" }] });
    house.put(&path).token(&alice).json(&files).send().await;
    let changed = house.get(&path).token(&alice).header("if-none-match", &tag).send().await;
    assert_eq!(entries(&changed), [("main.py".to_owned(), Vec::new())]);
}

#[tokio::test]
async fn the_zip_of_another_s_files_is_not_there() {
    let house = House::build().await;
    house.with_sum().await;
    let path = format!("/v1/submissions/{}/files", house.submit("alice").await);
    let get = async |subject: &str, role: Role| {
        house.get(&path).token(&house.token(subject, role)).send().await.status.as_u16()
    };

    assert_eq!(get("bob", Role::Student).await, 404);
    assert_eq!(get("tina", Role::Teacher).await, 200);
    assert_eq!(house.get(&path).send().await.status, 401);
    let alice = house.token("alice", Role::Student);
    let none = format!("/v1/submissions/{}/files", uuid::Uuid::now_v7());
    assert_eq!(house.get(&none).token(&alice).send().await.status, 404);
}

#[tokio::test]
async fn the_largest_submission_is_a_zip_too() {
    let house = House::build().await;
    let alice = house.token("alice", Role::Student);
    let files: Vec<Value> = (0..256)
        .map(|index| json!({ "path": format!("f{index}.py"), "content": "#".repeat(4096) }))
        .collect();
    let mut run = json!({ "runtime": "python", "files": files, "run": {} });
    run["files"][0]["path"] = json!("main.py");
    let made = house.post("/v1/submissions").token(&alice).json(&run).send().await;
    assert_eq!(made.status, 202, "{made:?}");

    let zip = house.get(&format!("{}/files", made.header("location"))).token(&alice).send().await;

    assert_eq!(entries(&zip).len(), 256);
    assert_eq!(made.json()["files"].as_array().unwrap().len(), 256);
}
