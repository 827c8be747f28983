//! The containers of checkers: which submissions have one, and what becomes of them without it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checkers::{BY_WORD, SUM_IN_C, checker, exercise};
use crate::support::client::{Client, text};
use crate::support::engine::root;
use crate::support::programs::sitter;
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_checker_whose_runtime_is_not_ready_lets_its_submissions_wait_and_no_others() {
    let guichet = TestGuichet::prepare(Options::default().slots(1));
    let runtimes = guichet.folder().join("runtimes");
    for id in ["c", "python"] {
        std::fs::create_dir_all(runtimes.join(id)).expect("a folder");
        std::fs::copy(
            root().join(format!("runtimes/{id}/runtime.toml")),
            runtimes.join(id).join("runtime.toml"),
        )
        .expect("a runtime");
    }
    let image = "guichet-checkers-own:1";
    let described = std::fs::read_to_string(runtimes.join("c/runtime.toml")).expect("a runtime");
    let (described, _recipe) = described.split_once("[build]").expect("a recipe");
    std::fs::write(runtimes.join("c/runtime.toml"), described.replace("guichet-c:2", image))
        .expect("a runtime");
    guichet.set_env("GUICHET_EXECUTION__RUNTIMES_DIR", &runtimes.display().to_string());
    guichet.restart().await;
    let teacher = guichet.teacher();
    let mut checked = exercise(&checker("c", "check.c", SUM_IN_C));
    checked["tests"][0]["expected"] = json!("6");
    checked["tests"][1]["expected"] = json!("6");
    teacher.put_exercise("checked", &checked).await;
    teacher.put_exercise("sum", &exercises::sum()).await;
    let alice = guichet.student("alice");

    let waiting = alice.submit("checked", &programs::python_print("6")).await;
    let others = alice.grade("sum", &programs::python_sum()).await;

    assert_eq!(others["verdict"], "accepted");
    let now = alice.submission(&waiting).await;
    assert_eq!((&now["state"], &now["attempt"]), (&json!("queued"), &json!(0)), "{now}");
    let listed = alice.get("/v1/runtimes").await.expect(200);
    let c = listed["items"].as_array().and_then(|all| all.iter().find(|one| one["id"] == "c").cloned());
    assert_eq!(c.map(|one| one["blocked_by"].clone()), Some(json!("no_image")));
    guichet.engine().ask(&["tag", "guichet-c:2", image]);
    let result = alice.result(&waiting).await;
    guichet.engine().ask(&["rmi", image]);
    assert_eq!(result["verdict"], "accepted");
}

/// A service with one slot in which a submission is being checked: the containers that serve it, youngest first.
async fn slowly_checked() -> (TestGuichet, String, Vec<String>) {
    let once = "import os, sys, time\nprinted = sys.stdin.read()\ntime.sleep(float(printed))\nsys.exit(42)\n";
    let mut exercise = exercise(&checker("python", "check.py", once));
    exercise["checker"]["limits"] = json!({ "wall_time_ms": 120_000 });
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("slow", &exercise).await;
    let admin = guichet.admin();
    let id = guichet.student("alice").submit("slow", &programs::python_print("6")).await;
    let busy = async || {
        let list = admin.get("/v1/containers?state=busy").await.expect(200);
        list["items"].as_array().expect("a list").clone()
    };
    // Two containers serve it, and the younger one is the companion.
    let two = wait_for("the companion", SOON, busy, |items| items.len() == 2).await;
    assert!(two.iter().all(|item| item["submission_id"] == id), "{two:?}");
    let ids = two.iter().map(|item| text(&item["id"])).collect();
    (guichet, id, ids)
}

/// The submission is accepted at its second attempt, and was queued again once.
async fn is_checked_again(alice: &Client, id: &str) {
    let ended = alice.ended(id).await;
    assert_eq!(
        (&ended["state"], &ended["result"]["verdict"]),
        (&json!("finished"), &json!("accepted")),
        "{ended}"
    );
    assert_eq!(ended["attempt"], 2);
    let names: Vec<_> = alice.events(id).await.into_end().await.into_iter().map(|event| event.name).collect();
    assert_eq!(names.iter().filter(|name| *name == "submission.requeued").count(), 1, "{names:?}");
}

#[tokio::test]
async fn a_checker_whose_container_is_killed_is_run_again_in_another() {
    let (guichet, id, containers) = slowly_checked().await;

    guichet.admin().delete(&format!("/v1/containers/{}", containers[0])).await.expect(202);

    is_checked_again(&guichet.student("alice"), &id).await;
}

#[tokio::test]
async fn a_checker_whose_container_dies_is_run_again_in_another() {
    let (guichet, id, containers) = slowly_checked().await;

    guichet.engine().kill(&containers[..1]);

    is_checked_again(&guichet.student("alice"), &id).await;
}

#[tokio::test]
async fn a_check_is_cancelled_and_the_companion_serves_the_next() {
    let mut exercise = exercise(&checker("python", "check.py", BY_WORD));
    exercise["checker"]["limits"] = json!({ "cpu_time_ms": 60_000, "wall_time_ms": 120_000 });
    let guichet = Options::default().slots(1).start().await;
    guichet.teacher().put_exercise("checked", &exercise).await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    let id = alice.submit("checked", &programs::python_print("spin")).await;
    let busy = async || {
        let list = admin.get("/v1/containers?state=busy").await.expect(200);
        list["items"].as_array().expect("a list").clone()
    };
    let before = wait_for("the companion", SOON, busy, |items| items.len() == 2).await;

    let cancelled = alice.cancel(&id).await.expect(200);

    assert_eq!(cancelled["state"], "cancelled");
    let result = alice.grade("checked", &programs::python_print("yes")).await;
    assert_eq!(result["verdict"], "accepted");
    let after = admin.get("/v1/containers").await.expect(200);
    let kept = |one: &&Value| before.iter().any(|earlier| earlier["id"] == one["id"]);
    assert_eq!(after["items"].as_array().expect("a list").iter().filter(kept).count(), 2, "{after}");
}

#[tokio::test]
async fn many_checked_submissions_share_few_slots_without_waiting_for_each_other() {
    let guichet = Options::default().slots(2).start().await;
    let teacher = guichet.teacher();
    teacher.put_exercise("in-python", &exercise(&checker("python", "check.py", BY_WORD))).await;
    let mut in_c = exercise(&checker("c", "check.c", SUM_IN_C));
    in_c["tests"][0]["expected"] = json!("6");
    in_c["tests"][1]["expected"] = json!("6");
    teacher.put_exercise("in-c", &in_c).await;
    let alice = guichet.student("alice");
    let mut ids = Vec::new();
    for number in 0..24 {
        let (exercise, word) = if number % 2 == 0 { ("in-python", "yes") } else { ("in-c", "6") };
        ids.push(alice.submit(exercise, &programs::python_print(word)).await);
    }
    let stopped = alice.submit("in-python", &sitter()).await;

    for id in ids {
        assert_eq!(alice.result(&id).await["verdict"], "accepted");
    }
    alice.cancel(&stopped).await.expect(200);
}
