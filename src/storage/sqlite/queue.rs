//! The order of the queue: tickets and fair ranks, places, and how much waits.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, key, position};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::queue::{Priority, QueueKey, fair_rank};
use crate::domain::time::Timestamp;
use crate::storage::{Position, QueueCaps, QueueEntry, QueueFigures, Result};

/// Lets submissions into the queue within one transaction: holds the caps, gives out tickets and fair ranks,
/// and stores at its end what it gave.
pub(super) struct Entrance {
    last_ticket: i64,
    queued: u64,
    started: HashMap<Priority, i64>,
    owners: HashMap<Owner, OwnerStanding>,
    /// Last ranks that are to be stored.
    given: HashMap<(Owner, Priority), i64>,
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
    /// Reads what is queued and where numbering stands.
    pub(super) async fn open(db: &mut SqliteConnection) -> Result<Self> {
        let rows: Vec<(i64, i64, i64, i64)> =
            sqlx::query_as("SELECT last_ticket, priority, started, queued FROM counters, classes")
                .fetch_all(db)
                .await?;
        let mut entrance = Self {
            last_ticket: 0,
            queued: 0,
            started: HashMap::new(),
            owners: HashMap::new(),
            given: HashMap::new(),
        };
        for (last_ticket, class, started, queued) in rows {
            let of = Row { table: "classes", key: &class };
            entrance.last_ticket = last_ticket;
            entrance.queued = entrance.queued.saturating_add(of.number("queued", queued)?);
            entrance.started.insert(of.priority(class)?, started);
        }
        Ok(entrance)
    }

    /// Whether one more of each of these would be too much; an owner who comes twice wants two.
    pub(super) async fn refusal(
        &mut self,
        db: &mut SqliteConnection,
        wanted: impl Iterator<Item = &Owner>,
        caps: QueueCaps,
    ) -> Result<Option<Refusal>> {
        let mut refused = None;
        for owner in wanted {
            self.queued = self.queued.saturating_add(1);
            let standing = self.standing(db, owner).await?;
            standing.queued = standing.queued.saturating_add(1);
            if standing.queued > caps.per_owner {
                refused = refused.or_else(|| Some(Refusal::Owner(owner.clone())));
            }
            if self.queued > caps.total {
                return Ok(Some(Refusal::Full));
            }
        }
        Ok(refused)
    }

    /// The key of the owner's next submission in a class.
    pub(super) async fn key(
        &mut self,
        db: &mut SqliteConnection,
        priority: Priority,
        owner: &Owner,
    ) -> Result<QueueKey> {
        let started = self.started.get(&priority).copied().unwrap_or(0);
        let last = self.standing(db, owner).await?.last_ranks.entry(priority).or_insert(0);
        *last = fair_rank(started, *last);
        let rank = *last;
        self.given.insert((owner.clone(), priority), rank);
        self.last_ticket = self.last_ticket.saturating_add(1);
        Ok(QueueKey { priority, rank, ticket: self.last_ticket })
    }

    async fn standing(&mut self, db: &mut SqliteConnection, owner: &Owner) -> Result<&mut OwnerStanding> {
        if !self.owners.contains_key(owner) {
            let standing = OwnerStanding::read(db, owner).await?;
            self.owners.insert(owner.clone(), standing);
        }
        Ok(self.owners.entry(owner.clone()).or_default())
    }

    /// Stores where numbering stands now; the owners exist by then.
    pub(super) async fn close(self, db: &mut SqliteConnection) -> Result<()> {
        for ((owner, priority), last_rank) in self.given {
            sqlx::query(
                "UPDATE counters SET last_ticket = ?1; \
                 INSERT INTO owner_ranks (priority, owner, last_rank) VALUES (?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET last_rank = excluded.last_rank",
            )
            .bind(self.last_ticket)
            .bind(i64::from(priority.class()))
            .bind(owner.as_str())
            .bind(last_rank)
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }
}

impl OwnerStanding {
    async fn read(db: &mut SqliteConnection, owner: &Owner) -> Result<Self> {
        let rows: Vec<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(
            "SELECT o.queued, r.priority, r.last_rank FROM owners AS o \
             LEFT JOIN owner_ranks AS r ON r.priority IN (0, 1, 2) AND r.owner = o.name WHERE o.name = ?1",
        )
        .bind(owner.as_str())
        .fetch_all(db)
        .await?;
        let of = Row { table: "owners", key: owner };
        let mut standing = Self::default();
        for (queued, class, last_rank) in rows {
            standing.queued = of.number("queued", queued)?;
            if let (Some(class), Some(last_rank)) = (class, last_rank) {
                standing.last_ranks.insert(of.priority(class)?, last_rank);
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

/// The place of a queued submission, or the place a running one would have.
pub(super) async fn position(db: &mut SqliteConnection, id: SubmissionId) -> Result<Position> {
    let position: i64 =
        sqlx::query_scalar(concat!("SELECT ", position!(), " FROM submissions AS s WHERE s.id = ?1"))
            .bind(key(id))
            .fetch_one(db)
            .await?;
    Row { table: "submissions", key: &id }.number("position", position)
}

/// An entry as it stands in the one document that [`all`] reads.
#[derive(serde::Deserialize)]
struct EntryRow(SubmissionId, Owner, i64, i64, i64, u32, u32);

/// All queued submissions in order.
///
/// They come as one document: a row each would cost a multiple, and this is read whenever the queue moved.
pub(super) async fn all(db: &mut SqliteConnection) -> Result<Vec<QueueEntry>> {
    let document: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(id, owner, priority, rank, ticket, round, attempt)) FROM ( \
           SELECT lower(hex(id)) AS id, owner, priority, rank, ticket, round, attempt \
           FROM submissions INDEXED BY submissions_queue \
           WHERE state = 'queued' ORDER BY priority, rank, ticket)",
    )
    .fetch_one(db)
    .await?;
    let of = Row { table: "submissions", key: &"queue" };
    let rows: Vec<EntryRow> = of.json("queued", &document)?;
    let mut entries = Vec::with_capacity(rows.len());
    for EntryRow(submission, owner, class, rank, ticket, round, attempt) in rows {
        let key = QueueKey { priority: of.priority(class)?, rank, ticket };
        entries.push(QueueEntry { submission, owner, key, round, attempt });
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

/// How long the latest finished attempts took, from lease to end, in milliseconds.
pub(super) async fn recent_durations(db: &mut SqliteConnection, limit: u32) -> Result<Vec<u64>> {
    let durations: Vec<i64> = sqlx::query_scalar(
        "SELECT finished_at - started_at FROM submissions INDEXED BY submissions_ended WHERE state = 'finished' \
         AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT ?1",
    )
    .bind(i64::from(limit))
    .fetch_all(db)
    .await?;
    // A clock that was set back must not make an attempt shorter than nothing.
    Ok(durations.into_iter().map(|duration| u64::try_from(duration).unwrap_or(0)).collect())
}
