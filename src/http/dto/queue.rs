//! The queue, the runtimes and the caller himself, as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{Hindrance, Role};
use super::submission::Eta;
use crate::app::FieldError;
use crate::app::budget::Purpose;
use crate::app::queue::QueueView;
use crate::domain::{limits, runtime};
use crate::http::body::RequestBody;
use crate::json::Bounds;

/// Slots for running submissions, each with a core of its own.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Slots {
    /// In all.
    pub total: u64,
    /// Without a submission that runs.
    pub free: u64,
}

/// The queue in figures.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Queued submissions.
    pub queued: u64,
    /// Running submissions.
    pub running: u64,
    /// Slots for running submissions.
    pub slots: Slots,
    /// How long the oldest queued one has waited, in seconds; 0 if none waits.
    pub oldest_queued_s: u64,
    /// Submissions that finished in the last minute.
    pub finished_last_minute: u64,
    /// Why nothing can run now, while no runtime is ready: what is queued waits and keeps its place. Else null.
    #[schema(required)]
    pub blocked_by: Option<Hindrance>,
    /// When one sent now may start; null while no runtime is ready (`blocked_by` says why), or too little is known.
    #[schema(required)]
    pub eta: Option<Eta>,
}

impl From<QueueView> for Queue {
    fn from(view: QueueView) -> Self {
        Self {
            queued: view.figures.queued,
            running: view.figures.running,
            slots: Slots { total: view.slots_total, free: view.slots_free },
            oldest_queued_s: view.oldest_queued_s,
            finished_last_minute: view.figures.finished_last_minute,
            blocked_by: view.blocked_by.map(Into::into),
            eta: view.eta.map(Into::into),
        }
    }
}

/// Hard limits of one command.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RuntimeLimits {
    /// CPU time of all processes together, in milliseconds.
    pub cpu_time_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_time_ms: u64,
    /// Memory of all processes together, in bytes.
    pub memory_bytes: u64,
    /// Standard output and error together, in bytes.
    pub output_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u32,
}

impl From<limits::Limits> for RuntimeLimits {
    fn from(limits: limits::Limits) -> Self {
        let limits::Limits { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes } = limits;
        Self { cpu_time_ms, wall_time_ms, memory_bytes, output_bytes, processes }
    }
}

/// What a test may use in a runtime.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RuntimeLimitRange {
    /// If the exercise says nothing.
    pub default: RuntimeLimits,
    /// At most.
    pub maximum: RuntimeLimits,
}

/// A language in a version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Runtime {
    /// Its id.
    pub id: String,
    /// The language, in lower case.
    pub language: String,
    /// Version of the language or compiler.
    pub version: String,
    /// What people read.
    pub name: String,
    /// The file that is run or compiled; a submission of one file may name it otherwise.
    pub entry_file: String,
    /// Whether programs are compiled before they run.
    pub compiled: bool,
    /// What a test may use.
    pub limits: RuntimeLimitRange,
    /// Whether programs can run now.
    pub ready: bool,
    /// Why not; null if they can. What is queued meanwhile waits and keeps its place.
    #[schema(required)]
    pub blocked_by: Option<Hindrance>,
}

impl Runtime {
    /// The runtime, and why programs can't run in it now.
    pub fn of(runtime: &runtime::Runtime, hindrance: Option<crate::app::Hindrance>) -> Self {
        Self {
            id: runtime.id.to_string(),
            language: runtime.language.clone(),
            version: runtime.version.clone(),
            name: runtime.name.clone(),
            entry_file: runtime.entry_file.clone(),
            compiled: runtime.compile.is_some(),
            limits: RuntimeLimitRange {
                default: runtime.run.limits.default.into(),
                maximum: runtime.run.limits.maximum.into(),
            },
            ready: hindrance.is_none(),
            blocked_by: hindrance.map(Into::into),
        }
    }
}

/// All runtimes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RuntimeList {
    /// By id.
    pub items: Vec<Runtime>,
}

/// The caller himself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Subject of the token or session; the owner of what he sends.
    pub sub: String,
    /// What he is.
    pub role: Role,
    /// When the token or session is over.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// His queued submissions.
    pub queued: u64,
    /// How many he may have in the queue.
    pub max_queued: u64,
}

impl RequestBody for TicketRequest {
    const BOUNDS: Bounds = Bounds { bytes: 16 << 10, string_bytes: 16 << 10, values: 100 };
    const PURPOSE: Purpose = Purpose::Small;
    type Asked = Self;

    fn asked(self, _errors: &mut Vec<FieldError>) -> Self {
        self
    }
}

/// What a stream ticket is to open.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamTicketRequest)]
pub struct TicketRequest {
    /// Only the events of this submission; all of the owner's if left out.
    #[schema(format = Uuid)]
    pub submission_id: Option<String>,
    /// Whose events (backend, admin): the ticket shows what this student may see. Yours if left out.
    #[schema(min_length = 1, max_length = 255)]
    pub owner: Option<String>,
    /// How long it lives, in seconds; 3600 if left out.
    #[schema(minimum = 1, maximum = 3600)]
    pub ttl_s: Option<u32>,
}

/// A stream ticket.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StreamTicket)]
pub struct TicketBody {
    /// What the query parameter `ticket` must be.
    pub ticket: String,
    /// When it is over.
    #[schema(format = DateTime)]
    pub expires_at: String,
}
