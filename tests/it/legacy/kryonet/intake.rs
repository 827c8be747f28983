//! What becomes of the packets: each is queued once or counted, also if the database is busy and if the house stops.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;

use super::board::{counts, house, link, state, store_draft, wait_for_counts, wait_for_link};
use super::java::{Backend, Kryo};
use super::peer::{KEEP_ALIVE, Listening, PATIENCE, exercise, named_settings, settings};
use crate::http::house::House;
use crate::support::wait_for;
use guichet::app::Role;
use guichet::legacy::kryonet::frame::framed;

/// How long ten thousand submissions may take to enter the queue.
const BURST: Duration = Duration::from_mins(4);

/// Another connection to the database, as a backend has one.
async fn database(house: &House) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(house.database())
        .busy_timeout(Duration::from_secs(20));
    sqlx::SqliteConnection::connect_with(&options).await.expect("the database opens")
}

async fn execute(connection: &mut sqlx::SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.expect("the database obeys");
}

#[tokio::test]
async fn a_packet_that_comes_twice_is_queued_once() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    house.with_sum().await;
    let id = store_draft(&house, "default", "7").await;
    let mut peer = backend.accept_linked().await;

    let twice = [framed(&exercise("7")).unwrap(), framed(&exercise("7")).unwrap()].concat();
    peer.send_raw(&twice).await;
    wait_for_counts(&house, counts(1, 1, 0, 0)).await;
    drop(peer);
    let mut again = backend.accept_linked().await;
    again.send(&exercise("7")).await;

    wait_for_counts(&house, counts(1, 2, 0, 0)).await;
    assert_eq!(state(&house, &id).await, "queued");
    let alice = house.token("alice", Role::Student);
    assert_eq!(house.get("/v1/queue").token(&alice).send().await.json()["queued"], 1);
}

#[tokio::test]
async fn ids_of_other_backends_and_ids_that_nothing_is_stored_under_run_nothing() {
    let (first, second) = (Listening::bind().await, Listening::bind().await);
    let links = vec![settings(first.port(), ""), named_settings("second", second.port(), "")];
    let house = house(links).await;
    house.with_sum().await;
    let theirs = store_draft(&house, "second", "7").await;
    let (mut peer, mut other) = (first.accept_linked().await, second.accept_linked().await);

    for id in ["7", "never", &theirs] {
        peer.send(&exercise(id)).await;
    }
    wait_for_counts(&house, counts(0, 0, 3, 0)).await;
    assert_eq!(state(&house, &theirs).await, "draft");
    other.send(&exercise("7")).await;

    let seen = || link(&house, "second");
    wait_for("7", PATIENCE, seen, |link| link["exercises"] == counts(1, 0, 0, 0)).await;
    assert_eq!(state(&house, &theirs).await, "queued");
}

#[tokio::test]
async fn a_draft_that_cannot_run_is_counted_and_the_link_stays_up() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    let mut writer = database(&house).await;
    let draft = "INSERT INTO legacy_drafts (legacy_id, owner, exercise_id, runtime) \
                 VALUES ('7', 'alice', 'no-such-exercise', 'python')";
    execute(&mut writer, draft).await;
    let mut peer = backend.accept_linked().await;

    peer.send(&exercise("7")).await;

    wait_for_counts(&house, counts(0, 0, 0, 1)).await;
    peer.expect_answer(1).await;
}

#[tokio::test]
async fn a_packet_is_kept_until_the_database_takes_it() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    house.with_sum().await;
    let id = store_draft(&house, "default", "7").await;
    let mut writer = database(&house).await;
    execute(&mut writer, "ALTER TABLE legacy_drafts RENAME TO legacy_drafts_away").await;
    let mut peer = backend.accept_linked().await;

    peer.send(&exercise("7")).await;
    peer.expect_answer(1).await;
    drop(peer);
    backend.accept_linked().await;

    let shown = link(&house, "default").await;
    assert_eq!((&shown["packets_in"], &shown["exercises"]), (&json!(1), &counts(0, 0, 0, 0)));
    execute(&mut writer, "ALTER TABLE legacy_drafts_away RENAME TO legacy_drafts").await;
    wait_for_counts(&house, counts(1, 0, 0, 0)).await;
    assert_eq!(state(&house, &id).await, "queued");
}

#[tokio::test]
async fn ids_that_the_database_never_takes_do_not_hold_up_the_others() {
    let backend = Listening::bind().await;
    let house = house(vec![settings(backend.port(), "")]).await;
    house.with_sum().await;
    for id in ["7", "8"] {
        store_draft(&house, "default", id).await;
    }
    let mut writer = database(&house).await;
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON submissions WHEN NEW.legacy_id LIKE 'poison-%' \
         BEGIN SELECT RAISE(ABORT, 'poison'); END; \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15) \
         INSERT INTO legacy_drafts (legacy_id, owner, exercise_id, runtime) \
         SELECT 'poison-' || i, 'alice', 'sum', 'python' FROM n; \
         INSERT INTO legacy_draft_files (legacy_id, path, content) \
         SELECT legacy_id, 'main.py', 'print(3)' FROM legacy_drafts";
    execute(&mut writer, poison).await;
    let mut peer = backend.accept_linked().await;

    for id in (1..=15).map(|id| format!("poison-{id}")).chain(["7".to_owned()]) {
        peer.send(&exercise(&id)).await;
    }
    wait_for_counts(&house, counts(1, 0, 0, 0)).await;
    execute(
        &mut writer,
        "INSERT INTO legacy_drafts (legacy_id, owner, exercise_id, runtime) \
        VALUES ('poison-16', 'alice', 'sum', 'python'); INSERT INTO legacy_draft_files \
        VALUES ('default', 'poison-16', 'main.py', 'print(3)')",
    )
    .await;
    for id in ["poison-16", "8"] {
        peer.send(&exercise(id)).await;
    }

    wait_for("8", BURST, || link(&house, "default"), |link| link["exercises"] == counts(2, 0, 0, 0)).await;
}

#[tokio::test]
async fn nothing_is_read_while_there_is_no_room_and_the_link_still_says_that_it_lives() {
    /// Waiting, being tried, next in turn, and the one that found no room.
    const ROOM: u64 = 16_384 + 16 + 1 + 1;
    let backend = Listening::bind().await;
    let more = "keepalive_ms = 50\nread_timeout_ms = 400";
    let house = house(vec![settings(backend.port(), more)]).await;
    house.with_sum().await;
    for id in 0..17 {
        store_draft(&house, "default", &format!("known-{id}")).await;
    }
    let mut peer = backend.accept_linked().await;
    let mut writer = database(&house).await;
    execute(&mut writer, "BEGIN IMMEDIATE").await;

    let mut frames = Vec::new();
    for id in (0..17).map(|id| format!("known-{id}")).chain((0..18_000).map(|id| format!("unknown-{id}"))) {
        frames.extend(framed(&exercise(&id)).unwrap());
    }
    peer.send_raw(&frames).await;
    let full = |link: &serde_json::Value| link["packets_in"].as_u64() >= Some(ROOM);
    wait_for_link(&house, "all room to be taken", full).await;
    for _ in 0..12 {
        assert_eq!(peer.frame().await.as_deref(), Some(&KEEP_ALIVE[..]));
    }

    let shown = link(&house, "default").await;
    assert_eq!((&shown["packets_in"], &shown["connections"]), (&json!(ROOM), &json!(1)));
    execute(&mut writer, "COMMIT").await;
    wait_for("all", BURST, || link(&house, "default"), |link| link["exercises"] == counts(17, 0, 18_000, 0))
        .await;
}

#[tokio::test]
async fn ten_thousand_packets_at_once_are_queued_once_each() {
    let mut backend = Backend::start(Kryo::Base12, "kryo", false).await;
    let house = house(vec![settings(backend.tcp, "keepalive_ms = 50")]).await;
    house.with_sum().await;
    let mut writer = database(&house).await;
    let drafts = "BEGIN; \
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
        INSERT INTO legacy_drafts (legacy_id, owner, exercise_id, runtime) \
        SELECT 'burst-' || i, 'alice', 'sum', 'python' FROM n; \
        INSERT INTO legacy_draft_files (legacy_id, path, content) \
        SELECT legacy_id, 'main.py', 'print(3)' FROM legacy_drafts; \
        COMMIT";
    execute(&mut writer, drafts).await;
    backend.expect_handshake().await;

    backend.send_exercises(10_000, "burst-#").await;
    for _ in 0..3 {
        backend.event("keepalive 1").await;
    }
    let busy = link(&house, "default").await;

    let enqueued = |link: &serde_json::Value| link["exercises"]["enqueued"].as_u64();
    assert!(enqueued(&busy) < Some(10_000), "it was busy: {busy}");
    wait_for("all", BURST, || link(&house, "default"), |link| enqueued(link) >= Some(10_000)).await;
    let shown = link(&house, "default").await;
    assert_eq!((&shown["exercises"], &shown["connections"]), (&counts(10_000, 0, 0, 0), &json!(1)));
    let alice = house.token("alice", Role::Student);
    assert_eq!(house.get("/v1/queue").token(&alice).send().await.json()["queued"], 10_000);
}

#[tokio::test]
async fn what_had_come_before_the_stop_is_queued_and_the_link_ends() {
    let backend = Listening::bind().await;
    let mut house = house(vec![settings(backend.port(), "register_timeout_ms = 60_000")]).await;
    house.with_sum().await;
    let mut ids = Vec::new();
    for number in 0..50 {
        ids.push(store_draft(&house, "default", &number.to_string()).await);
    }
    let mut peer = backend.accept_linked().await;
    let frames: Vec<_> = (0..50).flat_map(|id| framed(&exercise(&id.to_string())).unwrap()).collect();
    peer.send_raw(&frames).await;
    peer.expect_answer(1).await;

    house.tasks.stop_softly();
    peer.expect_end().await;
    tokio::time::timeout(PATIENCE, house.links.drained()).await.expect("everything is queued");

    let shown = link(&house, "default").await;
    assert_eq!((&shown["exercises"], &shown["state"]), (&counts(50, 0, 0, 0), &json!("waiting")));
    assert_eq!((&shown["connections"], &shown["last_error"]), (&json!(1), &json!(null)));
}
