//! Links to original backends, as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{LinkEncoding, LinkState};
use crate::app::links::{ExerciseCounts, LinkError, LinkView};

/// What became of the packets that a backend sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct LinkExercises {
    /// Queued.
    pub enqueued: u64,
    /// Queued, running or graded already.
    pub duplicate: u64,
    /// Nothing is stored under that id.
    pub unknown: u64,
    /// Not understood, or what is stored can't run.
    pub invalid: u64,
}

/// What went wrong last.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LinkFault {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What.
    pub message: String,
}

/// A link to an original backend.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The backend's name; submissions carry it in `backend`.
    pub name: String,
    /// Name or address of its machine.
    pub host: String,
    /// Its port.
    pub tcp_port: u16,
    /// Where the link stands.
    pub state: LinkState,
    /// How the backend writes objects; null until it has told, and without a connection.
    #[schema(required)]
    pub encoding: Option<LinkEncoding>,
    /// Since when the state is this one.
    #[schema(format = DateTime)]
    pub since: String,
    /// Connections opened.
    pub connections: u64,
    /// Packets received; messages of the library are not counted.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// What became of those received.
    pub exercises: LinkExercises,
    /// What went wrong last; null if nothing has.
    #[schema(required)]
    pub last_error: Option<LinkFault>,
}

impl From<LinkView> for Link {
    fn from(view: LinkView) -> Self {
        let ExerciseCounts { enqueued, duplicate, unknown, invalid } = view.exercises;
        let fault = |LinkError { at, message }| LinkFault { at: at.to_string(), message };
        Self {
            name: view.name.to_string(),
            host: view.host,
            tcp_port: view.tcp_port,
            state: view.state.into(),
            encoding: view.encoding.map(Into::into),
            since: view.since.to_string(),
            connections: view.connections,
            packets_in: view.packets_in,
            packets_out: view.packets_out,
            exercises: LinkExercises { enqueued, duplicate, unknown, invalid },
            last_error: view.last_error.map(fault),
        }
    }
}

/// All links.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LinkList {
    /// In the order of the settings.
    pub items: Vec<Link>,
}
