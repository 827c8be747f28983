//! Files that a test puts into the work folder, and files that it expects there.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{Bench, Program, TestGuichet, exercises};

/// A test that gives `data/in.txt` and expects `out.txt`, and one without files.
fn copying() -> Value {
    let mut exercise = exercises::one_test("", "");
    exercise["tests"] = json!([
        { "name": "open", "expected": "", "visibility": "public",
          "files": [ { "path": "data/in.txt", "content": "given\n" }, { "path": "main.txt", "content": "over" } ],
          "expected_files": [ { "path": "out.txt", "content": "given\n" } ] },
        { "name": "closed", "expected": "",
          "files": [ { "path": "data/in.txt", "content_base64": "AP8=" } ],
          "expected_files": [ { "path": "out.txt", "content_base64": "AP8=" } ] },
        { "name": "without", "expected": "no data\n", "visibility": "public" },
    ]);
    exercise
}

const COPY: &str = r#"
import os, sys
if os.path.exists("data/in.txt"):
    with open("data/in.txt", "rb") as given, open("out.txt", "wb") as out:
        out.write(given.read())
else:
    assert os.listdir(".") == ["main.py", "main.txt"] or sorted(os.listdir(".")) == ["main.py", "main.txt"]
    assert open("main.txt").read() == "mine"
    print("no data")
"#;

#[tokio::test]
async fn a_test_gives_files_and_compares_what_the_program_leaves() {
    let bench = Bench::new(&copying()).await;

    let copier = Program::python(COPY).with("main.txt", b"mine");
    let id = bench.student.submit(&bench.exercise, &copier).await;
    let result = bench.student.result(&id).await;

    assert_eq!((&result["verdict"], &result["score"]), (&json!("accepted"), &json!(3)), "{result}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_like_what_is_wrong_with_the_output() {
    let bench = Bench::new(&copying()).await;
    let told = async |source: &str| {
        let id = bench.student.submit(&bench.exercise, &Program::python(source)).await;
        let test = bench.student.result(&id).await["tests"][0].clone();
        assert_eq!(test["verdict"], "wrong_answer", "{test}");
        text(&test["message"])
    };

    assert_eq!(told("").await, "`out.txt` is missing");
    assert_eq!(
        told("open('out.txt', 'w').write('other')").await,
        "`out.txt`, line 1: expected `given`, got `other`"
    );
    assert_eq!(told("import os; os.symlink('data/in.txt', 'out.txt')").await, "`out.txt` is missing");
    assert_eq!(told("import os; os.mkdir('out.txt')").await, "`out.txt` is missing");
    assert_eq!(told("import os; os.mkfifo('out.txt')").await, "`out.txt` is missing");
    let long = told("open('out.txt', 'w').truncate(1 << 20)").await;
    assert!(long.starts_with("`out.txt` is longer than "), "{long}");
    assert_eq!(told("print(1)").await, "line 1: `1` is too much");
}

#[tokio::test]
async fn files_of_hidden_tests_are_hidden() {
    let bench = Bench::new(&copying()).await;
    let path = format!("/v1/exercises/{}", bench.exercise);

    let students = bench.student.get(&path).await.expect(200);
    let teachers = bench.teacher.get(&path).await.expect(200);

    assert_eq!(students["tests"][0]["files"][0], json!({ "path": "data/in.txt", "content": "given\n" }));
    assert_eq!(
        (&students["tests"][1]["files"], &students["tests"][1]["expected_files"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(teachers["tests"][1]["expected_files"][0]["content_base64"], "AP8=");
    assert_eq!(teachers["tests"][2].get("files"), None);
    assert_eq!(bench.teacher.put(&path, &teachers).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn what_is_wrong_with_files_of_a_test_is_named_with_its_place() {
    let guichet = TestGuichet::start().await;
    let teacher = guichet.teacher();
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut exercise = copying();
        change(&mut exercise);
        teacher.put("/v1/exercises/files", &exercise).await.problem(422).1
    };

    let mut many: Vec<Value> = Vec::new();
    many.extend((0..65).map(|number| json!({ "path": format!("{number}"), "content": "" })));
    assert_eq!(
        refused(&|it| it["tests"][0]["files"][1]["path"] = json!("/etc/x")).await,
        ["/tests/0/files/1/path"]
    );
    assert_eq!(
        refused(&|it| it["tests"][0]["files"][1]["path"] = json!("data")).await,
        ["/tests/0/files/1/path"]
    );
    assert_eq!(refused(&|it| it["tests"][1]["files"] = json!(many)).await, ["/tests/1/files"]);
    let checker =
        json!({ "type": "program", "runtime": "python", "files": [ { "path": "a.py", "content": "" } ] });
    assert_eq!(
        refused(&|it| it["checker"] = checker.clone()).await,
        ["/tests/0/expected_files", "/tests/1/expected_files"]
    );
}
