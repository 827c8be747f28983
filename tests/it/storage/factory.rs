//! Values for tests; what a test is about, it names itself.

use std::time::Duration;

use guichet::domain::event::{Event, LogPlace};
use guichet::domain::exercise::{
    Checker, CheckerProgram, ExerciseSpec, Isolation, Kind, SourceFile, Stdio, TestCase, Visibility,
};
use guichet::domain::ids::{ExerciseId, Owner, RuntimeId, SubmissionId, WorkerId};
use guichet::domain::lease::{AttemptCaps, Lease};
use guichet::domain::limits::LimitChoice;
use guichet::domain::metadata::Metadata;
use guichet::domain::pace::{Observed, Pace};
use guichet::domain::queue::Priority;
use guichet::domain::submission::{LegacyRef, NewSubmission, Purpose, RunInput, StateName, Submission};
use guichet::domain::time::Timestamp;
use guichet::domain::verdict::{
    Capture, Exit, Points, SubmissionResult, TestReport, Timings, Usage, UsageSource, Verdict,
};
use guichet::storage::{
    CancelRequested, Ending, Enqueued, FilesReplaced, Inserted, Leased, LogPage, Placed, QueueCaps, Runnable,
    Storage,
};

pub const NO_CAPS: QueueCaps = QueueCaps::NONE;
pub const CAPS: AttemptCaps = AttemptCaps { any: 3, container: 2 };

/// The instant so many seconds after the tests' beginning.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

pub fn pace() -> Pace {
    let ready = [runtime("python"), runtime("c")].into();
    Pace::of(Observed { slots: 2, ready, ended_ms: vec![1000; 10], ..Observed::default() })
}

pub fn owner(name: &str) -> Owner {
    name.parse().unwrap()
}

pub fn runtime(name: &str) -> RuntimeId {
    name.parse().unwrap()
}

pub fn worker(name: &str) -> WorkerId {
    name.parse().unwrap()
}

pub fn exercise_id(name: &str) -> ExerciseId {
    name.parse().unwrap()
}

pub fn file(path: &str, content: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), content: content.into() }
}

/// A run of one Python file, to be queued.
pub fn new(whose: &str) -> NewSubmission {
    NewSubmission {
        id: SubmissionId::generate(),
        owner: owner(whose),
        legacy: None,
        purpose: Purpose::Run { input: RunInput::default(), exercise: None },
        runtime: runtime("python"),
        priority: Priority::Normal,
        metadata: Metadata::default(),
        files: vec![file("main.py", "print(3)\n")],
        enqueue: true,
    }
}

pub fn draft(whose: &str) -> NewSubmission {
    NewSubmission { enqueue: false, ..new(whose) }
}

pub fn with_priority(whose: &str, priority: Priority) -> NewSubmission {
    NewSubmission { priority, ..new(whose) }
}

pub fn with_runtime(whose: &str, name: &str) -> NewSubmission {
    NewSubmission { runtime: runtime(name), ..new(whose) }
}

pub fn legacy(backend: &str, legacy_id: &str) -> LegacyRef {
    LegacyRef { backend: backend.parse().unwrap(), legacy_id: legacy_id.parse().unwrap() }
}

/// Stores these, which must succeed.
pub async fn insert_all(db: &impl Storage, new: Vec<NewSubmission>, now: Timestamp) -> Vec<Placed> {
    match db.insert(new, None, NO_CAPS, pace(), now).await.unwrap() {
        Inserted::Stored(placed) => placed,
        other => panic!("not stored: {other:?}"),
    }
}

/// Stores this one at the beginning.
pub async fn insert(db: &impl Storage, new: NewSubmission) -> SubmissionId {
    insert_all(db, vec![new], at(0)).await[0].submission.id
}

/// Leases the next submission in any of the tests' runtimes, which must exist, until 15 s after `now`.
pub async fn lease(db: &impl Storage, now: Timestamp) -> Leased {
    next_lease(db, now).await.expect("nothing to lease")
}

pub async fn next_lease(db: &impl Storage, now: Timestamp) -> Option<Leased> {
    lease_as(db, "w1", &[runtime("python"), runtime("c")], now).await
}

/// Leases the next submission in one of `runtimes` to this worker, until 15 s after `now`.
pub async fn lease_as(
    db: &impl Storage,
    who: &str,
    runtimes: &[RuntimeId],
    now: Timestamp,
) -> Option<Leased> {
    let runnable: Vec<_> = runtimes.iter().cloned().map(alone).collect();
    db.lease_next(&worker(who), &runnable, now, now.plus(Duration::from_secs(15))).await.unwrap()
}

/// Submissions of a runtime that have no companion.
pub const fn alone(runtime: RuntimeId) -> Runnable {
    Runnable { runtime, companions: Vec::new() }
}

/// Leases the next submission and ends it as accepted.
pub async fn grade(db: &impl Storage, now: Timestamp) -> Lease {
    grade_as(db, Verdict::Accepted, now).await
}

pub async fn grade_as(db: &impl Storage, verdict: Verdict, now: Timestamp) -> Lease {
    let lease = lease(db, now).await.work.lease;
    let ending = Ending::Finished(Box::new(result(lease.round, verdict)));
    let _held = db.finish(&lease, vec![], ending, now).await.unwrap();
    lease
}

/// Gives a submission other files and queues it again.
pub async fn next_round(db: &impl Storage, id: SubmissionId, content: &str, now: Timestamp) -> Placed {
    let replaced = db.replace_files(id, vec![file("main.py", content)], now).await.unwrap();
    assert!(matches!(replaced, FilesReplaced::Replaced(_)), "{replaced:?}");
    match db.enqueue(id, NO_CAPS, pace(), now).await.unwrap() {
        Enqueued::Queued(placed) => placed,
        other => panic!("not queued: {other:?}"),
    }
}

pub async fn cancel(db: &impl Storage, id: SubmissionId, now: Timestamp) -> CancelRequested {
    db.cancel(id, now).await.unwrap()
}

pub async fn get(db: &impl Storage, id: SubmissionId) -> Placed {
    db.submission(id).await.unwrap().expect("no such submission")
}

pub async fn submission(db: &impl Storage, id: SubmissionId) -> Submission {
    get(db, id).await.submission
}

pub async fn state(db: &impl Storage, id: SubmissionId) -> StateName {
    submission(db, id).await.state.name()
}

/// All that is kept of a submission's log.
pub async fn events(db: &impl Storage, id: SubmissionId) -> Vec<Event> {
    match db.events_since(id, LogPlace::Start, 1000).await.unwrap() {
        LogPage::Events(events) => events,
        LogPage::Unknown => panic!("the log has no start"),
    }
}

pub async fn event_names(db: &impl Storage, id: SubmissionId) -> Vec<&'static str> {
    events(db, id).await.iter().map(|event| event.body.name()).collect()
}

/// The queue's order, as ids.
pub async fn order(db: &impl Storage) -> Vec<SubmissionId> {
    db.queue().await.unwrap().into_iter().map(|entry| entry.submission).collect()
}

pub fn test_report(index: u32, verdict: Verdict) -> TestReport {
    TestReport {
        index,
        name: format!("test {index}"),
        visibility: Visibility::Public,
        verdict,
        points: Some(Points { score: 1, max_score: 1 }),
        usage: Usage { cpu_time_ms: 12, wall_time_ms: 15, memory_bytes: 8_011_776 },
        exit: Some(Exit::Code(0)),
        limit: None,
        stdin: Some("1 2\n".into()),
        expected: Some("3\n".into()),
        stdout: Capture { bytes: vec![0x33, 0xff].into(), truncated: false },
        stderr: Capture::default(),
        message: None,
        judge_message: None,
    }
}

pub fn result(round: u32, verdict: Verdict) -> SubmissionResult {
    SubmissionResult {
        round,
        verdict,
        points: Some(Points { score: 1, max_score: 1 }),
        groups: None,
        usage_source: UsageSource::CgroupV1,
        compile: None,
        tests: vec![test_report(1, verdict)],
        timings: Timings { queued_ms: 3, prepared_ms: 1, compiled_ms: 0, tested_ms: 31, stored_ms: 1 },
    }
}

pub fn finished(round: u32, verdict: Verdict) -> Ending {
    Ending::Finished(Box::new(result(round, verdict)))
}

/// The same, with a checker that is a program of this runtime.
pub fn checked_by(runtime_id: &str) -> ExerciseSpec {
    let mut spec = spec("Checked");
    let Kind::Stdio(stdio) = &mut spec.kind;
    stdio.checker = Checker::Program(CheckerProgram {
        runtime: runtime(runtime_id),
        files: vec![file("check", "")],
        args: vec![],
        limits: LimitChoice::default(),
    });
    spec
}

pub fn spec(title: &str) -> ExerciseSpec {
    ExerciseSpec {
        title: title.to_owned(),
        statement: "Read two integers, print their sum.".to_owned(),
        kind: Kind::Stdio(Stdio {
            checker: Checker::Tokens { case_sensitive: true, float_tolerance: None },
            tests: vec![TestCase {
                name: "small".to_owned(),
                args: vec![],
                stdin: "1 2\n".into(),
                expected: vec![0xff, 0x0a].into(),
                files: vec![],
                expected_files: vec![],
                visibility: Visibility::Public,
                weight: 1,
            }],
            groups: Vec::new(),
        }),
        runtimes: vec![runtime("python")],
        starter_files: vec![],
        priority: Priority::Normal,
        isolation: Isolation::Reset,
        limits: LimitChoice { cpu_time_ms: Some(1000), ..LimitChoice::default() },
        limits_by_runtime: std::iter::once((runtime("python"), LimitChoice::default())).collect(),
        compile_limits: LimitChoice::default(),
        stop_on_first_failure: false,
        solutions: vec![],
    }
}
