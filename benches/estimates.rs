//! Whether submissions start within the range that they were told first, on a load that comes as it likes.
//!
//! Quick and slow programs of several owners enter one by one, at times in bursts of one owner, eight tenths of what the
//! slots can take; the slow ones sleep, so that a busy machine changes little. The service starts without history.

#![expect(clippy::unwrap_used, reason = "a tool")]
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
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::client::Client;
use support::report::{self, Target::AtLeast};
use support::series::Spread;
use support::service::Service;

const ROUNDS: u64 = 3;
/// Submissions of one round.
const COUNT: usize = 160;
const OWNERS: u64 = 8;
/// Every so many, one owner sends so many together.
const BURSTS: (usize, usize) = (40, 15);
/// Mean pause between two entrances for each slot that there is not, in milliseconds.
const PAUSE_MS: u64 = 1000;

/// A submission as it was told and as it came.
struct Told {
    eta: Option<(u64, u64)>,
    waited_s: f64,
    in_burst: bool,
}

impl Told {
    fn is_inside(&self) -> bool {
        self.eta.is_some_and(|(low, high)| (low as f64..=high as f64).contains(&self.waited_s))
    }
}

fn main() {
    let rounds: Vec<Vec<Told>> = (0..ROUNDS).map(round).collect();
    println!("\n### Of {COUNT} submissions that came as they liked, in a service without history");
    report::figures();
    let share = |kept: fn(&&Told) -> bool| {
        let of = |round: &Vec<Told>| {
            let told: Vec<&Told> = round.iter().filter(kept).filter(|told| told.eta.is_some()).collect();
            let inside = told.iter().filter(|told| told.is_inside()).count();
            inside as f64 * 100.0 / told.len() as f64
        };
        Spread::of(&rounds.iter().map(of).collect::<Vec<_>>())
    };
    report::figure("started within the range told first", share(|_| true), " %", Some(AtLeast(90.0)));
    report::figure("of those that came in bursts", share(|told| told.in_burst), " %", None);
    report::figure("of those that waited for more than 1 s", share(|told| told.waited_s > 1.0), " %", None);
    let of_each = |figure: fn(&Vec<Told>) -> f64| Spread::of(&rounds.iter().map(figure).collect::<Vec<_>>());
    let unknown = of_each(|round| round.iter().filter(|told| told.eta.is_none()).count() as f64);
    report::figure("told nothing", unknown, "", None);
    let (waited, high) =
        (of_each(|round| middle(round, |told| Some(told.waited_s))), of_each(|round| highest(round)));
    report::figure("middle of the waits", waited, " s", None);
    report::figure("middle of the ranges' ends, of those told more than 1 s", high, " s", None);
}

fn highest(round: &[Told]) -> f64 {
    middle(round, |told| told.eta.map(|(_, high)| high as f64).filter(|high| *high > 1.0))
}

fn middle(round: &[Told], value: impl Fn(&Told) -> Option<f64>) -> f64 {
    support::series::middle(&round.iter().filter_map(value).collect::<Vec<_>>())
}

#[expect(clippy::disallowed_methods, reason = "what comes as it likes comes after pauses")]
fn round(seed: u64) -> Vec<Told> {
    let service = Service::start();
    let mut client = service.client();
    let slots = client.get("/v1/queue").expect(&[200]).json()["slots"]["total"].as_u64().unwrap();
    let mut random = Random { state: seed };
    let mut sent: Vec<(Value, bool)> = Vec::with_capacity(COUNT);
    while sent.len() < COUNT {
        if sent.len() % BURSTS.0 == BURSTS.0 - 1 {
            for _ in 0..BURSTS.1 {
                let seconds = random.duration();
                sent.push((submit(&mut client, "burst", &seconds), true));
            }
        }
        let seconds = random.duration();
        let owner = format!("owner-{}", random.below(OWNERS));
        sent.push((submit(&mut client, &owner, &seconds), false));
        std::thread::sleep(Duration::from_millis(random.below(2 * PAUSE_MS / slots)));
    }
    sent.into_iter().map(|(answer, in_burst)| ended(&mut client, &answer, in_burst)).collect()
}

fn submit(client: &mut Client, owner: &str, seconds: &str) -> Value {
    let body = json!({
        "runtime": "python", "owner": owner, "run": { "stdin": "", "args": [] },
        "files": [{ "path": "main.py", "content": format!("import time\ntime.sleep({seconds})\n") }],
    });
    client.post("/v1/submissions", &body.to_string()).expect(&[202]).json()
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn ended(client: &mut Client, answer: &Value, in_burst: bool) -> Told {
    let path = format!("/v1/submissions/{}", answer["id"].as_str().unwrap());
    let latest = Instant::now() + Duration::from_mins(5);
    let submission = loop {
        let submission = client.get(&path).expect(&[200]).json();
        if submission["state"] == "finished" {
            break submission;
        }
        assert!(Instant::now() < latest, "{submission}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let at = |name: &str| submission[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let waited_s = at("started_at").duration_since(at("created_at")).as_secs_f64();
    let eta = &answer["eta"];
    Told { eta: eta["low_s"].as_u64().zip(eta["high_s"].as_u64()), waited_s, in_burst }
}

/// Numbers that are the same in each run (splitmix64).
struct Random {
    state: u64,
}

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Seconds that a program sleeps: three of four hardly, the others up to four.
    fn duration(&mut self) -> String {
        let millis = if self.below(4) > 0 { self.below(100) } else { 500 + self.below(3500) };
        format!("{}", millis as f64 / 1000.0)
    }
}
