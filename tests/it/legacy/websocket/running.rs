//! The true program with a true engine: what a user is told of a run.

use std::time::Duration;

use super::lounge::{OK, error, executed, place};
use super::raw::Raw;
use crate::support::{Options, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_container_that_was_killed_is_told_by_its_id_and_the_run_that_follows_by_its_result() {
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let (alice, label, engine) = (guichet.student("alice"), guichet.label().await, guichet.engine());
    let address = guichet.url().trim_start_matches("http://").parse().unwrap();
    let mut socket = Raw::connect(address, "/ws").await;
    socket.auth(alice.token()).await;
    assert_eq!(socket.packet().await, OK);
    let id = alice.submit("patient", &programs::sleep_then_sum(6.0)).await;
    // Before, the program that a container's host is tried with runs.
    alice.wait_for_state(&id, &["running"]).await;
    let look = || async { engine.busy(&label) };
    let killed = wait_for("the program to run", SOON, look, |found| !found.is_empty()).await;

    engine.kill(&killed);

    let told = socket.until(&executed(&id)).await;
    let expected = [place(&id, 1), error(500, "CONTAINER", &killed[0]), place(&id, 1), executed(&id)];
    assert_eq!(told, expected);
    let figures = guichet.admin().get("/metrics").await.text;
    for figure in [
        "guichet_websocket_sessions_open 1",
        r#"guichet_websocket_packets_total{direction="in",packet="AUTH"} 1"#,
        r#"guichet_websocket_packets_total{direction="out",packet="PLACE_IN_QUEUE"} 2"#,
        r#"guichet_websocket_errors_total{code="500"} 1"#,
    ] {
        assert!(figures.contains(figure), "{figure} is not in\n{figures}");
    }
}
