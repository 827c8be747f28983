//! Each way in which a program can end, and the verdict it earns.

use guichet_agent::MEMORY_ROOM_BYTES;
use serde_json::{Value, json};

use crate::support::{Bench, Program, exercises, programs};

const MIB: u64 = 1 << 20;

fn stopped_by(report: &Value, verdict: &str, kind: &str, allowed: u64) {
    assert_eq!((&report["verdict"], &report["limit"]["kind"]), (&json!(verdict), &json!(kind)), "{report}");
    assert_eq!(report["limit"]["allowed"], allowed, "{report}");
}

fn measured(report: &Value) -> u64 {
    report["limit"]["measured"].as_u64().unwrap_or_else(|| panic!("nothing measured: {report}"))
}

fn ended_by_itself(report: &Value, verdict: &str) {
    assert_eq!((&report["verdict"], &report["limit"]), (&json!(verdict), &Value::Null), "{report}");
}

#[tokio::test]
async fn the_right_output_is_accepted_in_each_language() {
    let bench = Bench::new(&exercises::sum()).await;

    for program in [programs::python_sum(), programs::c_sum()] {
        let result = bench.result(&program).await;
        assert_eq!(result["verdict"], "accepted", "{result}");
        assert_eq!((&result["score"], &result["max_score"]), (&json!(4), &json!(4)));
        let usage = &result["tests"][0]["usage"];
        assert!(usage["cpu_time_ms"].as_u64().is_some_and(|ms| ms < 1000), "{usage}");
        assert!(usage["wall_time_ms"].as_u64().is_some_and(|ms| ms < 3000), "{usage}");
        assert!(usage["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0 && bytes < 64 * MIB), "{usage}");
    }
}

#[tokio::test]
async fn an_exit_code_other_than_0_is_a_runtime_error_whatever_was_printed() {
    let bench = Bench::expecting("right\n").await;

    let python = bench.report(&Program::python("print('right')\nraise SystemExit(3)\n")).await;
    let c = bench.report(&Program::c("int main(void) { puts(\"right\"); return 3; }")).await;

    for report in [python, c] {
        ended_by_itself(&report, "runtime_error");
        assert_eq!((&report["exit_code"], &report["signal"]), (&json!(3), &Value::Null), "{report}");
        assert_eq!(report["stdout"], "right\n");
    }
}

#[tokio::test]
async fn an_uncaught_exception_shows_its_traceback() {
    let bench = Bench::expecting("").await;

    let report = bench.report(&Program::python("def lost():\n    return {}['key']\n\nlost()\n")).await;

    ended_by_itself(&report, "runtime_error");
    assert_eq!(report["exit_code"], 1);
    let stderr = report["stderr"].as_str().unwrap_or_default();
    assert!(stderr.contains("KeyError: 'key'") && stderr.contains("main.py"), "{report}");
}

#[tokio::test]
async fn a_signal_is_a_runtime_error_that_names_it() {
    let bench = Bench::expecting("").await;

    let report = bench.report(&Program::c("int main(void) { volatile int *p = 0; return *p; }")).await;

    ended_by_itself(&report, "runtime_error");
    assert_eq!((&report["exit_code"], &report["signal"]), (&Value::Null, &json!(11)), "{report}");
}

#[tokio::test]
async fn endless_recursion_is_ended_by_the_memory_limit_or_by_the_language_itself() {
    let bench = Bench::with_limits("", "", &json!({ "memory_bytes": 64 * MIB })).await;

    let program = "static int down(int n) { volatile char frame[4096]; frame[0] = 1; return n ? down(n + 1) + frame[0] : 0; }
        int main(void) { return down(1); }";
    let c = bench.report(&Program::c(program)).await;
    let python = bench.report(&Program::python("def down():\n    return down() + 1\n\ndown()\n")).await;

    stopped_by(&c, "memory_limit_exceeded", "memory", 64 * MIB);
    assert_eq!((&python["verdict"], &python["exit_code"]), (&json!("runtime_error"), &json!(1)), "{python}");
}

#[tokio::test]
async fn a_busy_loop_is_stopped_by_its_cpu_time() {
    let bench = Bench::with_limits("", "", &json!({ "cpu_time_ms": 300, "wall_time_ms": 10_000 })).await;

    for program in [Program::python("while True: pass\n"), Program::c("int main(void) { for (;;) ; }")] {
        let report = bench.report(&program).await;
        stopped_by(&report, "time_limit_exceeded", "cpu_time", 300);
        assert!((300..600).contains(&measured(&report)), "{report}");
    }
}

#[tokio::test]
async fn cpu_time_is_that_of_all_processes_together() {
    let bench = Bench::with_limits("", "", &json!({ "cpu_time_ms": 400, "wall_time_ms": 10_000 })).await;

    let program = "int main(void) { signal(SIGCHLD, SIG_IGN); for (int i = 0; i < 4; i++) if (!fork()) for (;;) ; pause(); }";
    let report = bench.report(&Program::c(program)).await;

    stopped_by(&report, "time_limit_exceeded", "cpu_time", 400);
}

#[tokio::test]
async fn a_sleeper_is_stopped_by_its_wall_time_and_used_hardly_any_cpu_time() {
    let bench = Bench::with_limits("", "", &json!({ "cpu_time_ms": 300, "wall_time_ms": 500 })).await;

    for program in
        [Program::python("import time\ntime.sleep(60)\n"), Program::c("int main(void) { pause(); }")]
    {
        let report = bench.report(&program).await;
        stopped_by(&report, "time_limit_exceeded", "wall_time", 500);
        assert!((500..1500).contains(&measured(&report)), "{report}");
        assert!(report["usage"]["cpu_time_ms"].as_u64().is_some_and(|ms| ms < 200), "{report}");
    }
}

#[tokio::test]
async fn a_program_that_prints_the_right_answer_and_does_not_end_is_not_accepted() {
    let bench = Bench::with_limits("", "right\n", &json!({ "wall_time_ms": 500 })).await;

    let report =
        bench.report(&Program::python("import time\nprint('right', flush=True)\ntime.sleep(60)\n")).await;

    stopped_by(&report, "time_limit_exceeded", "wall_time", 500);
    assert_eq!(report["stdout"], "right\n");
}

#[tokio::test]
async fn a_program_that_ignores_signals_or_stops_itself_ends_in_time_all_the_same() {
    let bench = Bench::with_limits("", "", &json!({ "wall_time_ms": 500 })).await;

    let deaf =
        "int main(void) { for (int s = 1; s < 64; s++) signal(s, SIG_IGN); sigset_t all; sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, 0); for (;;) pause(); }";
    for program in [Program::c(deaf), Program::c("int main(void) { raise(SIGSTOP); pause(); }")] {
        stopped_by(&bench.report(&program).await, "time_limit_exceeded", "wall_time", 500);
    }
}

#[tokio::test]
async fn an_alarm_that_the_program_sets_itself_is_its_own() {
    let bench = Bench::expecting("woken\n").await;

    let program = "static void wake(int s) { (void)s; puts(\"woken\"); exit(0); }
        int main(void) { signal(SIGALRM, wake); ualarm(50000, 0); for (;;) pause(); }";

    ended_by_itself(&bench.report(&Program::c(program)).await, "accepted");
}

#[tokio::test]
async fn touched_memory_is_limited() {
    let bench = Bench::with_limits("", "", &json!({ "memory_bytes": 64 * MIB })).await;

    let c =
        "int main(void) { for (;;) { char *p = malloc(1 << 20); if (!p) return 1; memset(p, 1, 1 << 20); } }";
    let python = "hoard = []\nwhile True:\n    hoard.append(bytearray(b'x') * (1 << 20))\n";
    for program in [Program::c(c), Program::python(python)] {
        let report = bench.report(&program).await;
        stopped_by(&report, "memory_limit_exceeded", "memory", 64 * MIB);
        assert!(measured(&report) > 64 * MIB, "{report}");
    }
}

#[tokio::test]
async fn the_stack_grows_to_the_memory_limit_and_no_further() {
    let bench = Bench::with_limits("", "deep\n", &json!({ "memory_bytes": 256 * MIB })).await;
    let array = |mib: u32| {
        Program::c(&format!(
            "int main(void) {{ volatile char a[{mib} << 20]; for (long i = 0; i < sizeof a; i += 4096) a[i] = 1; puts(\"deep\"); }}"
        ))
    };
    let recursion = |mib: u32| {
        Program::c(&format!(
            "static int down(int n) {{ volatile char frame[1024]; frame[0] = 1; return n ? down(n - 1) + frame[0] : 0; }}
            int main(void) {{ if (down({mib} << 10) == {mib} << 10) puts(\"deep\"); }}"
        ))
    };

    for within in [array(100), array(240), recursion(100)] {
        ended_by_itself(&bench.report(&within).await, "accepted");
    }
    for beyond in [array(300), recursion(300)] {
        stopped_by(&bench.report(&beyond).await, "memory_limit_exceeded", "memory", 256 * MIB);
    }
}

#[tokio::test]
async fn threads_keep_a_usual_stack_whatever_the_first_one_may_have() {
    let bench = Bench::with_limits("", "16\n", &json!({ "memory_bytes": 64 * MIB, "processes": 32 })).await;

    let python = "import threading\nready = threading.Barrier(17)\nthreads = [threading.Thread(target=ready.wait) for _ in range(16)]
for thread in threads: thread.start()\nready.wait()\nprint(len(threads))\n";
    let c = "#include <pthread.h>
        static void *tell(void *size) { pthread_attr_t a; pthread_getattr_np(pthread_self(), &a); pthread_attr_getstacksize(&a, size); return 0; }
        int main(void) { size_t size = 0; pthread_t t; if (pthread_create(&t, 0, tell, &size) || pthread_join(t, 0)) return 1;
        puts(size >= 1 << 20 && size <= 8 << 20 ? \"16\" : \"unusual\"); }";

    for program in [Program::python(python), Program::c(c)] {
        ended_by_itself(&bench.report(&program).await, "accepted");
    }
}

#[tokio::test]
async fn reserved_memory_that_is_never_touched_costs_nothing() {
    let bench = Bench::with_limits("", "8\n", &json!({ "memory_bytes": 64 * MIB })).await;

    let program = "int main(void) { char *p = mmap(0, 1L << 33, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        puts(p == MAP_FAILED ? \"refused\" : \"8\"); }";
    let report = bench.report(&Program::c(program)).await;

    ended_by_itself(&report, "accepted");
    assert!(report["usage"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes < 32 * MIB), "{report}");
}

#[tokio::test]
async fn a_child_killed_for_lack_of_memory_counts_even_beside_the_right_answer() {
    let bench = Bench::with_limits("", "right\n", &json!({ "memory_bytes": 64 * MIB })).await;

    let program =
        "int main(void) { if (!fork()) for (;;) { char *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); }
        wait(0); puts(\"right\"); return 0; }";
    let report = bench.report(&Program::c(program)).await;

    stopped_by(&report, "memory_limit_exceeded", "memory", 64 * MIB);
}

#[tokio::test]
async fn memory_of_files_counts_too() {
    let bench = Bench::with_limits("", "", &json!({ "memory_bytes": 32 * MIB })).await;

    let program = "import os\nblock = b'x' * (1 << 20)\nfor folder in ['.', '/tmp', '/dev/shm']:\n    try:\n        with open(folder + '/fill', 'wb') as file:\n            while True:\n                file.write(block)\n                file.flush()\n    except OSError as error:\n        print(folder, error.errno)\n";
    let report = bench.report(&Program::python(program)).await;

    stopped_by(&report, "memory_limit_exceeded", "memory", 32 * MIB);
    assert!(measured(&report) > 32 * MIB && measured(&report) <= 32 * MIB + MEMORY_ROOM_BYTES, "{report}");
    assert_eq!(report["usage"]["memory_bytes"], report["limit"]["measured"]);
}

#[tokio::test]
async fn a_flood_of_output_is_stopped() {
    let bench = Bench::with_limits("", "right\n", &json!({ "output_bytes": 4096 })).await;

    let after_the_answer = "import sys\nprint('right')\nwhile True: sys.stdout.write('x' * 100)\n";
    let errors = "import sys\nprint('right', flush=True)\nwhile True: sys.stderr.write('x')\n";
    let one_line = "int main(void) { static char line[1 << 20]; memset(line, 'x', sizeof line); for (;;) write(1, line, sizeof line); }";
    for program in [Program::python(after_the_answer), Program::python(errors), Program::c(one_line)] {
        let report = bench.report(&program).await;
        stopped_by(&report, "output_limit_exceeded", "output", 4096);
        assert!(measured(&report) > 4096, "{report}");
    }
}

#[tokio::test]
async fn a_little_too_much_output_counts_even_if_the_program_ended_well() {
    let bench = Bench::with_limits("", "right\n", &json!({ "output_bytes": 100 })).await;

    let report = bench.report(&Program::python("print('right')\nprint('x' * 200)\n")).await;

    stopped_by(&report, "output_limit_exceeded", "output", 100);
}

#[tokio::test]
async fn imitating_a_kill_earns_a_runtime_error_and_no_limit() {
    let bench = Bench::expecting("").await;

    for (code, signal, source) in [
        (json!(137), Value::Null, "return 137;"),
        (json!(124), Value::Null, "return 124;"),
        (Value::Null, json!(9), "raise(SIGKILL);"),
        (Value::Null, json!(24), "raise(SIGXCPU);"),
    ] {
        let report = bench.report(&Program::c(&format!("int main(void) {{ {source} }}"))).await;
        ended_by_itself(&report, "runtime_error");
        assert_eq!((&report["exit_code"], &report["signal"]), (&code, &signal), "{source}: {report}");
    }
}

#[tokio::test]
async fn a_program_that_never_reads_its_input_is_judged_by_its_output() {
    let input = "1 ".repeat(400_000);
    let bench = Bench::with_limits(&input, "right\n", &json!({})).await;

    ended_by_itself(&bench.report(&programs::python_print("right")).await, "accepted");
    ended_by_itself(
        &bench.report(&Program::c("int main(void) { close(0); puts(\"right\"); }")).await,
        "accepted",
    );
}

#[tokio::test]
async fn a_long_input_arrives_whole_and_ends() {
    let bench = Bench::with_limits(&"12345678\n".repeat(100_000), "900000\n", &json!({})).await;

    let report = bench.report(&Program::python("import sys\nprint(len(sys.stdin.buffer.read()))\n")).await;

    ended_by_itself(&report, "accepted");
}

#[tokio::test]
async fn a_program_that_closes_its_output_is_judged_by_what_it_wrote_before() {
    let bench = Bench::expecting("right\n").await;

    let program =
        "int main(void) { write(1, \"right\\n\", 6); close(1); close(2); usleep(50000); return 0; }";

    ended_by_itself(&bench.report(&Program::c(program)).await, "accepted");
}

#[tokio::test]
async fn a_test_ends_with_its_first_process_though_others_hold_its_output() {
    let bench = Bench::with_limits("", "right\n", &json!({ "wall_time_ms": 60_000 })).await;

    let program =
        "int main(void) { if (!fork()) { setsid(); sleep(60); } write(1, \"right\\n\", 6); return 0; }";
    let report = bench.report(&Program::c(program)).await;

    ended_by_itself(&report, "accepted");
    assert!(report["usage"]["wall_time_ms"].as_u64().is_some_and(|ms| ms < 2000), "{report}");
}

#[tokio::test]
async fn children_that_nobody_waits_for_do_no_harm() {
    let bench = Bench::with_limits("", "right\n", &json!({ "wall_time_ms": 10_000 })).await;

    let program = "int main(void) { for (int i = 0; i < 2000; i++) { pid_t p = fork(); if (p == 0) _exit(0); if (p > 0 && i % 8 == 7) { if (fork() == 0) _exit(0); } }
        puts(\"right\"); return 0; }";

    ended_by_itself(&bench.report(&Program::c(program)).await, "accepted");
}

#[tokio::test]
async fn the_same_program_earns_the_same_verdict_twenty_times() {
    let bench = Bench::with_limits(
        "1 2\n",
        "3\n",
        &json!({ "cpu_time_ms": 150, "wall_time_ms": 2000, "memory_bytes": 64 * MIB }),
    )
    .await;
    let corpus = [
        (programs::c_sum(), "accepted"),
        (programs::python_print("4"), "wrong_answer"),
        (Program::c("int main(void) { for (;;) ; }"), "time_limit_exceeded"),
        (
            Program::c(
                "int main(void) { for (;;) { char *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); } }",
            ),
            "memory_limit_exceeded",
        ),
        (Program::c("int main(void) { abort(); }"), "runtime_error"),
        (Program::c("int main(void) { return }"), "compilation_error"),
    ];

    for (program, verdict) in corpus {
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(bench.student.submit(&bench.exercise, &program).await);
        }
        for id in ids {
            assert_eq!(bench.student.result(&id).await["verdict"], verdict);
        }
    }
}
