//! The Docker engine that benches share with tests, by its command line: what is measured goes another way.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Address of the engine; `make bench` starts one and names it.
#[expect(clippy::disallowed_methods, reason = "the engine is named by the environment")]
pub fn address() -> String {
    std::env::var("GUICHET_TEST_DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

/// The agent's program.
#[expect(clippy::disallowed_methods, reason = "the agent's place is named by the environment")]
pub fn agent_path() -> PathBuf {
    let built = || format!("{}/target/agent/guichet-agent", env!("CARGO_MANIFEST_DIR"));
    let path = PathBuf::from(std::env::var("GUICHET_EXECUTION__AGENT_PATH").unwrap_or_else(|_| built()));
    assert!(path.exists(), "{} is missing; `make agent` builds it", path.display());
    path
}

/// What `runtimes/<id>/runtime.toml` says.
pub fn runtime(id: &str) -> guichet::domain::runtime::Runtime {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runtimes").join(id).join("runtime.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// `docker` on the engine.
pub fn docker() -> Command {
    let mut command = Command::new("docker");
    command.args(["-H", &address()]).stdin(Stdio::null());
    command
}

/// What the command writes to its standard output.
pub fn output(command: &mut Command) -> String {
    let done = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "{command:?} failed; `make bench` sets up what it needs");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Unpacks an image's files into a new folder of `parent`: the same program without a container.
pub fn unpack(image: &str, parent: &Path) -> PathBuf {
    let root = parent.join(image.replace([':', '/'], "-"));
    std::fs::create_dir(&root).unwrap();
    let container = output(docker().args(["create", image, "/none"]));
    let mut export = docker().args(["export", &container]).stdout(Stdio::piped()).spawn().unwrap();
    let archive = export.stdout.take().unwrap();
    let unpacked = Command::new("tar").args(["-x", "-C"]).arg(&root).stdin(archive).status().unwrap();
    assert!(unpacked.success() && export.wait().unwrap().success(), "cannot unpack {image}");
    output(docker().args(["rm", &container]));
    std::fs::create_dir_all(root.join("w")).unwrap();
    root
}
