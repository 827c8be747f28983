//! What counts as a program in a language: by what is in its files, never by their names.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::engine::{root, say};
use crate::support::{Bench, Options, Program, exercises};

const HELLO: &[u8] = b"#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";

async fn accepted(bench: &Bench, program: &Program) {
    let result = bench.result(program).await;
    assert_eq!(result["verdict"], "accepted", "{program:?}: {result}");
}

/// The messages of the errors of a compilation that fails.
async fn errors(bench: &Bench, program: &Program) -> Vec<Value> {
    let result = bench.result(program).await;
    assert_eq!(result["verdict"], "compilation_error", "{program:?}: {result}");
    let diagnostics = result["compile"]["diagnostics"].as_array().cloned().unwrap_or_default();
    let errors: Vec<_> = diagnostics.into_iter().filter(|found| found["severity"] == "error").collect();
    assert!(!errors.is_empty(), "{program:?}: {result}");
    errors
}

#[tokio::test]
async fn c_is_c_whatever_its_file_is_called() {
    let bench = Bench::expecting("hello\n").await;

    for name in [
        "MAIN.C",
        "sum.C",
        "solution.cpp",
        "solution",
        "main.c.txt",
        "main.h",
        "a.s",
        "a.S",
        "x.o",
        "x.a",
        "x.so",
        "x.py",
        "@x.c",
        "a b.c",
        "caf\u{e9}.c",
        "$(id).c",
        "'; id",
        "program",
        "{output}",
        "{entry}.c",
        "{sources}",
        "sub/main.cc",
        "*",
        "=x",
        "a:b.c",
        "%s.c",
    ] {
        accepted(&bench, &Program::of_one_file("c", name, HELLO)).await;
    }
}

#[tokio::test]
async fn what_is_no_c_is_a_compilation_error_whatever_its_file_is_called() {
    let bench = Bench::expecting("hello\n").await;
    let folder = tempfile::tempdir().expect("a folder");
    let built = |arguments: &[&str], made: &str| -> Vec<u8> {
        std::fs::write(folder.path().join("main.c"), HELLO).expect("a file");
        say(Command::new("cc").current_dir(folder.path()).args(arguments));
        std::fs::read(folder.path().join(made)).expect("what was built")
    };
    let object = built(&["-c", "main.c", "-o", "x.o"], "x.o");
    let assembly = built(&["-S", "main.c", "-o", "a.s"], "a.s");
    let program = built(&["main.c", "-o", "whole"], "whole");
    let library = built(&["-shared", "-fPIC", "main.c", "-o", "x.so"], "x.so");
    say(Command::new("ar").current_dir(folder.path()).args(["rc", "x.a", "x.o"]));
    let archive = std::fs::read(folder.path().join("x.a")).expect("an archive");

    for (name, content) in [
        ("x.o", object.as_slice()),
        ("main.c", &object),
        ("a.s", &assembly),
        ("a.S", &assembly),
        ("main.c", &program),
        ("x.so", &library),
        ("x.a", &archive),
        ("x.ld", b"INPUT(/usr/lib/x86_64-linux-gnu/crt1.o)\nENTRY(_start)\n"),
        ("main.cpp", b"#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n"),
        ("main.c", b"print('hello')\n"),
        ("main.c", b""),
    ] {
        errors(&bench, &Program::of_one_file("c", name, content)).await;
    }
}

#[tokio::test]
async fn objects_and_libraries_beside_the_sources_are_not_linked() {
    let bench = Bench::expecting("hello\n").await;
    let garbage = b"no object";

    let program = Program::of_one_file("c", "main.c", HELLO).with("x.o", garbage).with("libm.a", garbage);

    accepted(&bench, &program.with("crt1.o", garbage).with("main.o", garbage)).await;
}

#[tokio::test]
async fn python_is_python_whatever_its_file_is_called() {
    let bench = Bench::expecting("hello ['x']\n").await;
    let mut exercise = exercises::one_test("", "hello ['x']\n");
    exercise["tests"][0]["args"] = json!(["x"]);
    bench.teacher.put_exercise(&bench.exercise, &exercise).await;
    let source = b"import sys\nif __name__ == '__main__':\n    print('hello', sys.argv[1:])\n";

    for name in [
        "main.py",
        "MAIN.PY",
        "solution",
        "main.c",
        "main.zip",
        "main.pyc",
        "a b.py",
        "@x",
        "__main__.py",
        "json.py",
        "sub/main.py",
        "caf\u{e9}.py",
        "*",
    ] {
        accepted(&bench, &Program::of_one_file("python", name, source)).await;
    }
}

#[tokio::test]
async fn what_is_no_python_source_is_an_error_whatever_its_file_is_called() {
    let bench = Bench::expecting("hello\n").await;
    let printed = async |source: &str| -> Vec<u8> {
        use base64::Engine as _;
        let source = format!("import base64\n{source}\nprint(base64.b64encode(made).decode())\n");
        let id = bench.student.run(&Program::python(&source), "", &[]).await;
        let result = bench.student.result(&id).await;
        let text = result["tests"][0]["stdout"].as_str().unwrap_or_default().trim().to_owned();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap_or_else(|error| panic!("{error}: {result}"))
    };
    let bytecode = printed(
        "import importlib._bootstrap_external as b\nmade = b._code_to_timestamp_pyc(compile('print(\"hello\")', 'x', 'exec'))",
    )
    .await;
    let archive = printed(
        "import io, zipfile\nfile = io.BytesIO()\nwith zipfile.ZipFile(file, 'w') as z:\n    z.writestr('__main__.py', 'print(\"hello\")')\nmade = file.getvalue()",
    )
    .await;
    let both = [b"print('hello')\n#".as_slice(), &archive].concat();

    for (name, content) in [
        ("main.py", &bytecode),
        ("main.pyc", &bytecode),
        ("main.py", &archive),
        ("main.zip", &archive),
        ("main.py", &both),
    ] {
        let report = bench.report(&Program::of_one_file("python", name, content)).await;
        assert_eq!(
            (&report["verdict"], &report["exit_code"]),
            (&json!("runtime_error"), &json!(1)),
            "{report}"
        );
        assert_eq!(report["stdout"], "", "{name}: {report}");
        assert!(report["stderr"].as_str().is_some_and(|text| text.contains("null bytes")), "{report}");
    }
}

#[tokio::test]
async fn no_module_of_python_is_compiled_anew_when_a_program_imports_it() {
    let bench = Bench::expecting("0 not compiled for good\n").await;
    // Bytecode whose second word is 1 goes by no time and by no content of its source.
    let source = "import os
seen, wrong = 0, []
for folder, _, files in os.walk('/usr/lib/python3.11'):
    for file in files:
        if file.endswith('.py') and 'lib2to3' not in folder:
            seen += 1
            compiled = os.path.join(folder, '__pycache__', file[:-3] + '.cpython-311.pyc')
            if open(compiled, 'rb').read(8)[4:] != bytes([1, 0, 0, 0]):
                wrong.append(file)
assert seen > 400, seen
print(len(wrong), 'not compiled for good', *wrong)
";

    accepted(&bench, &Program::python(source)).await;
}

#[tokio::test]
async fn all_sources_are_compiled_and_linked() {
    let bench = Bench::expecting("7\n").await;
    let main = b"#include <stdio.h>\n#include \"add.h\"\nint main(void) { printf(\"%d\\n\", add(3, 4)); return 0; }\n";
    let (header, add) =
        (b"int add(int, int);\n", b"#include \"add.h\"\nint add(int a, int b) { return a + b; }\n");
    let program =
        |name: &str| Program::of_one_file("c", "main.c", main).with("add.h", header).with(name, add);

    for name in ["add.c", "@x.c", "{entry}.c", "a b.c"] {
        accepted(&bench, &program(name)).await;
    }
    let deep = Program::of_one_file("c", "main.c", main).with("add.h", header);
    let below = b"#include \"../../add.h\"\nint add(int a, int b) { return a + b; }\n";
    accepted(
        &bench,
        &deep.with("sub/folder/main.c", below).with("notes.txt", b"no C").with("x.cpp", b"no C"),
    )
    .await;
    accepted(
        &bench,
        &program("add.c").with("program", b"mine").with("output", b"mine").with("a.out", b"mine"),
    )
    .await;
    accepted(
        &bench,
        &Program::c("#include \"lib/seven.h\"\nint main(void) { printf(\"%d\\n\", SEVEN); }")
            .with("lib/seven.h", b"#define SEVEN 7\n"),
    )
    .await;
}

#[tokio::test]
async fn two_mains_are_an_error_that_names_both_files() {
    let bench = Bench::expecting("hello\n").await;

    let errors = errors(&bench, &Program::of_one_file("c", "main.c", HELLO).with("other.c", HELLO)).await;

    let message = errors[0]["message"].as_str().unwrap_or_default();
    assert_eq!((&errors[0]["file"], &errors[0]["line"]), (&json!("other.c"), &Value::Null), "{errors:?}");
    assert!(message.contains("multiple definition of `main'") && message.contains("main.c"), "{message}");
    assert!(!message.contains("/tmp"), "{message}");
}

#[tokio::test]
async fn what_posix_and_gnu_add_to_c_is_there_as_with_plain_gcc() {
    let bench = Bench::expecting("copy a b 3.14 4 yes What??!\n").await;

    let source = "#include <math.h>\n#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <time.h>\n#include <unistd.h>
int main(void) {
    char *copy = strdup(\"copy\"), text[] = \"a b\", *rest, *first = strtok_r(text, \" \", &rest), *second = strtok_r(NULL, \" \", &rest);
    struct sigaction action = { .sa_handler = SIG_IGN };
    struct timespec now;
    typeof(4) four = 4;
    if (sigaction(SIGUSR1, &action, NULL) || clock_gettime(CLOCK_MONOTONIC, &now) || usleep(1)) return 1;
    printf(\"%s %s %s %.2f %d %s \", copy, first, second, M_PI, four, getline != NULL ? \"yes\" : \"no\");
    puts(\"What??!\");
    return 0;
}
";

    accepted(&bench, &Program::plain_c(source)).await;
}

/// A folder of runtimes with one of ours, changed, under the id `changed`.
fn changed_runtime(folder: &Path, id: &str, changes: &[(&str, &str)]) -> PathBuf {
    let mut text =
        std::fs::read_to_string(root().join("runtimes").join(id).join("runtime.toml")).expect("a runtime");
    for (from, to) in [(format!("\nid = \"{id}\"").as_str(), "\nid = \"changed\"")].iter().chain(changes) {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let runtime = folder.join("changed");
    std::fs::create_dir(&runtime).expect("a folder");
    std::fs::write(runtime.join("runtime.toml"), text).expect("a file");
    folder.to_owned()
}

#[tokio::test]
async fn strict_iso_c_is_another_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtimes =
        changed_runtime(folder.path(), "c", &[("\"-std=gnu17\"", "\"-std=c17\", \"-pedantic-errors\"")]);
    let guichet =
        Options::default().env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes.to_string_lossy()).start().await;
    let mut exercise = exercises::one_test("", "hello\n");
    exercise["runtimes"] = json!(["changed"]);
    let (student, teacher) = (guichet.student("ada"), guichet.teacher());
    teacher.put_exercise("iso", &exercise).await;

    let plain = student.grade("iso", &Program::of_one_file("changed", "main.c", HELLO)).await;
    let gnu = b"#include <stdio.h>\nint main(void) { typeof(1) one = 1; puts(\"hello\"); return one - 1; }\n";
    let extended = student.grade("iso", &Program::of_one_file("changed", "main.c", gnu)).await;

    assert_eq!(
        (&plain["verdict"], &extended["verdict"]),
        (&json!("accepted"), &json!("compilation_error")),
        "{extended}"
    );
}
