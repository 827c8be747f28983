//! `/v1/hosts` over a host that cannot be reached.

use std::time::Duration;

use axum::http::Method;
use guichet::app::Role;
use guichet::domain::host::{HostMode, HostSettings, HostSource};
use guichet::storage::Storage as _;
use serde_json::{Value, json};

use super::house::{Answer, House, text};
use crate::support::wait_for;

async fn patch(house: &House, path: &str, body: &Value) -> Answer {
    let admin = house.token("root", Role::Admin);
    house.call(Method::PATCH, path).token(&admin).json(body).send().await
}

/// A host that cannot be reached, to be added.
fn far(name: &str) -> Value {
    json!({ "name": name, "url": format!("unix:///nonexistent/{name}.sock") })
}

async fn add(house: &House, body: &Value) -> Answer {
    house.post("/v1/hosts").token(&house.token("root", Role::Admin)).json(body).send().await
}

async fn remove(house: &House, path: &str) -> Answer {
    house.call(Method::DELETE, path).token(&house.token("root", Role::Admin)).send().await
}

async fn names(house: &House) -> Vec<String> {
    let list = house.get("/v1/hosts").token(&house.token("root", Role::Admin)).send().await.json();
    list["items"].as_array().expect("a list").iter().map(|host| text(&host["name"])).collect()
}

/// What is stored of the host of the settings.
async fn stored(house: &House) -> HostSettings {
    let configured = HostSettings {
        name: "host-1".parse().unwrap(),
        url: "unix:///nonexistent/docker.sock".to_owned(),
        certs: None,
        slots: None,
        source: HostSource::Config,
        mode: HostMode::Active,
        created_at: house.clock.now(),
    };
    house.storage.remember_hosts(vec![configured]).await.unwrap().remove(0)
}

async fn host(house: &House) -> Value {
    let admin = house.token("root", Role::Admin);
    house.get("/v1/hosts/host-1").token(&admin).send().await.json()
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_shows_what_is_known_of_it_and_no_more() {
    let house = House::build().await;

    let paused = |host: &Value| host["next_attempt_at"].is_string();
    let mut shown = wait_for("a failed attempt", Duration::from_mins(1), || host(&house), paused).await;

    assert!(shown["last_error"]["message"].as_str().is_some_and(|text| text.contains("cannot be reached")));
    assert_eq!(shown["last_error"]["code"], "unreachable");
    for instant in ["since", "next_attempt_at", "created_at"] {
        assert!(shown[instant].take().is_string(), "{instant}");
    }
    assert!(shown["last_error"].take()["at"].is_string());
    assert_eq!(
        shown,
        json!({
            "name": "host-1", "url": "unix:///nonexistent/docker.sock", "certs": null, "source": "config",
            "mode": "active", "drained": false, "state": "unreachable", "since": null, "next_attempt_at": null,
            "engine": null, "warnings": [], "slots": { "configured": null, "total": 0, "busy": 0, "free": 0 },
            "runtimes": [], "submissions": { "running": 0, "ended": 0, "lost": 0 }, "last_error": null,
            "created_at": null, "links": { "self": "/v1/hosts/host-1", "containers": "/v1/containers?host=host-1" },
        })
    );
    let admin = house.token("root", Role::Admin);
    let list = house.get("/v1/hosts").token(&admin).send().await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["items"][0]["name"], "host-1");
}

#[tokio::test]
async fn hosts_are_for_admins_alone() {
    let house = House::build().await;
    for role in [Role::Student, Role::Teacher, Role::Backend] {
        let token = house.token("someone", role);
        let cordon = json!({ "mode": "cordoned" });
        let answers = [
            house.get("/v1/hosts").token(&token).send().await,
            house.get("/v1/hosts/host-1").token(&token).send().await,
            house.get("/v1/hosts/none").token(&token).send().await,
            house.call(Method::PATCH, "/v1/hosts/host-1").token(&token).json(&cordon).send().await,
            house.post("/v1/hosts").token(&token).json(&far("far")).send().await,
            house.call(Method::DELETE, "/v1/hosts/host-1").token(&token).send().await,
        ];
        for answer in answers {
            assert_eq!(answer.problem(), (403, "forbidden".to_owned(), vec![]), "{role:?}");
        }
    }
    assert_eq!(host(&house).await["mode"], "active");
}

#[tokio::test]
async fn the_mode_of_a_host_is_stored_before_it_is_answered() {
    let house = House::build().await;

    let drained = patch(&house, "/v1/hosts/host-1", &json!({ "mode": "draining" })).await;

    assert_eq!(drained.status, 200);
    assert_eq!((&drained.json()["mode"], &drained.json()["drained"]), (&json!("draining"), &json!(true)));
    assert_eq!(stored(&house).await.mode, HostMode::Draining);
    let same = patch(&house, "/v1/hosts/host-1", &json!({})).await;
    assert_eq!((same.status.as_u16(), &same.json()["mode"]), (200, &json!("draining")));
    let active = patch(&house, "/v1/hosts/host-1", &json!({ "mode": "active" })).await;
    assert_eq!((&active.json()["mode"], &active.json()["drained"]), (&json!("active"), &json!(false)));
}

#[tokio::test]
async fn what_is_no_host_or_no_mode_changes_nothing() {
    let house = House::build().await;
    let admin = house.token("root", Role::Admin);
    let cordon = json!({ "mode": "cordoned" });

    for name in ["none", "Host-1", "host_1", "host-1%2F", "%FF"] {
        let path = format!("/v1/hosts/{name}");
        assert_eq!(patch(&house, &path, &cordon).await.problem().1, "not_found", "{name}");
        let read = house.get(&path).token(&admin).send().await;
        assert_eq!(read.problem(), (404, "not_found".to_owned(), vec![]), "{name}");
    }
    let invalid = |pointer: &str| (422, "validation_failed".to_owned(), vec![format!("body {pointer}")]);
    for (body, pointer) in [
        (json!({ "mode": "gone" }), "/mode"),
        (json!({ "mode": 1 }), "/mode"),
        (json!({ "slots": 0 }), "/slots"),
        (json!({ "slots": -1 }), "/slots"),
        (json!({ "slots": 4_294_967_296_u64 }), "/slots"),
        (json!({ "slots": 65_537 }), "/slots"),
        (json!({ "slots": "2" }), "/slots"),
        (json!({ "name": "other" }), "/name"),
    ] {
        let answer = patch(&house, "/v1/hosts/host-1", &body).await;
        assert_eq!(answer.problem(), invalid(pointer), "{body}");
    }
    assert_eq!(host(&house).await["mode"], "active");
}

#[tokio::test]
async fn a_host_is_added_at_once_though_it_cannot_be_reached() {
    let house = House::build().await;
    let mut body = far("judge-2");
    body["slots"] = json!(3);
    body["mode"] = json!("cordoned");

    let answer = add(&house, &body).await;

    assert_eq!((answer.status.as_u16(), answer.header("location")), (201, "/v1/hosts/judge-2"));
    let shown = answer.json();
    assert_eq!((&shown["name"], &shown["url"]), (&body["name"], &body["url"]));
    assert_eq!((&shown["source"], &shown["mode"]), (&json!("api"), &json!("cordoned")));
    assert_eq!(shown["slots"], json!({ "configured": 3, "total": 0, "busy": 0, "free": 0 }));
    assert_eq!(shown["drained"], true);
    assert_eq!(names(&house).await, ["host-1", "judge-2"]);
    let active = patch(&house, "/v1/hosts/judge-2", &json!({ "mode": "active", "slots": null })).await;
    assert_eq!(active.json()["mode"], "active");
    assert_eq!(active.json()["slots"]["configured"], Value::Null);
}

#[tokio::test]
async fn what_is_no_host_is_not_added() {
    let house = House::build().await;
    let with = |field: &str, value: Value| {
        let mut body = far("judge-2");
        body[field] = value;
        body
    };
    for (body, pointer) in [
        (json!({ "name": "judge-2" }), ""),
        (with("name", json!("Judge")), "/name"),
        (with("name", json!("")), "/name"),
        (with("url", json!("http://judge-2:2375")), "/url"),
        (with("url", json!("ssh://judge-2")), "/url"),
        (with("url", json!("unix://")), "/url"),
        (with("url", json!(format!("unix:///{}", "a".repeat(1024)))), "/url"),
        (with("url", json!("unix:///nonexistent/docker.sock")), "/url"),
        (with("certs", json!("unknown")), "/certs"),
        (with("certs", json!("../etc")), "/certs"),
        (with("slots", json!(0)), "/slots"),
        (with("slots", json!(65_537)), "/slots"),
        (with("mode", json!("gone")), "/mode"),
        (with("ports", json!(1)), "/ports"),
    ] {
        let answer = add(&house, &body).await;
        let expected = if pointer.is_empty() { "/url" } else { pointer };
        let told = answer.problem();
        assert_eq!(told.0, 422, "{body}");
        assert!(told.2.iter().any(|error| error == &format!("body {expected}")), "{body}: {told:?}");
    }
    assert_eq!(names(&house).await, ["host-1"]);
}

#[tokio::test]
async fn two_hosts_have_no_name_in_common() {
    let house = House::build().await;
    assert_eq!(add(&house, &far("judge-2")).await.status, 201);

    for name in ["host-1", "judge-2"] {
        let body = json!({ "name": name, "url": "unix:///nonexistent/other.sock" });
        let answer = add(&house, &body).await;
        assert_eq!(answer.problem(), (409, "host_exists".to_owned(), vec!["body /name".to_owned()]));
    }
    assert_eq!(names(&house).await, ["host-1", "judge-2"]);
}

#[tokio::test]
async fn an_added_host_is_removed_and_may_come_again() {
    let house = House::build().await;
    assert_eq!(add(&house, &far("judge-2")).await.status, 201);

    let removed = remove(&house, "/v1/hosts/judge-2").await;

    assert_eq!(removed.status, 204);
    assert_eq!(names(&house).await, ["host-1"]);
    assert_eq!(remove(&house, "/v1/hosts/judge-2").await.problem().1, "not_found");
    assert_eq!(add(&house, &far("judge-2")).await.status, 201);
    assert_eq!(remove(&house, "/v1/hosts/judge-2?force=true").await.status, 204);
}

#[tokio::test]
async fn a_host_of_the_settings_stays() {
    let house = House::build().await;

    for path in ["/v1/hosts/host-1", "/v1/hosts/host-1?force=true"] {
        let answer = remove(&house, path).await;
        assert_eq!(answer.problem(), (409, "host_configured".to_owned(), vec![]));
    }
    let answer = remove(&house, "/v1/hosts/host-1?force=yes").await;
    assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), vec!["query force".to_owned()]));
    assert_eq!(names(&house).await, ["host-1"]);
}

#[tokio::test]
async fn the_slots_of_a_host_are_stored_before_it_is_answered() {
    let house = House::build().await;

    let three = patch(&house, "/v1/hosts/host-1", &json!({ "slots": 3 })).await;

    assert_eq!(three.json()["slots"]["configured"], 3);
    assert_eq!(stored(&house).await.slots.map(std::num::NonZeroU32::get), Some(3));
    let same = patch(&house, "/v1/hosts/host-1", &json!({ "mode": "draining" })).await;
    assert_eq!(same.json()["slots"]["configured"], 3);
    let default = patch(&house, "/v1/hosts/host-1", &json!({ "slots": null })).await;
    assert_eq!(default.json()["slots"]["configured"], Value::Null);
    assert_eq!(stored(&house).await.slots, None);
}
