//! `guichet exercise validate`, `import` and `export`: the true program, with and without a true service.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::host_commands::{ask, complaint, json_of, printed};
use crate::support::zips::{package, zip_of_package};
use crate::support::{Program, TestGuichet};

fn path(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

#[tokio::test]
async fn submissions_for_an_imported_problem_get_the_scores_that_its_package_says() {
    let guichet = TestGuichet::start().await;
    let teacher = guichet.teacher();
    for name in ["legacy/subtasks", "newer/steps"] {
        let imported = ask(&guichet, &["exercise", "import", &path(&package(name))]);
        assert!(imported.status.success(), "{imported:?}");
    }
    let alice = guichet.student("alice");

    let largest =
        alice.grade("subtasks", &Program::python("input()\nprint(max(map(int, input().split())))\n")).await;
    let positive = "input()\nbest = 0\nfor number in map(int, input().split()):\n    best = max(best, number)\nprint(best)\n";
    let partly = alice.grade("subtasks", &Program::python(positive)).await;
    let square = alice.grade("steps", &Program::python("print(int(input()) ** 2)\n")).await;
    let some =
        alice.grade("steps", &Program::python("n = int(input())\nprint(n ** 2 if n > -6 else 0)\n")).await;
    let none = alice.grade("steps", &Program::python("print(0)\n")).await;

    let told = |result: &Value| (result["score"].as_u64(), result["max_score"].as_u64());
    assert_eq!([told(&largest), told(&partly)], [(Some(100), Some(100)), (Some(25), Some(100))]);
    assert_eq!(
        [told(&square), told(&some), told(&none)].map(|(score, _)| score),
        [Some(100), Some(90), Some(0)]
    );
    assert_eq!(none["groups"][1]["skipped"], "depends_on", "the sample was not accepted");
    assert_eq!(teacher.get("/v1/exercises/steps").await.expect(200)["version"], 1);
}

#[tokio::test]
async fn the_solutions_of_a_package_get_their_verdicts_by_its_own_validator() {
    let guichet = TestGuichet::start().await;
    for (folder, name) in [("legacy/pairs", "pairs"), ("newer/near", "near")] {
        let imported = ask(&guichet, &["exercise", "import", &path(&package(folder))]);
        assert!(!printed(&imported).contains("token by token"), "{imported:?}");
        let checker = &guichet.teacher().get(&format!("/v1/exercises/{name}")).await.expect(200)["checker"];
        assert_eq!((&checker["type"], &checker["runtime"]), (&"program".into(), &"python".into()));

        let checked = ask(&guichet, &["exercise", "check", name]);

        assert!(checked.status.success(), "{checked:?}");
    }
}

#[tokio::test]
async fn a_folder_and_a_zip_are_imported_exported_and_imported_again() {
    let guichet = TestGuichet::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let zip = folder.path().join("mean.zip");
    std::fs::write(&zip, zip_of_package("legacy/average")).expect("a file");
    let exported = path(&folder.path().join("out.zip"));

    let by_folder = ask(&guichet, &["exercise", "import", &path(&package("own/sum"))]);
    let by_zip = json_of(&ask(&guichet, &["exercise", "import", &path(&zip), "--json", "--id", "mean"]));
    let export = ask(&guichet, &["exercise", "export", "sum-of-two", "--to", &exported]);
    let over = ask(&guichet, &["exercise", "export", "sum-of-two", "--to", &exported]);
    let again = ask(&guichet, &["exercise", "import", &exported]);
    let none = ask(&guichet, &["exercise", "export", "none", "--to", &path(&folder.path().join("none.zip"))]);

    let by_folder = printed(&by_folder);
    assert!(by_folder.contains("note: README.txt is named by nothing"), "{by_folder}");
    assert!(by_folder.ends_with("sum-of-two is stored: version 1, 3 tests\n"), "{by_folder}");
    assert_eq!((&by_zip["id"], &by_zip["title"]), (&Value::from("mean"), &Value::from("Mean of two")));
    assert_eq!(printed(&export), format!("{exported}\n"));
    assert_eq!(over.status.code(), Some(1), "what is there already stays");
    assert_eq!(printed(&again), "sum-of-two is stored: version 1, 3 tests\n");
    assert!(complaint(&none).contains("(not_found)"), "{none:?}");
}

fn validate(arguments: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_guichet"))
        .current_dir(folder.path())
        .env("GUICHET_EXECUTION__RUNTIMES_DIR", crate::support::engine::root().join("runtimes"))
        .args(["exercise", "validate"])
        .args(arguments)
        .output()
        .expect("the program")
}

#[test]
fn a_package_is_validated_without_any_service() {
    for name in [
        "legacy/average",
        "legacy/subtasks",
        "legacy/pairs",
        "newer/greeting",
        "newer/steps",
        "newer/near",
        "own/sum",
    ] {
        let valid = validate(&[&path(&package(name))]);
        assert_eq!(valid.status.code(), Some(0), "{name}: {valid:?}");
        assert!(printed(&valid).ends_with(" is valid\n"), "{name}: {valid:?}");
    }
    for name in ["sum", "hello", "average"] {
        let demo = validate(&[&path(&crate::support::engine::root().join("exercises").join(name))]);
        assert_eq!(demo.status.code(), Some(0), "{name}: {demo:?}");
    }
}

#[test]
fn a_package_that_is_not_valid_is_told_so_with_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = folder.path().join("exercise.json");
    std::fs::write(
        &document,
        r#"{"title":"","kind":"stdio","runtimes":["cobol"],"tests":[{"name":"a","expected":""}]}"#,
    )
    .expect("a file");

    let told = validate(&[&path(folder.path())]);
    let as_json = validate(&[&path(folder.path()), "--json"]);
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link")).expect("a link");
    let linked = validate(&[&path(folder.path())]);
    let missing = validate(&["/no/such/package"]);

    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(printed(&told).contains("error: /title must have 1 to 255 characters\n"), "{told:?}");
    let json: Value = serde_json::from_slice(&as_json.stdout).expect("JSON");
    assert_eq!(
        (&json["valid"], &json["errors"][1]["pointer"]),
        (&Value::from(false), &Value::from("/runtimes/0"))
    );
    assert!(complaint(&linked).contains("leads out of the package"), "{linked:?}");
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
}
