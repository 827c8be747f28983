//! The Docker engine of the tests, its images, and the agent that goes into containers.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What the tests need from outside the test binary, made once.
#[derive(Debug)]
pub struct Ground {
    /// Address of the engine.
    pub docker_host: String,
    /// The static agent.
    pub agent: PathBuf,
    /// A folder of the languages in [`LANGUAGES`] alone: what most tests need, however many the engine has images of.
    pub runtimes: PathBuf,
}

/// The languages of most tests.
const LANGUAGES: [&str; 2] = ["c", "python"];

/// The repository root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub fn guichet() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    command.current_dir(root());
    command
}

/// The engine with all images, and the agent.
///
/// # Panics
/// If they can't be had; the message says how to get them.
pub fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let docker_host = variable("GUICHET_TEST_DOCKER_HOST").unwrap_or_else(|| {
            let folder = root().join(".guichet/test-engine");
            say(Command::new(root().join("scripts/engine.sh")).arg("up").arg(folder))
        });
        let agent = variable("GUICHET_EXECUTION__AGENT_PATH").map_or_else(
            || {
                say(&mut Command::new(root().join("scripts/agent.sh")));
                root().join("target/agent/guichet-agent")
            },
            PathBuf::from,
        );
        build(&docker_host, &LANGUAGES);
        Ground { docker_host, agent, runtimes: few_runtimes() }
    })
}

/// Makes the images of these languages on an engine, those that are missing there; of all if none is named.
pub fn build(docker_host: &str, languages: &[&str]) {
    say(guichet().args(["runtime", "build"]).args(languages).env("GUICHET_DOCKER_HOSTS", docker_host));
}

/// A folder with links to the languages of most tests.
fn few_runtimes() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtimes");
    std::fs::create_dir_all(&folder).expect("a folder");
    for language in LANGUAGES {
        let link = folder.join(language);
        if !link.exists() {
            std::os::unix::fs::symlink(root().join("runtimes").join(language), link).expect("a link");
        }
    }
    folder
}

/// An environment variable of the test run.
#[expect(clippy::disallowed_methods, reason = "these are settings of the tests, not of the service")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs a command to its end and answers what it printed.
///
/// # Panics
/// If it fails; the message has what it wrote to standard error.
pub fn say(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?} ended with {}; `make test` sets up what the tests need\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// An engine, asked by its own client: no code of the service is in between.
#[derive(Clone, Debug)]
pub struct Engine {
    address: String,
}

impl Engine {
    /// The engine at that address.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    /// Ids of the containers with that label, stopped ones too.
    pub fn containers(&self, label: &str) -> Vec<String> {
        self.ask(&["ps", "-aq", "--no-trunc", "--filter", &format!("label={label}")])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Ids of the running containers with that label, newest first.
    pub fn running(&self, label: &str) -> Vec<String> {
        self.ask(&["ps", "-q", "--no-trunc", "--filter", &format!("label={label}")])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Command lines of the processes in a container; empty if it is gone.
    pub fn processes(&self, container: &str) -> Vec<String> {
        let output = run(self.command().args(["top", container, "-eo", "pid,args"]));
        String::from_utf8_lossy(&output.stdout).lines().skip(1).map(|line| line.trim().to_owned()).collect()
    }

    /// Ids of the containers with that label in which a Python program runs: a student's, or one that its host is tried
    /// with as long as no submission is `running`.
    pub fn busy(&self, label: &str) -> Vec<String> {
        let runs = |id: &String| self.processes(id).iter().any(|line| line.contains("main.py"));
        self.running(label).into_iter().filter(runs).collect()
    }

    /// Kills containers.
    pub fn kill(&self, containers: &[String]) {
        run(self.command().arg("kill").args(containers));
    }

    /// Removes containers.
    pub fn remove(&self, containers: &[String]) {
        if !containers.is_empty() {
            run(self.command().args(["rm", "-f"]).args(containers));
        }
    }

    /// What the engine's client prints.
    pub fn ask(&self, arguments: &[&str]) -> String {
        say(self.command().args(arguments))
    }

    /// What the engine answers, or `None` if it refuses.
    pub fn ask_for(&self, arguments: &[&str]) -> Option<String> {
        let output = run(self.command().args(arguments));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Builds an image out of a Dockerfile alone. What is made of an image with a recipe has its label, and until it has a
    /// name a service that is connected meanwhile takes it for one that was superseded.
    pub fn build(&self, image: &str, dockerfile: &str) {
        let build = || {
            let mut input = tempfile::tempfile().expect("a file");
            input.write_all(dockerfile.as_bytes()).and_then(|()| input.rewind()).expect("a file");
            run(self.command().args(["build", "-q", "-t", image, "-"]).stdin(input))
        };
        let is_pruned = |output: &Output| {
            let text = String::from_utf8_lossy(&output.stderr);
            ["No such image", "unknown parent image ID", "no such file or directory"]
                .iter()
                .any(|told| text.contains(told))
        };
        let mut output = build();
        for _pruned in 0..4 {
            if output.status.success() || !is_pruned(&output) {
                break;
            }
            output = build();
        }
        assert!(output.status.success(), "{image}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.args(["-H", &self.address]);
        command
    }
}
