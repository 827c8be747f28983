//! The right to run a submission for a while, and its fence.

use super::ids::{SubmissionId, WorkerId};

/// The right of one worker to run one attempt of a submission.
///
/// `(round, attempt)` is the fencing token: every write checks it, so what a worker sends after it lost the
/// lease changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which submission.
    pub submission: SubmissionId,
    /// Round of grading, from 1.
    pub round: u32,
    /// Attempt within the round, from 1.
    pub attempt: u32,
    /// Who holds it.
    pub worker: WorkerId,
}

/// Whether a guarded write found its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Guarded {
    /// The lease was held and the write is stored.
    LeaseHeld,
    /// Somebody else has the submission, or it ended: nothing was written.
    LeaseLost,
}

/// How many attempts a round may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCaps {
    /// When hosts or instances are lost.
    pub infrastructure: u32,
    /// When the submission's own container or agent dies: it may be the cause.
    pub container: u32,
}

impl Default for AttemptCaps {
    fn default() -> Self {
        Self { infrastructure: 3, container: 2 }
    }
}
