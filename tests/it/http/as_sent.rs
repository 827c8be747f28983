//! Requests as people really send them: base64 in lines, a byte order mark, what `GET` gave, the same in other words.

use std::process::Command;

use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{Answer, House, solution, sum, text};

/// Bytes that are no text, longer than a line of base64.
fn bytes() -> Vec<u8> {
    (0..=255).collect()
}

/// Those bytes as `base64 FILE` writes them.
fn as_the_command_writes_it() -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes()).unwrap();
    let output = Command::new("base64").arg(file.path()).output().unwrap();
    let written = String::from_utf8(output.stdout).unwrap();
    assert!(written.lines().count() > 3 && written.ends_with('\n'), "{written}");
    written
}

#[tokio::test]
async fn base64_is_taken_as_the_command_writes_it() {
    let house = House::build().await;
    let (alice, tina) = (house.token("alice", Role::Student), house.token("tina", Role::Teacher));
    let unix = as_the_command_writes_it();
    for written in [unix.clone(), unix.replace('\n', "\r\n"), unix.trim_end().to_owned()] {
        let mut exercise = sum();
        exercise["tests"][0] = json!({ "name": "a", "stdin_base64": written, "expected_base64": written });
        exercise["starter_files"] = json!([{ "path": "data", "content_base64": written }]);
        let run = json!({
            "runtime": "python", "files": [{ "path": "x.py", "content_base64": written }],
            "run": { "stdin_base64": written },
        });

        let put = house.put("/v1/exercises/bytes").token(&tina).json(&exercise).send().await;
        let sent = house.post("/v1/submissions").token(&alice).json(&run).send().await;

        let on_one_line = json!(unix.replace('\n', ""));
        assert_eq!(put.json()["tests"][0]["stdin_base64"], on_one_line, "{put:?}");
        assert_eq!(put.json()["tests"][0]["expected_base64"], on_one_line);
        assert_eq!(put.json()["starter_files"][0]["content_base64"], on_one_line);
        assert_eq!(sent.json()["run"]["stdin_base64"], on_one_line, "{sent:?}");
        let file = format!("/v1/submissions/{}/files/x.py", text(&sent.json()["id"]));
        assert_eq!(house.get(&file).token(&alice).send().await.bytes, bytes());
    }
}

#[tokio::test]
async fn a_body_behind_a_byte_order_mark_is_taken_and_one_in_utf_16_is_named() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let body = solution().to_string();
    let utf_16: Vec<u8> = format!("\u{feff}{body}").encode_utf16().flat_map(u16::to_le_bytes).collect();

    let marked = house.post("/v1/submissions").token(&alice).raw(format!("\u{feff}{body}").into_bytes());
    let wide = house.post("/v1/submissions").token(&alice).raw(utf_16).send().await;

    assert_eq!(marked.send().await.status, 202);
    assert_eq!(wide.problem().1, "malformed_body");
    assert!(text(&wide.json()["detail"]).contains("UTF-16"), "{wide:?}");
}

#[tokio::test]
async fn an_exercise_goes_back_whole_as_it_came_and_edited() {
    let house = House::build().await;
    let tina = house.token("tina", Role::Teacher);
    let mut first = sum();
    first["tests"][0] = json!({ "name": "a", "stdin_base64": "/w==", "expected": "" });
    first["starter_files"] = json!([{ "path": "main.c", "content_base64": "/w==" }]);
    house.put("/v1/exercises/sum").token(&tina).json(&first).send().await;
    let got = house.get("/v1/exercises/sum").token(&tina).send().await;
    let (whole, tag) = (got.json(), got.header("etag").to_owned());
    let put = async |body: &Value, tag: &str| {
        let call = house.put("/v1/exercises/sum").token(&tina).header("if-match", tag);
        let answer = call.json(body).send().await;
        (answer.status.as_u16(), answer.json()["version"].as_u64())
    };

    assert_eq!(put(&whole, &tag).await, (200, Some(1)));
    let mut edited = whole.clone();
    edited["title"] = json!("Sums");
    edited["tests"].as_array_mut().unwrap().push(json!({ "name": "c", "expected": "" }));
    for twin in ["expected_base64", "stdin_base64"] {
        edited["tests"][1][twin] = json!(null);
    }
    assert_eq!(put(&edited, &tag).await, (200, Some(2)));
    assert_eq!(put(&edited, &tag).await.0, 412);
    let now = house.get("/v1/exercises/sum").token(&tina).send().await.json();
    assert_eq!((&now["title"], &now["test_count"]), (&json!("Sums"), &json!(3)));
    assert_eq!(now["starter_files"], whole["starter_files"]);
}

#[tokio::test]
async fn a_field_that_the_service_sets_is_refused_by_name_if_it_was_changed() {
    let house = House::build().await;
    house.with_sum().await;
    let tina = house.token("tina", Role::Teacher);
    let whole = house.get("/v1/exercises/sum").token(&tina).send().await.json();
    let put = async |id: &str, field: &str, value: Value| {
        let mut changed = whole.clone();
        changed[field] = value;
        house.put(&format!("/v1/exercises/{id}")).token(&tina).json(&changed).send().await
    };
    let refused = |fields: &[&str]| {
        let fields = fields.iter().map(|field| format!("body {field}")).collect();
        (422, "validation_failed".to_owned(), fields)
    };

    assert_eq!(put("sum", "id", json!("other")).await.problem(), refused(&["/id"]));
    assert_eq!(put("sum", "version", json!(9)).await.problem(), refused(&["/version"]));
    assert_eq!(
        put("sum", "updated_at", json!("2026-01-01T00:00:00.000Z")).await.problem(),
        refused(&["/updated_at"])
    );
    assert_eq!(put("sum", "test_count", json!(99)).await.problem(), refused(&["/test_count"]));
    assert_eq!(
        put("copy", "id", json!("copy")).await.problem(),
        refused(&["/version", "/updated_at", "/test_count"])
    );
    // Another changed it meanwhile: nothing of that is lost.
    let mut other = sum();
    other["title"] = json!("Another's");
    house.put("/v1/exercises/sum").token(&tina).json(&other).send().await;
    let stale = put("sum", "title", json!("Mine")).await;
    assert_eq!(stale.problem(), refused(&["/version", "/updated_at"]));
    assert!(text(&stale.json()["errors"][0]["message"]).contains("read-only: 2 is stored"), "{stale:?}");
    let stored = house.get("/v1/exercises/sum").token(&tina).send().await.json();
    assert_eq!((&stored["title"], &stored["version"]), (&json!("Another's"), &json!(2)));
}

#[tokio::test]
async fn all_unknown_fields_are_listed_at_once_with_their_places() {
    let house = House::build().await;
    house.with_sum().await;
    let tina = house.token("tina", Role::Teacher);
    let mut request = solution();
    request["langage"] = json!("python");
    request["files"][0]["mode"] = json!(755);
    request["run"] = json!({ "stdin": "", "env": {} });
    let mut batch = json!({ "submissions": [solution(), request] });
    batch["x/y~z"] = json!(0);
    let mut exercise = sum();
    exercise["author"] = json!("tina");
    exercise["limits"]["threads"] = json!(1);
    exercise["tests"][1]["points"] = json!(1);
    exercise["checker"]["float_tolerance"] = json!({ "absolut": 1 });

    let single = house.post("/v1/submissions").token(&tina).json(&request).send().await;
    let batched = house.post("/v1/submissions/batch").token(&tina).json(&batch).send().await;
    let put = house.put("/v1/exercises/sum").token(&tina).json(&exercise).send().await;

    let places = |answer: &Answer| {
        let (status, code, mut places) = answer.problem();
        assert_eq!((status, code.as_str()), (422, "validation_failed"));
        places.sort();
        places
    };
    assert_eq!(places(&single), ["body /files/0/mode", "body /langage", "body /run/env"]);
    assert_eq!(
        places(&batched),
        [
            "body /submissions/1/files/0/mode",
            "body /submissions/1/langage",
            "body /submissions/1/run/env",
            "body /x~1y~0z",
        ]
    );
    assert_eq!(
        places(&put),
        [
            "body /author",
            "body /checker/float_tolerance/absolut",
            "body /limits/threads",
            "body /tests/1/points"
        ]
    );
}

#[tokio::test]
async fn the_same_json_in_other_words_is_the_same_request_under_one_key() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let post = async |body: &str| {
        let call = house.post("/v1/submissions").token(&alice).header("idempotency-key", "k");
        call.raw(body.as_bytes().to_vec()).send().await
    };
    let first = post(
        r#"{"exercise_id":"sum","runtime":"python","files":[{"path":"main.py","content":"é/"}],"metadata":{"a":100,"b":{"c":1.50,"d":[]}}}"#,
    )
    .await;
    assert_eq!(first.status, 202, "{first:?}");
    for same in [
        r#"{"metadata":{"b":{"d":[],"c":1.5},"a":1e2},"files":[{"content":"\u00e9\/","path":"main.py"}],"runtime":"python","exercise_id":"sum"}"#,
        "\u{feff}{ \"exercise_id\": \"sum\",\r\n\t\"runtime\": \"python\", \"files\": [ {\"path\":\"main.py\", \"content\":\"\\u00E9/\"} ],\n\"metadata\":{\"a\":100.0,\"b\":{\"c\":15E-1,\"d\":[ ]}} }\n",
    ] {
        let again = post(same).await;

        assert_eq!((again.status.as_u16(), &again.json()["id"]), (202, &first.json()["id"]), "{same}");
    }
    for other in [
        r#"{"exercise_id":"sum","runtime":"python","files":[{"path":"main.py","content":"e/"}],"metadata":{"a":100,"b":{"c":1.50,"d":[]}}}"#,
        r#"{"exercise_id":"sum","runtime":"python","files":[{"path":"main.py","content":"é/"}],"metadata":{"a":101,"b":{"c":1.50,"d":[]}}}"#,
        r#"{"exercise_id":"sum","runtime":"python","files":[{"path":"main.py","content":"é/"}],"metadata":{"a":"100","b":{"c":1.50,"d":[]}}}"#,
        r#"{"exercise_id":"sum","runtime":"python","files":[{"path":"main.py","content":"é/"}],"metadata":{"a":100,"b":{"c":1.50,"d":{}}}}"#,
        r#"{"exercise_id":"sum","runtime":"python","files":[{"path":"main.py","content":"é/"}]}"#,
    ] {
        assert_eq!(post(other).await.problem().1, "idempotency_key_reused", "{other}");
    }
}

#[tokio::test]
async fn numbers_in_metadata_come_back_as_they_were_sent() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let own = r#"{"id":9007199254740993,"long":123456789012345678901234567890,"far":1e400,"exact":0.10000000000000000000001,"one":1.0,"minus":-0,"E":1E+2,"deep":[{"x":18446744073709551616}]}"#;
    let sent = format!(
        r#"{{"exercise_id":"sum","runtime":"python","files":[{{"path":"main.py","content":""}}],"metadata": {own}}}"#
    );

    let stored = house.post("/v1/submissions").token(&alice).raw(sent.into_bytes()).send().await;
    assert_eq!(stored.status, 202, "{stored:?}");
    let location = stored.header("location").to_owned();
    let shown = house.get(&location).token(&alice).send().await;
    let listed = house.get("/v1/submissions").token(&alice).send().await;
    let cancelled = house.post(&format!("{location}/cancel")).token(&alice).send().await;
    let events = house.get(&format!("{location}/events")).token(&alice).send().await;

    for answer in [&stored, &shown, &listed, &cancelled, &events] {
        let text = String::from_utf8_lossy(&answer.bytes);
        assert!(text.contains(&format!("\"metadata\":{own}")), "{text}");
    }
}

#[tokio::test]
async fn metadata_has_four_kibibytes_however_it_is_written() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let post = async |own: String| {
        let body = format!(
            r#"{{"exercise_id":"sum","runtime":"python","files":[{{"path":"main.py","content":""}}],"metadata":{own}}}"#
        );
        house.post("/v1/submissions").token(&alice).raw(body.into_bytes()).send().await
    };
    let letters = |count: usize, letter: &str| format!(r#"{{"x":"{}"}}"#, letter.repeat(count));

    // Four KiB are `{"x":"` and `"}` around 4,088 bytes.
    for fits in
        [letters(4088, "y"), letters(4088, "\\u0079"), format!("{}{}", " ".repeat(9000), letters(9, "y"))]
    {
        assert_eq!(post(fits).await.status, 202);
    }
    for over in
        [letters(4089, "y"), letters(2045, "\\u00e9"), letters(40_000, "y"), letters(400_000, "\\u0079")]
    {
        let refused = post(over).await.problem();
        assert_eq!(refused, (422, "validation_failed".to_owned(), vec!["body /metadata".to_owned()]));
    }
    for none in ["[]", "\"{}\"", "3", "true"] {
        assert_eq!(post(none.to_owned()).await.problem().2, ["body /metadata"], "{none}");
    }
    assert_eq!(post("null".to_owned()).await.json()["metadata"], json!({}));
}
