//! What idle users of the original WebSocket cost: memory each, and the processor's time for one change of the queue.
//!
//! Beside them, in turns: the same number of event streams, and nobody. The service has nowhere to run anything here,
//! so that nothing but telling is measured.

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
    pub mod listeners;
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::time::Duration;

use serde_json::json;

use support::listeners::{Kind, Listeners, allow_many_files};
use support::report;
use support::series::Spread;
use support::service::{Service, submission};

const ROUNDS: usize = 3;
const USERS: usize = 2000;
/// Changes of the queue in one round, far enough apart that each is told by itself.
const CHANGES: usize = 20;
const APART: Duration = Duration::from_millis(250);

#[derive(Default)]
struct Measured {
    memory_kib: Vec<f64>,
    idle_ms: Vec<f64>,
    waiting_ms: Vec<f64>,
}

fn main() {
    allow_many_files();
    let [mut nobody, mut sockets, mut streams] = [(); 3].map(|()| Measured::default());
    for _ in 0..ROUNDS {
        measure(&mut nobody, None);
        measure(&mut sockets, Some(Kind::WebSocket));
        measure(&mut streams, Some(Kind::Stream));
    }
    println!("\n### {USERS} users who are connected");
    report::figures();
    let memory = |of: &Measured| Spread::of(&of.memory_kib);
    report::figure("memory of one WebSocket", memory(&sockets), " KiB", None);
    report::figure("memory of one event stream", memory(&streams), " KiB", None);
    report::figure(
        "WebSocket / event stream",
        Spread::ratio(&sockets.memory_kib, &streams.memory_kib),
        " ×",
        None,
    );
    report::figure("one change, nobody connected", Spread::of(&nobody.idle_ms), " ms", None);
    report::figure("one change, all idle on WebSockets", Spread::of(&sockets.idle_ms), " ms", None);
    report::figure("one change, all idle on event streams", Spread::of(&streams.idle_ms), " ms", None);
    report::figure(
        "2000 idle WebSockets / nobody",
        Spread::ratio(&sockets.idle_ms, &nobody.idle_ms),
        " ×",
        None,
    );
    report::figure(
        "2000 idle event streams / nobody",
        Spread::ratio(&streams.idle_ms, &nobody.idle_ms),
        " ×",
        None,
    );
    report::figure(
        "one change that moves all of them, WebSocket",
        Spread::of(&sockets.waiting_ms),
        " ms",
        None,
    );
    report::figure("the same, event stream", Spread::of(&streams.waiting_ms), " ms", None);
    report::figure(
        "the same, WebSocket / event stream",
        Spread::ratio(&sockets.waiting_ms, &streams.waiting_ms),
        " ×",
        None,
    );
}

fn measure(measured: &mut Measured, kind: Option<Kind>) {
    let service = Service::start_without_engine();
    service.put_sum();
    let before = service.memory_kib();
    let _listeners = kind.map(|kind| Listeners::open(&service, kind, USERS));
    measured.memory_kib.push((service.memory_kib() - before) / USERS as f64);
    let mut client = service.client();
    let idle = service.processor_ms_of(CHANGES, APART, |_| {
        let body = submission("python", "main.py", "print(3)\n").to_string();
        client.post("/v1/submissions", &body).expect(&[202]);
    });
    measured.idle_ms.push(idle);
    if kind.is_none() {
        return;
    }
    // Those of the loop above stand first: each that is cancelled moves everybody.
    let first = client.get(&format!("/v1/submissions?owner=bench&limit={CHANGES}")).expect(&[200]).json();
    let first: Vec<_> = first["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    for owners in (0..USERS).collect::<Vec<_>>().chunks(100) {
        let of = |owner: &usize| {
            let mut one = submission("python", "main.py", "print(3)\n");
            one["owner"] = json!(format!("student-{owner}"));
            one
        };
        let body = json!({ "submissions": owners.iter().map(of).collect::<Vec<_>>() }).to_string();
        client.post("/v1/submissions/batch", &body).expect(&[202]);
    }
    let waiting = service.processor_ms_of(first.len(), APART, |index| {
        let id = first[index].as_str().unwrap_or_else(|| panic!("no id"));
        client.post(&format!("/v1/submissions/{id}/cancel"), "").expect(&[200, 202]);
    });
    measured.waiting_ms.push(waiting);
}
