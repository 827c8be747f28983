//! The memory limit is the limit: what a program adds decides, in each language and slot, whatever ran there before.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::shared::unique;
use crate::support::{Options, Program, TestGuichet};

const MIB: u64 = 1 << 20;

/// What a verdict may be off by.
const TOLERANCE: u64 = 2 * MIB;

/// A program that touches as many MiB as it reads, and says so.
fn touching(runtime: &str) -> Program {
    match runtime {
        "c" => Program::c(
            "int main(void) { long n; if (scanf(\"%ld\", &n) != 1) return 1; volatile char *p = malloc(n << 20);
            for (long at = 0; at < n << 20; at += 4096) p[at] = 1; puts(\"touched\"); }",
        ),
        _ => Program::python("touched = b'x' * (int(input()) << 20)\nprint('touched')\n"),
    }
}

/// An exercise whose tests touch so much, in MiB, each under the same limit.
fn exercise(limit: u64, touched: &[u64], isolation: &str) -> Value {
    let test = |(index, mib): (usize, &u64)| json!({ "name": format!("{index}"), "stdin": format!("{mib}\n"), "expected": "touched\n", "visibility": "public" });
    json!({
        "title": "Memory", "kind": "stdio", "runtimes": ["python", "c"], "isolation": isolation,
        "limits": { "memory_bytes": limit * MIB, "cpu_time_ms": 20_000, "wall_time_ms": 60_000 },
        "tests": touched.iter().enumerate().map(test).collect::<Vec<_>>(),
    })
}

/// What is wrong with a report of a program that touched so many MiB under a limit of so many.
fn fault(report: &Value, limit: u64, touched: u64) -> Option<String> {
    let (limit, touched) = (limit * MIB, touched * MIB);
    let used = report["usage"]["memory_bytes"].as_u64().unwrap_or(0);
    let right = if touched <= limit {
        report["verdict"] == "accepted" && used.abs_diff(touched) < TOLERANCE
    } else {
        let measured = report["limit"]["measured"].as_u64().unwrap_or(0);
        report["verdict"] == "memory_limit_exceeded"
            && report["limit"]["kind"] == "memory"
            && report["limit"]["allowed"] == limit
            && measured > limit
            && measured < touched + TOLERANCE
    };
    (!right)
        .then(|| format!("{touched} touched of {limit}: {}, {used}, {}", report["verdict"], report["limit"]))
}

/// Puts the exercise, lets a student of each of the languages solve it at once, and collects what is wrong.
async fn faults(
    guichet: &TestGuichet,
    limit: u64,
    touched: &[u64],
    isolation: &str,
    runs: &[&str],
) -> Vec<String> {
    let name = format!("memory-{limit}-{isolation}");
    guichet.teacher().put_exercise(&name, &exercise(limit, touched, isolation)).await;
    let graded = runs.iter().map(|runtime| faults_of(guichet, &name, limit, touched, runtime));
    join_all(graded).await.concat()
}

async fn faults_of(
    guichet: &TestGuichet,
    name: &str,
    limit: u64,
    touched: &[u64],
    runtime: &str,
) -> Vec<String> {
    let student = guichet.student(&unique("student"));
    let result = student.grade(name, &touching(runtime)).await;
    let reports = result["tests"].as_array().cloned().unwrap_or_default();
    assert_eq!(reports.len(), touched.len(), "{result}");
    let pairs = reports.iter().zip(touched);
    pairs
        .filter_map(|(report, mib)| fault(report, limit, *mib))
        .map(|text| format!("{runtime}: {text}"))
        .collect()
}

#[tokio::test]
async fn the_verdict_is_the_same_at_every_limit_in_each_language_in_warm_slots_and_fresh_ones() {
    let guichet = Options::default().slots(3).start().await;
    let around = |limit: u64, distances: &[u64]| {
        let below = distances.iter().filter_map(|less| limit.checked_sub(*less)).filter(|mib| *mib > 0);
        let beyond = distances.iter().map(|more| limit + more);
        below.chain(beyond).collect::<Vec<_>>()
    };

    let mut found = Vec::new();
    for limit in [16, 64, 150, 400] {
        let touched = around(limit, &[64, 8, 2]);
        let both = ["reset", "fresh"]
            .map(|isolation| faults(&guichet, limit, &touched, isolation, &["c", "python"]));
        found.extend(join_all(both).await.concat());
    }
    // The most there is takes most of a second each time: one language in a slot at a time.
    for (isolation, runtime) in [("reset", "c"), ("fresh", "python"), ("reset", "python"), ("fresh", "c")] {
        found.extend(faults(&guichet, 1024, &around(1024, &[64, 8, 2]), isolation, &[runtime]).await);
    }

    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn twelve_programs_at_once_and_sixteen_in_a_row_earn_the_same_verdict_each() {
    let guichet = Options::default().slots(3).start().await;

    let at_once = [
        faults(&guichet, 64, &[72, 80, 72, 80], "reset", &["c"; 12]).await,
        faults(&guichet, 8, &[24, 24], "reset", &["c"; 12]).await,
    ];
    let alone = [
        faults(&guichet, 64, &[62; 16], "reset", &["python"]).await,
        faults(&guichet, 64, &[68; 16], "reset", &["python"]).await,
        faults(&guichet, 1024, &[1022, 1026], "reset", &["c"]).await,
    ];

    assert_eq!(at_once.concat(), Vec::<String>::new());
    assert_eq!(alone.concat(), Vec::<String>::new());
}

#[tokio::test]
async fn tiny_programs_measure_the_same_in_every_slot_whatever_ran_there() {
    let guichet = Options::default().slots(3).start().await;
    guichet.teacher().put_exercise("tiny", &exercise(64, &[0, 0, 0], "reset")).await;
    guichet.teacher().put_exercise("large", &exercise(400, &[390], "reset")).await;
    let students = [0, 1, 2].map(|_| guichet.student(&unique("tiny")));

    for runtime in ["c", "python"] {
        let (mut measured, program) = (Vec::new(), touching(runtime));
        for _ in 0..3 {
            let tiny = students.iter().map(|student| student.grade("tiny", &program));
            for result in join_all(tiny).await {
                let tests = result["tests"].as_array().cloned().unwrap_or_default();
                measured.extend(tests.iter().filter_map(|test| test["usage"]["memory_bytes"].as_u64()));
            }
            let imports = Program::python("import json, decimal, asyncio, email.message\nprint('touched')\n");
            join_all(students.iter().map(|student| student.grade("large", &imports))).await;
        }

        assert_eq!(measured.len(), 27);
        assert!(measured.iter().all(|bytes| (1..MIB).contains(bytes)), "{runtime}: {measured:?}");
    }
}
