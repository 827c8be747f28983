//! Judging again what was graded: with the newest version of the exercise, behind all others.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::engine::run;
use crate::support::shared::unique;
use crate::support::{Options, TestGuichet, exercises, programs};

/// An exercise in which every program that adds was wrong, and then right.
async fn corrected(guichet: &TestGuichet, student: &Client) -> (String, String) {
    let exercise = unique("exercise");
    let teacher = guichet.teacher();
    teacher.put_exercise(&exercise, &exercises::one_test("1 2\n", "4\n")).await;
    let id = student.submit(&exercise, &programs::python_sum()).await;
    assert_eq!(student.result(&id).await["verdict"], "wrong_answer");
    teacher.put_exercise(&exercise, &exercises::one_test("1 2\n", "3\n")).await;
    (exercise, id)
}

fn path(id: &str) -> String {
    format!("/v1/submissions/{id}/rejudge")
}

#[tokio::test]
async fn a_submission_is_judged_again_with_the_newest_version_and_keeps_its_result_until_then() {
    let guichet = TestGuichet::start().await;
    let (student, teacher, admin) = (guichet.student("ada"), guichet.teacher(), guichet.admin());
    let (exercise, id) = corrected(&guichet, &student).await;
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "cordoned" })).await.expect(200);

    let waiting = teacher.act(&path(&id)).await.expect(202);
    let results = teacher.get(&format!("/v1/exercises/{exercise}/results")).await.expect(200);
    let again = teacher.act(&path(&id)).await;
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "active" })).await.expect(200);
    let ended = student.ended(&id).await;

    let of = |submission: &Value| {
        json!([
            submission["state"],
            submission["priority"],
            submission["round"],
            submission["exercise_version"]
        ])
    };
    assert_eq!(of(&waiting), json!(["queued", "rejudge", 2, 2]));
    assert_eq!(
        (&waiting["result"]["round"], &waiting["result"]["verdict"]),
        (&json!(1), &json!("wrong_answer"))
    );
    let old = &results["items"][0]["last"];
    assert_eq!((&old["verdict"], &old["exercise_version"]), (&json!("wrong_answer"), &json!(1)), "{results}");
    assert_eq!(again.problem(409).0, "submission_active");
    assert_eq!((&ended["result"]["round"], &ended["result"]["verdict"]), (&json!(2), &json!("accepted")));
    let results = teacher.get(&format!("/v1/exercises/{exercise}/results")).await.expect(200);
    let new = &results["items"][0]["last"];
    assert_eq!((&new["verdict"], &new["exercise_version"]), (&json!("accepted"), &json!(2)));
    let events = student.get(&crate::support::client::events_path(&id)).await.text;
    assert_eq!(events.matches("event: submission.finished").count(), 2, "{events}");
}

#[tokio::test]
async fn it_waits_behind_all_others_and_is_in_its_own_class_again_when_its_files_change() {
    let guichet = Options::default().slots(1).start().await;
    let (student, teacher, admin) = (guichet.student("ada"), guichet.teacher(), guichet.admin());
    let (exercise, id) = corrected(&guichet, &student).await;
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "cordoned" })).await.expect(200);
    teacher.act(&path(&id)).await.expect(202);

    let new = guichet.student("bob").submit(&exercise, &programs::python_sum()).await;

    let places = (
        student.submission(&id).await["position"].clone(),
        guichet.teacher().submission(&new).await["position"].clone(),
    );
    assert_eq!(places, (json!(2), json!(1)), "what is judged again waits behind what is new");
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "active" })).await.expect(200);
    student.ended(&id).await;
    let files = json!({ "files": programs::python_nearly_sum().files() });
    student.put(&format!("/v1/submissions/{id}/files"), &files).await.expect(200);
    let queued = student.act(&format!("/v1/submissions/{id}/enqueue")).await.expect(202);
    assert_eq!((&queued["priority"], &queued["round"]), (&json!("normal"), &json!(3)));
}

#[tokio::test]
async fn a_student_may_not_and_what_was_never_graded_is_not_judged_again() {
    let guichet = TestGuichet::start().await;
    let (student, teacher) = (guichet.student("ada"), guichet.teacher());
    let (_exercise, id) = corrected(&guichet, &student).await;
    let ran = student.run(&programs::python_sum(), "1 2\n", &[]).await;
    student.ended(&ran).await;

    assert_eq!(student.act(&path(&id)).await.problem(403).0, "forbidden");
    assert_eq!(teacher.act(&path(&ran)).await.problem(409).0, "submission_not_graded");
    let nothing = uuid::Uuid::now_v7().to_string();
    assert_eq!(teacher.act(&path(&nothing)).await.problem(404).0, "not_found");
}

#[tokio::test]
async fn an_exercise_that_was_deleted_judges_with_its_last_version_and_the_terminal_asks_for_it() {
    let guichet = TestGuichet::start().await;
    let student = guichet.student("ada");
    let (exercise, id) = corrected(&guichet, &student).await;
    guichet.teacher().delete(&format!("/v1/exercises/{exercise}")).await;

    let told = run(&mut guichet.command(&["submission", "rejudge", &id, "--url", &guichet.url()]));

    assert!(told.status.success(), "{told:?}");
    assert_eq!(String::from_utf8_lossy(&told.stdout), format!("{id} is queued\n"));
    let ended = student.ended(&id).await;
    assert_eq!(
        (&ended["result"]["verdict"], &ended["exercise_version"]),
        (&json!("wrong_answer"), &json!(1))
    );
}
