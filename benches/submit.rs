//! From the request to the stored result: a program of one test through REST, beside the bare program.
//!
//! The service is a process of its own with its defaults: tokens checked, every step durable. The bare program is
//! the image's interpreter or compiler without a container, on the same files; both take turns in each round.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a tool")]
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
    pub mod floor;
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::sync::Mutex;
use std::time::{Duration, Instant};

use support::client::Client;
use support::floor::{Floor, Task, serve_if_asked};
use support::report::Target::{AtLeast, AtMost};
use support::series::{Series, Spread};
use support::service::{Service, submission};
use support::{engine, report, temporary};

const ROUNDS: usize = 8;
const PYTHON_RUNS: usize = 40;
const C_RUNS: usize = 10;
/// Submissions of a round with several in flight, and bare runs on two cores.
const MANY: usize = 160;

const PYTHON: &str = "a, b = map(int, input().split())\nprint(a + b)\n";
const C: &str = "#include <stdio.h>\n\nint main(void) {\n    int a, b;\n    if (scanf(\"%d %d\", &a, &b) != 2) return 1;\n    printf(\"%d\\n\", a + b);\n    return 0;\n}\n";

#[derive(Default)]
struct Measured {
    bare_python: Series,
    host_python: Series,
    bare_both_cores: Vec<f64>,
    one: Series,
    two: Series,
    eight: Series,
    two_per_s: Vec<f64>,
    eight_per_s: Vec<f64>,
    bare_c: Series,
    c: Series,
}

/// The bare programs, each where it runs.
struct Bare {
    floors: [Floor; 2],
    python: Task,
    host: Floor,
    host_python: Task,
    c_floor: Floor,
    c: Task,
}

fn main() {
    if serve_if_asked() {
        return;
    }
    let folder = temporary::folder();
    let mut bare = Bare::prepare(folder.path());
    let service = Service::start();
    service.put_sum();
    let mut measured = Measured::default();
    in_flight(&service, 8, MANY);
    c_submissions(&service);
    for _ in 0..ROUNDS {
        round(&mut measured, &mut bare, &service);
    }
    tell(&measured);
}

fn round(measured: &mut Measured, bare: &mut Bare, service: &Service) {
    measured.bare_python.push(bare.floors[0].run(&bare.python, PYTHON_RUNS));
    measured.one.push(in_flight(service, 1, PYTHON_RUNS).0);
    measured.host_python.push(bare.host.run(&bare.host_python, PYTHON_RUNS / 4));
    measured.bare_both_cores.push(bare.both_cores());
    let (times, per_s) = in_flight(service, 8, MANY);
    measured.eight.push(times);
    measured.eight_per_s.push(per_s);
    let (times, per_s) = in_flight(service, 2, MANY / 2);
    measured.two.push(times);
    measured.two_per_s.push(per_s);
    measured.bare_c.push(bare.c_floor.run(&bare.c, C_RUNS));
    measured.c.push(c_submissions(service));
}

impl Bare {
    fn prepare(folder: &std::path::Path) -> Self {
        let stdin = "1 2\n".to_owned();
        let stdout = "3\n".to_owned();
        let python = engine::runtime("python");
        let root = engine::unpack(&python.image, folder);
        std::fs::write(root.join("w/main.py"), PYTHON).unwrap();
        let command = python.run.argv("main.py");
        let task = Task { commands: vec![command.clone()], stdin: stdin.clone(), stdout: stdout.clone() };
        let mut on_host = command;
        let itself = ["-c", "import sys; print(sys.executable)"];
        on_host[0] = engine::output(std::process::Command::new("python3").args(itself));
        let script = on_host.iter_mut().find(|word| *word == "main.py").unwrap();
        root.join("w/main.py").to_str().unwrap().clone_into(script);
        let host_python = Task { commands: vec![on_host], ..task.clone() };

        let c = engine::runtime("c");
        let c_root = engine::unpack(&c.image, folder);
        std::fs::write(c_root.join("w/main.c"), C).unwrap();
        let compile = c.compile.as_ref().unwrap().argv("main.c");
        let c = Task { commands: vec![compile, c.run.argv("main.c")], stdin, stdout };
        Self {
            floors: [Floor::start(&root), Floor::start(&root)],
            python: task,
            host: Floor::start_on_host(),
            host_python,
            c_floor: Floor::start(&c_root),
            c,
        }
    }

    /// Runs a second on both cores at the same time.
    fn both_cores(&mut self) -> f64 {
        let begun = Instant::now();
        for floor in &mut self.floors {
            floor.begin(&self.python, MANY / 2);
        }
        for floor in &mut self.floors {
            floor.end();
        }
        MANY as f64 / begun.elapsed().as_secs_f64()
    }
}

/// Sends `count` Python programs over so many connections at once; the time of each, and how many a second ended.
fn in_flight(service: &Service, connections: usize, count: usize) -> (Vec<Duration>, f64) {
    let body = submission("python", "main.py", PYTHON).to_string();
    let clients: Vec<Client> = (0..connections).map(|_| service.client()).collect();
    let each = count / connections;
    let times = Mutex::new(Vec::with_capacity(count));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for mut client in clients {
            let (body, times) = (&body, &times);
            scope.spawn(move || {
                let mut own = Vec::with_capacity(each);
                for _ in 0..each {
                    own.push(send(&mut client, body));
                }
                times.lock().unwrap().append(&mut own);
            });
        }
    });
    let per_s = count as f64 / begun.elapsed().as_secs_f64();
    (times.into_inner().unwrap(), per_s)
}

/// Sends C programs one after the other, no two of them the same, so that each has to be compiled.
fn c_submissions(service: &Service) -> Vec<Duration> {
    let mut client = service.client();
    let each = |_| {
        let content = format!("// {}\n{C}", uuid::Uuid::new_v4());
        send(&mut client, &submission("c", "main.c", &content).to_string())
    };
    (0..C_RUNS).map(each).collect()
}

fn send(client: &mut Client, body: &str) -> Duration {
    let begun = Instant::now();
    let answer = client.post_and_wait("/v1/submissions", body);
    let took = begun.elapsed();
    let ended = answer.expect(&[200]).json();
    assert_eq!(ended["result"]["verdict"], "accepted", "{ended}");
    took
}

fn tell(measured: &Measured) {
    report::times("A Python program of one test, from request to stored result");
    report::time("bare `python3` of the image", &measured.bare_python);
    report::time("bare `python3` of the host", &measured.host_python);
    report::time("Guichet, 1 in flight", &measured.one);
    report::time("Guichet, 2 in flight", &measured.two);
    report::time("Guichet, 8 in flight", &measured.eight);
    report::times("A C program, compiled anew");
    report::time("bare gcc + run", &measured.bare_c);
    report::time("Guichet, 1 in flight", &measured.c);
    report::figures();
    let python = Spread::ratio(&measured.one.middles(), &measured.bare_python.middles());
    report::figure("Python, 1 in flight / bare", python, " ×", Some(AtMost(1.4)));
    let host = Spread::ratio(&measured.one.middles(), &measured.host_python.middles());
    report::figure("Python, 1 in flight / bare of the host", host, " ×", None);
    let c = Spread::ratio(&measured.c.middles(), &measured.bare_c.middles());
    report::figure("C anew / bare gcc + run", c, " ×", Some(AtMost(1.4)));
    let percent = |per_s: &[f64]| {
        let parts: Vec<f64> = per_s.iter().map(|value| value * 100.0).collect();
        Spread::ratio(&parts, &measured.bare_both_cores)
    };
    report::figure("bare Python on two cores", Spread::of(&measured.bare_both_cores), "/s", None);
    report::figure("Guichet, 2 in flight", Spread::of(&measured.two_per_s), "/s", None);
    report::figure("Guichet, 8 in flight", Spread::of(&measured.eight_per_s), "/s", None);
    report::figure("2 in flight / two bare cores", percent(&measured.two_per_s), " %", None);
    report::figure("8 in flight / two bare cores", percent(&measured.eight_per_s), " %", Some(AtLeast(75.0)));
}
