//! The original system's whole story between real peers: a Java backend on KryoNet, a Java front end on Java-WebSocket,
//! and REST and an event stream that tell the same.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::inbox::{alices, answered, documented, store};
use crate::support::client::{Role, text};
use crate::support::engine::{root, run};
use crate::support::peers::{Peer, maven};
use crate::support::programs::sitter;
use crate::support::{Client, Event, Options, TestGuichet, exercises, wait_for};

/// How long a link may take to tell what it counted.
const PATIENCE: Duration = Duration::from_secs(30);
const CORRECT: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// A backend of the original system.
struct Backend {
    peer: Peer,
    port: u16,
}

impl Backend {
    async fn start() -> Self {
        let jar = maven("kryonet").join("base12/target/backend.jar");
        let peer = Peer::start("java", &["-XX:TieredStopAtLevel=1", "-jar", jar.to_str().unwrap(), "kryo"]);
        let mut backend = Self { peer, port: 0 };
        backend.peer.obey("start 0 -1").await;
        let started = backend.until("started ").await;
        backend.port = started.split(' ').nth(1).and_then(|port| port.parse().ok()).expect("a port");
        backend
    }

    /// A service with a link to it, so many slots, and the tests' exercises.
    async fn guichet(&mut self, slots: usize) -> TestGuichet {
        let port = self.port;
        let settings = format!(
            "[[legacy.backends]]\nhost = '127.0.0.1'\ntcp_port = {port}\ntoken = 'SERVER_TOKEN'\n\
             reconnect_min_ms = 100\n"
        );
        let guichet = Options::default().slots(slots).settings(&settings).start().await;
        guichet.teacher().put_exercise("sum", &exercises::sum()).await;
        guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
        self.greeted().await;
        guichet
    }

    async fn greeted(&mut self) {
        let received = self.until("received ").await;
        assert!(received.ends_with(r#" {"cmd":"HANDSHAKE","TOKEN":"SERVER_TOKEN"}"#), "{received}");
    }

    /// Sends EXERCISE so many times; `#` is the number, from 0.
    async fn ask(&mut self, count: usize, id: &str) {
        self.peer.obey(&format!(r#"send {count} {{"cmd":"EXERCISE","id":"{id}"}}"#)).await;
        self.until("sent ").await;
    }

    async fn until(&mut self, beginning: &str) -> String {
        loop {
            let event = self.peer.event().await;
            if event.starts_with(beginning) {
                return event;
            }
        }
    }
}

/// A front end of the original system, with a user who said who he is.
struct FrontEnd(Peer);

impl FrontEnd {
    async fn open(guichet: &TestGuichet, user: &Client) -> Self {
        let folder = maven("websocket");
        let jar = folder.join("current/target/frontend.jar");
        let url = format!("{}/ws", guichet.url().replace("http://", "ws://"));
        let mut peer = Peer::start("java", &["-XX:TieredStopAtLevel=1", "-jar", jar.to_str().unwrap(), &url]);
        assert_eq!(peer.event().await, "open");
        peer.obey(&format!(r#"send {{"cmd":"AUTH","TOKEN":"{}"}}"#, user.token())).await;
        let mut front_end = Self(peer);
        front_end.is_told(r#"{"cmd":"OK"}"#).await;
        front_end
    }

    async fn is_told(&mut self, packet: &str) {
        assert_eq!(self.0.event().await, format!("text {packet}"));
    }

    async fn is_told_its_place(&mut self, place: u32) {
        let packet = r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":"ex 12/é","place":"#;
        self.is_told(&format!("{packet}\"{place}\"}}")).await;
    }

    async fn is_told_of_a_result(&mut self) {
        self.is_told(r#"{"cmd":"EXERCICE_EXECUTED","id":"ex 12/é"}"#).await;
    }
}

fn database(guichet: &TestGuichet) -> PathBuf {
    guichet.data().join("guichet.sqlite")
}

/// Waits until the link has counted so many enqueued, duplicate, unknown and invalid packets.
async fn counted(guichet: &TestGuichet, counts: [u64; 4]) {
    let admin = guichet.admin();
    let look = async || admin.get("/v1/links").await.expect(200)["items"][0]["exercises"].clone();
    let [enqueued, duplicate, unknown, invalid] = counts;
    let counts =
        json!({ "enqueued": enqueued, "duplicate": duplicate, "unknown": unknown, "invalid": invalid });
    wait_for("the link's counts", PATIENCE, look, |seen: &Value| *seen == counts).await;
}

/// What a stream told, as the original packets would.
fn as_packets(events: &[Event]) -> Vec<String> {
    let tell = |event: &Event| match event.name.as_str() {
        "submission.queued" | "queue.position" => Some(format!("place {}", event.json()["position"])),
        "submission.finished" => Some("executed".to_owned()),
        _ => None,
    };
    events.iter().filter_map(tell).collect()
}

#[tokio::test]
async fn backend_front_end_stream_and_rest_see_the_same_story() {
    let mut backend = Backend::start().await;
    let guichet = backend.guichet(1).await;
    let (alice, admin) = (guichet.student("alice"), guichet.admin());
    let mut front_end = FrontEnd::open(&guichet, &alice).await;
    let running = guichet.student("carol").submit("patient", &sitter()).await;
    admin.wait_for_state(&running, &["running"]).await;
    let ahead = guichet.student("bob").submit("patient", &sitter()).await;

    // A draft in a language that nobody has, then a good one, asked for twice.
    let mut draft = alices(&json!("ex 12/é"), CORRECT);
    draft["runtime"] = json!("cobol");
    store(&database(&guichet), &draft);
    backend.ask(1, "ex 12/é").await;
    front_end
        .is_told(r#"{"cmd":"ERROR","error_code":"500","target":"EXERCICE","target_id":"ex 12/é"}"#)
        .await;
    store(&database(&guichet), &alices(&json!("ex 12/é"), CORRECT));
    backend.ask(2, "ex 12/é").await;
    front_end.is_told_its_place(2).await;
    counted(&guichet, [1, 1, 0, 1]).await;

    let listed = alice.get("/v1/submissions?legacy_id=ex%2012/%C3%A9").await.expect(200);
    let id = text(&listed["items"][0]["id"]);
    let mut stream = alice.events(&id).await;
    stream.until_named("submission.queued").await;
    admin.cancel(&running).await.expect(200);
    front_end.is_told_its_place(1).await;
    stream.until(|event| event.json()["position"] == 1).await;
    admin.cancel(&ahead).await.expect(200);
    front_end.is_told_of_a_result().await;

    assert_eq!(as_packets(&stream.into_end().await), ["place 2", "place 1", "executed"]);
    let shown = alice.submission(&id).await;
    assert_eq!((&shown["state"], &shown["result"]["verdict"]), (&json!("finished"), &json!("accepted")));

    // The same again is nothing; other files are a new round.
    backend.ask(1, "ex 12/é").await;
    counted(&guichet, [1, 2, 0, 1]).await;
    store(&database(&guichet), &alices(&json!("ex 12/é"), "print(4)"));
    backend.ask(1, "ex 12/é").await;
    front_end.is_told_its_place(1).await;
    front_end.is_told_of_a_result().await;
    let shown = alice.submission(&id).await;
    assert_eq!((&shown["round"], &shown["result"]["verdict"]), (&json!(2), &json!("wrong_answer")));
    let told = as_packets(&alice.events(&id).await.into_end().await);
    assert_eq!(told, ["place 2", "executed", "place 1", "executed"]);
}

#[tokio::test]
async fn what_a_backend_asks_for_is_graded_once_though_the_service_dies() {
    const DRAFTS: usize = 20;
    let mut backend = Backend::start().await;
    let guichet = backend.guichet(2).await;
    let [settings, statements, ..] = documented();
    let mut blocks = vec![json!([settings, {}])];
    blocks.extend((0..DRAFTS).map(|id| json!([statements, alices(&json!(id), CORRECT)])));
    answered(&database(&guichet), &json!(blocks)).expect("drafts");

    backend.ask(DRAFTS, "#").await;
    let admin = guichet.admin();
    let link = async || admin.get("/v1/links").await.expect(200)["items"][0].clone();
    let has_begun = |link: &Value| link["exercises"]["enqueued"].as_u64() > Some(0);
    wait_for("a first draft in the queue", PATIENCE, link, has_begun).await;
    guichet.kill();
    guichet.restart().await;
    backend.greeted().await;
    backend.ask(DRAFTS, "#").await;
    backend.ask(DRAFTS, "#").await;

    let alice = guichet.student("alice");
    let listed = async || alice.get("/v1/submissions?limit=100").await.expect(200)["items"].clone();
    let all_ended = |items: &Value| {
        let ended = items.as_array().into_iter().flatten().filter(|item| item["state"] == "finished");
        ended.count() == DRAFTS
    };
    let items = wait_for("all results", 4 * PATIENCE, listed, all_ended).await;
    assert_eq!(items.as_array().map(Vec::len), Some(DRAFTS));
    for item in items.as_array().into_iter().flatten() {
        let log = alice.events(&text(&item["id"])).await.into_end().await;
        let times = |name: &str| log.iter().filter(|event| event.name == name).count();
        assert_eq!((times("submission.queued"), times("submission.finished")), (1, 1), "{log:?}");
        assert_eq!((&item["round"], &item["result"]["verdict"]), (&json!(1), &json!("accepted")));
    }
    let held: i64 = guichet.query("SELECT count(*) FROM legacy_drafts").await;
    assert_eq!(held, 0);
}

/// A service that dies at a named point of taking a draft in, and what is left then: the place of the death decides
/// whether the same packet is news after the restart.
#[cfg(feature = "failpoints")]
async fn dies_at(point: &str, counts_after: [u64; 4]) {
    let mut backend = Backend::start().await;
    let guichet = backend.guichet(1).await;
    store(&database(&guichet), &alices(&json!(7), CORRECT));
    assert!(guichet.terminate().await.success());
    guichet.set_env("FAILPOINTS", &format!("{point}=return"));
    guichet.restart().await;
    backend.greeted().await;

    backend.ask(1, "7").await;
    let status = guichet.ended(PATIENCE).await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    guichet.set_env("FAILPOINTS", "");
    guichet.restart().await;
    backend.greeted().await;
    backend.ask(1, "7").await;

    counted(&guichet, counts_after).await;
    let alice = guichet.student("alice");
    let listed = alice.get("/v1/submissions?legacy_id=7").await.expect(200)["items"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let id = text(&listed[0]["id"]);
    assert_eq!(alice.result(&id).await["verdict"], "accepted");
    assert_eq!(as_packets(&alice.events(&id).await.into_end().await), ["place 1", "executed"]);
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_death_before_the_commit_leaves_the_draft_in_the_inbox() {
    dies_at("draft_checked", [1, 0, 0, 0]).await;
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_death_after_the_commit_leaves_the_submission_queued() {
    dies_at("draft_queued", [0, 1, 0, 0]).await;
}

#[tokio::test]
async fn a_draft_stored_as_the_manual_says_is_run() {
    let mut backend = Backend::start().await;
    let guichet = backend.guichet(1).await;
    let manual = std::fs::read_to_string(root().join("docs/legacy.md")).expect("the manual");
    let request =
        manual.split("```sh\n").nth(1).and_then(|text| text.split("```").next()).expect("a request");
    let platform = guichet.token(Role::Backend, "platform");
    let script = format!("base={}\nbackend={platform}\n{request}", guichet.url());

    let mut bash = guichet.command_of("bash", &["-euo", "pipefail", "-c", &script]);
    let output = tokio::task::spawn_blocking(move || run(&mut bash)).await.expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    backend.ask(1, "1234").await;

    counted(&guichet, [1, 0, 0, 0]).await;
    let stored: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(guichet.student("alice").result(&text(&stored["id"])).await["verdict"], "accepted");
}
