//! Packages: what becomes of problem packages of each form and of our own, and that what is exported is what was imported.

use std::io::{Cursor, Read as _};

use guichet::app::Role;
use serde_json::{Value, json};

use super::house::{Answer, House, text};
use crate::support::zips::{files_below, package, zip_of, zip_of_package};

const ZIP: &str = "application/zip";

/// All packages of the tests, with the ids that they get by themselves.
const PACKAGES: [(&str, &str); 7] = [
    ("legacy/average", "average"),
    ("legacy/subtasks", "subtasks"),
    ("legacy/pairs", "pairs"),
    ("newer/greeting", "greeting"),
    ("newer/steps", "steps"),
    ("newer/near", "near"),
    ("own/sum", "sum-of-two"),
];

struct School {
    house: House,
    teacher: String,
}

impl School {
    async fn open() -> Self {
        let house = House::build().await;
        let teacher = house.token("tina", Role::Teacher);
        Self { house, teacher }
    }

    async fn import(&self, query: &str, zip: Vec<u8>) -> Answer {
        let path = format!("/v1/exercises/import{query}");
        self.house.post(&path).token(&self.teacher).of(ZIP, zip).send().await
    }

    async fn export(&self, id: &str) -> Answer {
        self.house.get(&format!("/v1/exercises/{id}/export")).token(&self.teacher).send().await
    }

    async fn get(&self, id: &str) -> Value {
        self.house.get(&format!("/v1/exercises/{id}")).token(&self.teacher).send().await.json()
    }
}

/// An exercise without what differs between two that say the same.
fn content(mut exercise: Value) -> Value {
    for field in ["id", "version", "updated_at", "notes"] {
        exercise.as_object_mut().expect("an object").remove(field);
    }
    exercise
}

/// The files of an archive, `exercise.json` without its id.
fn entries(zip: &[u8]) -> Vec<(String, String)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        let name = entry.name().expect("a name").into_owned();
        if name == "exercise.json" {
            let mut document: Value = serde_json::from_str(&text).expect("JSON");
            document.as_object_mut().expect("an object").remove("id");
            text = document.to_string();
        }
        entries.push((name, text));
    }
    entries
}

fn notes(imported: &Value) -> Vec<String> {
    let notes = imported["notes"].as_array().expect("notes").iter();
    notes.map(|note| format!("{}: {}", text(&note["path"]), text(&note["message"]))).collect()
}

fn has(notes: &[String], path: &str, message: &str) -> bool {
    notes.iter().any(|note| note.starts_with(&format!("{path}: ")) && note.contains(message))
}

/// Names, points and scoring of an exercise's groups.
fn groups(exercise: &Value) -> Vec<(String, u64, String, Vec<String>)> {
    let names = |value: &Value| value.as_array().expect("names").iter().map(text).collect();
    let group = |group: &Value| {
        let points = group["points"].as_u64().expect("points");
        (text(&group["name"]), points, text(&group["scoring"]), names(&group["depends_on"]))
    };
    exercise["groups"].as_array().expect("groups").iter().map(group).collect()
}

fn test<'a>(exercise: &'a Value, name: &str) -> &'a Value {
    let tests = exercise["tests"].as_array().expect("tests");
    tests.iter().find(|test| test["name"] == name).unwrap_or_else(|| panic!("no {name} in {tests:?}"))
}

#[tokio::test]
async fn every_package_is_exported_to_what_makes_the_same_exercise_again() {
    let school = School::open().await;
    for (name, id) in PACKAGES {
        let imported = school.import("", zip_of_package(name)).await;
        assert_eq!(imported.status, 201, "{name}: {}", String::from_utf8_lossy(&imported.bytes));
        assert_eq!(imported.header("location"), format!("/v1/exercises/{id}"), "{name}");
        let zip = school.export(id).await;
        let again = school.import("", zip.bytes.clone()).await;
        let other = school.import("?id=other", zip.bytes.clone()).await;

        assert_eq!((zip.status.as_u16(), zip.header("content-type")), (200, "application/zip"), "{name}");
        assert_eq!(zip.header("content-disposition"), format!("attachment; filename=\"{id}.zip\""));
        assert_eq!((again.status.as_u16(), again.json()["version"].as_u64()), (200, Some(1)), "{name}");
        assert_eq!(again.json()["notes"], json!([]), "{name}: nothing of our own format is left out");
        assert_eq!(content(other.json()), content(imported.json()), "{name}");
        assert_eq!(content(school.get("other").await), content(school.get(id).await), "{name}");
        assert_eq!(school.export(id).await.bytes, zip.bytes, "{name}: the same bytes each time");
        assert_eq!(entries(&school.export("other").await.bytes), entries(&zip.bytes), "{name}");
    }
}

#[tokio::test]
async fn a_legacy_package_without_scores_is_a_point_for_all_tests() {
    let school = School::open().await;

    let imported = school.import("", zip_of_package("legacy/average")).await.json();

    assert_eq!(imported["title"], "Mean of two");
    assert!(text(&imported["statement"]).contains("```latex\n\\problemname{Mean of two}"));
    assert_eq!(
        imported["limits"],
        json!({ "cpu_time_ms": 2000, "memory_bytes": 128 << 20, "output_bytes": 4 << 20 })
    );
    assert_eq!(imported["compile_limits"], json!({ "cpu_time_ms": 20_000 }));
    let tolerance = json!({ "absolute": 1e-4, "relative": 1e-4 });
    assert_eq!(
        imported["checker"],
        json!({ "type": "tokens", "case_sensitive": false, "float_tolerance": tolerance })
    );
    assert_eq!(groups(&imported), [("data".to_owned(), 1, "all_or_nothing".to_owned(), vec![])]);
    assert_eq!(imported["groups"][0]["stop_on_first_failure"], true);
    assert_eq!(test(&imported, "sample/1")["visibility"], "public");
    assert_eq!(test(&imported, "secret/02")["expected"], "7.5\n");
    let notes = notes(&imported);
    for (path, message) in [
        ("problem_statement/problem.en.tex", "LaTeX"),
        ("problem.yaml", "license is not kept"),
        ("problem.yaml", "author is not kept"),
        ("input_validators", "not validated"),
        ("data/secret/*.hint", "left out"),
    ] {
        assert!(has(&notes, path, message), "{path} {message}: {notes:#?}");
    }
}

#[tokio::test]
async fn groups_of_a_legacy_package_are_worth_what_they_are_there() {
    let school = School::open().await;

    let imported = school.import("", zip_of_package("legacy/subtasks")).await.json();

    let whole = || "all_or_nothing".to_owned();
    assert_eq!(
        groups(&imported),
        [
            ("sample".to_owned(), 0, whole(), vec![]),
            ("secret/group1".to_owned(), 25, whole(), vec![]),
            ("secret/group2".to_owned(), 75, whole(), vec![]),
        ]
    );
    assert_eq!(imported["groups"][1]["tests"], json!(["secret/group1/1", "secret/group1/2"]));
    assert_eq!(imported["groups"][1]["stop_on_first_failure"], true);
    assert_eq!(imported["limits"], json!({ "cpu_time_ms": 1500 }));
    let notes = notes(&imported);
    assert!(has(&notes, "problem.yaml", "limits/time_multiplier is not heeded"), "{notes:#?}");
    assert!(has(&notes, "problem.yaml", "show_test_data_groups"), "{notes:#?}");
}

#[tokio::test]
async fn groups_of_a_newer_package_are_worth_what_they_are_there() {
    let school = School::open().await;

    let imported = school.import("", zip_of_package("newer/steps")).await.json();

    let whole = || "all_or_nothing".to_owned();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        groups(&imported),
        [
            ("sample".to_owned(), 0, whole(), vec![]),
            ("secret/1-small".to_owned(), 20, whole(), names(&["sample"])),
            ("secret/2-large".to_owned(), 50, whole(), names(&["secret/1-small"])),
            ("secret/3-each".to_owned(), 30, "sum".to_owned(), vec![]),
        ]
    );
    assert_eq!(imported["title"], "Steps");
    let notes = notes(&imported);
    assert!(has(&notes, "problem.yaml", "has no time limit"), "{notes:#?}");
    assert!(has(&notes, "problem.yaml", "Schritte"), "{notes:#?}");
    assert!(has(&notes, "statement/problem.de.md", "one statement"), "{notes:#?}");
}

#[tokio::test]
async fn constants_arguments_and_feedback_of_a_newer_package_are_those_of_its_tests() {
    let school = School::open().await;

    let imported = school.import("", zip_of_package("newer/greeting")).await.json();

    assert!(text(&imported["statement"]).contains("Print `Hello`"));
    assert_eq!(imported["runtimes"], json!(["c", "python"]));
    assert_eq!(
        imported["checker"],
        json!({ "type": "tokens", "case_sensitive": true, "float_tolerance": null })
    );
    assert_eq!(imported["limits"], json!({ "cpu_time_ms": 1250, "memory_bytes": 256 << 20 }));
    assert_eq!(test(&imported, "sample/1")["args"], json!(["you"]));
    assert_eq!(test(&imported, "secret/01")["args"], json!(["big", "white"]));
    assert_eq!(test(&imported, "secret/01")["visibility"], "hidden");
    assert_eq!(test(&imported, "secret/02")["visibility"], "public", "its feedback is full");
    let notes = notes(&imported);
    assert!(has(&notes, "data/invalid_input", "left out"), "{notes:#?}");
    assert!(has(&notes, "data/sample/1.yaml", "hint is left out"), "{notes:#?}");
    assert!(has(&notes, "solution", "left out"), "{notes:#?}");
}

#[tokio::test]
async fn nested_groups_without_scores_are_one_and_a_picture_of_the_statement_is_noted() {
    let school = School::open().await;

    let imported = school.import("", zip_of_package("newer/near")).await.json();

    let names: Vec<_> =
        imported["tests"].as_array().expect("tests").iter().map(|test| text(&test["name"])).collect();
    assert_eq!(names, ["sample/1", "secret/deep/2", "secret/deep/er/1"]);
    assert_eq!(groups(&imported), [("data".to_owned(), 1, "all_or_nothing".to_owned(), vec![])]);
    assert!(has(&notes(&imported), "statement/figure.png", "left out"));
    assert!(has(&notes(&imported), "problem.yaml", "allow_file_writing"));
}

#[tokio::test]
async fn our_own_format_names_files_in_place_of_fields() {
    let school = School::open().await;

    let imported = school.import("", zip_of_package("own/sum")).await.json();

    assert_eq!(
        (text(&imported["id"]), text(&imported["title"])),
        ("sum-of-two".to_owned(), "Sum of two".to_owned())
    );
    assert!(text(&imported["statement"]).starts_with("# Sum of two"));
    assert_eq!(imported["starter_files"][0]["path"], "main.py");
    assert_eq!(test(&imported, "three")["stdin"], "400000000000 2\n");
    assert_eq!(notes(&imported), ["README.txt: is named by nothing in exercise.json and left out"]);
}

#[tokio::test]
async fn an_import_goes_by_the_id_that_is_asked_for_and_by_its_preconditions() {
    let school = School::open().await;
    let zip = zip_of_package("legacy/average");
    let nameless = zip_of(&files_below(&package("legacy/average")), "");

    let unnamed = school.import("", nameless.clone()).await;
    let named = school.import("?id=mean", nameless).await;
    let taken = school.import("?id=import", zip.clone()).await;
    let bad = school.import("?id=a%20b", zip.clone()).await;
    let path = "/v1/exercises/import?id=mean";
    let call = school.house.post(path).token(&school.teacher).header("if-none-match", "*");
    let late = call.of(ZIP, zip.clone()).send().await;

    for refused in [unnamed, taken, bad] {
        assert_eq!(refused.problem(), (422, "validation_failed".to_owned(), vec!["query id".to_owned()]));
    }
    assert_eq!((named.status.as_u16(), named.header("etag")), (201, "\"1\""));
    assert_eq!(late.problem().1, "precondition_failed");
}

#[tokio::test]
async fn only_who_writes_exercises_imports_and_exports_them() {
    let school = School::open().await;
    let alice = school.house.token("alice", Role::Student);
    school.import("", zip_of_package("own/sum")).await;

    let import = school
        .house
        .post("/v1/exercises/import")
        .token(&alice)
        .of(ZIP, zip_of_package("own/sum"))
        .send()
        .await;
    let export = school.house.get("/v1/exercises/sum-of-two/export").token(&alice).send().await;
    let none = school.export("none").await;

    assert_eq!(import.problem().1, "forbidden");
    assert_eq!(export.problem().1, "forbidden");
    assert_eq!(none.problem().1, "not_found");
}

#[tokio::test]
async fn what_is_wrong_in_a_package_is_told_with_its_file() {
    let school = School::open().await;
    let with = |name: &str, path: &str, text: &str| {
        let mut files = files_below(&package(name));
        files.retain(|(other, _)| other != path);
        if text != "nothing" {
            files.push((path.to_owned(), text.as_bytes().to_vec()));
        }
        zip_of(&files, "package")
    };
    for (zip, pointer) in [
        (with("legacy/average", "problem.yaml", "a: [1\n"), "/problem.yaml"),
        (with("legacy/average", "problem.yaml", "validation: custom interactive\n"), "/problem.yaml"),
        (with("newer/steps", "problem.yaml", "problem_format_version: 1999-01\n"), "/problem.yaml"),
        (
            with(
                "newer/greeting",
                "problem.yaml",
                "problem_format_version: 2023-07\nname: x\nlanguages: [cobol]\n",
            ),
            "/problem.yaml",
        ),
        (with("legacy/average", "data/secret/01.ans", "nothing"), "/data/secret/01.ans"),
        (with("own/sum", "tests/one.in", "nothing"), "/exercise.json"),
        (with("own/sum", "exercise.json", "{"), "/exercise.json"),
        (with("own/sum", "exercise.json", "nothing"), ""),
    ] {
        let answer = school.import("?id=x", zip).await;

        assert_eq!(
            answer.problem(),
            (422, "invalid_package".to_owned(), vec![format!("body {pointer}")]),
            "{answer:?}"
        );
    }
    let unfit = school
        .import("?id=x", with("own/sum", "exercise.json", "{\"title\": \"\", \"kind\": \"stdio\"}"))
        .await;
    assert_eq!(unfit.problem().1, "validation_failed");
    let long = "x".repeat(300);
    let named =
        school.import("?id=x", with("legacy/average", "problem.yaml", &format!("name: {long}\n"))).await;
    assert_eq!(named.problem(), (422, "validation_failed".to_owned(), vec!["body /title".to_owned()]));
    assert!(text(&named.json()["errors"][0]["message"]).ends_with("(problem.yaml)"));
    assert_eq!(school.export("x").await.status, 404, "nothing was stored");
}
