//! Programs that share no code with the service and obey lines: `tests/peers/`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::engine::{root, say};

/// How long an event may take: a Java machine starts in less, also on a busy computer.
const EVENT: Duration = Duration::from_mins(1);

/// The folder of a Maven project below `tests/peers`, built if a source is newer than the last build that succeeded.
pub fn maven(project: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = root().join("tests/peers").join(project);
    let stamp = folder.join("target/built");
    let built = changed_at(&stamp).unwrap_or(SystemTime::UNIX_EPOCH);
    if newest_source(&folder).is_some_and(|newest| newest > built) {
        // Its time is that of the build's begin: what changes meanwhile is newer.
        let begun = folder.join("target/begun");
        std::fs::create_dir_all(folder.join("target")).expect("a folder");
        std::fs::write(&begun, "").expect("a stamp");
        let mut maven = std::process::Command::new("mvn");
        say(maven.args(["-q", "-B", "package"]).current_dir(&folder).stdin(Stdio::null()));
        std::fs::rename(&begun, &stamp).expect("a stamp");
    }
    folder
}

fn newest_source(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let sources = entries.filter(|path| path.file_name().is_some_and(|name| name != "target"));
    sources.filter_map(|path| if path.is_dir() { newest_source(&path) } else { changed_at(&path) }).max()
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// A program that obeys lines on its standard input and tells what happens in lines on its standard output.
#[derive(Debug)]
pub struct Peer {
    input: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Peer {
    /// Starts it; it ends with this value.
    pub fn start(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Self {
        let mut child = Command::new(program.as_ref())
            .args(arguments)
            // Its lines are UTF-8, also where the machine's settings name no characters.
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `make test` sets it up", program.as_ref().display())
            });
        let output = child.stdout.take().expect("its output");
        let input = child.stdin.take().expect("its input");
        Self { input, events: BufReader::new(output).lines(), child }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it runs"), signal).expect("it takes signals");
    }

    /// Tells it to do something.
    pub async fn obey(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("it listens");
    }

    /// What it tells next.
    pub async fn event(&mut self) -> String {
        let event = tokio::time::timeout(EVENT, self.events.next_line()).await.expect("an event");
        event.expect("text").expect("it goes on")
    }
}
