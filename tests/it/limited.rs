//! A service that may use little memory: a flood is refused, and what was taken is there afterwards.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::{self, Answer, text};
use crate::support::{Client, Options, Role, TestGuichet, exercises, programs, wait_for};

/// What the service may use beyond what it has when it is quiet.
const ROOM_BYTES: u64 = 60 << 20;
/// How long a flood lasts.
const FLOOD: Duration = Duration::from_secs(4);

/// A control group with a limit of memory; removed when dropped.
struct Group {
    folder: PathBuf,
    limit: &'static str,
    usage: &'static str,
}

impl Group {
    fn make() -> Self {
        let of_version_1 = Path::new("/sys/fs/cgroup/memory");
        let (root, limit, usage) = if of_version_1.is_dir() {
            (of_version_1, "memory.limit_in_bytes", "memory.usage_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.max", "memory.current")
        };
        let folder = root.join(format!("guichet-test-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).expect("these tests make control groups: run them as root");
        Self { folder, limit, usage }
    }

    /// Lets what is in it use this much more than now, pages of files left out.
    fn leave(&self, bytes: u64) {
        // Gives pages of files back; only version 1 has it.
        drop(std::fs::write(self.folder.join("memory.force_empty"), "0"));
        let used = std::fs::read_to_string(self.folder.join(self.usage)).expect("a usage");
        let most = used.trim().parse::<u64>().expect("a number") + bytes;
        std::fs::write(self.folder.join(self.limit), most.to_string()).expect("a limit");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let begun = Instant::now();
        // The last process leaves it a moment after its end.
        while std::fs::remove_dir(&self.folder).is_err() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::yield_now();
        }
    }
}

async fn limited(group: &Group) -> TestGuichet {
    let guichet = Options::default().control_group(&group.folder).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    group.leave(ROOM_BYTES);
    assert!(guichet.terminate().await.success());
    guichet.restart().await;
    guichet
}

fn draft(bytes: usize) -> Value {
    let files = json!([{ "path": "main.py", "content": "#".repeat(bytes) }]);
    json!({ "exercise_id": "sum", "runtime": "python", "enqueue": false, "files": files })
}

/// Sends the same until the time is over; the answers.
async fn keep_sending(client: Client, path: &'static str, body: String) -> Vec<Answer> {
    let begun = Instant::now();
    let mut answers = Vec::new();
    while begun.elapsed() < FLOOD {
        let request = client.request(Method::POST, path).header("Content-Type", "application/json");
        answers.push(client::send(request.body(body.clone())).await);
    }
    answers
}

/// Floods the service with batches and single submissions; ids of what it took, with their bytes, and how much it refused.
async fn flood(guichet: &TestGuichet) -> (Vec<(String, usize)>, usize) {
    let mut senders = JoinSet::new();
    for number in 0..60 {
        let client = guichet.client(Role::Backend, &format!("platform-{}", number % 4));
        let bytes = [1 << 20, 300_000, 900_000][number % 3];
        let (path, body) = match number % 3 {
            0 => ("/v1/submissions", draft(bytes)),
            _ => ("/v1/submissions/batch", json!({ "submissions": vec![draft(bytes); 4] })),
        };
        let body = body.to_string();
        senders.spawn(async move { (bytes, keep_sending(client, path, body).await) });
    }
    let (mut taken, mut refused) = (Vec::new(), 0);
    while let Some(sent) = senders.join_next().await {
        let (bytes, answers) = sent.expect("answers");
        for answer in answers {
            if answer.status == 202 {
                let shown = answer.json();
                let items = shown["items"].as_array().cloned().unwrap_or_else(|| vec![shown.clone()]);
                taken.extend(items.iter().map(|item| (text(&item["id"]), bytes)));
            } else {
                assert_eq!(answer.problem(503).0, "overloaded", "{answer:?}");
                assert!(answer.header("retry-after").is_some_and(|seconds| seconds != "0"), "{answer:?}");
                refused += 1;
            }
        }
    }
    (taken, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_under_a_limit_of_memory_is_refused_and_nothing_that_was_taken_is_lost() {
    let group = Group::make();
    let guichet = limited(&group).await;
    let process = guichet.pid();

    let never = json!({ "submissions": vec![draft(1 << 20); 30] });
    let backend = guichet.client(Role::Backend, "platform");
    assert_eq!(backend.post("/v1/submissions/batch", &never).await.problem(413).0, "payload_too_large");

    let mut all = Vec::new();
    for _ in 0..2 {
        let (taken, refused) = flood(&guichet).await;

        assert!(!taken.is_empty() && refused > 0, "{} taken, {refused} refused", taken.len());
        all.extend(taken);
        let stored: i64 = guichet.query("SELECT count(*) FROM submissions WHERE state = 'draft'").await;
        assert_eq!(usize::try_from(stored), Ok(all.len()));
        let admin = guichet.admin();
        for (id, bytes) in all.iter().step_by(all.len() / 20 + 1) {
            let stored = admin.submission(id).await;
            assert_eq!((&stored["state"], &stored["files"][0]["bytes"]), (&json!("draft"), &json!(bytes)));
        }
        let graded = guichet.student("alice").grade("sum", &programs::python_sum()).await;
        assert_eq!(graded["verdict"], "accepted");
    }
    assert_eq!(guichet.pid(), process);
}

#[tokio::test]
async fn streams_beyond_the_memory_for_them_are_refused_and_open_again_later() {
    let group = Group::make();
    let guichet = limited(&group).await;
    let backend = guichet.client(Role::Backend, "platform");
    let open = || backend.request(Method::GET, "/v1/events").send();

    let mut streams = Vec::new();
    let refused = loop {
        let answer = open().await.expect("an answer");
        if answer.status() != 200 || streams.len() == 5000 {
            break answer;
        }
        streams.push(answer);
    };

    assert_eq!(refused.status(), 503, "{} streams", streams.len());
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.text().await.expect("a problem").contains("\"overloaded\""));
    assert_eq!(backend.get("/v1/me").await.status, 200);
    drop(streams);
    let again = async || open().await.expect("an answer").status();
    wait_for("room for a stream", Duration::from_mins(1), again, |status| *status == 200).await;
}
