//! The service, or the machine under it, stands still for a while: that counts against nobody.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use sqlx::Connection as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Options, Program, TestGuichet, exercises, programs, wait_for};

/// Sleeps in each test for six seconds, and is right about any sum.
fn nap() -> Program {
    programs::sleep_then_sum(6.0)
}

/// Waits until a program of the service runs.
async fn program_to_run(guichet: &TestGuichet) {
    guichet.admin().wait_for_a_run().await;
    let (engine, label) = (guichet.engine(), guichet.label().await);
    let look = || async { engine.busy(&label) };
    wait_for("the program to run", Duration::from_mins(1), look, |busy| !busy.is_empty()).await;
}

/// Stops the process for so long.
async fn pause(guichet: &TestGuichet, length: Duration) {
    guichet.signal(Signal::STOP);
    tokio::time::sleep(length).await;
    guichet.signal(Signal::CONT);
}

#[tokio::test]
async fn two_pauses_of_16_seconds_while_a_program_naps_cost_no_attempt() {
    let guichet = Options::default().slots(1).start().await;
    let mut naps = exercises::sum();
    naps["limits"] = json!({ "wall_time_ms": 10_000 });
    guichet.teacher().put_exercise("naps", &naps).await;
    let id = guichet.student("alice").submit("naps", &nap()).await;

    program_to_run(&guichet).await;
    pause(&guichet, Duration::from_secs(16)).await;
    guichet.student("alice").events(&id).await.until_named("submission.test_finished").await;
    pause(&guichet, Duration::from_secs(16)).await;

    let ended = guichet.student("alice").ended(&id).await;
    assert_eq!(
        (&ended["state"], &ended["attempt"], &ended["result"]["verdict"]),
        (&json!("finished"), &json!(1), &json!("accepted")),
        "{ended}"
    );
    assert!(!guichet.log().contains("does not answer"), "its host was doubted:\n{}", guichet.log());
}

#[tokio::test]
async fn a_program_that_has_to_wait_for_a_service_that_stands_still_is_not_stopped_for_it() {
    let guichet = Options::default().slots(1).start().await;
    let text = "x".repeat(2 << 20);
    let limits = json!({ "wall_time_ms": 4000, "output_bytes": 4 << 20 });
    guichet.teacher().put_exercise("echo", &exercises::one_test_with(&text, &text, &limits)).await;
    let source = "import sys, time\ntime.sleep(1)\nsys.stdout.write(sys.stdin.read())\n";
    let id = guichet.student("alice").submit("echo", &Program::python(source)).await;

    program_to_run(&guichet).await;
    pause(&guichet, Duration::from_secs(8)).await;

    let ended = guichet.student("alice").ended(&id).await;
    assert_eq!(
        (&ended["state"], &ended["attempt"], &ended["result"]["verdict"]),
        (&json!("finished"), &json!(1), &json!("accepted")),
        "{}",
        ended["result"]["tests"][0]["limit"]
    );
    let usage = &ended["result"]["tests"][0]["usage"];
    assert!(usage["wall_time_ms"].as_u64().is_some_and(|took| (1000..4000).contains(&took)), "{usage}");
}

#[tokio::test]
async fn while_leases_cannot_be_renewed_none_of_this_process_is_taken_for_lost() {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(23.0)).await;
    alice.wait_for_state(&id, &["running"]).await;

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(guichet.data().join("guichet.sqlite"));
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.expect("the database opens");
    let refuse = "CREATE TRIGGER no_renewal BEFORE UPDATE OF lease_until ON submissions \
        WHEN NEW.state = 'running' AND OLD.state = 'running' BEGIN SELECT RAISE(ABORT, 'not now'); END";
    sqlx::query(refuse).execute(&mut other).await.expect("a trigger");
    let refused = || async { guichet.log().matches("expired leases could not be looked for").count() };
    wait_for("the lease to have run out twice", Duration::from_mins(1), refused, |count| *count >= 4).await;
    sqlx::query("DROP TRIGGER no_renewal").execute(&mut other).await.expect("no trigger");

    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
}

/// A connection to the service over which the head of a request was sent; a little is read ahead of what the reader takes.
async fn send_head(guichet: &TestGuichet, token: &str, head: &str) -> TcpStream {
    let address = guichet.url().replace("http://", "");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(address.parse().expect("an address")).await.expect("a connection");
    let head = format!(
        "{head}\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("a head");
    stream
}

#[tokio::test]
async fn a_pause_counts_neither_against_a_body_that_comes_nor_against_a_reader_that_takes() {
    let guichet = Options::default().slots(1).start().await;
    let text = "x".repeat(7 << 19);
    let large = exercises::one_test_with(&text, &text, &json!({}));
    guichet.teacher().put_exercise("large", &large).await;
    let token = guichet.teacher().token().to_owned();
    let mut writer = send_head(&guichet, &token, "POST /v1/stream-tickets HTTP/1.1").await;
    writer.write_all(b"Content-Length: 2\r\n\r\n{").await.expect("half a body");
    let mut reader = send_head(&guichet, &token, "GET /v1/exercises/large HTTP/1.1").await;
    reader.write_all(b"\r\n").await.expect("the end of a head");
    // It has begun to write what is not taken, and waits.
    let mut first = vec![0; 1000];
    reader.read_exact(&mut first).await.expect("the begin of an answer");

    pause(&guichet, Duration::from_secs(33)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    writer.write_all(b"}").await.expect("the rest of a body");
    let (mut answer, mut whole) = (String::new(), Vec::new());
    let read = async {
        writer.read_to_string(&mut answer).await.expect("an answer");
        reader.read_to_end(&mut whole).await.expect("the rest of an answer");
    };
    tokio::time::timeout(Duration::from_mins(3), read).await.expect("both end");

    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(first.starts_with(b"HTTP/1.1 200 "));
    let length = first.len() + whole.len();
    assert!(length > 2 * text.len() && whole.ends_with(b"}"), "{length} bytes came");
}
