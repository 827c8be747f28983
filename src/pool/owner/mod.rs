//! The one task that owns the pool's state: it hears what happened, asks the machine what to do, and begins that.
//!
//! Nothing here waits for an engine. What takes time runs in a task of its own and reports back through the same
//! bounded channel that claims come through; a claimed container holds its place in that channel, so that it can
//! always be given back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod begin;
mod end;
mod hosts;
mod reserved;

use super::container::Container;
use super::docker::{self, Labels};
use super::figures::Figures;
use super::host::{HostConnection, News, watch_host};
use super::host_view::{HostErrorCode, HostView, ImageState};
use super::review::Matter;
use super::state::{ContainerPlace, Fate, HostId, Machine, Supplies};
use super::transport::Transports;
use super::work::{Idle, Outcome, PrepareError};
use super::{Free, HostSettings, Settings};
use crate::domain::exercise::Isolation;
use crate::domain::host::{HostMode, HostName};
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;
use hosts::HostRecord;
use reserved::Reserved;

/// Messages on their way to the owner, claimed containers included.
pub(super) const CHANNEL_PLACES: usize = 4096;

/// Longest time until the machine is asked again.
const LONGEST_REST: Duration = Duration::from_secs(20);

/// What the owner hears.
#[derive(Debug)]
pub(super) enum Message {
    /// An attempt wants a container, and to know when that is counted.
    Reserve {
        runtime: RuntimeId,
        isolation: Isolation,
        reply: oneshot::Sender<Container>,
        counted: oneshot::Sender<()>,
    },
    /// The container that came was of no use: its place in line is the first now.
    ReserveAgain { runtime: RuntimeId, isolation: Isolation, reply: oneshot::Sender<Container> },
    /// An attempt wants its container no more, or has it.
    Withdrawn,
    /// An attempt begins to empty one, to give it back.
    Emptying { place: ContainerPlace },
    /// An attempt gives one back.
    GiveBack { place: ContainerPlace, fate: Fate<Idle> },
    /// An operator wants something else of a host.
    SetMode { host: HostName, mode: HostMode, done: oneshot::Sender<()> },
    /// An operator looks at the hosts.
    ShowHosts { reply: oneshot::Sender<Vec<HostView>> },
    /// Everything shall be removed.
    Close { done: oneshot::Sender<()> },
    /// A host's watch has news.
    News { host: HostId, connection: Arc<HostConnection>, news: News },
    /// Something begun has ended.
    Outcome(Outcome),
}

/// The owner of the pool's state.
pub(super) struct Owner {
    settings: Settings,
    labels: Labels,
    transports: Transports,
    runtimes: BTreeMap<RuntimeId, Arc<Runtime>>,
    /// In the order of the settings.
    hosts: Vec<HostId>,
    records: BTreeMap<HostId, HostRecord>,
    machine: Machine<Idle>,
    connections: BTreeMap<HostId, Arc<HostConnection>>,
    images: HashMap<(HostId, RuntimeId), String>,
    /// The last complaint about a host, or a runtime on it: each is logged once until it changes.
    complaints: HashMap<(HostId, Option<RuntimeId>), String>,
    messages: mpsc::Sender<Message>,
    /// Who waits, in order.
    reserved: Vec<Reserved>,
    tasks: TaskTracker,
    /// Tasks begun whose outcome is not heard yet.
    under_way: usize,
    closing: CancellationToken,
    free: watch::Sender<Free>,
    /// Whether each host was swept of what earlier instances left there, or could not be reached.
    swept: watch::Sender<bool>,
    figures: Figures,
}

impl Owner {
    pub(super) fn new(
        settings: Settings,
        runtimes: BTreeMap<RuntimeId, Arc<Runtime>>,
        tasks: TaskTracker,
        messages: mpsc::Sender<Message>,
        free: watch::Sender<Free>,
        swept: watch::Sender<bool>,
    ) -> Self {
        let Settings { installation, folder, instance, .. } = settings;
        let labels = Labels { installation, folder, instance };
        let id = |settings: &HostSettings| HostId::new(&settings.host.url);
        let hosts: Vec<HostId> = settings.hosts.iter().map(id).collect();
        let records: BTreeMap<HostId, HostRecord> =
            settings.hosts.iter().map(|host| (id(host), HostRecord::new(host.clone()))).collect();
        let (seed, _) = instance.as_u64_pair();
        let mut machine = Machine::new(
            hosts.iter().cloned(),
            runtimes.keys().cloned(),
            Supplies {
                warm_per_runtime: settings.warm_per_runtime.max(1),
                submissions_per_container: settings.submissions_per_container.get(),
            },
            seed,
            Instant::now().into_std(),
        );
        for host in &settings.hosts {
            machine.set_mode(&id(host), host.mode);
        }
        Self {
            hosts,
            records,
            connections: BTreeMap::new(),
            transports: Transports::new(settings.sockets.clone(), instance),
            settings,
            labels,
            runtimes,
            machine,
            images: HashMap::new(),
            complaints: HashMap::new(),
            messages,
            reserved: Vec::new(),
            tasks,
            under_way: 0,
            closing: CancellationToken::new(),
            free,
            swept,
            figures: Figures::default(),
        }
    }

    /// Runs until the pool is closed or `stop` is cancelled; returns when no container is left.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>, stop: CancellationToken) {
        let mut closers = Vec::new();
        while closers.is_empty() && !stop.is_cancelled() {
            let now = Instant::now();
            self.serve();
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
        match message {
            Message::Reserve { runtime, isolation, reply, counted } => {
                self.reserve(self.reserved.len(), runtime, isolation, reply);
                // Who asked may have stopped waiting; his reservation is then closed, too.
                let _gone = counted.send(());
            }
            Message::ReserveAgain { runtime, isolation, reply } => self.reserve(0, runtime, isolation, reply),
            Message::Withdrawn => {}
            Message::Emptying { place } => self.machine.emptying(&place, now),
            Message::GiveBack { place, fate } => {
                if self.machine.serves(&place) {
                    self.note(&place.host, HostRecord::count_ended);
                }
                if let Some(action) = self.machine.give_back(place, fate, now) {
                    self.begin(action);
                }
            }
            Message::SetMode { host, mode, done } => {
                self.set_mode(&host, mode);
                // Who asked may have stopped waiting; it is done all the same.
                let _gone = done.send(());
            }
            Message::ShowHosts { reply } => {
                let _gone = reply.send(self.views());
            }
            Message::Close { done } => return Some(done),
            Message::News { host, connection, news } => self.hear_news(&host, &connection, news),
            Message::Outcome(outcome) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.hear_outcome(outcome);
            }
        }
        None
    }

    fn hear_news(&mut self, host: &HostId, connection: &Arc<HostConnection>, news: News) {
        let now = Instant::now().into_std();
        if !self.is_current(host, connection) {
            return;
        }
        match news {
            News::Stopped(id) => {
                for action in self.machine.stopped(host, |idle| idle.id == id, now) {
                    self.begin(action);
                }
            }
            News::Silent => {
                tracing::warn!(
                    host = connection.address,
                    "the Docker host does not answer; nothing new is sent there"
                );
                self.machine.suspect(host);
            }
            News::Answers => {
                tracing::info!(host = connection.address, "the Docker host answers again");
                self.machine.trust(host);
            }
            News::Lost => {
                tracing::error!(host = connection.address, "the Docker host is lost; what ran there is lost");
                metrics::counter!("guichet_host_losses_total", "host" => connection.address.clone())
                    .increment(1);
                let running = self.machine.occupancy(host).running;
                self.note(host, |record| {
                    record.forget_connection();
                    record.count_lost(running);
                    record.fail(HostErrorCode::Silent, "it stopped answering".to_owned());
                });
                connection.gone.cancel();
                self.images.retain(|(of, _), _| of != host);
                self.connections.remove(host);
                self.machine.lost(host, now);
            }
        }
    }

    /// Whether that is the connection to the host by now.
    fn is_current(&self, host: &HostId, connection: &Arc<HostConnection>) -> bool {
        self.connections.get(host).is_some_and(|current| Arc::ptr_eq(current, connection))
    }

    fn hear_outcome(&mut self, outcome: Outcome) {
        let now = Instant::now().into_std();
        match outcome {
            Outcome::Connected { host, result } => self.connected(host, result),
            Outcome::ImagePrepared { host, runtime, connection, result } => {
                if self.is_current(&host, &connection) {
                    self.image_prepared(host, runtime, result);
                }
            }
            Outcome::Launched { place, result: Ok(idle) } => {
                let transport = idle.transport.name();
                metrics::counter!("guichet_containers_launched_total", "transport" => transport).increment(1);
                self.complaints.remove(&(place.host.clone(), Some(place.runtime.clone())));
                if !idle.hello.weaknesses.is_empty() {
                    let text = format!("containers are weaker here: {}", idle.hello.weaknesses.join(", "));
                    self.complain(place.host.clone(), None, &text);
                    self.note(&place.host, |record| record.weaknesses(text));
                }
                drop(self.machine.launched(&place, idle, now));
            }
            Outcome::Launched { place, result: Err(error) } => {
                metrics::counter!("guichet_containers_failed_total").increment(1);
                let text = format!("a container did not start: {error}");
                self.complain(place.host.clone(), Some(place.runtime.clone()), &text);
                self.note(&place.host, |record| {
                    if error.is_image_gone() {
                        record.image(place.runtime.clone(), ImageState::Missing);
                    }
                    record.fail(HostErrorCode::Launch, text);
                });
                self.machine.launch_failed(&place, error.is_image_gone(), now);
            }
            Outcome::Removed { place } => self.machine.removed(&place),
        }
    }

    fn connected(&mut self, host: HostId, result: Result<Arc<HostConnection>, docker::Error>) {
        match result {
            Ok(connection) => {
                let cores = connection.engine.cores();
                let most = |slots| u32::try_from(slots).unwrap_or(u32::MAX).min(cores);
                let own = self.records.get(&host).and_then(|record| record.settings.host.slots);
                let own = own.map(|slots| usize::try_from(slots.get()).unwrap_or(usize::MAX));
                let slots = own.or(self.settings.slots).map_or(cores, most);
                tracing::info!(host = connection.address, slots, "the Docker host is connected");
                for warning in &connection.warnings {
                    if warning.matter == Matter::RuncKnownEscape {
                        let text = &warning.message;
                        tracing::warn!(
                            host = connection.address,
                            "programs may leave their containers: {text}"
                        );
                    }
                }
                self.complaints.retain(|(of, _), _| *of != host);
                self.note(&host, HostRecord::forget_connection);
                self.machine.connected(&host, slots);
                let (messages, watched) = (self.messages.clone(), host.clone());
                let watch =
                    watch_host(Arc::clone(&connection), self.labels.of_instance(), self.closing.clone());
                self.tasks.spawn(watch.run(move |connection, news| {
                    let (messages, host) = (messages.clone(), watched.clone());
                    async move { messages.send(Message::News { host, connection, news }).await.is_ok() }
                }));
                self.begin_removing_old_images(Arc::clone(&connection));
                self.connections.insert(host, connection);
            }
            Err(error) => {
                self.machine.connect_failed(&host, Instant::now().into_std());
                let text = format!("the Docker host cannot be reached: {error}");
                self.complain(host.clone(), None, &text);
                self.note(&host, |record| record.fail(HostErrorCode::Unreachable, text));
            }
        }
    }

    fn image_prepared(&mut self, host: HostId, runtime: RuntimeId, result: Result<String, PrepareError>) {
        match result {
            Ok(image) => {
                self.machine.image_ready(&host, &runtime);
                self.note(&host, |record| record.image(runtime.clone(), ImageState::Ready));
                self.images.insert((host, runtime), image);
            }
            Err(error) => {
                let (image, advice) = match &error {
                    PrepareError::Engine(docker::Error::MissingImage(_)) => {
                        (ImageState::Missing, "; `guichet runtime build` makes it")
                    }
                    PrepareError::Engine(_) | PrepareError::Program { .. } => (ImageState::Failed, ""),
                };
                let text = format!("the runtime is not ready: {error}{advice}");
                self.machine.image_failed(&host, &runtime, Instant::now().into_std());
                self.complain(host.clone(), Some(runtime.clone()), &text);
                self.note(&host, |record| {
                    record.fail(HostErrorCode::Image, format!("{runtime}: {text}"));
                    record.image(runtime, image);
                });
            }
        }
    }

    fn complain(&mut self, host: HostId, runtime: Option<RuntimeId>, text: &str) {
        let about = (host, runtime);
        if self.complaints.get(&about).is_some_and(|known| known == text) {
            return;
        }
        match &about {
            (host, Some(runtime)) => tracing::warn!(host = host.address(), %runtime, "{text}"),
            (host, None) => tracing::warn!(host = host.address(), "{text}"),
        }
        self.complaints.insert(about, text.to_owned());
    }

    fn publish(&mut self) {
        let supply = self.machine.supply().without(self.reserved.iter().map(Reserved::runtime));
        let runtimes = supply.claimable.into_keys().collect();
        let free = Free { total: supply.total, free: supply.free, runtimes, ready: supply.started };
        replace(&self.free, free);
        replace(&self.swept, self.machine.all_were_tried());
        self.note_states();
        self.figures.show(self.machine.populations());
    }
}

fn replace<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|present| {
        let differs = *present != value;
        *present = value;
        differs
    });
}
