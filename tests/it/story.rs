//! The main story: a program goes in, waits, runs, is graded, and everybody who may look on sees the same.

use serde_json::{Value, json};

use crate::support::client::events_path;
use crate::support::stream::{facts, last_place_before_start, numbers};
use crate::support::{Client, EventStream, Role, TestGuichet, exercises, programs};

async fn guichet_with_sum() -> TestGuichet {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

async fn replayed(client: &Client, id: &str) -> Vec<crate::support::Event> {
    client.events(id).await.into_end().await
}

#[tokio::test]
async fn a_student_submits_and_sees_every_step_until_the_result() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");

    let answer = alice
        .post("/v1/submissions", &{
            let mut body = programs::python_sum().body();
            body["exercise_id"] = json!("sum");
            body["metadata"] = json!({ "lesson": 4 });
            body
        })
        .await;
    let location = answer.header("location").map(str::to_owned);
    let submission = answer.expect(202);
    let id = submission["id"].as_str().unwrap_or_default();
    let stream = alice.events(id).await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.header("cache-control"), Some("no-store"));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    let events = stream.into_end().await;

    assert_eq!(location.as_deref(), Some(format!("/v1/submissions/{id}").as_str()));
    let names: Vec<_> = facts(&events).iter().map(|event| event.name.clone()).collect();
    let told = ["queued", "started", "test_finished", "test_finished", "finished"];
    assert_eq!(names, told.map(|name| format!("submission.{name}")));
    assert_eq!(numbers(&events), [1, 2, 3, 4, 5]);
    assert_eq!(last_place_before_start(&events), 1);
    let last = events[events.len() - 1].json();
    let shown = alice.submission(id).await;
    assert_eq!(last["submission"], shown);
    assert_eq!(shown["result"]["verdict"], "accepted");
    assert_eq!((&shown["result"]["score"], &shown["result"]["max_score"]), (&json!(4), &json!(4)));
    assert_eq!(shown["metadata"], json!({ "lesson": 4 }));
    assert_eq!(shown["state"], "finished");
}

#[tokio::test]
async fn a_compiled_program_tells_of_its_compilation() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");

    let id = alice.submit("sum", &programs::c_sum()).await;
    let events = replayed(&alice, &id).await;

    let compiled = facts(&events)[2].json();
    assert_eq!(compiled["compile"]["ok"], true, "{events:?}");
    let shown = alice.submission(&id).await;
    assert_eq!(shown["result"]["compile"], compiled["compile"]);
    assert_eq!(shown["result"]["verdict"], "accepted");
}

#[tokio::test]
async fn a_stream_begins_with_the_time_to_wait_before_reconnecting() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");

    let id = alice.submit("sum", &programs::python_sum()).await;
    let mut stream = alice.events(&id).await;
    stream.until(crate::support::Event::ends).await;

    assert!(stream.raw().starts_with("retry:"), "{}", stream.raw());
}

#[tokio::test]
async fn a_reader_who_reconnects_after_the_end_is_told_that_nothing_follows() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    let events = replayed(&alice, &id).await;

    let last = events.last().and_then(|event| event.id.clone()).unwrap_or_default();
    let again = alice.events_after(&id, &last).await;

    assert_eq!(again.status, 204);
}

#[tokio::test]
async fn a_latecomer_reads_the_same_bytes() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_nearly_sum()).await;

    let live = replayed(&alice, &id).await;
    let late = replayed(&alice, &id).await;

    assert_eq!(facts(&late), facts(&live));
}

#[tokio::test]
async fn two_readers_of_one_stream_see_the_same() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::sleep_then_sum(0.3)).await;

    let (one, other) = tokio::join!(replayed(&alice, &id), replayed(&alice, &id));

    assert_eq!(facts(&one), facts(&other));
    assert_eq!(numbers(&one), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_reader_resumes_behind_each_id_without_gap_or_repeat() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    let whole = facts(&replayed(&alice, &id).await);

    for (behind, event) in whole.iter().enumerate().take(4) {
        let last = event.id.clone().unwrap_or_default();
        let rest = alice.events_after(&id, &last).await.into_end().await;
        assert_eq!(rest, whole[behind + 1..], "behind {last}");
        let query = format!("{}?last_event_id={last}", events_path(&id));
        let rest = EventStream::open(alice.request(reqwest::Method::GET, &query)).await.into_end().await;
        assert_eq!(rest, whole[behind + 1..], "behind {last}, by query");
    }
}

#[tokio::test]
async fn the_header_wins_over_the_query() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    let whole = facts(&replayed(&alice, &id).await);

    let [first, fourth] = [0, 3].map(|index| whole[index].id.clone().unwrap_or_default());
    let path = format!("{}?last_event_id={first}", events_path(&id));
    let request = alice.request(reqwest::Method::GET, &path).header("Last-Event-ID", fourth);
    let rest = EventStream::open(request).await.into_end().await;

    assert_eq!(rest, whole[4..]);
}

#[tokio::test]
async fn a_reader_resumes_in_the_middle_across_the_death_of_the_service() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    let mut before = alice.events(&id).await;
    before.until_named("submission.started").await;
    let last = before.last_id().unwrap_or_default().to_owned();

    guichet.kill();
    guichet.restart().await;
    let after = alice.events_after(&id, &last).await.into_end().await;

    let mut seen = facts(&before.history);
    seen.extend(facts(&after));
    assert_eq!(numbers(&seen), [1, 2, 3, 4, 5, 6]);
    let names: Vec<_> = seen.iter().map(|event| event.name.trim_start_matches("submission.")).collect();
    assert_eq!(names, ["queued", "started", "requeued", "started", "test_finished", "finished"]);
    assert_eq!(seen, facts(&replayed(&alice, &id).await));
    let requeued = seen[2].json();
    assert_eq!((&requeued["reason"], &requeued["position"]), (&json!("instance_lost"), &json!(1)));
}

#[tokio::test]
async fn an_id_that_cannot_be_continued_from_is_answered_by_reset_and_the_whole_log() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    let whole = facts(&replayed(&alice, &id).await);
    // Numbers of all his events go further than those of one submission.
    let other = alice.submit("sum", &programs::python_sum()).await;
    replayed(&alice, &other).await;
    let own = alice.own_events().await.next().await.and_then(|snapshot| snapshot.id).unwrap_or_default();

    let epoch = own.split('.').next_back().unwrap_or_default();
    let beyond = format!("99.{epoch}");
    for foreign in ["garbage", "1", "-1", "18446744073709551616", "1.5", own.as_str(), beyond.as_str()] {
        let told = alice.events_after(&id, foreign).await.into_end().await;
        assert_eq!(told[0].name, "stream.reset", "behind {foreign}: {told:?}");
        assert_eq!(facts(&told[1..]), whole, "behind {foreign}");
    }
}

#[tokio::test]
async fn an_owner_sees_all_of_his_submissions_on_one_stream_and_resumes_it() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    guichet.student("bob").submit("sum", &programs::python_sum()).await;
    let waiting = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;

    let mut stream = alice.own_events().await;
    let snapshot = stream.next().await.unwrap_or_else(|| panic!("a snapshot"));
    let other = alice.submit("sum", &programs::python_sum()).await;
    for ended in 0..2 {
        let event = stream.until(crate::support::Event::ends).await;
        assert!(
            [&waiting, &other].iter().any(|id| event.json()["submission_id"] == **id),
            "{ended}: {event:?}"
        );
    }

    assert_eq!(snapshot.name, "stream.snapshot");
    assert!(snapshot.id.is_some());
    assert_eq!(snapshot.json()["items"][0]["id"], waiting);
    let live = facts(&stream.history);
    assert!(
        live[1..]
            .iter()
            .all(|event| [&waiting, &other].iter().any(|id| event.json()["submission_id"] == **id))
    );
    for (behind, event) in live.iter().enumerate().take(live.len() - 1) {
        let mut resumed = alice.own_events_after(event.id.as_deref().unwrap_or_default()).await;
        let until = live[live.len() - 1].id.clone();
        resumed.until(|event| event.id == until).await;
        assert_eq!(facts(&resumed.history), live[behind + 1..]);
    }
}

#[tokio::test]
async fn an_owner_stream_that_cannot_continue_is_reset_with_a_snapshot() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");

    for foreign in ["garbage", "o99", "-1", "o1.0123456789abcdef"] {
        let mut stream = alice.own_events_after(foreign).await;
        stream.until_named("stream.snapshot").await;
        assert_eq!(stream.names(), ["stream.reset", "stream.snapshot"], "behind {foreign}");
    }
}

#[tokio::test]
async fn a_backend_follows_another_owner_and_a_student_does_not() {
    let guichet = guichet_with_sum().await;
    let backend = guichet.client(Role::Backend, "platform");
    let path = "/v1/events?owner=alice";

    let id = guichet.student("alice").submit("patient", &programs::sleep_then_sum(4.0)).await;
    let mut stream = EventStream::open(backend.request(reqwest::Method::GET, path)).await;
    let ended = stream.until(crate::support::Event::ends).await;
    let refused = guichet.student("bob").get(path).await;

    assert_eq!(ended.json()["submission_id"], id);
    assert_eq!(refused.problem(403).0, "forbidden");
}

#[tokio::test]
async fn nobody_sees_what_is_not_his() {
    let guichet = guichet_with_sum().await;
    let id = guichet.student("alice").submit("sum", &programs::python_sum()).await;
    guichet.student("alice").ended(&id).await;
    let bob = guichet.student("bob");

    for path in ["", "/events", "/files/main.py"] {
        let foreign = bob.get(&format!("/v1/submissions/{id}{path}")).await;
        let absent = bob.get(&format!("/v1/submissions/0199d7a4-0000-7000-8000-000000000000{path}")).await;
        assert_eq!(foreign.problem(404), absent.problem(404), "{path}");
    }
    assert_eq!(bob.cancel(&id).await.problem(404).0, "not_found");
    assert_eq!(bob.get("/v1/submissions").await.expect(200)["items"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_request_that_prefers_to_wait_is_answered_with_the_result() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let mut body = programs::python_sum().body();
    body["exercise_id"] = json!("sum");

    let request =
        alice.request(reqwest::Method::POST, "/v1/submissions").header("Prefer", "wait=30").json(&body);
    let answer = crate::support::client::send(request).await.expect(200);

    assert_eq!(answer["result"]["verdict"], "accepted");
}

#[tokio::test]
async fn a_ticket_opens_the_stream_it_is_for_and_nothing_else() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let id = alice.submit("sum", &programs::python_sum()).await;
    let other = alice.submit("sum", &programs::python_sum()).await;
    let made = alice.post("/v1/stream-tickets", &json!({ "submission_id": id })).await.expect(201);
    let ticket = made["ticket"].as_str().unwrap_or_default();

    let with_ticket =
        |path: String| alice.anonymous(reqwest::Method::GET, &format!("{path}?ticket={ticket}"));
    let events = EventStream::open(with_ticket(events_path(&id))).await.into_end().await;

    assert_eq!(numbers(&events), [1, 2, 3, 4, 5]);
    let elsewhere = crate::support::client::send(with_ticket(events_path(&other))).await;
    assert!([401, 404].contains(&elsewhere.status.as_u16()), "{elsewhere:?}");
    let answer = crate::support::client::send(with_ticket(format!("/v1/submissions/{id}"))).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!guichet.log().contains(ticket));
}
