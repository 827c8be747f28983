//! Drafts that a backend stores by SQL or by REST, run by the id it gave them.

use std::time::Duration;

use guichet::app::{Error, LegacyEnqueue, Role};
use guichet::domain::ids::{LegacyId, SubmissionId};
use guichet::domain::submission::NewSubmission;
use guichet::domain::verdict::Verdict;
use guichet::feed::RefusedDraft;
use guichet::storage::{QueueCaps, Storage as _};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::inbox::{self, alices, documented};
use crate::http::house::{House, Plan, solution, text};
use crate::storage::factory::{self, result};

/// What a backend's program answers to these statements; `None` if one of them is refused.
fn answered(house: &House, blocks: &[(&str, Value)]) -> Option<Vec<Value>> {
    inbox::answered(&house.database(), &json!(blocks))
}

fn store(house: &House, draft: &Value) {
    inbox::store(&house.database(), draft);
}

async fn house() -> House {
    let house = House::build().await;
    house.with_sum().await;
    house
}

async fn exercise(house: &House, id: &str) -> LegacyEnqueue {
    let (backend, id) = ("default".parse().unwrap(), id.parse().unwrap());
    house.app.enqueue_by_legacy_id(&backend, &id).await.unwrap()
}

/// The submission that entered the queue.
async fn enqueued(house: &House, id: &str) -> SubmissionId {
    match exercise(house, id).await {
        LegacyEnqueue::Enqueued(submission) => submission,
        other => panic!("{id} is not queued: {other:?}"),
    }
}

async fn shown(house: &House, id: SubmissionId) -> Value {
    let platform = house.token("platform", Role::Backend);
    house.get(&format!("/v1/submissions/{id}")).token(&platform).send().await.json()
}

/// What a place in the inbox holds, counted by another connection.
async fn held(house: &House) -> i64 {
    let mut foreign = foreign(house).await;
    let held = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM legacy_drafts) + (SELECT count(*) FROM legacy_draft_files)",
    );
    held.fetch_one(&mut foreign).await.unwrap()
}

async fn foreign(house: &House) -> SqliteConnection {
    SqliteConnectOptions::new().filename(house.database()).connect().await.unwrap()
}

async fn grade(house: &House) {
    let lease = house.lease().await;
    house.finish(&lease, result(lease.round, Verdict::Accepted)).await;
}

#[tokio::test]
async fn a_draft_stored_as_the_document_says_is_run_as_its_owners() {
    let house = house().await;
    store(&house, &alices(&json!("ex 7/é"), "print(1)"));
    store(&house, &alices(&json!("ex 7/é"), "print(2)"));

    let id = enqueued(&house, "ex 7/é").await;

    let shown = shown(&house, id).await;
    let named = ["owner", "backend", "legacy_id", "exercise_id", "runtime", "state"];
    assert_eq!(
        named.map(|name| text(&shown[name])),
        ["alice", "default", "ex 7/é", "sum", "python", "queued"]
    );
    let alice = house.token("alice", Role::Student);
    let file = house.get(&format!("/v1/submissions/{id}/files/main.py")).token(&alice).send().await;
    assert_eq!(file.bytes, b"print(2)");
    assert_eq!(held(&house).await, 0);
}

#[tokio::test]
async fn the_inbox_is_looked_into_and_emptied_as_the_document_says() {
    let house = house().await;
    let [_, _, look, take_back] = documented();
    store(&house, &alices(&json!("7"), "print(1)"));

    let before = answered(&house, &[(&look, json!({}))]).unwrap();
    let after = answered(&house, &[(&take_back, json!({ "legacy_id": "7" })), (&look, json!({}))]).unwrap();

    assert_eq!((&before[0][0], &before[0][1]), (&json!("7"), &json!("alice")));
    let age_ms = house.clock.now().millis() - before[0][2].as_i64().unwrap();
    assert!((-60_000..60_000).contains(&age_ms), "{age_ms} ms");
    assert!(after.is_empty(), "{after:?}");
    assert_eq!(held(&house).await, 0);
    assert_eq!(exercise(&house, "7").await, LegacyEnqueue::Unknown);
}

#[tokio::test]
async fn a_number_is_the_id_with_its_digits() {
    let house = house().await;
    store(&house, &alices(&json!(42), "print(1)"));

    enqueued(&house, "42").await;
}

#[tokio::test]
async fn seconds_where_milliseconds_belong_are_refused_at_once() {
    let house = house().await;
    let seconds = "INSERT INTO legacy_drafts VALUES ('default', '7', 'alice', 'sum', 'python', 1790000000);";

    assert_eq!(answered(&house, &[(seconds, json!({}))]), None);
}

#[tokio::test]
async fn a_backend_writes_while_submissions_are_stored() {
    let house = house().await;
    let [settings, store, ..] = documented();
    let drafts: Vec<_> = (0..50).map(|id| alices(&json!(id), "print(1)")).collect();
    let mut blocks = vec![(settings.as_str(), json!({}))];
    blocks.extend(drafts.into_iter().map(|draft| (store.as_str(), draft)));

    let (database, blocks) = (house.database(), json!(blocks));
    let writing = tokio::task::spawn_blocking(move || inbox::answered(&database, &blocks));
    for _ in 0..20 {
        house.submit("bob").await;
    }
    let written = writing.await.unwrap();

    assert!(written.is_some());
    for id in 0..50 {
        enqueued(&house, &id.to_string()).await;
    }
    assert_eq!(held(&house).await, 0);
}

#[tokio::test]
async fn equal_wishes_at_the_same_time_are_one() {
    let house = house().await;
    store(&house, &alices(&json!("7"), "print(1)"));

    let all = futures_util::future::join_all((0..8).map(|_| exercise(&house, "7"))).await;

    let (entered, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|enqueue| matches!(enqueue, LegacyEnqueue::Enqueued(_)));
    let [LegacyEnqueue::Enqueued(id)] = entered[..] else { panic!("{entered:?}") };
    assert_eq!(others, vec![LegacyEnqueue::Duplicate(id); 7]);
    assert_eq!(house.storage.queue().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_graded_is_not_graded_again_unless_it_changed() {
    let house = house().await;
    store(&house, &alices(&json!("7"), "print(1)"));
    let id = enqueued(&house, "7").await;
    assert_eq!(exercise(&house, "7").await, LegacyEnqueue::Duplicate(id));
    grade(&house).await;

    let unchanged = exercise(&house, "7").await;
    store(&house, &alices(&json!("7"), "print(1)"));
    let stored_again = exercise(&house, "7").await;
    store(&house, &alices(&json!("7"), "print(2)"));
    let changed = exercise(&house, "7").await;

    assert_eq!([unchanged, stored_again], [LegacyEnqueue::Duplicate(id), LegacyEnqueue::Duplicate(id)]);
    assert_eq!(changed, LegacyEnqueue::Enqueued(id));
    let shown = shown(&house, id).await;
    assert_eq!((&shown["round"], &shown["result"]["round"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn what_changed_while_it_ran_is_taken_in_after_the_end() {
    let house = house().await;
    store(&house, &alices(&json!("7"), "print(1)"));
    let id = enqueued(&house, "7").await;
    let lease = house.lease().await;
    store(&house, &alices(&json!("7"), "print(2)"));

    let while_running = exercise(&house, "7").await;
    house.finish(&lease, result(1, Verdict::Accepted)).await;
    let after_the_end = exercise(&house, "7").await;

    assert_eq!(while_running, LegacyEnqueue::Duplicate(id));
    assert_eq!(after_the_end, LegacyEnqueue::Enqueued(id));
}

#[tokio::test]
async fn a_draft_stored_by_rest_is_run_by_its_id_and_cancelled_for_good() {
    let house = house().await;
    let platform = house.token("platform", Role::Backend);
    let mut draft = solution();
    draft["enqueue"] = json!(false);
    draft["owner"] = json!("alice");
    draft["legacy_id"] = json!("7");
    let stored = house.post("/v1/submissions").token(&platform).json(&draft).send().await.json();
    let path = format!("/v1/submissions/{}", text(&stored["id"]));

    let id = enqueued(&house, "7").await;
    let cancelled = house.post(&format!("{path}/cancel")).token(&platform).send().await;
    let unchanged = exercise(&house, "7").await;
    let files = json!({ "files": [{ "path": "main.py", "content": "print(3)" }] });
    house.put(&format!("{path}/files")).token(&platform).json(&files).send().await;

    assert_eq!((id.to_string(), cancelled.status.as_u16()), (text(&stored["id"]), 200));
    assert_eq!(unchanged, LegacyEnqueue::Duplicate(id));
    assert_eq!(enqueued(&house, "7").await, id);
}

#[tokio::test]
async fn the_last_one_written_counts() {
    let house = house().await;
    let platform = house.token("platform", Role::Backend);
    store(&house, &alices(&json!("7"), "print('sql')"));
    let mut later = solution();
    later["owner"] = json!("alice");
    later["legacy_id"] = json!("7");
    later["enqueue"] = json!(false);
    later["files"] = json!([{ "path": "main.py", "content": "print('rest')" }]);

    let stored = house.post("/v1/submissions").token(&platform).json(&later).send().await;

    assert_eq!((stored.status.as_u16(), held(&house).await), (202, 0));
    let id = enqueued(&house, "7").await;
    let file = house.get(&format!("/v1/submissions/{id}/files/main.py")).token(&platform).send().await;
    assert_eq!(file.bytes, b"print('rest')");
}

#[tokio::test]
async fn an_exercise_packet_knows_no_limit_of_the_queue() {
    let one = QueueCaps { total: 1, per_owner: 1, ..QueueCaps::NONE };
    let house = House::of(Plan { caps: one, ..Plan::default() }).await;
    house.with_sum().await;
    house.submit("alice").await;
    store(&house, &alices(&json!("7"), "print(1)"));

    let id = enqueued(&house, "7").await;

    assert_eq!(shown(&house, id).await["position"], 2);
    let bob = house.token("bob", Role::Student);
    let refused = house.post("/v1/submissions").token(&bob).json(&solution()).send().await;
    assert_eq!(refused.json()["code"], "queue_full");
}

#[tokio::test]
async fn a_draft_that_breaks_a_rule_stays_and_its_owner_is_told() {
    let house = house().await;
    let mut refusals = house.app.refused_drafts();
    let good = alices(&json!("7"), "print(1)");
    let with = |name: &str, value: Value| {
        let mut draft = good.clone();
        draft[name] = value;
        draft
    };
    let table = [
        (with("runtime", json!("cobol")), "/runtime there is no such runtime"),
        (with("exercise_id", json!("absent")), "/exercise_id there is no such exercise"),
        (with("path", json!("../main.py")), "/files/0/path must not contain empty parts"),
        (with("path", json!("a".repeat(256))), "a draft may have 256 files"),
        (with("content", json!("x".repeat((1 << 20) + 1))), "a draft may have 256 files"),
    ];
    for (draft, fault) in table {
        store(&house, &draft);

        let LegacyEnqueue::Invalid { owner, reason } = exercise(&house, "7").await else { panic!("{fault}") };

        assert!(reason.starts_with(fault), "{reason}");
        let alice = owner.unwrap();
        let legacy_id: LegacyId = "7".parse().unwrap();
        assert_eq!(refusals.try_recv().unwrap(), RefusedDraft { owner: alice, legacy_id });
        assert_eq!(held(&house).await, 2, "{fault}");
    }
    store(&house, &good);
    enqueued(&house, "7").await;
    assert!(refusals.is_empty());
}

#[tokio::test]
async fn a_draft_of_nobody_is_refused_and_nobody_is_told() {
    let house = house().await;
    let refusals = house.app.refused_drafts();
    let draft = alices(&json!("7"), "print(1)");
    for owner in ["", "a\nb", "a\0b"] {
        let mut draft = draft.clone();
        draft["owner"] = json!(owner);
        store(&house, &draft);

        let refused = exercise(&house, "7").await;

        let LegacyEnqueue::Invalid { owner: None, reason } = refused else { panic!("{refused:?}") };
        assert!(reason.starts_with("/owner"), "{reason}");
    }
    let not_text = "UPDATE legacy_drafts SET owner = CAST(x'ff' AS TEXT);";
    answered(&house, &[(not_text, json!({}))]).unwrap();
    assert!(matches!(exercise(&house, "7").await, LegacyEnqueue::Invalid { owner: None, .. }));
    assert!(refusals.is_empty());
}

#[tokio::test]
async fn a_stored_draft_whose_language_is_gone_is_refused_and_its_owner_is_told() {
    let house = House::build().await;
    let mut refusals = house.app.refused_drafts();
    let gone = NewSubmission {
        legacy: Some(factory::legacy("default", "7")),
        enqueue: false,
        ..factory::with_runtime("alice", "cobol")
    };
    factory::insert(&house.storage, gone).await;

    let refused = exercise(&house, "7").await;

    let reason = "/runtime there is no such runtime any more".to_owned();
    assert_eq!(refused, LegacyEnqueue::Invalid { owner: Some("alice".parse().unwrap()), reason });
    assert_eq!(refusals.try_recv().unwrap().owner.as_str(), "alice");
}

#[tokio::test]
async fn a_draft_for_the_submission_of_another_is_refused() {
    let house = house().await;
    store(&house, &alices(&json!("7"), "print(1)"));
    let id = enqueued(&house, "7").await;
    grade(&house).await;
    let mut bobs = alices(&json!("7"), "print(2)");
    bobs["owner"] = json!("bob");
    store(&house, &bobs);

    let refused = exercise(&house, "7").await;

    let reason = "the id belongs to a submission of another owner or exercise".to_owned();
    assert_eq!(refused, LegacyEnqueue::Invalid { owner: Some("bob".parse().unwrap()), reason });
    assert_eq!(shown(&house, id).await["owner"], "alice");
}

#[tokio::test]
async fn a_backend_that_holds_the_lock_too_long_costs_a_try_and_no_draft() {
    let house = house().await;
    store(&house, &alices(&json!("7"), "print(1)"));
    let mut foreign = foreign(&house).await;
    let locked = foreign.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let (backend, id) = ("default".parse().unwrap(), "7".parse().unwrap());
    let tried = house.app.enqueue_by_legacy_id(&backend, &id);
    let refused = tokio::time::timeout(Duration::from_secs(30), tried).await.unwrap();
    locked.rollback().await.unwrap();

    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    enqueued(&house, "7").await;
}
