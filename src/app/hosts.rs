//! The Docker hosts, for operators: which there are, how they do, and what they are for.
//!
//! One task changes them, so that database and pool get changes in the same order, and a change that was begun is
//! finished though its caller has gone away. A host is stored before the pool has it, and the pool has it until nothing
//! stored names it any more.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{App, Caller, Conflict, Error, Role};
use crate::clock::Clock;
use crate::domain::host::{CertsName, HostMode, HostName, HostSettings, HostSource, HostUpdate, HostWishes};
use crate::pool::Pool;
use crate::pool::docker_settings::ConfiguredHost;
use crate::pool::endpoint::{URL_FORM, is_engine_url, takes_certs};
use crate::storage::{Storage as _, Store};

pub use crate::pool::facts::EngineFacts;
pub use crate::pool::{
    HostError, HostErrorCode, HostRuntime, HostState, HostView, ImageState, SlotCounts, SubmissionCounts,
    Warning,
};

/// Changes on their way.
const CHANNEL_PLACES: usize = 16;

/// A host that an operator wants to add.
#[derive(Clone, Debug)]
pub struct NewHost {
    /// Its name.
    pub name: HostName,
    /// Where its engine is.
    pub url: String,
    /// The folder of its certificates.
    pub certs: Option<CertsName>,
    /// What he wants of it.
    pub wishes: HostWishes,
}

/// What becomes of what runs on a host that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing may run there.
    OfEmpty,
    /// It is queued again at its old place.
    OfBusy,
}

/// Where changes of hosts are taken.
#[derive(Clone, Debug)]
pub struct Hosts {
    orders: mpsc::Sender<Order>,
    certs_dir: PathBuf,
}

/// What the task that changes hosts needs.
#[derive(Debug)]
pub struct Parts {
    /// Where hosts are stored.
    pub storage: Store,
    /// Where they work.
    pub pool: Pool,
    /// What time it is.
    pub clock: Clock,
    /// Those of the settings.
    pub configured: Vec<ConfiguredHost>,
    /// The folder of the folders with the hosts' certificates.
    pub certs_dir: PathBuf,
}

#[derive(Debug)]
struct Order {
    caller: Caller,
    host: HostName,
    what: What,
    done: oneshot::Sender<Result<(), Error>>,
}

#[derive(Debug)]
enum What {
    Add(Box<NewHost>),
    Change(HostUpdate),
    Remove(Removal),
}

impl Hosts {
    /// Starts the task that changes hosts; it ends with `stop`, or when nothing can ask for a change any more.
    pub fn start(parts: Parts, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (orders, mut asked) = mpsc::channel(CHANNEL_PLACES);
        let Parts { storage, pool, clock, configured, certs_dir } = parts;
        let own_slots = configured.into_iter().map(|host| (host.name, host.slots)).collect();
        let changing = Changing { storage, pool, clock, own_slots };
        tasks.spawn(async move {
            let changing = async {
                while let Some(Order { caller, host, what, done }) = asked.recv().await {
                    let changed = changing.change(&caller, host, what).await;
                    // Who asked may have gone away; it is done all the same.
                    let _gone = done.send(changed);
                }
            };
            tokio::select! {
                () = changing => {}
                () = stop.cancelled() => {}
            }
        });
        Self { orders, certs_dir }
    }

    async fn order(&self, caller: &Caller, host: HostName, what: What) -> Result<(), Error> {
        let (done, answered) = oneshot::channel();
        let order = Order { caller: caller.clone(), host, what, done };
        self.orders.send(order).await.map_err(|_ended| Error::Stopping)?;
        answered.await.map_err(|_ended| Error::Stopping)?
    }
}

/// What changes hosts.
struct Changing {
    storage: Store,
    pool: Pool,
    clock: Clock,
    /// What the settings say of their hosts.
    own_slots: BTreeMap<HostName, Option<NonZeroU32>>,
}

impl Changing {
    async fn change(&self, caller: &Caller, host: HostName, what: What) -> Result<(), Error> {
        match what {
            What::Add(new) => self.add(caller, *new).await,
            What::Change(change) => self.update(caller, &host, change).await,
            What::Remove(removal) => self.remove(caller, &host, removal).await,
        }
    }

    async fn views(&self) -> Result<Vec<HostView>, Error> {
        self.pool.hosts().await.ok_or(Error::Stopping)
    }

    async fn view(&self, host: &HostName) -> Result<HostView, Error> {
        self.views().await?.into_iter().find(|view| view.name == *host).ok_or(Error::NotFound)
    }

    async fn add(&self, caller: &Caller, new: NewHost) -> Result<(), Error> {
        let NewHost { name, url, certs, wishes: HostWishes { mode, slots } } = new;
        let hosts = self.views().await?;
        if hosts.iter().any(|host| host.name == name) {
            return Err(Error::Conflict(Conflict::HostExists));
        }
        if let Some(other) = hosts.iter().find(|host| host.url == url) {
            return Err(Error::field("/url", format!("is the URL of the host {}", other.name)));
        }
        let created_at = self.clock.now();
        let host = HostSettings { name, url, certs, slots, source: HostSource::Api, mode, created_at };
        if !self.storage.add_host(host.clone()).await? {
            return Err(Error::Conflict(Conflict::HostExists));
        }
        audit(caller, &host.name, "a Docker host was added", "none", &described(&host.url, mode, slots));
        self.pool.add_host(host).await;
        Ok(())
    }

    async fn update(&self, caller: &Caller, host: &HostName, change: HostUpdate) -> Result<(), Error> {
        // The database may still know hosts that are gone.
        let HostView { url, .. } = self.view(host).await?;
        let before = self.storage.update_host(host, change).await?.ok_or(Error::NotFound)?;
        let after = before.after(change);
        let own = self.own_slots.get(host).copied().flatten();
        let change = HostUpdate { slots: change.slots.map(|slots| slots.or(own)), ..change };
        self.pool.update_host(host, change).await;
        if before != after {
            let told = |wishes: HostWishes| described(&url, wishes.mode, wishes.slots);
            audit(caller, host, "a Docker host was changed", &told(before), &told(after));
        }
        Ok(())
    }

    async fn remove(&self, caller: &Caller, host: &HostName, removal: Removal) -> Result<(), Error> {
        let view = self.view(host).await?;
        if view.source == HostSource::Config {
            return Err(Error::Conflict(Conflict::HostConfigured));
        }
        if removal == Removal::OfEmpty {
            self.hold(&view).await?;
        }
        if let Err(error) = self.storage.remove_host(host).await {
            self.pool.update_host(host, to_mode(view.mode)).await;
            return Err(error.into());
        }
        self.pool.remove_host(host).await;
        let before = described(&view.url, view.mode, view.slots.configured);
        audit(caller, host, "a Docker host was removed", &before, "none");
        Ok(())
    }

    /// Lets nothing new begin on a host, if nothing runs there.
    async fn hold(&self, host: &HostView) -> Result<(), Error> {
        let is_busy = |host: &HostView| host.submissions.running > 0 || host.slots.busy > 0;
        if is_busy(host) {
            return Err(Error::Conflict(Conflict::HostBusy));
        }
        self.pool.update_host(&host.name, to_mode(HostMode::Draining)).await;
        if is_busy(&self.view(&host.name).await?) {
            self.pool.update_host(&host.name, to_mode(host.mode)).await;
            return Err(Error::Conflict(Conflict::HostBusy));
        }
        Ok(())
    }
}

fn to_mode(mode: HostMode) -> HostUpdate {
    HostUpdate { mode: Some(mode), slots: None }
}

fn audit(caller: &Caller, host: &HostName, what: &str, before: &str, after: &str) {
    tracing::info!(
        audit = true, caller = %caller.subject, role = caller.role.name(), %host, before, after, "{what}"
    );
}

/// A host in a line of the log.
fn described(url: &str, mode: HostMode, slots: Option<NonZeroU32>) -> String {
    let slots = slots.map_or_else(|| "default".to_owned(), |slots| slots.to_string());
    format!("url={url} mode={} slots={slots}", mode.name())
}

impl App {
    /// The Docker hosts, those of the settings in their order first, then the others by age.
    pub async fn hosts(&self, caller: &Caller) -> Result<Vec<HostView>, Error> {
        administers(caller)?;
        self.inner.pool.hosts().await.ok_or(Error::Stopping)
    }

    /// One of them.
    pub async fn host(&self, caller: &Caller, name: &HostName) -> Result<HostView, Error> {
        let hosts = self.hosts(caller).await?;
        hosts.into_iter().find(|host| host.name == *name).ok_or(Error::NotFound)
    }

    /// Adds a host, connected or not; answers with it.
    pub async fn add_host(&self, caller: &Caller, new: NewHost) -> Result<HostView, Error> {
        administers(caller)?;
        if !is_engine_url(&new.url) {
            return Err(Error::field("/url", format!("must be {URL_FORM}")));
        }
        if let Some(certs) = &new.certs {
            if !takes_certs(&new.url) {
                return Err(Error::field("/certs", "is for tcp://host:port only"));
            }
            let folder = self.inner.hosts.certs_dir.join(certs.as_str());
            if !tokio::fs::metadata(folder).await.is_ok_and(|found| found.is_dir()) {
                return Err(Error::field("/certs", "there is no such folder below docker.certs_dir"));
            }
        }
        let name = new.name.clone();
        self.inner.hosts.order(caller, name.clone(), What::Add(Box::new(new))).await?;
        self.host(caller, &name).await
    }

    /// Changes what a host is for, and its slots; answers with the host as it is then.
    pub async fn update_host(
        &self,
        caller: &Caller,
        name: &HostName,
        change: HostUpdate,
    ) -> Result<HostView, Error> {
        administers(caller)?;
        self.inner.hosts.order(caller, name.clone(), What::Change(change)).await?;
        self.host(caller, name).await
    }

    /// Removes a host that was added.
    pub async fn remove_host(&self, caller: &Caller, name: &HostName, removal: Removal) -> Result<(), Error> {
        administers(caller)?;
        self.inner.hosts.order(caller, name.clone(), What::Remove(removal)).await
    }
}

pub(super) fn administers(caller: &Caller) -> Result<(), Error> {
    match caller.role {
        Role::Admin => Ok(()),
        Role::Student | Role::Teacher | Role::Backend => {
            Err(Error::Forbidden("only an admin looks after hosts"))
        }
    }
}
