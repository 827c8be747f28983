//! One connection as a machine: what is sent when, without a socket.

use std::time::Duration;

use guichet::app::links::Encoding;
use guichet::legacy::kryonet::Settings;
use guichet::legacy::kryonet::link::{Action, Fault, Link};
use guichet::legacy::kryonet::message::{Invalid, Malformed};
use proptest::prelude::*;
use secrecy::SecretString;
use tokio::time::Instant;

use super::peer::settings;

const REGISTER_TCP: [u8; 2] = [0x0c, 0x02];
const REGISTER_UDP: [u8; 2] = [0x0d, 0x00];
const KEEP_ALIVE: [u8; 1] = [0x0e];
const SECOND: Duration = Duration::from_secs(1);

fn token() -> SecretString {
    "SERVER_TOKEN".into()
}

/// The HANDSHAKE in Kryo's ASCII form.
fn handshake() -> Vec<u8> {
    let mut payload = b"\x03{\"cmd\":\"HANDSHAKE\",\"TOKEN\":\"SERVER_TOKEN\"}".to_vec();
    *payload.last_mut().expect("a byte") |= 0x80;
    payload
}

fn with_udp() -> Settings {
    settings(1, "udp_port = 2")
}

/// A connection that has sent its HANDSHAKE at `now`.
fn ready<'a>(settings: &'a Settings, token: &'a SecretString, now: Instant) -> Link<'a> {
    let mut link = Link::opened(settings, token, now);
    link.frame(&REGISTER_TCP, now).expect("a registration");
    link
}

#[test]
fn the_handshake_follows_the_registration() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut link = Link::opened(&settings, &token, now);

    let action = link.frame(&REGISTER_TCP, now).unwrap();

    assert_eq!(action, Some(Action::Handshake { payload: handshake(), encoding: Encoding::Kryo }));
    assert_eq!(link.ready_since(), Some(now));
    assert_eq!(link.frame(&REGISTER_TCP, now).unwrap(), None);
}

#[test]
fn nothing_goes_over_tcp_until_the_datagram_is_answered() {
    let (settings, token, now) = (with_udp(), token(), Instant::now());
    let mut link = Link::opened(&settings, &token, now);
    let datagram = Some(Action::Datagram(vec![0x0d, 0x02]));

    assert_eq!(link.frame(&REGISTER_TCP, now).unwrap(), datagram);
    assert_eq!(link.frame(&[0x10, 0x00, 0x00], now).unwrap(), None);
    assert_eq!(link.due(now + Duration::from_millis(99)).unwrap(), None);
    assert_eq!(link.due(now + Duration::from_millis(100)).unwrap(), datagram);
    assert_eq!(link.due(now + Duration::from_millis(150)).unwrap(), None);
    assert_eq!(link.ready_since(), None);
    assert!(matches!(link.frame(&REGISTER_UDP, now).unwrap(), Some(Action::Handshake { .. })));
}

#[test]
fn a_registration_that_does_not_come_ends_the_connection() {
    let (plain, udp, token, now) = (settings(1, ""), with_udp(), token(), Instant::now());
    let mut silent = Link::opened(&plain, &token, now);
    let mut half = ready(&udp, &token, now);

    assert_eq!(silent.wake_at(), Some(now + 5 * SECOND));
    assert!(matches!(silent.due(now + 5 * SECOND), Err(Fault::RegisterTcpTimeout)));
    assert!(matches!(half.due(now + 5 * SECOND), Err(Fault::RegisterUdpTimeout)));
}

#[test]
fn time_in_which_the_process_stood_still_is_given_back_to_the_backend() {
    let (plain, udp, token, now) = (settings(1, ""), with_udp(), token(), Instant::now());
    let mut silent = Link::opened(&plain, &token, now);
    let mut half = Link::opened(&udp, &token, now);
    half.frame(&REGISTER_TCP, now).expect("a registration");
    let mut linked = ready(&plain, &token, now);

    for link in [&mut silent, &mut half, &mut linked] {
        link.stood_still(20 * SECOND, now + 20 * SECOND);
    }

    assert!(silent.due(now + 24 * SECOND).is_ok());
    assert!(matches!(silent.due(now + 25 * SECOND), Err(Fault::RegisterTcpTimeout)));
    assert!(half.due(now + 24 * SECOND).is_ok());
    assert!(matches!(half.due(now + 25 * SECOND), Err(Fault::RegisterUdpTimeout)));
    assert!(linked.due(now + 31 * SECOND).is_ok());
    assert!(matches!(linked.due(now + 32 * SECOND), Err(Fault::ReadTimeout)));
}

#[test]
fn a_backend_whose_time_was_over_meanwhile_is_looked_at_once_more() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut silent = Link::opened(&settings, &token, now);
    let mut linked = ready(&settings, &token, now);
    let later = now + 20 * SECOND;

    silent.stood_still(15 * SECOND, later);
    linked.stood_still(8 * SECOND, later);

    for link in [&mut silent, &mut linked] {
        assert!(link.due(later).is_ok());
        assert!(link.due(later + SECOND).is_err());
    }
}

#[test]
fn a_keep_alive_is_sent_when_nothing_was_written_for_a_while() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut link = ready(&settings, &token, now);
    link.spoke(now + SECOND);
    link.heard(now + 2 * SECOND);

    assert_eq!(link.wake_at(), Some(now + 9 * SECOND));
    assert_eq!(link.due(now + 8 * SECOND).unwrap(), None);
    assert_eq!(link.due(now + 9 * SECOND).unwrap(), Some(Action::Send(KEEP_ALIVE.to_vec())));
    assert_eq!(link.due(now + 9 * SECOND).unwrap(), None);
}

#[test]
fn silence_ends_the_connection() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut link = ready(&settings, &token, now);
    link.heard(now + SECOND);

    assert!(link.due(now + 12 * SECOND).is_ok());
    assert!(matches!(link.due(now + 13 * SECOND), Err(Fault::ReadTimeout)));
}

#[test]
fn what_is_set_to_zero_never_happens() {
    let settings = settings(1, "keepalive_ms = 0\nread_timeout_ms = 0");
    let (token, now) = (token(), Instant::now());
    let mut link = ready(&settings, &token, now);

    assert_eq!(link.wake_at(), None);
    assert_eq!(link.due(now + 10_000 * SECOND).unwrap(), None);
}

#[test]
fn a_question_is_answered_and_an_answer_is_not() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut link = ready(&settings, &token, now);

    assert_eq!(link.frame(&[0x10, 0x06, 0x00], now).unwrap(), Some(Action::Send(vec![0x10, 0x06, 0x01])));
    assert_eq!(link.frame(&[0x10, 0x06, 0x01], now).unwrap(), None);
    assert_eq!(link.frame(&KEEP_ALIVE, now).unwrap(), None);
}

#[test]
fn json_is_answered_in_json() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut link = Link::opened(&settings, &token, now);
    link.frame(b"{class:RegisterTCP,connectionID:1}", now).expect("a registration");
    let text = |action: Option<Action>| match action {
        Some(Action::Send(payload)) => String::from_utf8(payload).expect("text"),
        other => panic!("{other:?}"),
    };

    let pong = text(link.frame(b"{class:Ping,id:3}", now).unwrap());
    let keepalive = text(link.due(now + 8 * SECOND).unwrap());

    assert_eq!(pong, r#"{"class":"Ping","id":3,"isReply":true}"#);
    assert_eq!(keepalive, r#"{"class":"KeepAlive"}"#);
}

#[test]
fn a_first_frame_of_another_protocol_ends_the_connection() {
    let token = token();
    let fault = |more: &str, frame: &[u8]| {
        let (settings, now) = (settings(1, more), Instant::now());
        Link::opened(&settings, &token, now).frame(frame, now).expect_err("a fault").to_string()
    };

    assert!(fault("", b"\x0d").contains("no RegisterTCP"));
    assert!(fault("", b"\x03\x41\xc2").contains("no RegisterTCP"));
    assert!(fault("", b"{class:KeepAlive}").contains("no RegisterTCP"));
    assert!(fault("", b"{").contains("no RegisterTCP"));
    assert!(fault("kryo = { framework_base = 11 }", &REGISTER_TCP).contains("no RegisterTCP"));
    assert!(fault("kryo = { references = true }", &REGISTER_TCP).contains("no RegisterTCP"));
    assert_eq!(
        fault("serialization = 'json'", &REGISTER_TCP),
        "the first frame is kryo, and the settings say json"
    );
    assert_eq!(
        fault("serialization = 'kryo'", b"{class:RegisterTCP}"),
        "the first frame is json, and the settings say kryo"
    );
}

#[test]
fn what_the_first_frame_tells_decides_how_the_handshake_is_written() {
    let token = token();
    let first_bytes = |more: &str, frame: &[u8]| {
        let (settings, now) = (settings(1, more), Instant::now());
        match Link::opened(&settings, &token, now).frame(frame, now) {
            Ok(Some(Action::Handshake { payload, .. })) => payload[..3].to_vec(),
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(first_bytes("", &[0x0b, 0x02]), b"\x03{\"");
    assert_eq!(first_bytes("", &[0x0b, 0x01, 0x02]), b"\x03\x01{");
    assert_eq!(first_bytes("", &[0x0c, 0x01, 0x02]), b"\x03\x01{");
    assert_eq!(first_bytes("kryo = { string_id = 10 }", &[0x0b, 0x02]), b"\x0a{\"");
    assert_eq!(first_bytes("", b"{class:RegisterTCP,connectionID:1}"), b"{\"c");
}

#[test]
fn a_handshake_that_the_backend_could_not_take_is_not_sent() {
    let (settings, now) = (settings(1, "max_frame_out = 100"), Instant::now());
    let token = "x".repeat(200).into();

    let fault = Link::opened(&settings, &token, now).frame(&REGISTER_TCP, now).expect_err("a fault");

    assert!(matches!(fault, Fault::HandshakeTooLong { max: 100, .. }), "{fault}");
    assert!(!fault.to_string().contains("xxx"));
}

#[test]
fn a_frame_that_is_not_understood_is_counted_and_no_more() {
    let (settings, token, now) = (settings(1, ""), token(), Instant::now());
    let mut link = ready(&settings, &token, now);
    let invalid = |malformed: Malformed| Some(Action::Invalid(Invalid::Malformed(malformed)));

    assert_eq!(link.frame(&[0x2a, 1, 2, 3], now).unwrap(), invalid(Malformed::ClassId(42)));
    assert_eq!(link.frame(&[0x0e, 0], now).unwrap(), invalid(Malformed::Trailing));
    assert_eq!(link.frame(b"\x03nul\xec", now).unwrap(), Some(Action::Invalid(Invalid::NoObject)));
}

proptest! {
    #[test]
    fn one_handshake_is_sent_whatever_comes(
        udp in any::<bool>(),
        frames in prop::collection::vec(
            prop_oneof![
                Just(REGISTER_TCP.to_vec()), Just(REGISTER_UDP.to_vec()), Just(KEEP_ALIVE.to_vec()),
                Just(vec![0x10, 0, 0]), Just(b"\x03{\xfd".to_vec()), prop::collection::vec(any::<u8>(), 0..8),
            ],
            0..30,
        ),
    ) {
        let settings = if udp { with_udp() } else { settings(1, "") };
        let (token, now) = (token(), Instant::now());
        let mut link = ready(&settings, &token, now);
        let mut handshakes = usize::from(!udp);
        for frame in frames {
            match link.frame(&frame, now).expect("the first frame was right") {
                Some(Action::Handshake { .. }) => handshakes += 1,
                Some(Action::Send(_)) => prop_assert_eq!(handshakes, 1),
                Some(Action::Datagram(_) | Action::Exercise(_) | Action::Invalid(_)) | None => {}
            }
        }
        prop_assert!(handshakes <= 1);
    }
}
