//! The last hour of the queue, as it is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::history::{self, Figures, HistoryView, MinuteView};

/// How long submissions waited for their first attempt; told at most a 32nd too short.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueWait {
    /// Half of them no longer than this, in milliseconds.
    pub p50_ms: u64,
    /// 95 of 100 no longer than this, in milliseconds.
    pub p95_ms: u64,
}

/// What happened in the last hour.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueHour {
    /// How long those that started had waited; null if none started.
    #[schema(required)]
    pub wait: Option<QueueWait>,
    /// Submissions that got a verdict.
    pub finished: u64,
    /// Attempts that were lost, with their container, host or instance.
    pub faults: u64,
}

/// What happened in a minute.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueMinute {
    /// When it began.
    #[schema(format = DateTime)]
    pub at: String,
    /// The most that were queued at once, of looks two seconds apart; null if the queue could not be looked at.
    #[schema(required)]
    pub queued: Option<u64>,
    /// How long those that started had waited; null if none started.
    #[schema(required)]
    pub wait: Option<QueueWait>,
    /// Submissions that got a verdict.
    pub finished: u64,
    /// Attempts that were lost, with their container, host or instance.
    pub faults: u64,
}

/// The last hour of the queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueHistory {
    /// What came before is not in it: the start of the service, or an hour ago.
    #[schema(format = DateTime)]
    pub since: String,
    /// All minutes together.
    pub hour: QueueHour,
    /// At most 60, oldest first; those of which nothing is known are left out.
    pub minutes: Vec<QueueMinute>,
}

impl From<history::WaitQuantiles> for QueueWait {
    fn from(wait: history::WaitQuantiles) -> Self {
        let history::WaitQuantiles { p50_ms, p95_ms } = wait;
        Self { p50_ms, p95_ms }
    }
}

impl From<Figures> for QueueHour {
    fn from(figures: Figures) -> Self {
        let Figures { wait, finished, faults } = figures;
        Self { wait: wait.map(Into::into), finished, faults }
    }
}

impl From<MinuteView> for QueueMinute {
    fn from(minute: MinuteView) -> Self {
        let MinuteView { at, queued, figures: Figures { wait, finished, faults } } = minute;
        Self { at: at.to_string(), queued, wait: wait.map(Into::into), finished, faults }
    }
}

impl From<HistoryView> for QueueHistory {
    fn from(view: HistoryView) -> Self {
        Self {
            since: view.since.to_string(),
            hour: view.hour.into(),
            minutes: view.minutes.into_iter().map(Into::into).collect(),
        }
    }
}
