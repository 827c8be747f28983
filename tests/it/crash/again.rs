//! The process dies again and again, of itself or of what it runs.

use std::time::Duration;

use guichet::domain::lease::REST_AFTER_LOSS;
use serde_json::{Value, json};

use super::{AT_ONCE, all_is_told_once, guichet};
use crate::support::stream::facts;
use crate::support::{Client, Event, Options, client, exercises, programs, wait_for};

#[tokio::test]
async fn three_deaths_within_seconds_do_not_end_a_submission() {
    let guichet = guichet().await;
    let (alice, bob) = (guichet.student("alice"), guichet.student("bob"));
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    for attempt in 1..=2 {
        let look = || alice.submission(&id);
        let running = |seen: &Value| seen["state"] == "running" && seen["attempt"] == attempt;
        wait_for("the next attempt", AT_ONCE, look, running).await;
        guichet.kill();
        guichet.restart().await;
    }

    // It stands first in the queue, and rests.
    assert_eq!(bob.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
    let rests = alice.submission(&id).await;
    guichet.kill();
    guichet.restart().await;

    assert_eq!((&rests["state"], &rests["attempt"]), (&json!("queued"), &json!(2)), "{rests}");
    let ended = all_is_told_once(&alice, std::slice::from_ref(&id)).await;
    assert_eq!((&ended[&id]["state"], &ended[&id]["attempt"]), (&json!("finished"), &json!(3)));
}

#[tokio::test]
async fn a_loop_of_deaths_that_is_longer_than_a_rest_uses_up_no_attempt() {
    let guichet = guichet().await;
    let (alice, bob) = (guichet.student("alice"), guichet.student("bob"));
    let id = alice.submit("patient", &programs::sleep_then_sum(20.0)).await;
    for _life in 0..3 {
        // What a loop of deaths is like from outside: the time between them is all that there is to wait for.
        tokio::time::sleep(Duration::from_secs(12)).await;
        guichet.kill();
        guichet.restart().await;
    }

    let rests = alice.submission(&id).await;
    assert_eq!(bob.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
    let look = || alice.submission(&id);
    let ended = wait_for("its end", client::PATIENCE * 2, look, |seen| seen["finished_at"].is_string()).await;

    assert_eq!((&rests["state"], &rests["attempt"]), (&json!("queued"), &json!(2)), "{rests}");
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(3)), "{ended}");
}

#[tokio::test]
async fn a_submission_with_which_the_service_dies_each_time_has_failed_with_its_history() {
    let guichet = guichet().await;
    let alice = guichet.student("alice");
    // It is proven that the service does well without it.
    tokio::time::sleep(REST_AFTER_LOSS).await;
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;

    for attempt in 1..=4 {
        let look = || alice.submission(&id);
        let running = |seen: &Value| seen["state"] == "running" && seen["attempt"] == attempt;
        wait_for("the next attempt", client::PATIENCE, look, running).await;
        guichet.kill();
        guichet.restart().await;
    }

    let failed = alice.wait_for_state(&id, &["failed"]).await;
    assert_eq!((&failed["result"], &failed["failure"]["code"]), (&Value::Null, &json!("instance_lost")));
    let history = failed["failure"]["attempts"].as_array().cloned().unwrap_or_default();
    let numbers: Vec<_> = history.iter().map(|attempt| attempt["attempt"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3, 4], "{failed}");
    assert!(history.iter().all(|attempt| attempt["reason"] == "instance_lost"), "{failed}");
    let log = alice.events(&id).await.into_end().await;
    assert_eq!(log.last().map(|event| event.name.as_str()), Some("submission.failed"));
    assert_eq!(log[log.len() - 1].json()["submission"], failed);
    assert_eq!(alice.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
}

#[tokio::test]
async fn readers_of_a_service_that_dies_again_and_again_see_every_event_once() {
    let guichet = Options::default().slots(2).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let clients: Vec<_> = (0..4).map(|n| guichet.student(&format!("owner{n}"))).collect();
    let mut work = Vec::new();
    for client in &clients {
        for _ in 0..6 {
            work.push((client, client.submit("sum", &programs::sleep_then_sum(0.1)).await));
        }
    }

    let killing = async {
        for ended in [3, 9, 15] {
            let look =
                || guichet.query::<i64>("SELECT count(*) FROM submissions WHERE finished_at IS NOT NULL");
            wait_for("some to have ended", client::PATIENCE, look, |count| *count >= ended).await;
            guichet.kill();
            guichet.restart().await;
        }
    };
    let reading = work.iter().map(|(client, id)| faithful_reader(client, id));
    let (histories, ()) = tokio::join!(futures_util::future::join_all(reading), killing);

    for ((client, id), history) in work.iter().zip(histories) {
        let shown = &all_is_told_once(client, std::slice::from_ref(id)).await[id];
        assert_eq!(shown["state"], "finished", "{shown}");
        assert_eq!(history, facts(&client.events(id).await.into_end().await));
    }
}

/// Reads a stream to its end as `EventSource` does: reconnects with the last id it has.
async fn faithful_reader(client: &Client, id: &str) -> Vec<Event> {
    let mut history = Vec::new();
    let mut last: Option<String> = None;
    loop {
        let open = || {
            let mut request = client.request(reqwest::Method::GET, &client::events_path(id));
            if let Some(last) = &last {
                request = request.header("Last-Event-ID", last);
            }
            crate::support::EventStream::try_open(request)
        };
        let opened = wait_for("an answer", client::PATIENCE, open, Result::is_ok).await;
        let mut stream = opened.expect("it is open");
        if stream.status == 204 {
            return history;
        }
        while stream.next_whenever().await.is_some() {}
        last = stream.last_id().map(str::to_owned).or(last);
        history.extend(facts(&stream.history));
    }
}
