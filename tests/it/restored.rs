//! A service whose database was put back from a copy, both as the documents say, after it was killed.

use std::collections::HashMap;

use crate::documents::{blocks, document};
use crate::support::engine::run;
use crate::support::stream::{facts, numbers};
use crate::support::{Client, Event, Options, TestGuichet, exercises, programs};

async fn guichet_with_sum() -> TestGuichet {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

/// How the documents say that a copy is made, and how it is put back.
fn documented() -> [String; 2] {
    let operating = document("operating.md");
    let section = operating.split("## Backup\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    blocks(section.unwrap(), "sh").try_into().unwrap()
}

async fn paste(guichet: &TestGuichet, shell: &str) {
    let here = shell
        .replace("/var/lib/guichet", guichet.data().to_str().unwrap())
        .replace("/backup", guichet.folder().to_str().unwrap());
    let mut bash = guichet.command_of("bash", &["-euo", "pipefail", "-c", &here]);
    let output = tokio::task::spawn_blocking(move || run(&mut bash)).await.unwrap();
    assert!(output.status.success(), "{shell}{output:?}");
}

/// Kills the service, puts the copy back, and starts it anew.
async fn put_back(guichet: &TestGuichet, shell: &str) {
    guichet.kill();
    paste(guichet, shell).await;
    guichet.restart().await;
}

async fn graded(alice: &Client) -> String {
    let id = alice.submit("sum", &programs::python_sum()).await;
    alice.ended(&id).await;
    id
}

fn last_id(history: &[Event]) -> String {
    facts(history).last().and_then(|event| event.id.clone()).unwrap()
}

#[tokio::test]
async fn who_resumes_behind_what_is_lost_is_reset_and_told_of_what_comes() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let [copy, back] = documented();
    let mut lived = alice.own_events().await;
    graded(&alice).await;
    lived.until(Event::ends).await;
    let kept = last_id(&lived.history);
    paste(&guichet, &copy).await;
    for _lost in 0..2 {
        graded(&alice).await;
        lived.until(Event::ends).await;
    }
    let lost = last_id(&lived.history);
    let lost_snapshot = alice.own_events().await.next().await.and_then(|snapshot| snapshot.id).unwrap();

    put_back(&guichet, &back).await;
    let fourth = graded(&alice).await;
    let fifth = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    let is_last = |event: &Event| event.ends() && event.json()["submission_id"] == *fifth;

    for lost in [lost, lost_snapshot] {
        let mut resumed = alice.own_events_after(&lost).await;
        resumed.until_named("stream.snapshot").await;
        assert_eq!(resumed.names(), ["stream.reset", "stream.snapshot"], "behind {lost}");
    }
    let mut resumed = alice.own_events_after(&kept).await;
    resumed.until(is_last).await;
    let told = facts(&resumed.history);
    assert!(told.iter().all(|event| event.name != "stream.reset"), "{told:?}");
    assert!(told.iter().any(|event| event.ends() && event.json()["submission_id"] == *fourth), "{told:?}");
    let from = numbers(&facts(&lived.history)[..6]).last().copied().unwrap() + 1;
    assert_eq!(numbers(&told), (from..).take(told.len()).collect::<Vec<_>>());
    let mut named = HashMap::new();
    for event in facts(&lived.history).iter().chain(&told).filter(|event| event.name != "stream.snapshot") {
        let other = named.insert(event.id.clone(), event.clone());
        assert_eq!(other, None, "two events have one id");
    }
}

#[tokio::test]
async fn who_resumes_behind_what_is_lost_hears_of_what_goes_on() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let [copy, back] = documented();
    paste(&guichet, &copy).await;
    let mut lived = alice.own_events().await;
    graded(&alice).await;
    lived.until(Event::ends).await;
    let lost = last_id(&lived.history);

    put_back(&guichet, &back).await;
    let before = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    let mut resumed = alice.own_events_after(&lost).await;
    let after = alice.submit("sum", &programs::python_sum()).await;
    let ended = [resumed.until(Event::ends).await, resumed.until(Event::ends).await];

    assert_eq!(resumed.names()[..2], ["stream.reset", "stream.snapshot"]);
    let mut ended = ended.map(|event| event.json()["submission_id"].as_str().unwrap_or_default().to_owned());
    let mut submitted = [before, after];
    ended.sort();
    submitted.sort();
    assert_eq!(ended, submitted);
}

#[tokio::test]
async fn the_stream_of_a_submission_is_reset_behind_what_is_lost_and_goes_on_behind_what_is_kept() {
    let guichet = guichet_with_sum().await;
    let alice = guichet.student("alice");
    let [copy, back] = documented();
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    let mut lived = alice.events(&id).await;
    lived.until_named("submission.started").await;
    paste(&guichet, &copy).await;
    lived.until(Event::ends).await;
    let lived = facts(&lived.history);

    put_back(&guichet, &back).await;
    let whole = facts(&alice.events(&id).await.into_end().await);

    assert_eq!(lived[..2], whole[..2]);
    assert_eq!(whole[2].name, "submission.requeued");
    for (behind, event) in (1..).zip(&lived) {
        let last = event.id.as_deref().unwrap_or_default();
        let told = alice.events_after(&id, last).await.into_end().await;
        if behind <= 2 {
            assert_eq!(facts(&told), whole[behind..], "behind {last}");
        } else {
            assert_eq!(told[0].name, "stream.reset", "behind {last}");
            assert_eq!(facts(&told[1..]), whole, "behind {last}");
        }
    }
}

#[tokio::test]
async fn a_copy_of_the_database_runs_beside_the_original_and_each_takes_back_its_own_only() {
    let original = guichet_with_sum().await;
    let [copy, _] = documented();
    let alice = original.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    alice.wait_for_state(&id, &["running"]).await;
    let copied = TestGuichet::prepare(Options::default());
    std::fs::create_dir(copied.data()).unwrap();
    let elsewhere = copied.data().display().to_string();
    paste(&original, &copy.replace("/backup", &elsewhere)).await;

    copied.restart().await;
    let again = copied.student("alice").ended(&id).await;
    copied.kill();
    copied.restart().await;
    let ended = alice.ended(&id).await;

    assert_eq!((&ended["state"], &ended["attempt"]), (&"finished".into(), &1.into()), "{ended}");
    assert_eq!((&again["state"], &again["attempt"]), (&"finished".into(), &2.into()), "{again}");
    let bob = original.student("bob");
    assert_eq!(bob.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
    // Both name the same installation, and each looks at its end whether anything of that is left.
    assert!(copied.terminate().await.success());
    assert!(original.terminate().await.success());
}
