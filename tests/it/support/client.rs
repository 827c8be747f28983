//! A client of the REST API.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::programs::Program;
use super::stream::EventStream;
use super::wait::wait_for;

/// How long one submission may take, with a full queue before it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Who a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Student,
    Teacher,
    Backend,
    Admin,
}

impl Role {
    /// As `guichet token --role` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Teacher => "teacher",
            Self::Backend => "backend",
            Self::Admin => "admin",
        }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON, if the status is this one.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// Code and pointers of a problem with that status.
    pub fn problem(&self, status: u16) -> (String, Vec<String>) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let pointers = errors.iter().map(|error| text(&error["pointer"])).collect();
        (text(&problem["code"]), pointers)
    }
}

/// The text in a JSON string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// One user.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// A client of the service at `base`.
    pub fn new(base: &str, token: &str) -> Self {
        let http =
            reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build().expect("a client");
        Self { http, base: base.to_owned(), token: token.to_owned() }
    }

    /// Its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request with its token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// A request without any token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// A `POST` without a body.
    pub async fn act(&self, path: &str) -> Answer {
        send(self.request(Method::POST, path)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// Stores an exercise.
    pub async fn put_exercise(&self, id: &str, exercise: &Value) {
        let answer = self.put(&format!("/v1/exercises/{id}"), exercise).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    /// Submits a program for an exercise and answers the id.
    pub async fn submit(&self, exercise: &str, program: &Program) -> String {
        let mut body = program.body();
        body["exercise_id"] = json!(exercise);
        self.submit_body(&body).await
    }

    /// Submits a program for an exercise where that is to be refused.
    pub async fn submit_refused(&self, exercise: &str, program: &Program) -> Answer {
        let mut body = program.body();
        body["exercise_id"] = json!(exercise);
        self.post("/v1/submissions", &body).await
    }

    /// Submits a program to be run only.
    pub async fn run(&self, program: &Program, stdin: &str, args: &[&str]) -> String {
        let mut body = program.body();
        body["run"] = json!({ "stdin": stdin, "args": args });
        self.submit_body(&body).await
    }

    /// Submits what `body` says and answers the id.
    pub async fn submit_body(&self, body: &Value) -> String {
        text(&self.post("/v1/submissions", body).await.expect(202)["id"])
    }

    /// A submission as it is now.
    pub async fn submission(&self, id: &str) -> Value {
        self.get(&format!("/v1/submissions/{id}")).await.expect(200)
    }

    /// Waits for one of these states.
    pub async fn wait_for_state(&self, id: &str, states: &[&str]) -> Value {
        let look = || self.submission(id);
        let what = format!("{id} to be {states:?}");
        wait_for(&what, PATIENCE, look, |seen| states.iter().any(|state| seen["state"] == *state)).await
    }

    /// Waits until some submission runs: what ran in containers before were the service's own check programs.
    pub async fn wait_for_a_run(&self) {
        let queue = || async { self.get("/v1/queue").await.expect(200) };
        wait_for("a run", PATIENCE, queue, |queue| queue["running"].as_u64() > Some(0)).await;
    }

    /// The submission once it ended.
    pub async fn ended(&self, id: &str) -> Value {
        self.wait_for_state(id, &["finished", "failed", "cancelled"]).await
    }

    /// The result of a submission once it finished.
    pub async fn result(&self, id: &str) -> Value {
        let ended = self.ended(id).await;
        assert_eq!(ended["state"], "finished", "{ended}");
        ended["result"].clone()
    }

    /// Submits and waits for the result.
    pub async fn grade(&self, exercise: &str, program: &Program) -> Value {
        let id = self.submit(exercise, program).await;
        self.result(&id).await
    }

    /// Runs and waits for the report.
    pub async fn run_report(&self, program: &Program, stdin: &str, args: &[&str]) -> Value {
        let id = self.run(program, stdin, args).await;
        self.result(&id).await["tests"][0].clone()
    }

    /// Asks to cancel.
    pub async fn cancel(&self, id: &str) -> Answer {
        self.act(&format!("/v1/submissions/{id}/cancel")).await
    }

    /// The events of one submission, from the start.
    pub async fn events(&self, id: &str) -> EventStream {
        EventStream::open(self.request(Method::GET, &events_path(id))).await
    }

    /// The events of one submission behind an id.
    pub async fn events_after(&self, id: &str, last: &str) -> EventStream {
        EventStream::open(self.request(Method::GET, &events_path(id)).header("Last-Event-ID", last)).await
    }

    /// The events of all submissions of this client.
    pub async fn own_events(&self) -> EventStream {
        EventStream::open(self.request(Method::GET, "/v1/events")).await
    }

    /// The same, behind an id.
    pub async fn own_events_after(&self, last: &str) -> EventStream {
        EventStream::open(self.request(Method::GET, "/v1/events").header("Last-Event-ID", last)).await
    }
}

/// Where the events of a submission are.
pub fn events_path(id: &str) -> String {
    format!("/v1/submissions/{id}/events")
}

/// Sends a request and reads the answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.expect("a body") }
}
