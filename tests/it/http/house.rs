//! The whole API in this process over a real database, without engine and scheduler: what is queued stays queued until
//! a test runs it by hand.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use guichet::app::hosts::{self, Hosts};
use guichet::app::links::Links;
use guichet::app::{self, App, Budget, Caller, Role};
use guichet::auth::{AuthSettings, Keys, Verifier, generate_key_if_missing, mint};
use guichet::clock::Clock;
use guichet::domain::history::History;
use guichet::domain::host::{HostMode, HostSettings, HostSource};
use guichet::domain::lease::Lease;
use guichet::domain::pace::{Observed, Pace};
use guichet::domain::time::Timestamp;
use guichet::domain::verdict::SubmissionResult;
use guichet::feed::Feed;
use guichet::http::origin::PublicUrl;
use guichet::http::{HttpSettings, HttpState, router};
use guichet::legacy::kryonet;
use guichet::pool::{self, Pool};
use guichet::runtimes;
use guichet::shutdown::Tasks;
use guichet::storage::sqlite::{Options, SqliteStorage};
use guichet::storage::{Ending, QueueCaps, Runnable, Storage as _, Store};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

/// How long a token of a test lives.
pub const TOKEN_TTL: Duration = Duration::from_hours(1);

/// What differs between houses.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How much may wait.
    pub caps: QueueCaps,
    /// Requests of one student at once; one more each second.
    pub burst: u32,
    /// Memory for requests and streams.
    pub memory_bytes: u64,
    /// Origins of pages.
    pub cors_origins: Vec<String>,
    /// What browsers write before its paths.
    pub public_url: Option<PublicUrl>,
    /// Original backends.
    pub backends: Vec<kryonet::Settings>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            caps: QueueCaps { total: 1000, per_owner: 500, drafts_per_owner: 100 },
            burst: 10_000,
            memory_bytes: 1 << 30,
            cors_origins: Vec::new(),
            public_url: None,
            backends: Vec::new(),
        }
    }
}

/// The API and what stands behind it.
pub struct House {
    pub router: Router,
    pub app: App,
    pub feed: Feed,
    pub verifier: Arc<Verifier>,
    pub storage: Store,
    pub tasks: Tasks,
    pub clock: Clock,
    pub links: kryonet::Running,
    pub noted: watch::Sender<History>,
    key: PathBuf,
    _pace: watch::Sender<Pace>,
    folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().expect("text")
    }

    /// Status, code and the pointers of what is wrong.
    pub fn problem(&self) -> (u16, String, Vec<String>) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        let errors = body["errors"].as_array().expect("a list").iter();
        let pointers =
            errors.map(|error| format!("{} {}", text(&error["in"]), text(&error["pointer"]))).collect();
        (self.status.as_u16(), text(&body["code"]), pointers)
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A request in the making.
#[derive(Debug)]
pub struct Call<'a> {
    house: &'a House,
    request: axum::http::request::Builder,
    body: Body,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}

impl Call<'_> {
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.raw(serde_json::to_vec(body).expect("JSON"))
    }

    pub fn raw(self, body: Vec<u8>) -> Self {
        self.of("application/json", body)
    }

    pub fn of(self, kind: &str, body: Vec<u8>) -> Self {
        let request = self.request.header(header::CONTENT_TYPE, kind);
        Self { request, body: Body::from(body), ..self }
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = Body::from(body.to_owned());
        self
    }

    pub async fn answer(self) -> axum::response::Response {
        let request = self.request.body(self.body).expect("a request");
        self.house.router.clone().oneshot(request).await.expect("an answer")
    }

    pub async fn send(self) -> Answer {
        let response = self.answer().await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a whole body");
        Answer { status: parts.status, headers: parts.headers, bytes: bytes.to_vec() }
    }
}

impl House {
    pub async fn build() -> Self {
        Self::of(Plan::default()).await
    }

    pub async fn of(plan: Plan) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tasks = Tasks::default();
        let options = Options { path: folder.path().join("guichet.sqlite"), migrate: true };
        let storage: Store = SqliteStorage::open(options, tasks.tracker()).await.expect("a database");
        let installation = storage.installation().await.expect("an installation");
        let languages = Arc::new(
            runtimes::load(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runtimes")).expect("runtimes"),
        );
        let clock = Clock::System;
        let noted = watch::Sender::new(History::begin(clock.now()));
        let (pace_sender, pace) = watch::channel(Pace::of(known_pace()));
        let feed = Feed::start(storage.clone(), pace.clone(), &tasks);
        let settings = no_engine(installation.id, nowhere(&storage, clock.now()).await);
        let pool = Pool::start(settings, languages.clone(), tasks.tracker(), tasks.hard().clone());
        let mut board = Links::default();
        let links = kryonet::Prepared::read(&plan.backends, &clock, &mut board).expect("tokens");
        let hosts = changes_of_hosts(&storage, &pool, &clock, &tasks);
        let app = App::new(app::Inner {
            storage: storage.clone(),
            feed: feed.clone(),
            pool,
            runtimes: languages,
            pace,
            history: noted.subscribe(),
            caps: plan.caps,
            budget: Budget::new(plan.memory_bytes),
            clock: clock.clone(),
            installation,
            links: board,
            hosts,
            stopping: tasks.soft().clone(),
        });
        let links = links.start(&app, &tasks);
        let key = folder.path().join("key");
        generate_key_if_missing(&key).expect("a key");
        let verifier = Verifier::new(Keys::from_generated(&key).expect("a key"), &AuthSettings::default());
        let settings = http_settings(plan);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let verifier = Arc::new(verifier);
        let state = HttpState::new(app.clone(), verifier.clone(), metrics, &tasks, settings);
        let router = router(state);
        Self {
            router,
            app,
            feed,
            verifier,
            storage,
            tasks,
            clock,
            links,
            noted,
            key,
            _pace: pace_sender,
            folder,
        }
    }

    /// The file of its database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("guichet.sqlite")
    }

    pub fn token(&self, subject: &str, role: Role) -> String {
        self.token_for(subject, role, TOKEN_TTL)
    }

    pub fn token_for(&self, subject: &str, role: Role, ttl: Duration) -> String {
        let caller = Caller { subject: subject.parse().expect("a subject"), role };
        mint(&self.key, &AuthSettings::default(), &caller, ttl, self.clock.now()).expect("a token")
    }

    /// A token that was over an hour ago.
    pub fn expired_token(&self, subject: &str, role: Role) -> String {
        let caller = Caller { subject: subject.parse().expect("a subject"), role };
        let then = Timestamp::from_millis(self.clock.now().millis() - 7_200_000);
        mint(&self.key, &AuthSettings::default(), &caller, TOKEN_TTL, then).expect("a token")
    }

    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(path);
        Call { house: self, request, body: Body::empty() }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    /// Stores the exercise `sum`: one public and one hidden test.
    pub async fn with_sum(&self) -> &Self {
        let teacher = self.token("tina", Role::Teacher);
        let answer = self.put("/v1/exercises/sum").token(&teacher).json(&sum()).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        self
    }

    /// Submits as `subject`, and answers the id.
    pub async fn submit(&self, subject: &str) -> String {
        let token = self.token(subject, Role::Student);
        let answer = self.post("/v1/submissions").token(&token).json(&solution()).send().await;
        assert_eq!(answer.status, 202, "{answer:?}");
        text(&answer.json()["id"])
    }

    /// Leases the next submission.
    pub async fn lease(&self) -> Lease {
        let runnable = |id: &str| Runnable { runtime: id.parse().expect("an id"), companions: Vec::new() };
        let runnable = ["python", "c"].map(runnable);
        let now = self.clock.now();
        let worker = "worker".parse().expect("a name");
        let leased = self.storage.lease_next(&worker, &runnable, now, now.plus(TOKEN_TTL)).await;
        leased.expect("a database").expect("something queued").work.lease
    }

    /// Ends a leased submission with this result.
    pub async fn finish(&self, lease: &Lease, result: SubmissionResult) {
        let ending = Ending::Finished(Box::new(result));
        let _held =
            self.storage.finish(lease, Vec::new(), ending, self.clock.now()).await.expect("a database");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.tasks.stop_hard();
    }
}

/// As if two slots had just run ten submissions.
fn known_pace() -> Observed {
    let ready = ["python", "c"].map(|runtime| runtime.parse().expect("a runtime")).into();
    Observed { slots: 2, ready, ended_ms: vec![1000; 10], ..Observed::default() }
}

/// Hosts that cannot be reached, as the database remembers them.
async fn nowhere(storage: &Store, now: Timestamp) -> Vec<HostSettings> {
    let configured = HostSettings {
        name: "host-1".parse().expect("a name"),
        url: "unix:///nonexistent/docker.sock".to_owned(),
        certs: None,
        slots: None,
        source: HostSource::Config,
        mode: HostMode::Active,
        created_at: now,
    };
    storage.remember_hosts(vec![configured]).await.expect("a database")
}

fn changes_of_hosts(storage: &Store, pool: &Pool, clock: &Clock, tasks: &Tasks) -> Hosts {
    let parts = hosts::Parts {
        storage: storage.clone(),
        pool: pool.clone(),
        clock: clock.clone(),
        configured: Vec::new(),
        certs_dir: PathBuf::from("/nonexistent/certs"),
    };
    Hosts::start(parts, tasks.tracker(), tasks.hard().clone())
}

fn http_settings(plan: Plan) -> HttpSettings {
    HttpSettings {
        cors_origins: plan.cors_origins,
        public_url: plan.public_url,
        requests_per_second: NonZeroU32::MIN,
        burst: NonZeroU32::new(plan.burst).expect("a burst"),
    }
}

fn no_engine(installation: uuid::Uuid, hosts: Vec<HostSettings>) -> pool::Settings {
    pool::Settings {
        oci_runtimes: std::collections::BTreeMap::new(),
        hosts,
        certs_dir: PathBuf::new(),
        slots: Some(2),
        agent_path: PathBuf::from("/nonexistent/guichet-agent"),
        installation,
        folder: uuid::Uuid::new_v4(),
        instance: uuid::Uuid::new_v4(),
        recipes: std::collections::BTreeMap::new(),
        canaries: std::collections::BTreeMap::new(),
        warm_per_runtime: 1,
        submissions_per_container: std::num::NonZeroU32::MAX,
        sockets: None,
    }
}

/// The exercise `sum`.
pub fn sum() -> Value {
    serde_json::json!({
        "title": "Sum", "statement": "Read two integers, print their sum.", "kind": "stdio",
        "runtimes": ["python", "c"], "starter_files": [], "priority": "normal", "isolation": "reset",
        "limits": { "cpu_time_ms": 1000, "wall_time_ms": 3000, "memory_bytes": 268_435_456,
                    "output_bytes": 65536, "processes": 16 },
        "limits_by_runtime": { "python": { "cpu_time_ms": 3000 } },
        "compile_limits": { "cpu_time_ms": 10000, "wall_time_ms": 30000, "memory_bytes": 536_870_912 },
        "checker": { "type": "tokens", "case_sensitive": true, "float_tolerance": null },
        "stop_on_first_failure": false, "groups": [],
        "tests": [
            { "name": "small", "args": [], "stdin": "1 2\n", "expected": "3\n", "visibility": "public", "weight": 1 },
            { "name": "big", "args": [], "stdin": "40 2\n", "expected": "42\n", "visibility": "hidden", "weight": 3 },
        ],
    })
}

/// A program for it.
pub fn solution() -> Value {
    serde_json::json!({
        "exercise_id": "sum", "runtime": "python",
        "files": [{ "path": "main.py", "content": "a,b=map(int,input().split())\nprint(a+b)\n" }],
        "metadata": { "lesson": 4 },
    })
}
