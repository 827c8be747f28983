//! The results of an exercise: what each owner reached, how often each test fails, and the same as a table.

use guichet::app::Role;
use guichet::domain::exercise::Visibility;
use guichet::domain::verdict::{Points, SubmissionResult, TestReport, Verdict};
use serde_json::{Value, json};

use super::house::{House, solution, text};
use super::ownership::hidden_result;

const RESULTS: &str = "/v1/exercises/sum/results";

/// `small` as told, `big` accepted.
fn graded(round: u32, small: Verdict) -> SubmissionResult {
    let mut result = hidden_result();
    let points = |verdict, weight| {
        let score = if verdict == Verdict::Accepted { weight } else { 0 };
        Points { score, max_score: weight }
    };
    let big = TestReport { index: 2, points: Some(points(Verdict::Accepted, 3)), ..result.tests[0].clone() };
    let small = TestReport {
        index: 1,
        name: "small".to_owned(),
        visibility: Visibility::Public,
        verdict: small,
        points: Some(points(small, 1)),
        ..big.clone()
    };
    result.round = round;
    result.verdict = small.verdict;
    let won = small.points.unwrap().score + 3;
    result.points = Some(Points { score: won, max_score: 4 });
    result.tests = vec![small, big];
    result
}

/// Submits and grades; the id.
async fn sent(house: &House, owner: &str, small: Verdict) -> String {
    let id = house.submit(owner).await;
    let lease = house.lease().await;
    house.finish(&lease, graded(1, small)).await;
    id
}

fn teacher(house: &House) -> String {
    house.token("tina", Role::Teacher)
}

#[tokio::test]
async fn a_teacher_reads_best_and_last_of_each_owner_and_how_often_each_test_fails() {
    let house = House::build().await;
    house.with_sum().await;
    let best = sent(&house, "alice", Verdict::Accepted).await;
    let last = sent(&house, "alice", Verdict::TimeLimitExceeded).await;
    let only = sent(&house, "bob", Verdict::WrongAnswer).await;

    let answer = house.get(RESULTS).token(&teacher(&house)).send().await;

    let body = answer.json();
    let alice = &body["items"][0];
    let ended_at = text(&alice["best"]["ended_at"]);
    assert!(ended_at.ends_with('Z') && ended_at.len() == 24, "{ended_at}");
    assert_eq!(
        alice["best"],
        json!({
            "submission_id": best, "exercise_version": 1, "verdict": "accepted", "score": 4, "max_score": 4,
            "ended_at": ended_at,
        })
    );
    assert_eq!((&alice["owner"], &alice["submissions"]), (&json!("alice"), &json!(2)));
    assert_eq!(
        (&alice["last"]["submission_id"], &alice["last"]["verdict"], &alice["last"]["score"]),
        (&json!(last), &json!("time_limit_exceeded"), &json!(3))
    );
    assert_eq!(body["items"][1]["best"]["submission_id"], json!(only));
    assert_eq!((&body["next_cursor"], body["items"].as_array().unwrap().len()), (&Value::Null, 2));
    let verdicts = |of: &[(&str, u64)]| {
        of.iter().map(|(verdict, count)| json!({ "verdict": verdict, "count": count })).collect::<Vec<_>>()
    };
    assert_eq!(
        body["tests"],
        json!([
            {
                "name": "small",
                "last": {
                    "runs": 2, "failures": 2, "verdicts": verdicts(&[("wrong_answer", 1), ("time_limit_exceeded", 1)]),
                },
                "all": {
                    "runs": 3, "failures": 2,
                    "verdicts": verdicts(&[("accepted", 1), ("wrong_answer", 1), ("time_limit_exceeded", 1)]),
                },
            },
            {
                "name": "big",
                "last": { "runs": 2, "failures": 0, "verdicts": verdicts(&[("accepted", 2)]) },
                "all": { "runs": 3, "failures": 0, "verdicts": verdicts(&[("accepted", 3)]) },
            },
        ])
    );
    assert_eq!(answer.header("vary"), "Authorization, Cookie, Accept");
}

#[tokio::test]
async fn results_are_for_those_who_teach() {
    let house = House::build().await;
    house.with_sum().await;
    for (role, status) in
        [(Role::Student, 403), (Role::Teacher, 200), (Role::Backend, 200), (Role::Admin, 200)]
    {
        for kind in ["application/json", "text/csv"] {
            let answer =
                house.get(RESULTS).token(&house.token("x", role)).header("accept", kind).send().await;

            assert_eq!(answer.status.as_u16(), status, "{role:?} {kind}");
        }
    }
    // A student learns nothing of which exercises there are from it.
    let student = house.token("alice", Role::Student);
    let unknown = house.get("/v1/exercises/none/results").token(&student).send().await;
    assert_eq!(unknown.problem().1, "forbidden");
}

#[tokio::test]
async fn owners_come_in_pages_and_the_tests_with_the_first() {
    let house = House::build().await;
    house.with_sum().await;
    for owner in ["carol", "alice", "bob"] {
        sent(&house, owner, Verdict::Accepted).await;
    }
    let tina = teacher(&house);
    let owners = |page: &Value| {
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| text(&item["owner"])).collect::<Vec<_>>()
    };

    let first = house.get(&format!("{RESULTS}?limit=2")).token(&tina).send().await;
    let cursor = text(&first.json()["next_cursor"]);
    let next = format!("{RESULTS}?limit=2&cursor={cursor}");
    assert_eq!(first.header("link"), format!("<{next}>; rel=\"next\""));
    let second = house.get(&next).token(&tina).send().await.json();

    assert_eq!(owners(&first.json()), ["alice", "bob"]);
    assert_eq!((owners(&second), &second["next_cursor"]), (vec!["carol".to_owned()], &Value::Null));
    assert_eq!(first.json()["tests"].as_array().unwrap().len(), 2);
    assert_eq!(second["tests"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_with_the_question_is_named() {
    let house = House::build().await;
    house.with_sum().await;
    sent(&house, "alice", Verdict::Accepted).await;
    sent(&house, "bob", Verdict::Accepted).await;
    let tina = teacher(&house);
    let page = house.get(&format!("{RESULTS}?limit=1")).token(&tina).send().await.json();
    let cursor = text(&page["next_cursor"]);
    let another = super::house::sum();
    house.put("/v1/exercises/other").token(&tina).json(&another).send().await;

    for (query, pointer) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("cursor=AAAA.AAAA", "cursor"),
        ("owner=alice", "owner"),
    ] {
        for kind in ["application/json", "text/csv"] {
            let answer =
                house.get(&format!("{RESULTS}?{query}")).token(&tina).header("accept", kind).send().await;

            assert_eq!(
                answer.problem(),
                (422, "validation_failed".to_owned(), vec![format!("query {pointer}")]),
                "{query} {kind}"
            );
        }
    }
    let elsewhere =
        house.get(&format!("/v1/exercises/other/results?cursor={cursor}")).token(&tina).send().await;
    assert_eq!(elsewhere.problem().2, ["query cursor"]);
    let of_another = house.token("theo", Role::Teacher);
    let stolen = house.get(&format!("{RESULTS}?cursor={cursor}")).token(&of_another).send().await;
    assert_eq!(stolen.problem().2, ["query cursor"]);
    for path in ["/v1/exercises/none/results", "/v1/exercises/a%20b/results"] {
        for kind in ["application/json", "text/csv"] {
            let answer = house.get(path).token(&tina).header("accept", kind).send().await;

            assert_eq!(answer.problem().1, "not_found", "{path} {kind}");
        }
    }
}

#[tokio::test]
async fn the_table_has_all_owners_and_no_name_is_a_formula() {
    let house = House::build().await;
    house.with_sum().await;
    let evil = "=HYPERLINK(\"http://evil.example\",\"x\")";
    sent(&house, evil, Verdict::Accepted).await;
    sent(&house, "zoë, \"zed\"", Verdict::WrongAnswer).await;
    let many = 120;
    for index in 0..many {
        sent(&house, &format!("student {index:03}"), Verdict::Accepted).await;
    }
    let tina = teacher(&house);

    let answer = house.get(RESULTS).token(&tina).header("accept", "text/csv").send().await;

    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"results-sum.csv\"");
    let table = String::from_utf8(answer.bytes).unwrap();
    let lines: Vec<&str> = table.split("\r\n").collect();
    // The names of the columns, all owners, and nothing behind the last line's end.
    assert_eq!(lines.len(), 1 + many + 2 + 1);
    assert!(lines[0].starts_with("owner,submissions,best_submission_id,"), "{}", lines[0]);
    assert_eq!(lines[0].split(',').count(), 14);
    assert!(
        lines[1].starts_with("\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\",1,\""),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("\"student 000\",1,"), "{}", lines[2]);
    assert!(lines[many + 2].starts_with("\"zoë, \"\"zed\"\"\",1,"), "{}", lines[many + 2]);
    assert!(lines[many + 2].contains(",\"wrong_answer\",3,4,\""), "{}", lines[many + 2]);
    assert_eq!(lines[many + 3], "");
    let part =
        house.get(&format!("{RESULTS}?limit=2")).token(&tina).header("accept", "text/csv").send().await;
    assert_eq!(String::from_utf8(part.bytes.clone()).unwrap().split("\r\n").count(), 1 + 2 + 1);
    assert!(part.header("link").contains("rel=\"next\""));
}

#[tokio::test]
async fn neither_a_run_nor_a_draft_is_a_result() {
    let house = House::build().await;
    house.with_sum().await;
    let alice = house.token("alice", Role::Student);
    let mut run = solution();
    run["run"] = json!({ "stdin": "1 2\n", "args": [] });
    let mut draft = solution();
    draft["enqueue"] = json!(false);
    for body in [run, draft] {
        let answer = house.post("/v1/submissions").token(&alice).json(&body).send().await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let lease = house.lease().await;
    house.finish(&lease, graded(1, Verdict::Accepted)).await;

    let body = house.get(RESULTS).token(&teacher(&house)).send().await.json();

    assert_eq!(body, json!({ "items": [], "next_cursor": null, "tests": [] }));
}
