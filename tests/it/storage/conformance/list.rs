//! Lists of submissions.

use guichet::domain::ids::SubmissionId;
use guichet::domain::submission::{NewSubmission, StateName};
use guichet::domain::verdict::Verdict;
use guichet::storage::{ListCursor, Storage, SubmissionFilter};

use crate::storage::factory::{
    at, draft, get, grade, grade_as, insert, insert_all, legacy, new, next_round, owner,
};

async fn ids(db: &impl Storage, filter: SubmissionFilter) -> Vec<SubmissionId> {
    db.list(filter, None, 101).await.unwrap().into_iter().map(|placed| placed.submission.id).collect()
}

async fn insert_at(db: &impl Storage, new: NewSubmission, seconds: i64) -> SubmissionId {
    insert_all(db, vec![new], at(seconds)).await[0].submission.id
}

pub async fn the_newest_stand_first(db: &impl Storage) {
    let early = insert_at(db, new("alice"), 1).await;
    let late = insert_at(db, new("bob"), 3).await;
    let between = insert_at(db, draft("alice"), 2).await;

    assert_eq!(ids(db, SubmissionFilter::default()).await, [late, between, early]);
}

pub async fn a_list_goes_on_behind_its_cursor(db: &impl Storage) {
    let stored = insert_all(db, vec![new("alice"), new("alice"), new("alice")], at(1)).await;
    let mut newest_first: Vec<_> = stored.iter().map(|placed| placed.submission.id).collect();
    newest_first.sort_unstable_by(|one, other| other.cmp(one));

    let first = db.list(SubmissionFilter::default(), None, 2).await.unwrap();
    let cursor = ListCursor { created_at: at(1), id: first[1].submission.id };
    let rest = db.list(SubmissionFilter::default(), Some(cursor), 2).await.unwrap();

    let listed: Vec<_> = first.iter().chain(&rest).map(|placed| placed.submission.id).collect();
    assert_eq!(listed, newest_first);
}

pub async fn a_list_shows_neither_files_nor_the_tests_of_results(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade(db, at(1)).await;

    let listed = db.list(SubmissionFilter::default(), None, 10).await.unwrap().remove(0);

    let mut expected = get(db, id).await;
    let tests = std::mem::take(&mut expected.submission.result.as_mut().unwrap().tests);
    let files = expected.submission.files.take();
    assert_eq!((tests.len(), files.map(|files| files.len())), (1, Some(1)));
    assert_eq!(listed, expected);
}

pub async fn a_list_shows_places(db: &impl Storage) {
    insert_at(db, new("alice"), 1).await;
    insert_at(db, new("alice"), 2).await;

    let listed = db.list(SubmissionFilter::default(), None, 10).await.unwrap();

    let positions: Vec<_> = listed.iter().map(|placed| placed.position).collect();
    assert_eq!(positions, [Some(2), Some(1)]);
}

pub async fn a_filter_by_time_takes_its_start_and_leaves_its_end(db: &impl Storage) {
    insert_at(db, new("alice"), 1).await;
    let second = insert_at(db, new("alice"), 2).await;
    insert_at(db, new("alice"), 3).await;

    let filter = SubmissionFilter {
        created_after: Some(at(2)),
        created_before: Some(at(3)),
        ..SubmissionFilter::default()
    };

    assert_eq!(ids(db, filter).await, [second]);
}

pub async fn a_filter_takes_what_matches_all_of_it(db: &impl Storage) {
    let named = NewSubmission { legacy: Some(legacy("default", "9")), ..draft("alice") };
    let wanted = insert(db, named).await;
    insert(db, draft("alice")).await;
    insert(db, new("alice")).await;
    insert(db, NewSubmission { legacy: Some(legacy("default", "10")), ..draft("bob") }).await;

    let filter = SubmissionFilter {
        owner: Some(owner("alice")),
        state: Some(StateName::Draft),
        backend: Some("default".to_owned()),
        legacy_id: Some("9".parse().unwrap()),
        ..SubmissionFilter::default()
    };
    let of_another = SubmissionFilter { owner: Some(owner("bob")), ..filter.clone() };

    assert_eq!(ids(db, filter).await, [wanted]);
    assert_eq!(ids(db, of_another).await, []);
}

pub async fn a_filter_by_verdict_asks_the_newest_result(db: &impl Storage) {
    let id = insert(db, new("alice")).await;
    grade_as(db, Verdict::WrongAnswer, at(1)).await;
    next_round(db, id, "print(4)", at(2)).await;
    grade(db, at(3)).await;

    let with = |verdict| SubmissionFilter { verdict: Some(verdict), ..SubmissionFilter::default() };

    assert_eq!(ids(db, with(Verdict::WrongAnswer)).await, []);
    assert_eq!(ids(db, with(Verdict::Accepted)).await, [id]);
}
