//! What can go wrong while a program is compiled.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Bench, Program, exercises};

async fn compile_of(bench: &Bench, program: &Program) -> Value {
    let result = bench.result(program).await;
    assert_eq!((&result["verdict"], &result["score"]), (&json!("compilation_error"), &json!(0)), "{result}");
    assert_eq!(result["tests"], json!([]));
    assert_eq!(result["compile"]["ok"], false);
    result["compile"].clone()
}

async fn bench_with_short_compilation() -> Bench {
    let mut exercise = exercises::one_test("", "");
    exercise["compile_limits"] =
        json!({ "cpu_time_ms": 2000, "wall_time_ms": 3000, "memory_bytes": 268_435_456 });
    Bench::new(&exercise).await
}

#[tokio::test]
async fn a_compilation_error_names_file_line_and_message() {
    let bench = Bench::expecting("").await;

    let compile = compile_of(&bench, &Program::plain_c("int main(void) {\n    return missing;\n}\n")).await;

    let first = &compile["diagnostics"][0];
    assert!(compile["diagnostics"].as_array().is_some_and(|list| !list.is_empty()), "{compile}");
    let error =
        compile["diagnostics"].as_array().into_iter().flatten().find(|found| found["severity"] == "error");
    let error = error.unwrap_or(first);
    assert_eq!(
        (&error["file"], &error["line"], &error["column"]),
        (&json!("main.c"), &json!(2), &json!(12)),
        "{compile}"
    );
    assert!(error["message"].as_str().is_some_and(|message| message.contains("missing")), "{compile}");
    assert_eq!(compile["exit_code"], 1);
    assert!(compile["output"].as_str().is_some_and(|output| output.contains("main.c:2:12")), "{compile}");
}

#[tokio::test]
async fn warnings_are_told_and_do_no_harm() {
    let bench = Bench::expecting("").await;

    let result =
        bench.result(&Program::plain_c("int main(void) {\n    int unused;\n    return 0;\n}\n")).await;

    assert_eq!(result["verdict"], "accepted", "{result}");
    let warning = &result["compile"]["diagnostics"][0];
    assert_eq!((&warning["severity"], &warning["line"]), (&json!("warning"), &json!(2)), "{result}");
}

#[tokio::test]
async fn an_endless_file_is_stopped_by_the_limits_of_compiling() {
    let bench = bench_with_short_compilation().await;

    for path in ["/dev/zero", "/dev/random", "/dev/urandom", "main.c"] {
        let begun = Instant::now();
        compile_of(
            &bench,
            &Program::plain_c(&format!("#include \"{path}\"\nint main(void) {{ return 0; }}\n")),
        )
        .await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{path} took {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_compilation_reads_an_empty_input() {
    let bench = bench_with_short_compilation().await;
    let source = "#include \"/dev/stdin\"\nint main(void) { return 0; }\n";

    assert_eq!(bench.result(&Program::plain_c(source)).await["verdict"], "accepted");
}

#[tokio::test]
async fn an_explosion_of_macros_is_stopped_and_the_limit_is_named() {
    let bench = bench_with_short_compilation().await;
    let mut source = String::from("#define A0 1,1,1,1,1,1,1,1,1,1\n");
    for level in 1..12 {
        let name = format!("A{},", level - 1).repeat(9);
        source = format!("{source}#define A{level} {name}A{}\n", level - 1);
    }
    source.push_str("int bomb[] = { A11 };\nint main(void) { return 0; }\n");

    let compile = compile_of(&bench, &Program::plain_c(&source)).await;

    let kind = compile["limit"]["kind"].as_str().unwrap_or_default();
    assert!(["cpu_time", "wall_time", "memory"].contains(&kind), "{compile}");
}

#[tokio::test]
async fn a_huge_program_is_refused_by_the_quota_and_harms_nobody() {
    let bench = bench_with_short_compilation().await;

    let huge = "char big[1L << 29] = { 1 };\nint main(void) { return big[5]; }\n";
    compile_of(&bench, &Program::plain_c(huge)).await;

    assert_eq!(bench.report(&Program::c("int main(void) { return 0; }")).await["verdict"], "accepted");
}

#[tokio::test]
async fn a_flood_of_messages_is_cut() {
    let bench = Bench::expecting("").await;
    let source =
        (0..20_000).map(|line| format!("int x{line} = undeclared_{line};")).collect::<Vec<_>>().join("\n");

    let compile = compile_of(&bench, &Program::plain_c(&source)).await;

    assert_eq!(compile["output_truncated"], true);
    assert!(
        compile["output"].as_str().is_some_and(|output| output.len() <= 64 << 10),
        "{}",
        compile["output"]
    );
}

#[tokio::test]
async fn nothing_of_the_service_can_be_included() {
    let bench = Bench::expecting("").await;

    for path in
        ["/guichet/agent", "/agent/agent", "/run/agent/s", "/proc/1/environ", "/proc/1/mem", "/etc/shadow"]
    {
        let source = format!("int main(void) {{ return 0; }}\n__asm__(\".incbin \\\"{path}\\\"\");\n");
        compile_of(&bench, &Program::plain_c(&source)).await;
    }
}

/// The messages of its errors, with the files that they are about.
fn errors(compile: &Value) -> Vec<(String, Value)> {
    let all = compile["diagnostics"].as_array().into_iter().flatten();
    let errors = all.filter(|found| found["severity"] == "error");
    errors
        .map(|found| (found["message"].as_str().unwrap_or_default().to_owned(), found["file"].clone()))
        .collect()
}

#[tokio::test]
async fn what_the_linker_misses_is_an_error_that_is_listed() {
    let bench = Bench::expecting("").await;

    let no_main = compile_of(&bench, &Program::plain_c("int mian(){}\n")).await;
    let no_function = Program::plain_c("void lost(void);\nint main(void) { lost(); return 0; }\n");
    let no_function = compile_of(&bench, &no_function).await;

    assert!(
        errors(&no_main).contains(&("undefined reference to `main'".to_owned(), Value::Null)),
        "{no_main}"
    );
    let lost = ("undefined reference to `lost'".to_owned(), json!("main.c"));
    assert!(errors(&no_function).contains(&lost), "{no_function}");
    for compile in [no_main, no_function] {
        assert!(errors(&compile).iter().all(|(message, _)| !message.contains("/tmp")), "{compile}");
        assert_eq!(compile["limit"], Value::Null, "{compile}");
    }
}

#[tokio::test]
async fn what_the_assembler_refuses_is_an_error_that_is_listed() {
    let bench = Bench::expecting("").await;

    let compile =
        compile_of(&bench, &Program::plain_c("int main(void) {\n    __asm__(\"foo bar\");\n}\n")).await;

    let first = &compile["diagnostics"][0];
    assert_eq!(
        (&first["file"], &first["line"], &first["column"]),
        (&json!("main.c"), &json!(2), &Value::Null),
        "{compile}"
    );
    assert!(
        first["message"].as_str().is_some_and(|message| message.contains("no such instruction")),
        "{compile}"
    );
}

#[tokio::test]
async fn a_disk_that_is_full_while_compiling_is_told() {
    let bench = Bench::expecting("").await;

    let temporary =
        compile_of(&bench, &Program::plain_c("int a[17000000]={1};\nint main(void) { return 0; }\n")).await;
    let half = "char a[40000000]={1};\nint main(void) { return a[5]; }\n";
    let made = compile_of(
        &bench,
        &Program::plain_c(half).with("ballast", &vec![b'x'; 900_000]).with("b.c", b"char b[40000000]={1};"),
    )
    .await;

    for compile in [temporary, made] {
        let told = errors(&compile);
        assert!(told.iter().any(|(message, _)| message.contains("No space left on device")), "{compile}");
        assert!(told.iter().all(|(message, _)| !message.contains("/tmp")), "{compile}");
    }
}

#[tokio::test]
async fn a_compiler_that_is_out_of_memory_time_or_output_says_what_it_was() {
    let mut exercise = exercises::one_test("", "");
    exercise["compile_limits"] = json!({ "cpu_time_ms": 1000, "wall_time_ms": 10_000, "memory_bytes": 33_554_432, "output_bytes": 4096 });
    let bench = Bench::new(&exercise).await;
    let half = |name: &str| format!("char {name}[24000000]={{1}};\n");
    let much = Program::plain_c(&format!("{}int main(void) {{ return 0; }}\n", half("a")));
    let much = much.with("b.c", half("b").as_bytes());
    let many =
        (0..2000).map(|line| format!("int x{line} = undeclared_{line};")).collect::<Vec<_>>().join("\n");

    let endless = Program::plain_c("#include \"/dev/zero\"\n");
    for (kind, program) in [("memory", much), ("cpu_time", endless), ("output", Program::plain_c(&many))] {
        let compile = compile_of(&bench, &program).await;
        let kinds = if kind == "cpu_time" { vec!["cpu_time", "memory"] } else { vec![kind] };
        assert!(kinds.iter().any(|kind| compile["limit"]["kind"] == *kind), "{compile}");
        assert!(!errors(&compile).is_empty(), "{compile}");
    }
}
