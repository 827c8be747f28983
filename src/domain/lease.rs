//! The right to run a submission for a while, and its fence.

use std::time::Duration;

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
    /// Another worker has the submission, or it ended: nothing was written.
    LeaseLost,
}

/// How long a submission is not leased after an instance was lost that ran it, for each such loss of the round but the first:
/// one that dies again and again shall not use up all attempts within seconds.
pub const REST_AFTER_LOSS: Duration = Duration::from_secs(10);

/// How often a round may be lost before it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCaps {
    /// For whatever reason.
    pub any: u32,
    /// With the submission's own container or agent: it may be the cause.
    pub container: u32,
}

/// How often a round was lost so far; what was handed back on purpose was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Losses {
    /// For whatever reason.
    pub any: u32,
    /// With the submission's own container or agent.
    pub container: u32,
}

impl AttemptCaps {
    /// Whether a round with these losses may have another attempt.
    pub const fn allow_another(self, losses: Losses) -> bool {
        losses.any < self.any && losses.container < self.container
    }
}

impl Default for AttemptCaps {
    fn default() -> Self {
        Self { any: 3, container: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::{AttemptCaps, Losses};

    #[test]
    fn a_container_lost_after_a_host_is_not_the_last() {
        let caps = AttemptCaps::default();

        assert!(caps.allow_another(Losses { any: 2, container: 1 }));
        assert!(!caps.allow_another(Losses { any: 2, container: 2 }));
        assert!(!caps.allow_another(Losses { any: 3, container: 1 }));
    }
}
