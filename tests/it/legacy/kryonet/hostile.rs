//! Backends that are broken or hostile: one connection ends with one error, the link comes back, others feel nothing.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;

use super::board::{counts, house, last_error, link, state, store_draft, wait_for_counts, wait_for_link};
use super::peer::{
    KEEP_ALIVE, Listening, PATIENCE, REGISTER_TCP, exercise, named_settings, settings, string,
};
use guichet::legacy::kryonet::frame::framed;

#[tokio::test]
async fn a_length_that_no_frame_has_ends_the_connection_and_the_link_comes_back() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    for (garbage, error) in [
        (&0_i32.to_be_bytes()[..], "a frame announced a length of 0"),
        (&(-1_i32).to_be_bytes(), "a frame announced a length of -1"),
        (&i32::MAX.to_be_bytes(), "a frame announced 2147483647 bytes, and max_frame_in is 1048576"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "a frame announced 1213486160 bytes, and max_frame_in is 1048576",
        ),
        (
            b"\0\0\0\x01\x0e trailing garbage",
            "a frame announced 544502369 bytes, and max_frame_in is 1048576",
        ),
    ] {
        let mut peer = backend.accept_linked().await;

        peer.send_raw(garbage).await;

        peer.expect_end().await;
        wait_for_link(&house, error, |link| last_error(link) == error).await;
    }
    let mut peer = backend.accept_linked().await;
    peer.expect_answer(1).await;
    assert_eq!(link(&house, "default").await["connections"], 6);
}

#[tokio::test]
async fn half_a_frame_and_silence_end_the_connection() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "read_timeout_ms = 200")]).await;
    let mut peer = backend.accept_linked().await;

    peer.send_raw(&framed(&exercise("half")).unwrap()[..20]).await;

    peer.expect_end().await;
    let shown = wait_for_link(&house, "the error", |link| link["last_error"].is_object()).await;
    assert_eq!(last_error(&shown), "the backend sent nothing for read_timeout_ms");
    assert_eq!(shown["packets_in"], 0);
}

#[tokio::test]
async fn a_backend_that_ends_within_a_frame_is_told_apart() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    let mut peer = backend.accept_linked().await;

    peer.send_raw(&[0, 0, 0]).await;
    drop(peer);

    let error = "the backend closed the connection within a frame";
    wait_for_link(&house, error, |link| last_error(link) == error).await;
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    let mut peer = backend.accept().await;
    for byte in framed(&REGISTER_TCP).unwrap() {
        peer.send_raw(&[byte]).await;
    }
    peer.expect_handshake().await;

    for byte in framed(&exercise("nowhere")).unwrap() {
        peer.send_raw(&[byte]).await;
    }

    let shown = wait_for_counts(&house, counts(0, 0, 1, 0)).await;
    assert_eq!((&shown["packets_in"], &shown["packets_out"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn packets_that_are_not_understood_are_counted_and_the_link_stays_up() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    let mut peer = backend.accept_linked().await;
    let texts = [
        "",
        "null",
        "EXERCISE",
        "[]",
        "{",
        "{\"cmd\":\"EXERCISE\"}",
        "{\"cmd\":\"EXERCISE\",\"id\":null}",
        "{\"cmd\":\"EXERCISE\",\"id\":[\"a\"]}",
        "{\"cmd\":\"EXERCISE\",\"id\":\"a\"},",
        "{'cmd':'EXERCISE'}",
        "{\"cmd\":\"exercise\",\"id\":\"a\"}",
        "{\"cmd\":\"STOP\"}",
        "{\"cmd\":\"AUTH\",\"TOKEN\":\"x\"}",
        "{\"cmd\":\"HANDSHAKE\",\"TOKEN\":\"SERVER_TOKEN\"}",
        "{\"cmd\":{\"cmd\":\"EXERCISE\"},\"id\":\"a\"}",
        "{\"cmd\":\"EXERCISE\",\"id\":\"\\ud800\"}",
        "{\"cmd\":\"EXERCISE\",\"id\":\"\"}",
        "\u{feff}{}",
        "1e999",
    ];
    for text in texts {
        peer.send(&string(text)).await;
    }
    peer.send(&string(&format!("{{\"cmd\":{}1", "[".repeat(100_000)))).await;
    let frames: [&[u8]; 8] = [
        &[0],
        &[3, 0x80],
        &[1, 0, 0x41],
        &[0x2a, 1, 2],
        &[0x0e, 0],
        &[0x10],
        &[3, 0x82, 0xf0],
        &[0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for frame in frames {
        peer.send(frame).await;
    }

    let invalid = u64::try_from(texts.len() + 1 + frames.len()).unwrap();
    let shown = wait_for_counts(&house, counts(0, 0, 0, invalid)).await;
    peer.expect_answer(3).await;
    assert_eq!((&shown["state"], &shown["connections"]), (&json!("connected"), &json!(1)));
}

#[tokio::test]
async fn classes_of_java_are_no_packets() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    let mut peer = backend.accept().await;
    peer.send(b"{class:RegisterTCP,connectionID:1}").await;
    peer.frame().await.expect("the HANDSHAKE");
    for text in [
        "{\"class\":\"java.lang.Runtime\",\"cmd\":\"EXERCISE\",\"id\":\"a\"}",
        "{class:javax.script.ScriptEngineManager,cmd:EXERCISE,id:a}",
        "{class:com.sun.rowset.JdbcRowSetImpl,cmd:EXERCISE,id:a}",
        "{class:java.lang.Integer,value:42}",
        "[{class:java.lang.String,value:a}]",
        "{class:java.util.HashMap,cmd:{class:java.lang.Runtime,value:EXERCISE},id:a}",
    ] {
        peer.send(text.as_bytes()).await;
    }
    peer.send("[".repeat(1 << 19).as_bytes()).await;
    peer.send(format!("{}}}", "{a:".repeat(1 << 17)).as_bytes()).await;

    let shown = wait_for_counts(&house, counts(0, 0, 0, 8)).await;

    assert_eq!((&shown["encoding"], &shown["connections"]), (&json!("json"), &json!(1)));
}

#[tokio::test]
async fn a_hundred_thousand_tiny_frames_are_counted_and_logged_a_few_times() {
    let (flood, calm) = (Listening::bind().await, Listening::bind().await);
    let links = vec![settings(flood.port(), ""), named_settings("calm", calm.port(), "")];
    let house = house(links).await;
    let (mut peer, mut other) = (flood.accept_linked().await, calm.accept_linked().await);
    let frames = [framed(&[0x2a]).unwrap(), framed(&KEEP_ALIVE).unwrap()].concat().repeat(50_000);

    peer.send_raw(&frames).await;
    other.expect_answer(1).await;

    wait_for_counts(&house, counts(0, 0, 0, 50_000)).await;
    peer.expect_answer(2).await;
}

#[tokio::test]
async fn a_bad_backend_does_not_disturb_a_good_one() {
    let (bad, good) = (Listening::bind().await, Listening::bind().await);
    let links = vec![settings(bad.port(), ""), named_settings("good", good.port(), "")];
    let house = house(links).await;
    house.with_sum().await;
    let id = store_draft(&house, "good", "7").await;
    let mut peer = good.accept_linked().await;
    for _ in 0..5 {
        bad.accept_linked().await.send_raw(&[0xff; 64]).await;
    }

    peer.send(&exercise("7")).await;

    peer.expect_answer(1).await;
    let good = crate::support::wait_for(
        "7",
        PATIENCE,
        || link(&house, "good"),
        |link| link["exercises"] == counts(1, 0, 0, 0),
    )
    .await;
    assert_eq!((&good["connections"], &good["last_error"]), (&json!(1), &json!(null)));
    assert_eq!(state(&house, &id).await, "queued");
}

#[tokio::test]
async fn a_backend_that_asks_and_does_not_listen_is_left() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    let mut peer = backend.accept_linked().await;
    let questions = framed(&[0x10, 0, 0]).unwrap().repeat(100_000);

    let flood = async { while peer.stream.write_all(&questions).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, flood).await.expect("the link hangs up");

    let error = "the backend does not take what is sent to it";
    wait_for_link(&house, error, |link| last_error(link) == error).await;
    backend.accept_linked().await;
}

#[tokio::test]
async fn a_backend_that_hangs_up_right_after_the_handshake_gets_hints_in_the_log() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;

    drop(backend.accept_linked().await);

    let shown = wait_for_link(&house, "the error", |link| link["last_error"].is_object()).await;
    let error = last_error(&shown);
    assert!(error.contains("right after the HANDSHAKE") && error.contains("is the token right"), "{error}");
    assert!(!error.contains("SERVER_TOKEN"));
}

#[tokio::test]
async fn who_is_no_backend_gets_no_token() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "register_timeout_ms = 200")]).await;
    for (greeting, error) in [
        (&b"\0\0\0\x05HELLO"[..], "the first frame is no RegisterTCP; is it a KryoNet server, from 2.09 on?"),
        (b"", "the backend accepted, and sent no RegisterTCP within register_timeout_ms"),
    ] {
        let mut peer = backend.accept().await;
        peer.send_raw(greeting).await;

        assert_eq!(peer.frame().await, None);
        wait_for_link(&house, error, |link| last_error(link) == error).await;
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_at_is_tried_again_and_again() {
    let backend = Listening::bind().await;
    let port = backend.port();
    drop(backend);
    let house = house(vec![settings(port, "")]).await;

    let shown = wait_for_link(&house, "an error", |link| link["state"] == "waiting").await;

    assert!(last_error(&shown).starts_with("cannot connect: "), "{shown}");
    assert_eq!((&shown["connections"], &shown["encoding"]), (&json!(0), &json!(null)));
}

#[tokio::test]
async fn datagrams_go_to_the_machine_that_accepted_and_answers_come_over_tcp_only() {
    let backend = Listening::bind().await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let foreign = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = udp.local_addr().unwrap().port();
    let _house = house(vec![settings(backend.port(), &format!("udp_port = {port}"))]).await;
    let mut peer = backend.accept().await;
    peer.send(&[0x0c, 0x54]).await;
    let mut datagram = [0; 100];
    let (length, link) = udp.recv_from(&mut datagram).await.unwrap();
    assert_eq!(&datagram[..length], [0x0d, 0x54]);

    // What looks like an answer, and the question that servers answer, from a foreign port and from the true port.
    for socket in [&foreign, &udp] {
        for fake in [&[0x0d, 0x00][..], &[0x0d, 0x54], &[0x0f], &exercise("x")] {
            socket.send_to(fake, link).await.unwrap();
        }
    }
    let (length, again) = udp.recv_from(&mut datagram).await.unwrap();

    assert_eq!((&datagram[..length], again), (&[0x0d, 0x54][..], link));
    assert!(peer.stream.try_read(&mut [0; 1]).is_err(), "nothing goes over TCP before the answer");
    assert!(foreign.try_recv_from(&mut [0; 1]).is_err(), "a foreign port gets no answer");
    peer.send(&[0x0d, 0x00]).await;
    peer.expect_handshake().await;
}

#[tokio::test]
async fn a_datagram_that_is_never_answered_ends_the_connection() {
    let backend = Listening::bind().await;
    let more = "udp_port = 9\nregister_timeout_ms = 250";
    let house = house(vec![settings(backend.port(), more)]).await;
    let mut peer = backend.accept().await;
    peer.send(&REGISTER_TCP).await;

    assert_eq!(peer.stream.read(&mut [0; 1]).await.unwrap_or(0), 0);

    wait_for_link(&house, "an error", |link| last_error(link).contains("udp_port")).await;
}

#[tokio::test]
async fn a_link_says_that_it_lives() {
    let backend = Listening::bind().await;
    let _house = house(vec![settings(backend.port(), "keepalive_ms = 50")]).await;
    let mut peer = backend.accept_linked().await;

    for _ in 0..3 {
        let frame = tokio::time::timeout(Duration::from_secs(10), peer.frame()).await.expect("a KeepAlive");
        assert_eq!(frame.as_deref(), Some(&KEEP_ALIVE[..]));
    }
}
