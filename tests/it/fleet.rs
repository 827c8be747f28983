//! Several engines of all kinds under load, while one dies, one falls silent, one goes and one comes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::pool::hosts::OwnEngine;
use crate::pool::valve::Valve;
use crate::queue::places_grow_only_for_a_reason;
use crate::support::authority::{Authority, Period};
use crate::support::client::text;
use crate::support::engine::{Engine, ground};
use crate::support::{Client, Event, Options, Role, TestGuichet, Watch, exercises, programs, wait_for};
use crate::tls::TlsEngine;

const OWNERS: usize = 20;
const EACH: usize = 15;
/// What each program sleeps: the engines share two cores.
const NAP: f64 = 0.8;
/// How long the silent engine is silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the work of a host is counted for, and how often.
const COUNTED: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_mins(1);
/// Of all hosts together.
const SLOTS: u64 = 8;
const ALL: Duration = Duration::from_mins(4);

/// A service with an engine at its socket, one behind TLS, one far away, and a fourth that it does not know yet.
struct Fleet {
    guichet: TestGuichet,
    admin: Client,
    near: OwnEngine,
    tls: TlsEngine,
    far: Valve,
    late: OwnEngine,
    _certs: TempDir,
}

impl Fleet {
    async fn start() -> Self {
        let authority = Authority::new();
        let certs = tempfile::tempdir().expect("a folder");
        authority.write(&certs.path().join("judge"), &["guichet".to_owned()], Period::Now);
        let (near, late) = (OwnEngine::start(&[]).await, OwnEngine::start(&[]).await);
        let (tls, far) = (TlsEngine::start(&authority, Period::Now).await, Valve::far().await);
        let guichet = Options::default()
            .docker_host(&near.address())
            .env("GUICHET_DOCKER__CERTS_DIR", &certs.path().to_string_lossy())
            .start()
            .await;
        let admin = guichet.admin();
        let fleet = Self { guichet, admin, near, tls, far, late, _certs: certs };
        fleet.add(json!({ "name": "tls", "url": fleet.tls.url(1), "certs": "judge" })).await;
        fleet.add(json!({ "name": "far", "url": fleet.far.address })).await;
        for name in ["host-1", "tls", "far"] {
            fleet.host_when(name, "a healthy host", |host| host["state"] == "healthy").await;
        }
        fleet
    }

    async fn add(&self, host: Value) {
        self.admin.post("/v1/hosts", &host).await.expect(201);
    }

    async fn set_modes(&self, mode: &str) {
        for name in ["host-1", "tls", "far"] {
            self.admin.patch(&format!("/v1/hosts/{name}"), &json!({ "mode": mode })).await.expect(200);
        }
    }

    async fn host(&self, name: &str) -> Value {
        self.admin.get(&format!("/v1/hosts/{name}")).await.expect(200)
    }

    async fn host_when(&self, name: &str, what: &str, ready: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{what}: {name}"), SOON, || self.host(name), ready).await
    }

    /// How many submissions run on a host at a time, on average: how fast each of them is does not matter.
    async fn work_of(&self, name: &str) -> f64 {
        let (mut running, mut looks) = (0, 0);
        let until = Instant::now() + COUNTED;
        while Instant::now() < until {
            running += self.host(name).await["submissions"]["running"].as_u64().expect("a number");
            looks += 1;
            sleep(LOOK).await;
        }
        f64::from(u32::try_from(running).expect("a few")) / f64::from(looks)
    }

    /// All that are queued have different places, and while they fit a page these are 1 and what follows.
    async fn assert_places(&self, backend: &Client) {
        let list = backend.get("/v1/submissions?state=queued&limit=100").await.expect(200);
        let items = list["items"].as_array().expect("a list");
        let places: BTreeSet<u64> =
            items.iter().map(|item| item["position"].as_u64().expect("a place")).collect();
        assert_eq!(places.len(), items.len(), "{places:?}");
        if list["next_cursor"].is_null() {
            assert!(places.iter().zip(1..).all(|(place, wanted)| *place == wanted), "{places:?}");
        }
    }
}

async fn submit_all(backend: &Client) -> Vec<String> {
    let mut ids = Vec::new();
    for owner in 0..OWNERS {
        let mut body = programs::sleep_then_sum(NAP).body();
        body["exercise_id"] = json!("patient");
        body["owner"] = json!(format!("owner{owner}"));
        let batch = json!({ "submissions": vec![body; EACH] });
        let stored = backend.post("/v1/submissions/batch", &batch).await.expect(202);
        ids.extend(stored["items"].as_array().expect("a list").iter().map(|item| text(&item["id"])));
    }
    ids
}

#[tokio::test]
async fn all_work_ends_once_while_engines_die_fall_silent_come_and_go() {
    let fleet = Fleet::start().await;
    fleet.guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let backend = fleet.guichet.client(Role::Backend, "platform");
    // Nothing starts before all are watched, however long that takes.
    fleet.set_modes("cordoned").await;
    let ids = submit_all(&backend).await;
    let mut watch = Watch::default();
    for id in &ids {
        watch.open(&backend, id).await;
    }
    fleet.set_modes("active").await;

    let with_all = fleet.work_of("tls").await;
    fleet.near.end("-KILL").await;
    fleet.far.set_open(false);
    let silent = Instant::now();
    fleet.host_when("far", "the silence", |host| host["state"] != "healthy").await;
    let without_two = fleet.work_of("tls").await;
    fleet.assert_places(&backend).await;
    fleet.add(json!({ "name": "late", "url": fleet.late.address() })).await;
    fleet.host_when("late", "a first run", |host| host["submissions"]["running"] != 0).await;
    fleet.admin.patch("/v1/hosts/tls", &json!({ "mode": "draining" })).await.expect(200);
    let drained = fleet.host_when("tls", "an empty host", |host| host["drained"] == true).await;
    assert_eq!(drained["submissions"]["running"], 0);
    assert_eq!(fleet.admin.delete("/v1/hosts/tls").await.status, 204);
    fleet.assert_places(&backend).await;
    sleep(SILENCE.saturating_sub(silent.elapsed())).await;
    fleet.far.set_open(true);
    fleet.near.up().await;
    for name in ["host-1", "far"] {
        fleet.host_when(name, "the way back", |host| host["state"] == "healthy").await;
    }

    tokio::time::timeout(ALL, watch.wait_for_ends()).await.expect("all submissions end");
    for id in &ids {
        assert_ended_once(&watch.history(id));
        let shown = backend.submission(id).await;
        assert_eq!(shown["result"]["verdict"], "accepted", "{shown}");
        assert!(shown["attempt"].as_u64().is_some_and(|attempt| attempt <= 3), "{shown}");
    }
    assert!(without_two >= with_all * 0.8, "{without_two} ran at a time, {with_all} before");
    assert_nothing_is_left(&fleet).await;
    fleet.far.closed.cancel();
}

fn assert_ended_once(history: &[Event]) {
    places_grow_only_for_a_reason(history);
    assert_eq!(history.iter().filter(|event| event.ends()).count(), 1, "{history:?}");
    let places = history
        .iter()
        .take_while(|event| event.name != "submission.started")
        .filter_map(|event| event.json()["position"].as_u64());
    // Those for whom slots become free at the same moment start together, each from its place.
    assert!(places.last().is_some_and(|place| place <= SLOTS), "{history:?}");
}

async fn assert_nothing_is_left(fleet: &Fleet) {
    let label = fleet.guichet.label().await;
    assert_eq!(fleet.guichet.terminate().await.code(), Some(0), "{}", fleet.guichet.log());
    let left = async || {
        let mut left = Engine::at(&ground().docker_host).containers(&label);
        for engine in [&fleet.near, &fleet.tls.engine, &fleet.late] {
            left.extend(engine.containers_of_ours().await);
        }
        left
    };
    wait_for("the end of all containers", SOON, left, Vec::is_empty).await;
}
