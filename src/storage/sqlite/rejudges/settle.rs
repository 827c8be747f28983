//! What becomes of an item when what is judged for it has ended, in the transaction of that end.

use rusqlite::params;

use super::super::rows::{Row, key};
use super::super::writer::Tx;
use super::grade_of;
use crate::domain::event::EventBody;
use crate::domain::ids::SubmissionId;
use crate::domain::rejudge::{Grade, RejudgeMode};
use crate::domain::submission::{State, Submission};
use crate::domain::time::Timestamp;
use crate::storage::Result;

/// One submission among those that are judged again.
pub(super) struct Item {
    pub(super) rejudge: Vec<u8>,
    pub(super) ordinal: i64,
}

/// How an item ends.
#[derive(Clone, Copy)]
pub(super) enum Settled {
    /// It was judged.
    Judged {
        /// What it came to.
        after: Grade,
        /// Whether that differs from what it was.
        changed: bool,
    },
    /// It could not be judged.
    Failed,
    /// It stays as it is.
    LeftOut,
}

/// What the newest result of a submission says.
pub(super) fn grade(tx: &Tx, id: SubmissionId) -> Result<Option<Grade>> {
    let found: Option<(String, Option<i64>, Option<i64>)> = tx.first(
        "SELECT s.verdict, r.summary ->> '$.points.score', r.summary ->> '$.points.max_score' FROM submissions AS s \
         JOIN results AS r ON r.submission_id = s.id AND r.round = s.result_round WHERE s.id = ?1",
        [key(id)],
        |row| row.try_into(),
    )?;
    let of = Row { table: "results", key: &id };
    found.map(|(verdict, score, max_score)| grade_of(&of, &verdict, score, max_score)).transpose()
}

/// What is judged again, with what it was before.
type Judging = (Vec<u8>, i64, String, Option<String>, Option<i64>, Option<i64>);

/// Settles the item for which a submission was judged that has just ended, if there is one; answers what its log is to tell
/// before its end.
pub(in crate::storage::sqlite) fn note_end(
    tx: &Tx,
    ended: &Submission,
    now: Timestamp,
) -> Result<Option<EventBody>> {
    let judging: Option<Judging> = tx.first(
        "SELECT i.rejudge_id, i.ordinal, r.mode, i.before_verdict, i.before_score, i.before_max_score \
         FROM rejudge_items AS i JOIN rejudges AS r ON r.id = i.rejudge_id \
         WHERE i.judged_id = ?1 AND i.state = 'judging'",
        [key(ended.id)],
        |row| row.try_into(),
    )?;
    let Some((rejudge, ordinal, mode, verdict, score, max_score)) = judging else { return Ok(None) };
    let of = Row { table: "rejudge_items", key: &ended.id };
    let item = Item { rejudge, ordinal };
    let before = verdict.map(|verdict| grade_of(&of, &verdict, score, max_score)).transpose()?;
    let after = match ended.state {
        State::Finished(_) => of.present("after_verdict", grade(tx, ended.id)?)?,
        State::Failed(_) => {
            settle(tx, &item, Settled::Failed, now)?;
            return Ok(None);
        }
        State::Draft | State::Queued { .. } | State::Running { .. } | State::Cancelled(_) => {
            settle(tx, &item, Settled::LeftOut, now)?;
            return Ok(None);
        }
    };
    let changed = before != Some(after);
    settle(tx, &item, Settled::Judged { after, changed }, now)?;
    let applies = match of.present("mode", RejudgeMode::from_name(&mode))? {
        RejudgeMode::Apply => changed,
        RejudgeMode::Preview => false,
    };
    let submission = || Box::new(ended.clone());
    Ok(applies.then(|| EventBody::Rejudged { before, after, submission: submission() }))
}

/// Writes down how an item ended; with the last one all have ended.
pub(super) fn settle(tx: &Tx, item: &Item, how: Settled, now: Timestamp) -> Result<()> {
    let (state, after, changed) = match how {
        Settled::Judged { after, changed } => ("judged", Some(after), changed),
        Settled::Failed => ("failed", None, false),
        Settled::LeftOut => ("left_out", None, false),
    };
    let points = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    tx.execute(
        "UPDATE rejudge_items SET state = ?3, after_verdict = ?4, after_score = ?5, after_max_score = ?6, changed = ?7 \
         WHERE rejudge_id = ?1 AND ordinal = ?2",
        params![
            item.rejudge,
            item.ordinal,
            state,
            after.map(|after| after.verdict.name()),
            points(after.and_then(|after| after.score)),
            points(after.and_then(|after| after.max_score)),
            changed
        ],
    )?;
    tx.execute(
        "UPDATE rejudges SET ended = ended + 1, changed = changed + ?2, failed = failed + (?3 = 'failed'), \
           left_out = left_out + (?3 = 'left_out'), \
           ended_at = iif(state = 'running' AND ended + 1 = total, ?4, ended_at), \
           state = iif(state = 'running' AND ended + 1 = total, 'ended', state) WHERE id = ?1",
        params![item.rejudge, changed, state, now.millis()],
    )?;
    Ok(())
}
