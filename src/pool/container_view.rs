//! A container as operators see it: plain values.

use super::transport::TransportKind;
use crate::domain::host::HostName;
use crate::domain::ids::{RuntimeId, SubmissionId};
use crate::domain::time::Timestamp;

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It was made, and its agent has not answered yet.
    Starting,
    /// It waits for a submission.
    Warm,
    /// It serves one.
    Busy,
    /// Its submission has ended, and it is being emptied for the next one.
    Emptying,
    /// It is being removed.
    Removing,
}

/// A container, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerView {
    /// Its number: no other of this process has it, and later ones have greater ones.
    pub serial: u64,
    /// Its id at its engine.
    pub id: String,
    /// Its host.
    pub host: HostName,
    /// The runtime it is for.
    pub runtime: RuntimeId,
    /// The slot it is in, from 0.
    pub slot: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// The submission that it serves, or is emptied after.
    pub submission: Option<SubmissionId>,
    /// How its agent is spoken to; `None` until that has answered.
    pub transport: Option<TransportKind>,
    /// When its launch began.
    pub created_at: Timestamp,
    /// Submissions that it has served, the one that runs included.
    pub submissions: u32,
}
