//! The API on a socket: peers that are slow, lie, or leave.

use std::time::Duration;

use guichet::app::Role;
use guichet::domain::exercise::Visibility;
use guichet::domain::verdict::{Capture, SubmissionResult};
use guichet::http::{Patience, serve_with};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::house::House;
use super::ownership::hidden_result;
use crate::support::wait_for;

/// How long a test waits for what must come.
const SOON: Duration = Duration::from_mins(1);

async fn listen(house: &House, stop: &CancellationToken) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Patience {
        head: Duration::from_millis(300),
        stalled: Duration::from_millis(300),
        end: Duration::from_secs(2),
    };
    house.tasks.start(serve_with(patience, listener, house.router.clone(), stop.clone()));
    address
}

/// Everything that comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let closed = tokio::time::timeout(SOON, stream.read_to_end(&mut read)).await.is_ok();
    let read = String::from_utf8_lossy(&read).into_owned();
    assert!(closed, "it stayed open after: {read}");
    read
}

async fn exchange(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who is refused early may see the connection close while he still writes.
    stream.write_all(request).await.unwrap_or_default();
    rest(&mut stream).await
}

/// One whose output is more than a reader's socket holds.
fn large_result() -> SubmissionResult {
    let mut result = hidden_result();
    result.tests.iter_mut().for_each(|test| {
        test.visibility = Visibility::Public;
        test.stdout = Capture { bytes: vec![b'x'; 1 << 20].into(), truncated: false };
    });
    result
}

/// A house in which twelve submissions of alice's have such a result.
async fn house_of_large_results() -> House {
    let house = House::build().await;
    house.with_sum().await;
    for _ in 0..12 {
        house.submit("alice").await;
        let lease = house.lease().await;
        house.finish(&lease, large_result()).await;
    }
    house
}

#[tokio::test]
async fn who_leaves_a_request_undone_is_cut_off() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    for begun in ["", "G", "PRI", "PRI * HTTP/2.0\r\n\r\n", "GET /livez HTTP/1.1\r\nhost: x\r\nx: "] {
        let answer = exchange(address, begun.as_bytes()).await;

        assert!(!answer.contains("200 OK"), "{begun}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_and_its_sender_reads_why() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let token = house.token("alice", Role::Student);
    let body = vec![b' '; 8 << 20];
    let post = |more: &str, length: usize| {
        format!(
            "POST /v1/submissions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {length}\r\n{more}\r\n"
        )
    };
    let with_token = post(&format!("authorization: Bearer {token}\r\n"), body.len());

    let too_large = exchange(address, &[with_token.as_bytes(), &body].concat()).await;
    let nobody = exchange(address, &[post("", body.len()).as_bytes(), &body].concat()).await;

    assert!(too_large.starts_with("HTTP/1.1 413 "), "{too_large}");
    assert!(too_large.contains("payload_too_large"), "{too_large}");
    assert!(nobody.starts_with("HTTP/1.1 401 "), "{nobody}");
}

#[tokio::test]
async fn who_asks_before_he_sends_is_not_asked_to_send() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let request = "POST /v1/submissions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                   connection: close\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n";

    let answer = exchange(address, request.as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn a_request_with_two_lengths_is_refused() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let smuggled = [
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "content-length: 5\r\ntransfer-encoding: \tchunked, identity\r\n\r\nhello",
        "content-length : 5\r\n\r\nhello",
        "x: a\r\n obs: fold\r\n\r\n",
    ];
    for rest in smuggled {
        let request = format!("POST /v1/submissions HTTP/1.1\r\nhost: x\r\n{rest}");

        let answer = exchange(address, request.as_bytes()).await;

        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{rest}: {answer}");
    }
}

#[tokio::test]
async fn idle_connections_end_with_the_service() {
    let house = House::build().await;
    let stop = CancellationToken::new();
    let address = listen(&house, &stop).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();

    stop.cancel();

    assert_eq!(&first, b"HTTP/1.1 200 OK");
    assert!(rest(&mut stream).await.ends_with("ok\n"));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn http_2_is_spoken_without_being_asked_first() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();

    let answer = client.get(format!("http://{address}/livez")).send().await.unwrap();

    assert_eq!((answer.version(), answer.status().as_u16()), (reqwest::Version::HTTP_2, 200));
}

#[tokio::test]
async fn a_connection_whose_first_bytes_come_apart_is_served_in_the_version_that_it_speaks() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let request =
        b"POST /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".as_slice();
    // The preface of HTTP/2, and settings that say nothing.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();

    for (sent, first, answer) in [
        (request, 1, b"HTTP/1.1 405".as_slice()),
        (request, 5, b"HTTP/1.1 405"),
        (preface, 1, b"\x04\0\0\0\0\0"),
        (preface, 10, b"\x04\0\0\0\0\0"),
        (preface, 24, b"\x04\0\0\0\0\0"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(&sent[..first]).await.unwrap();
        // Nothing tells when the other side has looked at what came.
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(&sent[first..]).await.unwrap();

        let mut begins = [0; 12];
        stream.read_exact(&mut begins).await.unwrap();

        // Three bytes of a frame say how long it is.
        let begins = if sent == request { &begins[..] } else { &begins[3..9] };
        assert_eq!(begins, answer, "{first}: {}", begins.escape_ascii());
    }
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused_and_its_connection_closed() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let next = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    for (head, status) in [
        ("", "400"),
        ("host: a\r\nhost: b\r\n", "400"),
        ("host: a\r\nhost: a\r\n", "400"),
        ("host: x\r\ntransfer-encoding: gzip, chunked\r\n", "501"),
        ("host: x\r\ntransfer-encoding: identity, chunked\r\n", "501"),
        ("host: x\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", "501"),
        ("host: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "501"),
        ("host: x\r\ntransfer-encoding: gzip\r\n", "400"),
    ] {
        let sent = format!("POST /livez HTTP/1.1\r\n{head}\r\n0\r\n\r\n{next}");

        let answer = exchange(address, sent.as_bytes()).await;

        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head}: {answer}");
    }
}

#[tokio::test]
async fn who_is_refused_for_his_head_reads_why() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    for (head, code) in [
        ("x-request-id: mine\r\n", "malformed_request"),
        (
            "x-request-id: mine\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n",
            "unsupported_transfer_coding",
        ),
    ] {
        let sent = format!("POST /livez HTTP/1.1\r\n{head}\r\n0\r\n\r\n");

        let answer = exchange(address, sent.as_bytes()).await;

        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/problem+json"), "{answer}");
        assert!(head.contains("x-request-id: mine"), "{answer}");
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&problem["code"], &problem["request_id"]), (&code.into(), &"mine".into()), "{answer}");
    }
}

#[tokio::test]
async fn a_request_with_one_meaning_is_answered() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    for sent in [
        "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /livez HTTP/1.0\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answer = exchange(address, sent.as_bytes()).await;

        assert!(answer.contains(" 200 OK"), "{sent}: {answer}");
    }
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_told_apart_from_one_who_left() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    // All tasks of this test run on its own thread.
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let house = house_of_large_results().await;
    let address = listen(&house, house.tasks.soft()).await;
    let token = house.token("alice", Role::Student);
    let request = format!(
        "GET /v1/events?last_event_id=o0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let open = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 15]).await.unwrap();
        stream
    };
    let counts = |metrics: &str, reason: &str| metrics.contains(&format!("{{reason=\"{reason}\"}} 1"));
    let counted = |reason: &'static str| {
        let metrics = || async { shown.render() };
        wait_for(reason, SOON, metrics, move |metrics: &String| counts(metrics, reason))
    };

    let sleeper = open().await;
    let after_one = counted("stalled").await;
    drop(sleeper);
    drop(open().await);
    let after_both = counted("reader").await;

    assert!(!counts(&after_one, "reader"), "{after_one}");
    assert!(counts(&after_both, "stalled"), "{after_both}");
}

/// A client of HTTP/2 that lets the service send heads of answers and nothing of their bodies.
fn client_without_window() -> reqwest::Client {
    let builder = reqwest::Client::builder().http2_prior_knowledge();
    builder.http2_initial_stream_window_size(0).build().unwrap()
}

#[tokio::test]
async fn an_http_2_reader_without_a_window_is_given_up_with_its_token_and_its_connection_goes_on() {
    let house = House::build().await;
    let address = listen(&house, house.tasks.soft()).await;
    let client = client_without_window();
    let get =
        |path: &str, token: &str| client.get(format!("http://{address}{path}")).bearer_auth(token).send();
    let (short, long) = (
        house.token_for("alice", Role::Student, Duration::from_millis(200)),
        house.token("alice", Role::Student),
    );

    let kept = get("/v1/events", &long).await.unwrap();
    let untaken = get("/v1/events", &short).await.unwrap();

    assert_eq!((untaken.status(), house.feed.followers()), (reqwest::StatusCode::OK, 2));
    let ended = tokio::time::timeout(SOON, untaken.bytes()).await.expect("the stream stayed open");
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(house.feed.followers(), 1);
    assert_eq!(get("/v1/me", &long).await.unwrap().status(), 200);
    drop(kept);
}

#[tokio::test]
async fn an_http_2_reader_without_a_window_holds_a_few_events_and_is_given_up_as_stalled() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    // All tasks of this test run on its own thread.
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let house = house_of_large_results().await;
    let address = listen(&house, house.tasks.soft()).await;
    let token = house.token("alice", Role::Student);
    let url = format!("http://{address}/v1/events?last_event_id=o0");

    let untaken = client_without_window().get(url).bearer_auth(token).send().await.unwrap();
    let ended = tokio::time::timeout(SOON * 4, untaken.bytes()).await.expect("the stream stayed open");

    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(house.feed.followers(), 0);
    let figures = shown.render();
    assert!(figures.contains("{reason=\"stalled\"} 1"), "{figures}");
    let finished = figures.lines().find(|line| line.contains("{event=\"submission.finished\"}"));
    let made: u32 = finished.map_or(0, |line| line.split(' ').next_back().unwrap().parse().unwrap());
    assert!(made <= 2, "{made} events were made for a reader that takes none");
}
