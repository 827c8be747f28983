//! The order of the queue: tickets and fair ranks, places, and how much waits.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, count, key, position, submission_id};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::queue::{Priority, QueueKey, fair_rank};
use crate::domain::time::Timestamp;
use crate::storage::{Error, Position, QueueCaps, QueueEntry, QueueFigures, Result};

/// Gives out tickets and fair ranks within one transaction, and stores what it gave at its end.
pub(super) struct Entrance {
    last_ticket: i64,
    started: HashMap<Priority, i64>,
    last_ranks: HashMap<(Priority, Owner), i64>,
}

impl Entrance {
    /// Reads where numbering stands.
    pub(super) async fn open(db: &mut SqliteConnection) -> Result<Self> {
        let rows: Vec<(i64, i64, i64)> =
            sqlx::query_as("SELECT last_ticket, priority, started FROM counters, classes")
                .fetch_all(db)
                .await?;
        let mut entrance = Self { last_ticket: 0, started: HashMap::new(), last_ranks: HashMap::new() };
        for (last_ticket, class, started) in rows {
            entrance.last_ticket = last_ticket;
            let of = Row { table: "classes", key: &class };
            entrance.started.insert(of.priority(class)?, started);
        }
        Ok(entrance)
    }

    /// The key of the owner's next submission in a class.
    pub(super) async fn key(
        &mut self,
        db: &mut SqliteConnection,
        priority: Priority,
        owner: &Owner,
    ) -> Result<QueueKey> {
        let of = (priority, owner.clone());
        let last = match self.last_ranks.get(&of) {
            Some(last) => *last,
            None => {
                sqlx::query_scalar("SELECT last_rank FROM owner_ranks WHERE priority = ?1 AND owner = ?2")
                    .bind(i64::from(priority.class()))
                    .bind(owner.as_str())
                    .fetch_optional(db)
                    .await?
                    .unwrap_or(0)
            }
        };
        let rank = fair_rank(self.started.get(&priority).copied().unwrap_or(0), last);
        self.last_ranks.insert(of, rank);
        self.last_ticket = self.last_ticket.saturating_add(1);
        Ok(QueueKey { priority, rank, ticket: self.last_ticket })
    }

    /// Stores where numbering stands now.
    pub(super) async fn close(self, db: &mut SqliteConnection) -> Result<()> {
        sqlx::query("UPDATE counters SET last_ticket = ?1").bind(self.last_ticket).execute(&mut *db).await?;
        for ((priority, owner), last_rank) in self.last_ranks {
            sqlx::query(
                "INSERT INTO owner_ranks (priority, owner, last_rank) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET last_rank = excluded.last_rank",
            )
            .bind(i64::from(priority.class()))
            .bind(owner.as_str())
            .bind(last_rank)
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }
}

/// What a cap refuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too much is queued in all.
    Full,
    /// Too much of this owner is queued.
    Owner(Owner),
}

/// Whether so many more of each owner would be too much.
pub(super) async fn refusal(
    db: &mut SqliteConnection,
    wanted: &[(Owner, u64)],
    caps: QueueCaps,
) -> Result<Option<Refusal>> {
    let total = wanted.iter().fold(0_u64, |sum, (_, more)| sum.saturating_add(*more));
    let queued: i64 = sqlx::query_scalar("SELECT sum(queued) FROM classes").fetch_one(&mut *db).await?;
    if total > 0 && queued.saturating_add(count(total)) > count(caps.total) {
        return Ok(Some(Refusal::Full));
    }
    for (owner, more) in wanted {
        let queued = queued_of(db, owner).await?;
        if queued.saturating_add(*more) > caps.per_owner {
            return Ok(Some(Refusal::Owner(owner.clone())));
        }
    }
    Ok(None)
}

/// Queued submissions of an owner.
pub(super) async fn queued_of(db: &mut SqliteConnection, owner: &Owner) -> Result<u64> {
    let queued: Option<i64> = sqlx::query_scalar("SELECT queued FROM owners WHERE name = ?1")
        .bind(owner.as_str())
        .fetch_optional(db)
        .await?;
    Row { table: "owners", key: owner }.number("queued", queued.unwrap_or(0))
}

/// The place of a queued submission, or the place a running one would have.
pub(super) async fn position(db: &mut SqliteConnection, id: SubmissionId) -> Result<Position> {
    let position: i64 =
        sqlx::query_scalar(concat!("SELECT ", position!(), " FROM submissions AS s WHERE s.id = ?1"))
            .bind(key(id))
            .fetch_one(db)
            .await?;
    Row { table: "submissions", key: &id }.number("position", position)
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    id: Vec<u8>,
    owner: String,
    priority: i64,
    rank: i64,
    ticket: i64,
    round: i64,
    attempt: i64,
}

impl TryFrom<EntryRow> for QueueEntry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self> {
        let submission = submission_id("submissions", &row.id)?;
        let of = Row { table: "submissions", key: &submission };
        let key = QueueKey { priority: of.priority(row.priority)?, rank: row.rank, ticket: row.ticket };
        Ok(Self {
            submission,
            owner: of.text("owner", &row.owner)?,
            key,
            round: of.number("round", row.round)?,
            attempt: of.number("attempt", row.attempt)?,
        })
    }
}

/// All queued submissions in order.
pub(super) async fn all(db: &mut SqliteConnection) -> Result<Vec<QueueEntry>> {
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT id, owner, priority, rank, ticket, round, attempt FROM submissions \
         WHERE state = 'queued' ORDER BY priority, rank, ticket",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(QueueEntry::try_from).collect()
}

/// The queue in figures.
pub(super) async fn figures(db: &mut SqliteConnection, now: Timestamp) -> Result<QueueFigures> {
    let (queued, running, oldest, finished): (i64, i64, Option<i64>, i64) = sqlx::query_as(
        "SELECT (SELECT sum(queued) FROM classes), \
                (SELECT count(*) FROM submissions WHERE state = 'running'), \
                (SELECT min(queued_at) FROM submissions WHERE state = 'queued'), \
                (SELECT count(*) FROM submissions \
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

/// How long the latest finished attempts took, from lease to end, in milliseconds.
pub(super) async fn recent_durations(db: &mut SqliteConnection, limit: u32) -> Result<Vec<u64>> {
    let durations: Vec<i64> = sqlx::query_scalar(
        "SELECT finished_at - started_at FROM submissions WHERE state = 'finished' \
         AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT ?1",
    )
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    // A clock that was set back must not make an attempt shorter than nothing.
    Ok(durations.into_iter().map(|duration| u64::try_from(duration).unwrap_or(0)).collect())
}
