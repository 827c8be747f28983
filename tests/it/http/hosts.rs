//! `/v1/hosts` over a host that cannot be reached.

use std::time::Duration;

use axum::http::Method;
use guichet::app::Role;
use guichet::domain::host::HostMode;
use guichet::storage::Storage as _;
use serde_json::{Value, json};

use super::house::{Answer, House};
use crate::support::wait_for;

async fn patch(house: &House, path: &str, body: &Value) -> Answer {
    let admin = house.token("root", Role::Admin);
    house.call(Method::PATCH, path).token(&admin).json(body).send().await
}

async fn host(house: &House) -> Value {
    let admin = house.token("root", Role::Admin);
    house.get("/v1/hosts/host-1").token(&admin).send().await.json()
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_shows_what_is_known_of_it_and_no_more() {
    let house = House::build().await;

    let paused = |host: &Value| host["next_attempt_at"].is_string();
    let mut shown = wait_for("a failed attempt", Duration::from_secs(10), || host(&house), paused).await;

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
            "created_at": null, "links": { "self": "/v1/hosts/host-1", "containers": null },
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
    let names = vec!["host-1".parse().unwrap()];
    let stored = house.storage.remember_hosts(names, house.clock.now()).await.unwrap();
    assert_eq!(stored[0].mode, HostMode::Draining);
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
        (json!({ "name": "other" }), "/name"),
    ] {
        let answer = patch(&house, "/v1/hosts/host-1", &body).await;
        assert_eq!(answer.problem(), invalid(pointer), "{body}");
    }
    assert_eq!(host(&house).await["mode"], "active");
}
