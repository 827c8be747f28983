//! An exercise's submissions, judged again: which, with what, what differs, and how that is decided about.

use guichet::domain::event::EventBody;
use guichet::domain::ids::{RejudgeId, SubmissionId};
use guichet::domain::queue::Priority;
use guichet::domain::rejudge::{Grade, Rejudge, RejudgeFilter, RejudgeMode, RejudgeState};
use guichet::domain::submission::{ExerciseRef, NewSubmission, Purpose, StateName};
use guichet::domain::time::Timestamp;
use guichet::domain::verdict::Verdict;
use guichet::storage::{
    Expected, NewRejudge, QueueCaps, RejudgeBegun, RejudgeChange, RejudgeDecided, Retention, Storage,
    SubmissionFilter,
};

use super::events::owner_log;
use crate::storage::factory::{
    NO_CAPS, at, cancel, event_names, events, exercise_id, get, grade_as, insert, lease, new, next_lease,
    next_round, order, owner, pace, runtime, spec, submission, with_runtime,
};
use guichet::domain::event::LogPlace;
use std::time::Duration;

fn graded_by(version: u32, whose: &str) -> NewSubmission {
    let exercise = ExerciseRef { id: exercise_id("sum"), version };
    NewSubmission { purpose: Purpose::Graded(exercise), ..new(whose) }
}

/// A new version of the exercise.
async fn put(db: &impl Storage, title: &str) {
    db.put_exercise(&exercise_id("sum"), spec(title), Expected::Anything, at(0)).await.unwrap();
}

/// One of Alice's and one of Bob's that were wrong in version 1 of an exercise that has version 2 now.
async fn two_wrong(db: &impl Storage) -> [SubmissionId; 2] {
    put(db, "Sum").await;
    let mut ids = Vec::new();
    for whose in ["alice", "bob"] {
        ids.push(insert(db, graded_by(1, whose)).await);
        grade_as(db, Verdict::WrongAnswer, at(1)).await;
    }
    put(db, "Sums").await;
    [ids[0], ids[1]]
}

fn asked(mode: RejudgeMode, filter: RejudgeFilter) -> NewRejudge {
    NewRejudge {
        id: RejudgeId::generate(),
        exercise: exercise_id("sum"),
        mode,
        filter,
        runtimes: vec![runtime("python"), runtime("c")],
        asked_by: owner("tina"),
    }
}

/// Begins, and queues what may be.
async fn begin(db: &impl Storage, mode: RejudgeMode, filter: RejudgeFilter) -> Rejudge {
    match db.begin_rejudge(asked(mode, filter), at(10)).await.unwrap() {
        RejudgeBegun::Begun(begun) => {
            go_on(db).await;
            begun
        }
        other => panic!("not begun: {other:?}"),
    }
}

async fn go_on(db: &impl Storage) -> u64 {
    db.continue_rejudges(NO_CAPS, pace(), at(11)).await.unwrap()
}

async fn standing(db: &impl Storage, of: &Rejudge) -> Rejudge {
    db.rejudge_standing(of.id).await.unwrap().expect("no such rejudge")
}

async fn changes(db: &impl Storage, of: &Rejudge) -> Vec<RejudgeChange> {
    db.rejudge_changes(of.id, 0, 100).await.unwrap()
}

fn grade(verdict: Verdict) -> Grade {
    Grade { verdict, score: Some(1), max_score: Some(1) }
}

async fn verdict(db: &impl Storage, id: SubmissionId) -> Option<Verdict> {
    submission(db, id).await.result.map(|result| result.verdict)
}

/// Alice's is accepted now, Bob's is wrong again.
async fn judge_both(db: &impl Storage) {
    grade_as(db, Verdict::Accepted, at(12)).await;
    grade_as(db, Verdict::WrongAnswer, at(13)).await;
}

pub async fn each_has_a_new_round_behind_all_others_with_the_version_of_its_beginning(db: &impl Storage) {
    let [alice, bob] = two_wrong(db).await;

    let begun = begin(db, RejudgeMode::Apply, RejudgeFilter::default()).await;
    put(db, "Later").await;
    let other = insert(db, new("carol")).await;

    assert_eq!((begun.state, begun.total, begun.exercise.version), (RejudgeState::Running, 2, 2));
    assert_eq!(order(db).await, [other, alice, bob]);
    let waiting = submission(db, alice).await;
    assert_eq!((waiting.round, waiting.priority), (2, Priority::Rejudge));
    assert_eq!(waiting.result.map(|result| result.round), Some(1));
    grade_as(db, Verdict::Accepted, at(11)).await;
    let work = lease(db, at(12)).await.work;
    assert_eq!(work.exercise.map(|exercise| exercise.version), Some(2));
}

pub async fn what_differs_is_counted_listed_and_told_and_what_does_not_is_not(db: &impl Storage) {
    let [alice, bob] = two_wrong(db).await;
    let begun = begin(db, RejudgeMode::Apply, RejudgeFilter::default()).await;

    judge_both(db).await;

    let ended = standing(db, &begun).await;
    assert_eq!((ended.state, ended.ended, ended.changed), (RejudgeState::Ended, 2, 1));
    let (before, after) = (grade(Verdict::WrongAnswer), grade(Verdict::Accepted));
    let change =
        RejudgeChange { place: 1, submission: alice, owner: owner("alice"), before: Some(before), after };
    assert_eq!(changes(db, &begun).await, [change]);
    assert_eq!(db.rejudge_changes(begun.id, 1, 100).await.unwrap(), []);
    let told = ["submission.queued", "submission.started", "submission.rejudged", "submission.finished"];
    assert_eq!(event_names(db, alice).await[3..], told);
    assert_eq!(
        event_names(db, bob).await[3..],
        ["submission.queued", "submission.started", "submission.finished"]
    );
    let log = events(db, alice).await;
    let EventBody::Rejudged { before: told, after: now, submission } = &log[5].body else {
        panic!("{:?}", log[5])
    };
    assert_eq!((*told, *now), (Some(before), after));
    assert_eq!(
        submission.result.as_ref().map(|result| (result.round, result.verdict)),
        Some((2, Verdict::Accepted))
    );
}

pub async fn a_preview_changes_nothing_that_is_seen(db: &impl Storage) {
    let [alice, bob] = two_wrong(db).await;
    let seen = async |db| {
        let list = db_list(db).await;
        let results = db_results(db).await;
        (get(db, alice).await, get(db, bob).await, list, results, events(db, alice).await)
    };
    let before = seen(db).await;
    let owners = owner_log(db, LogPlace::Start).await;

    let begun = begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
    let copies = order(db).await;
    assert_eq!(seen(db).await, before);
    assert_eq!(db.queued_of(&owner("alice")).await.unwrap(), 0);
    assert_eq!(db.unfinished(&owner("alice")).await.unwrap().items, []);
    judge_both(db).await;

    assert_eq!(seen(db).await, before);
    assert_eq!(owner_log(db, LogPlace::Start).await, owners);
    assert_eq!(copies.len(), 2);
    for copy in copies {
        assert_eq!(db.submission(copy).await.unwrap(), None);
    }
    let ended = standing(db, &begun).await;
    assert_eq!((ended.state, ended.changed), (RejudgeState::Ended, 1));
    assert_eq!(changes(db, &begun).await.len(), 1);
}

async fn db_list(db: &impl Storage) -> Vec<guichet::storage::Placed> {
    db.list(SubmissionFilter::default(), None, 100).await.unwrap()
}

async fn db_results(db: &impl Storage) -> guichet::storage::ExerciseResults {
    let page =
        guichet::storage::ResultsPage { after: None, limit: 100, tests: guichet::storage::Tests::Counted };
    db.results(&exercise_id("sum"), page).await.unwrap().expect("results")
}

pub async fn what_differs_in_a_preview_counts_once_it_is_applied(db: &impl Storage) {
    let [alice, bob] = two_wrong(db).await;
    let untouched = get(db, bob).await;
    let begun = begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
    assert_eq!(db.apply_rejudge(begun.id, at(12)).await.unwrap(), RejudgeDecided::Running);
    judge_both(db).await;

    let applied = db.apply_rejudge(begun.id, at(20)).await.unwrap();
    let again = db.apply_rejudge(begun.id, at(21)).await.unwrap();

    let now = standing(db, &begun).await;
    assert_eq!((now.state, now.changed, now.left_out), (RejudgeState::Applied, 1, 0));
    assert_eq!((applied, again), (RejudgeDecided::Done(now.clone()), RejudgeDecided::Done(now)));
    assert_eq!(get(db, bob).await, untouched);
    let judged = submission(db, alice).await;
    assert_eq!((judged.round, judged.state.name()), (2, StateName::Finished));
    assert_eq!(judged.purpose.exercise().map(|exercise| exercise.version), Some(2));
    assert_eq!(judged.priority, Priority::Normal);
    let result = judged.result.expect("a result");
    assert_eq!((result.round, result.verdict, result.tests.len()), (2, Verdict::Accepted, 1));
    assert_eq!(event_names(db, alice).await[3..], ["submission.rejudged", "submission.finished"]);
    assert_eq!(db.cancel_rejudge(begun.id, at(22)).await.unwrap(), RejudgeDecided::Over);
}

pub async fn a_preview_that_is_dropped_leaves_nothing(db: &impl Storage) {
    let [alice, _bob] = two_wrong(db).await;
    let untouched = get(db, alice).await;
    let begun = begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
    let running = lease(db, at(12)).await.work.lease;

    let dropped = db.cancel_rejudge(begun.id, at(13)).await.unwrap();

    assert!(
        matches!(&dropped, RejudgeDecided::Done(now) if now.state == RejudgeState::Cancelled),
        "{dropped:?}"
    );
    assert_eq!(order(db).await, []);
    let renewed = db.renew(vec![running.clone()], at(30)).await.unwrap();
    assert_eq!(renewed, [guichet::storage::Renewed::CancelRequested]);
    let _held = db.finish(&running, vec![], guichet::storage::Ending::Cancelled, at(14)).await.unwrap();
    assert_eq!(get(db, alice).await, untouched);
    assert_eq!(db.apply_rejudge(begun.id, at(15)).await.unwrap(), RejudgeDecided::Over);
    begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
}

pub async fn what_its_owner_changed_since_stays_as_it_is(db: &impl Storage) {
    let [alice, _bob] = two_wrong(db).await;
    let begun = begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
    judge_both(db).await;
    next_round(db, alice, "print(4)", at(14)).await;
    grade_as(db, Verdict::RuntimeError, at(15)).await;

    db.apply_rejudge(begun.id, at(20)).await.unwrap();

    let applied = standing(db, &begun).await;
    assert_eq!((applied.state, applied.changed, applied.left_out), (RejudgeState::Applied, 0, 1));
    assert_eq!(verdict(db, alice).await, Some(Verdict::RuntimeError));
    assert_eq!(changes(db, &begun).await, []);
}

pub async fn one_at_a_time_for_an_exercise(db: &impl Storage) {
    two_wrong(db).await;
    let begun = begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
    let begin_another = || db.begin_rejudge(asked(RejudgeMode::Apply, RejudgeFilter::default()), at(12));

    assert_eq!(begin_another().await.unwrap(), RejudgeBegun::Busy(begun.id));
    judge_both(db).await;
    assert_eq!(begin_another().await.unwrap(), RejudgeBegun::Busy(begun.id));
    db.apply_rejudge(begun.id, at(14)).await.unwrap();
    assert!(matches!(begin_another().await.unwrap(), RejudgeBegun::Begun(_)));
    db.delete_exercise(&exercise_id("sum"), Expected::Anything, at(15)).await.unwrap();
    assert_eq!(begin_another().await.unwrap(), RejudgeBegun::NotFound);
}

pub async fn a_filter_takes_what_matches_all_of_it(db: &impl Storage) {
    put(db, "Sum").await;
    let mut taken = Vec::new();
    for (runtime, verdict) in
        [("python", Verdict::WrongAnswer), ("python", Verdict::Accepted), ("c", Verdict::WrongAnswer)]
    {
        let new = NewSubmission { purpose: graded_by(1, "alice").purpose, ..with_runtime("alice", runtime) };
        taken.push(insert(db, new).await);
        grade_as(db, verdict, at(1)).await;
    }
    let of = async |filter| {
        let begun = begin(db, RejudgeMode::Preview, filter).await;
        db.cancel_rejudge(begun.id, at(12)).await.unwrap();
        begun.total
    };

    assert_eq!(of(RejudgeFilter::default()).await, 3);
    assert_eq!(of(RejudgeFilter { runtime: Some(runtime("c")), ..RejudgeFilter::default() }).await, 1);
    let wrong = RejudgeFilter {
        runtime: Some(runtime("python")),
        verdict: Some(Verdict::WrongAnswer),
        ..RejudgeFilter::default()
    };
    assert_eq!(of(wrong).await, 1);
    assert_eq!(of(RejudgeFilter { created_after: Some(at(1)), ..RejudgeFilter::default() }).await, 0);
    assert_eq!(of(RejudgeFilter { created_before: Some(at(1)), ..RejudgeFilter::default() }).await, 3);
    assert_eq!(of(RejudgeFilter { created_before: Some(at(0)), ..RejudgeFilter::default() }).await, 0);
}

pub async fn nothing_to_judge_has_ended_at_once(db: &impl Storage) {
    put(db, "Sum").await;
    insert(db, new("alice")).await;
    grade_as(db, Verdict::Accepted, at(1)).await;

    let begun = begin(db, RejudgeMode::Apply, RejudgeFilter::default()).await;

    assert_eq!((begun.state, begun.total), (RejudgeState::Ended, 0));
}

pub async fn what_waits_with_an_older_version_follows_once_it_has_ended(db: &impl Storage) {
    put(db, "Sum").await;
    let waits = insert(db, graded_by(1, "alice")).await;
    put(db, "Sums").await;
    let newer = insert(db, graded_by(2, "bob")).await;

    let begun = begin(db, RejudgeMode::Apply, RejudgeFilter::default()).await;
    assert_eq!((begun.total, go_on(db).await), (1, 0));
    grade_as(db, Verdict::WrongAnswer, at(12)).await;
    grade_as(db, Verdict::Accepted, at(12)).await;
    assert_eq!(go_on(db).await, 1);
    grade_as(db, Verdict::Accepted, at(13)).await;

    assert_eq!(standing(db, &begun).await.changed, 1);
    assert_eq!((submission(db, waits).await.round, submission(db, newer).await.round), (2, 1));
}

pub async fn what_is_cancelled_or_deleted_is_left_out(db: &impl Storage) {
    let [alice, _bob] = two_wrong(db).await;
    let begun = begin(db, RejudgeMode::Apply, RejudgeFilter::default()).await;

    cancel(db, alice, at(12)).await;
    grade_as(db, Verdict::WrongAnswer, at(13)).await;

    let ended = standing(db, &begun).await;
    assert_eq!((ended.state, ended.left_out, ended.changed), (RejudgeState::Ended, 1, 0));
    assert_eq!(verdict(db, alice).await, Some(Verdict::WrongAnswer));
}

pub async fn many_enter_the_queue_a_few_at_a_time_and_never_fill_it(db: &impl Storage) {
    put(db, "Sum").await;
    for _each in 0..6 {
        insert(db, graded_by(1, "alice")).await;
        grade_as(db, Verdict::WrongAnswer, at(1)).await;
    }
    db.begin_rejudge(asked(RejudgeMode::Apply, RejudgeFilter::default()), at(10)).await.unwrap();
    let caps = QueueCaps { total: 8, ..NO_CAPS };

    let first = db.continue_rejudges(caps, pace(), at(11)).await.unwrap();
    let none = db.continue_rejudges(caps, pace(), at(11)).await.unwrap();
    lease(db, at(12)).await;
    let more = db.continue_rejudges(caps, pace(), at(12)).await.unwrap();

    assert_eq!((first, none, more), (4, 0, 1));
}

pub async fn what_is_judged_again_and_its_copies_go_with_age(db: &impl Storage) {
    let [alice, _bob] = two_wrong(db).await;
    let begun = begin(db, RejudgeMode::Preview, RejudgeFilter::default()).await;
    judge_both(db).await;
    db.apply_rejudge(begun.id, at(20)).await.unwrap();
    let never = Duration::from_secs(u64::MAX);
    let retention = |submissions| Retention { submissions, events: never };
    let prune = async |age, now: Timestamp| db.prune(retention(age), now).await.unwrap();

    prune(never, at(21)).await;
    assert_eq!(verdict(db, alice).await, Some(Verdict::Accepted), "its copy went, its result is its own");
    assert_eq!(changes(db, &begun).await.len(), 1);
    prune(Duration::from_hours(1), at(10 + 3601)).await;

    assert_eq!(db.rejudge_standing(begun.id).await.unwrap(), None);
    assert!(next_lease(db, at(4000)).await.is_none());
}
