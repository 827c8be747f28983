//! Real front ends: Java clients of two ages, Python, and a browser. Each sees the same.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use guichet::domain::verdict::Verdict;
use guichet::http;
use guichet::legacy::websocket::Patience;
use guichet::shutdown::Tasks;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use super::lounge::{Lounge, OK, Plan, ask, executed, place, refused};
use crate::support::browser::browse;
use crate::support::engine::root;
use crate::support::peers::{Peer, maven};

/// How long a browser may take to start.
const START: Duration = Duration::from_mins(1);
/// Pings both ways come several times in it.
const PINGS: Duration = Duration::from_secs(10);

/// A lounge that drops who does not answer its pings.
async fn lounge(origins: Vec<String>) -> Lounge {
    let patience =
        Patience { ping: Duration::from_millis(500), mute: Duration::from_secs(3), ..Patience::default() };
    Lounge::of(Plan { patience, origins, ..Plan::default() }).await
}

fn url(lounge: &Lounge) -> String {
    format!("ws://{}/ws", lounge.address)
}

/// One that obeys lines and tells what happens.
enum FrontEnd {
    Program(Box<Peer>),
    Page(Page),
}

impl FrontEnd {
    async fn obey(&mut self, line: &str) {
        match self {
            Self::Program(peer) => peer.obey(line).await,
            Self::Page(page) => page.commands.send(line.to_owned()).await.unwrap(),
        }
    }

    async fn event(&mut self) -> String {
        match self {
            Self::Program(peer) => peer.event().await,
            Self::Page(page) => {
                tokio::time::timeout(START, page.events.recv()).await.expect("an event").expect("an event")
            }
        }
    }

    async fn auth(&mut self, token: &str) {
        self.obey(&format!(r#"send {{"cmd":"AUTH","TOKEN":"{token}"}}"#)).await;
    }

    async fn expect(&mut self, text: &str) {
        assert_eq!(self.event().await, format!("text {text}"));
    }
}

/// From a wrong token over falling places to the result; then both sides' closes.
async fn lives_a_whole_story(lounge: &Lounge, front_end: &mut FrontEnd) {
    assert_eq!(front_end.event().await, "open");
    front_end.auth("guess").await;
    front_end.expect(&refused()).await;
    lounge.queue("bob", "1").await;
    lounge.queue("bob", "2").await;
    lounge.queue("alice", "élève 12").await;
    front_end.auth(&lounge.token("alice")).await;
    front_end.expect(OK).await;
    front_end.expect(&place("élève 12", 2)).await;

    let before = lounge.start().await;
    front_end.expect(&place("élève 12", 1)).await;
    front_end.obey(&format!("send {}", ask("élève 12"))).await;
    front_end.expect(&place("élève 12", 1)).await;
    front_end.expect(OK).await;
    let lease = lounge.start().await;
    lounge.finish(&lease, Verdict::Accepted).await;
    front_end.expect(&executed("élève 12")).await;

    tokio::time::timeout(PINGS, front_end.event()).await.expect_err("it stays");
    front_end.obey(&format!("send {}", ask("élève 12"))).await;
    front_end.expect(OK).await;
    front_end.obey("close 4001").await;
    assert_eq!(front_end.event().await, "closed 4001");
    let last = lounge.start().await;
    for lease in [before, last] {
        lounge.finish(&lease, Verdict::Accepted).await;
    }
}

async fn reads_why_it_is_closed(front_end: &mut FrontEnd) {
    assert_eq!(front_end.event().await, "open");
    for _ in 0..5 {
        front_end.auth("guess").await;
        front_end.expect(&refused()).await;
    }
    assert_eq!(front_end.event().await, "closed 1008");
}

async fn hears_the_service_stop(lounge: &Lounge, front_end: &mut FrontEnd) {
    assert_eq!(front_end.event().await, "open");
    front_end.auth(&lounge.token("alice")).await;
    front_end.expect(OK).await;

    lounge.house.tasks.stop_softly();

    assert_eq!(front_end.event().await, "closed 1001");
}

/// What every program must see.
async fn is_served_well(start: impl Fn(&str) -> Peer) {
    let lounge = lounge(Vec::new()).await;
    let start = || FrontEnd::Program(Box::new(start(&url(&lounge))));
    let (mut one, mut guesser) = (start(), start());
    tokio::join!(lives_a_whole_story(&lounge, &mut one), reads_why_it_is_closed(&mut guesser));
    hears_the_service_stop(&lounge, &mut start()).await;
}

fn java(version: &str, url: &str) -> Peer {
    let jar = maven("websocket").join(version).join("target/frontend.jar");
    Peer::start("java", &["-XX:TieredStopAtLevel=1", "-jar", jar.to_str().unwrap(), url])
}

#[tokio::test]
async fn a_java_client_of_today_is_served_well() {
    is_served_well(|url| java("current", url)).await;
}

#[tokio::test]
async fn a_java_client_of_the_original_system_s_time_is_served_well() {
    is_served_well(|url| java("old", url)).await;
}

#[tokio::test]
async fn a_python_client_is_served_well() {
    let python = root().join(".guichet/venv/bin/python");
    let client = root().join("tests/peers/websocket/client.py");

    is_served_well(|url| Peer::start(&python, &[client.to_str().unwrap(), url])).await;
}

/// A page in a browser, on a server of its own.
struct Page {
    commands: mpsc::Sender<String>,
    events: mpsc::Receiver<String>,
    origin: String,
}

impl Page {
    async fn serve(tasks: &Tasks) -> Self {
        let (commands, to_obey) = mpsc::channel(16);
        let (told, events) = mpsc::channel(64);
        let to_obey = Arc::new(Mutex::new(to_obey));
        let page = std::fs::read_to_string(root().join("tests/peers/websocket/page.html")).unwrap();
        let command = move || async move {
            let next: Option<String> = to_obey.lock().await.recv().await;
            next.ok_or(axum::http::StatusCode::GONE)
        };
        let tell = move |event: String| async move { told.send(event).await.unwrap() };
        let router = Router::new()
            .route("/", get(move || async { Html(page) }))
            .route("/command", get(command))
            .route("/told", post(tell));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tasks.start(http::serve(listener, router, tasks.hard().clone()));
        Self { commands, events, origin }
    }

    fn address(&self, lounge: &Lounge) -> String {
        format!("{}/?url={}", self.origin, url(lounge))
    }
}

#[tokio::test]
async fn a_page_of_a_listed_origin_is_served_well_and_one_of_another_can_not_connect() {
    let servers = Tasks::default();
    let (school, evil) = (Page::serve(&servers).await, Page::serve(&servers).await);
    let lounge = lounge(vec![school.origin.clone()]).await;
    let frames = format!(
        r#"<iframe src="{}"></iframe><iframe src="{}"></iframe>"#,
        school.address(&lounge),
        evil.address(&lounge)
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let both = Router::new().route("/", get(move || async { Html(frames) }));
    servers.start(http::serve(listener, both, servers.hard().clone()));
    let profile = tempfile::tempdir().unwrap();

    let mut browser = browse(&address, profile.path());

    let (mut school, mut evil) = (FrontEnd::Page(school), FrontEnd::Page(evil));
    lives_a_whole_story(&lounge, &mut school).await;
    assert_eq!(evil.event().await, "closed 1006");
    browser.kill().await.unwrap();
    servers.stop_hard();
}
