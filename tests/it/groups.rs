//! Groups of tests: points, dependencies, what is left out, and what is refused.

use serde_json::{Value, json};

use crate::support::client::events_path;
use crate::support::{Bench, Program};

/// Prints its input doubled, but 0 for 7 and nothing for 9.
const NEARLY_DOUBLE: &str = "n = int(input())\nif n != 9:\n    print(0 if n == 7 else 2 * n)\n";

fn exercise(groups: &Value) -> Value {
    let test = |n: u32| json!({ "name": format!("t{n}"), "stdin": format!("{n}\n"), "expected": format!("{}\n", 2 * n) });
    json!({
        "title": "Double", "kind": "stdio", "runtimes": ["python"], "groups": groups,
        "tests": ([1, 2, 7, 8, 9, 10].map(test)),
    })
}

fn verdicts(result: &Value) -> Vec<String> {
    let tests = result["tests"].as_array().expect("tests");
    tests.iter().map(|test| test["verdict"].as_str().expect("a verdict").to_owned()).collect()
}

#[tokio::test]
async fn groups_alone_are_worth_points_and_what_depends_on_a_failed_one_is_not_run() {
    let groups = json!([
        { "name": "small", "tests": ["t1", "t2"], "points": 30, "scoring": "all_or_nothing" },
        { "name": "half", "tests": ["t7", "t8"], "points": 21 },
        { "name": "after half", "tests": ["t10"], "points": 40, "scoring": "min", "depends_on": ["half", "small"] },
    ]);
    let bench = Bench::new(&exercise(&groups)).await;

    let result = bench.result(&Program::python(NEARLY_DOUBLE)).await;

    assert_eq!(
        (&result["verdict"], &result["score"], &result["max_score"]),
        (&json!("wrong_answer"), &json!(40), &json!(91))
    );
    assert_eq!(
        verdicts(&result),
        ["accepted", "accepted", "wrong_answer", "accepted", "wrong_answer", "skipped"]
    );
    assert_eq!(
        result["groups"],
        json!([
            { "name": "small", "score": 30, "max_score": 30, "verdict": "accepted", "skipped": null },
            { "name": "half", "score": 10, "max_score": 21, "verdict": "wrong_answer", "skipped": null },
            { "name": "after half", "score": 0, "max_score": 40, "verdict": "skipped", "skipped": "depends_on" },
        ])
    );
    let left_out = &result["tests"][5];
    assert_eq!(
        (&left_out["exit_code"], &left_out["signal"], &left_out["score"]),
        (&Value::Null, &Value::Null, &json!(0))
    );
}

#[tokio::test]
async fn each_test_is_told_once_also_one_that_is_not_run() {
    let groups = json!([
        { "name": "stops", "tests": ["t7", "t8", "t10"], "points": 5, "stop_on_first_failure": true },
        { "name": "first", "tests": ["t1"], "points": 1 },
    ]);
    let bench = Bench::new(&exercise(&groups)).await;
    let id = bench.student.submit(&bench.exercise, &Program::python(NEARLY_DOUBLE)).await;
    let ended = bench.student.ended(&id).await;

    assert_eq!(
        verdicts(&ended["result"]),
        ["accepted", "accepted", "wrong_answer", "skipped", "wrong_answer", "skipped"]
    );
    assert_eq!((&ended["result"]["score"], &ended["result"]["max_score"]), (&json!(1), &json!(6)));
    let events = bench.student.get(&events_path(&id)).await.text;
    let told = events.matches("event: submission.test_finished").count();
    assert_eq!(told, 6, "{events}");
}

#[tokio::test]
async fn what_was_not_run_counts_neither_as_run_nor_as_failed_in_the_results() {
    let groups = json!([
        { "name": "a", "tests": ["t7"], "points": 1 },
        { "name": "b", "tests": ["t8"], "points": 1, "depends_on": ["a"] },
    ]);
    let bench = Bench::new(&exercise(&groups)).await;
    bench.result(&Program::python(NEARLY_DOUBLE)).await;

    let results = bench.teacher.get(&format!("/v1/exercises/{}/results", bench.exercise)).await.expect(200);

    let tests = results["tests"].as_array().expect("tests");
    let names: Vec<_> = tests.iter().map(|test| test["name"].clone()).collect();
    assert_eq!(names, ["t1", "t2", "t7", "t9", "t10"], "{results}");
    assert_eq!(results["items"][0]["best"]["max_score"], 2);
}

#[tokio::test]
async fn a_program_that_is_not_built_wins_no_group() {
    let groups = json!([{ "name": "all", "tests": ["t1"], "points": 7, "scoring": "all_or_nothing" }]);
    let mut spec = exercise(&groups);
    spec["runtimes"] = json!(["c"]);
    let bench = Bench::new(&spec).await;

    let result = bench.result(&Program::plain_c("int main(void) { return x; }")).await;

    assert_eq!(
        (&result["verdict"], &result["score"], &result["max_score"]),
        (&json!("compilation_error"), &json!(0), &json!(7))
    );
    assert_eq!(
        result["groups"],
        json!([{ "name": "all", "score": 0, "max_score": 7, "verdict": "skipped", "skipped": null }])
    );
}

#[tokio::test]
async fn groups_that_make_no_sense_are_refused_at_their_place() {
    let bench = Bench::new(&exercise(&json!([]))).await;
    let groups = json!([
        { "name": "a", "tests": ["t1", "t1", "none"], "points": 1, "depends_on": ["b"] },
        { "name": "a", "tests": [], "points": 1_000_001 },
        { "name": "b", "tests": ["t2"], "points": 1, "depends_on": ["a", "b"] },
    ]);

    let refused = bench.teacher.put("/v1/exercises/odd", &exercise(&groups)).await;

    let (code, mut pointers) = refused.problem(422);
    pointers.sort();
    assert_eq!(code, "validation_failed");
    assert_eq!(
        pointers,
        [
            "/groups/0/depends_on/0",
            "/groups/0/tests/1",
            "/groups/0/tests/2",
            "/groups/1/name",
            "/groups/1/points",
            "/groups/1/tests",
            "/groups/2/depends_on/1",
        ]
    );
    let none = bench.student.get(&format!("/v1/exercises/{}", bench.exercise)).await.expect(200);
    assert_eq!(none["groups"], json!([]));
}
