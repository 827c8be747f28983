//! Checkers that are programs of the exercise: what they decide, what they see, and whose fault is what.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{Bench, Options, Program, TestGuichet, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// A checker in Python that tells what it was called with, and decides by the first word that the program printed.
pub const BY_WORD: &str = r#"
import os, sys

stdin, answer, feedback = sys.argv[1:4]
printed = sys.stdin.buffer.read()
def say(name, text):
    open(feedback + name, "w").write(text)

assert os.listdir(feedback) == [".keep"], os.listdir(feedback)
word = printed.split()[0].decode() if printed.split() else "nothing"
say("teammessage.txt", f"you said {word}\n")
say("judgemessage.txt", f"{open(stdin).read()!r} {open(answer).read()!r} {len(printed)} {sys.argv[4:]}")
if word.startswith("score="):
    say("score.txt", word[6:])
    sys.exit(42)
if word == "crash":
    print("on purpose", file=sys.stderr)
    raise SystemExit(1)
if word == "spin":
    while True:
        pass
if word == "flood":
    while True:
        print("x" * 1000)
sys.exit(42 if word == "yes" else 43)
"#;

/// A checker in C: the sum of what is printed has to be the answer.
pub const SUM_IN_C: &str = r#"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc < 4) return 1;
    FILE *answer = fopen(argv[2], "r");
    long wanted, number, sum = 0;
    if (!answer || fscanf(answer, "%ld", &wanted) != 1) return 1;
    while (scanf("%ld", &number) == 1) sum += number;
    return sum == wanted ? 42 : 43;
}
"#;

pub fn checker(runtime: &str, path: &str, source: &str) -> Value {
    json!({ "type": "program", "runtime": runtime, "files": [ { "path": path, "content": source } ] })
}

/// Two tests, of which one is public and worth 10, decided by a checker.
pub fn exercise(checker: &Value) -> Value {
    json!({
        "title": "Checked", "kind": "stdio", "runtimes": ["python", "c"], "checker": checker,
        "tests": [
            { "name": "open", "stdin": "in\n", "expected": "out\n", "visibility": "public", "weight": 10 },
            { "name": "closed", "stdin": "hidden in\n", "expected": "hidden out\n", "weight": 1 },
        ],
    })
}

async fn bench() -> Bench {
    Bench::new(&exercise(&checker("python", "check.py", BY_WORD))).await
}

#[tokio::test]
async fn a_program_accepts_and_refuses_and_says_why_to_whom_it_should() {
    let bench = bench().await;

    let yes = bench.student.submit(&bench.exercise, &programs::python_print("yes")).await;
    let no = bench.student.submit(&bench.exercise, &programs::python_print("no")).await;

    let (yes, no_result) = (bench.student.result(&yes).await, bench.student.result(&no).await);
    assert_eq!((&yes["verdict"], &yes["score"]), (&json!("accepted"), &json!(11)), "{yes}");
    assert_eq!((&no_result["verdict"], &no_result["score"]), (&json!("wrong_answer"), &json!(0)));
    let (open, closed) = (&no_result["tests"][0], &no_result["tests"][1]);
    assert_eq!((&open["message"], &open["judge_message"]), (&json!("you said no"), &Value::Null));
    assert_eq!((&closed["message"], &closed["judge_message"]), (&Value::Null, &Value::Null));
    let seen = bench.teacher.submission(&no).await["result"]["tests"].clone();
    assert_eq!(seen[0]["judge_message"], json!("'in\\n' 'out\\n' 3 []"));
    assert_eq!(seen[1]["message"], json!("you said no"));
    assert_eq!(seen[1]["judge_message"], json!("'hidden in\\n' 'hidden out\\n' 3 []"));
}

#[tokio::test]
async fn a_checker_in_a_compiled_language_is_built_once_and_decides_for_programs_of_another() {
    let mut exercise = exercise(&checker("c", "check.c", SUM_IN_C));
    exercise["tests"][0]["expected"] = json!("6");
    exercise["tests"][1]["expected"] = json!("6");
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("sum", &exercise).await;
    let alice = guichet.student("alice");

    let right = alice.grade("sum", &programs::python_print("1 2 3")).await;
    let in_c = Program::c("#include <stdio.h>\nint main(void) { puts(\"4\\n2\"); }\n");
    let right_too = alice.grade("sum", &in_c).await;
    let wrong = alice.grade("sum", &programs::python_print("1 2")).await;

    assert_eq!((&right["verdict"], &right_too["verdict"]), (&json!("accepted"), &json!("accepted")));
    assert_eq!(wrong["verdict"], "wrong_answer");
    // The programs of three submissions and the checker that all of them were decided by.
    let containers = guichet.admin().get("/v1/containers?runtime=c").await.expect(200);
    let served: Vec<_> = containers["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["submissions"].clone())
        .collect();
    assert!(served.contains(&json!(3)) && served.contains(&json!(1)), "{containers}");
}

#[tokio::test]
async fn a_part_of_the_weight_is_won_by_the_score_that_the_checker_gives() {
    let bench = bench().await;

    let half = bench.student.grade(&bench.exercise, &programs::python_print("score=0.55")).await;
    let none = bench.student.grade(&bench.exercise, &programs::python_print("score=0")).await;

    assert_eq!(
        (&half["verdict"], &half["score"], &half["max_score"]),
        (&json!("accepted"), &json!(5), &json!(11))
    );
    assert_eq!((&half["tests"][0]["score"], &half["tests"][1]["score"]), (&json!(5), &json!(0)));
    assert_eq!((&none["verdict"], &none["score"]), (&json!("accepted"), &json!(0)));
}

#[tokio::test]
async fn a_checker_that_decides_nothing_is_the_exercises_fault_and_only_teachers_see_how() {
    let mut checker = checker("python", "check.py", BY_WORD);
    checker["limits"] = json!({ "cpu_time_ms": 500, "wall_time_ms": 120_000 });
    let bench = Bench::new(&exercise(&checker)).await;
    let cases = [
        ("crash", "exit code 1", json!(null)),
        ("score=2", "score.txt", json!(null)),
        ("spin", "limit of CPU time", json!("cpu_time")),
        ("flood", "limit of output", json!("output")),
    ];

    for (word, problem, limit) in cases {
        let id = bench.student.submit(&bench.exercise, &programs::python_print(word)).await;
        let ended = bench.student.ended(&id).await;
        assert_eq!((&ended["state"], &ended["result"]), (&json!("failed"), &Value::Null), "{ended}");
        assert_eq!((&ended["attempt"], &ended["failure"]["attempts"]), (&json!(1), &json!([])));
        assert_eq!(ended["failure"]["code"], "checker_failed");
        assert!(text(&ended["failure"]["message"]).contains("exercise is at fault"), "{ended}");
        assert_eq!(ended["failure"]["checker"], Value::Null);
        let mut stream = bench.student.events(&id).await;
        let events = stream.until(crate::support::Event::ends).await;
        assert!(!stream.raw().contains("hidden") && !stream.raw().contains("on purpose"), "{events:?}");
        let seen = bench.teacher.submission(&id).await["failure"]["checker"].clone();
        assert_eq!((&seen["test"], &seen["limit"]["kind"]), (&json!("open"), &limit), "{seen}");
        assert!(text(&seen["problem"]).contains(problem), "{seen}");
        assert_eq!(text(&seen["output"]).contains("on purpose"), word == "crash", "{seen}");
        assert!(seen["judge_message"].is_string(), "{seen}");
    }
    let next = bench.student.grade(&bench.exercise, &programs::python_print("yes")).await;
    assert_eq!(next["verdict"], "accepted");
}

#[tokio::test]
async fn a_checker_that_cannot_be_built_is_told_to_teachers_with_what_the_compiler_says() {
    let bench = Bench::new(&exercise(&checker("c", "check.c", "int main(void) { return 42 }\n"))).await;

    let id = bench.student.submit(&bench.exercise, &programs::python_print("yes")).await;
    let ended = bench.student.ended(&id).await;

    assert_eq!((&ended["state"], &ended["failure"]["code"]), (&json!("failed"), &json!("checker_failed")));
    let seen = bench.teacher.submission(&id).await["failure"]["checker"].clone();
    assert_eq!((&seen["test"], &seen["exit_code"]), (&Value::Null, &json!(1)), "{seen}");
    assert!(text(&seen["output"]).contains("check.c:1"), "{seen}");
    assert!(text(&seen["problem"]).contains("compilation"), "{seen}");
}

#[tokio::test]
async fn a_program_that_does_not_end_well_is_not_checked() {
    let bench = Bench::new(&exercise(&checker("python", "check.py", "import sys\nsys.exit(1)\n"))).await;

    let result = bench.student.grade(&bench.exercise, &Program::python("print('yes')\nexit(3)\n")).await;

    assert_eq!(result["verdict"], "runtime_error");
}

#[tokio::test]
async fn a_run_with_input_of_its_own_is_not_checked() {
    let guichet = TestGuichet::start().await;
    let mut exercise = exercise(&checker("python", "check.py", "import sys\nsys.exit(1)\n"));
    exercise["limits"] = json!({ "cpu_time_ms": 1500 });
    guichet.teacher().put_exercise("checked", &exercise).await;
    let alice = guichet.student("alice");
    let program = programs::python_print("yes");
    let body = json!({ "exercise_id": "checked", "runtime": "python", "files": program.files(),
                       "run": { "stdin": "", "args": [] } });

    let id = alice.submit_body(&body).await;

    assert_eq!(alice.result(&id).await["verdict"], "accepted");
}

#[tokio::test]
async fn programs_and_checkers_never_share_a_container() {
    let spy = "import os, sys\nroots = ['/w', '/tmp', '/dev/shm']\n\
               seen = [os.path.join(top, name) for root in roots for top, _, names in os.walk(root) for name in names]\n\
               open('/tmp/mark', 'w').write('x')\nopen('mark', 'w').write('x')\nprint(sorted(seen), os.getuid())\n";
    let source = "import os, sys\nanswer = open(sys.argv[2]).read()\nprinted = sys.stdin.read()\n\
                  files = [name for root in ['/w', '/tmp'] for _, _, names in os.walk(root) for name in names]\n\
                  open(sys.argv[3] + 'judgemessage.txt', 'w').write(str(os.getuid()))\n\
                  sys.exit(42 if 'check' not in printed and 'answer' not in printed and 'mark' not in files else 43)\n";
    let bench = Bench::new(&exercise(&checker("python", "check.py", source))).await;

    let mut seen = Vec::new();
    for _twice in 0..2 {
        let id = bench.student.submit(&bench.exercise, &Program::python(spy)).await;
        assert_eq!(
            bench.student.result(&id).await["verdict"],
            "accepted",
            "{}",
            bench.teacher.submission(&id).await
        );
        seen.push(bench.teacher.submission(&id).await["result"]["tests"][0].clone());
    }

    for test in seen {
        let printed = text(&test["stdout"]);
        let uid = printed.split_whitespace().last().expect("a uid");
        assert_ne!(uid, text(&test["judge_message"]), "a checker has no uid of a program");
    }
}

#[tokio::test]
async fn an_output_reaches_the_checker_whole_and_feedback_is_cut() {
    let source = "import sys\nprinted = sys.stdin.buffer.read()\n\
                  open(sys.argv[3] + 'teammessage.txt', 'w').write('é' * 100_000)\n\
                  open(sys.argv[3] + 'judgemessage.txt', 'wb').write(b'\\xff\\0 ' + str(len(printed)).encode())\n\
                  sys.exit(42)\n";
    let mut exercise = exercise(&checker("python", "check.py", source));
    exercise["limits"] = json!({ "output_bytes": 4_000_000 });
    let bench = Bench::new(&exercise).await;

    let id = bench.student.submit(&bench.exercise, &Program::python("print('x' * 3_000_000)\n")).await;
    let result = bench.student.result(&id).await;

    assert_eq!(result["verdict"], "accepted");
    let message = text(&result["tests"][0]["message"]);
    assert!(message.len() < 9000 && message.ends_with("é…"), "{} bytes", message.len());
    let seen = bench.teacher.submission(&id).await;
    assert_eq!(seen["result"]["tests"][0]["judge_message"], "\u{fffd}\u{fffd} 3000001");
}

#[tokio::test]
async fn the_files_of_a_feedback_folder_are_those_of_one_check_and_no_links() {
    let source = "import os, sys\nfeedback = sys.argv[3]\nassert os.listdir(feedback) == ['.keep']\n\
                  os.symlink('/etc/passwd', feedback + 'teammessage.txt')\nos.mkfifo(feedback + 'judgemessage.txt')\n\
                  os.mkdir(feedback + 'score.txt')\nos.remove(sys.argv[1])\nopen('check.py', 'w').write('spoiled')\n\
                  sys.exit(42)\n";
    let bench = Bench::new(&exercise(&checker("python", "check.py", source))).await;

    for _twice in 0..2 {
        let id = bench.student.submit(&bench.exercise, &programs::python_print("yes")).await;
        let seen = bench.teacher.ended(&id).await;
        assert_eq!((&seen["result"]["score"], &seen["failure"]), (&json!(11), &Value::Null), "{seen}");
        let test = &seen["result"]["tests"][1];
        assert_eq!((&test["message"], &test["judge_message"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn arguments_and_limits_are_the_checkers_own_and_a_new_version_has_its_own_program() {
    let mut checker = checker("python", "check.py", BY_WORD);
    checker["args"] = json!(["tolerance", "1e-6 and more"]);
    checker["limits"] = json!({ "cpu_time_ms": 300, "wall_time_ms": 60_000 });
    let mut exercise = exercise(&checker);
    let bench = Bench::new(&exercise).await;

    let id = bench.student.submit(&bench.exercise, &programs::python_print("yes")).await;
    bench.student.ended(&id).await;
    let seen = bench.teacher.submission(&id).await;
    assert_eq!(
        seen["result"]["tests"][0]["judge_message"],
        "'in\\n' 'out\\n' 4 ['tolerance', '1e-6 and more']"
    );
    let slow = bench.student.submit(&bench.exercise, &programs::python_print("spin")).await;
    bench.student.ended(&slow).await;
    let fault = bench.teacher.submission(&slow).await["failure"]["checker"].clone();
    assert_eq!(fault["limit"]["allowed"], 300, "{fault}");

    exercise["checker"]["files"][0]["content"] = json!("import sys\nsys.exit(43)\n");
    bench.teacher.put_exercise(&bench.exercise, &exercise).await;

    let result = bench.student.grade(&bench.exercise, &programs::python_print("yes")).await;
    assert_eq!(result["verdict"], "wrong_answer");
    bench.teacher.act(&format!("/v1/submissions/{id}/rejudge")).await.expect(202);
    let again = wait_for(
        "the second round",
        SOON,
        || bench.student.submission(&id),
        |now| now["result"]["round"] == 2,
    );
    assert_eq!(again.await["result"]["verdict"], "wrong_answer");
}

#[tokio::test]
async fn what_is_wrong_with_a_checker_is_named_with_its_place() {
    let guichet = TestGuichet::start().await;
    let teacher = guichet.teacher();
    let refused = async |checker: Value| {
        let answer = teacher.put("/v1/exercises/checked", &exercise(&checker)).await;
        answer.problem(422)
    };
    let python = |files: Value| json!({ "type": "program", "runtime": "python", "files": files });
    let file = |path: &str| json!({ "path": path, "content": "" });

    for (checker, pointers) in [
        (json!({ "type": "program" }), vec!["/checker/runtime", "/checker/files"]),
        (json!({ "type": "program", "runtime": "cobol", "files": [file("a")] }), vec!["/checker/runtime"]),
        (json!({ "type": "program", "runtime": " ", "files": [file("a")] }), vec!["/checker/runtime"]),
        (python(json!([])), vec!["/checker/files"]),
        (python(json!([file("a.py"), file("b.py")])), vec!["/checker/files"]),
        (python(json!([file("../a.py")])), vec!["/checker/files/0/path"]),
        (python(json!([file("main.py"), file(".check/input")])), vec!["/checker/files/1/path"]),
        (python(json!([{ "path": "a.py", "content": "#".repeat(1_100_000) }])), vec!["/checker/files"]),
        (
            json!({ "type": "tokens", "runtime": "python", "args": [] }),
            vec!["/checker/runtime", "/checker/args"],
        ),
        (
            json!({ "type": "program", "runtime": "python", "files": [file("a.py")], "case_sensitive": true,
                 "limits": { "cpu_time_ms": 0 } }),
            vec!["/checker/case_sensitive"],
        ),
        (
            json!({ "type": "program", "runtime": "python", "files": [file("a.py")], "limits": { "cpu_time_ms": 0 } }),
            vec!["/checker/limits/cpu_time_ms"],
        ),
    ] {
        let (code, places) = refused(checker.clone()).await;
        assert_eq!(
            (code.as_str(), places),
            ("validation_failed", pointers.iter().map(|at| (*at).to_owned()).collect()),
            "{checker}"
        );
    }
}

#[tokio::test]
async fn a_student_sees_that_a_program_decides_and_nothing_of_it() {
    let bench = bench().await;
    let path = format!("/v1/exercises/{}", bench.exercise);

    let teachers = bench.teacher.get(&path).await.expect(200);
    let students = bench.student.get(&path).await.expect(200);
    let listed = bench.student.get("/v1/exercises").await;

    assert_eq!(teachers["checker"]["files"][0]["content"], BY_WORD);
    assert_eq!(
        students["checker"],
        json!({ "type": "program", "runtime": "python", "files": null, "args": null, "limits": {} })
    );
    assert!(!listed.text.contains("teammessage"), "{listed:?}");
    let unchanged = bench.teacher.put(&path, &teachers).await.expect(200);
    assert_eq!(unchanged["version"], 1);
}
