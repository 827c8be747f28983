//! The order of the queue: tickets and fair ranks, places, and how much waits.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, key, position};
use super::writer::Tx;
use crate::domain::ids::{Owner, RuntimeId, SubmissionId};
use crate::domain::queue::{Priority, QueueKey, fair_rank};
use crate::domain::submission::Submission;
use crate::domain::time::Timestamp;
use crate::storage::{Error, Position, QueueCaps, QueueEntry, QueueFigures, RecentRuns, Result};

/// Lets submissions into the queue within one transaction: holds the caps and gives out tickets and fair ranks.
/// What it gave is stored with the submissions.
#[derive(Default)]
pub(super) struct Entrance {
    last_ticket: i64,
    queued: u64,
    started: HashMap<Priority, i64>,
    owners: HashMap<Owner, OwnerStanding>,
}

/// What an owner has in the queue.
#[derive(Default)]
struct OwnerStanding {
    queued: u64,
    last_ranks: HashMap<Priority, i64>,
}

/// What a cap refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too much is queued in all.
    Full,
    /// Too much of this owner is queued.
    Owner(Owner),
}

impl Entrance {
    /// Whether one more of each of these would be too much; an owner who comes twice wants two.
    pub(super) fn refusal<'o>(
        &mut self,
        tx: &Tx,
        wanted: impl Iterator<Item = &'o Owner>,
        caps: QueueCaps,
    ) -> Result<Option<Refusal>> {
        let mut refused = None;
        for owner in wanted {
            let standing = self.standing(tx, owner)?;
            standing.queued = standing.queued.saturating_add(1);
            if standing.queued > caps.per_owner {
                refused = refused.or_else(|| Some(Refusal::Owner(owner.clone())));
            }
            self.queued = self.queued.saturating_add(1);
            if self.queued > caps.total {
                return Ok(Some(Refusal::Full));
            }
        }
        Ok(refused)
    }

    /// The key of the owner's next submission in a class.
    pub(super) fn key(&mut self, tx: &Tx, priority: Priority, owner: &Owner) -> Result<QueueKey> {
        let standing = self.standing(tx, owner)?;
        let last = standing.last_ranks.get(&priority).copied().unwrap_or(0);
        let rank = fair_rank(self.started.get(&priority).copied().unwrap_or(0), last);
        self.standing(tx, owner)?.last_ranks.insert(priority, rank);
        self.last_ticket = self.last_ticket.saturating_add(1);
        Ok(QueueKey { priority, rank, ticket: self.last_ticket })
    }

    /// What the owner has: read when he is first met, together with what all have.
    fn standing(&mut self, tx: &Tx, owner: &Owner) -> Result<&mut OwnerStanding> {
        if !self.owners.contains_key(owner) {
            let standing = self.read(tx, owner)?;
            self.owners.insert(owner.clone(), standing);
        }
        Ok(self.owners.entry(owner.clone()).or_default())
    }

    fn read(&mut self, tx: &Tx, owner: &Owner) -> Result<OwnerStanding> {
        let is_first = self.owners.is_empty();
        if is_first {
            self.last_ticket = tx.one("SELECT last_ticket FROM counters", [], |row| row.get(0))?;
        }
        let queued: Option<i64> =
            tx.first("SELECT queued FROM owners WHERE name = ?1", [owner.as_str()], |row| row.get(0))?;
        let mut standing = OwnerStanding {
            queued: Row { table: "owners", key: owner }.number("queued", queued.unwrap_or(0))?,
            ..OwnerStanding::default()
        };
        let of = Row { table: "classes", key: owner };
        let classes: Vec<(i64, i64, i64, i64)> = tx.rows(
            "SELECT c.priority, c.started, c.queued, coalesce(r.last_rank, 0) FROM classes AS c \
             LEFT JOIN owner_ranks AS r ON r.priority = c.priority AND r.owner = ?1",
            [owner.as_str()],
            |row| row.try_into(),
        )?;
        for (class, started, queued, last_rank) in classes {
            let priority = of.priority(class)?;
            standing.last_ranks.insert(priority, last_rank);
            if is_first {
                self.started.insert(priority, started);
                self.queued = self.queued.saturating_add(of.number("queued", queued)?);
            }
        }
        Ok(standing)
    }
}

/// Queued submissions of an owner.
pub(super) async fn queued_of(db: &mut SqliteConnection, owner: &Owner) -> Result<u64> {
    let queued: Option<i64> = sqlx::query_scalar("SELECT queued FROM owners WHERE name = ?1")
        .bind(owner.as_str())
        .fetch_optional(db)
        .await?;
    Row { table: "owners", key: owner }.number("queued", queued.unwrap_or(0))
}

/// The place of a queued submission.
pub(super) fn place(tx: &Tx, of: &Submission) -> Result<Position> {
    let position: i64 = tx.one(
        concat!("SELECT ", position!(), " FROM submissions AS s WHERE s.id = ?1"),
        [key(of.id)],
        |row| row.get(0),
    )?;
    Row { table: "submissions", key: &of.id }.number("position", position)
}

/// An entry as it stands in the one document that [`all`] reads.
#[derive(serde::Deserialize)]
struct EntryRow(SubmissionId, Owner, RuntimeId, i64, i64, i64, u32, u32);

/// All queued submissions in order.
///
/// They come as one document: a row each would cost a multiple, and this is read whenever the queue moved.
pub(super) async fn all(db: &mut SqliteConnection) -> Result<Vec<QueueEntry>> {
    let document: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(id, owner, runtime, priority, rank, ticket, round, attempt)) \
         FROM (SELECT lower(hex(id)) AS id, owner, runtime, priority, rank, ticket, round, attempt \
           FROM submissions INDEXED BY submissions_queue \
           WHERE state = 'queued' ORDER BY priority, rank, ticket)",
    )
    .fetch_one(db)
    .await?;
    // A long queue takes longer than others on this thread should wait.
    tokio::task::spawn_blocking(move || entries(&document)).await.map_err(Error::unavailable)?
}

/// The entries of a document that holds all.
fn entries(document: &str) -> Result<Vec<QueueEntry>> {
    let of = Row { table: "submissions", key: &"queue" };
    let rows: Vec<EntryRow> = of.json("queued", document)?;
    let mut entries = Vec::with_capacity(rows.len());
    for EntryRow(submission, owner, runtime, class, rank, ticket, round, attempt) in rows {
        let key = QueueKey { priority: of.priority(class)?, rank, ticket };
        entries.push(QueueEntry { submission, owner, runtime, key, round, attempt });
    }
    // The order of an aggregate's input is not promised; it costs nothing if it is right.
    entries.sort_unstable_by_key(|entry| entry.key);
    Ok(entries)
}

/// The queue in figures.
pub(super) async fn figures(db: &mut SqliteConnection, now: Timestamp) -> Result<QueueFigures> {
    let (queued, running, oldest, finished): (i64, i64, Option<i64>, i64) = sqlx::query_as(
        "SELECT (SELECT sum(queued) FROM classes), \
                (SELECT count(*) FROM submissions INDEXED BY submissions_running WHERE state = 'running'), \
                (SELECT min(queued_at) FROM submissions INDEXED BY submissions_queued_at \
                 WHERE state = 'queued'), \
                (SELECT count(*) FROM submissions INDEXED BY submissions_ended \
                 WHERE state = 'finished' AND finished_at > ?1 - 60000 AND finished_at <= ?1)",
    )
    .bind(now.millis())
    .fetch_one(db)
    .await?;
    let of = Row { table: "classes", key: &"all" };
    Ok(QueueFigures {
        queued: of.number("queued", queued)?,
        running: of.number("running", running)?,
        oldest_queued_at: oldest.map(Timestamp::from_millis),
        finished_last_minute: of.number("finished", finished)?,
    })
}

/// What ended last, what runs, and how many have entered.
pub(super) async fn recent_runs(db: &mut SqliteConnection, limit: u32, now: Timestamp) -> Result<RecentRuns> {
    let ended: Vec<i64> = sqlx::query_scalar(
        "SELECT finished_at - started_at FROM submissions INDEXED BY submissions_ended WHERE state = 'finished' \
         AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT ?1",
    )
    .bind(i64::from(limit))
    .fetch_all(&mut *db)
    .await?;
    let running: Vec<i64> = sqlx::query_scalar(
        "SELECT ?1 - started_at FROM submissions INDEXED BY submissions_running WHERE state = 'running'",
    )
    .bind(now.millis())
    .fetch_all(&mut *db)
    .await?;
    let entered: i64 = sqlx::query_scalar("SELECT last_ticket FROM counters").fetch_one(db).await?;
    // A clock that was set back must not make an attempt shorter than nothing.
    let millis = |durations: Vec<i64>| {
        durations.into_iter().map(|duration| u64::try_from(duration).unwrap_or(0)).collect()
    };
    let entered = Row { table: "counters", key: &"all" }.number("last_ticket", entered)?;
    Ok(RecentRuns { ended_ms: millis(ended), running_ms: millis(running), entered })
}
