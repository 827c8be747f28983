//! The one task that owns the pool's state: it hears what happened, asks the machine what to do, and begins that.
//!
//! Nothing here waits for an engine. What takes time runs in a task of its own and reports back through the same
//! bounded channel that claims come through; a claimed container holds its place in that channel, so that it can
//! always be given back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod begin;
mod containers;
mod end;
mod hosts;
mod images;
mod launches;
mod reserved;

use super::container::Container;
use super::docker::Labels;
use super::figures::Figures;
use super::hosts::{HostConnection, HostRecord, HostView, News};
use super::state::{ContainerPlace, Fate, Machine, Supplies};
use super::transport::Transports;
use super::work::{Idle, Outcome};
use super::{Free, Settings};
use crate::domain::host::{HostName, HostSettings, HostUpdate};
use crate::domain::ids::{RuntimeId, SubmissionId};
use crate::domain::runtime::Runtime;
pub(super) use containers::ContainerRequest;
use containers::Containers;
pub(super) use reserved::Wanted;
use reserved::{Awaited, Reserved};

/// Messages on their way to the owner, claimed containers included.
pub(super) const CHANNEL_PLACES: usize = 4096;

/// Longest time until the machine is asked again.
const LONGEST_REST: Duration = Duration::from_secs(20);

/// What the owner hears.
#[derive(Debug)]
pub(super) enum Message {
    /// An attempt wants a container, and to know when that is counted.
    Reserve { wanted: Wanted, reply: oneshot::Sender<Container>, counted: oneshot::Sender<()> },
    /// The container that came was of no use: its place in line is the first now.
    ReserveAgain {
        wanted: Wanted,
        reply: oneshot::Sender<Container>,
        /// The host of one that was silent.
        silent: Option<Arc<HostConnection>>,
    },
    /// An attempt wants a companion for the container that it has.
    Accompany {
        of: ContainerPlace,
        runtime: RuntimeId,
        submission: SubmissionId,
        reply: oneshot::Sender<Container>,
    },
    /// An attempt wants its container no more, or has it.
    Withdrawn,
    /// An attempt begins to empty one, to give it back.
    Emptying { place: ContainerPlace },
    /// An attempt gives one back, in which a submission ran to its end or none did.
    GiveBack { place: ContainerPlace, fate: Fate<Idle>, served: bool },
    /// An operator has a new host.
    AddHost { settings: HostSettings, done: oneshot::Sender<()> },
    /// An operator has a host no more.
    RemoveHost { host: HostName, done: oneshot::Sender<()> },
    /// An operator wants something else of a host.
    UpdateHost { host: HostName, change: HostUpdate, done: oneshot::Sender<()> },
    /// An operator looks at the hosts.
    ShowHosts { reply: oneshot::Sender<Vec<HostView>> },
    /// So much of an image has come to a host.
    CopyProgress { host: HostName, serial: u64, thousandths: u16 },
    /// An operator looks at the containers, or wants one killed.
    Containers(ContainerRequest),
    /// Everything shall be removed.
    Close { done: oneshot::Sender<()> },
    /// A host's watch has news.
    News { host: HostName, connection: Arc<HostConnection>, news: News },
    /// Something begun has ended.
    Outcome(Outcome),
}

/// Where others read what the pool has.
pub(super) struct Publishing {
    pub(super) free: watch::Sender<Free>,
    /// Whether each host was swept of what earlier instances left there, or could not be reached.
    pub(super) swept: watch::Sender<bool>,
    /// Sent when something of the hosts or their containers may have changed.
    pub(super) changes: watch::Sender<()>,
}

/// The owner of the pool's state.
pub(super) struct Owner {
    settings: Settings,
    labels: Labels,
    transports: Transports,
    runtimes: BTreeMap<RuntimeId, Arc<Runtime>>,
    hosts: BTreeMap<HostName, HostRecord>,
    /// How many came, since the start.
    hosts_added: u64,
    machine: Machine<Idle>,
    containers: Containers,
    messages: mpsc::Sender<Message>,
    /// Who waits, in order.
    reserved: Vec<Reserved>,
    /// Who waits for a companion.
    awaited: Vec<Awaited>,
    tasks: TaskTracker,
    /// Tasks begun whose outcome is not heard yet.
    under_way: usize,
    closing: CancellationToken,
    publishing: Publishing,
    /// Whether something may have changed that is to be told.
    touched: bool,
    figures: Figures,
}

impl Owner {
    pub(super) fn new(
        settings: Settings,
        runtimes: BTreeMap<RuntimeId, Arc<Runtime>>,
        tasks: TaskTracker,
        messages: mpsc::Sender<Message>,
        publishing: Publishing,
    ) -> Self {
        let Settings { installation, folder, instance, .. } = settings;
        let labels = Labels { installation, folder, instance };
        let (seed, _) = instance.as_u64_pair();
        let machine = Machine::new(
            runtimes.keys().cloned(),
            Supplies {
                warm_per_runtime: settings.warm_per_runtime.max(1),
                submissions_per_container: settings.submissions_per_container.get(),
            },
            seed,
        );
        let hosts = settings.hosts.clone();
        let mut owner = Self {
            hosts: BTreeMap::new(),
            hosts_added: 0,
            transports: Transports::new(settings.sockets.clone(), instance),
            settings,
            labels,
            runtimes,
            machine,
            containers: Containers::default(),
            messages,
            reserved: Vec::new(),
            awaited: Vec::new(),
            tasks,
            under_way: 0,
            closing: CancellationToken::new(),
            publishing,
            touched: true,
            figures: Figures::default(),
        };
        for host in hosts {
            owner.add_host(host);
        }
        owner
    }

    /// Runs until the pool is closed or `stop` is cancelled; returns when no container is left.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>, stop: CancellationToken) {
        let mut closers = Vec::new();
        while closers.is_empty() && !stop.is_cancelled() {
            let now = Instant::now();
            self.serve();
            self.serve_companions();
            for action in self.machine.plan(now.into_std()) {
                self.begin(action);
            }
            self.publish();
            let wake = self.machine.next_wake(now.into_std()).map(Instant::from_std);
            let wake = wake.unwrap_or(now + LONGEST_REST);
            tokio::select! {
                Some(message) = inbox.recv() => closers.extend(self.hear(message)),
                () = sleep_until(wake) => {}
                () = stop.cancelled() => {}
            }
        }
        self.close(&mut inbox, &mut closers).await;
        for closer in closers {
            // Who asked may have stopped waiting.
            let _gone = closer.send(());
        }
    }

    /// Takes a message in; gives back who waits for the end.
    fn hear(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        let now = Instant::now().into_std();
        self.touched |=
            !matches!(message, Message::ShowHosts { .. } | Message::News { news: News::Answers(_), .. });
        match message {
            Message::Reserve { wanted, reply, counted } => {
                self.reserve(self.reserved.len(), wanted, reply);
                // Who asked may have stopped waiting; his reservation is then closed, too.
                let _gone = counted.send(());
            }
            Message::ReserveAgain { wanted, reply, silent } => {
                if let Some(connection) = silent {
                    self.doubt(&connection);
                }
                self.reserve(0, wanted, reply);
            }
            Message::Accompany { of, runtime, submission, reply } => {
                self.await_companion(of, runtime, submission, reply);
            }
            Message::Withdrawn => {}
            Message::Emptying { place } => self.machine.emptying(&place, now),
            Message::GiveBack { place, fate, served } => self.hear_give_back(place, fate, served),
            Message::AddHost { settings, done } => {
                self.add_host(settings);
                // Who asked may have stopped waiting; it is done all the same, here and below.
                let _gone = done.send(());
            }
            Message::RemoveHost { host, done } => {
                self.remove_host(&host);
                let _gone = done.send(());
            }
            Message::UpdateHost { host, change, done } => {
                self.update_host(&host, change);
                let _gone = done.send(());
            }
            Message::ShowHosts { reply } => {
                let _gone = reply.send(self.views());
            }
            Message::CopyProgress { host, serial, thousandths } => {
                self.hear_progress(&host, serial, thousandths);
            }
            Message::Containers(request) => self.hear_container_request(request),
            Message::Close { done } => return Some(done),
            Message::News { host, connection, news } => self.hear_news(&host, &connection, news),
            Message::Outcome(outcome) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.hear_outcome(outcome);
            }
        }
        None
    }

    fn hear_give_back(&mut self, place: ContainerPlace, fate: Fate<Idle>, served: bool) {
        if served && self.machine.serves(&place) {
            self.note(&place.host, HostRecord::count_ended);
            self.machine.run_ended(&place.host);
        }
        let fate = match fate {
            Fate::Reusable(idle) if idle.killed.is_cancelled() => Fate::Doubtful(idle),
            other => other,
        };
        self.containers.given_back(&place);
        if let Some(action) = self.machine.give_back(place, fate, Instant::now().into_std()) {
            self.begin(action);
        }
    }

    fn hear_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Connected { host, attempt, result } => self.hear_connected(host, attempt, result),
            Outcome::ImagePrepared { host, runtime, connection, result } => {
                if self.is_current(&host, &connection) {
                    self.image_prepared(&host, runtime, result);
                }
            }
            Outcome::ImageCopied { host, serial, result } => self.hear_copied(&host, serial, result),
            Outcome::Launched { place, canary, result } => self.hear_launched(&place, canary, result),
            Outcome::Removed { place } => {
                self.containers.forget(&place);
                self.machine.removed(&place);
            }
            Outcome::Left => {}
        }
    }

    fn publish(&mut self) {
        let supply = self.machine.supply().without(self.reserved.iter().map(Reserved::runtime));
        let runtimes = supply.claimable.into_keys().collect();
        let free = Free {
            total: supply.total,
            free: supply.free,
            runtimes,
            ready: supply.started,
            pairs: supply.pairs,
            hindrances: self.machine.hindrances(),
        };
        replace(&self.publishing.free, free);
        replace(&self.publishing.swept, self.machine.all_were_tried());
        self.note_states();
        self.tell_copies();
        if std::mem::take(&mut self.touched) {
            self.publishing.changes.send_replace(());
        }
    }
}

fn replace<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|present| {
        let differs = *present != value;
        *present = value;
        differs
    });
}
