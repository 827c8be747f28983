//! The Docker hosts, for operators: how they do, and whether they take new submissions.
//!
//! One task changes them, so that database and pool get changes in the same order, and a change that was begun is
//! finished though its caller has gone away.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{App, Caller, Error, Role};
use crate::domain::host::{HostMode, HostName};
use crate::pool::Pool;
use crate::storage::{self, Storage as _, Store};

pub use crate::pool::facts::EngineFacts;
pub use crate::pool::{
    HostError, HostErrorCode, HostRuntime, HostState, HostView, ImageState, SlotCounts, SubmissionCounts,
    Warning,
};

/// Changes on their way.
const CHANNEL_PLACES: usize = 16;

/// Where changes of hosts are taken.
#[derive(Clone, Debug)]
pub struct Hosts {
    changes: mpsc::Sender<Change>,
}

#[derive(Debug)]
struct Change {
    caller: Caller,
    host: HostName,
    mode: HostMode,
    done: oneshot::Sender<storage::Result<Option<()>>>,
}

impl Hosts {
    /// Starts the task that changes hosts; it ends with `stop`, or when nothing can ask for a change any more.
    pub fn start(storage: Store, pool: Pool, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (changes, asked) = mpsc::channel(CHANNEL_PLACES);
        tasks.spawn(async move {
            tokio::select! {
                () = make_changes(&storage, &pool, asked) => {}
                () = stop.cancelled() => {}
            }
        });
        Self { changes }
    }

    /// Changes what a host is for; `None` if there is no such host.
    async fn set_mode(&self, caller: Caller, host: HostName, mode: HostMode) -> Result<Option<()>, Error> {
        let (done, answered) = oneshot::channel();
        let change = Change { caller, host, mode, done };
        self.changes.send(change).await.map_err(|_ended| Error::Stopping)?;
        Ok(answered.await.map_err(|_ended| Error::Stopping)??)
    }
}

async fn make_changes(storage: &Store, pool: &Pool, mut asked: mpsc::Receiver<Change>) {
    while let Some(Change { caller, host, mode, done }) = asked.recv().await {
        let changed = change(storage, pool, &caller, &host, mode).await;
        // Who asked may have gone away; it is done all the same.
        let _gone = done.send(changed);
    }
}

async fn change(
    storage: &Store,
    pool: &Pool,
    caller: &Caller,
    host: &HostName,
    mode: HostMode,
) -> storage::Result<Option<()>> {
    let Some(before) = storage.set_host_mode(host, mode).await? else { return Ok(None) };
    pool.set_mode(host, mode).await;
    if before != mode {
        tracing::info!(
            audit = true, caller = %caller.subject, role = caller.role.name(), host = %host,
            before = before.name(), after = mode.name(), "the mode of a Docker host was changed"
        );
    }
    Ok(Some(()))
}

impl App {
    /// The Docker hosts, in the order of the settings.
    pub async fn hosts(&self, caller: &Caller) -> Result<Vec<HostView>, Error> {
        administers(caller)?;
        self.inner.pool.hosts().await.ok_or(Error::Stopping)
    }

    /// One of them.
    pub async fn host(&self, caller: &Caller, name: &HostName) -> Result<HostView, Error> {
        let hosts = self.hosts(caller).await?;
        hosts.into_iter().find(|host| host.name == *name).ok_or(Error::NotFound)
    }

    /// Changes what a host is for, if that is asked; answers with the host as it is then.
    pub async fn update_host(
        &self,
        caller: &Caller,
        name: &HostName,
        mode: Option<HostMode>,
    ) -> Result<HostView, Error> {
        // The database remembers hosts that the settings no longer name.
        self.host(caller, name).await?;
        if let Some(mode) = mode {
            let changed = self.inner.hosts.set_mode(caller.clone(), name.clone(), mode).await?;
            changed.ok_or(Error::NotFound)?;
        }
        self.host(caller, name).await
    }
}

fn administers(caller: &Caller) -> Result<(), Error> {
    match caller.role {
        Role::Admin => Ok(()),
        Role::Student | Role::Teacher | Role::Backend => {
            Err(Error::Forbidden("only an admin looks after hosts"))
        }
    }
}
