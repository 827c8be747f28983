//! Streams as their readers see them: framing, ends, tickets.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{House, text};
use super::ownership::hidden_result;
use crate::support::wait_for;

/// How long a test waits for what must come.
pub const SOON: Duration = Duration::from_mins(1);

/// One event as it was framed.
#[derive(Debug, PartialEq)]
pub struct Framed {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

pub fn events(stream: &str) -> Vec<Framed> {
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    stream
        .split("\n\n")
        .filter_map(|block| {
            let name = field(block, "event")?;
            let data: Value = serde_json::from_str(&field(block, "data").unwrap()).unwrap();
            assert_eq!(data["type"], json!(name), "an event's data says its type");
            Some(Framed { name, id: field(block, "id"), data })
        })
        .collect()
}

fn names(stream: &str) -> Vec<String> {
    let told = events(stream).into_iter().filter(|event| event.name != "queue.position");
    told.map(|event| event.name).collect()
}

/// An event's id without its epoch.
fn number(event: &Framed) -> &str {
    event.id.as_deref().and_then(|id| id.split('.').next()).unwrap()
}

/// What comes until `done` says it's enough, or the stream ends.
pub async fn read_until(chunks: &mut BodyDataStream, done: impl Fn(&str) -> bool) -> String {
    let mut read = String::new();
    while !done(&read) {
        let next = tokio::time::timeout(SOON, chunks.next()).await;
        let Some(chunk) = next.unwrap_or_else(|_| panic!("only came: {read}")) else { break };
        read.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    read
}

pub async fn ticket(house: &House, token: &str, request: Value) -> String {
    let answer = house.post("/v1/stream-tickets").token(token).json(&request).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    text(&answer.json()["ticket"])
}

#[tokio::test]
async fn a_latecomer_sees_the_whole_story_and_its_end() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let lease = house.lease().await;
    house.finish(&lease, hidden_result()).await;
    let alice = house.token("alice", Role::Student);
    let path = format!("/v1/submissions/{id}/events");

    let answer = house.get(&path).token(&alice).send().await;

    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let stream = String::from_utf8(answer.bytes).unwrap();
    assert!(stream.starts_with("retry: 2000\n\n"), "{stream}");
    assert_eq!(names(&stream), ["submission.queued", "submission.started", "submission.finished"]);
    let told = events(&stream);
    let last = told.last().unwrap();
    let shown = house.get(&format!("/v1/submissions/{id}")).token(&alice).send().await.json();
    assert_eq!(last.data["submission"], shown);
    assert_eq!([&told[0], last].map(number), ["1", "3"]);
    let [first, last] = [&told[0], last].map(|event| event.id.clone().unwrap());
    let after = house.get(&path).token(&alice).header("last-event-id", &last).send().await;
    assert_eq!((after.status.as_u16(), after.bytes.len()), (204, 0));
    let resumed = house.get(&format!("{path}?last_event_id={first}")).token(&alice).send().await;
    let resumed = String::from_utf8(resumed.bytes).unwrap();
    assert_eq!(names(&resumed), ["submission.started", "submission.finished"]);
}

#[tokio::test]
async fn an_id_that_nobody_gave_out_starts_anew() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let alice = house.token("alice", Role::Student);
    house.post(&format!("/v1/submissions/{id}/cancel")).token(&alice).send().await;
    for last in ["-1", "1", "x", "1 2", "1.0123456789abcdef", "9223372036854775807", &"9".repeat(5000)] {
        let call = house.get(&format!("/v1/submissions/{id}/events")).token(&alice);

        let answer = call.header("last-event-id", last).send().await;

        let stream = String::from_utf8(answer.bytes).unwrap();
        assert_eq!(
            names(&stream),
            ["stream.reset", "submission.queued", "submission.cancelled"],
            "{last:.30}"
        );
    }
}

#[tokio::test]
async fn one_connection_carries_all_of_an_owner_and_nothing_of_others() {
    let house = House::build().await;
    house.with_sum().await;
    let first = house.submit("alice").await;
    house.submit("bob").await;
    let alice = house.token("alice", Role::Student);
    let mut body = house.get("/v1/events").token(&alice).answer().await.into_body().into_data_stream();
    let mut stream = read_until(&mut body, |read| read.contains("]}\n")).await;
    let second = house.submit("alice").await;
    house.submit("bob").await;

    stream += &read_until(&mut body, |read| read.contains("submission.queued")).await;

    let told = events(&stream);
    assert_eq!((told[0].name.as_str(), number(&told[0])), ("stream.snapshot", "o1"));
    assert_eq!(told[0].data["items"][0]["id"], json!(first));
    let queued = told.iter().find(|event| event.name == "submission.queued").unwrap();
    assert_eq!((number(queued), &queued.data["submission_id"]), ("o2", &json!(second)));
    assert!(told.iter().all(|event| !event.data.to_string().contains("bob")), "{told:?}");
}

#[tokio::test]
async fn a_ticket_opens_its_stream_and_no_other() {
    let house = House::build().await;
    house.with_sum().await;
    let (id, other) = (house.submit("alice").await, house.submit("alice").await);
    let of_bob = house.submit("bob").await;
    let alice = house.token("alice", Role::Student);
    let one = ticket(&house, &alice, json!({ "submission_id": id, "ttl_s": 60 })).await;
    let all = ticket(&house, &alice, json!({})).await;
    let open = async |path: String| house.get(&path).answer().await.status().as_u16();

    assert_eq!(open(format!("/v1/submissions/{id}/events?ticket={one}")).await, 200);
    assert_eq!(open(format!("/v1/submissions/{other}/events?ticket={one}")).await, 401);
    assert_eq!(open(format!("/v1/events?ticket={one}")).await, 401);
    assert_eq!(open(format!("/v1/events?ticket={all}")).await, 200);
    assert_eq!(open(format!("/v1/submissions/{other}/events?ticket={all}")).await, 200);
    assert_eq!(open(format!("/v1/submissions/{of_bob}/events?ticket={all}")).await, 404);
    assert_eq!(open(format!("/v1/events?owner=bob&ticket={all}")).await, 401);
    assert_eq!(open(format!("/v1/events?ticket={all}x")).await, 401);
}

#[tokio::test]
async fn a_backend_s_ticket_for_a_student_shows_what_the_student_may_see() {
    let house = House::build().await;
    house.with_sum().await;
    let id = house.submit("alice").await;
    let lease = house.lease().await;
    house.finish(&lease, hidden_result()).await;
    let platform = house.token("platform", Role::Backend);
    let read = async |request: Value| {
        let ticket = ticket(&house, &platform, request).await;
        let answer = house.get(&format!("/v1/submissions/{id}/events?ticket={ticket}")).send().await;
        String::from_utf8(answer.bytes).unwrap()
    };

    let of_student = read(json!({ "owner": "alice" })).await;
    let of_backend = read(json!({ "submission_id": id })).await;

    assert!(of_student.contains("submission.finished") && !of_student.contains("SECRET"), "{of_student}");
    assert!(of_backend.contains("SECRET-IN"), "{of_backend}");
}

#[tokio::test]
async fn tickets_that_ask_for_too_much_are_refused() {
    let house = House::build().await;
    let alice = house.token("alice", Role::Student);
    let table = [
        (json!({ "ttl_s": 0 }), "body /ttl_s"),
        (json!({ "ttl_s": 3601 }), "body /ttl_s"),
        (json!({ "submission_id": "x" }), "body /submission_id"),
        (json!({ "role": "admin" }), "body /role"),
    ];
    for (request, place) in table {
        let answer = house.post("/v1/stream-tickets").token(&alice).json(&request).send().await;

        assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), vec![place.to_owned()]));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let house = House::build().await;
    let short = house.token_for("alice", Role::Student, Duration::from_millis(200));
    let mut body = house.get("/v1/events").token(&short).answer().await.into_body().into_data_stream();

    let stream = read_until(&mut body, |_| false).await;

    assert_eq!(names(&stream), ["stream.snapshot"]);
}

#[tokio::test]
async fn a_ticket_is_over_with_the_token_that_made_it() {
    let house = House::build().await;
    for (role, request) in [
        (Role::Student, json!({})),
        (Role::Student, json!({ "ttl_s": 3600 })),
        (Role::Backend, json!({ "owner": "alice" })),
    ] {
        let short = house.token_for("alice", role, Duration::from_millis(200));
        let ticket = ticket(&house, &short, request.clone()).await;
        let path = format!("/v1/events?ticket={ticket}");
        let mut body = house.get(&path).answer().await.into_body().into_data_stream();

        let stream = read_until(&mut body, |_| false).await;

        assert_eq!(names(&stream), ["stream.snapshot"], "{request}");
        assert_eq!(house.get(&path).send().await.status, 401, "{request}");
    }
}

#[tokio::test]
async fn a_stop_ends_streams_and_spreads_those_who_come_back() {
    let house = House::build().await;
    let alice = house.token("alice", Role::Student);
    let mut body = house.get("/v1/events").token(&alice).answer().await.into_body().into_data_stream();
    read_until(&mut body, |read| read.contains("stream.snapshot")).await;

    house.tasks.stop_softly();

    let rest = read_until(&mut body, |_| false).await;
    let retry: u64 = rest.trim().strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((1000..=5000).contains(&retry), "{rest}");
    let ready = house.get("/readyz").send().await;
    assert_eq!(ready.problem(), (503, "stopping".to_owned(), vec![]));
    assert_eq!(house.get("/livez").send().await.status, 200);
}

#[tokio::test]
async fn what_was_committed_before_a_stop_is_told_before_streams_end() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let id = house.submit("alice").await;
    let path = format!("/v1/submissions/{id}/events");
    let mut body = house.get(&path).token(&alice).answer().await.into_body().into_data_stream();
    read_until(&mut body, |read| read.contains("submission.queued")).await;
    // What comes right after something else is read with a pause.
    house.submit("bob").await;
    house.post(&format!("/v1/submissions/{id}/cancel")).token(&alice).send().await;

    house.tasks.stop_softly();

    let rest = read_until(&mut body, |_| false).await;
    assert_eq!(names(&rest), ["submission.cancelled"]);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_keeps_no_follower_beyond_its_token() {
    let house = House::build().await;
    let short = house.token_for("alice", Role::Student, Duration::from_millis(200));
    let untaken = house.get("/v1/events").token(&short).answer().await;
    assert_eq!(house.feed.followers(), 1);

    wait_for("the follower to go", SOON, async || house.feed.followers(), |followers| *followers == 0).await;

    drop(untaken);
}
