//! The results of an exercise.

use guichet::domain::ids::SubmissionId;
use guichet::domain::standing::{TestTally, VerdictCounts};
use guichet::domain::submission::{ExerciseRef, NewSubmission, Purpose, RunInput};
use guichet::domain::verdict::Points;
use guichet::domain::verdict::Verdict::{self, Accepted, TimeLimitExceeded, WrongAnswer};
use guichet::storage::{Ending, ExerciseResults, Expected, ResultsPage, Storage, Tests};

use crate::storage::factory::{
    at, exercise_id, insert_all, lease, new, next_round, owner, result, spec, test_report,
};

const WHOLE: ResultsPage = ResultsPage { after: None, limit: 101, tests: Tests::Counted };

async fn put(db: &impl Storage, title: &str) -> ExerciseRef {
    let id = exercise_id("sum");
    db.put_exercise(&id, spec(title), Expected::Anything, at(0)).await.unwrap();
    ExerciseRef { version: db.exercise(&id).await.unwrap().unwrap().version, id }
}

/// Submits to that version and grades it: each test with its verdict, one point each.
async fn graded(
    db: &impl Storage,
    exercise: &ExerciseRef,
    whose: &str,
    tests: &[Verdict],
    seconds: i64,
) -> SubmissionId {
    let new = NewSubmission { purpose: Purpose::Graded(exercise.clone()), ..new(whose) };
    let id = insert_all(db, vec![new], at(seconds)).await[0].submission.id;
    finish(db, tests, seconds).await;
    id
}

async fn finish(db: &impl Storage, tests: &[Verdict], seconds: i64) {
    let lease = lease(db, at(seconds)).await.work.lease;
    let first_wrong = tests.iter().copied().find(|verdict| *verdict != Verdict::Accepted);
    let mut graded = result(lease.round, first_wrong.unwrap_or(Verdict::Accepted));
    let score = tests.iter().filter(|verdict| **verdict == Verdict::Accepted).count();
    graded.points = Some(Points { score: score.try_into().unwrap(), max_score: 2 });
    graded.tests = (1..).zip(tests).map(|(index, verdict)| test_report(index, *verdict)).collect();
    let ending = Ending::Finished(Box::new(graded));
    let _held = db.finish(&lease, vec![], ending, at(seconds)).await.unwrap();
}

async fn results(db: &impl Storage, page: ResultsPage) -> ExerciseResults {
    db.results(&exercise_id("sum"), page).await.unwrap().expect("no such exercise")
}

fn counts(of: &[(Verdict, u64)]) -> VerdictCounts {
    let mut counts = VerdictCounts::default();
    for (verdict, times) in of {
        counts.add(*verdict, *times);
    }
    counts
}

pub async fn the_best_and_the_last_of_each_owner_are_told(db: &impl Storage) {
    let exercise = put(db, "Sum").await;
    graded(db, &exercise, "bob", &[WrongAnswer, WrongAnswer], 1).await;
    let best = graded(db, &exercise, "bob", &[Accepted, Accepted], 2).await;
    let last = graded(db, &exercise, "bob", &[Accepted, TimeLimitExceeded], 3).await;
    let only = graded(db, &exercise, "alice", &[Accepted, WrongAnswer], 4).await;

    let standings = results(db, WHOLE).await.standings;

    let told = standings.iter().map(|one| (one.owner.as_str(), one.submissions, one.best.id, one.last.id));
    assert_eq!(told.collect::<Vec<_>>(), [("alice", 1, only, only), ("bob", 3, best, last)]);
    let last = &standings[1].last;
    assert_eq!((last.verdict, last.points), (TimeLimitExceeded, Points { score: 1, max_score: 2 }));
    assert_eq!((last.ended_at, last.exercise_version), (Some(at(3)), 1));
}

pub async fn the_tests_are_counted_in_the_last_of_each_owner_and_in_all(db: &impl Storage) {
    let exercise = put(db, "Sum").await;
    graded(db, &exercise, "bob", &[WrongAnswer, WrongAnswer], 1).await;
    graded(db, &exercise, "bob", &[Accepted, TimeLimitExceeded], 2).await;
    graded(db, &exercise, "alice", &[Accepted, Accepted], 3).await;

    let tests = results(db, WHOLE).await.tests.unwrap();

    let tally = |name: &str, last: &[_], all: &[_]| TestTally {
        name: name.to_owned(),
        last: counts(last),
        all: counts(all),
    };
    assert_eq!(
        tests,
        [
            tally("test 1", &[(Accepted, 2)], &[(Accepted, 2), (WrongAnswer, 1)]),
            tally(
                "test 2",
                &[(Accepted, 1), (TimeLimitExceeded, 1)],
                &[(Accepted, 1), (WrongAnswer, 1), (TimeLimitExceeded, 1)]
            ),
        ]
    );
}

pub async fn only_what_was_graded_for_the_exercise_counts(db: &impl Storage) {
    let exercise = put(db, "Sum").await;
    let other = exercise_id("other");
    db.put_exercise(&other, spec("Other"), Expected::Anything, at(0)).await.unwrap();
    let other = ExerciseRef { id: other, version: 1 };
    graded(db, &other, "of another exercise", &[Accepted, Accepted], 1).await;
    let run = Purpose::Run { input: RunInput::default(), exercise: Some(exercise.clone()) };
    insert_all(db, vec![NewSubmission { purpose: run, ..new("a run") }], at(2)).await;
    finish(db, &[Accepted], 2).await;
    let graded = Purpose::Graded(exercise);
    let draft = NewSubmission { purpose: graded.clone(), enqueue: false, ..new("a draft") };
    insert_all(db, vec![draft, NewSubmission { purpose: graded, ..new("queued") }], at(3)).await;

    let results = results(db, WHOLE).await;

    assert_eq!(results, ExerciseResults { standings: vec![], tests: Some(vec![]) });
}

pub async fn a_result_counts_until_that_of_the_next_round_replaces_it(db: &impl Storage) {
    let exercise = put(db, "Sum").await;
    let id = graded(db, &exercise, "alice", &[WrongAnswer, WrongAnswer], 1).await;
    next_round(db, id, "print(4)", at(2)).await;

    let before = results(db, WHOLE).await;
    finish(db, &[Accepted, Accepted], 3).await;
    let after = results(db, WHOLE).await;

    let told = |results: &ExerciseResults| {
        let [standing] = results.standings.as_slice() else { panic!("{results:?}") };
        let tests = results.tests.as_ref().unwrap();
        (standing.submissions, standing.best.verdict, standing.best.ended_at, tests[0].all.failures())
    };
    assert_eq!(told(&before), (1, WrongAnswer, None, 1));
    assert_eq!(told(&after), (1, Accepted, Some(at(3)), 0));
}

pub async fn owners_come_page_by_page(db: &impl Storage) {
    let exercise = put(db, "Sum").await;
    for (seconds, whose) in (1..).zip(["dave", "alice", "carol", "bob", "alice"]) {
        graded(db, &exercise, whose, &[Accepted, Accepted], seconds).await;
    }
    let page = async |after: Option<&str>| {
        let page = ResultsPage { after: after.map(owner), limit: 2, tests: Tests::LeftOut };
        let results = results(db, page).await;
        assert_eq!(results.tests, None);
        let told = results.standings.iter().map(|one| (one.owner.to_string(), one.submissions));
        told.collect::<Vec<_>>()
    };

    let named = |name: &str, submissions| (name.to_owned(), submissions);
    assert_eq!(page(None).await, [named("alice", 2), named("bob", 1)]);
    assert_eq!(page(Some("bob")).await, [named("carol", 1), named("dave", 1)]);
    assert_eq!(page(Some("dave")).await, []);
}

pub async fn the_results_of_a_deleted_exercise_stay_and_those_of_none_are_none(db: &impl Storage) {
    let exercise = put(db, "Sum").await;
    graded(db, &exercise, "alice", &[Accepted, Accepted], 1).await;

    db.delete_exercise(&exercise.id, Expected::Existing, at(2)).await.unwrap();

    assert_eq!(results(db, WHOLE).await.standings.len(), 1);
    assert_eq!(db.results(&exercise_id("never"), WHOLE).await.unwrap(), None);
}
