//! Links to original backends: Java programs on the true library, in each encoding.

use serde_json::json;

use super::board::{counts, house, last_error, link, state, store_draft, wait_for_counts, wait_for_link};
use super::java::{Backend, Kryo};
use super::peer::settings;

/// A backend of that kind and a house with a link to it: registered, asked, answered.
async fn works(kryo: Kryo, encoding: &str, udp: bool) {
    let mut backend = Backend::start(kryo, encoding, udp).await;
    let house = house(vec![settings(backend.tcp, &backend.udp_setting())]).await;
    house.with_sum().await;
    let id = store_draft(&house, "default", "élève/1 😀").await;
    backend.expect_handshake().await;

    backend.send_exercises(1, "élève/1 😀").await;
    backend.command("ping").await;

    let shown = wait_for_counts(&house, counts(1, 0, 0, 0)).await;
    assert_eq!(state(&house, &id).await, "queued");
    assert_eq!(backend.event("ping").await, "ping 1 answered");
    let name = if encoding == "json" { "json" } else { "kryo" };
    assert_eq!((&shown["encoding"], &shown["state"]), (&json!(name), &json!("connected")));
    assert_eq!((&shown["packets_in"], &shown["packets_out"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_backend_with_kryo_from_12_is_understood() {
    works(Kryo::Base12, "kryo", false).await;
}

#[tokio::test]
async fn a_backend_with_kryo_from_12_and_udp_is_understood() {
    works(Kryo::Base12, "kryo", true).await;
}

#[tokio::test]
async fn a_backend_with_kryo_from_11_and_udp_is_understood() {
    works(Kryo::Base11, "kryo", true).await;
}

#[tokio::test]
async fn a_backend_with_kryo_and_references_is_understood() {
    works(Kryo::Base11, "kryo-references", false).await;
    works(Kryo::Base12, "kryo-references", true).await;
}

#[tokio::test]
async fn a_backend_with_json_is_understood() {
    works(Kryo::Base12, "json", false).await;
}

#[tokio::test]
async fn a_backend_with_json_and_udp_is_understood() {
    works(Kryo::Base12, "json", true).await;
}

#[tokio::test]
async fn maps_and_objects_in_json_are_packets_and_numbers_are_not() {
    let mut backend = Backend::start(Kryo::Base12, "json", false).await;
    let house = house(vec![settings(backend.tcp, "json = { packet_class = 'java.util.HashMap' }")]).await;
    house.with_sum().await;
    for id in ["42", "math:1"] {
        store_draft(&house, "default", id).await;
    }
    let received = backend.event("received").await;
    assert!(received.starts_with("received 1 java.util.HashMap {"), "{received}");
    assert!(received.contains("cmd=HANDSHAKE") && received.contains("TOKEN=SERVER_TOKEN"), "{received}");

    backend.command("map 42").await;
    backend.command("object math:1").await;
    backend.command("number").await;

    wait_for_counts(&house, counts(2, 0, 0, 1)).await;
}

#[tokio::test]
async fn the_handshake_is_the_first_packet_after_each_restart_of_the_backend() {
    let mut backend = Backend::start(Kryo::Base12, "kryo", true).await;
    let house = house(vec![settings(backend.tcp, &backend.udp_setting())]).await;
    house.with_sum().await;
    for round in 1..=3 {
        backend.expect_handshake().await;
        let id = store_draft(&house, "default", &format!("round-{round}")).await;
        backend.send_exercises(1, &format!("round-{round}")).await;
        wait_for_counts(&house, counts(round, 0, 0, 0)).await;
        assert_eq!(state(&house, &id).await, "queued");

        backend.stop().await;
        wait_for_link(&house, "the end", |link| link["state"] != "connected").await;
        backend.start_again().await;
    }
    backend.expect_handshake().await;
    let handshakes = backend.history().iter().filter(|event| event.contains("HANDSHAKE")).count();
    assert_eq!(handshakes, 4);
}

#[tokio::test]
async fn a_backend_that_hangs_is_left_and_found_again_when_it_wakes() {
    let mut backend = Backend::start(Kryo::Base12, "kryo", false).await;
    backend.command("keepalive 50").await;
    let more = "read_timeout_ms = 1500\nregister_timeout_ms = 1500";
    let house = house(vec![settings(backend.tcp, more)]).await;
    house.with_sum().await;
    store_draft(&house, "default", "later").await;
    backend.expect_handshake().await;

    backend.hang();

    let error = "the backend sent nothing for read_timeout_ms";
    wait_for_link(&house, error, |link| last_error(link) == error).await;
    backend.wake();
    let connections = link(&house, "default").await["connections"].as_u64().unwrap_or_default();
    wait_for_link(&house, "another connection", |link| {
        link["state"] == "connected" && link["connections"].as_u64() >= Some(connections)
    })
    .await;
    backend.send_exercises(1, "later").await;
    wait_for_counts(&house, counts(1, 0, 0, 0)).await;
}

#[tokio::test]
async fn each_side_says_that_it_lives() {
    let mut backend = Backend::start(Kryo::Base12, "kryo", false).await;
    backend.command("keepalive 100").await;
    let more = "keepalive_ms = 100\nread_timeout_ms = 3000";
    let house = house(vec![settings(backend.tcp, more)]).await;
    backend.expect_handshake().await;

    for _ in 0..40 {
        backend.event("keepalive 1").await;
    }

    let shown = link(&house, "default").await;
    assert_eq!((&shown["connections"], &shown["last_error"]), (&json!(1), &json!(null)));
}

#[tokio::test]
async fn a_link_holds_with_the_times_that_both_sides_have_by_default() {
    let mut backend = Backend::start(Kryo::Base12, "kryo", false).await;
    let house = house(vec![settings(backend.tcp, "")]).await;
    backend.expect_handshake().await;

    // The second one comes after 16 seconds; silence would have ended the connection after 12.
    for _ in 0..2 {
        backend.event("keepalive 1").await;
    }

    let shown = link(&house, "default").await;
    assert_eq!((&shown["connections"], &shown["last_error"]), (&json!(1), &json!(null)));
}
