//! Bodies made to cost much: what the service's process takes for them at its peak, and what it answers.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::{self, Answer};
use crate::support::{Client, Options, TestGuichet, exercises};

/// What a body may take beyond its own length.
const BEYOND: u64 = 8 << 20;
/// What connections, logs and the allocator take meanwhile.
const SLACK: u64 = 6 << 20;

/// Lists in lists: 14,000 times a hundred of them.
fn lists() -> String {
    format!("{{\"x\":[{}[]]}}", format!("{}{},", "[".repeat(100), "]".repeat(100)).repeat(14_000))
}

/// A text repeated to this length.
fn filled(head: &str, piece: &str, tail: &str, bytes: usize) -> String {
    let times = bytes.saturating_sub(head.len() + tail.len()) / piece.len();
    format!("{head}{}{tail}", piece.repeat(times))
}

/// Bodies whose tree, or whose faults, would be many times as large as they are.
fn hostile() -> Vec<(&'static str, String)> {
    let deep = format!("{}{},", "[".repeat(100), "]".repeat(100));
    vec![
        ("2.7 MB of lists", lists()),
        ("20 MB of lists", filled("{\"x\":[", &deep, "[]]}", 20_000_000)),
        ("31 MB of objects", filled("[", "{\"\":[]},", "{}]", 31_000_000)),
        ("numbers", filled("{\"submissions\":[", "0,", "0]}", 3_000_000)),
        ("few values in a long text", filled("{\"x\":[", "                \n", "0]}", 3_000_000)),
        ("keys", filled("{", "\"\\u0061\":0,", "\"b\":0}", 500_000)),
        ("submissions", filled("{\"submissions\":[", "{\"runtime\":\"\",\"files\":[]},", "{}]}", 450_000)),
        (
            "files of a batch",
            filled(
                "{\"submissions\":[",
                &format!(
                    "{{\"runtime\":\"c\",\"files\":[{}{{\"path\":\"\"}}]}},",
                    "{\"path\":\"\"},".repeat(255)
                ),
                "{\"runtime\":\"\",\"files\":[]}]}",
                300_000,
            ),
        ),
        ("files", filled("{\"runtime\":\"c\",\"files\":[", "{\"path\":\"\"},", "{\"path\":\"\"}]}", 430_000)),
        (
            "arguments",
            filled("{\"runtime\":\"c\",\"files\":[],\"run\":{\"args\":[", "\"\\u0000\",", "\"\"]}}", 700_000),
        ),
        (
            "a path of slashes",
            filled("{\"runtime\":\"c\",\"files\":[{\"path\":\"", "a/", "\",\"content\":\"\"}]}", 1_900_000),
        ),
        ("own JSON", filled("{\"metadata\":[", "[],", "[]],\"runtime\":\"c\",\"files\":[]}", 230_000)),
        ("a long key", filled("{\"", "k\\n", "\":0}", 2_000_000)),
    ]
}

/// The most memory that the process had since [`forget_peak`], and what it has.
fn memory(guichet: &TestGuichet, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", guichet.pid())).expect("the process");
    let found = status.lines().find_map(|text| text.strip_prefix(line)).expect("a line");
    let kib: u64 = found.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

fn forget_peak(guichet: &TestGuichet) {
    std::fs::write(format!("/proc/{}/clear_refs", guichet.pid()), "5").expect("the peak begins anew");
}

async fn post(client: &Client, path: &str, body: String) -> Answer {
    let request = client.request(Method::POST, path).header("Content-Type", "application/json");
    client::send(request.body(body)).await
}

async fn guichet() -> TestGuichet {
    let options = Options::default().env("GUICHET_RATE_LIMIT__PER_SECOND", "10000");
    let guichet = options.env("GUICHET_RATE_LIMIT__BURST", "10000").start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet
}

#[tokio::test]
async fn whatever_a_student_sends_costs_its_own_length_and_little_more() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let routes = ["/v1/submissions", "/v1/submissions/batch", "/v1/stream-tickets"];
    for path in routes {
        post(&alice, path, "{}".to_owned()).await;
    }

    for (name, body) in hostile() {
        let sent = u64::try_from(body.len()).expect("a length");
        for path in routes {
            forget_peak(&guichet);
            let before = memory(&guichet, "VmRSS");
            let answer = post(&alice, path, body.clone()).await;
            let peak = memory(&guichet, "VmHWM");

            assert!(matches!(answer.status.as_u16(), 400 | 413 | 422), "{name} to {path}: {answer:?}");
            let grown = peak.saturating_sub(before);
            assert!(grown <= sent + BEYOND + SLACK, "{name} to {path}: {sent} bytes took {grown}");
            assert!(answer.text.len() < 1 << 20, "{name} to {path}: an answer of {}", answer.text.len());
        }
    }
    let stored = guichet.admin().get("/v1/submissions").await.expect(200);
    assert_eq!(stored["items"], json!([]));
}

#[tokio::test]
async fn three_large_bodies_at_once_cost_their_length_and_hold_up_no_other() {
    let guichet = guichet().await;
    let [alice, bob] = ["alice", "bob"].map(|name| guichet.student(name));
    let lists = format!("{}{},", "[".repeat(100), "]".repeat(100));
    let body = filled("{\"submissions\":[", &lists, "[]]}", 20_000_000);
    bob.get("/v1/me").await.expect(200);
    forget_peak(&guichet);
    let before = memory(&guichet, "VmRSS");

    let three = async {
        let send = || post(&alice, "/v1/submissions/batch", body.clone());
        tokio::join!(send(), send(), send())
    };
    let others = async {
        for _ in 0..100 {
            bob.get("/v1/me").await.expect(200);
        }
    };
    let ((one, two, last), ()) = tokio::join!(three, others);

    for answer in [one, two, last] {
        assert_eq!(answer.problem(413).0, "payload_too_large");
    }
    let grown = memory(&guichet, "VmHWM").saturating_sub(before);
    let sent = u64::try_from(3 * body.len()).expect("a length");
    assert!(grown <= sent + BEYOND + SLACK, "{sent} bytes took {grown}");
}

#[tokio::test]
async fn a_mebibyte_of_files_is_one_however_it_is_written() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let with = |content: &str| {
        format!(
            "{{\"exercise_id\":\"sum\",\"runtime\":\"python\",\"enqueue\":false,\
              \"files\":[{{\"path\":\"main.py\",\"content\":\"{content}\"}}]}}"
        )
    };

    for (character, bytes) in
        [("\\u0023", 1), ("#", 1), ("\\u00e9", 2), ("\\ud83d\\ude00", 4), ("\\u0000", 1)]
    {
        let fits = with(&character.repeat((1 << 20) / bytes));
        let more = with(&character.repeat((1 << 20) / bytes + 1));
        assert_eq!(post(&alice, "/v1/submissions", fits).await.status, 202, "{character}");
        let refused = post(&alice, "/v1/submissions", more).await;
        assert_eq!(refused.problem(413).0, "payload_too_large", "{character}");
    }
}

#[tokio::test]
async fn a_body_that_comes_slowly_ends_after_half_a_minute_and_its_connection_too() {
    let guichet = guichet().await;
    let address = guichet.url().replace("http://", "");
    let token = guichet.student("alice").token().to_owned();
    let mut connection = tokio::net::TcpStream::connect(&address).await.expect("a connection");
    let head = format!(
        "POST /v1/submissions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    connection.write_all(head.as_bytes()).await.expect("a head");
    let (mut answers, mut body) = connection.split();

    let mut read = String::new();
    let dripping = async {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            if body.write_all(b" ").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(35), answers.read_to_string(&mut read));
    let outcome = tokio::select! {
        outcome = answered => outcome,
        () = dripping => unreachable!("it drips until the answer is there"),
    };

    drop(outcome.expect("the connection ends within the body's time and some"));
    assert!(read.starts_with("HTTP/1.1 408 ") && read.contains("\"request_timeout\""), "{read}");
}
