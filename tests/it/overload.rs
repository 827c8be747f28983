//! Readers and callers who take too much, too little or go away; a process that slept or ran out of descriptors.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::client::events_path;
use crate::support::engine::say;
use crate::support::stream::facts;
use crate::support::{Client, Event, Options, Program, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// A service with one slot and an exercise whose programs may take long.
async fn guichet() -> TestGuichet {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

/// Prints so much that the events of a few submissions fill every buffer on the way.
fn loud() -> Program {
    Program::python("import sys\nsys.stdout.write('\\x01' * 8192)\n")
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_dropped_and_goes_on_where_he_was() {
    let guichet = TestGuichet::start().await;
    let mut exercise = exercises::one_test("", "");
    exercise["limits"] = json!({ "output_bytes": 1 << 20 });
    exercise["tests"] = (0..30)
        .map(|n| json!({ "name": format!("t{n}"), "stdin": "", "expected": "", "visibility": "public" }))
        .collect();
    guichet.teacher().put_exercise("loud", &exercise).await;
    let alice = guichet.student("alice");
    let address = guichet.url().replace("http://", "");
    let mut slow = tokio::net::TcpStream::connect(&address).await.expect("a connection");
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
        alice.token()
    );
    slow.write_all(head.as_bytes()).await.expect("a request");
    let mut own = alice.own_events().await;
    own.until_named("stream.snapshot").await;

    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(alice.submit("loud", &loud()).await);
    }
    for _ in &ids {
        own.until(Event::ends).await;
    }
    let open = || async {
        guichet
            .admin()
            .get("/metrics")
            .await
            .text
            .lines()
            .find(|line| line.starts_with("guichet_streams_open"))
            .map(str::to_owned)
    };
    wait_for("the slow reader to be dropped", Duration::from_mins(1), open, |line| {
        line.as_deref().is_some_and(|line| line.ends_with(" 1"))
    })
    .await;
    let mut read = Vec::new();
    drop(tokio::time::timeout(SOON, slow.read_to_end(&mut read)).await.expect("the connection is over"));

    let text = String::from_utf8_lossy(&read);
    let last =
        text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id").to_owned();
    // The last event may have been cut: a reader takes only what an empty line ends.
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _cut)| whole);
    let last =
        whole.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().map_or(last, str::to_owned);
    let all = facts(&own.history);
    let behind =
        all.iter().position(|event| event.id.as_deref() == Some(last.as_str())).expect("his last event");
    assert!(behind + 1 < all.len(), "he was never slow");
    let mut resumed = alice.own_events_after(&last).await;
    let end = all[all.len() - 1].id.clone();
    resumed.until(|event| event.id == end).await;
    assert_eq!(facts(&resumed.history), all[behind + 1..]);
}

#[tokio::test]
async fn three_hundred_readers_see_the_same_and_no_request_waits_for_them() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let blocker = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    let id = alice.submit("sum", &programs::python_sum()).await;
    let backend = guichet.client(crate::support::Role::Backend, "platform");
    let mut streams = Vec::new();
    for _ in 0..300 {
        streams.push(backend.events(&id).await);
    }

    let begun = std::time::Instant::now();
    assert_eq!(alice.submission(&id).await["position"], 1);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    alice.cancel(&blocker).await.expect(200);
    let histories =
        futures_util::future::join_all(streams.into_iter().map(crate::support::EventStream::into_end)).await;

    let whole = facts(&backend.events(&id).await.into_end().await);
    assert_eq!(whole.len(), 5);
    assert!(histories.iter().all(|history| facts(history) == whole));
}

#[tokio::test]
async fn a_reader_who_goes_away_is_forgotten() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let admin = guichet.admin();
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    let open = || async {
        admin
            .get("/metrics")
            .await
            .text
            .lines()
            .find(|line| line.starts_with("guichet_streams_open"))
            .map(str::to_owned)
    };
    let reading = (alice.events(&id).await, alice.own_events().await);
    wait_for("two open streams", SOON, open, |line| line.as_deref().is_some_and(|line| line.ends_with(" 2")))
        .await;

    drop(reading);

    let none = |line: &Option<String>| line.as_deref().is_some_and(|line| line.ends_with(" 0"));
    wait_for("no open stream", Duration::from_mins(1), open, none).await;
    alice.cancel(&id).await.expect(200);
    let gone: &Client = &alice;
    assert_eq!(gone.get(&events_path(&id)).await.status, 200);
}

#[tokio::test]
async fn a_process_that_slept_through_its_leases_ends_every_submission_once() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let running = alice.submit("patient", &programs::sleep_then_sum(18.0)).await;
    let waiting = alice.submit("sum", &programs::python_sum()).await;
    alice.wait_for_state(&running, &["running"]).await;

    guichet.signal(rustix::process::Signal::STOP);
    let left = || {
        guichet.query::<i64>(
            "SELECT CAST(max(lease_until) - unixepoch('subsec') * 1000 AS INTEGER) FROM submissions",
        )
    };
    wait_for("the lease to run out", SOON, left, |left_ms| *left_ms < 0).await;
    guichet.signal(rustix::process::Signal::CONT);
    // The connections of before have idled for too long.
    let alice = guichet.student("alice");

    for id in [running, waiting] {
        let ended = alice.ended(&id).await;
        assert_eq!(
            (&ended["state"], &ended["result"]["verdict"]),
            (&json!("finished"), &json!("accepted")),
            "{ended}"
        );
        let log = alice.events(&id).await.into_end().await;
        assert_eq!(log.iter().filter(|event| event.ends()).count(), 1, "{log:?}");
    }
}

#[tokio::test]
async fn a_service_out_of_file_descriptors_recovers() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;
    alice.wait_for_state(&id, &["running"]).await;
    let limit = format!("--nofile={0}:{0}", 64);
    say(Command::new("prlimit").args(["--pid", &guichet.pid().to_string(), &limit]));
    let address = guichet.url().replace("http://", "");

    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(tokio::net::TcpStream::connect(&address).await);
    }
    drop(idle);

    let look = || async { alice.cancel(&id).await.status.as_u16() };
    wait_for("an answer", SOON, look, |status| *status == 200).await;
    assert_eq!(alice.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
}

#[tokio::test]
async fn a_quiet_stream_is_kept_open_by_comments() {
    let guichet = guichet().await;
    let mut stream = guichet.student("alice").own_events().await;

    stream.until_named("stream.snapshot").await;
    stream.drain(Duration::from_secs(17)).await;

    assert_eq!(stream.names(), ["stream.snapshot"]);
    let comments = stream.raw().lines().filter(|line| line.starts_with(':')).count();
    assert_eq!(comments, 1, "{}", stream.raw());
}
