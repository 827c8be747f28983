//! A house with links, and what its board says of them.

use guichet::app::Role;
use guichet::legacy::kryonet::Settings;
use serde_json::{Value, json};

use super::peer::PATIENCE;
use crate::http::house::{House, Plan, solution};
use crate::support::wait_for;

/// A house with links to these backends.
pub async fn house(backends: Vec<Settings>) -> House {
    House::of(Plan { backends, ..Plan::default() }).await
}

/// What the board says of that link.
pub async fn link(house: &House, name: &str) -> Value {
    let token = house.token("root", Role::Admin);
    let links = house.get("/v1/links").token(&token).send().await.json();
    let items = links["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().find(|link| link["name"] == name).unwrap_or_else(|| panic!("no link {name} in {links}"))
}

/// Waits until the board says of the link `default` what is wanted.
pub async fn wait_for_link(house: &House, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, PATIENCE, || link(house, "default"), wanted).await
}

/// Waits until so many packets have come to their end in each way.
pub async fn wait_for_counts(house: &House, counts: Value) -> Value {
    wait_for_link(house, &format!("{counts}"), |link| link["exercises"] == counts).await
}

/// The counts, in the order of the API.
pub fn counts(enqueued: u64, duplicate: u64, unknown: u64, invalid: u64) -> Value {
    json!({ "enqueued": enqueued, "duplicate": duplicate, "unknown": unknown, "invalid": invalid })
}

/// The last error's text.
pub fn last_error(link: &Value) -> String {
    link["last_error"]["message"].as_str().unwrap_or_default().to_owned()
}

/// Stores a draft of alice's for that backend under that id, and answers its UUID.
pub async fn store_draft(house: &House, backend: &str, legacy_id: &str) -> String {
    let mut draft = solution();
    for (field, value) in [("owner", "alice"), ("backend", backend), ("legacy_id", legacy_id)] {
        draft[field] = json!(value);
    }
    draft["enqueue"] = json!(false);
    let token = house.token("platform", Role::Backend);
    let answer = house.post("/v1/submissions").token(&token).json(&draft).send().await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json()["id"].as_str().unwrap_or_default().to_owned()
}

/// The state of a submission.
pub async fn state(house: &House, id: &str) -> Value {
    let token = house.token("root", Role::Admin);
    house.get(&format!("/v1/submissions/{id}")).token(&token).send().await.json()["state"].clone()
}
