//! A link as an operator sees it: the log, the figures, the exit.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use super::peer::{KEEP_ALIVE, Listening, PATIENCE, Peer, REGISTER_TCP, exercise, string, table};
use crate::support::{Options, TestGuichet, wait_for};
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

/// A service with a link to a backend, whose settings say also this.
async fn linked_to(port: u16, more: &str) -> TestGuichet {
    let settings = format!("[[legacy.backends]]\n{}", table("default", port, more));
    Options::default().slots(1).settings(&settings).start().await
}

/// Stops the process for so long, and leaves it a moment.
async fn pause(guichet: &TestGuichet, length: Duration) {
    guichet.signal(Signal::STOP);
    tokio::time::sleep(length).await;
    guichet.signal(Signal::CONT);
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// The link's connections and state, once it has taken so many packets in.
async fn link_with_packets(guichet: &TestGuichet, packets: u64) -> (Value, Value) {
    let admin = guichet.admin();
    let seen = async || admin.get("/v1/links").await.expect(200)["items"][0].clone();
    let link = wait_for("the packet", PATIENCE, seen, |link| link["packets_in"] == packets).await;
    (link["connections"].clone(), link["state"].clone())
}

#[tokio::test]
async fn a_link_is_not_given_up_for_silence_while_this_process_stood_still() {
    let backend = Listening::bind().await;
    let starting = linked_to(backend.port(), "read_timeout_ms = 10000");
    let (guichet, mut peer) = tokio::join!(starting, backend.accept_linked());

    // Nothing lies in its socket when it goes on: what it sees first is that the time is over.
    pause(&guichet, Duration::from_secs(10)).await;
    peer.send(&KEEP_ALIVE).await;
    peer.send(&exercise("nowhere")).await;

    assert_eq!(link_with_packets(&guichet, 1).await, (json!(1), json!("connected")));
}

#[tokio::test]
async fn a_backend_has_its_time_to_register_though_this_process_stood_still() {
    let backend = Listening::bind().await;
    let starting = linked_to(backend.port(), "register_timeout_ms = 10000");
    let (guichet, mut peer) = tokio::join!(starting, backend.accept());

    pause(&guichet, Duration::from_secs(10)).await;
    peer.send(&REGISTER_TCP).await;
    peer.expect_handshake().await;
    peer.send(&exercise("nowhere")).await;

    assert_eq!(link_with_packets(&guichet, 1).await, (json!(1), json!("connected")));
}

#[tokio::test]
async fn a_backend_has_its_time_to_accept_though_this_process_stood_still() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let backend = socket.listen(0).expect("a backlog of one");
    let address = backend.local_addr().expect("an address");
    // Connections beyond the backlog wait: the system repeats what it sent after 1, 3, 7 and 15 seconds.
    let _in_the_backlog = TcpStream::connect(address).await.expect("a connection");
    let guichet = linked_to(address.port(), "connect_timeout_ms = 12000").await;
    let admin = guichet.admin();
    let before = admin.get("/v1/links").await.expect(200)["items"][0].clone();

    pause(&guichet, Duration::from_secs(12)).await;
    let _other = backend.accept().await.expect("the one of the backlog");
    let (stream, _) =
        tokio::time::timeout(PATIENCE, backend.accept()).await.expect("a link").expect("a link");
    let mut peer = Peer { stream };
    peer.send(&REGISTER_TCP).await;
    peer.expect_handshake().await;

    assert_eq!(before["state"], "connecting", "{before}");
    let after = admin.get("/v1/links").await.expect(200)["items"][0].clone();
    assert_eq!((&after["state"], &after["last_error"]), (&json!("connected"), &Value::Null), "{after}");
}
