//! Sessions of the page: what a cookie opens, for whom, and until when.

use std::time::Duration;

use axum::http::Method;
use guichet::app::Role;
use serde_json::json;

use super::access::{assert_refused, guarded};
use super::house::{Answer, Call, House, Plan, solution};
use super::sign_in::cookie;
use super::streams::{SOON, read_until};
use crate::support::wait_for;

/// Makes a session of a token; what the browser sends from then on.
async fn session(house: &House, token: &str) -> String {
    let made = house.post("/v1/session").json(&json!({ "token": token })).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    cookie(&made)
}

/// As the page sends it.
fn by_page<'a>(call: Call<'a>, cookie: &str) -> Call<'a> {
    call.header("cookie", cookie).header("sec-fetch-site", "same-origin").header("x-guichet-page", "1")
}

fn code(answer: &Answer) -> (u16, String) {
    let (status, code, _) = answer.problem();
    (status, code)
}

#[tokio::test]
async fn a_token_becomes_a_cookie_that_no_script_reads_and_no_other_site_sends() {
    let house = House::build().await;
    let token = house.token("alice", Role::Teacher);
    let make = |origin: &str| {
        let call = house.post("/v1/session").header("origin", origin).header("host", "guichet.example");
        call.json(&json!({ "token": token })).send()
    };

    let (plain, secure) = (make("http://guichet.example").await, make("https://guichet.example").await);

    assert_eq!(
        (plain.status.as_u16(), &plain.json()["sub"], &plain.json()["role"]),
        (201, &json!("alice"), &json!("teacher"))
    );
    assert!(plain.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict"), "{plain:?}");
    assert!(secure.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict; Secure"), "{secure:?}");
    assert!(!cookie(&plain).contains(&token) && cookie(&plain).len() < 1000, "{plain:?}");
    let me = by_page(house.get("/v1/me"), &cookie(&plain)).send().await.json();
    assert_eq!(
        (&me["sub"], &me["role"], &me["expires_at"]),
        (&json!("alice"), &json!("teacher"), &plain.json()["expires_at"])
    );
}

#[tokio::test]
async fn a_token_that_proves_no_one_makes_no_session() {
    let house = House::build().await;
    let expired = house.expired_token("alice", Role::Student);
    for token in ["", "x", "a.b.c", &expired, &"x".repeat(17_000)] {
        let refused = house.post("/v1/session").json(&json!({ "token": token })).send().await;

        assert_eq!(code(&refused), (401, "invalid_token".to_owned()), "{token:.40}");
        assert!(!refused.headers.contains_key("set-cookie"));
    }
    let too_long = house.post("/v1/session").json(&json!({ "token": "x".repeat(30_000) })).send().await;
    assert_eq!(code(&too_long), (413, "payload_too_large".to_owned()));
    let form = house.post("/v1/session").body("token=x").send().await;
    assert_eq!(code(&form), (415, "unsupported_media_type".to_owned()));
}

#[tokio::test]
async fn a_page_of_another_origin_signs_no_one_in() {
    let house = House::build().await;
    let token = house.token("mallory", Role::Student);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let call = house.post("/v1/session").header("host", "guichet.example").header(name, value);
        let refused = call.json(&json!({ "token": token })).send().await;

        assert_eq!(code(&refused), (403, "forbidden".to_owned()), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_session_opens_what_its_token_opens() {
    let house = House::build().await;
    for role in Role::ALL {
        let token = house.token("someone", role);
        let session = session(&house, &token).await;
        for operation in guarded().into_iter().filter(|operation| operation.name != "delete_session") {
            let call = || house.call(operation.method.clone(), &operation.path);

            let by_token = call().token(&token).answer().await;
            let by_session = by_page(call(), &session).answer().await;

            assert_ne!(by_session.status(), 401, "{operation:?}");
            // What both do may be there or gone for the second.
            if operation.method == Method::GET || by_token.status() == 403 {
                assert_eq!(by_session.status(), by_token.status(), "{operation:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_session_counts_for_no_page_of_another_origin() {
    let house = House::build().await;
    let session = session(&house, &house.token("root", Role::Admin)).await;
    for operation in guarded() {
        let call = || {
            let call = house.call(operation.method.clone(), &operation.path);
            call.header("cookie", &session).header("host", "guichet.example").header("x-guichet-page", "1")
        };
        for site in ["cross-site", "same-site"] {
            assert_refused(&operation, &call().header("sec-fetch-site", site).send().await);
        }
        for origin in ["https://evil.example", "null", "https://guichet.example.evil.example"] {
            assert_refused(&operation, &call().header("origin", origin).send().await);
        }
    }
}

#[tokio::test]
async fn with_a_session_nothing_is_changed_without_the_header_of_the_page() {
    let house = House::build().await;
    let session = session(&house, &house.token("root", Role::Admin)).await;
    let changes: Vec<_> = guarded().into_iter().filter(|operation| operation.method != Method::GET).collect();
    assert!(changes.len() > 10, "{changes:?}");
    for operation in changes {
        let call = || house.call(operation.method.clone(), &operation.path).header("cookie", &session);

        assert_refused(&operation, &call().send().await);
        assert_refused(&operation, &call().header("x-guichet-page", "0").send().await);
    }
}

#[tokio::test]
async fn beside_a_token_a_cookie_does_not_count() {
    let house = House::build().await;
    let session = session(&house, &house.token("alice", Role::Student)).await;
    let asking = async |token: &str| house.get("/v1/me").header("cookie", &session).token(token).send().await;

    let bob = asking(&house.token("bob", Role::Student)).await;
    let refused = asking("worthless").await;

    assert_eq!(bob.json()["sub"], "bob");
    assert_eq!(code(&refused), (401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn a_cookie_of_another_installation_or_two_that_differ_prove_no_one() {
    let (house, other) = (House::build().await, House::build().await);
    let token = house.token("alice", Role::Student);
    let (first, second) = (session(&house, &token).await, session(&house, &token).await);
    let foreign = session(&other, &other.token("alice", Role::Student)).await;
    let forged = first.replacen("guichet_session=e", "guichet_session=f", 1);
    for cookies in [foreign, forged, "guichet_session=".to_owned(), format!("{first}; {second}")] {
        let answer = by_page(house.get("/v1/me"), &cookies).send().await;

        assert_eq!(code(&answer), (401, "invalid_token".to_owned()), "{cookies}");
    }
    assert_eq!(by_page(house.get("/v1/me"), &format!("a=b; {first}")).send().await.status, 200);
}

#[tokio::test]
async fn a_session_that_is_over_says_so_and_its_streams_end() {
    let house = House::build().await;
    let session = session(&house, &house.token_for("alice", Role::Student, Duration::from_millis(200))).await;
    let mut body = by_page(house.get("/v1/events"), &session).answer().await.into_body().into_data_stream();

    read_until(&mut body, |_| false).await;

    let answer = by_page(house.get("/v1/me"), &session).send().await;
    assert_eq!(code(&answer), (401, "session_expired".to_owned()));
    assert!(answer.header("www-authenticate").starts_with("Bearer "));
    let gone = by_page(house.call(Method::DELETE, "/v1/session"), &session).send().await;
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn a_session_that_its_user_ends_is_over_for_its_copies_too_and_its_streams_end() {
    let house = House::build().await;
    let token = house.token("alice", Role::Student);
    let (ended, other) = (session(&house, &token).await, session(&house, &token).await);
    let open = async |session: &str| {
        let answer = by_page(house.get("/v1/events"), session).answer().await;
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body().into_data_stream();
        read_until(&mut body, |read| read.contains("stream.snapshot")).await;
        body
    };
    let (mut stream, mut others) = (open(&ended).await, open(&other).await);

    let signed_out = by_page(house.call(Method::DELETE, "/v1/session"), &ended).send().await;

    assert_eq!(signed_out.status, 204);
    assert!(
        signed_out.header("set-cookie").starts_with("guichet_session=; ")
            && signed_out.header("set-cookie").ends_with("; Max-Age=0"),
        "{signed_out:?}"
    );
    let rest = read_until(&mut stream, |_| false).await;
    assert!(!rest.contains("event:"), "{rest}");
    assert_eq!(code(&by_page(house.get("/v1/me"), &ended).send().await), (401, "session_expired".to_owned()));
    assert_eq!(
        code(&by_page(house.get("/v1/events"), &ended).send().await),
        (401, "session_expired".to_owned())
    );
    assert_eq!(by_page(house.get("/v1/me"), &other).send().await.status, 200);
    house.with_sum().await;
    house.submit("alice").await;
    let told = read_until(&mut others, |read| read.contains("submission.queued")).await;
    assert!(told.contains("submission.queued"), "{told}");
}

#[tokio::test]
async fn a_session_submits_and_its_rate_is_its_subject_s() {
    let house = House::of(Plan { burst: 4, ..Plan::default() }).await;
    house.with_sum().await;
    let token = house.token("alice", Role::Student);
    let session = session(&house, &token).await;

    let sent = by_page(house.post("/v1/submissions"), &session).json(&solution()).send().await;

    assert_eq!((sent.status.as_u16(), &sent.json()["owner"]), (202, &json!("alice")));
    assert!(sent.header("ratelimit").starts_with("\"default\";r="), "{sent:?}");
    let ask = || house.get("/v1/me").token(&token).send();
    let refused = wait_for("the rate to be used up", SOON, ask, |answer| answer.status == 429).await;
    assert_eq!(code(&refused), (429, "rate_limited".to_owned()));
}

#[tokio::test]
async fn pages_are_told_apart_by_cookie_where_answers_are_kept() {
    let house = House::build().await;
    house.with_sum().await;
    let session = session(&house, &house.token("alice", Role::Student)).await;

    let answer = by_page(house.get("/v1/exercises/sum"), &session).send().await;

    assert_eq!(answer.header("vary"), "Authorization, Cookie");
}
