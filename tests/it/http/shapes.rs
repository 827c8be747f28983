//! The shapes that scripts rely on.

use serde_json::json;

use super::house::{House, solution, sum};
use guichet::app::Role;

#[tokio::test]
async fn a_submission_is_answered_with_all_its_fields() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);

    let answer = house.post("/v1/submissions").token(&alice).json(&solution()).send().await;

    assert_eq!(answer.status, 202);
    let body = answer.json();
    assert_eq!(answer.header("location"), format!("/v1/submissions/{}", body["id"].as_str().unwrap()));
    assert_eq!(body["owner"], "alice");
}

#[tokio::test]
async fn an_exercise_is_shown_as_it_was_sent() {
    let house = House::build().await;
    let teacher = house.token("tina", Role::Teacher);

    let answer = house.put("/v1/exercises/sum").token(&teacher).json(&sum()).send().await;

    let body = answer.json();
    assert_eq!((answer.status.as_u16(), &body["version"]), (201, &json!(1)));
    assert_eq!(answer.header("etag"), "\"1\"");
    for (field, value) in sum().as_object().unwrap() {
        assert_eq!(body[field], *value, "{field}");
    }
}

#[tokio::test]
#[ignore = "by hand"]
async fn serve_for_hand() {
    let house = House::build().await;
    house.with_sum().await;
    println!("ADMIN={}", house.token("root", Role::Admin));
    println!("STUDENT={}", house.token("alice", Role::Student));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:18199").await.unwrap();
    guichet::http::serve(listener, house.router.clone(), house.tasks.soft().clone()).await;
}
