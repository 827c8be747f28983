//! `/v1/containers` over a host that cannot be reached, which has none.

use axum::http::Method;
use guichet::app::Role;
use serde_json::{Value, json};

use super::house::House;

#[tokio::test]
async fn containers_are_for_admins_alone() {
    let house = House::build().await;
    for role in [Role::Student, Role::Teacher, Role::Backend] {
        let token = house.token("x", role);
        let answers = [
            house.get("/v1/containers").token(&token).send().await,
            house.get("/v1/containers?state=none").token(&token).send().await,
            house.call(Method::DELETE, "/v1/containers/none").token(&token).send().await,
        ];
        for answer in answers {
            assert_eq!(answer.problem(), (403, "forbidden".to_owned(), vec![]), "{role:?}");
        }
    }
}

#[tokio::test]
async fn where_there_is_no_container_the_list_is_empty_and_none_can_be_ended() {
    let house = House::build().await;
    let admin = house.token("root", Role::Admin);
    for query in ["", "?host=host-1", "?host=unknown&runtime=python&state=warm&limit=1"] {
        let answer = house.get(&format!("/v1/containers{query}")).token(&admin).send().await;

        assert_eq!(answer.json(), json!({ "items": [], "next_cursor": Value::Null }), "{query}");
    }
    for id in ["none", "0123456789abcdef", "%FF", "a%2Fb", &"x".repeat(5000)] {
        let path = format!("/v1/containers/{id}");
        let answer = house.call(Method::DELETE, &path).token(&admin).send().await;

        assert_eq!(answer.problem(), (404, "not_found".to_owned(), vec![]), "{id:.20}");
    }
}

#[tokio::test]
async fn what_no_container_can_be_is_refused_by_its_name() {
    let house = House::build().await;
    let admin = house.token("root", Role::Admin);
    for (query, places) in [
        ("state=idle", vec!["query state"]),
        ("host=Not-A-Host", vec!["query host"]),
        ("host=a_b&runtime=a%20b", vec!["query host", "query runtime"]),
        ("limit=0", vec!["query limit"]),
        ("limit=101", vec!["query limit"]),
        ("cursor=x", vec!["query cursor"]),
        ("slot=1", vec!["query slot"]),
    ] {
        let answer = house.get(&format!("/v1/containers?{query}")).token(&admin).send().await;

        let places: Vec<_> = places.into_iter().map(str::to_owned).collect();
        assert_eq!(answer.problem(), (422, "validation_failed".to_owned(), places), "{query}");
    }
}
