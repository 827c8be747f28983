//! From the request to the stored result: a program of one test through REST, beside the bare program.
//!
//! The service is a process of its own with its defaults: tokens checked, every step durable. The bare program is
//! the image's interpreter or compiler without a container, on the same files; both take turns in each round, and with
//! them another build of Guichet if `GUICHET_BENCH_OTHER` names one (its program, with its agent and its
//! runtimes beside it).

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
    pub mod in_flight;
    pub mod report;
    pub mod series;
    pub mod service;
    pub mod temporary;
}

use std::time::{Duration, Instant};

use guichet::domain::runtime::{Paths, Runtime};
use support::floor::{Floor, Task, serve_if_asked};
use support::in_flight::{PYTHON, in_flight, send};
use support::report::Target::{AtLeast, AtMost};
use support::series::{Series, Spread};
use support::service::{Build, Service, submission};
use support::{engine, report, temporary};

const ROUNDS: usize = 8;
const PYTHON_RUNS: usize = 40;
const C_RUNS: usize = 10;
/// Submissions of a round with several in flight, and bare runs on two cores.
const MANY: usize = 160;

const C: &str = "#include <stdio.h>\n\nint main(void) {\n    int a, b;\n    if (scanf(\"%d %d\", &a, &b) != 2) return 1;\n    printf(\"%d\\n\", a + b);\n    return 0;\n}\n";

#[derive(Default)]
struct Measured {
    bare_python: Series,
    host_python: Series,
    bare_both_cores: Vec<f64>,
    bare_c: Series,
    ours: OfBuild,
    others: OfBuild,
}

/// What was measured of one build.
#[derive(Default)]
struct OfBuild {
    one: Series,
    two: Series,
    eight: Series,
    two_per_s: Vec<f64>,
    eight_per_s: Vec<f64>,
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
    let (ours, others) = (warm(&Build::of_ours()), Build::of_others().as_ref().map(warm));
    let mut measured = Measured::default();
    for round in 0..ROUNDS {
        let Measured { ours: of_ours, others: of_others, .. } = &mut measured;
        let mut builds: Vec<_> = [(Some(&ours), of_ours), (others.as_ref(), of_others)]
            .into_iter()
            .filter_map(|(service, of_build)| Some((service?, of_build)))
            .collect();
        // Whatever the machine does meanwhile hits each as often first as last.
        if round % 2 == 1 {
            builds.reverse();
        }
        for (service, of_build) in builds {
            of_build.round(service);
        }
        measured.round_of_bare(&mut bare);
    }
    tell(&measured, others.is_some());
}

/// A service that has run some of each.
fn warm(build: &Build) -> Service {
    let service = Service::start_of(build);
    service.put_sum();
    in_flight(&service, 8, MANY);
    c_submissions(&service);
    service
}

impl Measured {
    fn round_of_bare(&mut self, bare: &mut Bare) {
        self.bare_python.push(bare.floors[0].run(&bare.python, PYTHON_RUNS));
        self.host_python.push(bare.host.run(&bare.host_python, PYTHON_RUNS / 4));
        self.bare_both_cores.push(bare.both_cores());
        self.bare_c.push(bare.c_floor.run(&bare.c, C_RUNS));
    }
}

impl OfBuild {
    fn round(&mut self, service: &Service) {
        self.one.push(in_flight(service, 1, PYTHON_RUNS).0);
        let (times, per_s) = in_flight(service, 8, MANY);
        self.eight.push(times);
        self.eight_per_s.push(per_s);
        let (times, per_s) = in_flight(service, 2, MANY / 2);
        self.two.push(times);
        self.two_per_s.push(per_s);
        self.c.push(c_submissions(service));
    }

    fn tell_times(&self, build: &str) {
        report::time(&format!("{build}, Python, 1 in flight"), &self.one);
        report::time(&format!("{build}, Python, 2 in flight"), &self.two);
        report::time(&format!("{build}, Python, 8 in flight"), &self.eight);
        report::time(&format!("{build}, C compiled anew, 1 in flight"), &self.c);
    }

    fn tell_ratios(&self, build: &str, measured: &Measured) {
        let ratio = |of: &Series, bare: &Series| Spread::ratio(&of.middles(), &bare.middles());
        let figure =
            |what, spread, unit, target| report::figure(&format!("{build}, {what}"), spread, unit, target);
        figure(
            "Python, 1 in flight / bare",
            ratio(&self.one, &measured.bare_python),
            " ×",
            Some(AtMost(1.4)),
        );
        figure("Python, 1 in flight / bare of the host", ratio(&self.one, &measured.host_python), " ×", None);
        figure("C anew / bare gcc + run", ratio(&self.c, &measured.bare_c), " ×", Some(AtMost(1.4)));
        let part = |per_s| percent(per_s, &measured.bare_both_cores);
        figure("2 in flight / two bare cores", part(&self.two_per_s), " %", None);
        figure("8 in flight / two bare cores", part(&self.eight_per_s), " %", Some(AtLeast(75.0)));
    }
}

fn percent(above: &[f64], below: &[f64]) -> Spread {
    let parts: Vec<f64> = above.iter().map(|value| value * 100.0).collect();
    Spread::ratio(&parts, below)
}

/// Of a program of one file, which the floor has in its working folder.
fn paths(runtime: &Runtime) -> Paths<'_> {
    runtime.paths(std::iter::once(runtime.entry_file.as_str()), "/w")
}

impl Bare {
    fn prepare(folder: &std::path::Path) -> Self {
        let stdin = "1 2\n".to_owned();
        let stdout = "3\n".to_owned();
        let python = engine::runtime("python");
        let root = engine::unpack(&python.image, folder);
        std::fs::write(root.join("w/main.py"), PYTHON).unwrap();
        let command = python.run.argv(&paths(&python), &python.run.limits.default);
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
        let compile = c.compile.as_ref().unwrap();
        let compile = compile.argv(&paths(&c), &compile.limits.default);
        let c =
            Task { commands: vec![compile, c.run.argv(&paths(&c), &c.run.limits.default)], stdin, stdout };
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

/// Sends C programs one after the other, no two of them the same, so that each has to be compiled.
fn c_submissions(service: &Service) -> Vec<Duration> {
    let mut client = service.client();
    let each = |_| {
        let content = format!("// {}\n{C}", uuid::Uuid::new_v4());
        send(&mut client, &submission("c", "main.c", &content).to_string())
    };
    (0..C_RUNS).map(each).collect()
}

fn tell(measured: &Measured, other: bool) {
    let Measured { ours, others, .. } = measured;
    report::times("A program of one test, from request to stored result");
    report::time("bare `python3` of the image", &measured.bare_python);
    report::time("bare `python3` of the host", &measured.host_python);
    report::time("bare gcc + run", &measured.bare_c);
    ours.tell_times("Guichet");
    if other {
        others.tell_times("the other build");
    }
    report::figures();
    report::figure("bare Python on two cores", Spread::of(&measured.bare_both_cores), "/s", None);
    report::figure("Guichet, 2 in flight", Spread::of(&ours.two_per_s), "/s", None);
    report::figure("Guichet, 8 in flight", Spread::of(&ours.eight_per_s), "/s", None);
    ours.tell_ratios("Guichet", measured);
    if other {
        others.tell_ratios("the other build", measured);
        let times = |ours: &Series, others: &Series| Spread::ratio(&ours.middles(), &others.middles());
        report::figure(
            "this build / the other, time at 1 in flight",
            times(&ours.one, &others.one),
            " ×",
            None,
        );
        report::figure("this build / the other, time of C anew", times(&ours.c, &others.c), " ×", None);
        let (two, eight) =
            (percent(&ours.two_per_s, &others.two_per_s), percent(&ours.eight_per_s, &others.eight_per_s));
        report::figure(
            "this build / the other, programs a second at 2 in flight",
            two,
            " %",
            Some(AtLeast(90.0)),
        );
        report::figure(
            "this build / the other, programs a second at 8 in flight",
            eight,
            " %",
            Some(AtLeast(90.0)),
        );
    }
}
