//! Programs of every language with what must become of them: `tests/languages/<id>.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::Options;
use crate::support::client::Client;
use crate::support::engine::{build, ground, root};

/// Programs graded at the same time.
const AT_ONCE: usize = 4;

/// How long a program may take whose wall time is not what is shown.
const WALL_TIME_MS: u32 = 60_000;

/// What every language shows.
const REQUIRED: [&str; 16] = [
    "hello",
    "reads_all_input",
    "arguments",
    "utf8",
    "any_file_name",
    "several_files",
    "runtime_error",
    "exit_code",
    "cpu_limit",
    "wall_limit",
    "memory_limit",
    "output_limit",
    "processes",
    "thread",
    "recursion",
    "wrong_answer",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    program: Vec<Case>,
    /// What the language cannot show, with the reason.
    #[serde(default)]
    without: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    /// As many lines as this, each with its number from 1.
    stdin_lines: Option<u64>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    limits: Value,
    verdict: String,
    #[serde(default)]
    expected: String,
    limit: Option<String>,
    diagnostic: Option<Place>,
    /// How the test's message begins.
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    file: String,
    line: u32,
    column: Option<u32>,
}

fn corpus(id: &str) -> Corpus {
    let path = root().join("tests/languages").join(format!("{id}.toml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    fn stdin(&self) -> String {
        match self.stdin_lines {
            Some(lines) => (1..=lines).map(|number| number.to_string() + "\n").collect(),
            None => self.stdin.clone(),
        }
    }

    fn exercise(&self, runtime: &str) -> Value {
        let mut limits = if self.limits.is_null() { json!({}) } else { self.limits.clone() };
        // Wall time is the machine's as much as the program's: other tests run beside this one.
        if limits["wall_time_ms"].is_null() && self.limit.as_deref() != Some("wall_time") {
            limits["wall_time_ms"] = json!(WALL_TIME_MS);
        }
        json!({
            "title": self.name, "kind": "stdio", "runtimes": [runtime], "limits": limits,
            "tests": [{
                "name": "only", "stdin": self.stdin(), "args": self.args, "expected": self.expected, "visibility": "public",
            }],
        })
    }

    fn submission(&self, runtime: &str, exercise: &str) -> Value {
        let files: Vec<_> =
            self.files.iter().map(|(path, content)| json!({ "path": path, "content": content })).collect();
        json!({ "exercise_id": exercise, "runtime": runtime, "files": files })
    }

    /// What is not as it must be.
    fn faults(&self, result: &Value) -> Vec<String> {
        let test = &result["tests"][0];
        let mut faults = Vec::new();
        if result["verdict"] != self.verdict.as_str() {
            faults.push(format!("{} and not {}", result["verdict"], self.verdict));
        }
        let limit = test["limit"]["kind"].as_str().or(result["compile"]["limit"]["kind"].as_str());
        if self.limit.is_some() && limit != self.limit.as_deref() {
            faults.push(format!("limit {limit:?} and not {:?}", self.limit));
        }
        if let Some(place) = &self.diagnostic {
            let diagnostics = result["compile"]["diagnostics"].as_array().cloned().unwrap_or_default();
            let fits = |found: &Value| {
                found["file"] == place.file.as_str()
                    && found["line"] == place.line
                    && place.column.is_none_or(|column| found["column"] == column)
                    && !found["message"].as_str().unwrap_or_default().is_empty()
            };
            if !diagnostics.iter().any(fits) {
                faults.push(format!("no diagnostic at {place:?}"));
            }
        }
        let message = test["message"].as_str().unwrap_or_default();
        if self.message.as_ref().is_some_and(|wanted| !message.starts_with(wanted.as_str())) {
            faults.push(format!("message {message:?} and not {:?}", self.message));
        }
        faults
    }
}

/// Grades every program of a language in a service that has no other, and tells all that is wrong at once.
async fn programs_of(id: &str) {
    let corpus = corpus(id);
    let lacking: Vec<_> = REQUIRED
        .into_iter()
        .filter(|name| {
            !corpus.without.contains_key(*name) && corpus.program.iter().all(|case| case.name != *name)
        })
        .collect();
    build(&ground().docker_host, &[id]);
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(root().join("runtimes").join(id), folder.path().join(id)).expect("a link");
    let runtimes = folder.path().to_string_lossy().into_owned();
    let options = Options::default().env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes);
    // One student asks for the states of all programs.
    let options = options.env("GUICHET_RATE_LIMIT__PER_SECOND", "10000");
    let guichet = options.env("GUICHET_RATE_LIMIT__BURST", "10000").start().await;
    let (student, teacher) = (guichet.student("ada"), guichet.teacher());

    let graded = futures_util::stream::iter(&corpus.program).map(|case| grade(&student, &teacher, id, case));
    let faults: Vec<String> = graded.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;

    assert!(lacking.is_empty(), "{id} shows no {lacking:?}");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

async fn grade(student: &Client, teacher: &Client, id: &str, case: &Case) -> Option<String> {
    let exercise = format!("{id}-{}", case.name);
    teacher.put_exercise(&exercise, &case.exercise(id)).await;
    let submission = student.submit_body(&case.submission(id, &exercise)).await;
    let result = student.result(&submission).await;
    let faults = case.faults(&result);
    (!faults.is_empty()).then(|| format!("{id} {}: {}\n{result:#}", case.name, faults.join("; ")))
}

/// A test for each language, and that none was forgotten.
macro_rules! languages {
    ($($test:ident: $id:literal),* $(,)?) => {
        const TESTED: &[&str] = &[$($id),*];
        $(
            #[tokio::test]
            async fn $test() {
                programs_of($id).await;
            }
        )*
    };
}

languages! {
    bash_gives_every_verdict_and_tells_why: "bash",
    c_gives_every_verdict_and_tells_why: "c",
    cpp_gives_every_verdict_and_tells_why: "cpp",
    csharp_gives_every_verdict_and_tells_why: "csharp",
    go_gives_every_verdict_and_tells_why: "go",
    haskell_gives_every_verdict_and_tells_why: "haskell",
    java_gives_every_verdict_and_tells_why: "java",
    javascript_gives_every_verdict_and_tells_why: "javascript",
    lua_gives_every_verdict_and_tells_why: "lua",
    ocaml_gives_every_verdict_and_tells_why: "ocaml",
    pascal_gives_every_verdict_and_tells_why: "pascal",
    perl_gives_every_verdict_and_tells_why: "perl",
    php_gives_every_verdict_and_tells_why: "php",
    python_gives_every_verdict_and_tells_why: "python",
    python_scientific_gives_every_verdict_and_tells_why: "python-scientific",
    r_gives_every_verdict_and_tells_why: "r",
    ruby_gives_every_verdict_and_tells_why: "ruby",
    rust_gives_every_verdict_and_tells_why: "rust",
    sql_gives_every_verdict_and_tells_why: "sql",
    typescript_gives_every_verdict_and_tells_why: "typescript",
}

#[test]
fn every_language_has_its_programs() {
    let folders = std::fs::read_dir(root().join("runtimes")).expect("the languages");
    let ids = folders.map(|entry| entry.expect("a folder").file_name().to_string_lossy().into_owned());
    let untested: Vec<_> = ids.filter(|id| !TESTED.contains(&id.as_str())).collect();

    assert!(untested.is_empty(), "{untested:?}");
    assert!(TESTED.iter().all(|id| Path::new(&root().join("runtimes")).join(id).is_dir()));
}
