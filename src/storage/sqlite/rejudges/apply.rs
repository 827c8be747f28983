//! What is decided about a preview: what differs counts, all of it in one transaction, or it is dropped.

use rusqlite::params;

use super::super::rows::{Row, SubmissionRow, file_sizes, key, select_submissions, submission_id};
use super::super::writer::Tx;
use super::super::{commands, events};
use super::settle::Item;
use super::{grade_of, standing};
use crate::domain::event::EventBody;
use crate::domain::ids::{RejudgeId, SubmissionId};
use crate::domain::rejudge::{Grade, Rejudge, RejudgeMode, RejudgeState};
use crate::domain::submission::Submission;
use crate::domain::time::Timestamp;
use crate::storage::{Change, Placed, RejudgeDecided, Result};

/// Items that are read at one time: memory is bounded however many there are.
const PAGE: u32 = 64;
/// Copies that are deleted in one transaction.
const BATCH: u32 = 64;

/// Has what differs count.
pub(super) fn apply(tx: &mut Tx, id: RejudgeId, now: Timestamp) -> Result<RejudgeDecided> {
    let Some(rejudge) = standing(tx, id)? else { return Ok(RejudgeDecided::NotFound) };
    match (rejudge.mode, rejudge.state) {
        (RejudgeMode::Apply, _) | (RejudgeMode::Preview, RejudgeState::Cancelled) => {
            return Ok(RejudgeDecided::Over);
        }
        (RejudgeMode::Preview, RejudgeState::Running) => return Ok(RejudgeDecided::Running),
        (RejudgeMode::Preview, RejudgeState::Applied) => return Ok(RejudgeDecided::Done(rejudge)),
        (RejudgeMode::Preview, RejudgeState::Ended) => {}
    }
    let mut last = 0;
    loop {
        let page = changed(tx, &rejudge, last)?;
        let Some(end) = page.last() else { break };
        last = end.item.ordinal;
        for differing in page {
            if adopt(tx, &differing)? {
                tell(tx, &differing, now)?;
            } else {
                leave_out(tx, &differing.item)?;
            }
        }
    }
    decide(tx, id, RejudgeState::Applied, now)
}

/// Drops a preview.
pub(super) fn cancel(tx: &mut Tx, id: RejudgeId, now: Timestamp) -> Result<RejudgeDecided> {
    let Some(rejudge) = standing(tx, id)? else { return Ok(RejudgeDecided::NotFound) };
    match (rejudge.mode, rejudge.state) {
        (RejudgeMode::Apply, _) | (RejudgeMode::Preview, RejudgeState::Applied) => {
            return Ok(RejudgeDecided::Over);
        }
        (RejudgeMode::Preview, RejudgeState::Cancelled) => return Ok(RejudgeDecided::Done(rejudge)),
        (RejudgeMode::Preview, RejudgeState::Running | RejudgeState::Ended) => {}
    }
    let decided = decide(tx, id, RejudgeState::Cancelled, now)?;
    let judging: Vec<Vec<u8>> = tx.rows(
        "SELECT judged_id FROM rejudge_items WHERE rejudge_id = ?1 AND state = 'judging'",
        [super::key(id)],
        |row| row.get(0),
    )?;
    for copy in judging {
        commands::cancel(tx, submission_id("rejudge_items", &copy)?, now)?;
    }
    Ok(decided)
}

fn decide(tx: &Tx, id: RejudgeId, state: RejudgeState, now: Timestamp) -> Result<RejudgeDecided> {
    tx.execute(
        "UPDATE rejudges SET state = ?2, ended_at = coalesce(ended_at, ?3) WHERE id = ?1",
        params![super::key(id), state.name(), now.millis()],
    )?;
    let of = Row { table: "rejudges", key: &id };
    Ok(RejudgeDecided::Done(of.present("id", standing(tx, id)?)?))
}

/// An item whose copy came to something else than its submission had.
struct Differing {
    item: Item,
    submission: SubmissionId,
    copy: SubmissionId,
    round: u32,
    before: Option<Grade>,
    after: Grade,
}

#[derive(Debug)]
struct DifferingRow {
    ordinal: i64,
    submission: Vec<u8>,
    copy: Vec<u8>,
    round: i64,
    before: (Option<String>, Option<i64>, Option<i64>),
    after: (String, Option<i64>, Option<i64>),
}

fn changed(tx: &Tx, rejudge: &Rejudge, after: i64) -> Result<Vec<Differing>> {
    let rows = tx.rows(
        "SELECT ordinal, submission_id, judged_id, round_before, before_verdict, before_score, before_max_score, \
         after_verdict, after_score, after_max_score FROM rejudge_items \
         WHERE rejudge_id = ?1 AND changed = 1 AND ordinal > ?2 ORDER BY ordinal LIMIT ?3",
        params![super::key(rejudge.id), after, PAGE],
        |row| {
            Ok(DifferingRow {
                ordinal: row.get(0)?,
                submission: row.get(1)?,
                copy: row.get(2)?,
                round: row.get(3)?,
                before: (row.get(4)?, row.get(5)?, row.get(6)?),
                after: (row.get(7)?, row.get(8)?, row.get(9)?),
            })
        },
    )?;
    let read = |row: DifferingRow| {
        let submission = submission_id("rejudge_items", &row.submission)?;
        let of = Row { table: "rejudge_items", key: &submission };
        let (verdict, score, max_score) = row.before;
        Ok(Differing {
            item: Item { rejudge: super::key(rejudge.id), ordinal: row.ordinal },
            submission,
            copy: submission_id("rejudge_items", &row.copy)?,
            round: of.number("round_before", row.round)?,
            before: verdict.map(|verdict| grade_of(&of, &verdict, score, max_score)).transpose()?,
            after: grade_of(&of, &row.after.0, row.after.1, row.after.2)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Gives a submission the result of its copy, as that of a new round; `false` if it is another since the copy was made, or one
/// of the two is gone.
fn adopt(tx: &Tx, differing: &Differing) -> Result<bool> {
    let Differing { submission, copy, round, .. } = differing;
    let written = tx.execute(
        "INSERT INTO results (submission_id, round, summary, tests, exercise_version) \
         SELECT s.id, s.round + 1, json_set(r.summary, '$.round', s.round + 1), r.tests, r.exercise_version \
         FROM submissions AS s JOIN submissions AS c ON c.id = ?2 AND c.files_digest = s.files_digest \
         JOIN results AS r ON r.submission_id = c.id AND r.round = c.result_round \
         WHERE s.id = ?1 AND s.round = ?3 AND +s.state IN ('finished', 'failed')",
        params![key(*submission), key(*copy), round],
    )?;
    if written == 0 {
        return Ok(false);
    }
    tx.execute(
        "UPDATE submissions AS s SET round = s.round + 1, result_round = s.round + 1, state = 'finished', \
           failure = NULL, verdict = c.verdict, attempt = c.attempt, exercise_version = c.exercise_version, \
           started_at = c.started_at, finished_at = c.finished_at, queued_digest = s.files_digest \
         FROM submissions AS c WHERE s.id = ?1 AND c.id = ?2",
        params![key(*submission), key(*copy)],
    )?;
    Ok(true)
}

/// Tells of the round that a submission was given.
fn tell(tx: &mut Tx, differing: &Differing, now: Timestamp) -> Result<()> {
    let Differing { submission: id, before, after, .. } = *differing;
    let row = tx.first(
        select_submissions!("NULL", file_sizes!(), "WHERE s.id = ?1"),
        [key(id)],
        SubmissionRow::read,
    )?;
    let of = Row { table: "submissions", key: &id };
    let Placed { submission, .. } = of.present("id", row)?.try_into()?;
    // The result joins when the event is read.
    let submission = Box::new(Submission { result: None, ..submission });
    let owner = submission.owner.clone();
    let rejudged = EventBody::Rejudged { before, after, submission: submission.clone() };
    events::append(tx, &submission, &rejudged, now)?;
    events::append(tx, &submission, &EventBody::Finished { submission: submission.clone() }, now)?;
    tx.hint(Change::RoundEnded { submission: id, owner });
    Ok(())
}

/// Notes that an item stays as it is, whatever its copy came to.
fn leave_out(tx: &Tx, item: &Item) -> Result<()> {
    tx.execute(
        "UPDATE rejudge_items SET state = 'left_out', changed = 0, after_verdict = NULL, after_score = NULL, \
         after_max_score = NULL WHERE rejudge_id = ?1 AND ordinal = ?2",
        params![item.rejudge, item.ordinal],
    )?;
    tx.execute(
        "UPDATE rejudges SET changed = changed - 1, left_out = left_out + 1 WHERE id = ?1",
        [&item.rejudge],
    )?;
    Ok(())
}

/// Deletes copies of previews that were decided about, and what was judged again long ago; answers how much that was. A preview
/// that was neither applied nor cancelled in all that time is dropped.
pub(in crate::storage::sqlite) fn forget(tx: &Tx, before: i64) -> Result<u64> {
    tx.execute(
        "UPDATE rejudges SET state = 'cancelled' WHERE mode = 'preview' AND state = 'ended' AND created_at < ?1",
        [before],
    )?;
    let copies = tx.execute(
        "DELETE FROM submissions WHERE id IN (SELECT c.id FROM rejudges AS r \
           JOIN rejudge_items AS i ON i.rejudge_id = r.id JOIN submissions AS c ON c.id = i.judged_id \
           WHERE r.state IN ('applied', 'cancelled') AND r.copies_left = 1 \
             AND c.set_aside = 'preview' AND c.finished_at IS NOT NULL LIMIT ?1)",
        [BATCH],
    )?;
    if copies > 0 {
        return Ok(u64::try_from(copies).unwrap_or(u64::MAX));
    }
    tx.execute(
        "UPDATE rejudges SET copies_left = 0 WHERE state IN ('applied', 'cancelled') AND copies_left = 1 \
           AND NOT EXISTS (SELECT 1 FROM rejudge_items AS i WHERE i.rejudge_id = rejudges.id AND i.state = 'judging')",
        [],
    )?;
    let old = tx.execute(
        "DELETE FROM rejudges WHERE id IN (SELECT id FROM rejudges WHERE created_at < ?1 AND state <> 'running' \
           AND (mode = 'apply' OR copies_left = 0) LIMIT 1)",
        [before],
    )?;
    Ok(u64::try_from(old).unwrap_or(u64::MAX))
}
