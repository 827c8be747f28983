//! A link as an operator sees it: the log, the figures, the exit.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::peer::{KEEP_ALIVE, Listening, PATIENCE, REGISTER_TCP, exercise, string, table};
use crate::support::{Options, wait_for};
use guichet::legacy::kryonet::frame::framed;

#[tokio::test]
async fn the_log_tells_of_links_and_never_holds_the_token() {
    let backend = Listening::bind().await;
    let other = Listening::bind().await;
    let long = table("long", other.port(), "").replace("SERVER_TOKEN", &"LONG".repeat(150));
    let settings =
        format!("[[legacy.backends]]\n{}[[legacy.backends]]\n{long}", table("default", backend.port(), ""));
    let guichet = Options::default()
        .slots(1)
        .env("GUICHET_LOG__LEVEL", "info,guichet=trace")
        .settings(&settings)
        .start()
        .await;
    let mut peer = backend.accept_linked().await;
    let mut long = other.accept().await;
    long.send(&REGISTER_TCP).await;
    assert!(long.frame().await.is_some_and(|handshake| handshake.len() > 600));
    let handshake = string(r#"{"cmd":"HANDSHAKE","TOKEN":"SERVER_TOKEN"}"#);

    // What the link sent comes back: as it was, as an object of a class that nobody knows, and cut short.
    peer.send(&handshake).await;
    peer.send(&[&[0x2a], &handshake[..]].concat()).await;
    peer.send(&handshake[..handshake.len() - 3]).await;
    peer.send(&exercise("nowhere")).await;
    let flood = framed(&[0x2b, 0x01]).unwrap().repeat(1000);
    peer.send_raw(&flood).await;
    peer.expect_answer(1).await;
    drop(peer);
    let _linked_again = backend.accept_linked().await;

    let admin = guichet.admin();
    let seen = async || admin.get("/v1/links").await.expect(200)["items"][0].clone();
    let link = wait_for("the packets", PATIENCE, seen, |link| link["packets_in"] == 1004).await;
    assert_eq!(link["exercises"], json!({ "enqueued": 0, "duplicate": 0, "unknown": 1, "invalid": 1003 }));
    let figures = admin.get("/metrics").await.text;
    for line in [
        "guichet_link_up{link=\"default\"}",
        "guichet_link_connections_total{link=\"default\"} 2",
        "guichet_link_packets_total{link=\"default\",direction=\"in\"} 1004",
        "guichet_link_packets_total{link=\"default\",direction=\"out\"} 2",
        "guichet_link_exercises_total{link=\"default\",outcome=\"invalid\"} 1003",
        "guichet_link_exercises_total{link=\"default\",outcome=\"unknown\"} 1",
        "guichet_link_faults_total{link=\"default\",reason=",
    ] {
        assert!(figures.contains(line), "{line}\n{figures}");
    }
    assert_eq!(guichet.terminate().await.code(), Some(0));
    let log = guichet.log();
    let hex = "5345525645525f544f4b45";
    assert!(!log.contains("SERVER_TOKE") && !log.contains(hex), "{log}");
    assert!(!figures.contains("SERVER_TOKE") && !link.to_string().contains("SERVER_TOKE"));
    assert!(log.contains("first frame") && log.contains("frame=\"0c02\""), "{log}");
    assert!(log.contains("bytes that hold the token"), "{log}");
    assert!(log.contains("its class has the unknown id 43"), "{log}");
    assert!(log.contains("linked; HANDSHAKE sent") && log.contains("no link to the backend"), "{log}");
    assert!(log.contains("the HANDSHAKE is longer than 512 bytes") && !log.contains("LONGLONG"), "{log}");
    let ignored = log.lines().filter(|line| line.contains("packet ignored")).count();
    assert!(ignored <= 20, "{ignored} lines");
}

#[tokio::test]
async fn a_link_is_not_given_up_for_silence_while_this_process_stood_still() {
    let backend = Listening::bind().await;
    let table = table("default", backend.port(), "read_timeout_ms = 1500");
    let settings = format!("[[legacy.backends]]\n{table}");
    let guichet = Options::default().slots(1).settings(&settings).start().await;
    let mut peer = backend.accept_linked().await;

    guichet.signal(Signal::STOP);
    for _ in 0..10 {
        peer.send(&KEEP_ALIVE).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    peer.send(&exercise("nowhere")).await;
    guichet.signal(Signal::CONT);

    let admin = guichet.admin();
    let seen = async || admin.get("/v1/links").await.expect(200)["items"][0].clone();
    let link = wait_for("the packet", PATIENCE, seen, |link| link["packets_in"] == 1).await;
    assert_eq!((&link["connections"], &link["state"]), (&json!(1), &json!("connected")), "{link}");
}
