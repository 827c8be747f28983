//! `/v1/hosts/events`, over a host that cannot be reached.

use std::time::{Duration, Instant};

use axum::body::BodyDataStream;
use axum::http::Method;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::House;
use super::streams::{Framed, SOON, events, read_until, ticket};

const PATH: &str = "/v1/hosts/events";

/// An open stream, and what came over it.
struct Stream {
    body: BodyDataStream,
    read: String,
}

impl Stream {
    /// Opens it; with an id, behind that.
    async fn open(house: &House, last_event_id: Option<&str>) -> Self {
        let admin = house.token("root", Role::Admin);
        let mut call = house.get(PATH).token(&admin);
        if let Some(id) = last_event_id {
            call = call.header("last-event-id", id);
        }
        let answer = call.answer().await;
        assert_eq!(answer.status(), 200);
        Self { body: answer.into_body().into_data_stream(), read: String::new() }
    }

    /// Reads on until an event is as wanted; answers all until then.
    async fn until(&mut self, wanted: impl Fn(&Framed) -> bool) -> Vec<Framed> {
        let before = self.read.clone();
        let done = |more: &str| events(&format!("{before}{more}")).iter().any(&wanted);
        let more = if done("") { String::new() } else { read_until(&mut self.body, done).await };
        self.read += &more;
        events(&self.read)
    }
}

async fn set_mode(house: &House, mode: &str) {
    let admin = house.token("root", Role::Admin);
    let patch = json!({ "mode": mode });
    let answer = house.call(Method::PATCH, "/v1/hosts/host-1").token(&admin).json(&patch).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn is_host_in(mode: &str) -> impl Fn(&Framed) -> bool {
    move |event: &Framed| event.name == "host.changed" && event.data["mode"] == mode
}

fn is_snapshot(event: &Framed) -> bool {
    event.name == "hosts.snapshot"
}

/// Number and epoch in an event's id.
fn place(event: &Framed) -> (u64, String) {
    let id = event.id.as_deref().expect("an id").strip_prefix('h').expect("an id of this stream");
    let (number, epoch) = id.split_once('.').expect("an epoch");
    (number.parse().expect("a number"), epoch.to_owned())
}

#[tokio::test]
async fn a_stream_of_hosts_begins_with_all_there_is_and_tells_each_change_once() {
    let house = House::build().await;
    house.with_sum().await;
    let mut stream = Stream::open(&house, None).await;
    let begun = stream.until(is_snapshot).await;
    assert!(stream.read.starts_with("retry: 2000\n\n"), "{}", stream.read);
    assert_eq!(begun[0].data["hosts"][0]["name"], "host-1");
    assert_eq!(begun[0].data["queue"]["queued"], 0);

    set_mode(&house, "draining").await;
    stream.until(is_host_in("draining")).await;
    house.submit("alice").await;
    let told = stream.until(|event| event.name == "queue.changed" && event.data["queued"] == 1).await;

    assert_eq!(told.iter().filter(|event| is_snapshot(event)).count(), 1, "{told:?}");
    let places: Vec<_> = told.iter().map(place).collect();
    assert!(places.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{places:?}");
    assert!(places.iter().all(|(_, epoch)| *epoch == places[0].1), "{places:?}");
    let changed = told.iter().rev().find(|event| event.name == "host.changed").expect("a change");
    assert_eq!(changed.data["links"]["self"], "/v1/hosts/host-1");
    let admin = house.token("root", Role::Admin);
    let queue = house.get("/v1/queue").token(&admin).send().await.json();
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&told.last().expect("an event").data)[1..], keys(&queue));
}

#[tokio::test]
async fn a_reader_who_comes_back_misses_nothing_and_is_told_nothing_twice() {
    let house = House::build().await;
    let mut whole = Stream::open(&house, None).await;
    let begun = whole.until(is_snapshot).await;
    let id = begun[0].id.clone().expect("an id");
    set_mode(&house, "cordoned").await;
    set_mode(&house, "active").await;
    set_mode(&house, "draining").await;
    let told = whole.until(is_host_in("draining")).await;
    let last = told.last().and_then(|event| event.id.clone());

    let mut again = Stream::open(&house, Some(&id)).await;
    let resumed = again.until(|event| event.id == last).await;

    assert_eq!(resumed, told[1..]);
}

#[tokio::test]
async fn what_changed_while_no_stream_was_open_is_told_to_who_comes_back() {
    let house = House::build().await;
    let mut first = Stream::open(&house, None).await;
    let id = first.until(is_snapshot).await[0].id.clone().expect("an id");
    drop(first);
    set_mode(&house, "draining").await;

    let mut again = Stream::open(&house, Some(&id)).await;
    let told = again.until(is_host_in("draining")).await;

    assert!(told.iter().all(|event| !is_snapshot(event) && event.name != "stream.reset"), "{told:?}");
    let first = told.first().map(place).expect("an event").0;
    assert_eq!(first, id[1..].split('.').next().and_then(|number| number.parse::<u64>().ok()).unwrap() + 1);
}

#[tokio::test]
async fn a_place_that_cannot_be_gone_on_from_is_said_to_be_none_and_all_is_told_anew() {
    let (house, other) = (House::build().await, House::build().await);
    let mut elsewhere = Stream::open(&other, None).await;
    let foreign = elsewhere.until(is_snapshot).await[0].id.clone().expect("an id");
    let own = Stream::open(&house, None).await.until(is_snapshot).await[0].id.clone().expect("an id");
    let future = own.replacen('h', "h9", 1);
    for id in [foreign.as_str(), &future, "h0", "x", "o1.0123456789abcdef", &own[1..]] {
        let told = Stream::open(&house, Some(id)).await.until(is_snapshot).await;

        let names: Vec<_> = told.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(names, ["stream.reset", "hosts.snapshot"], "{id}");
        assert_eq!(
            (&told[0].id, &told[0].data),
            (&None, &json!({ "type": "stream.reset", "submission_id": null }))
        );
    }
}

#[tokio::test]
async fn many_changes_of_a_host_are_told_as_at_most_five_a_second_and_the_newest_is() {
    let house = House::build().await;
    let mut stream = Stream::open(&house, None).await;
    stream.until(is_snapshot).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        set_mode(&house, "cordoned").await;
        set_mode(&house, "active").await;
    }
    set_mode(&house, "draining").await;

    let told = stream.until(is_host_in("draining")).await;

    let seconds = begun.elapsed().as_secs() + 1;
    for kind in ["host.changed", "queue.changed"] {
        let count = told.iter().filter(|event| event.name == kind).count();
        assert!(u64::try_from(count).unwrap() <= 5 * seconds, "{count} of {kind} in {seconds} s");
    }
    assert!(told.iter().filter(|event| event.name == "host.changed").count() >= 2, "{told:?}");
}

#[tokio::test]
async fn the_stream_of_hosts_is_for_admins_and_their_tickets_alone() {
    let house = House::build().await;
    house.with_sum().await;
    for role in [Role::Student, Role::Teacher, Role::Backend] {
        let token = house.token("x", role);
        let by_ticket = format!("{PATH}?ticket={}", ticket(&house, &token, json!({})).await);
        for answer in [house.get(PATH).token(&token).send().await, house.get(&by_ticket).send().await] {
            assert_eq!(answer.problem(), (403, "forbidden".to_owned(), vec![]), "{role:?}");
        }
    }
    let admin = house.token("root", Role::Admin);
    let open = async |request: Value| {
        let ticket = ticket(&house, &admin, request).await;
        house.get(&format!("{PATH}?ticket={ticket}")).answer().await.status().as_u16()
    };
    let submission = house.submit("alice").await;

    assert_eq!(open(json!({})).await, 200);
    assert_eq!(open(json!({ "submission_id": submission })).await, 401);
    assert_eq!(open(json!({ "owner": "alice" })).await, 403);
    assert_eq!(house.get(PATH).send().await.status, 401);
    assert_eq!(
        house.get(&format!("{PATH}?owner=alice")).token(&admin).send().await.problem(),
        (422, "validation_failed".to_owned(), vec!["query owner".to_owned()])
    );
}

#[tokio::test]
async fn a_stream_of_hosts_ends_with_its_token_and_at_a_stop() {
    let house = House::build().await;
    let short = house.token_for("root", Role::Admin, Duration::from_millis(500));
    let mut over = house.get(PATH).token(&short).answer().await.into_body().into_data_stream();
    let read = read_until(&mut over, |_| false).await;
    assert_eq!(events(&read).first().map(|event| event.name.as_str()), Some("hosts.snapshot"), "{read}");

    let mut stopped = Stream::open(&house, None).await;
    stopped.until(is_snapshot).await;
    house.tasks.stop_softly();

    let rest = tokio::time::timeout(SOON, read_until(&mut stopped.body, |_| false)).await.expect("an end");
    let retry = rest.rsplit("retry: ").next().and_then(|text| text.trim().parse::<u64>().ok());
    assert!(retry.is_some_and(|millis| (1000..=5000).contains(&millis)), "{rest}");
}

#[tokio::test]
async fn without_an_open_stream_nothing_is_looked_at() {
    let house = House::build().await;
    let mut stream = Stream::open(&house, None).await;
    stream.until(is_snapshot).await;
    assert!(house.app.looks_at_hosts());

    drop(stream);

    crate::support::wait_for("the end of looking", SOON, async || house.app.looks_at_hosts(), |looks| !looks)
        .await;
}
