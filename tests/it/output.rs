//! What of a program's output is kept, and that nothing in it is taken for anything else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::stream::numbers;
use crate::support::{Bench, Event, Program, exercises};

#[tokio::test]
async fn a_test_keeps_8_kib_of_each_stream_and_says_that_it_cut() {
    let bench = Bench::with_limits("", &"x".repeat(20_000), &json!({ "output_bytes": 1 << 20 })).await;

    let report = bench
        .report(&Program::python("import sys\nsys.stdout.write('x' * 20000)\nsys.stderr.write('e' * 8192)\n"))
        .await;

    assert_eq!(report["verdict"], "accepted", "it is judged by all of its output");
    assert_eq!((&report["stdout"], &report["stdout_truncated"]), (&json!("x".repeat(8192)), &json!(true)));
    assert_eq!((&report["stderr"], &report["stderr_truncated"]), (&json!("e".repeat(8192)), &json!(false)));
}

#[tokio::test]
async fn what_a_test_holds_is_shown_whole_or_not_at_all() {
    let mut exercise = exercises::one_test("", "");
    let (kept, longer) = ("x".repeat(8192), "x".repeat(8193));
    exercise["tests"] = json!([
        { "name": "kept", "stdin": kept, "expected": kept, "visibility": "public" },
        { "name": "longer", "stdin": longer, "expected": longer, "visibility": "public" },
    ]);
    let bench = Bench::new(&exercise).await;

    let result = bench.result(&Program::python("print(input())\n")).await;

    assert_eq!(result["verdict"], "accepted", "{result}");
    let shown =
        |index: usize| (result["tests"][index]["stdin"].clone(), result["tests"][index]["expected"].clone());
    assert_eq!(shown(0), (json!(kept), json!(kept)));
    assert_eq!(shown(1), (Value::Null, Value::Null));
    assert_eq!(result["tests"][1]["stdout_truncated"], true);
}

#[tokio::test]
async fn a_run_keeps_64_kib_of_each_stream() {
    let bench = Bench::with_limits("", "", &json!({ "output_bytes": 1 << 20 })).await;

    let mut body = Program::python("print('x' * 100000)\n").body();
    body["run"] = json!({ "stdin": "", "args": [] });
    body["exercise_id"] = json!(bench.exercise);
    let id = bench.student.submit_body(&body).await;
    let report = bench.student.result(&id).await["tests"][0].clone();

    assert_eq!(report["stdout"].as_str().map(str::len), Some(65_536), "{}", report["verdict"]);
    assert_eq!(report["stdout_truncated"], true);
}

#[tokio::test]
async fn a_stream_that_wrote_beyond_the_limit_says_that_it_is_cut_and_the_other_does_not() {
    let bench = Bench::expecting("").await;
    let over = |report: &serde_json::Value| {
        assert_eq!(report["verdict"], "output_limit_exceeded", "{report}");
        assert_eq!(report["limit"]["allowed"], 65_536, "{report}");
        (report["stdout_truncated"].clone(), report["stderr_truncated"].clone())
    };
    let both = "import os\nos.write(1, b'o' * 60000)\nos.write(2, b'e' * 10000)\n";

    let stdout = bench.student.run_report(&Program::python("print(\"x\"*70000)\n"), "", &[]).await;
    let stderr = "import sys\nprint('right')\nsys.stdout.flush()\nsys.stderr.write('e' * 70000)\n";
    let stderr = bench.student.run_report(&Program::python(stderr), "", &[]).await;
    let shared = bench.student.run_report(&Program::python(both), "", &[]).await;
    let graded = bench.report(&Program::python("print('x' * 70000)\n")).await;

    assert_eq!(stdout["stdout"].as_str().map(str::len), Some(65_536));
    assert_eq!(over(&stdout), (json!(true), json!(false)));
    assert_eq!(over(&stderr), (json!(false), json!(true)));
    let lacks = |stream: &str, wrote: usize| json!(shared[stream].as_str().map(str::len) < Some(wrote));
    assert_eq!(over(&shared), (lacks("stdout", 60_000), lacks("stderr", 10_000)), "{shared}");
    assert_eq!(over(&graded), (json!(true), json!(false)));
}

#[tokio::test]
async fn a_compiler_that_wrote_beyond_its_limit_has_its_output_cut_and_says_so() {
    let mut exercise = exercises::one_test("", "");
    exercise["compile_limits"] = json!({ "output_bytes": 1000 });
    let bench = Bench::new(&exercise).await;
    let result = bench
        .result(&Program::plain_c(&("#warning much\n".repeat(200) + "int main(void) { return 0; }\n")))
        .await;

    assert_eq!(result["compile"]["limit"]["kind"], "output", "{result}");
    assert_eq!(result["compile"]["output_truncated"], true);
}

#[tokio::test]
async fn a_whole_result_keeps_256_kib() {
    let mut exercise = exercises::one_test("", "");
    exercise["limits"] = json!({ "output_bytes": 1 << 20 });
    exercise["tests"] = (0..60)
        .map(|n| json!({ "name": format!("t{n}"), "expected": "", "stdin": "abc", "visibility": "public" }))
        .collect();
    let bench = Bench::new(&exercise).await;

    let result =
        bench.result(&Program::c("int main(void) { for (int i = 0; i < 8000; i++) putchar('x'); }")).await;

    let tests = result["tests"].as_array().cloned().unwrap_or_default();
    let kept: usize = tests.iter().filter_map(|test| test["stdout"].as_str()).map(str::len).sum();
    assert!(kept <= 256 << 10, "{kept} bytes");
    assert!(kept > 200 << 10, "{kept} bytes");
    assert_eq!(
        (&tests[0]["stdout_truncated"], &tests[59]["stdout_truncated"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&tests[0]["stdin"], &tests[59]["stdin"]),
        (&json!("abc"), &Value::Null),
        "nothing is cut unsaid"
    );
}

#[tokio::test]
async fn output_that_is_no_text_is_shown_with_its_bytes_beside_it() {
    let bench = Bench::expecting("").await;

    let report =
        bench.report(&Program::python("import sys\nsys.stdout.buffer.write(b'a\\xff\\x00b')\n")).await;

    assert_eq!((&report["verdict"], &report["stdout"]), (&json!("wrong_answer"), &json!("a\u{fffd}\u{0}b")));
    assert_eq!(report["stdout_base64"], json!(STANDARD.encode(b"a\xff\x00b")));
    assert_eq!((&report["stderr"], &report["stderr_base64"]), (&json!(""), &Value::Null));
}

#[tokio::test]
async fn bytes_that_are_no_text_go_in_and_are_compared_exactly() {
    let mut exercise = exercises::one_test("", "");
    exercise["checker"] = json!({ "type": "exact" });
    exercise["tests"] = json!([{ "name": "bytes", "stdin_base64": STANDARD.encode([255, 0, 13, 10]), "expected_base64": STANDARD.encode([10, 13, 0, 255]), "visibility": "public" }]);
    let bench = Bench::new(&exercise).await;

    let report = bench
        .report(&Program::python("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\n"))
        .await;

    assert_eq!(report["verdict"], "accepted", "{report}");
}

#[tokio::test]
async fn what_looks_like_the_agents_or_the_engines_frames_is_output() {
    let bench = Bench::expecting("").await;
    let forged = "import os, struct
verdict = b'{\"verdict\":\"accepted\"}'
for fd in (1, 2):
    os.write(fd, b'\\x01\\x00\\x00\\x00' + struct.pack('>I', 4) + b'right')
    os.write(fd, struct.pack('>I', len(verdict)) + verdict)
    os.write(fd, struct.pack('<I', 3) + b'\\x02\\x00\\x00')
    os.write(fd, b'\\x02' * 64)
for fd in range(3, 1024):
    try:
        os.write(fd, verdict)
        print('wrote to', fd)
    except OSError:
        pass
for path in ['/proc/1/fd/0', '/proc/1/fd/1', '/proc/1/fd/2', '/dev/console', '/dev/tty']:
    try:
        os.write(os.open(path, os.O_WRONLY), verdict)
        print('wrote to', path)
    except OSError:
        pass
";

    let report = bench.report(&Program::python(forged)).await;

    assert_eq!((&report["verdict"], &report["exit_code"]), (&json!("wrong_answer"), &json!(0)), "{report}");
    let stdout = report["stdout"].as_str().unwrap_or_default();
    assert!(!stdout.contains("wrote to"), "{stdout:?}");
    assert!(stdout.contains("accepted"));
}

#[tokio::test]
async fn output_cannot_break_out_of_an_event() {
    let bench = Bench::expecting("").await;
    let line = "import sys\nsys.stdout.buffer.write('a\\r\\ndata: x\\rid: 77\\n\\nevent: submission.finished\\u2028\\x1b[31m<script>'.encode())\n";

    let id = bench.student.submit(&bench.exercise, &Program::python(line)).await;
    let events = bench.student.events(&id).await.into_end().await;

    assert_eq!(numbers(&events), [1, 2, 3, 4]);
    let ending: Vec<&Event> = events.iter().filter(|event| event.ends()).collect();
    assert_eq!(ending.len(), 1);
    let told = ending[0].json();
    assert_eq!(
        told["submission"]["result"]["tests"][0]["stdout"],
        "a\r\ndata: x\rid: 77\n\nevent: submission.finished\u{2028}\u{1b}[31m<script>"
    );
}
