//! Why a round of a submission ends without a result: infrastructure that was lost, or the exercise.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;
use super::verdict::CheckerFault;

/// Why a submission could not be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostReason {
    /// The Docker host went away.
    HostLost,
    /// The container or its agent died or broke the protocol.
    ContainerLost,
    /// The instance of Guichet that ran it went away.
    InstanceLost,
}

impl LostReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HostLost, Self::ContainerLost, Self::InstanceLost];

    /// Its name in the API, the database and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostLost => "host_lost",
            Self::ContainerLost => "container_lost",
            Self::InstanceLost => "instance_lost",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Why an attempt is given up, and what is lost with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Why.
    pub reason: LostReason,
    /// The container it ran in, by the id of its engine, if that is known.
    pub container: Option<String>,
}

impl From<LostReason> for GivenUp {
    fn from(reason: LostReason) -> Self {
        Self { reason, container: None }
    }
}

/// An attempt that was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAttempt {
    /// Its number in the round, from 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was given up.
    pub ended_at: Timestamp,
    /// Why.
    pub reason: LostReason,
}

/// Why a round ended without a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why, in a word.
    pub code: FailureCode,
    /// For people.
    pub message: String,
    /// All lost attempts of the round.
    pub attempts: Vec<LostAttempt>,
    /// What the exercise's checker did, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checker: Option<Box<CheckerFault>>,
}

/// Why a round ended without a result, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The last attempt was lost for [`LostReason::HostLost`].
    HostLost,
    /// The last attempt was lost for [`LostReason::ContainerLost`].
    ContainerLost,
    /// The last attempt was lost for [`LostReason::InstanceLost`].
    InstanceLost,
    /// The exercise's checker failed.
    CheckerFailed,
}

impl FailureCode {
    /// Its name in the API, the database and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostLost => LostReason::HostLost.name(),
            Self::ContainerLost => LostReason::ContainerLost.name(),
            Self::InstanceLost => LostReason::InstanceLost.name(),
            Self::CheckerFailed => "checker_failed",
        }
    }
}

impl From<LostReason> for FailureCode {
    fn from(reason: LostReason) -> Self {
        match reason {
            LostReason::HostLost => Self::HostLost,
            LostReason::ContainerLost => Self::ContainerLost,
            LostReason::InstanceLost => Self::InstanceLost,
        }
    }
}
