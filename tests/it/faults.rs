//! Parts around the service break: containers, the engine, the database, its disk.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::support::client;
use crate::support::engine::{self, run, say};
use crate::support::stream::facts;
use crate::support::{Options, Program, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// A service with one slot and an exercise whose programs may take long.
async fn guichet(options: Options) -> TestGuichet {
    let guichet = options.slots(1).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    guichet
}

async fn kill_its_container(guichet: &TestGuichet, label: &str) {
    let engine = guichet.engine();
    guichet.admin().wait_for_a_run().await;
    let found =
        wait_for("the program to run", SOON, || async { engine.busy(label) }, |found| !found.is_empty())
            .await;
    engine.kill(&found);
}

#[tokio::test]
async fn a_run_whose_container_was_killed_is_tried_once_more() {
    let guichet = guichet(Options::default()).await;
    let (alice, label) = (guichet.student("alice"), guichet.label().await);
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;

    kill_its_container(&guichet, &label).await;
    let ended = alice.ended(&id).await;

    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(2)), "{ended}");
    let names: Vec<_> =
        facts(&alice.events(&id).await.into_end().await).into_iter().map(|event| event.name).collect();
    let told = ["queued", "started", "requeued", "started", "test_finished", "finished"];
    assert_eq!(names, told.map(|name| format!("submission.{name}")));
}

#[tokio::test]
async fn the_last_hour_tells_what_got_its_verdict_and_what_was_lost() {
    let guichet = guichet(Options::default()).await;
    let (alice, admin, label) = (guichet.student("alice"), guichet.admin(), guichet.label().await);
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;

    kill_its_container(&guichet, &label).await;
    alice.ended(&id).await;

    let hour = async || admin.get("/v1/queue/history").await.expect(200)["hour"].clone();
    let hour = wait_for("the verdict", SOON, hour, |hour| hour["finished"] == 1).await;
    assert_eq!((&hour["faults"], hour["wait"]["p95_ms"].is_u64()), (&json!(1), true), "{hour}");
}

#[tokio::test]
async fn a_run_whose_container_was_paused_is_tried_once_more_long_before_its_wall_limit() {
    let guichet = guichet(Options::default()).await;
    let (alice, engine, label) = (guichet.student("alice"), guichet.engine(), guichet.label().await);
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    alice.wait_for_a_run().await;
    let busy = || async { engine.busy(&label) };
    let found = wait_for("the program to run", SOON, busy, |found| !found.is_empty()).await;

    let command: Vec<&str> = ["pause"].into_iter().chain(found.iter().map(String::as_str)).collect();
    engine.ask(&command);
    let look = || alice.submission(&id);
    let again = wait_for("the next attempt", SOON, look, |seen| seen["attempt"] == 2).await;

    let ended = alice.ended(&id).await;
    assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(2)), "{ended}");
    let requeued = alice.events(&id).await.until_named("submission.requeued").await.json();
    assert_eq!(requeued["reason"], "container_lost", "{again}");
    wait_for("it to go", SOON, || async { engine.containers(&label) }, |left| !left.contains(&found[0]))
        .await;
}

#[tokio::test]
async fn with_all_warm_containers_paused_submissions_go_on_elsewhere_at_their_first_attempt() {
    go_on_elsewhere_when_warm_containers("pause").await;
}

#[tokio::test]
async fn with_all_warm_containers_killed_submissions_go_on_elsewhere_at_their_first_attempt() {
    go_on_elsewhere_when_warm_containers("kill").await;
}

/// * `suffer` — what the engine does to them.
async fn go_on_elsewhere_when_warm_containers(suffer: &str) {
    let guichet = Options::default().slots(2).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let (alice, engine, label) = (guichet.student("alice"), guichet.engine(), guichet.label().await);
    let warm = || async { engine.running(&label) };
    let disturbed = wait_for("warm containers", SOON, warm, |warm| warm.len() == 4).await;

    let command: Vec<&str> = [suffer].into_iter().chain(disturbed.iter().map(String::as_str)).collect();
    engine.ask(&command);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(alice.submit("patient", &programs::sleep_then_sum(0.1)).await);
    }

    for id in ids {
        let ended = alice.ended(&id).await;
        assert_eq!((&ended["state"], &ended["attempt"]), (&json!("finished"), &json!(1)), "{ended}");
    }
    wait_for("these to go", SOON, warm, |warm| disturbed.iter().all(|id| !warm.contains(id))).await;
}

#[tokio::test]
async fn a_submission_that_costs_two_containers_has_failed_and_the_next_one_runs() {
    let guichet = guichet(Options::default()).await;
    let (alice, label) = (guichet.student("alice"), guichet.label().await);
    let id = alice.submit("patient", &programs::sleep_then_sum(60.0)).await;

    for attempt in 1..=2 {
        let look = || alice.submission(&id);
        wait_for("the attempt", SOON, look, |seen| seen["attempt"] == attempt && seen["state"] == "running")
            .await;
        kill_its_container(&guichet, &label).await;
    }
    let failed = alice.ended(&id).await;

    assert_eq!(
        (&failed["state"], &failed["failure"]["code"]),
        (&json!("failed"), &json!("container_lost")),
        "{failed}"
    );
    assert_eq!(failed["failure"]["attempts"].as_array().map(Vec::len), Some(2), "{failed}");
    assert_eq!(failed["result"], Value::Null);
    assert_eq!(alice.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
}

/// An engine of its own in a folder, with the Python image; gone when dropped.
struct OwnEngine {
    folder: TempDir,
}

impl OwnEngine {
    fn start() -> Self {
        let own = Self { folder: tempfile::Builder::new().prefix("engine-").tempdir().expect("a folder") };
        let address = own.up();
        let copy = "docker -H \"$1\" save guichet-python:2 | docker -H \"$2\" load -q";
        say(Command::new("sh").args(["-c", copy, "copy", &engine::ground().docker_host, &address]));
        own
    }

    fn up(&self) -> String {
        say(Command::new(engine::root().join("scripts/engine.sh")).arg("up").arg(self.folder.path()))
    }

    /// Stops it; its images stay.
    fn down(&self) {
        run(Command::new(engine::root().join("scripts/engine.sh")).arg("down").arg(self.folder.path()));
    }

    /// SIGKILL for the engine; it takes its containers along when it is back.
    fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("the engine's id");
        say(Command::new("kill").args(["-KILL", pid.trim()]));
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.down();
    }
}

/// The Python runtime alone.
fn only_python(guichet: &TestGuichet) {
    let runtimes = guichet.folder().join("runtimes");
    std::fs::create_dir(&runtimes).expect("a folder");
    say(Command::new("cp").arg("-r").arg(engine::root().join("runtimes/python")).arg(&runtimes));
    guichet.set_env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes.display().to_string());
}

#[tokio::test]
async fn a_run_outlives_the_death_of_the_engine_or_is_tried_again_when_it_is_back() {
    let own = OwnEngine::start();
    let address = own.up();
    let guichet = TestGuichet::prepare(Options::default().slots(1).docker_host(&address));
    only_python(&guichet);
    guichet.restart().await;
    guichet.teacher().put_exercise("patient", &json!({
        "title": "Sum", "kind": "stdio", "runtimes": ["python"], "limits": { "wall_time_ms": 120_000 },
        "tests": [{ "name": "only", "stdin": "1 2\n", "expected": "3\n", "visibility": "public" }],
    })).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    let waiting = alice.submit("patient", &programs::python_sum()).await;
    alice.wait_for_state(&id, &["running"]).await;

    own.kill();
    let queue = || async { guichet.admin().get("/v1/queue").await.expect(200) };
    wait_for("the lost slot", Duration::from_mins(1), queue, |queue| queue["slots"]["total"] == 0).await;
    let ready = reqwest::get(format!("{}/readyz", guichet.url())).await.expect("an answer").status();
    assert_eq!(own.up(), address);

    assert_eq!(ready, 200, "a lost engine does not take an instance out");
    for id in [id, waiting] {
        let ended = alice.ended(&id).await;
        assert_eq!(
            (&ended["state"], &ended["result"]["verdict"]),
            (&json!("finished"), &json!("accepted")),
            "{ended}"
        );
    }
}

#[tokio::test]
async fn without_an_engine_submissions_wait_until_there_is_one() {
    let own = OwnEngine::start();
    let address = own.up();
    own.down();
    let guichet = TestGuichet::prepare(Options::default().slots(1).docker_host(&address));
    only_python(&guichet);
    guichet.restart().await;
    let alice = guichet.student("alice");

    let id = alice.run(&programs::python_sum(), "1 2\n", &[]).await;
    let queue = guichet.admin().get("/v1/queue").await.expect(200);
    assert_eq!(
        (&queue["slots"]["total"], &queue["queued"], &queue["eta"]),
        (&json!(0), &json!(1), &Value::Null)
    );
    assert_eq!(own.up(), address);

    assert_eq!(alice.result(&id).await["tests"][0]["stdout"], "3\n");
}

/// Another process that has the database locked for writing.
async fn lock_database(guichet: &TestGuichet) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(guichet.data().join("guichet.sqlite"));
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.expect("the database opens");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("a lock");
    other
}

#[tokio::test]
async fn while_another_process_locks_the_database_requests_are_refused_and_results_are_kept() {
    let guichet = guichet(Options::default()).await;
    let alice = guichet.student("alice");
    let id = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    alice.wait_for_state(&id, &["running"]).await;

    let mut other = lock_database(&guichet).await;
    let refused = alice.submit_refused("sum", &programs::python_sum()).await;
    let ready = client::send(alice.anonymous(reqwest::Method::GET, "/readyz")).await;
    let live = client::send(alice.anonymous(reqwest::Method::GET, "/livez")).await;
    let read = alice.get(&format!("/v1/submissions/{id}")).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("the lock is given back");

    assert_eq!(refused.problem(503).0, "unavailable");
    assert!(
        refused.header("retry-after").is_some() && !refused.text.to_lowercase().contains("sql"),
        "{refused:?}"
    );
    assert_eq!((ready.status.as_u16(), live.status.as_u16(), read.status.as_u16()), (503, 200, 200));
    let ended = alice.ended(&id).await;
    assert_eq!((&ended["attempt"], &ended["result"]["verdict"]), (&json!(1), &json!("accepted")), "{ended}");
    assert_eq!(alice.get("/v1/submissions").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(alice.grade("sum", &programs::python_sum()).await["verdict"], "accepted");
}

/// A small file system of memory, unmounted when dropped.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::Builder::new().prefix("disk-").tempdir().expect("a folder");
        say(Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path()));
        Self { folder }
    }

    fn fill(&self) {
        let fill = "head -c 16m /dev/zero > \"$1\"/fill 2>/dev/null || true";
        say(Command::new("sh").args(["-c", fill, "fill"]).arg(self.folder.path()));
    }

    fn free(&self) {
        std::fs::remove_file(self.folder.path().join("fill")).expect("space");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(engine::run(Command::new("umount").arg("-l").arg(self.folder.path())));
    }
}

#[tokio::test]
async fn on_a_full_disk_requests_are_refused_and_nothing_is_lost() {
    let disk = SmallDisk::mount();
    let guichet = TestGuichet::prepare(Options::default().slots(1));
    std::os::unix::fs::symlink(disk.folder.path(), guichet.data()).expect("a link");
    guichet.restart().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let alice = guichet.student("alice");
    let running = alice.submit("patient", &programs::sleep_then_sum(4.0)).await;
    alice.wait_for_state(&running, &["running"]).await;
    disk.fill();

    let filling = Program::python(&format!("#{}\n", "x".repeat(500_000)));
    let look = || alice.submit_refused("patient", &filling);
    let refused = wait_for("a refusal", SOON, look, |answer| answer.status != 202).await;
    assert_eq!(refused.problem(503).0, "unavailable");
    disk.free();

    let ended = alice.ended(&running).await;
    assert_eq!(ended["result"]["verdict"], "accepted", "{ended}");
    let sound: String = guichet.query("PRAGMA integrity_check").await;
    assert_eq!(sound, "ok");
    let small = programs::python_sum();
    let look = || alice.submit_refused("patient", &small);
    let stored =
        wait_for("space to be used again", SOON, look, |answer| answer.status == 202).await.expect(202);
    assert_eq!(alice.result(&client::text(&stored["id"])).await["verdict"], "accepted");
    guichet.terminate().await;
    drop(guichet);
}
