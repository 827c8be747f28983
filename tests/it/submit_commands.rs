//! `guichet submit` and `guichet run`: the true program against a true service, seen by who types it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::engine::run;
use crate::support::programs::sitter;
use crate::support::{Options, Role, TestGuichet, exercises, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// A student at a terminal: a service, his token, and his working folder.
struct Desk {
    guichet: TestGuichet,
    folder: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let guichet = Options::default().slots(1).start().await;
        guichet.teacher().put_exercise("sum", &exercises::sum()).await;
        guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
        Self { guichet, folder: tempfile::tempdir().expect("a folder") }
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.guichet.command(arguments);
        command
            .current_dir(self.folder.path())
            .env("GUICHET_URL", self.guichet.url())
            .env("GUICHET_TOKEN", self.guichet.token(Role::Student, "alice"));
        command
    }

    fn say(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments))
    }

    fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("guichet starts")
    }
}

fn printed(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[tokio::test]
async fn a_program_is_submitted_and_followed_to_its_verdict() {
    let desk = Desk::new().await;
    desk.write("main.py", b"a, b = map(int, input().split())\nprint(a + b)\n");

    let (out, err, code) = printed(&desk.say(&["submit", "main.py", "--exercise", "sum", "--watch"]));

    assert_eq!((out.as_str(), code), ("accepted, 4 of 4 points\n", Some(0)), "{err}");
    let lines: Vec<&str> = err.lines().collect();
    assert!(lines.first().is_some_and(|line| line.starts_with("place 1")), "{err}");
    assert!(lines.contains(&"running"), "{err}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("ok ")).count(), 2, "{err}");
    assert!(!err.contains('\u{1b}'), "no colours and no lines written over where there is no terminal");
}

#[tokio::test]
async fn a_wrong_answer_shows_where_it_differs_and_each_verdict_has_an_exit_code() {
    let desk = Desk::new().await;
    let submit = |name: &str| printed(&desk.say(&["submit", name, "--exercise", "sum", "--watch"]));
    desk.write("wrong.py", b"print(7)\n");
    desk.write("broken.c", b"int main(void) { return x; }\n");
    desk.write("raises.py", b"raise SystemExit(3)\n");

    let (out, err, code) = submit("wrong.py");
    assert_eq!(code, Some(10), "{out}{err}");
    assert!(out.contains("- expected, + printed\n- 3\n+ 7\n"), "{out}");
    assert!(out.ends_with("wrong_answer, 0 of 4 points\n"), "{out}");
    let (out, _err, code) = submit("broken.c");
    assert_eq!(code, Some(11), "{out}");
    assert!(out.contains("broken.c:1:25: error"), "{out}");
    let (_out, err, code) = submit("raises.py");
    assert_eq!(code, Some(12));
    assert!(err.contains("runtime_error "), "{err}");
}

#[tokio::test]
async fn a_program_that_is_only_run_speaks_for_itself() {
    let desk = Desk::new().await;
    desk.write("a/main.py", b"import sys, helper\nsys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\nprint(helper.word, sys.argv[1:], file=sys.stderr)\n");
    desk.write("a/helper.py", b"word = 'here'\n");
    desk.write("input", b"\xffba");

    let arguments = ["run", "a/main.py", "a/helper.py", "--stdin", "input", "--", "x", "--y"];
    let ran = desk.say(&arguments);

    assert_eq!(ran.stdout, b"ab\xff", "{ran:?}");
    let (_out, err, code) = printed(&ran);
    assert!(err.ends_with("here ['x', '--y']\n"), "{err}");
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn standard_input_goes_to_the_program_where_it_is_asked_to() {
    let desk = Desk::new().await;
    desk.write("main.py", b"print(input().upper())\n");
    let mut child = desk.begin(&["run", "main.py", "--stdin", "-"]);

    child.stdin.take().expect("its input").write_all(b"shout\n").expect("the input is taken");

    let (out, err, code) = printed(&child.wait_with_output().expect("it ends"));
    assert_eq!((out.as_str(), code), ("SHOUT\n", Some(0)), "{err}");
}

#[tokio::test]
async fn without_watching_the_id_is_printed_and_json_is_what_the_service_answers() {
    let desk = Desk::new().await;
    desk.write("main.py", b"print(input())\n");
    let alice = desk.guichet.student("alice");

    let (out, err, code) = printed(&desk.say(&["submit", "main.py", "--exercise", "sum"]));
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(alice.ended(out.trim()).await["exercise_id"], "sum");
    let (out, _err, _code) =
        printed(&desk.say(&["submit", "main.py", "--exercise", "sum", "--watch", "--json"]));
    let events: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert_eq!(events.last().expect("an event")["submission"]["result"]["verdict"], "wrong_answer");
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_by_name() {
    let desk = Desk::new().await;
    desk.write("main.rb", b"puts 1\n");
    desk.write("main.py", b"print(1)\n");
    let refused = |arguments: &[&str]| {
        let (out, err, code) = printed(&desk.say(arguments));
        assert_eq!((out.as_str(), code), ("", Some(1)), "{err}");
        err
    };

    let no_runtime = refused(&["submit", "main.rb", "--exercise", "sum"]);
    assert_eq!(no_runtime, "guichet: name the runtime by --runtime; there are c, python\n");
    assert!(refused(&["run", "none.py"]).starts_with("guichet: none.py cannot be read: "));
    assert!(refused(&["submit", "main.py", "--exercise", "none"]).contains("(exercise_not_found)"));
}

#[tokio::test]
async fn the_way_to_the_verdict_leads_over_a_restart_of_the_service() {
    let desk = Desk::new().await;
    desk.write("main.py", b"a, b = map(int, input().split())\nprint(a + b)\n");
    let backend = desk.guichet.client(Role::Backend, "platform");
    let mut body = sitter().body();
    body["exercise_id"] = json!("patient");
    body["owner"] = json!("early");
    let early = backend.submit_body(&body).await;
    backend.wait_for_state(&early, &["running"]).await;
    let child = desk.begin(&["submit", "main.py", "--exercise", "sum", "--watch"]);
    let alice = desk.guichet.student("alice");
    let queued = || async { alice.get("/v1/submissions?state=queued").await.expect(200)["items"].clone() };
    wait_for("the submission", SOON, queued, |items| items.as_array().is_some_and(|items| items.len() == 1))
        .await;
    let streams = || async { desk.guichet.admin().get("/metrics").await.text };
    wait_for("its stream", SOON, streams, |metrics| metrics.contains("guichet_streams_open 1")).await;

    desk.guichet.kill();
    desk.guichet.restart().await;
    backend.cancel(&early).await.expect(200);

    let waited = tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("it ends");
    let (out, err, code) = printed(&waited.expect("it ends"));
    assert_eq!((out.as_str(), code), ("accepted, 4 of 4 points\n", Some(0)), "{err}");
    assert_eq!(err.lines().filter(|line| line.starts_with("ok ")).count(), 2, "{err}");
}

#[test]
fn the_exit_codes_are_where_the_document_says() {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/terminal.md")).expect("it");

    for (verdict, code) in
        [("accepted", 0), ("wrong_answer", 10), ("compilation_error", 11), ("runtime_error", 12)]
    {
        assert!(document.contains(&format!("| {code} | `{verdict}`")), "{verdict}");
    }
}
