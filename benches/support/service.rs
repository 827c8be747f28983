//! A `guichet serve` of our own: the release build, its own data folder, tokens on, durable as always.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::{engine, temporary};

/// Time for starting, warming containers and stopping.
const PATIENCE: Duration = Duration::from_mins(1);

/// A build of Guichet.
#[derive(Clone, Debug)]
pub struct Build {
    program: PathBuf,
    agent: PathBuf,
    runtimes: PathBuf,
}

impl Build {
    /// The one that is measured.
    pub fn of_ours() -> Self {
        let runtimes = concat!(env!("CARGO_MANIFEST_DIR"), "/runtimes").into();
        Self { program: env!("CARGO_BIN_EXE_guichet").into(), agent: engine::agent_path(), runtimes }
    }

    /// The one that `GUICHET_BENCH_OTHER` names, a program with its agent and its runtimes beside it.
    pub fn of_others() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("GUICHET_BENCH_OTHER")?);
        let agent = program.with_file_name("guichet-agent");
        let runtimes = program.with_file_name("runtimes");
        for part in [&program, &agent, &runtimes] {
            assert!(part.exists(), "{} is missing", part.display());
        }
        Some(Self { program, agent, runtimes })
    }

    fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(data)
            .stdin(Stdio::null())
            .env("GUICHET_DATA_DIR", data)
            .env("GUICHET_EXECUTION__AGENT_PATH", &self.agent)
            .env("GUICHET_EXECUTION__RUNTIMES_DIR", &self.runtimes);
        command
    }
}

/// A running service; stopped when dropped.
#[derive(Debug)]
pub struct Service {
    process: Child,
    data: TempDir,
    address: SocketAddr,
    token: String,
}

impl Service {
    /// Starts one that runs submissions in `engine`, and waits until containers are warm.
    pub fn start() -> Self {
        Self::start_of(&Build::of_ours())
    }

    /// The same of any build.
    pub fn start_of(build: &Build) -> Self {
        Self::start_on(build, &engine::address())
    }

    /// The same on other engines, by their URLs with commas between them.
    pub fn start_on(build: &Build, engines: &str) -> Self {
        let service = Self::launch(build, engines);
        let mut client = service.client();
        wait_for("warm containers", || {
            let queue = client.get("/v1/queue").expect(&[200]).json();
            let runtimes = client.get("/v1/runtimes").expect(&[200]).json();
            let ready = runtimes["items"].as_array().unwrap().iter().all(|runtime| runtime["ready"] == true);
            ready
                && queue["slots"]["total"].as_u64() >= Some(1)
                && queue["slots"]["free"] == queue["slots"]["total"]
        });
        service
    }

    /// Starts one that takes submissions in but has nowhere to run them.
    pub fn start_without_engine() -> Self {
        Self::start_without_engine_of(&Build::of_ours())
    }

    /// The same of any build.
    pub fn start_without_engine_of(build: &Build) -> Self {
        Self::launch(build, "unix:///nonexistent/docker.sock")
    }

    fn launch(build: &Build, engines: &str) -> Self {
        let data = temporary::folder();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = File::create(data.path().join("log")).unwrap();
        let mut process = build
            .command(data.path())
            .arg("serve")
            .env("GUICHET_LISTEN", address.to_string())
            .env("GUICHET_DOCKER_HOSTS", engines)
            .env("GUICHET_QUEUE__MAX_PER_OWNER", "1000000")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        wait_for("service", || {
            assert_eq!(process.try_wait().unwrap(), None, "the service ended: {}", log_of(data.path()));
            TcpStream::connect(address).is_ok()
        });
        let token = build
            .command(data.path())
            .args(["token", "--sub", "bench", "--role", "backend"])
            .output()
            .unwrap();
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        Self { process, data, address, token }
    }

    /// A new connection of a backend.
    pub fn client(&self) -> Client {
        Client::connect(self.address, &self.token)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Memory that it has in use, in KiB.
    pub fn memory_kib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor's time that it takes to have something done `times` times, so far `apart`; in milliseconds, each.
    #[expect(clippy::disallowed_methods, reason = "another process is given time")]
    pub fn processor_ms_of(&self, times: usize, apart: Duration, mut act: impl FnMut(usize)) -> f64 {
        let before = self.processor_ms();
        for index in 0..times {
            act(index);
            std::thread::sleep(apart);
        }
        (self.processor_ms() - before) / times as f64
    }

    /// Processor's time of all its threads that live, in milliseconds.
    fn processor_ms(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let of_thread = |entry: std::io::Result<std::fs::DirEntry>| {
            let statistics =
                std::fs::read_to_string(entry.unwrap().path().join("schedstat")).unwrap_or_default();
            statistics.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0)
        };
        threads.map(of_thread).sum::<f64>() / 1e6
    }

    /// Where its data lies.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Stores an exercise of one test: the sum of two integers.
    pub fn put_sum(&self) {
        let exercise = json!({
            "title": "Sum", "kind": "stdio", "runtimes": ["python", "c"],
            "tests": [{ "name": "small", "stdin": "1 2\n", "expected": "3\n", "visibility": "public", "weight": 1 }],
        });
        self.client().put("/v1/exercises/sum", &exercise.to_string()).expect(&[200, 201]);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        if let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM) {
            eprintln!("the service could not be stopped: {error}");
        }
        drop(self.process.wait());
        if std::thread::panicking() {
            eprintln!("its log ends with:\n{}", log_of(self.data.path()));
        }
    }
}

/// A submission of one file for the exercise of [`Service::put_sum`].
pub fn submission(runtime: &str, path: &str, content: &str) -> Value {
    json!({ "exercise_id": "sum", "runtime": runtime, "files": [{ "path": path, "content": content }] })
}

/// The end of its log.
fn log_of(data: &Path) -> String {
    let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn wait_for(what: &str, mut look: impl FnMut() -> bool) {
    let latest = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < latest, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
