//! The queue in figures, and where a caller stands in it.

use super::{App, Caller, Error};
use crate::domain::pace::Eta;
use crate::storage::{QueueFigures, Storage as _};

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
        let now = self.inner.clock.now();
        let figures = self.inner.storage.queue_figures(now).await?;
        let slots = self.inner.pool.free();
        let (total, free) = {
            let free = slots.borrow();
            (free.total, free.free)
        };
        Ok(QueueView {
            figures,
            slots_total: u64::try_from(total).unwrap_or(u64::MAX),
            slots_free: u64::try_from(free).unwrap_or(u64::MAX),
            oldest_queued_s: figures.oldest_queued_at.map_or(0, |at| now.millis_since(at) / 1000),
            eta: self.pace().eta_if_ready(figures.queued.saturating_add(1)),
        })
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
