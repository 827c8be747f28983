//! Events of the stream of hosts: `data` of each type.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::event::StreamReset;
use super::host::Host;
use super::queue::Queue;

/// `hosts.snapshot`: all hosts and the queue, when a stream begins.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostsSnapshot {
    /// All hosts, in the order of their list.
    pub hosts: Vec<Host>,
    /// The queue.
    pub queue: Queue,
}

/// `host.removed`: a host is no more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostRemoved {
    /// Its name.
    pub name: String,
}

/// `data` of an event; which one it is, `type` tells, as the field `event` does. Unknown types may appear later.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum HostEvent {
    /// All hosts and the queue.
    #[serde(rename = "hosts.snapshot")]
    Snapshot(HostsSnapshot),
    /// The host as it is now; also one that is new.
    #[serde(rename = "host.changed")]
    Changed(Box<Host>),
    /// A host is no more.
    #[serde(rename = "host.removed")]
    Removed(HostRemoved),
    /// The queue as it is now.
    #[serde(rename = "queue.changed")]
    Queue(Queue),
    /// The stream starts anew.
    #[serde(rename = "stream.reset")]
    Reset(StreamReset),
}
