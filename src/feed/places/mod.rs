//! Pushes places in the queue: near ones at once when it was quiet, else once per [`COALESCE`]; the others once per
//! [`FAR`], or when a tenth of them is gone.
//!
//! The queue is kept in memory ([`board`]). What changed is read from the database behind a mark, by this process and by
//! others alike; the queue as a whole only at the start, when the mark is lost, or when the database counts another number.

mod board;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Feed;
use crate::domain::pace::Pace;
use crate::storage::{self, ChangedLogs, LogChanges, LogMark, Storage as _};
use board::{Board, Round};

/// Pause between two rounds of pushed places.
const COALESCE: Duration = Duration::from_millis(200);
/// Pause between two rounds in which all places are pushed.
const FAR: Duration = Duration::from_secs(1);

/// Reads what changed in the queue and tells followers where they stand, until `stop`.
pub(super) async fn push(feed: Feed, stop: CancellationToken) {
    let mut pace = feed.inner.pace.clone();
    let mut places = Places { feed, board: Board::default(), mark: None, all_told: None };
    // The whole queue, before anybody asks.
    places.feed.inner.queue_may_have_changed.notify_one();
    loop {
        let all_due = places.all_due();
        let is_rung = tokio::select! {
            () = stop.cancelled() => return,
            () = places.feed.inner.queue_changed.notified() => true,
            () = places.feed.inner.queue_may_have_changed.notified() => false,
            changed = pace.changed() => if changed.is_ok() { true } else { return },
            () = tokio::time::sleep_until(all_due.unwrap_or_else(Instant::now)), if all_due.is_some() => true,
        };
        let is_followed = !places.feed.inner.mailboxes.is_empty();
        if !is_followed {
            places.board.follow_none();
            if is_rung {
                // Read once a second at most.
                continue;
            }
        }
        let told = match places.catch_up().await {
            Ok(()) => places.tell(&pace.borrow_and_update().clone()),
            Err(error) => {
                tracing::warn!(error = %crate::chain::Chain(&error), "places in the queue could not be read");
                places.feed.inner.queue_changed.notify_one();
                0
            }
        };
        if told == 0 && !is_rung {
            // No bell was lost: the next change needn't wait.
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(COALESCE) => {}
        }
    }
}

/// The queue in memory, how far it was read, and when all places were told.
struct Places {
    feed: Feed,
    board: Board,
    mark: Option<LogMark>,
    all_told: Option<Instant>,
}

impl Places {
    /// When all places may be told, if some were not.
    fn all_due(&self) -> Option<Instant> {
        self.all_told.filter(|_| self.board.is_behind()).and_then(|told| told.checked_add(FAR))
    }

    /// Takes over what changed; what followers that have just begun wait for was committed before.
    async fn catch_up(&mut self) -> storage::Result<()> {
        let begun = self.feed.inner.begun.take();
        let read = self.read().await;
        if read.is_err() {
            self.feed.inner.begun.add(begun);
            return read;
        }
        for submission in begun {
            self.board.follow(submission);
        }
        Ok(())
    }

    async fn read(&mut self) -> storage::Result<()> {
        let LogChanges { logs, queued, mark } = self.feed.inner.storage.changed_logs(self.mark).await?;
        if let ChangedLogs::These(logs) = logs {
            for log in logs {
                let is_followed =
                    log.queued.is_some() && self.feed.inner.mailboxes.follows(log.submission, &log.owner);
                self.board.set(log.submission, log.queued, is_followed);
            }
            self.mark = Some(mark);
            if self.board.len() == queued {
                return Ok(());
            }
            tracing::warn!(
                known = self.board.len(),
                queued,
                "the queue is read anew: some changes were missed"
            );
        }
        let queue = self.feed.inner.storage.queue().await?;
        let mailboxes = &self.feed.inner.mailboxes;
        self.board.set_all(queue, |submission, owner| mailboxes.follows(submission, owner));
        self.mark = Some(mark);
        Ok(())
    }

    /// Tells the places that are due; how many those were.
    fn tell(&mut self, pace: &Pace) -> usize {
        let now = Instant::now();
        let all = self.all_told.is_none_or(|told| now.duration_since(told) >= FAR);
        let round = if all { Round::All } else { Round::Near };
        if all && self.board.is_behind() {
            self.all_told = Some(now);
        }
        let mailboxes = &self.feed.inner.mailboxes;
        let told = self.board.tell(round, pace, |owner, place| mailboxes.place(owner, place));
        if told > 0 {
            metrics::histogram!("guichet_positions_queue_length")
                .record(u32::try_from(self.board.len()).unwrap_or(u32::MAX));
        }
        told
    }
}
