//! Queues what is to be judged again, a few at a time: what a person sends is never refused for it, and no transaction is long.

use rusqlite::params;

use super::super::commands;
use super::super::queue::Entrance;
use super::super::rows::{Row, key, submission_id};
use super::super::submissions;
use super::super::writer::Tx;
use super::settle::{self, Item, Settled};
use super::{rejudge_id, standing};
use crate::domain::ids::SubmissionId;
use crate::domain::pace::Pace;
use crate::domain::queue::Priority;
use crate::domain::rejudge::{Rejudge, RejudgeMode};
use crate::domain::submission::{State, StateName, Submission};
use crate::domain::time::Timestamp;
use crate::storage::{QueueCaps, Result};

/// Items of one transaction.
const BATCH: u64 = 32;
/// Items of one exercise that are queued or run at one time.
const WINDOW: u64 = 128;

/// Queues the next items of all that go on; answers how many were taken.
pub(super) fn next(tx: &mut Tx, caps: QueueCaps, pace: &Pace, now: Timestamp) -> Result<u64> {
    let running: Vec<Vec<u8>> =
        tx.rows("SELECT id FROM rejudges WHERE state = 'running' ORDER BY created_at, id", [], |row| {
            row.get(0)
        })?;
    let mut taken = 0;
    for id in running {
        let id = rejudge_id(&id)?;
        let of = Row { table: "rejudges", key: &id };
        let rejudge = of.present("id", standing(tx, id)?)?;
        let room = room(tx, &rejudge, caps)?.min(BATCH.saturating_sub(taken));
        for waiting in waiting(tx, &rejudge, room)? {
            judge(tx, &rejudge, &waiting, pace, now)?;
            taken += 1;
        }
    }
    Ok(taken)
}

/// How many more may be queued.
fn room(tx: &Tx, rejudge: &Rejudge, caps: QueueCaps) -> Result<u64> {
    let (judging, queued): (i64, i64) = tx.one(
        "SELECT (SELECT count(*) FROM rejudge_items WHERE rejudge_id = ?1 AND state = 'judging'), \
                (SELECT sum(queued) FROM classes)",
        [super::key(rejudge.id)],
        |row| row.try_into(),
    )?;
    let of = Row { table: "rejudges", key: &rejudge.id };
    let (judging, queued): (u64, u64) = (of.number("ended", judging)?, of.number("queued", queued)?);
    // At least one, however short the queue may be, if nothing of it waits.
    let of_queue = (caps.total / 2).max(1).saturating_sub(queued);
    Ok(WINDOW.saturating_sub(judging).min(of_queue))
}

/// An item that is the next to be judged.
struct Waiting {
    item: Item,
    submission: SubmissionId,
}

/// The next items whose submissions neither wait nor run.
fn waiting(tx: &Tx, rejudge: &Rejudge, limit: u64) -> Result<Vec<Waiting>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let found: Vec<(i64, Vec<u8>)> = tx.rows(
        "SELECT i.ordinal, i.submission_id FROM rejudge_items AS i \
         WHERE i.rejudge_id = ?1 AND i.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM submissions AS s \
           WHERE s.id = i.submission_id AND +s.state IN ('queued', 'running')) ORDER BY i.ordinal LIMIT ?2",
        params![super::key(rejudge.id), i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| row.try_into(),
    )?;
    let waiting = |(ordinal, id): (i64, Vec<u8>)| {
        let item = Item { rejudge: super::key(rejudge.id), ordinal };
        Ok(Waiting { item, submission: submission_id("rejudge_items", &id)? })
    };
    found.into_iter().map(waiting).collect()
}

/// Has an item judged; one whose submission was cancelled, or is gone, is left out.
fn judge(tx: &mut Tx, rejudge: &Rejudge, waiting: &Waiting, pace: &Pace, now: Timestamp) -> Result<()> {
    let Waiting { item, submission: id } = waiting;
    let stored = submissions::stored(tx, *id)?.map(|placed| placed.submission);
    let Some(submission) = stored.filter(|stored| is_graded(stored.state)) else {
        return settle::settle(tx, item, Settled::LeftOut, now);
    };
    let before = settle::grade(tx, *id)?;
    let round = submission.round;
    let judged = match rejudge.mode {
        RejudgeMode::Apply => judge_itself(tx, rejudge, &submission, pace, now)?,
        RejudgeMode::Preview => judge_copy(tx, rejudge, &submission, pace, now)?,
    };
    let points = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    tx.execute(
        "UPDATE rejudge_items SET state = 'judging', judged_id = ?3, round_before = ?4, before_verdict = ?5, \
         before_score = ?6, before_max_score = ?7 WHERE rejudge_id = ?1 AND ordinal = ?2",
        params![
            item.rejudge,
            item.ordinal,
            key(judged),
            round,
            before.map(|before| before.verdict.name()),
            points(before.and_then(|before| before.score)),
            points(before.and_then(|before| before.max_score))
        ],
    )?;
    Ok(())
}

fn is_graded(state: State) -> bool {
    matches!(state.name(), StateName::Finished | StateName::Failed)
}

/// Queues a submission for a new round.
fn judge_itself(
    tx: &mut Tx,
    rejudge: &Rejudge,
    submission: &Submission,
    pace: &Pace,
    now: Timestamp,
) -> Result<SubmissionId> {
    let id = submission.id;
    commands::judge_with(tx, id, rejudge.exercise.version)?;
    let submission = Submission { priority: Priority::Rejudge, ..commands::again(tx, id)? };
    commands::enter_class(tx, submission, pace, now)?;
    Ok(id)
}

/// Queues a copy of a submission that is set aside.
fn judge_copy(
    tx: &mut Tx,
    rejudge: &Rejudge,
    of: &Submission,
    pace: &Pace,
    now: Timestamp,
) -> Result<SubmissionId> {
    let copy = SubmissionId::generate();
    let place = Entrance::default().key(tx, Priority::Rejudge, &of.owner)?;
    tx.execute(
        "INSERT INTO submissions (id, owner, exercise_id, exercise_version, runtime, priority, metadata, created_at, \
           files_digest, queued_digest, round, attempt, state, rank, ticket, queued_at, set_aside) \
         SELECT ?2, owner, exercise_id, ?3, runtime, ?4, '{}', ?5, files_digest, files_digest, 1, 0, 'queued', ?6, ?7, \
           ?5, 'preview' FROM submissions WHERE id = ?1",
        params![
            key(of.id),
            key(copy),
            rejudge.exercise.version,
            Priority::Rejudge.class(),
            now.millis(),
            place.rank,
            place.ticket
        ],
    )?;
    tx.execute(
        "INSERT INTO files (submission_id, ordinal, path, content) \
         SELECT ?2, ordinal, path, content FROM files WHERE submission_id = ?1",
        params![key(of.id), key(copy)],
    )?;
    let queued = commands::again(tx, copy)?;
    submissions::announce(tx, &queued, pace, now)?;
    Ok(copy)
}
