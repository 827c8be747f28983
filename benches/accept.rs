//! How fast submissions are taken in, every answer after its durable commit, and what a long queue costs.
//!
//! Beside it, in turns: a bare loop of one-row commits to `SQLite`, as durable and on the same disk. The service
//! has nowhere to run anything here, so that nothing but taking in is measured.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a tool")]
#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "small numbers of its own"
)]
#![expect(dead_code, reason = "the benches share more than this one needs")]

mod support {
    pub mod client;
    pub mod engine;
    pub mod queue;
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};

use support::client::Client;
use support::queue::Queue;
use support::report::Target::{AtLeast, AtMost};
use support::series::{Series, Spread};
use support::service::{Service, submission};
use support::{report, temporary};

const ROUNDS: usize = 8;
const BATCHES: usize = 5;
const BATCH: usize = 100;
const SINGLE: usize = 200;
const COMMITS: usize = 200;
const OWNERS: usize = 20;
const DISPATCHES: usize = 50;
const SHORT: usize = 10;
const LONG: usize = 10_000;

const PYTHON: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

#[derive(Default)]
struct Accepting {
    commits_per_s: Vec<f64>,
    batched_per_s: Vec<f64>,
    single_per_s: Vec<f64>,
    single: Series,
}

#[derive(Default)]
struct Queueing {
    dispatch: Series,
    place: Series,
    push: Series,
}

fn main() {
    accepting();
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    threads.block_on(queueing());
}

fn accepting() {
    let folder = temporary::folder();
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bare = threads.block_on(bare_database(folder.path()));
    let service = Service::start_without_engine();
    service.put_sum();
    let mut client = service.client();
    let mut measured = Accepting::default();
    for _ in 0..ROUNDS {
        measured.commits_per_s.push(threads.block_on(commits(&mut bare)));
        measured.batched_per_s.push(batches(&mut client));
        let begun = Instant::now();
        measured.single.measure(SINGLE, || single(&mut client));
        measured.single_per_s.push(SINGLE as f64 / begun.elapsed().as_secs_f64());
    }
    report::times("Submissions taken in over one connection, each answer after its durable commit");
    report::time("one by one", &measured.single);
    report::figures();
    report::figure("bare one-row commits", Spread::of(&measured.commits_per_s), "/s", None);
    report::figure(
        "submissions, batches of 100",
        Spread::of(&measured.batched_per_s),
        "/s",
        Some(AtLeast(2000.0)),
    );
    report::figure("submissions, one by one", Spread::of(&measured.single_per_s), "/s", Some(AtLeast(400.0)));
    let ratio = |per_s: &[f64]| Spread::ratio(per_s, &measured.commits_per_s);
    report::figure("batched submissions / bare commits", ratio(&measured.batched_per_s), " ×", None);
    report::figure("single submissions / bare commits", ratio(&measured.single_per_s), " ×", None);
}

async fn bare_database(folder: &Path) -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new()
        .filename(folder.join("bare.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .unwrap();
    sqlx::query("CREATE TABLE rows (id INTEGER PRIMARY KEY, content TEXT NOT NULL) STRICT")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

/// One-row commits a second.
async fn commits(connection: &mut SqliteConnection) -> f64 {
    let begun = Instant::now();
    for _ in 0..COMMITS {
        sqlx::query("INSERT INTO rows (content) VALUES (?1)")
            .bind(PYTHON)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    COMMITS as f64 / begun.elapsed().as_secs_f64()
}

/// Submissions a second in batches.
fn batches(client: &mut Client) -> f64 {
    let of = |index: usize| {
        let mut one = submission("python", "main.py", PYTHON);
        one["owner"] = json!(format!("student-{}", index % OWNERS));
        one
    };
    let body = json!({ "submissions": (0..BATCH).map(of).collect::<Vec<_>>() }).to_string();
    let begun = Instant::now();
    for _ in 0..BATCHES {
        let answer = client.post("/v1/submissions/batch", &body).expect(&[202]);
        assert!(!answer.body.is_empty());
    }
    (BATCHES * BATCH) as f64 / begun.elapsed().as_secs_f64()
}

fn single(client: &mut Client) {
    let body = submission("python", "main.py", PYTHON).to_string();
    client.post("/v1/submissions", &body).expect(&[202]);
}

async fn queueing() {
    let (short, long) = (Queue::of_length(SHORT).await, Queue::of_length(LONG).await);
    let (mut at_short, mut at_long) = (Queueing::default(), Queueing::default());
    for _ in 0..ROUNDS {
        for (queue, measured) in [(&short, &mut at_short), (&long, &mut at_long)] {
            measured.dispatch.push(queue.dispatches(DISPATCHES).await);
            measured.place.push(queue.places(DISPATCHES).await);
            measured.push.push(queue.pushes(4).await);
        }
    }
    report::times("Costs at a queue of 10 and of 10,000");
    report::time("one dispatch at 10", &at_short.dispatch);
    report::time("one dispatch at 10,000", &at_long.dispatch);
    report::time("the place of one submission at 10", &at_short.place);
    report::time("the place of one submission at 10,000", &at_long.place);
    report::time(
        "from a dispatch to the new place of the last in the queue on its stream, at 10",
        &at_short.push,
    );
    report::time("the same at 10,000", &at_long.push);
    report::figures();
    let ratio = |long: &Series, short: &Series| Spread::ratio(&long.middles(), &short.middles());
    let dispatch = ratio(&at_long.dispatch, &at_short.dispatch);
    report::figure("dispatch at 10,000 / at 10", dispatch, " ×", Some(AtMost(2.0)));
    let place = ratio(&at_long.place, &at_short.place);
    report::figure("place at 10,000 / at 10", place, " ×", Some(AtMost(2.0)));
    report::figure(
        "pushed place at 10,000 / at 10",
        ratio(&at_long.push, &at_short.push),
        " ×",
        Some(AtMost(2.0)),
    );
    short.close().await;
    long.close().await;
}
