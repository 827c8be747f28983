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

/// How long an instance must be up at least before it leases a submission that two were lost with in its round, and before
/// the loss of one counts against what it runs.
pub const REST_AFTER_LOSS: Duration = Duration::from_secs(10);
/// How long an instance must be up at most before both.
const LONGEST_REST: Duration = Duration::from_mins(30);

/// The loss of an instance, as the submission has it that ran there.
///
/// An instance may die of what it runs, or of something else, and then again and again. What ran is to blame if the instance
/// did well without it and died with it: it had been up for longer before the attempt than the attempt lasted. In a loop of deaths
/// what was lost runs again right at the start and never counts; after two losses it rests for longer than the last instance
/// lived, so that it does not run at all while the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceLoss {
    /// How long the instance had been up when the attempt began.
    pub up: Duration,
    /// How long the attempt lasted, as far as it is known.
    pub ran: Duration,
}

impl InstanceLoss {
    /// Whether it counts against the submission.
    pub fn counts(self) -> bool {
        self.up >= self.ran.clamp(REST_AFTER_LOSS, LONGEST_REST)
    }

    /// How long another instance is up before it leases the submission, if this was not the first such loss of the round.
    pub fn rest(self) -> Duration {
        let lived = self.up.saturating_add(self.ran);
        lived.saturating_mul(2).clamp(REST_AFTER_LOSS, LONGEST_REST)
    }
}

/// How often a round may be lost before it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCaps {
    /// For whatever reason.
    pub any: u32,
    /// With the submission's own container or agent: it may be the cause.
    pub container: u32,
}

/// How often a round was lost so far; what was handed back on purpose was not, and losses of instances that do not count are
/// left out.
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
    use std::time::Duration;

    use super::{AttemptCaps, InstanceLoss, Losses};

    const SECOND: Duration = Duration::from_secs(1);

    const fn loss(up_s: u32, ran_s: u32) -> InstanceLoss {
        InstanceLoss { up: SECOND.saturating_mul(up_s), ran: SECOND.saturating_mul(ran_s) }
    }

    #[test]
    fn an_instance_that_lived_longer_without_a_submission_than_with_it_died_of_it() {
        let counts = [(9, 0), (10, 0), (10, 11), (11, 11), (1799, 9999), (1800, 9999)]
            .map(|(up, ran)| loss(up, ran).counts());

        assert_eq!(counts, [false, true, false, true, false, true]);
    }

    #[test]
    fn a_submission_rests_for_longer_than_the_instance_lived_that_it_was_lost_with() {
        let rests = [(0, 0), (0, 12), (10, 12), (3600, 1)].map(|(up, ran)| loss(up, ran).rest());

        assert_eq!(rests, [10, 24, 44, 1800].map(|seconds| SECOND * seconds));
    }

    #[test]
    fn a_container_lost_after_a_host_is_not_the_last() {
        let caps = AttemptCaps::default();

        assert!(caps.allow_another(Losses { any: 2, container: 1 }));
        assert!(!caps.allow_another(Losses { any: 2, container: 2 }));
        assert!(!caps.allow_another(Losses { any: 3, container: 1 }));
    }
}
