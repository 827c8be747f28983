//! The tour in the README works when it is pasted.

use crate::support::TestGuichet;
use crate::support::engine::{root, run};

#[tokio::test]
async fn the_tour_of_the_readme_works_when_pasted() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let tour = readme.split("## A tour").nth(1).and_then(|text| text.split("```sh\n").nth(1));
    let tour = tour.and_then(|text| text.split("```").next()).expect("a block of shell");
    let guichet = TestGuichet::start().await;

    let here = tour
        .replace("http://127.0.0.1:8080", &guichet.url())
        .replace("target/quick/guichet", env!("CARGO_BIN_EXE_guichet"));
    let mut bash = guichet.command_of("bash", &["-euo", "pipefail", "-c", &here]);
    let output = tokio::task::spawn_blocking(move || run(&mut bash)).await.expect("the tour ends");

    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("event: submission.finished"), "{told}");
    assert!(told.replace("\": \"", "\":\"").matches("\"verdict\":\"accepted\"").count() >= 6, "{told}");
    assert!(told.contains("hello world"), "{told}");
    // Answers are spread over lines, and none begins on the last line of another.
    assert!(told.lines().any(|line| line == "  \"title\": \"Double\","), "{told}");
    assert!(
        told.lines().all(|line| line.starts_with("data: ") || line.matches("\":").count() <= 1),
        "{told}"
    );
    assert!(told.ends_with("}\n") && !told.contains("}{"), "{told}");
}
