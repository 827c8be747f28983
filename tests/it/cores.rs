//! A service as it is set up by default: more submissions in hand than cores, and never more programs than cores.

use serde_json::json;

use crate::support::{Options, Program};

/// Tells when it begins and ends, by the clock that all containers of a machine share.
const SLEEPER: &str = "import time\nprint(time.monotonic())\ntime.sleep(0.2)\nprint(time.monotonic())\n";

#[tokio::test]
async fn on_a_core_one_program_runs_at_a_time() {
    let guichet = Options::default().slots(0).start().await;
    let cores = std::thread::available_parallelism().expect("a number of cores").get();
    let queue = guichet.admin().get("/v1/queue").await.expect(200);
    assert_eq!(queue["slots"]["total"], json!(cores + cores.div_ceil(2)));
    let alice = guichet.student("alice");

    let mut ids = Vec::new();
    for _ in 0..4 * cores {
        ids.push(alice.run(&Program::python(SLEEPER), "", &[]).await);
    }
    let mut moments = Vec::new();
    for id in ids {
        let result = alice.result(&id).await;
        let output = result["tests"][0]["stdout"].as_str().expect("two instants");
        let mut instants = output.lines().map(|line| line.parse::<f64>().expect("an instant"));
        moments.extend(instants.next().map(|begin| (begin, 1)));
        moments.extend(instants.next().map(|end| (end, -1)));
    }

    moments.sort_by(|one, other| one.0.total_cmp(&other.0));
    let running = moments.iter().scan(0, |running, (_, change)| {
        *running += change;
        Some(*running)
    });
    let most = running.max().expect("programs");
    assert_eq!((moments.len(), usize::try_from(most)), (8 * cores, Ok(cores)));
}
