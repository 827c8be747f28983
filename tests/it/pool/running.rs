//! Programs run, containers are used again, and nothing of a program is left for the next.

use guichet::domain::exercise::Isolation;
use guichet_agent::{Ended, UsageSource};

use super::bench::{Bench, ROOMY, run_in};

#[tokio::test]
async fn a_c_program_is_compiled_and_says_hello() {
    let bench = Bench::start().await;

    let done = bench.run("c", "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 3; }").await;

    assert_eq!((done.stdout.as_str(), done.report.ended), ("hello\n", Ended::Exited(3)));
    bench.end().await;
}

#[tokio::test]
async fn a_python_program_says_hello() {
    let bench = Bench::start().await;

    let done = bench.run("python", "print('hello')").await;

    assert_eq!((done.stdout.as_str(), done.report.ended), ("hello\n", Ended::Exited(0)));
    bench.end().await;
}

#[tokio::test]
async fn usage_is_measured_by_the_cells_cgroup() {
    let bench = Bench::start().await;
    let mut container = bench.claim("python").await;
    assert_ne!(container.usage_source(), UsageSource::Rusage);

    let source = "block = bytearray(100 << 20)\nfor _ in range(3000000): pass";
    let done = run_in(&mut container, "python", source, ROOMY).await.unwrap();

    let report = done.report;
    assert!((90 << 20..130 << 20).contains(&report.memory_bytes), "{report:?}");
    assert!((20_000..2_000_000).contains(&report.cpu_time_us), "{report:?}");
    container.release(Isolation::Reset).await;
    bench.end().await;
}
