//! Exercises, checked by their reference solutions.

use serde_json::{Value, json};

use crate::host_commands::{ask, json_of, printed};
use crate::support::client::{Client, PATIENCE, text};
use crate::support::shared::unique;
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

/// A solution as it is sent.
fn solution(name: &str, program: &programs::Program, expected: &[&str]) -> Value {
    let body = program.body();
    json!({ "name": name, "runtime": body["runtime"], "files": body["files"], "expected_verdicts": expected })
}

/// An exercise whose first solution is right, and whose second must be wrong.
fn with_solutions() -> Value {
    let mut exercise = exercises::one_test("1 2\n", "3\n");
    exercise["solutions"] = json!([
        solution("right", &programs::python_sum(), &["accepted"]),
        solution("other language", &programs::c_sum(), &["accepted"]),
        solution("wrong", &programs::python_print("5"), &["wrong_answer", "runtime_error"]),
    ]);
    exercise
}

async fn stored(teacher: &Client, exercise: &Value) -> String {
    let id = unique("exercise");
    teacher.put_exercise(&id, exercise).await;
    id
}

async fn begin(teacher: &Client, exercise: &str) -> String {
    text(&teacher.act(&format!("/v1/exercises/{exercise}/check")).await.expect(202)["id"])
}

async fn ended(teacher: &Client, id: &str) -> Value {
    let look = || async { teacher.get(&format!("/v1/checks/{id}")).await.expect(200) };
    wait_for("the check to end", PATIENCE, look, |seen| seen["state"] == "ended").await
}

#[tokio::test]
async fn all_solutions_are_judged_and_compared_with_what_they_must_get() {
    let guichet = TestGuichet::start().await;
    let teacher = guichet.teacher();
    let exercise = stored(&teacher, &with_solutions()).await;

    let check = ended(&teacher, &begin(&teacher, &exercise).await).await;

    assert_eq!(check["ok"], true, "{check}");
    let told = |item: &Value| json!([item["solution"], item["verdict"], item["ok"]]);
    let items: Vec<_> = check["items"].as_array().expect("items").iter().map(told).collect();
    assert_eq!(
        items,
        [
            json!(["right", "accepted", true]),
            json!(["other language", "accepted", true]),
            json!(["wrong", "wrong_answer", true])
        ]
    );
    let submission = teacher.submission(&text(&check["items"][0]["submission_id"])).await;
    assert_eq!((&submission["owner"], &submission["priority"]), (&json!("teacher"), &json!("rejudge")));
    assert_eq!(teacher.get("/v1/submissions").await.expect(200)["items"], json!([]));
    let results = teacher.get(&format!("/v1/exercises/{exercise}/results")).await.expect(200);
    assert_eq!((&results["items"], &results["tests"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_solution_that_gets_something_else_is_told_and_the_terminal_ends_with_a_code_for_it() {
    let guichet = TestGuichet::start().await;
    let teacher = guichet.teacher();
    let mut exercise = with_solutions();
    let good = stored(&teacher, &exercise).await;
    exercise["tests"][0]["expected"] = json!("5\n");
    let bad = stored(&teacher, &exercise).await;

    let passed = ask(&guichet, &["exercise", "check", &good]);
    let failed = ask(&guichet, &["exercise", "check", &bad]);
    let as_json = json_of(&ask(&guichet, &["exercise", "check", &good, "--json"]));
    let without = ask(&guichet, &["exercise", "check", &stored(&teacher, &exercises::sum()).await]);

    assert_eq!((passed.status.code(), failed.status.code()), (Some(0), Some(5)), "{passed:?} {failed:?}");
    let rows = |told: String| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        told.lines().skip(1).map(words).collect::<Vec<_>>()
    };
    assert_eq!(rows(printed(&failed))[0], "right accepted wrong_answer no");
    assert_eq!(rows(printed(&failed))[2], "wrong wrong_answer or runtime_error accepted no");
    assert_eq!(as_json["ok"], true);
    assert_eq!(without.status.code(), Some(1), "{without:?}");
}

#[tokio::test]
async fn no_student_sees_a_solution_and_what_is_wrong_with_one_is_named() {
    let guichet = TestGuichet::start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
    let exercise = stored(&teacher, &with_solutions()).await;
    let path = format!("/v1/exercises/{exercise}");

    let (seen, whole) = (ada.get(&path).await.expect(200), teacher.get(&path).await.expect(200));

    assert_eq!(seen["solutions"], Value::Null);
    assert_eq!(whole["solutions"][2]["expected_verdicts"], json!(["wrong_answer", "runtime_error"]));
    assert_eq!(teacher.put(&path, &whole).await.expect(200)["version"], 1, "what was read is put back");
    let listed = teacher.get("/v1/exercises").await.text;
    assert!(!listed.contains("other language"), "{listed}");
    assert_eq!(ada.act(&format!("{path}/check")).await.problem(403).0, "forbidden");
    let id = begin(&teacher, &exercise).await;
    assert_eq!(ada.get(&format!("/v1/checks/{id}")).await.problem(403).0, "forbidden");
    ended(&teacher, &id).await;
    let mut wrong = with_solutions();
    wrong["solutions"][0]["name"] = json!("wrong");
    wrong["solutions"][0]["files"] = json!([{ "path": "../main.py", "content": "" }]);
    wrong["solutions"][1]["runtime"] = json!("cobol");
    wrong["solutions"][1]["expected_verdicts"] = json!([]);
    wrong["solutions"][2]["expected_verdicts"] = json!(["accepted", "accepted", "skipped"]);
    let pointers = teacher.put(&path, &wrong).await.problem(422).1;
    assert_eq!(
        pointers,
        [
            "/solutions/0/files/0/path",
            "/solutions/1/runtime",
            "/solutions/1/expected_verdicts",
            "/solutions/2/name",
            "/solutions/2/expected_verdicts/1",
            "/solutions/2/expected_verdicts/2"
        ]
    );
}

#[tokio::test]
async fn a_check_goes_on_after_deaths_and_a_new_submission_goes_first() {
    let guichet = Options::default().slots(1).start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
    let mut exercise = exercises::patient_sum();
    exercise["solutions"] = json!([
        solution("slow", &programs::sleep_then_sum(1.5), &["accepted"]),
        solution("slower", &programs::sleep_then_sum(1.5), &["accepted"]),
    ]);
    let exercise = stored(&teacher, &exercise).await;
    let id = begin(&teacher, &exercise).await;
    teacher.wait_for_a_run().await;
    let new = ada.submit(&exercise, &programs::python_sum()).await;

    guichet.kill();
    guichet.restart().await;

    let check = ended(&teacher, &id).await;
    assert_eq!(check["ok"], true, "{check}");
    let last = teacher.submission(&text(&check["items"][1]["submission_id"])).await;
    let first = ada.ended(&new).await;
    assert!(text(&first["started_at"]) <= text(&last["started_at"]), "{first} {last}");
}
