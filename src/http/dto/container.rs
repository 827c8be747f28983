//! Containers, as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{ContainerState, ContainerTransport};
use crate::app::containers::ContainerView;

/// A container in which programs run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Container {
    /// Its id at its Docker engine.
    pub id: String,
    /// Its host.
    pub host: String,
    /// The runtime it is for.
    pub runtime: String,
    /// The slot it is in: its number on the host, from 0.
    pub slot: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// The submission that it serves, or is emptied after; null without.
    #[schema(required, format = Uuid)]
    pub submission_id: Option<String>,
    /// How its agent is spoken to; null until that has answered.
    #[schema(required)]
    pub transport: Option<ContainerTransport>,
    /// When its launch began.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Submissions that it has served, the one that runs included.
    pub submissions: u32,
}

/// A page of containers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ContainerList {
    /// Newest first.
    pub items: Vec<Container>,
    /// What `cursor` must be for the next page; null on the last.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl From<ContainerView> for Container {
    fn from(view: ContainerView) -> Self {
        Self {
            id: view.id,
            host: view.host.to_string(),
            runtime: view.runtime.to_string(),
            slot: view.slot,
            state: view.state.into(),
            submission_id: view.submission.map(|id| id.to_string()),
            transport: view.transport.map(Into::into),
            created_at: view.created_at.to_string(),
            submissions: view.submissions,
        }
    }
}
