//! Attempts that ended without a result: written down, counted, and told.

use std::time::Duration;

use rusqlite::params;

use super::rows::{Row, key};
use super::writer::Tx;
use crate::domain::ids::WorkerId;
use crate::domain::lease::{InstanceLoss, Losses};
use crate::domain::submission::{LostAttempt, LostReason, State, Submission};
use crate::domain::time::Timestamp;
use crate::storage::Result;

/// Whether an attempt that ended without a result counts against its submission.
#[derive(Clone, Copy)]
pub(super) enum Loss {
    Lost,
    HandedBack,
}

/// Writes down that `worker` has the database since now, and no other.
pub(super) fn take_over(tx: &Tx, worker: &WorkerId, now: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM instances WHERE worker <> ?1", [worker.as_str()])?;
    tx.execute(
        "INSERT INTO instances (worker, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![worker.as_str(), now.millis()],
    )?;
    Ok(())
}

/// Writes down that the running attempt ends without a result.
pub(super) fn write(tx: &Tx, of: &Submission, reason: LostReason, loss: Loss, now: Timestamp) -> Result<()> {
    let State::Running { attempt, started_at, .. } = of.state else {
        return Err(Row { table: "submissions", key: &of.id }.wrong("state"));
    };
    let handed_back = matches!(loss, Loss::HandedBack);
    let with_instance = match (reason, loss) {
        (LostReason::InstanceLost, Loss::Lost) => with_instance(tx, of, started_at, now)?,
        (LostReason::InstanceLost | LostReason::HostLost | LostReason::ContainerLost, _) => None,
    };
    let excused = with_instance.is_some_and(|lost| !lost.counts());
    let rest_ms = with_instance.map(|lost| i64::try_from(lost.rest().as_millis()).unwrap_or(i64::MAX));
    tx.execute(
        "INSERT INTO attempts (submission_id, round, attempt, started_at, ended_at, reason, handed_back, excused, \
                               rest_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            key(of.id),
            of.round,
            attempt,
            started_at.millis(),
            now.millis(),
            reason.name(),
            handed_back,
            excused,
            rest_ms
        ],
    )?;
    Ok(())
}

/// How the instance was lost that has the lease of the running attempt; `None` if it is not known since when it was up.
///
/// It lived until its lease was to be renewed, at most: that it had run out may be found much later.
fn with_instance(
    tx: &Tx,
    of: &Submission,
    started_at: Timestamp,
    now: Timestamp,
) -> Result<Option<InstanceLoss>> {
    let known: Option<(i64, i64)> = tx.first(
        "SELECT i.since, s.lease_until FROM submissions AS s JOIN instances AS i ON i.worker = s.worker \
         WHERE s.id = ?1",
        [key(of.id)],
        |row| row.try_into(),
    )?;
    Ok(known.map(|(since, lease_until)| {
        let died_at = now.min(Timestamp::from_millis(lease_until));
        InstanceLoss {
            up: Duration::from_millis(started_at.millis_since(Timestamp::from_millis(since))),
            ran: Duration::from_millis(died_at.millis_since(started_at)),
        }
    }))
}

/// How often the round going on was lost in a way that counts.
pub(super) fn count(tx: &Tx, of: &Submission) -> Result<Losses> {
    let (any, container): (i64, i64) = tx.one(
        "SELECT count(*), count(*) FILTER (WHERE reason = ?3) FROM attempts \
         WHERE submission_id = ?1 AND round = ?2 AND handed_back = 0 AND excused = 0",
        params![key(of.id), of.round, LostReason::ContainerLost.name()],
        |row| row.try_into(),
    )?;
    let row = Row { table: "attempts", key: &of.id };
    Ok(Losses { any: row.number("attempt", any)?, container: row.number("attempt", container)? })
}

/// Lost attempts of the round going on, oldest first, those too that do not count.
pub(super) fn all(tx: &Tx, of: &Submission) -> Result<Vec<LostAttempt>> {
    let rows: Vec<(i64, i64, i64, String)> = tx.rows(
        "SELECT attempt, started_at, ended_at, reason FROM attempts \
         WHERE submission_id = ?1 AND round = ?2 AND handed_back = 0 ORDER BY attempt",
        params![key(of.id), of.round],
        |row| row.try_into(),
    )?;
    let row = Row { table: "attempts", key: &of.id };
    let attempt = |(attempt, started_at, ended_at, reason): (i64, i64, i64, String)| {
        Ok(LostAttempt {
            attempt: row.number("attempt", attempt)?,
            started_at: Timestamp::from_millis(started_at),
            ended_at: Timestamp::from_millis(ended_at),
            reason: row.present("reason", LostReason::from_name(&reason))?,
        })
    };
    rows.into_iter().map(attempt).collect()
}
