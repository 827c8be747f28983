//! Exercises that the tests grade by.

use serde_json::{Value, json};

/// Sum of two numbers: a public test worth 1 and a hidden one worth 3.
pub fn sum() -> Value {
    json!({
        "title": "Sum", "statement": "Read two integers, print their sum.", "kind": "stdio", "runtimes": ["python", "c"],
        "tests": [
            { "name": "small", "stdin": "1 2\n", "expected": "3\n", "visibility": "public", "weight": 1 },
            { "name": "big", "stdin": "40 2\n", "expected": "42\n", "visibility": "hidden", "weight": 3 },
        ],
    })
}

/// Sum with long wall limits, for programs that keep a slot busy.
pub fn patient_sum() -> Value {
    let mut exercise = one_test("1 2\n", "3\n");
    exercise["limits"] = json!({ "wall_time_ms": 120_000 });
    exercise
}

/// One public test.
pub fn one_test(stdin: &str, expected: &str) -> Value {
    json!({
        "title": "One test", "kind": "stdio", "runtimes": ["python", "c"],
        "tests": [{ "name": "only", "stdin": stdin, "expected": expected, "visibility": "public" }],
    })
}

/// The same, with limits.
pub fn one_test_with(stdin: &str, expected: &str, limits: &Value) -> Value {
    let mut exercise = one_test(stdin, expected);
    exercise["limits"] = limits.clone();
    exercise
}
