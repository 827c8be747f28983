//! What the owner does with hosts: it connects to them, hears of them, changes them and shows them.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Message, Owner};
use crate::domain::host::{HostName, HostSettings, HostUpdate};
use crate::pool::docker;
use crate::pool::hosts::{HostConnection, HostErrorCode, HostRecord, HostState, HostView, News, watch_host};
use crate::pool::review::Matter;

impl Owner {
    /// Takes a new host in, which is then connected to; nothing happens if there is one of that name.
    pub(super) fn add_host(&mut self, settings: HostSettings) {
        let HostSettings { name, mode, .. } = settings.clone();
        if self.hosts.contains_key(&name) {
            return;
        }
        self.hosts_added += 1;
        self.machine.add_host(name.clone(), mode, Instant::now().into_std());
        self.hosts.insert(name, HostRecord::new(settings, self.hosts_added));
    }

    /// A host is none of ours any more: what runs there is given up, and our containers go.
    pub(super) fn remove_host(&mut self, host: &HostName) {
        let Some(record) = self.hosts.remove(host) else { return };
        record.removed.cancel();
        if let Some(connection) = &record.connection {
            // First, so that no run is lost by the end of its container.
            connection.gone.cancel();
            self.begin_leaving(Arc::clone(connection), record.any_agent_image().cloned());
        }
        self.machine.remove_host(host);
        self.containers.forget_host(host);
        self.figures.forget(host);
        self.release_unserved();
    }

    /// There is less to give now: those that wait for a container that none is promised to any more go back to the queue.
    pub(super) fn release_unserved(&mut self) {
        self.serve();
        let mut supply = self.machine.supply();
        self.reserved.retain(|waiting| supply.serve(waiting.runtime()));
        self.publish();
    }

    /// Notes something about a host.
    pub(super) fn note(&mut self, host: &HostName, note: impl FnOnce(&mut HostRecord)) {
        if let Some(record) = self.hosts.get_mut(host) {
            note(record);
        }
    }

    /// Notes when hosts change how they do, and shows it.
    pub(super) fn note_states(&mut self) {
        for host in self.machine.take_changed() {
            let Some(record) = self.hosts.get_mut(&host) else { continue };
            if let Some((state, next_attempt)) = self.machine.condition(&host) {
                record.note(state, next_attempt);
            }
            self.figures.show_host(&host, record.state(), self.machine.occupancy(&host));
            self.figures.show(&host, self.machine.populations(&host));
        }
    }

    /// An operator wants something else of a host.
    pub(super) fn update_host(&mut self, host: &HostName, change: HostUpdate) {
        self.note(host, |record| record.update(change));
        if let Some(mode) = change.mode {
            self.machine.set_mode(host, mode, Instant::now().into_std());
        }
        if let (Some(_), Some(connection)) = (change.slots, self.connection(host)) {
            self.machine.set_slots(host, self.slots_of(host, connection.engine.cores()));
        }
        self.release_unserved();
    }

    /// All hosts, in the order in which they came.
    pub(super) fn views(&self) -> Vec<HostView> {
        let mut hosts: Vec<(&HostName, &HostRecord)> = self.hosts.iter().collect();
        hosts.sort_unstable_by_key(|(_, record)| record.number);
        let view = |(host, record): (&HostName, &HostRecord)| {
            record.view(self.machine.occupancy(host), |runtime| self.machine.population(host, runtime))
        };
        hosts.into_iter().map(view).collect()
    }

    /// The connection to a host.
    pub(super) fn connection(&self, host: &HostName) -> Option<Arc<HostConnection>> {
        self.hosts.get(host).and_then(|record| record.connection.clone())
    }

    /// Whether that is the connection to the host by now.
    pub(super) fn is_current(&self, host: &HostName, connection: &Arc<HostConnection>) -> bool {
        self.hosts.get(host).is_some_and(|record| record.is_current(connection))
    }

    /// A container was silent: its host gives none until its engine has answered.
    pub(super) fn doubt(&mut self, connection: &Arc<HostConnection>) {
        if self.is_current(&connection.host, connection) {
            self.machine.doubt(&connection.host);
            connection.doubt();
        }
    }

    pub(super) fn hear_news(&mut self, host: &HostName, connection: &Arc<HostConnection>, news: News) {
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
                tracing::warn!(%host, "the Docker host does not answer; nothing new is sent there");
                self.machine.suspect(host);
            }
            News::Answers(took) => {
                if matches!(self.machine.condition(host), Some((HostState::Suspect, _))) {
                    tracing::info!(%host, "the Docker host answers again");
                }
                self.machine.answered(host, took);
            }
            News::Lost => {
                tracing::error!(%host, "the Docker host is lost; what ran there is lost");
                metrics::counter!("guichet_host_losses_total", "host" => host.to_string()).increment(1);
                let running = self.machine.occupancy(host).running;
                self.note(host, |record| {
                    record.disconnect(running);
                    record.fail(HostErrorCode::Silent, "it stopped answering".to_owned());
                });
                connection.lost.cancel();
                self.machine.lost(host, now);
                self.containers.forget_host(host);
                self.release_unserved();
            }
        }
    }

    /// An attempt to connect has ended.
    ///
    /// * `attempt` — its serial number.
    pub(super) fn hear_connected(
        &mut self,
        host: HostName,
        attempt: u64,
        result: Result<Arc<HostConnection>, docker::Error>,
    ) {
        match result {
            Ok(connection) => {
                let slots = self.slots_of(&host, connection.engine.cores());
                if self.machine.connected(&host, attempt, slots) {
                    tracing::info!(%host, slots, "the Docker host is connected");
                    self.connected(host, connection);
                }
            }
            Err(error) => {
                if self.machine.connect_failed(&host, attempt, Instant::now().into_std()) {
                    let text = format!("the Docker host cannot be reached: {error}");
                    self.note(&host, |record| {
                        record.complain(None, &text);
                        record.fail(error.code(), text);
                    });
                }
            }
        }
    }

    fn connected(&mut self, host: HostName, connection: Arc<HostConnection>) {
        for warning in &connection.warnings {
            if warning.matter == Matter::RuncKnownEscape {
                let text = &warning.message;
                tracing::warn!(%host, "programs may leave their containers: {text}");
            }
        }
        self.note(&host, |record| record.connect(Arc::clone(&connection)));
        self.begin_removing_old_images(Arc::clone(&connection));
        let messages = self.messages.clone();
        let watch = watch_host(connection, self.labels.of_instance(), self.closing.clone());
        self.tasks.spawn(watch.run(move |connection, news| {
            let (messages, host) = (messages.clone(), host.clone());
            async move { messages.send(Message::News { host, connection, news }).await.is_ok() }
        }));
    }

    /// How many slots a host with so many cores has.
    fn slots_of(&self, host: &HostName, cores: u32) -> u32 {
        let most = |slots| u32::try_from(slots).unwrap_or(u32::MAX).min(cores);
        let own = self.hosts.get(host).and_then(|record| record.settings.slots);
        let own = own.map(|slots| usize::try_from(slots.get()).unwrap_or(usize::MAX));
        own.or(self.settings.slots).map_or(cores, most)
    }
}
