//! Signing in to the page of the true service: over restarts, in its log, and after its keys have changed.

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::json;

use crate::support::client::text;
use crate::support::{Options, Role, TestGuichet};

/// A browser that goes nowhere by itself.
fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn link(guichet: &TestGuichet) -> String {
    let platform = guichet.client(Role::Backend, "platform");
    let asked = json!({ "sub": "alice", "role": "student", "path": "/exercises/sum" });
    text(&platform.post("/v1/sign-in-links", &asked).await.expect(201)["url"])
}

async fn press(link: &str) -> Response {
    browser().post(link).send().await.unwrap()
}

fn cookie(answer: &Response) -> String {
    answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn me(guichet: &TestGuichet, cookie: &str) -> (StatusCode, String) {
    let answer =
        browser().get(format!("{}/v1/me", guichet.url())).header("cookie", cookie).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_restart_neither_loses_a_link_nor_brings_a_used_one_or_an_ended_session_back() {
    let guichet = TestGuichet::start().await;
    let (used, kept, third) = (link(&guichet).await, link(&guichet).await, link(&guichet).await);
    let session = cookie(&press(&used).await);
    let ended = cookie(&press(&third).await);
    let end = browser().delete(format!("{}/v1/session", guichet.url())).header("cookie", &ended);
    assert_eq!(end.header("x-guichet-page", "1").send().await.unwrap().status(), 204);
    guichet.kill();

    guichet.restart().await;

    assert_eq!(press(&used).await.status(), 410);
    let pressed = press(&kept).await;
    let location = pressed.headers()["location"].to_str().unwrap();
    assert_eq!((pressed.status().as_u16(), location), (303, "../exercises/sum"));
    assert_eq!(me(&guichet, &session).await.0, 200);
    let (status, problem) = me(&guichet, &ended).await;
    assert!(status == 401 && problem.contains("session_expired"), "{problem}");
}

#[tokio::test]
async fn whose_keys_are_changed_ends_all_sessions_and_links() {
    let guichet = TestGuichet::start().await;
    let (used, kept) = (link(&guichet).await, link(&guichet).await);
    let session = cookie(&press(&used).await);
    guichet.terminate().await;
    std::fs::remove_file(guichet.data().join("key")).unwrap();

    guichet.restart().await;

    assert_eq!(
        (me(&guichet, &session).await.0, press(&kept).await.status()),
        (StatusCode::UNAUTHORIZED, StatusCode::GONE)
    );
}

#[tokio::test]
async fn the_log_holds_no_link_and_no_session_and_says_who_made_and_used_one() {
    let guichet = TestGuichet::prepare(Options::default().env("GUICHET_LOG__LEVEL", "trace"));
    guichet.restart().await;
    let link = link(&guichet).await;

    let session = cookie(&press(&link).await);

    assert_eq!(me(&guichet, &session).await.0, 200);
    let (log, secret) = (guichet.log(), link.split("link=").nth(1).unwrap());
    let value = session.split('=').nth(1).unwrap();
    assert!(!log.contains(secret) && !log.contains(value), "the log holds a link or a session");
    assert!(log.contains("a sign-in link is made") && log.contains("a sign-in link is used"), "{log}");
}
