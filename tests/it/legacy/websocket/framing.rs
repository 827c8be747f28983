//! Frames, pings and ends: what peers send well and badly, and how every connection ends.

use std::time::{Duration, Instant};

use guichet::legacy::websocket::Patience;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::lounge::{Lounge, OK, Plan, ask, error};
use super::raw::{Came, Raw, frame};

/// How soon a peer that breaks a rule must know.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A lounge whose patience is short in one thing.
async fn impatient(patience: Patience) -> Lounge {
    Lounge::of(Plan { patience, ..Plan::default() }).await
}

#[tokio::test]
async fn a_text_in_several_frames_is_one_packet() {
    let lounge = Lounge::open().await;
    let token = lounge.token("alice");
    let mut alice = lounge.connect().await;
    let packet = format!(r#"{{"cmd":"AUTH","TOKEN":"{token}"}}"#);
    let (first, rest) = packet.split_at(10);

    alice.write(&frame(0x01, first.as_bytes())).await;
    alice.write(&frame(0x89, b"between")).await;
    assert_eq!(alice.came().await, Came::Pong(b"between".to_vec()));
    for byte in frame(0x80, rest.as_bytes()) {
        alice.write(&[byte]).await;
    }

    assert_eq!(alice.packet().await, OK);
}

#[tokio::test]
async fn several_packets_at_once_are_answered_in_their_order() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    let together: Vec<u8> = ["1", "2", "3"].iter().flat_map(|id| frame(0x81, ask(id).as_bytes())).collect();

    alice.write(&together).await;

    assert_eq!(alice.packets(3).await, ["1", "2", "3"].map(|id| error(404, "EXERCICE", id)));
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_at_once_with_its_code() {
    let lounge = Lounge::open().await;
    let long = vec![b' '; 65_537];
    let announced = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat();
    let half = [&frame(0x01, &long[..40_000])[..], &frame(0x80, &long[..40_000])].concat();
    for (what, bytes, code) in [
        ("a binary message", frame(0x82, b"{}"), 1003),
        ("a long binary message", frame(0x82, &long), 1003),
        ("64 KiB and a byte", frame(0x81, &long), 1009),
        ("80,000 bytes in two frames", half, 1009),
        ("2^62 bytes", announced(1 << 62), 1009),
        ("2^63 bytes", announced(1 << 63), 1002),
        ("bad UTF-8", frame(0x81, &[b'"', 0xc0, 0xaf]), 1007),
        ("an unknown opcode", frame(0x83, b"{}"), 1002),
        ("an unknown control opcode", frame(0x8b, b""), 1002),
        ("compressed", frame(0xc1, b"{}"), 1002),
        ("a reserved bit", frame(0x91, b"{}"), 1002),
        ("not masked", b"\x81\x02{}".to_vec(), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a ping in parts", frame(0x09, b""), 1002),
        ("half a close code", frame(0x88, &[3]), 1002),
        ("a close code of nobody's", frame(0x88, &999_u16.to_be_bytes()), 1002),
    ] {
        let mut peer = lounge.connect().await;
        let begun = Instant::now();

        peer.write(&bytes).await;

        assert_eq!(peer.closed().await, code, "{what}");
        assert!(begun.elapsed() < AT_ONCE, "{what}");
    }
}

#[tokio::test]
async fn a_text_of_64_kib_is_taken() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    let mut packet = ask("12");
    packet.push_str(&" ".repeat((64 << 10) - packet.len()));

    assert_eq!(alice.ask(&packet).await, error(404, "EXERCICE", "12"));
}

#[tokio::test]
async fn a_million_fragments_are_not_waited_for() {
    let lounge = Lounge::open().await;
    let mut peer = lounge.connect().await;
    let fragments = frame(0x00, b"").repeat(1000);
    peer.write(&frame(0x01, b"")).await;
    let (mut reader, mut writer) = peer.stream.into_split();
    let flood = async {
        for _ in 0..1000 {
            if writer.write_all(&fragments).await.is_err() {
                return;
            }
        }
    };
    let mut came = [0; 4];
    let reading = tokio::time::timeout(AT_ONCE, reader.read_exact(&mut came));

    let ((), read) = tokio::join!(flood, reading);

    assert_eq!(read.unwrap().unwrap(), 4);
    assert_eq!((came[0], u16::from_be_bytes([came[2], came[3]])), (0x88, 1008));
}

#[tokio::test]
async fn pings_are_answered_with_what_they_carry_and_a_flood_of_them_is_closed() {
    let lounge = Lounge::open().await;
    let mut peer = lounge.connect().await;
    peer.write(&frame(0x89, b"x\0y")).await;
    assert_eq!(peer.came().await, Came::Pong(b"x\0y".to_vec()));
    peer.write(&frame(0x89, b"")).await;
    assert_eq!(peer.came().await, Came::Pong(Vec::new()));

    peer.write(&frame(0x89, &[0; 125]).repeat(1000)).await;

    assert_eq!(peer.closed().await, 1008);
}

#[tokio::test]
async fn a_close_is_answered_with_the_same_code_and_reason_and_then_the_connection_ends() {
    let lounge = Lounge::open().await;
    for (sent, answered) in [
        (frame(0x88, b"\x03\xe8bye"), (1000, "bye")),
        (frame(0x88, &4401_u16.to_be_bytes()), (4401, "")),
        (frame(0x88, b""), (1000, "")),
    ] {
        let mut peer = lounge.join("alice").await;

        peer.write(&sent).await;

        assert_eq!(peer.came().await, Came::Close(Some((answered.0, answered.1.to_owned()))));
        assert_eq!(peer.came().await, Came::End);
    }
}

#[tokio::test]
async fn after_our_close_the_connection_stays_until_the_peer_closes_too() {
    let lounge = impatient(Patience { linger: Duration::from_mins(5), ..Patience::default() }).await;
    let mut peer = lounge.connect().await;
    for _ in 0..5 {
        peer.auth("guess").await;
    }
    assert_eq!(peer.closed().await, 1008);
    peer.send("still talking").await;
    peer.write(&frame(0x89, b"")).await;
    assert!(peer.is_quiet().await, "it listens no more, and stays");

    peer.close(1008, "").await;

    assert_eq!(peer.came().await, Came::End);
}

#[tokio::test]
async fn a_peer_that_does_not_answer_our_close_is_left_after_two_seconds() {
    let lounge = Lounge::open().await;
    let mut peer = lounge.connect().await;
    let begun = Instant::now();
    peer.write(&frame(0x82, b"")).await;
    assert_eq!(peer.closed().await, 1003);

    assert_eq!(peer.came().await, Came::End);

    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_peer_is_pinged_and_one_that_answers_stays() {
    let ping = Duration::from_secs(1);
    let lounge = impatient(Patience { ping, mute: ping * 3 / 2, ..Patience::default() }).await;
    let mut peer = lounge.join("alice").await;

    for _ in 0..3 {
        assert_eq!(peer.came().await, Came::Ping);
        peer.write(&frame(0x8a, b"")).await;
    }

    assert_eq!(peer.ask(&ask("12")).await, error(404, "EXERCICE", "12"));
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_dropped_at_the_second_without_a_close() {
    let ping = Duration::from_millis(200);
    let lounge = impatient(Patience { ping, mute: ping * 3 / 2, ..Patience::default() }).await;
    let mut peer = lounge.connect().await;

    assert_eq!(peer.came().await, Came::Ping);
    assert_eq!(peer.came().await, Came::End);
}

#[tokio::test]
async fn who_never_says_who_he_is_is_closed_in_the_end() {
    let lounge = impatient(Patience { unproven: Duration::from_secs(2), ..Patience::default() }).await;
    let mut alice = lounge.join("alice").await;
    let mut nobody = lounge.connect().await;

    assert_eq!(nobody.closed().await, 1008);
    assert_eq!(alice.ask(&ask("12")).await, error(404, "EXERCICE", "12"));
}

#[tokio::test]
async fn in_a_crowd_of_strangers_the_next_has_less_time_and_the_known_are_not_touched() {
    let crowded = Duration::from_millis(200);
    let lounge = impatient(Patience { crowded, unauthenticated: 2, ..Patience::default() }).await;
    let mut alice = lounge.join("alice").await;
    let mut early = [lounge.connect().await, lounge.connect().await];

    let mut late = lounge.connect().await;

    assert_eq!(late.closed().await, 1008);
    drop(late);
    assert!(early[0].is_quiet().await);
    assert!(early[1].is_quiet().await);
    assert_eq!(alice.ask(&ask("12")).await, error(404, "EXERCICE", "12"));
}

#[tokio::test]
async fn one_user_has_no_more_than_a_hundred_connections_and_others_are_not_touched() {
    let lounge = Lounge::open().await;
    let mut his = Vec::new();
    for _ in 0..100 {
        his.push(lounge.join("alice").await);
    }
    let mut one_more = lounge.connect().await;

    one_more.auth(&lounge.token("alice")).await;

    assert_eq!(
        one_more.came().await,
        Came::Close(Some((1008, "too many connections of one user".to_owned())))
    );
    lounge.join("bob").await;
    let mut first = his.swap_remove(0);
    first.close(1000, "").await;
    assert_eq!(first.came().await, Came::Close(Some((1000, String::new()))));
    assert_eq!(first.came().await, Came::End);
    lounge.join("alice").await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_and_others_are_told_all_the_same() {
    let lounge = Lounge::of(Plan { stalled: Duration::from_millis(300), ..Plan::default() }).await;
    let mut alice = lounge.join("alice").await;
    let (_reader, mut writer) = lounge.join("alice").await.stream.into_split();
    // Each answer is as long as the question.
    let long = frame(0x81, ask(&"1".repeat(60_000)).as_bytes());

    let flood = async { while writer.write_all(&long).await.is_ok() {} };

    tokio::time::timeout(AT_ONCE * 3, flood).await.expect("it is dropped");
    assert_eq!(alice.ask(&ask("12")).await, error(404, "EXERCICE", "12"));
}

#[tokio::test]
async fn when_the_service_stops_every_connection_is_closed_with_1001() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    let mut nobody = lounge.connect().await;

    lounge.house.tasks.stop_softly();

    for peer in [&mut alice, &mut nobody] {
        assert_eq!(peer.came().await, Came::Close(Some((1001, "the service stops".to_owned()))));
        peer.close(1001, "").await;
        assert_eq!(peer.came().await, Came::End);
    }
    let mut late = Raw::connect(lounge.address, "/ws").await;
    assert_eq!(late.closed().await, 1001);
}

#[tokio::test]
async fn random_bytes_end_a_connection_and_nothing_else() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    for seed in 0_u64..50 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let noise: Vec<u8> = (0..4096)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        let mut peer = lounge.connect().await;

        // It may be cut off while it still sends.
        peer.stream.write_all(&noise).await.unwrap_or_default();
        peer.stream.shutdown().await.unwrap_or_default();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(AT_ONCE, peer.stream.read_to_end(&mut rest)).await;

        assert!(ended.is_ok(), "{seed}");
    }
    assert_eq!(alice.ask(&ask("12")).await, error(404, "EXERCICE", "12"));
}
