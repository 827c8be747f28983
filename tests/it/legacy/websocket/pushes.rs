//! What users are told without asking.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use guichet::app::{LegacyEnqueue, Role};
use guichet::domain::submission::{GivenUp, LostReason, NewSubmission};
use guichet::domain::verdict::Verdict;
use serde_json::Value;

use super::lounge::{Lounge, OK, error, executed, place};
use crate::storage::factory;

fn lost(reason: LostReason) -> GivenUp {
    GivenUp { reason, container: Some("c0ffee".to_owned()) }
}

#[tokio::test]
async fn places_fall_one_by_one_to_the_start_and_then_the_result_is_told() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.queue("bob", "1").await;
    lounge.queue("bob", "2").await;
    lounge.queue("alice", "12").await;
    let before = lounge.start().await;
    alice.until(&place("12", 1)).await;
    lounge.finish(&before, Verdict::Accepted).await;
    // Bob's second stands behind: a fair rank.
    let lease = lounge.start().await;

    lounge.finish(&lease, Verdict::WrongAnswer).await;

    assert_eq!(alice.packet().await, executed("12"));
    assert!(alice.is_quiet().await);
}

#[tokio::test]
async fn the_last_place_before_the_start_is_told_however_fast_it_goes() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    for _ in 0..3 {
        lounge.queue("bob", "").await;
    }
    lounge.queue("alice", "12").await;

    let leases = [lounge.start().await, lounge.start().await];
    for lease in &leases {
        lounge.finish(lease, Verdict::Accepted).await;
    }

    let told = alice.until(&executed("12")).await;
    assert_eq!(told[told.len() - 2], place("12", 1), "{told:?}");
}

#[tokio::test]
async fn what_does_not_compile_is_an_error_and_executed() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.queue("alice", "12").await;
    let lease = lounge.start().await;

    lounge.finish(&lease, Verdict::CompilationError).await;

    let told = alice.until(&executed("12")).await;
    assert_eq!(told, [place("12", 1), error(500, "EXERCICE", "12"), executed("12")]);
}

#[tokio::test]
async fn what_is_cancelled_is_404() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    let id = lounge.queue("alice", "").await;

    lounge.cancel(id).await;

    let id = id.to_string();
    assert_eq!(alice.packets(2).await, [place(&id, 1), error(404, "EXERCICE", &id)]);
    assert!(alice.is_quiet().await);
}

#[tokio::test]
async fn a_container_that_died_is_told_with_the_new_place_and_the_last_one_as_the_submission_s_error() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.queue("alice", "12").await;
    let lease = lounge.start().await;

    lounge.lose(&lease, lost(LostReason::ContainerLost)).await;
    let lease = lounge.start().await;
    lounge.lose(&lease, lost(LostReason::ContainerLost)).await;

    let told = alice.packets(4).await;
    let died = error(500, "CONTAINER", "c0ffee");
    assert_eq!(told, [place("12", 1), died, place("12", 1), error(500, "EXERCICE", "12")]);
    assert!(alice.is_quiet().await, "nothing was executed");
}

#[tokio::test]
async fn a_run_that_an_instance_lost_is_told_by_its_new_place_alone() {
    let lounge = Lounge::open().await;
    let mut alice = lounge.join("alice").await;
    lounge.queue("alice", "12").await;
    let lease = lounge.start().await;
    assert_eq!(alice.packet().await, place("12", 1));

    lounge.lose(&lease, LostReason::InstanceLost.into()).await;

    assert_eq!(alice.packet().await, place("12", 1));
    assert!(alice.is_quiet().await);
}

#[tokio::test]
async fn all_connections_of_a_user_are_told_and_nobody_else_s_whatever_his_role() {
    let lounge = Lounge::open().await;
    let mut his = [lounge.join("alice").await, lounge.join("alice").await];
    let mut others = Vec::new();
    for role in Role::ALL {
        others.push(lounge.join_with(&lounge.house.token("bob", role)).await);
    }
    lounge.queue("alice", "12").await;
    let lease = lounge.start().await;

    lounge.finish(&lease, Verdict::Accepted).await;

    for one in &mut his {
        assert_eq!(one.packets(2).await, [place("12", 1), executed("12")]);
    }
    for other in &mut others {
        assert!(other.is_quiet().await);
    }
}

#[tokio::test]
async fn a_draft_that_can_not_be_queued_is_told_to_its_owner_alone() {
    let lounge = Lounge::open().await;
    let (mut alice, mut bob) = (lounge.join("alice").await, lounge.join("bob").await);
    let draft = NewSubmission {
        legacy: Some(factory::legacy("default", "12")),
        runtime: factory::runtime("cobol"),
        ..factory::draft("alice")
    };
    factory::insert(&lounge.house.storage, draft).await;

    let backend = "default".parse().unwrap();
    let enqueued = lounge.house.app.enqueue_by_legacy_id(&backend, &"12".parse().unwrap()).await.unwrap();

    assert!(matches!(enqueued, LegacyEnqueue::Invalid { .. }), "{enqueued:?}");
    assert_eq!(alice.packet().await, error(500, "EXERCICE", "12"));
    assert!(bob.is_quiet().await);
}

#[tokio::test]
async fn what_happened_while_nobody_was_connected_is_not_told_again() {
    let lounge = Lounge::open().await;
    lounge.queue("alice", "11").await;
    let lease = lounge.start().await;
    lounge.finish(&lease, Verdict::Accepted).await;
    lounge.queue("alice", "12").await;
    let mut alice = lounge.connect().await;

    alice.auth(&lounge.token("alice")).await;

    assert_eq!(alice.packets(2).await, [OK.to_owned(), place("12", 1)]);
    assert!(alice.is_quiet().await);
}

#[tokio::test]
async fn what_runs_when_he_connects_is_told_when_it_ends() {
    let lounge = Lounge::open().await;
    lounge.queue("alice", "12").await;
    let lease = lounge.start().await;
    let mut alice = lounge.join("alice").await;

    lounge.finish(&lease, Verdict::Accepted).await;

    assert_eq!(alice.packet().await, executed("12"));
}

#[tokio::test]
async fn a_websocket_and_an_event_stream_tell_one_story_in_one_order() {
    let lounge = Lounge::open().await;
    let token = lounge.token("alice");
    let mut alice = lounge.join("alice").await;
    let answer = lounge.house.get("/v1/events").token(&token).answer().await;
    let mut stream = answer.into_body().into_data_stream();
    let mut shown = read_until(&mut stream, "stream.snapshot").await;
    let lost_one = lounge.queue("alice", "").await.to_string();
    let lease = lounge.start().await;
    lounge.lose(&lease, LostReason::HostLost.into()).await;
    let lease = lounge.start().await;
    lounge.finish(&lease, Verdict::Accepted).await;
    let cancelled = lounge.queue("alice", "").await;
    lounge.cancel(cancelled).await;
    let cancelled = cancelled.to_string();

    shown += &read_until(&mut stream, "submission.cancelled").await;

    let told = alice.until(&error(404, "EXERCICE", &cancelled)).await;
    assert_eq!(told, as_packets(&shown));
    assert_eq!(told.first(), Some(&place(&lost_one, 1)));
    assert!(told.contains(&executed(&lost_one)));
}

async fn read_until(stream: &mut BodyDataStream, wanted: &str) -> String {
    let mut read = String::new();
    while !read.contains(wanted) || !read.ends_with("\n\n") {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    read
}

/// What a stream says, in the original packets: places that change, and ends.
fn as_packets(stream: &str) -> Vec<String> {
    let mut packets = Vec::new();
    let mut place_told = None;
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    for block in stream.split("\n\n") {
        let (Some(kind), Some(data)) = (field(block, "event"), field(block, "data")) else { continue };
        let event: Value = serde_json::from_str(&data).unwrap();
        let id = event["submission_id"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "submission.queued" | "submission.requeued" | "queue.position" => {
                let told = (id, event["position"].as_u64().unwrap());
                if kind != "queue.position" || place_told.as_ref() != Some(&told) {
                    packets.push(place(&told.0, told.1));
                }
                place_told = Some(told);
            }
            "submission.finished" => packets.push(executed(&id)),
            "submission.cancelled" => packets.push(error(404, "EXERCICE", &id)),
            _other => {}
        }
    }
    packets
}
