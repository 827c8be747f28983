//! The client crate against the true service.

use guichet_client::types::{
    FileRequest, ProblemCode, StreamEvent, SubmissionRequest, SubmissionState, Verdict,
};
use guichet_client::{Client, Error};

use crate::support::client::Role;
use crate::support::exercises;
use crate::support::guichet::TestGuichet;

fn client(guichet: &TestGuichet, role: Role, subject: &str) -> Client {
    let url = guichet.url().parse().expect("a URL");
    Client::new(url, guichet.token(role, subject).as_str()).expect("a client")
}

fn sum(source: &str) -> SubmissionRequest {
    let content = Some(source.to_owned());
    SubmissionRequest {
        exercise_id: Some("sum".to_owned()),
        runtime: "python".to_owned(),
        files: vec![FileRequest { path: "main.py".to_owned(), content, ..FileRequest::default() }],
        ..SubmissionRequest::default()
    }
}

async fn with_exercise(guichet: &TestGuichet) {
    let exercise = serde_json::from_value(exercises::sum()).expect("an exercise as the document has it");
    let stored =
        client(guichet, Role::Teacher, "grace").put_exercise("sum", &exercise).await.expect("it is stored");
    assert_eq!((stored.version, stored.test_count), (1, 2));
}

#[tokio::test]
async fn a_story_is_told_once_and_in_order_across_a_death_of_the_service() {
    let guichet = TestGuichet::start().await;
    with_exercise(&guichet).await;
    let student = client(&guichet, Role::Student, "ada");
    let source = "import time\ntime.sleep(1)\nprint(sum(map(int, input().split())))\n";
    let submission = student.submit(&sum(source)).await.expect("it is stored");
    let mut story = student.follow(&submission.id);

    let mut names = Vec::new();
    let mut ended = None;
    while let Some(told) = story.next().await.expect("the story goes on") {
        names.push(told.name.clone());
        match told.event().expect("an event as the document has it") {
            StreamEvent::SubmissionStarted(started) if started.attempt == 1 => {
                guichet.kill();
                guichet.restart().await;
            }
            StreamEvent::SubmissionFinished(event) => ended = Some(event.submission),
            _other => {}
        }
    }

    let ended = ended.expect("it has ended");
    assert_eq!(ended.state, SubmissionState::Finished);
    assert_eq!(ended.result.map(|result| (result.verdict, result.score)), Some((Verdict::Accepted, Some(4))));
    let of = |name: &str| names.iter().filter(|told| *told == name).count();
    let counted = [of("submission.queued"), of("submission.requeued"), of("submission.finished")];
    assert_eq!(counted, [1, 1, 1], "{names:?}");
    assert_eq!(of("submission.test_finished"), 2, "{names:?}");
}

#[tokio::test]
async fn a_refusal_names_the_fields_and_who_asks_with_no_good_token_is_told_so() {
    let guichet = TestGuichet::start().await;
    with_exercise(&guichet).await;
    let student = client(&guichet, Role::Student, "ada");

    let refused =
        student.submit(&SubmissionRequest { runtime: "cobol".to_owned(), ..sum("") }).await.unwrap_err();
    let stranger = Client::new(guichet.url().parse().expect("a URL"), "no token").expect("a client");
    let unknown = stranger.me().await.unwrap_err();

    let Error::Refused(problem) = &refused else { panic!("{refused:?}") };
    assert_eq!((&problem.code, problem.status), (&ProblemCode::ValidationFailed, 422));
    assert_eq!(problem.errors.iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), ["/runtime"]);
    assert!(refused.to_string().contains("\n  /runtime "), "{refused}");
    assert!(!refused.may_pass());
    assert!(matches!(unknown, Error::Refused(problem) if problem.code == ProblemCode::InvalidToken));
}

#[tokio::test]
async fn resources_are_read_as_the_document_has_them() {
    let guichet = TestGuichet::start().await;
    with_exercise(&guichet).await;
    let admin = client(&guichet, Role::Admin, "root");
    let submission = admin.submit(&sum("print(3)")).await.expect("it is stored");
    let ended = guichet.admin().ended(&submission.id).await;

    assert_eq!(admin.submission(&submission.id).await.expect("it").id, ended["id"]);
    assert_eq!(admin.submissions(&[("exercise_id", "sum")], 5).await.expect("a list").len(), 1);
    assert_eq!(admin.submission_file(&submission.id, "main.py").await.expect("a file"), b"print(3)");
    assert_eq!(admin.exercises().await.expect("a list").len(), 1);
    assert_eq!(admin.exercise("sum").await.expect("it").tests.map(|tests| tests.len()), Some(2));
    assert_eq!(admin.results("sum").await.expect("results").items.len(), 1);
    assert_eq!(admin.runtimes().await.expect("a list").len(), 2);
    assert_eq!(admin.queue().await.expect("the queue").queued, 0);
    assert_eq!(admin.me().await.expect("itself").sub, "root");
    assert_eq!(admin.hosts().await.expect("a list").len(), 1);
    assert!(!admin.containers(&[]).await.expect("a list").is_empty());
    assert!(admin.links().await.expect("a list").is_empty());
    admin.delete_exercise("sum").await.expect("it is deleted");
}
