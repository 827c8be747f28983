//! What the disk has when a client is told: the system calls of the true program, as strace sees them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use serde_json::json;

use crate::support::{Program, TestGuichet, exercises, programs, wait_for};

/// How long a sync takes by a delay that strace adds, in microseconds: long beside what else happens.
const SYNC_MICROS: u32 = 2_000_000;

/// The system calls of a service that write and sync, from now on.
struct Trace {
    strace: Child,
    file: PathBuf,
}

impl Trace {
    async fn of(guichet: &TestGuichet) -> Self {
        let file = guichet.folder().join("trace");
        let strace = Command::new("strace")
            .args(["-f", "-y", "-s", "100000", "-e", "trace=pwrite64,fsync,fdatasync,write,writev,sendto"])
            .args(["-e", &format!("inject=fsync,fdatasync:delay_enter={SYNC_MICROS}")])
            .args(["-p", &guichet.pid().to_string(), "-o", file.to_str().unwrap()])
            .stderr(Stdio::null())
            .spawn()
            .expect("strace, which scripts/setup.sh installs");
        let status = format!("/proc/{}/status", guichet.pid());
        let tracer = format!("TracerPid:\t{}\n", strace.id());
        let look = || async { std::fs::read_to_string(&status).expect("the service runs") };
        wait_for("strace", Duration::from_mins(1), look, |status| status.contains(&tracer)).await;
        Self { strace, file }
    }

    /// What was seen, a line for each beginning and end of a call.
    fn end(mut self) -> Vec<String> {
        kill_process(Pid::from_child(&self.strace), Signal::INT).expect("strace runs");
        self.strace.wait().expect("strace ends");
        let text = std::fs::read(&self.file).expect("the trace");
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}

/// The lines at which the write-ahead log is written, at which its sync begins and at which it has ended.
struct Log {
    written: Vec<usize>,
    sync_begun: Vec<usize>,
    synced: Vec<usize>,
}

impl Log {
    fn of(lines: &[String]) -> Self {
        let at = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
            lines.iter().enumerate().filter(|(_, line)| is(line)).map(|(index, _)| index).collect()
        };
        Self {
            written: at(&|line| line.contains("pwrite64(") && line.contains(".sqlite-wal>")),
            sync_begun: at(&|line| line.contains("sync(") && line.contains(".sqlite-wal>")),
            synced: at(&|line| line.contains("sync") && line.contains(" = 0")),
        }
    }

    /// The line at which the disk has what was written last before a line.
    fn has_what_was_written_before(&self, line: usize) -> usize {
        let written = *self.written.iter().rfind(|at| **at < line).expect("something was written before");
        let begun = *self.sync_begun.iter().find(|at| **at > written).expect("it is synced");
        *self.synced.iter().find(|at| **at >= begun).expect("the sync ends")
    }
}

fn position(lines: &[String], what: &str) -> usize {
    let sent = |line: &String| line.contains(what) && !line.contains(".sqlite") && !line.contains("/log>");
    lines.iter().position(sent).unwrap_or_else(|| panic!("{what} was not sent"))
}

#[tokio::test]
async fn a_submission_is_answered_when_the_disk_has_it() {
    let guichet = TestGuichet::start().await;
    // Nothing else is written meanwhile.
    let hosts = guichet.admin().get("/v1/hosts").await.expect(200);
    let host = hosts["items"][0]["links"]["self"].as_str().expect("a host").to_owned();
    guichet.admin().patch(&host, &json!({ "mode": "cordoned" })).await.expect(200);
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");

    let trace = Trace::of(&guichet).await;
    let id = alice.submit("sum", &programs::python_sum()).await;
    let lines = trace.end();

    let answered = position(&lines, "HTTP/1.1 202");
    assert!(Log::of(&lines).has_what_was_written_before(answered) < answered, "{lines:#?}");
    alice.cancel(&id).await.expect(200);
}

#[tokio::test]
async fn a_program_starts_while_the_disk_gets_its_lease_and_its_end_is_told_when_the_disk_has_it() {
    let guichet = TestGuichet::start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");
    let mut events = alice.own_events().await;
    let program = Program::python("# the program that starts\nprint(sum(map(int, input().split())))");

    let trace = Trace::of(&guichet).await;
    let id = alice.submit("sum", &program).await;
    events.until_named("submission.finished").await;
    let lines = trace.end();

    let log = Log::of(&lines);
    let started = position(&lines, "the program that starts");
    let synced = log.has_what_was_written_before(started);
    assert!(started < synced, "{id} waited for the disk: {lines:#?}");
    let finished = position(&lines, "submission.finished");
    let synced = log.has_what_was_written_before(finished);
    assert!(synced < finished, "the end of {id} was told before the disk had it: {lines:#?}");
}
