//! The way in: which requests become a WebSocket.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::lounge::{Lounge, Plan};
use super::raw::{Raw, request, upgrade};
use crate::support::{Options, Role};

const SCHOOL: &str = "https://school.example";

#[tokio::test]
async fn an_upgrade_is_answered_without_subprotocol_and_without_extensions() {
    let lounge = Lounge::open().await;
    let offers = "Sec-WebSocket-Protocol: chat, superchat\r\nAuthorization: Bearer nonsense\r\n\
                  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nCookie: a=b\r\n";

    let (head, _stream) = request(lounge.address, &upgrade("/ws?token=x", offers)).await;

    assert_eq!(head.status, "HTTP/1.1 101 Switching Protocols");
    assert!(
        head.headers.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"),
        "{}",
        head.headers
    );
    assert!(head.headers.contains("upgrade: websocket\r\n"), "{}", head.headers);
    assert!(!head.headers.contains("sec-websocket-protocol"), "{}", head.headers);
    assert!(!head.headers.contains("sec-websocket-extensions"), "{}", head.headers);
}

#[tokio::test]
async fn every_configured_path_of_the_main_port_is_taken_and_no_other() {
    let lounge = Lounge::open().await;

    for (path, status) in [("/ws", "101"), ("/old/ws", "101"), ("/ws/", "404"), ("/other", "404")] {
        let (head, _stream) = request(lounge.address, &upgrade(path, "")).await;

        assert_eq!(head.status.split(' ').nth(1), Some(status), "{path}");
    }
}

#[tokio::test]
async fn what_is_no_upgrade_of_version_13_is_refused_and_told_what_is() {
    let lounge = Lounge::open().await;
    let plain = "GET /ws HTTP/1.1\r\nHost: guichet\r\n\r\n";
    let old = upgrade("/ws", "").replace("Version: 13", "Version: 8");
    let short_key = upgrade("/ws", "").replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=");
    let two_keys = upgrade("/ws", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    let post = upgrade("/ws", "").replace("GET ", "POST ");
    for (asked, status, header) in [
        (plain, "426", "upgrade: websocket"),
        (&old, "426", "sec-websocket-version: 13"),
        (&short_key, "400", ""),
        (&two_keys, "400", ""),
        (&post, "426", "upgrade: websocket"),
    ] {
        let (head, _stream) = request(lounge.address, asked).await;

        assert_eq!(head.status.split(' ').nth(1), Some(status), "{asked}");
        assert!(head.headers.contains(header), "{}", head.headers);
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_or_never_ends_is_no_upgrade() {
    let lounge = Lounge::open().await;
    let long = format!("X-Long: {}\r\n", "x".repeat(1 << 20));
    let many = "X-Many: x\r\n".repeat(10_000);
    for more in [long, many] {
        let mut stream = TcpStream::connect(lounge.address).await.unwrap();

        // It may be cut off while it still sends.
        stream.write_all(upgrade("/ws", &more).as_bytes()).await.unwrap_or_default();

        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "it is closed");
        assert!(!answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_the_upgrade() {
    let lounge = Lounge::of(Plan { origins: vec![SCHOOL.to_owned()], ..Plan::default() }).await;
    for (origins, status) in [
        ("Origin: https://school.example\r\n", "101"),
        ("Origin: HTTPS://SCHOOL.example\r\n", "101"),
        // No browser: Java clients send none.
        ("", "101"),
        ("Origin: https://evil.example\r\nCookie: session=1\r\n", "403"),
        ("Origin: http://school.example\r\n", "403"),
        ("Origin: https://school.example:8443\r\n", "403"),
        ("Origin: https://school.example.evil.example\r\n", "403"),
        ("Origin: null\r\n", "403"),
        ("Origin: https://school.example\r\nOrigin: https://evil.example\r\n", "403"),
    ] {
        let (head, _stream) = request(lounge.address, &upgrade("/ws", origins)).await;

        assert_eq!(head.status.split(' ').nth(1), Some(status), "{origins}");
        assert!(!head.headers.contains("access-control"), "{}", head.headers);
    }
}

#[tokio::test]
async fn any_origin_is_taken_unless_some_are_listed() {
    let lounge = Lounge::open().await;

    let (head, _stream) = request(lounge.address, &upgrade("/ws", "Origin: https://evil.example\r\n")).await;

    assert!(head.status.contains(" 101 "), "{}", head.status);
}

#[tokio::test]
async fn a_listener_of_its_own_takes_every_path() {
    let guichet = Options::default()
        .env("GUICHET_LEGACY__WEBSOCKET__LISTEN", "127.0.0.1:0")
        .env("GUICHET_LEGACY__WEBSOCKET__PATHS", "")
        .start()
        .await;
    let log = guichet.log();
    let line = log.lines().find(|line| line.contains("websockets are taken at every path")).expect("a line");
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let token = guichet.token(Role::Student, "alice");
    for path in ["/", "/any/path?token=x", "/v1/submissions"] {
        let mut alice = Raw::connect(address, path).await;

        alice.auth(token.trim()).await;

        assert_eq!(alice.packet().await, super::lounge::OK, "{path}");
    }
    let main = guichet.url().trim_start_matches("http://").parse().unwrap();
    let (head, _stream) = request(main, &upgrade("/ws", "")).await;
    assert!(head.status.contains(" 404 "), "{}", head.status);
}
