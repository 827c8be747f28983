//! The queue in figures, and where a caller stands in it.

use super::{App, Caller, Error, hosts};
use crate::domain::history::HistoryView;
use crate::domain::pace::Eta;
use crate::pool::Hindrance;
use crate::storage::{self, QueueFigures, Storage as _};

/// The queue as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// What the database counts.
    pub figures: QueueFigures,
    /// Slots that work.
    pub slots_total: u64,
    /// Slots that are free.
    pub slots_free: u64,
    /// Age of the oldest queued submission in seconds, 0 if none is queued.
    pub oldest_queued_s: u64,
    /// Why nothing of what is queued can run; `None` while some runtime is ready.
    pub blocked_by: Option<Hindrance>,
    /// When a submission sent now may start.
    pub eta: Option<Eta>,
}

/// Where a caller stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// His queued submissions.
    pub queued: u64,
    /// How many he may have queued.
    pub max_queued: u64,
}

impl App {
    /// The queue in figures.
    pub async fn queue(&self, _caller: &Caller) -> Result<QueueView, Error> {
        Ok(self.queue_now().await?)
    }

    /// The same, for no caller.
    pub(super) async fn queue_now(&self) -> storage::Result<QueueView> {
        let now = self.inner.clock.now();
        let figures = self.inner.storage.queue_figures(now).await?;
        let slots = self.inner.pool.free();
        let (total, free, blocked_by) = {
            let free = slots.borrow();
            let nearest = free.hindrances.values().max().copied();
            (free.total, free.free, nearest.filter(|_hindrance| free.ready.is_empty()))
        };
        Ok(QueueView {
            figures,
            slots_total: u64::try_from(total).unwrap_or(u64::MAX),
            slots_free: u64::try_from(free).unwrap_or(u64::MAX),
            oldest_queued_s: figures.oldest_queued_at.map_or(0, |at| now.millis_since(at) / 1000),
            blocked_by,
            eta: self.pace().eta_if_ready(figures.queued.saturating_add(1)),
        })
    }

    /// The last hour of the queue, as far as this process has seen it.
    pub fn queue_history(&self, caller: &Caller) -> Result<HistoryView, Error> {
        hosts::administers(caller)?;
        Ok(self.inner.history.borrow().view(self.inner.clock.now()))
    }

    /// Where the caller stands.
    pub async fn standing(&self, caller: &Caller) -> Result<Standing, Error> {
        let queued = self.inner.storage.queued_of(&caller.subject).await?;
        Ok(Standing { queued, max_queued: self.inner.caps.per_owner })
    }

    /// Whether new work can be taken: the database can be written and the process isn't stopping.
    pub async fn check_ready(&self) -> Result<(), Error> {
        if self.inner.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        Ok(self.inner.storage.check_writable().await?)
    }
}
