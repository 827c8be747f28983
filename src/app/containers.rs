//! The containers on all hosts, for operators: what each is doing, and ending one.

use super::hosts::administers;
use super::{App, Caller, Error};
use crate::domain::host::HostName;
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;

pub use crate::pool::{ContainerState, ContainerView, TransportKind};

/// Which containers are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFilter {
    /// On this host.
    pub host: Option<HostName>,
    /// For this runtime.
    pub runtime: Option<RuntimeId>,
    /// Doing this.
    pub state: Option<ContainerState>,
}

impl ContainerFilter {
    fn admits(&self, container: &ContainerView) -> bool {
        self.host.as_ref().is_none_or(|host| *host == container.host)
            && self.runtime.as_ref().is_none_or(|runtime| *runtime == container.runtime)
            && self.state.is_none_or(|state| state == container.state)
    }
}

/// A place in the list of containers, newest first: behind one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerCursor {
    /// When the launch of that one began.
    pub created_at: Timestamp,
    /// Its number.
    pub serial: u64,
}

impl ContainerCursor {
    /// The place behind a container.
    pub const fn behind(container: &ContainerView) -> Self {
        Self { created_at: container.created_at, serial: container.serial }
    }
}

impl App {
    /// Containers that match, newest first.
    ///
    /// * `after` — where the list goes on; at its start if `None`.
    pub async fn containers(
        &self,
        caller: &Caller,
        filter: &ContainerFilter,
        after: Option<ContainerCursor>,
        limit: usize,
    ) -> Result<Vec<ContainerView>, Error> {
        administers(caller)?;
        let mut containers = self.inner.pool.containers().await.ok_or(Error::Stopping)?;
        containers.retain(|container| {
            filter.admits(container) && after.is_none_or(|after| ContainerCursor::behind(container) < after)
        });
        containers.sort_unstable_by_key(|container| std::cmp::Reverse(ContainerCursor::behind(container)));
        containers.truncate(limit);
        Ok(containers)
    }

    /// Has a container be killed and replaced; what runs in it is tried again. Answers at once, with the container as it is
    /// then; one that is being removed already stays so.
    ///
    /// * `id` — its id at its engine.
    pub async fn kill_container(&self, caller: &Caller, id: &str) -> Result<ContainerView, Error> {
        administers(caller)?;
        let pool = &self.inner.pool;
        let Some(killed) = pool.kill(id).await else {
            // A pool that has ended has no containers, and what is sent to it may be sent again.
            return Err(if pool.containers().await.is_some() { Error::NotFound } else { Error::Stopping });
        };
        tracing::info!(
            audit = true, caller = %caller.subject, role = caller.role.name(), host = %killed.host,
            container.id = killed.id, submission.id = killed.submission.map(|id| id.to_string()),
            "a container is killed, as an admin asked"
        );
        Ok(killed)
    }
}
