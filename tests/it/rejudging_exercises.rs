//! Judging an exercise's submissions again: at once for all, or to see first what would change.

use std::time::Duration;

use serde_json::{Value, json};

use crate::host_commands::{ask, json_of, printed};
use crate::support::client::{Client, PATIENCE, text};
use crate::support::shared::unique;
use crate::support::stream::EventStream;
use crate::support::{Options, TestGuichet, exercises, programs, wait_for};

/// An exercise that took every program that adds for wrong, and takes it for right now.
struct Corrected {
    exercise: String,
    /// Of Ada: one that adds, and one that is wrong by one in some cases.
    right: String,
    wrong: String,
}

async fn corrected(guichet: &TestGuichet, student: &Client) -> Corrected {
    let exercise = unique("exercise");
    let teacher = guichet.teacher();
    teacher.put_exercise(&exercise, &exercises::one_test("1 2\n", "4\n")).await;
    let right = student.submit(&exercise, &programs::python_sum()).await;
    assert_eq!(student.result(&right).await["verdict"], "wrong_answer");
    let wrong = student.submit(&exercise, &programs::python_print("5")).await;
    assert_eq!(student.result(&wrong).await["verdict"], "wrong_answer");
    teacher.put_exercise(&exercise, &exercises::one_test("1 2\n", "3\n")).await;
    Corrected { exercise, right, wrong }
}

async fn begin(teacher: &Client, exercise: &str, mode: &str) -> String {
    let body = json!({ "mode": mode });
    let begun = teacher.post(&format!("/v1/exercises/{exercise}/rejudge"), &body).await.expect(202);
    assert_eq!((&begun["state"], &begun["mode"]), (&json!("running"), &json!(mode)), "{begun}");
    text(&begun["id"])
}

async fn standing(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/rejudges/{id}")).await.expect(200)
}

async fn ended(client: &Client, id: &str) -> Value {
    let look = || standing(client, id);
    wait_for("all to be judged again", PATIENCE, look, |seen| seen["state"] != "running").await
}

async fn changes(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/rejudges/{id}/changes")).await.expect(200)["items"].clone()
}

async fn decide(client: &Client, id: &str, what: &str) -> crate::support::client::Answer {
    client.act(&format!("/v1/rejudges/{id}/{what}")).await
}

fn grade(verdict: &str, score: u64) -> Value {
    json!({ "verdict": verdict, "score": score, "max_score": 1 })
}

#[tokio::test]
async fn all_of_an_exercise_are_judged_again_and_those_that_differ_are_listed_and_told() {
    let guichet = TestGuichet::start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
    let Corrected { exercise, right, wrong } = corrected(&guichet, &ada).await;
    let mut own = ada.own_events().await;
    own.until_named("stream.snapshot").await;

    let id = begin(&teacher, &exercise, "apply").await;
    let ended = ended(&teacher, &id).await;

    let counts = ["total", "ended", "changed", "failed", "left_out"].map(|count| ended[count].clone());
    assert_eq!(counts, [2, 2, 1, 0, 0].map(Value::from), "{ended}");
    assert_eq!((&ended["exercise_version"], &ended["state"]), (&json!(2), &json!("ended")));
    let (before, after) = (grade("wrong_answer", 0), grade("accepted", 1));
    let change = json!({ "submission_id": right, "owner": "ada", "before": before, "after": after });
    assert_eq!(changes(&teacher, &id).await, json!([change]));
    let told = own.until_named("submission.rejudged").await.json();
    assert_eq!((&told["submission_id"], &told["before"], &told["after"]), (&json!(right), &before, &after));
    assert_eq!(told["submission"]["result"]["verdict"], "accepted");
    own.until(|event| event.name == "submission.finished" && event.json()["submission_id"] == json!(right))
        .await;
    for one in [&right, &wrong] {
        let shown = ada.submission(one).await;
        assert_eq!((&shown["round"], &shown["exercise_version"]), (&json!(2), &json!(2)), "{shown}");
        let log = ada.events(one).await.into_end().await;
        let ends = log.iter().filter(|event| event.ends()).count();
        let rejudged = log.iter().filter(|event| event.name == "submission.rejudged").count();
        assert_eq!((ends, rejudged), (2, usize::from(*one == right)));
    }
}

#[tokio::test]
async fn a_preview_shows_what_would_change_and_changes_it_in_one_step_when_it_is_applied() {
    let guichet = TestGuichet::start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
    let Corrected { exercise, right, wrong } = corrected(&guichet, &ada).await;
    let seen = async || {
        let list = ada.get("/v1/submissions").await.expect(200);
        let results = teacher.get(&format!("/v1/exercises/{exercise}/results")).await.expect(200);
        let me = ada.get("/v1/me").await.expect(200)["queued"].clone();
        (list["items"].clone(), results, ada.submission(&right).await, ada.submission(&wrong).await, me)
    };
    let before = seen().await;

    let id = begin(&teacher, &exercise, "preview").await;
    ended(&teacher, &id).await;

    assert_eq!(seen().await, before);
    assert_eq!(changes(&teacher, &id).await.as_array().map(Vec::len), Some(1));
    let refused =
        teacher.post(&format!("/v1/exercises/{exercise}/rejudge"), &json!({ "mode": "apply" })).await;
    assert_eq!(refused.problem(409).0, "rejudge_active");
    let applied = decide(&teacher, &id, "apply").await.expect(200);
    assert_eq!((&applied["state"], &applied["changed"]), (&json!("applied"), &json!(1)));
    assert_eq!(decide(&teacher, &id, "apply").await.expect(200), applied);
    assert_eq!(decide(&teacher, &id, "cancel").await.problem(409).0, "rejudge_over");
    let now = ada.submission(&right).await;
    assert_eq!(
        (&now["round"], &now["state"], &now["result"]["verdict"], &now["priority"]),
        (&json!(2), &json!("finished"), &json!("accepted"), &json!("normal"))
    );
    assert_eq!(ada.submission(&wrong).await, before.3);
    let log = ada.events(&right).await.into_end().await;
    let names: Vec<_> = log.iter().rev().take(2).map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["submission.finished", "submission.rejudged"]);
}

#[tokio::test]
async fn a_preview_that_is_cancelled_kills_what_of_it_runs_and_changes_nothing() {
    let guichet = Options::default().slots(1).start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
    let exercise = unique("exercise");
    teacher.put_exercise(&exercise, &exercises::patient_sum()).await;
    let slow = ada.submit(&exercise, &programs::sleep_then_sum(3.0)).await;
    ada.result(&slow).await;
    let before = ada.submission(&slow).await;
    let id = begin(&teacher, &exercise, "preview").await;
    teacher.wait_for_a_run().await;

    assert_eq!(decide(&teacher, &id, "apply").await.problem(409).0, "rejudge_active");
    let cancelled = decide(&teacher, &id, "cancel").await.expect(200);

    assert_eq!(cancelled["state"], "cancelled");
    let queue = || async { teacher.get("/v1/queue").await.expect(200) };
    wait_for("nothing to run", PATIENCE, queue, |queue| queue["running"] == 0 && queue["queued"] == 0).await;
    assert_eq!(ada.submission(&slow).await, before);
    let again = begin(&teacher, &exercise, "preview").await;
    decide(&teacher, &again, "cancel").await.expect(200);
}

#[tokio::test]
async fn new_submissions_go_first_and_the_stream_tells_how_far_it_is() {
    let guichet = Options::default().slots(1).start().await;
    let (ada, teacher, admin) = (guichet.student("ada"), guichet.teacher(), guichet.admin());
    let Corrected { exercise, .. } = corrected(&guichet, &ada).await;
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "cordoned" })).await.expect(200);
    let id = begin(&teacher, &exercise, "apply").await;
    let path = format!("/v1/rejudges/{id}/events");
    let mut stream = EventStream::open(teacher.request(reqwest::Method::GET, &path)).await;
    let first = stream.until_named("rejudge.changed").await;

    let new = guichet.student("bob").submit(&exercise, &programs::python_sum()).await;
    assert_eq!(teacher.submission(&new).await["position"], 1);
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "active" })).await.expect(200);

    let last = stream.until(|event| event.json()["rejudge"]["state"] == "ended").await;
    assert_eq!((&first.json()["rejudge"]["ended"], &last.json()["rejudge"]["ended"]), (&json!(0), &json!(2)));
    assert!(stream.next().await.is_none(), "nothing more will come");
    let last_id = last.id.expect("an id");
    let resumed = teacher.request(reqwest::Method::GET, &path).header("Last-Event-ID", &last_id);
    assert_eq!(resumed.send().await.expect("an answer").status(), 204);
    let behind =
        teacher.request(reqwest::Method::GET, &path).header("Last-Event-ID", first.id.expect("an id"));
    let seen = EventStream::open(behind).await.into_end().await;
    assert_eq!(seen.last().and_then(|event| event.id.clone()), Some(last_id));
    let student = ada.get(&path).await;
    assert_eq!(student.problem(403).0, "forbidden");
}

#[tokio::test]
async fn deaths_at_any_time_judge_each_once_and_lose_none() {
    for mode in ["apply", "preview"] {
        let guichet = Options::default().slots(2).start().await;
        let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
        let Corrected { exercise, right, .. } = corrected(&guichet, &ada).await;
        let mut all = vec![right];
        for _ in 0..10 {
            all.push(ada.submit(&exercise, &programs::python_sum()).await);
        }
        for id in &all {
            ada.ended(id).await;
        }
        // Those that were sent since are right already.
        teacher.put_exercise(&exercise, &exercises::one_test("1 2\n", "4\n")).await;

        let id = begin(&teacher, &exercise, mode).await;
        for judged in [1, 4, 8] {
            let far = |seen: &Value| seen["ended"].as_u64() >= Some(judged) || seen["state"] != "running";
            wait_for("some to be judged", PATIENCE, || standing(&teacher, &id), far).await;
            guichet.kill();
            guichet.restart().await;
        }
        let done = ended(&teacher, &id).await;
        if mode == "preview" {
            decide(&teacher, &id, "apply").await.expect(200);
            guichet.kill();
            guichet.restart().await;
            assert_eq!(standing(&teacher, &id).await["state"], "applied");
        }

        assert_eq!((&done["total"], &done["ended"], &done["changed"]), (&json!(12), &json!(12), &json!(10)));
        for id in &all[1..] {
            let shown = ada.submission(id).await;
            assert_eq!((&shown["round"], &shown["result"]["verdict"]), (&json!(2), &json!("wrong_answer")));
            let log = ada.events(id).await.into_end().await;
            let of = |name: &str| log.iter().filter(|event| event.name == name).count();
            assert_eq!((of("submission.finished"), of("submission.rejudged")), (2, 1), "{log:?}");
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_who_may_not_is_told_so() {
    let guichet = TestGuichet::start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.teacher());
    let Corrected { exercise, .. } = corrected(&guichet, &ada).await;
    let path = format!("/v1/exercises/{exercise}/rejudge");

    let wrong = json!({ "mode": "apply", "runtime": "cobol", "created_after": "yesterday" });
    let refused = [
        (teacher.post(&path, &wrong).await.problem(422).1, vec!["/created_after"]),
        (
            teacher.post(&path, &json!({ "mode": "apply", "runtime": "cobol" })).await.problem(422).1,
            vec!["/runtime"],
        ),
        (teacher.post(&path, &json!({ "mode": "try" })).await.problem(422).1, vec!["/mode"]),
        (teacher.post(&path, &json!({})).await.problem(422).1, vec!["/mode"]),
        (
            teacher.post("/v1/exercises/none/rejudge", &json!({ "mode": "apply" })).await.problem(404).1,
            vec![],
        ),
        (ada.post(&path, &json!({ "mode": "apply" })).await.problem(403).1, vec![]),
    ];

    for (pointers, expected) in refused {
        assert_eq!(pointers, expected);
    }
    let nothing = uuid::Uuid::now_v7();
    for path in [format!("/v1/rejudges/{nothing}"), format!("/v1/rejudges/{nothing}/changes")] {
        assert_eq!(teacher.get(&path).await.problem(404).0, "not_found");
        assert_eq!(ada.get(&path).await.problem(403).0, "forbidden");
    }
}

#[tokio::test]
async fn the_terminal_previews_shows_what_would_change_and_applies_it() {
    let guichet = TestGuichet::start().await;
    let ada = guichet.student("ada");
    let Corrected { exercise, right, .. } = corrected(&guichet, &ada).await;

    let begun =
        ask(&guichet, &["exercise", "rejudge", &exercise, "--preview", "--runtime", "python", "--wait"]);
    let told = printed(&begun);
    let id = told.split_whitespace().next().expect("an id").to_owned();
    let changes = printed(&ask(&guichet, &["rejudge", "changes", &id]));
    let shown = json_of(&ask(&guichet, &["rejudge", "show", &id, "--json"]));
    let applied = printed(&ask(&guichet, &["rejudge", "apply", &id]));
    let late = ask(&guichet, &["rejudge", "cancel", &id]);

    assert!(told.ends_with("preview is ended: 2 of 2 judged, 1 changed\n"), "{told}");
    let row = changes.lines().nth(1).expect("a change").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(row, format!("{right} ada wrong_answer, 0 of 1 accepted, 1 of 1"));
    assert_eq!(shown["state"], "ended");
    assert!(applied.contains("preview is applied"), "{applied}");
    assert_eq!(late.status.code(), Some(1), "{late:?}");
    assert_eq!(ada.submission(&right).await["result"]["verdict"], "accepted");
}

/// How long applying may keep others waiting, on a slow machine.
const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_preview_of_many_is_applied_as_a_whole() {
    let guichet = Options::default().slots(2).start().await;
    let (ada, teacher) = (guichet.student("ada"), guichet.admin());
    let Corrected { exercise, .. } = corrected(&guichet, &ada).await;
    let mut one = programs::python_sum().body();
    one["exercise_id"] = json!(exercise);
    for _batch in 0..3 {
        let batch = json!({ "submissions": vec![one.clone(); 100] });
        ada.post("/v1/submissions/batch", &batch).await.expect(202);
    }
    let queue = || async { teacher.get("/v1/queue").await.expect(200) };
    let is_empty = |queue: &Value| queue["running"] == 0 && queue["queued"] == 0;
    wait_for("all to be graded", LONG * 5, queue, is_empty).await;
    teacher.put_exercise(&exercise, &exercises::one_test("1 2\n", "4\n")).await;
    let id = begin(&teacher, &exercise, "preview").await;
    let look = || standing(&teacher, &id);
    let done = wait_for("all to be judged again", LONG * 5, look, |seen| seen["state"] != "running").await;
    assert_eq!(done["changed"], 300, "{done}");

    decide(&teacher, &id, "apply").await.expect(200);

    let wrong = teacher.get(&format!("/v1/exercises/{exercise}/results")).await.expect(200);
    assert_eq!(wrong["tests"][0]["all"]["failures"], 302, "{wrong}");
    let mut cursor = String::new();
    let mut listed = 0;
    loop {
        let page = teacher.get(&format!("/v1/rejudges/{id}/changes?limit=100{cursor}")).await.expect(200);
        listed += page["items"].as_array().map_or(0, Vec::len);
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, 300);
}
