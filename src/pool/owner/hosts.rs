//! What the owner remembers of each host besides its containers, and how that is shown and changed.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Owner;
use crate::clock::Clock;
use crate::domain::host::{HostMode, HostName};
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;
use crate::pool::HostSettings;
use crate::pool::host_view::{
    HostError, HostErrorCode, HostRuntime, HostState, HostView, ImageState, SlotCounts, SubmissionCounts,
    Warning,
};
use crate::pool::review::Matter;
use crate::pool::state::HostId;

/// What is remembered of a host.
pub(super) struct HostRecord {
    pub(super) settings: HostSettings,
    mode: HostMode,
    state: HostState,
    since: Timestamp,
    /// The same instant by both clocks.
    next_attempt: Option<(Instant, Timestamp)>,
    images: BTreeMap<RuntimeId, ImageState>,
    /// What agents found missing in its containers.
    weaknesses: Option<String>,
    ended: u64,
    lost: u64,
    last_error: Option<HostError>,
}

impl HostRecord {
    pub(super) fn new(settings: HostSettings) -> Self {
        Self {
            mode: settings.mode,
            settings,
            state: HostState::Connecting,
            since: Clock::System.now(),
            next_attempt: None,
            images: BTreeMap::new(),
            weaknesses: None,
            ended: 0,
            lost: 0,
            last_error: None,
        }
    }

    /// Takes in what a connection that has just begun or ended makes void.
    pub(super) fn forget_connection(&mut self) {
        self.images.clear();
        self.weaknesses = None;
    }

    pub(super) fn image(&mut self, runtime: RuntimeId, image: ImageState) {
        self.images.insert(runtime, image);
    }

    pub(super) fn weaknesses(&mut self, text: String) {
        self.weaknesses = Some(text);
    }

    pub(super) const fn count_ended(&mut self) {
        self.ended = self.ended.saturating_add(1);
    }

    pub(super) fn count_lost(&mut self, running: u32) {
        self.lost = self.lost.saturating_add(running.into());
    }

    pub(super) fn fail(&mut self, code: HostErrorCode, message: String) {
        self.last_error = Some(HostError { at: Clock::System.now(), code, message });
    }

    fn note(&mut self, state: HostState, next_attempt: Option<Instant>) {
        if self.state != state {
            self.state = state;
            self.since = Clock::System.now();
        }
        if self.next_attempt.map(|(instant, _)| instant) != next_attempt {
            let left = |instant: Instant| instant.saturating_duration_since(Instant::now());
            self.next_attempt =
                next_attempt.map(|instant| (instant, Clock::System.now().plus(left(instant))));
        }
    }
}

impl Owner {
    /// Notes something about a host.
    pub(super) fn note(&mut self, host: &HostId, note: impl FnOnce(&mut HostRecord)) {
        if let Some(record) = self.records.get_mut(host) {
            note(record);
        }
    }

    /// Notes when hosts change how they do.
    pub(super) fn note_states(&mut self) {
        for (host, record) in &mut self.records {
            if let Some((state, next_attempt)) = self.machine.condition(host) {
                record.note(state, next_attempt);
            }
        }
    }

    /// From now on the host takes new submissions, or none. What waits for a container goes back to the queue if no host
    /// takes any.
    pub(super) fn set_mode(&mut self, name: &HostName, mode: HostMode) {
        let named = self.records.iter_mut().find(|(_, record)| record.settings.host.name == *name);
        if let Some((host, record)) = named {
            record.mode = mode;
            self.machine.set_mode(host, mode);
        }
        if !self.machine.takes_work() {
            self.reserved.clear();
        }
        self.serve();
        self.publish();
    }

    /// All hosts, in the order of the settings.
    pub(super) fn views(&self) -> Vec<HostView> {
        self.hosts.iter().filter_map(|host| Some(self.view(host, self.records.get(host)?))).collect()
    }

    fn view(&self, host: &HostId, record: &HostRecord) -> HostView {
        let occupancy = self.machine.occupancy(host);
        let connection = self.connections.get(host);
        let mut warnings = connection.map(|connection| connection.warnings.clone()).unwrap_or_default();
        let weaker = |text: &String| Warning { matter: Matter::WeakerIsolation, message: text.clone() };
        warnings.extend(record.weaknesses.as_ref().map(weaker));
        let runtime = |(id, image): (&RuntimeId, &ImageState)| {
            let population = self.machine.population(host, id);
            HostRuntime { id: id.clone(), image: *image, warm: population.warm, busy: population.busy }
        };
        HostView {
            name: record.settings.host.name.clone(),
            url: record.settings.host.url.clone(),
            mode: record.mode,
            drained: !record.mode.takes_work() && occupancy.taken == 0,
            state: record.state,
            since: record.since,
            next_attempt_at: record.next_attempt.map(|(_, at)| at),
            engine: connection.map(|connection| connection.facts.clone()),
            warnings,
            slots: SlotCounts {
                configured: record.settings.host.slots,
                total: occupancy.total,
                busy: occupancy.busy,
            },
            runtimes: record.images.iter().map(runtime).collect(),
            submissions: SubmissionCounts {
                running: occupancy.running,
                ended: record.ended,
                lost: record.lost,
            },
            last_error: record.last_error.clone(),
            created_at: record.settings.created_at,
        }
    }
}
