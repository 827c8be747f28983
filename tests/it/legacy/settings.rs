//! Settings of the original protocols, as a start sees them.

use std::time::Duration;

use crate::support::{Options, TestGuichet};

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_named_at_the_start() {
    let tokenless = "[[legacy.backends]]\nhost = 'backend.example'\ntcp_port = 54555";
    let guichet = TestGuichet::prepare(Options::default().settings(tokenless));

    guichet.launch();

    assert_eq!(guichet.ended(Duration::from_secs(30)).await.code(), Some(1));
    assert!(guichet.log().contains("legacy.backends[0].token is missing"), "{}", guichet.log());
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_before_any_work_begins() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let second = format!("[legacy.websocket]\nlisten = '{address}'");
    let guichet = TestGuichet::prepare(Options::default().settings(&second));

    guichet.launch();

    assert_eq!(guichet.ended(Duration::from_secs(30)).await.code(), Some(1));
    let log = guichet.log();
    assert!(log.contains(&format!("cannot listen on {address}")) && !log.contains("Docker host"), "{log}");
}
