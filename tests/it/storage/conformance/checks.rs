//! Reference solutions that are judged: set aside from all that their owner has, and told by their check.

use guichet::domain::check::{Check, CheckItem};
use guichet::domain::event::LogPlace;
use guichet::domain::ids::{CheckId, SubmissionId};
use guichet::domain::queue::Priority;
use guichet::domain::submission::{ExerciseRef, NewSubmission, Purpose, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{
    CheckBegun, Expected, NewCheck, NewCheckItem, QueueCaps, ResultsPage, Retention, Storage,
    SubmissionFilter, Tests,
};
use std::time::Duration;

use super::events::owner_log;
use crate::storage::factory::{
    NO_CAPS, at, event_names, exercise_id, get, grade_as, insert, new, order, owner, pace, spec,
};

fn item(solution: &str, expected: Verdict) -> NewCheckItem {
    let exercise = ExerciseRef { id: exercise_id("sum"), version: 1 };
    let submission =
        NewSubmission { purpose: Purpose::Graded(exercise), priority: Priority::Rejudge, ..new("tina") };
    NewCheckItem { solution: solution.to_owned(), expected_verdicts: vec![expected], submission }
}

/// A check of two solutions of which one must be right, and what is judged for them.
async fn begun(db: &impl Storage) -> (CheckId, [SubmissionId; 2]) {
    db.put_exercise(&exercise_id("sum"), spec("Sum"), Expected::Anything, at(0)).await.unwrap();
    let items = vec![item("right", Verdict::Accepted), item("wrong", Verdict::WrongAnswer)];
    let submissions = [items[0].submission.id, items[1].submission.id];
    let new = NewCheck {
        id: CheckId::generate(),
        exercise: ExerciseRef { id: exercise_id("sum"), version: 1 },
        asked_by: owner("tina"),
        items,
    };
    let id = new.id;
    assert_eq!(db.begin_check(new, NO_CAPS, pace(), at(1)).await.unwrap(), CheckBegun::Begun);
    (id, submissions)
}

async fn check(db: &impl Storage, id: CheckId) -> Check {
    db.check(id).await.unwrap().expect("no such check")
}

pub async fn solutions_wait_behind_all_others_and_their_verdicts_are_told(db: &impl Storage) {
    let (id, [right, wrong]) = begun(db).await;
    let other = insert(db, new("alice")).await;
    assert_eq!(order(db).await, [other, right, wrong]);
    let running = check(db, id).await;
    grade_as(db, Verdict::Accepted, at(2)).await;

    grade_as(db, Verdict::Accepted, at(3)).await;
    let half = check(db, id).await;
    grade_as(db, Verdict::WrongAnswer, at(4)).await;
    let ended = check(db, id).await;

    assert_eq!((running.is_ok(), half.is_ok(), ended.is_ok()), (None, None, Some(true)));
    let told = |item: &CheckItem| (item.solution.clone(), item.submission, item.state, item.verdict);
    assert_eq!(
        ended.items.iter().map(told).collect::<Vec<_>>(),
        [
            ("right".to_owned(), right, Some(StateName::Finished), Some(Verdict::Accepted)),
            ("wrong".to_owned(), wrong, Some(StateName::Finished), Some(Verdict::WrongAnswer)),
        ]
    );
    assert_eq!(db.check(CheckId::generate()).await.unwrap(), None);
}

pub async fn what_is_judged_for_them_is_read_by_its_id_and_nowhere_else(db: &impl Storage) {
    let (_id, [right, _wrong]) = begun(db).await;
    assert_eq!(db.queued_of(&owner("tina")).await.unwrap(), 0);
    assert_eq!(db.unfinished(&owner("tina")).await.unwrap().items, []);

    grade_as(db, Verdict::Accepted, at(2)).await;

    assert_eq!(get(db, right).await.submission.owner, owner("tina"));
    assert_eq!(
        event_names(db, right).await,
        ["submission.queued", "submission.started", "submission.finished"]
    );
    assert_eq!(owner_log(db, LogPlace::Start).await, []);
    assert_eq!(db.list(SubmissionFilter::default(), None, 100).await.unwrap(), []);
    let page = ResultsPage { after: None, limit: 100, tests: Tests::Counted };
    let results = db.results(&exercise_id("sum"), page).await.unwrap().expect("results");
    assert_eq!((results.standings, results.tests), (vec![], Some(vec![])));
}

pub async fn a_full_queue_takes_none_of_them(db: &impl Storage) {
    db.put_exercise(&exercise_id("sum"), spec("Sum"), Expected::Anything, at(0)).await.unwrap();
    let new = NewCheck {
        id: CheckId::generate(),
        exercise: ExerciseRef { id: exercise_id("sum"), version: 1 },
        asked_by: owner("tina"),
        items: vec![item("right", Verdict::Accepted), item("wrong", Verdict::WrongAnswer)],
    };
    let (id, caps) = (new.id, QueueCaps { total: 1, ..NO_CAPS });

    let refused = db.begin_check(new, caps, pace(), at(1)).await.unwrap();

    assert_eq!((refused, db.check(id).await.unwrap()), (CheckBegun::QueueFull, None));
    assert_eq!(order(db).await, []);
}

pub async fn a_check_goes_with_age(db: &impl Storage) {
    let (id, _submissions) = begun(db).await;
    for _each in 0..2 {
        grade_as(db, Verdict::Accepted, at(2)).await;
    }
    let retention = Retention { submissions: Duration::from_hours(1), events: Duration::from_hours(1) };

    db.prune(retention, at(3000)).await.unwrap();
    assert_eq!(check(db, id).await.is_ok(), Some(false));
    db.prune(retention, at(3700)).await.unwrap();

    assert_eq!(db.check(id).await.unwrap(), None);
}
