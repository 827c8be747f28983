//! What a crowd of event streams costs: memory, the processor, how long the last one waits, and how much slower it makes
//! what others do.
//!
//! Another build takes its turn in each round if `GUICHET_BENCH_OTHER` names one (its program, with its agent beside it).
//! `GUICHET_BENCH_STREAMS=100,300` measures with other crowds than 2,000 and 10,000.

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
    pub mod crowd;
    pub mod engine;
    pub mod listeners;
    pub mod queue;
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::client::Client;
use support::crowd::Crowd;
use support::listeners::allow_many_files;
use support::queue::Queue;
use support::report::Target::{AtLeast, AtMost};
use support::report::{self, Target};
use support::series::{Series, Spread};
use support::service::{Build, Service, submission};

const ROUNDS: usize = 2;
/// Changes that all streams hear of, and how far they are apart: longer than the pause between two rounds of far places.
const CHANGES: usize = 5;
const APART: Duration = Duration::from_millis(1500);
/// Changes under constant change, and how far those are apart.
const MANY_CHANGES: usize = 100;
const CLOSE: Duration = Duration::from_millis(40);
/// Until memory is looked at again.
const REST: Duration = Duration::from_secs(2);
/// Until what a crowd used has gone back.
const GIVEN_BACK: Duration = Duration::from_secs(12);
/// Submissions that are graded, so many at a time.
const GRADED: usize = 240;
const IN_FLIGHT: usize = 8;
const SHORT: usize = 100;
const LONG: usize = 100_000;
const FOLLOWERS: usize = 10;
const DISPATCHES: usize = 50;

const PYTHON: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// What was measured of one build.
#[derive(Default)]
struct OfBuild {
    opening_ms: Vec<f64>,
    memory_kib: Vec<f64>,
    kept_kib: Vec<f64>,
    event_us: Vec<f64>,
    last_ms: Vec<f64>,
    /// Without a stream, and with each crowd.
    busy: Vec<Busy>,
}

/// What others do beside a crowd.
#[derive(Default)]
struct Busy {
    cancel: Series,
    submit: Series,
    graded_per_s: Vec<f64>,
}

fn main() {
    allow_many_files();
    let crowds = crowds();
    let builds: Vec<Build> = [Some(Build::of_ours()), Build::of_others()].into_iter().flatten().collect();
    let mut measured: Vec<OfBuild> = builds.iter().map(|_| OfBuild::of(crowds.len() + 1)).collect();
    for round in 0..ROUNDS {
        let mut turns: Vec<_> = builds.iter().zip(&mut measured).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for (build, of_build) in turns {
            of_build.idle(build, crowds[crowds.len() - 1]);
            for (busy, number) in of_build.busy.iter_mut().zip([0].into_iter().chain(crowds.iter().copied()))
            {
                busy.changes(build, number);
                busy.grading(build, number);
            }
        }
    }
    for (name, of_build) in ["this build", "the other build"].iter().zip(&measured) {
        of_build.tell(name, &crowds);
    }
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    threads.block_on(dispatching());
}

#[expect(clippy::disallowed_methods, reason = "a tool's setting")]
fn crowds() -> Vec<usize> {
    let asked = std::env::var("GUICHET_BENCH_STREAMS").unwrap_or_else(|_| "2000,10000".to_owned());
    asked
        .split(',')
        .map(|number| number.parse().unwrap_or_else(|_| panic!("{number} is no number")))
        .collect()
}

impl OfBuild {
    fn of(crowds: usize) -> Self {
        Self { busy: (0..crowds).map(|_| Busy::default()).collect(), ..Self::default() }
    }

    /// A crowd that waits in the queue: what it costs to open, to keep, to tell, and what is kept when it has left.
    fn idle(&mut self, build: &Build, number: usize) {
        let service = Service::start_without_engine_of(build);
        service.put_sum();
        let mut client = service.client();
        let first = enter(&mut client, "exam", CHANGES, |_| "bench".to_owned());
        enter(&mut client, "normal", number, |index| format!("student-{index}"));
        rest(REST);
        let before = service.memory_kib();
        let (crowd, took) = Crowd::open(&service, number);
        self.opening_ms.push(took.as_secs_f64() * 1e3 / number as f64);
        rest(REST);
        self.memory_kib.push((service.memory_kib() - before) / number as f64);
        for id in &first {
            let mut last = Duration::ZERO;
            let spent = service.processor_ms_of(1, APART, |_| {
                last = crowd.time_until_all_heard(|| cancel(&mut client, id));
            });
            self.last_ms.push(last.as_secs_f64() * 1e3);
            self.event_us.push(spent * 1e3 / number as f64);
        }
        crowd.close();
        rest(GIVEN_BACK);
        self.kept_kib.push((service.memory_kib() - before) / number as f64);
    }

    fn tell(&self, name: &str, crowds: &[usize]) {
        let most = crowds[crowds.len() - 1];
        report::times(&format!("Requests beside a crowd under constant change, {name}"));
        for (busy, number) in self.busy.iter().zip([0].iter().chain(crowds)) {
            report::time(&format!("cancel, {number} streams"), &busy.cancel);
            report::time(&format!("submit, {number} streams"), &busy.submit);
        }
        report::figures();
        let figure = |what: &str, values: &[f64], unit, target: Option<Target>| {
            report::figure(&format!("{name}, {what}"), Spread::of(values), unit, target);
        };
        figure(&format!("opening one of {most} streams"), &self.opening_ms, " ms", Some(AtMost(0.3)));
        figure(
            &format!("memory of one of {most} idle streams"),
            &self.memory_kib,
            " KiB",
            Some(AtMost(20.0)),
        );
        figure("what is kept of it 12 s after all are closed", &self.kept_kib, " KiB", None);
        figure("processor of one change, each stream", &self.event_us, " µs", Some(AtMost(15.0)));
        figure(&format!("until the last of {most} has a change"), &self.last_ms, " ms", None);
        let none = &self.busy[0];
        for (busy, number) in self.busy.iter().zip([0].iter().chain(crowds)) {
            figure(&format!("graded a second, {number} streams"), &busy.graded_per_s, "/s", None);
            if *number > 0 {
                let of = |what: &str| format!("{name}, {what}, {number} streams / none");
                let slow = |crowd: &Series, none: &Series| {
                    Spread::of(&[crowd.middle_and_slow().1 / none.middle_and_slow().1])
                };
                let (cancel, submit) = (slow(&busy.cancel, &none.cancel), slow(&busy.submit, &none.submit));
                report::figure(&of("p95 of cancel"), cancel, " ×", Some(AtMost(1.5)));
                report::figure(&of("p95 of submit"), submit, " ×", Some(AtMost(1.5)));
                let graded = Spread::ratio(&busy.graded_per_s, &none.graded_per_s);
                report::figure(&of("graded a second"), graded, " ×", Some(AtLeast(0.67)));
            }
        }
    }
}

impl Busy {
    /// Constant change ahead of a crowd: how long those who make it wait.
    fn changes(&mut self, build: &Build, number: usize) {
        let service = Service::start_without_engine_of(build);
        service.put_sum();
        let mut client = service.client();
        enter(&mut client, "normal", number, |index| format!("student-{index}"));
        let crowd = Crowd::open(&service, number).0;
        let (mut cancels, mut submits) = (Vec::new(), Vec::new());
        for _ in 0..MANY_CHANGES {
            let begun = Instant::now();
            let id = enter(&mut client, "exam", 1, |_| "bench".to_owned()).remove(0);
            submits.push(begun.elapsed());
            rest(CLOSE / 2);
            let begun = Instant::now();
            cancel(&mut client, &id);
            cancels.push(begun.elapsed());
            rest(CLOSE / 2);
        }
        self.cancel.push(cancels);
        self.submit.push(submits);
        crowd.close();
    }

    /// A crowd that waits behind what is graded, and hears of it.
    fn grading(&mut self, build: &Build, number: usize) {
        let service = Service::start_of(build);
        service.put_sum();
        let mut client = service.client();
        grade(&service, IN_FLIGHT * 4);
        // The lowest class: none of them is started while others wait.
        let busy = enter(&mut client, "normal", IN_FLIGHT * 8, |_| "bench".to_owned());
        enter(&mut client, "rejudge", number, |index| format!("student-{index}"));
        let crowd = Crowd::open(&service, number).0;
        let begun = Instant::now();
        grade(&service, GRADED);
        self.graded_per_s.push((GRADED + busy.len()) as f64 / begun.elapsed().as_secs_f64());
        crowd.close();
    }
}

/// Has so many graded, a few at a time.
fn grade(service: &Service, count: usize) {
    std::thread::scope(|scope| {
        for _ in 0..IN_FLIGHT {
            scope.spawn(|| {
                let mut client = service.client();
                let body = submission("python", "main.py", PYTHON).to_string();
                for _ in 0..count / IN_FLIGHT {
                    let ended = client.post_and_wait("/v1/submissions", &body).expect(&[200]).json();
                    assert_eq!(ended["result"]["verdict"], "accepted", "{ended}");
                }
            });
        }
    });
}

/// Queues so many of a class; their ids.
fn enter(client: &mut Client, priority: &str, number: usize, owner: impl Fn(usize) -> String) -> Vec<String> {
    let mut ids = Vec::with_capacity(number);
    let all: Vec<usize> = (0..number).collect();
    for some in all.chunks(100) {
        let of = |index: &usize| {
            let mut one = submission("python", "main.py", PYTHON);
            one["owner"] = json!(owner(*index));
            one["priority"] = json!(priority);
            one
        };
        let body = json!({ "submissions": some.iter().map(of).collect::<Vec<Value>>() }).to_string();
        let stored = client.post("/v1/submissions/batch", &body).expect(&[202]).json();
        let items = stored["items"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
    }
    ids
}

fn cancel(client: &mut Client, id: &str) {
    client.post(&format!("/v1/submissions/{id}/cancel"), "").expect(&[200, 202]);
}

#[expect(clippy::disallowed_methods, reason = "another process is given time")]
fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// A dispatch while some follow their places, in a short queue and in a long one.
async fn dispatching() {
    let (short, long) = (Queue::of_length(SHORT).await, Queue::of_length(LONG).await);
    let _followers = [short.follow_last(FOLLOWERS).await, long.follow_last(FOLLOWERS).await];
    let (mut at_short, mut at_long) = (Series::default(), Series::default());
    for _ in 0..ROUNDS * 4 {
        at_short.push(short.dispatches(DISPATCHES).await);
        at_long.push(long.dispatches(DISPATCHES).await);
    }
    report::times(&format!("A dispatch while {FOLLOWERS} follow their places"));
    report::time(&format!("at {SHORT} queued"), &at_short);
    report::time(&format!("at {LONG} queued"), &at_long);
    report::figures();
    let ratio = Spread::ratio(&at_long.middles(), &at_short.middles());
    report::figure(&format!("dispatch at {LONG} / at {SHORT}"), ratio, " ×", Some(AtMost(1.5)));
    short.close().await;
    long.close().await;
}
