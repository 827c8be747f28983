//! What is shown to whom, how outputs are compared, what a submission is worth.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, Client, Options, Program, TestGuichet, exercises, programs, wait_for};

#[tokio::test]
async fn a_student_sees_why_a_public_test_failed_and_nothing_of_a_hidden_one() {
    let mut exercise = exercises::sum();
    exercise["tests"][0]["expected"] = json!("4\n");
    exercise["tests"][1]["expected"] = json!("44\n");
    let bench = Bench::new(&exercise).await;

    let id = bench.student.submit(&bench.exercise, &programs::python_sum()).await;
    let result = bench.student.result(&id).await;

    let (public, hidden) = (&result["tests"][0], &result["tests"][1]);
    assert_eq!((&result["verdict"], &result["score"]), (&json!("wrong_answer"), &json!(0)));
    assert_eq!(
        (&public["stdin"], &public["expected"], &public["stdout"]),
        (&json!("1 2\n"), &json!("4\n"), &json!("3\n"))
    );
    assert!(public["message"].is_string(), "{public}");
    assert_eq!((&hidden["verdict"], &hidden["name"]), (&json!("wrong_answer"), &json!("big")));
    for field in [
        "stdin",
        "expected",
        "stdout",
        "stdout_base64",
        "stdout_truncated",
        "stderr",
        "stderr_base64",
        "stderr_truncated",
        "message",
    ] {
        assert_eq!(hidden.get(field), Some(&Value::Null), "{field} of {hidden}");
    }
    assert!(hidden["usage"]["wall_time_ms"].is_u64(), "{hidden}");
    let seen = bench.teacher.submission(&id).await;
    assert_eq!(seen["result"]["tests"][1]["expected"], "44\n");
    assert_eq!(seen["result"]["tests"][1]["stdout"], "42\n");
}

#[tokio::test]
async fn a_message_quotes_what_was_printed_as_it_was_printed_and_names_what_cannot_be_seen() {
    let told = async |checker: &str, expected: &str, program: &str| {
        let mut exercise = exercises::one_test("", expected);
        exercise["checker"] = json!({ "type": checker });
        let report = Bench::new(&exercise).await.report(&Program::python(program)).await;
        assert_eq!(report["verdict"], "wrong_answer", "{report}");
        crate::support::client::text(&report["message"])
    };

    assert_eq!(told("tokens", "do", "print(\"don't\")").await, "line 1: expected `do`, got `don't`");
    for (printed, name) in [
        ("\\ufeff3", "⟨byte order mark⟩3"),
        ("3\\u00a0", "3⟨no-break space⟩"),
        ("3\\0", "3⟨NUL⟩"),
        ("3\\u200b", "3⟨zero width space⟩"),
    ] {
        let message = told("tokens", "3\n", &format!("print('{printed}')")).await;
        assert_eq!(message, format!("line 1: expected `3`, got `{name}`"));
    }
    for (printed, name) in [
        ("3\\r\\n", "expected `3`, got `3⟨carriage return⟩`"),
        ("3\\t\\n", "expected `3`, got `3⟨tab⟩`"),
        ("3 \\n", "expected `3`, got `3⟨space⟩`"),
        ("3", "the newline at the end is missing"),
        ("3\\n\\n", "line 2: an empty line is too much"),
    ] {
        let program = format!("import sys\nsys.stdout.buffer.write('{printed}'.encode())");
        let message = told("exact", "3\n", &program).await;
        assert!(message.ends_with(name), "{message}");
    }
}

#[tokio::test]
async fn hidden_tests_are_hidden_in_streams_lists_and_exercises_too() {
    let mut exercise = exercises::sum();
    exercise["tests"][1]["stdin"] = json!("40 2 secret-input\n");
    exercise["tests"][1]["expected"] = json!("secret-expected\n");
    let bench = Bench::new(&exercise).await;

    let program =
        Program::python("import sys\ntext = sys.stdin.read()\nprint(text)\nprint(text, file=sys.stderr)\n");
    let id = bench.student.submit(&bench.exercise, &program).await;
    let mut own = bench.student.own_events().await;
    let mut stream = bench.student.events(&id).await;
    stream.until(crate::support::Event::ends).await;
    own.drain(std::time::Duration::from_millis(500)).await;

    let list = bench.student.get("/v1/submissions").await.text;
    let shown = bench.student.get(&format!("/v1/exercises/{}", bench.exercise)).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    for text in [stream.raw(), own.raw(), list, shown.text] {
        assert!(!text.contains("secret"), "{text}");
    }
    let teacher = bench.teacher.get(&format!("/v1/exercises/{}", bench.exercise)).await;
    assert!(teacher.text.contains("secret-expected"), "{teacher:?}");
}

#[tokio::test]
async fn a_lists_results_come_without_tests() {
    let bench = Bench::new(&exercises::sum()).await;

    let id = bench.student.submit(&bench.exercise, &programs::python_sum()).await;
    bench.student.ended(&id).await;
    let list = bench.student.get("/v1/submissions?state=finished").await.expect(200);

    assert_eq!(list["items"][0]["id"], json!(id));
    assert_eq!(
        (&list["items"][0]["result"]["verdict"], &list["items"][0]["result"]["tests"]),
        (&json!("accepted"), &Value::Null)
    );
}

#[tokio::test]
async fn every_test_is_worth_its_weight_and_the_first_failure_is_the_verdict() {
    let mut exercise = exercises::sum();
    exercise["tests"].as_array_mut().unwrap_or_else(|| panic!("tests")).push(json!(
        { "name": "words", "stdin": "one two\n", "expected": "three\n", "visibility": "public", "weight": 10 }
    ));
    let bench = Bench::new(&exercise).await;

    let result = bench.result(&programs::python_nearly_sum()).await;

    assert_eq!(
        (&result["verdict"], &result["score"], &result["max_score"]),
        (&json!("wrong_answer"), &json!(1), &json!(14))
    );
    let tests = result["tests"].as_array().cloned().unwrap_or_default();
    let each: Vec<_> = tests.iter().map(|test| (test["verdict"].clone(), test["score"].clone())).collect();
    assert_eq!(
        each,
        [
            (json!("accepted"), json!(1)),
            (json!("wrong_answer"), json!(0)),
            (json!("runtime_error"), json!(0))
        ]
    );
    assert_eq!(tests[2]["max_score"], 10);
}

#[tokio::test]
async fn an_exercise_may_stop_at_the_first_failure() {
    let mut exercise = exercises::sum();
    exercise["tests"][0]["expected"] = json!("4\n");
    exercise["stop_on_first_failure"] = json!(true);
    let bench = Bench::new(&exercise).await;

    let result = bench.result(&programs::python_sum()).await;

    assert_eq!(result["tests"].as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(
        (&result["verdict"], &result["score"], &result["max_score"]),
        (&json!("wrong_answer"), &json!(0), &json!(4))
    );
}

#[tokio::test]
async fn numbers_may_differ_by_the_tolerance_and_no_more() {
    let mut exercise = exercises::one_test("", "3.14159 words 1e6\n");
    exercise["checker"] =
        json!({ "type": "tokens", "float_tolerance": { "absolute": 1e-3, "relative": 1e-3 } });
    let bench = Bench::new(&exercise).await;

    for (line, verdict) in [
        ("3.1420   words\n\n1000500.0", "accepted"),
        ("3.20 words 1e6", "wrong_answer"),
        ("3.14159 Words 1e6", "wrong_answer"),
        ("3.14159 words 1e6 more", "wrong_answer"),
        ("nan words 1e6", "wrong_answer"),
        ("inf words 1e6", "wrong_answer"),
    ] {
        assert_eq!(bench.report(&programs::python_print(line)).await["verdict"], verdict, "{line}");
    }
}

#[tokio::test]
async fn an_exact_checker_minds_every_byte_and_a_token_checker_does_not() {
    let mut exact = exercises::one_test("", "a b\n");
    exact["checker"] = json!({ "type": "exact" });
    let exact = Bench::new(&exact).await;
    let mut loose = exercises::one_test("", "a b\n");
    loose["checker"] = json!({ "type": "tokens", "case_sensitive": false });
    let loose = Bench::new(&loose).await;

    assert_eq!(exact.report(&programs::python_print("a b")).await["verdict"], "accepted");
    assert_eq!(exact.report(&programs::python_print("a  b")).await["verdict"], "wrong_answer");
    assert_eq!(loose.report(&programs::python_print("  A\nb ")).await["verdict"], "accepted");
    assert_eq!(loose.report(&programs::python_print("ab")).await["verdict"], "wrong_answer");
}

#[tokio::test]
async fn limits_may_differ_by_runtime() {
    let mut exercise = exercises::one_test("", "");
    exercise["limits"] = json!({ "wall_time_ms": 300 });
    exercise["limits_by_runtime"] = json!({ "python": { "wall_time_ms": 700 } });
    let bench = Bench::new(&exercise).await;

    let c = bench.report(&Program::c("int main(void) { pause(); }")).await;
    let python = bench.report(&Program::python("import signal\nsignal.pause()\n")).await;

    assert_eq!((&c["limit"]["allowed"], &python["limit"]["allowed"]), (&json!(300), &json!(700)));
}

#[tokio::test]
async fn a_submission_keeps_the_version_it_was_sent_for() {
    let bench = Bench::new(&exercises::one_test("", "one\n")).await;

    let before = bench.student.submit(&bench.exercise, &programs::python_print("one")).await;
    bench.teacher.put_exercise(&bench.exercise, &exercises::one_test("", "two\n")).await;
    let after = bench.student.submit(&bench.exercise, &programs::python_print("one")).await;

    let (before, after) = (bench.student.ended(&before).await, bench.student.ended(&after).await);
    assert_eq!((&before["exercise_version"], &before["result"]["verdict"]), (&json!(1), &json!("accepted")));
    assert_eq!(
        (&after["exercise_version"], &after["result"]["verdict"]),
        (&json!(2), &json!("wrong_answer"))
    );
}

#[tokio::test]
async fn a_program_gets_the_arguments_of_its_test() {
    let mut exercise = exercises::one_test("", "['-o', 'two words', '$HOME', '']\n");
    exercise["checker"] = json!({ "type": "exact" });
    exercise["tests"][0]["args"] = json!(["-o", "two words", "$HOME", ""]);
    let bench = Bench::new(&exercise).await;

    let report = bench.report(&Program::python("import sys\nprint(sys.argv[1:])\n")).await;

    assert_eq!(report["verdict"], "accepted", "{report}");
}

#[tokio::test]
async fn a_run_has_its_own_input_and_arguments_and_no_score() {
    let bench = Bench::expecting("").await;

    let program = Program::python("import sys\nprint(sys.stdin.read() * int(sys.argv[1]))\n");
    let id = bench.student.run(&program, "ab", &["2"]).await;
    let ended = bench.student.ended(&id).await;

    assert_eq!(ended["run"], json!({ "stdin": "ab", "args": ["2"] }));
    assert_eq!(ended["exercise_id"], Value::Null);
    let result = &ended["result"];
    assert_eq!(
        (&result["verdict"], &result["score"], &result["max_score"]),
        (&json!("accepted"), &Value::Null, &Value::Null)
    );
    let report = &result["tests"][0];
    assert_eq!(
        (&report["name"], &report["stdout"], &report["expected"]),
        (&json!("run"), &json!("abab\n"), &Value::Null)
    );
    assert_eq!((&report["score"], &report["max_score"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_run_that_fails_says_how() {
    let bench = Bench::expecting("").await;

    let report = bench.student.run_report(&Program::python("raise SystemExit(7)\n"), "", &[]).await;

    assert_eq!((&report["verdict"], &report["exit_code"]), (&json!("runtime_error"), &json!(7)));
}

#[tokio::test]
async fn a_run_for_an_exercise_has_the_exercises_limits() {
    let bench = Bench::with_limits("", "", &json!({ "wall_time_ms": 300 })).await;

    let mut body = Program::c("int main(void) { pause(); }").body();
    body["run"] = json!({ "stdin": "", "args": [] });
    body["exercise_id"] = json!(bench.exercise);
    let id = bench.student.submit_body(&body).await;
    let ended = bench.student.ended(&id).await;

    assert_eq!(ended["result"]["tests"][0]["limit"]["allowed"], 300, "{ended}");
    assert_eq!(ended["exercise_id"], json!(bench.exercise));
}

/// The container in which a submission runs.
async fn container_of(guichet: &TestGuichet, student: &Client, exercise: &str) -> String {
    let id = student.submit(exercise, &programs::sleep_then_sum(4.0)).await;
    student.wait_for_state(&id, &["running", "finished"]).await;
    let (engine, label) = (guichet.engine(), guichet.label().await);
    let look = || async { engine.busy(&label) };
    let found = wait_for("the program to run", Duration::from_mins(1), look, |found| found.len() == 1).await;
    assert_eq!(student.result(&id).await["verdict"], "accepted");
    found[0].clone()
}

#[tokio::test]
async fn a_container_is_used_again_unless_the_exercise_asks_for_a_fresh_one() {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("reset", &exercises::patient_sum()).await;
    let mut fresh = exercises::patient_sum();
    fresh["isolation"] = json!("fresh");
    guichet.teacher().put_exercise("fresh", &fresh).await;
    let alice = guichet.student("alice");

    let first = container_of(&guichet, &alice, "reset").await;
    let again = container_of(&guichet, &alice, "reset").await;
    let alone = container_of(&guichet, &alice, "fresh").await;
    let after = container_of(&guichet, &alice, "reset").await;

    assert_eq!(first, again);
    assert_ne!(alone, again, "it got a container that others had used");
    assert_ne!(after, alone, "its container was used again");
}

#[tokio::test]
async fn changed_files_of_an_ended_submission_open_a_new_round() {
    let bench = Bench::new(&exercises::sum()).await;
    let id = bench.student.submit(&bench.exercise, &programs::python_nearly_sum()).await;
    bench.student.ended(&id).await;
    let enqueue = async || bench.student.act(&format!("/v1/submissions/{id}/enqueue")).await;

    assert_eq!(enqueue().await.expect(202)["round"], 1);
    let files = json!({ "files": programs::python_sum().files() });
    bench.student.put(&format!("/v1/submissions/{id}/files"), &files).await.expect(200);
    assert_eq!(enqueue().await.expect(202)["round"], 2);
    let ended = bench.student.ended(&id).await;

    assert_eq!((&ended["round"], &ended["attempt"]), (&json!(2), &json!(1)));
    assert_eq!((&ended["result"]["round"], &ended["result"]["verdict"]), (&json!(2), &json!("accepted")));
    let events = bench.student.events(&id).await.into_end().await;
    assert_eq!(events.iter().filter(|event| event.ends()).count(), 2);
}
