//! Who gets in: every operation of the document, with and without what it wants.

use axum::http::Method;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{Answer, House, Plan, text};

const ID: &str = "01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1";
const OPEN: [&str; 6] = [
    "get_liveness",
    "get_readiness",
    "explain_problem",
    "show_sign_in_link",
    "use_sign_in_link",
    "create_session",
];

/// An operation of the document: its name, method and a path.
#[derive(Debug)]
pub struct Operation {
    pub name: String,
    pub method: Method,
    pub path: String,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&guichet::http::openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = if path.contains("exercises") { "sum" } else { ID };
            all.push(Operation {
                name: text(&operation["operationId"]),
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                path: path
                    .replace("{id}", id)
                    .replace("{path}", "main.py")
                    .replace("{code}", "not_found")
                    .replace("{name}", "host-1"),
            });
        }
    }
    all
}

pub fn guarded() -> Vec<Operation> {
    operations().into_iter().filter(|operation| !OPEN.contains(&operation.name.as_str())).collect()
}

pub fn assert_refused(operation: &Operation, answer: &Answer) {
    assert_eq!(answer.problem(), (401, "invalid_token".to_owned(), vec![]), "{operation:?}");
    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{operation:?}");
}

#[tokio::test]
async fn no_operation_is_open_but_those_of_health_of_signing_in_and_what_problems_point_to() {
    let house = House::build().await;
    let all = guarded();
    assert!(all.len() > 15, "{all:?}");
    for operation in all {
        let answer = house.call(operation.method.clone(), &operation.path).send().await;

        assert_refused(&operation, &answer);
    }
}

#[tokio::test]
async fn no_operation_takes_a_token_that_is_over_or_a_stranger_s() {
    let (house, other) = (House::build().await, House::build().await);
    let expired = house.expired_token("root", Role::Admin);
    let foreign = other.token("root", Role::Admin);
    for operation in guarded() {
        for token in [&expired, &foreign] {
            let answer = house
                .call(operation.method.clone(), &operation.path)
                .token(token)
                .json(&json!({}))
                .send()
                .await;

            assert_refused(&operation, &answer);
        }
    }
}

#[tokio::test]
async fn a_ticket_opens_streams_of_events_only() {
    let house = House::build().await;
    let admin = house.token("root", Role::Admin);
    let made = house.post("/v1/stream-tickets").token(&admin).json(&json!({})).send().await;
    let ticket = text(&made.json()["ticket"]);
    for operation in guarded().into_iter().filter(|operation| !operation.name.starts_with("follow_")) {
        let in_query = format!("{}?ticket={ticket}", operation.path);

        let by_query = house.call(operation.method.clone(), &in_query).send().await;
        let as_token = house.call(operation.method.clone(), &operation.path).token(&ticket).send().await;

        assert_refused(&operation, &by_query);
        assert_refused(&operation, &as_token);
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_no_token() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    for path in ["/v1/me", "/v1/events"] {
        let answer = house.get(&format!("{path}?ticket={token}")).send().await;

        assert_eq!(answer.status, 401, "{path}");
    }
}

#[tokio::test]
async fn two_authorization_headers_prove_nobody() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);

    let answer = house.get("/v1/me").token(&token).token(&token).send().await;

    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_role_without_an_operation_is_told_so() {
    let house = House::build().await;
    house.with_sum().await;
    let student = house.token("alice", Role::Student);
    let sum = super::house::sum();
    let link = json!({ "sub": "alice", "role": "student" });
    let answers = [
        house.put("/v1/exercises/sum").token(&student).json(&sum).send().await,
        house.put("/v1/exercises/new").token(&student).json(&sum).send().await,
        house.call(Method::DELETE, "/v1/exercises/sum").token(&student).send().await,
        house.get("/v1/exercises/sum/results").token(&student).send().await,
        house.get("/metrics").token(&student).send().await,
        house.get("/v1/links").token(&student).send().await,
        house.get("/v1/queue/history").token(&student).send().await,
        house.get("/v1/queue/history").token(&house.token("judge", Role::Backend)).send().await,
        house.get("/v1/links").token(&house.token("tina", Role::Teacher)).send().await,
        house.get("/metrics").token(&house.token("tina", Role::Teacher)).send().await,
        house.post("/v1/stream-tickets").token(&student).json(&json!({ "owner": "bob" })).send().await,
        house.get("/v1/events?owner=bob").token(&student).send().await,
        house.post("/v1/sign-in-links").token(&student).json(&link).send().await,
        house.post("/v1/sign-in-links").token(&house.token("tina", Role::Teacher)).json(&link).send().await,
    ];
    for answer in answers {
        assert_eq!(answer.problem(), (403, "forbidden".to_owned(), vec![]));
    }
    let admin = house.token("root", Role::Admin);
    assert_eq!(house.get("/metrics").token(&admin).send().await.status, 200);
    assert_eq!(house.get("/v1/links").token(&admin).send().await.status, 200);
}

#[tokio::test]
async fn a_field_that_the_role_never_has_is_forbidden() {
    let house = House::build().await;
    house.with_sum().await;
    let submit = async |role: Role, field: &str, value: Value| {
        let mut request = super::house::solution();
        request[field] = value;
        house
            .post("/v1/submissions")
            .token(&house.token("x", role))
            .json(&request)
            .send()
            .await
            .status
            .as_u16()
    };

    assert_eq!(submit(Role::Student, "owner", json!("bob")).await, 403);
    assert_eq!(submit(Role::Student, "priority", json!("exam")).await, 403);
    assert_eq!(submit(Role::Teacher, "owner", json!("bob")).await, 403);
    assert_eq!(submit(Role::Teacher, "legacy_id", json!("7")).await, 403);
    assert_eq!(submit(Role::Teacher, "priority", json!("exam")).await, 202);
    assert_eq!(submit(Role::Backend, "owner", json!("bob")).await, 202);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let house = House::of(Plan { burst: 2, ..Plan::default() }).await;
    let (alice, bob) = (house.token("alice", Role::Student), house.token("bob", Role::Student));
    let first = house.get("/v1/me").token(&alice).send().await;
    house.get("/v1/me").token(&alice).send().await;

    let refused = house.get("/v1/me").token(&alice).send().await;

    assert_eq!(first.header("ratelimit"), "\"default\";r=1;t=1");
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned(), vec![]));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(house.get("/v1/me").token(&bob).send().await.status, 200);
}

#[tokio::test]
async fn pages_of_unlisted_origins_get_nothing() {
    let listed = "https://school.example";
    let house = House::of(Plan { cors_origins: vec![listed.to_owned()], ..Plan::default() }).await;
    let token = house.token("alice", Role::Student);
    for origin in ["https://evil.example", "null", "https://school.example.evil.example"] {
        let answer = house.get("/v1/me").token(&token).header("origin", origin).send().await;

        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
    }
    let answer = house.get("/v1/me").token(&token).header("origin", listed).send().await;
    assert_eq!(answer.header("access-control-allow-origin"), listed);
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
}
