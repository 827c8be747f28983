//! A submission is told as started when a core is there for it: one program on a core at a time, and all others wait.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Role, text};
use crate::support::stream::last_place_before_start;
use crate::support::{Client, Options, Program, Watch, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// Tells when it begins and ends, in seconds by the clock of the machine.
fn sleeper(seconds: f64) -> Program {
    Program::python(&format!(
        "import time\nprint(time.time())\ntime.sleep({seconds})\nprint(time.time(), flush=True)\n"
    ))
}

fn cores() -> usize {
    std::thread::available_parallelism().expect("a number of cores").get()
}

/// From when until when a submission was told to run, and when its program began and ended; in seconds.
#[derive(Debug)]
struct Times {
    started: f64,
    began: f64,
    ended: f64,
}

impl Times {
    async fn of(client: &Client, id: &str) -> Self {
        let submission = client.ended(id).await;
        let output = text(&submission["result"]["tests"][0]["stdout"]);
        let mut instants = output.lines().map(|line| line.parse().expect("an instant"));
        let (began, ended) = (instants.next().expect("a beginning"), instants.next().expect("an end"));
        Self { started: seconds(&submission["started_at"]), began, ended }
    }
}

fn seconds(instant: &Value) -> f64 {
    let instant: jiff::Timestamp = text(instant).parse().expect("an instant");
    instant.as_duration().as_secs_f64()
}

/// The most at the same time, from when they were told as started until their programs ended.
fn most_at_once(times: &[Times]) -> usize {
    let overlaps = |one: &Times| {
        times.iter().filter(|other| other.started <= one.started && one.started < other.ended).count()
    };
    times.iter().map(overlaps).max().expect("submissions")
}

#[tokio::test]
async fn on_a_core_one_submission_is_started_at_a_time_however_many_slots_are_asked_for() {
    for asked in [0, cores() + 3] {
        let guichet = Options::default().slots(asked).start().await;
        let admin = guichet.admin();
        let slots = async || admin.get("/v1/queue").await.expect(200)["slots"]["total"].clone();
        wait_for("the host", SOON, slots, |total| *total != json!(0)).await;
        assert_eq!(slots().await, json!(cores()));
        let alice = guichet.student("alice");

        let mut ids = Vec::new();
        for _ in 0..4 * cores() {
            ids.push(alice.run(&sleeper(0.2), "", &[]).await);
        }
        let mut times = Vec::new();
        for id in ids {
            times.push(Times::of(&alice, &id).await);
        }

        assert_eq!(most_at_once(&times), cores(), "{times:?}");
    }
}

#[tokio::test]
async fn who_waits_while_each_core_has_a_program_has_a_place_until_one_is_there_and_then_runs_at_once() {
    let guichet = Options::default().slots(0).start().await;
    let platform = guichet.client(Role::Backend, "platform");
    let mut long = Vec::new();
    for _ in 0..cores() {
        long.push(platform.run(&sleeper(3.0), "", &[]).await);
    }
    let mut watch = Watch::default();
    for id in &long {
        platform.wait_for_state(id, &["running"]).await;
    }

    let mut body = sleeper(0.0).body();
    body["run"] = json!({ "stdin": "", "args": [] });
    let batch = json!({ "submissions": vec![body; 41] });
    let stored = platform.post("/v1/submissions/batch", &batch).await.expect(202);
    let waiting: Vec<_> =
        stored["items"].as_array().into_iter().flatten().map(|item| text(&item["id"])).collect();
    for id in &waiting {
        watch.open(&platform, id).await;
    }
    let listed = platform.get("/v1/submissions?state=queued&limit=100").await.expect(200);
    let third = platform.submission(&waiting[0]).await;

    let mut places: Vec<_> = listed["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["position"].as_u64())
        .collect();
    places.sort_unstable();
    assert_eq!(places, (1..=41).collect::<Vec<_>>());
    assert_eq!((&third["state"], &third["position"]), (&json!("queued"), &json!(1)));
    let mut times = Vec::new();
    for id in long.iter().chain(&waiting) {
        times.push(Times::of(&platform, id).await);
    }
    let core_was_there = times[..cores()].iter().map(|long| long.ended).reduce(f64::min).expect("an end");
    assert!(times[cores()].started >= core_was_there, "{times:?}");
    assert_eq!(most_at_once(&times), cores(), "{times:?}");
    let slowest = times.iter().map(|one| one.began - one.started).reduce(f64::max);
    assert!(slowest < Some(2.0), "{slowest:?} s from `started` to the program's beginning");
    watch.wait_for_ends().await;
    for id in &waiting {
        let history = watch.history(id);
        assert_eq!(last_place_before_start(&history), 1, "{history:?}");
    }
}
