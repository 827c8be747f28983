//! Links that sign in to the page: once, by their button, however often they were opened before.

use futures_util::future::join_all;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{Answer, House, Plan, text};

/// Makes a link as a platform does; its path and query.
pub async fn link(house: &House, request: Value) -> String {
    let platform = house.token("platform", Role::Backend);
    let made = house.post("/v1/sign-in-links").token(&platform).json(&request).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let url = text(&made.json()["url"]);
    url[url.find("/v1/").unwrap()..].to_owned()
}

fn alice() -> Value {
    json!({ "sub": "alice", "role": "student", "path": "/exercises/sum" })
}

/// What a browser sends back of a cookie.
pub fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn html(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    String::from_utf8(answer.bytes.clone()).unwrap()
}

fn assert_over(answer: &Answer) {
    assert_eq!(answer.problem(), (410, "sign_in_link_over".to_owned(), vec![]));
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
}

#[tokio::test]
async fn opening_a_link_changes_nothing_and_its_button_signs_in_once() {
    let house = House::build().await;
    let link = link(&house, alice()).await;
    for _ in 0..3 {
        let opened = house.get(&link).send().await;

        assert_eq!(opened.status, 200);
        assert!(!opened.headers.contains_key("set-cookie"));
        let page = html(&opened);
        assert!(
            page.contains("<strong>alice</strong> (student)") && page.contains("<form method=\"post\">"),
            "{page}"
        );
    }

    let pressed = house.post(&link).send().await;
    let again = house.post(&link).send().await;

    assert_eq!((pressed.status.as_u16(), pressed.header("location")), (303, "../exercises/sum"));
    let me = house.get("/v1/me").header("cookie", &cookie(&pressed)).send().await.json();
    assert_eq!((&me["sub"], &me["role"]), (&json!("alice"), &json!("student")));
    assert_over(&again);
    assert_over(&house.get(&link).send().await);
}

#[tokio::test]
async fn of_all_who_press_the_button_at_once_one_is_signed_in() {
    let house = House::build().await;
    let link = link(&house, alice()).await;

    let answers = join_all((0..20).map(|_| house.post(&link).send())).await;

    let (signed_in, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 303);
    assert_eq!((signed_in.len(), others.len()), (1, 19));
    for other in others {
        assert_over(other);
    }
}

#[tokio::test]
async fn a_link_that_is_none_is_over_too_and_a_person_reads_that_as_a_page() {
    let house = House::build().await;
    let long = format!("/v1/sign-in?link={}", "x".repeat(5000));
    for path in ["/v1/sign-in?link=", "/v1/sign-in?link=none", &long] {
        assert_over(&house.get(path).send().await);
        assert_over(&house.post(path).send().await);
        let read = house.get(path).header("accept", "text/html").header("accept-language", "fr").send().await;
        assert_eq!(read.status, 410);
        assert!(html(&read).contains("Ce lien n’est plus valable"), "{read:?}");
    }
    let missing = house.get("/v1/sign-in").send().await;
    assert_eq!(missing.problem(), (422, "validation_failed".to_owned(), vec!["query link".to_owned()]));
}

#[tokio::test]
async fn what_others_hung_on_a_link_on_its_way_is_left_alone() {
    let house = House::build().await;
    let link = link(&house, alice()).await;

    assert_eq!(house.get(&format!("{link}&utm_source=mail")).send().await.status, 200);
}

#[tokio::test]
async fn a_link_s_page_runs_nothing_is_in_no_frame_and_a_name_in_it_is_text() {
    let house = House::build().await;
    let hostile = "<img src=x onerror=alert(1)>";
    let link = link(&house, json!({ "sub": hostile, "role": "student" })).await;

    let opened = house.get(&link).send().await;

    let policy = opened.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(
        policy.contains("form-action 'self'; frame-ancestors 'none'") && !policy.contains("script"),
        "{policy}"
    );
    // Else the button's request would not say where it comes from.
    assert_eq!(opened.header("referrer-policy"), "same-origin");
    assert_eq!(opened.header("cache-control"), "no-store");
    assert!(!html(&opened).contains("<img"), "{opened:?}");
}

#[tokio::test]
async fn a_page_of_another_origin_presses_no_button() {
    let house = House::build().await;
    let link = link(&house, alice()).await;
    let foreign = [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("host", "guichet.example")],
        [("sec-fetch-site", "same-site"), ("origin", "https://other.example"), ("host", "guichet.example")],
        [("accept", "*/*"), ("origin", "https://evil.example"), ("host", "guichet.example")],
        [("accept", "*/*"), ("origin", "null"), ("host", "guichet.example")],
    ];
    for headers in foreign {
        let call = headers.iter().fold(house.post(&link), |call, (name, value)| call.header(name, value));
        let refused = call.send().await;

        assert_eq!(refused.problem(), (403, "forbidden".to_owned(), vec![]), "{headers:?}");
    }
    let own = house.post(&link).header("sec-fetch-site", "same-origin").header("origin", "https://x");
    assert_eq!(own.send().await.status, 303);
}

#[tokio::test]
async fn a_backend_lets_no_one_in_as_an_admin() {
    let house = House::build().await;
    let make = async |maker: Role, role: &str| {
        let token = house.token("maker", maker);
        let request = json!({ "sub": "alice", "role": role });
        house.post("/v1/sign-in-links").token(&token).json(&request).send().await.status.as_u16()
    };

    for role in ["student", "teacher", "backend"] {
        assert_eq!((make(Role::Backend, role).await, make(Role::Admin, role).await), (201, 201), "{role}");
    }
    assert_eq!((make(Role::Backend, "admin").await, make(Role::Admin, "admin").await), (403, 201));
}

#[tokio::test]
async fn a_link_that_asks_for_what_there_is_not_is_refused() {
    let house = House::build().await;
    let platform = house.token("platform", Role::Backend);
    let table = [
        ("sub", json!(""), "body /sub"),
        ("sub", json!("a\u{0}b"), "body /sub"),
        ("role", json!("root"), "body /role"),
        ("ttl_s", json!(0), "body /ttl_s"),
        ("ttl_s", json!(86_401), "body /ttl_s"),
        ("session_ttl_s", json!(0), "body /session_ttl_s"),
        ("session_ttl_s", json!(43_201), "body /session_ttl_s"),
        ("other", json!(1), "body /other"),
        ("path", json!(""), "body /path"),
        ("path", json!("exercises"), "body /path"),
        ("path", json!("//evil.example"), "body /path"),
        ("path", json!("/\\evil.example"), "body /path"),
        ("path", json!("\\\\evil.example"), "body /path"),
        ("path", json!("https://evil.example"), "body /path"),
        ("path", json!("javascript:alert(1)"), "body /path"),
        ("path", json!("/a\r\nset-cookie: x=y"), "body /path"),
        ("path", json!("/\t/evil.example"), "body /path"),
        ("path", json!("/../other"), "body /path"),
        ("path", json!("/%2e%2e/other"), "body /path"),
    ];
    for (field, value, place) in table {
        let mut request = alice();
        request[field] = value;
        let answer = house.post("/v1/sign-in-links").token(&platform).json(&request).send().await;

        assert_eq!(
            answer.problem(),
            (422, "validation_failed".to_owned(), vec![place.to_owned()]),
            "{request}"
        );
    }
    let longest = json!({ "sub": "a", "role": "admin", "ttl_s": 86_400, "session_ttl_s": 43_200 });
    let admin = house.token("root", Role::Admin);
    assert_eq!(house.post("/v1/sign-in-links").token(&admin).json(&longest).send().await.status, 201);
}

#[tokio::test]
async fn a_session_lives_as_long_as_its_link_said() {
    let house = House::build().await;
    let link = link(&house, json!({ "sub": "alice", "role": "teacher", "session_ttl_s": 90 })).await;

    let pressed = house.post(&link).send().await;

    assert_eq!(pressed.header("location"), "../");
    let me = house.get("/v1/me").header("cookie", &cookie(&pressed)).send().await.json();
    let expires_at: guichet::domain::time::Timestamp = text(&me["expires_at"]).parse().unwrap();
    let left_ms = expires_at.millis_since(house.clock.now());
    assert!((60_000..=90_000).contains(&left_ms), "{left_ms}");
}

#[tokio::test]
async fn behind_a_proxy_links_have_its_address_and_cookies_are_for_https() {
    let public = "https://school.example/guichet/";
    let house = House::of(Plan { public_url: Some(public.parse().unwrap()), ..Plan::default() }).await;
    let platform = house.token("platform", Role::Backend);
    let call = house.post("/v1/sign-in-links").header("host", "127.0.0.1:8080").token(&platform);
    let url = text(&call.json(&alice()).send().await.json()["url"]);
    // The proxy takes the prefix off.
    let link = url.strip_prefix("https://school.example/guichet").unwrap();

    let pressed =
        house.post(link).header("host", "127.0.0.1:8080").header("origin", "https://school.example");
    let pressed = pressed.send().await;

    assert_eq!((pressed.status.as_u16(), pressed.header("location")), (303, "../exercises/sum"));
    let set = pressed.header("set-cookie");
    assert!(set.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{set}");
    // Browsers send it to what lies beside the link then: the API, below whatever prefix.
    assert!(
        !set.to_ascii_lowercase().contains("path=") && !set.to_ascii_lowercase().contains("domain="),
        "{set}"
    );
}

#[tokio::test]
async fn without_a_setting_a_link_has_the_address_that_its_maker_used() {
    let house = House::build().await;
    let platform = house.token("platform", Role::Backend);
    let make = async |headers: &[(&str, &str)]| {
        let call = house.post("/v1/sign-in-links").token(&platform);
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        text(&call.json(&alice()).send().await.json()["url"])
    };

    let plain = make(&[("host", "guichet.example:8080")]).await;
    let forwarded = make(&[("host", "guichet.example"), ("x-forwarded-proto", "https")]).await;

    assert!(plain.starts_with("http://guichet.example:8080/v1/sign-in?link="), "{plain}");
    assert!(forwarded.starts_with("https://guichet.example/v1/sign-in?link="), "{forwarded}");
}

#[tokio::test]
async fn who_is_signed_in_too_often_is_told_when_to_come_back_and_the_link_stays() {
    let house = House::of(Plan { burst: 1, ..Plan::default() }).await;
    let links: Vec<String> = join_all((0..8).map(|_| link(&house, alice()))).await;

    let answers = join_all(links.iter().map(|link| house.post(link).send())).await;

    let refused: Vec<_> = links.iter().zip(&answers).filter(|(_, answer)| answer.status == 429).collect();
    assert!(!refused.is_empty(), "{answers:?}");
    for (link, answer) in refused {
        assert_eq!(answer.problem(), (429, "rate_limited".to_owned(), vec![]));
        assert_eq!(house.get(link).send().await.status, 200);
    }
}
