//! The document, its page, and the pages that problems point to.

use guichet::app::Role;
use serde_json::{Map, Value, json};

use super::house::{House, sum, text};

fn document() -> Value {
    serde_json::from_str(&guichet::http::openapi_json()).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document["paths"].as_object().unwrap().values();
    paths.flat_map(|item| item.as_object().unwrap().values())
}

#[test]
fn a_page_that_tries_the_api_sends_nothing_that_may_be_left_out() {
    let document = document();
    for operation in operations(&document) {
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let filled_in = ["example", "examples"].iter().any(|field| parameter.get(field).is_some())
                || ["example", "default"].iter().any(|field| parameter["schema"].get(field).is_some());

            assert!(!filled_in || parameter["required"] == true, "{parameter}");
        }
    }
}

#[test]
fn titles_and_summaries_are_plain_text() {
    let document = document();
    for operation in operations(&document) {
        let summary = text(&operation["summary"]);

        assert!(!summary.contains(['`', '*', '[']), "{summary}");
    }
    assert!(!text(&document["info"]["title"]).contains('`'));
}

#[test]
fn an_example_says_what_the_text_beside_it_says() {
    let document = document();
    let example = |operation: &str, status: &str| {
        let found = operations(&document).find(|found| found["operationId"] == operation).unwrap();
        found["responses"][status]["content"]["application/json"]["example"].clone()
    };

    assert_eq!(example("create_submission", "200")["state"], "finished");
    assert_eq!(example("create_submission", "202")["state"], "queued");
    assert_eq!(example("list_submissions", "200")["items"][0]["files"], Value::Null);
    assert_eq!(example("list_exercises", "200")["items"][0]["tests"], Value::Null);
    assert_eq!(
        (&example("put_exercise", "201")["version"], &example("put_exercise", "200")["version"]),
        (&json!(1), &json!(2))
    );
    for answer in document["components"]["responses"].as_object().unwrap().values() {
        let problems = answer["content"]["application/problem+json"]["examples"].as_object().unwrap();
        for (name, problem) in problems {
            let problem = &problem["value"];
            let about_fields = !problem["errors"].as_array().unwrap().is_empty();
            assert_eq!(problem["code"], *name);
            let is_taken = ["legacy_id_taken", "host_exists"].contains(&name.as_str());
            assert_eq!(about_fields, text(&problem["detail"]).contains("field is wrong") || is_taken);
        }
    }
}

#[test]
fn problems_are_described_once_and_referred_to() {
    let document = document();
    let shared = document["components"]["responses"].as_object().unwrap();
    let mut referred = Vec::new();
    for operation in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            assert!(answer.pointer("/content/application~1problem+json").is_none(), "{status} {answer}");
            referred.extend(answer.get("$ref").and_then(Value::as_str));
        }
    }

    referred.sort_unstable();
    referred.dedup();
    let named: Vec<String> = shared.keys().map(|name| format!("#/components/responses/{name}")).collect();
    assert_eq!(referred, named);
    assert!(shared["HostBusyOrHostConfigured"]["description"].is_string());
    assert!(guichet::http::openapi_json().len() < 380_000);
}

#[test]
fn the_document_says_that_a_run_that_exits_with_0_is_no_more_than_that() {
    let document = document();
    let verdict = &document["components"]["schemas"]["SubmissionResult"]["properties"]["verdict"];

    let described = verdict.to_string();

    assert!(described.contains("means only that the program exited with 0"), "{described}");
}

/// Every object of the document, with the path to it.
fn objects<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Map<String, Value>)>) {
    match value {
        Value::Object(fields) => {
            found.push((path.to_owned(), fields));
            fields.iter().for_each(|(name, field)| objects(field, &format!("{path}/{name}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| objects(item, &format!("{path}/-"), found)),
        _ => {}
    }
}

#[test]
fn unions_hold_references_and_nothing_that_generators_of_clients_stumble_over() {
    let document = document();
    let mut found = Vec::new();
    objects(&document["components"]["schemas"], "", &mut found);
    for (path, fields) in found {
        assert!(!fields.contains_key("anyOf") && !fields.contains_key("allOf"), "{path}");
        for option in fields.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let is_reference = option.get("$ref").is_some() && option.as_object().map(Map::len) == Some(1);
            assert!(is_reference || *option == json!({ "type": "null" }), "{path}: {option}");
        }
    }
}

#[test]
fn every_enumeration_has_a_name() {
    let document = document();
    let mut found = Vec::new();
    objects(&document, "", &mut found);
    let enumerations = found.iter().filter(|(_, fields)| fields.get("enum").is_some_and(Value::is_array));
    let nameless: Vec<&String> = enumerations
        .map(|(path, _)| path)
        .filter(|path| path.strip_prefix("/components/schemas/").is_none_or(|name| name.contains('/')))
        .collect();

    assert_eq!(nameless, Vec::<&String>::new());
}

#[test]
fn events_and_checkers_are_told_apart_by_their_type() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    for (union, tags) in
        [("StreamEvent", 12), ("HostEvent", 5), ("RejudgeEvent", 1), ("Checker", 3), ("CheckerRequest", 3)]
    {
        let union = &schemas[union];
        assert_eq!(union["discriminator"]["propertyName"], "type", "{union}");
        let mapping = union["discriminator"]["mapping"].as_object().unwrap();
        assert_eq!(mapping.len(), tags);
        for (tag, schema) in mapping {
            let name = text(schema).replace("#/components/schemas/", "");
            let variant = &schemas[&name];

            let values = text(&variant["properties"]["type"]["$ref"]).replace("#/components/schemas/", "");

            assert!(schemas[&values]["enum"].as_array().unwrap().contains(&json!(tag)), "{tag} of {name}");
            assert!(variant["required"].as_array().unwrap().contains(&json!("type")), "{name}");
            assert!(union["oneOf"].as_array().unwrap().contains(&json!({ "$ref": schema })), "{name}");
        }
    }
    assert!(schemas["Host"]["properties"].get("type").is_none(), "an event's tag is of no host elsewhere");
}

#[tokio::test]
async fn the_type_of_every_problem_is_a_page_that_explains_it() {
    let house = House::build().await;
    let codes = document()["components"]["schemas"]["ProblemCode"]["enum"].as_array().unwrap().clone();
    assert!(codes.len() > 20, "{codes:?}");
    for code in codes {
        let path = format!("/problems/{}", text(&code));

        let page = house.get(&path).header("accept", "text/html,*/*;q=0.8").send().await;
        let answer = house.get(&path).header("accept", "application/json").send().await;

        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        let html = String::from_utf8(page.bytes.clone()).unwrap();
        for heading in ["What happened", "What is true now", "What to do"] {
            assert!(html.contains(heading), "{html}");
        }
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
            "{policy}"
        );
        let explained = answer.json();
        assert_eq!((&explained["code"], &explained["type"]), (&code, &json!(path)));
        assert!(html.contains(&text(&explained["title"])));
    }
    let alice = house.token("alice", Role::Student);
    let problem = house.get("/v1/submissions/x").token(&alice).send().await.json();
    assert_eq!(house.get(&text(&problem["type"])).send().await.status, 200);
    assert_eq!(house.get("/problems/no_such_code").send().await.problem().1, "not_found");
}

#[tokio::test]
async fn a_list_of_exercises_carries_no_tests() {
    let house = House::build().await;
    let (tina, alice) = (house.token("tina", Role::Teacher), house.token("alice", Role::Student));
    let mut large = sum();
    let test =
        |index: usize| json!({ "name": format!("t{index}"), "stdin": "x".repeat(200_000), "expected": "" });
    large["tests"] = (0..60).map(test).collect();
    let put = house.put("/v1/exercises/large").token(&tina).json(&large).send().await;
    assert_eq!((put.status.as_u16(), &put.json()["test_count"]), (201, &json!(60)));

    let list = house.get("/v1/exercises").token(&alice).send().await;

    assert!(list.bytes.len() < 2_000, "a list of {} bytes", list.bytes.len());
    let listed = list.json()["items"][0].clone();
    assert_eq!((&listed["tests"], &listed["test_count"]), (&Value::Null, &json!(60)));
    let whole = house.get("/v1/exercises/large").token(&tina).send().await.json();
    assert_eq!((&whole["test_count"], whole["tests"].as_array().unwrap().len()), (&json!(60), 60));
    let left_out = |field: &str| ["tests", "solutions"].contains(&field);
    for (field, value) in listed.as_object().unwrap().iter().filter(|(field, _)| !left_out(field)) {
        assert_eq!(whole[field], *value, "{field}");
    }
}
