//! What the owner remembers of a host besides its slots.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::connection::HostConnection;
use super::view::{HostError, HostErrorCode, HostState, HostView, ImageState, SlotCounts, SubmissionCounts};
use super::{HostRuntime, Warning};
use crate::clock::Clock;
use crate::domain::host::{HostSettings, HostUpdate, HostWishes};
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;
use crate::pool::review::Matter;
use crate::pool::state::{Occupancy, Population};

/// What to do about an image that is not on a host.
pub const MISSING_IMAGE_ADVICE: &str = "it comes from a host that has it, `guichet runtime build` makes it";

/// A host, as it is known.
#[derive(Debug)]
pub struct HostRecord {
    pub settings: HostSettings,
    /// Hosts are shown in the order of these.
    pub number: u64,
    /// Cancelled when it is none of ours any more.
    pub removed: CancellationToken,
    /// While it answers.
    pub connection: Option<Arc<HostConnection>>,
    state: HostState,
    since: Timestamp,
    /// The same instant by both clocks.
    next_attempt: Option<(Instant, Timestamp)>,
    images: BTreeMap<RuntimeId, ImageState>,
    /// The image that is being copied here, and how much of it has come, in thousandths.
    copying: Option<(RuntimeId, u16)>,
    /// Names of the images with the agent in them.
    agent_images: BTreeMap<RuntimeId, String>,
    /// The last complaint about the host itself, or a runtime on it: each is logged once until it changes.
    complaints: HashMap<Option<RuntimeId>, String>,
    /// Why programs of a runtime do not run there.
    defects: BTreeMap<RuntimeId, String>,
    /// What agents found missing in its containers.
    weaknesses: Option<String>,
    /// What it said when its disk was full, unless a container has started since.
    disk_full: Option<String>,
    ended: u64,
    lost: u64,
    last_error: Option<HostError>,
}

impl HostRecord {
    pub fn new(settings: HostSettings, number: u64) -> Self {
        Self {
            settings,
            number,
            removed: CancellationToken::new(),
            connection: None,
            state: HostState::Connecting,
            since: Clock::System.now(),
            next_attempt: None,
            images: BTreeMap::new(),
            copying: None,
            agent_images: BTreeMap::new(),
            complaints: HashMap::new(),
            defects: BTreeMap::new(),
            weaknesses: None,
            disk_full: None,
            ended: 0,
            lost: 0,
            last_error: None,
        }
    }

    pub fn connect(&mut self, connection: Arc<HostConnection>) {
        self.forget_connection();
        self.complaints.clear();
        self.connection = Some(connection);
    }

    /// Its connection is lost, and this many submissions that ran there.
    pub fn disconnect(&mut self, running: u32) {
        self.forget_connection();
        self.lost = self.lost.saturating_add(running.into());
    }

    /// Forgets what a connection that has just begun or ended makes void.
    fn forget_connection(&mut self) {
        self.connection = None;
        self.images.clear();
        self.copying = None;
        self.agent_images.clear();
        self.defects.clear();
        self.weaknesses = None;
        self.disk_full = None;
    }

    /// Whether that is the connection by now.
    pub fn is_current(&self, connection: &Arc<HostConnection>) -> bool {
        self.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection))
    }

    /// A runtime's image can be used; with the agent in it, it has this name.
    pub fn image_ready(&mut self, runtime: RuntimeId, agent_image: String) {
        self.images.insert(runtime.clone(), ImageState::Ready);
        self.agent_images.insert(runtime, agent_image);
    }

    pub fn image_failed(&mut self, runtime: RuntimeId, image: ImageState) {
        self.images.insert(runtime, image);
    }

    /// A runtime's image is being copied here; so much has come, in thousandths.
    pub fn copies(&mut self, runtime: RuntimeId, thousandths: u16) {
        self.copying = Some((runtime, thousandths));
    }

    pub fn copies_nothing(&mut self) {
        self.copying = None;
    }

    /// The runtime's image with the agent in it.
    pub fn agent_image(&self, runtime: &RuntimeId) -> Option<&String> {
        self.agent_images.get(runtime)
    }

    /// Any image with the agent in it.
    pub fn any_agent_image(&self) -> Option<&String> {
        self.agent_images.values().next()
    }

    /// Logs what is wrong with the host itself, or a runtime on it, unless that was said last.
    pub fn complain(&mut self, runtime: Option<&RuntimeId>, text: &str) {
        let about = runtime.cloned();
        if self.complaints.get(&about).is_some_and(|known| known == text) {
            return;
        }
        let host = &self.settings.name;
        match runtime {
            Some(runtime) => tracing::warn!(%host, %runtime, "{text}"),
            None => tracing::warn!(%host, "{text}"),
        }
        self.complaints.insert(about, text.to_owned());
    }

    /// A container of the runtime has started: what was wrong with it is over.
    pub fn works(&mut self, runtime: &RuntimeId) {
        self.complaints.remove(&Some(runtime.clone()));
        self.defects.remove(runtime);
        self.disk_full = None;
    }

    /// Programs of the runtime do not run there, for this reason; whether that is another one than before.
    pub fn does_not_work(&mut self, runtime: &RuntimeId, why: String) -> bool {
        let before = self.defects.insert(runtime.clone(), why);
        before.as_ref() != self.defects.get(runtime)
    }

    pub fn weaknesses(&mut self, text: String) {
        self.complain(None, &text);
        self.weaknesses = Some(text);
    }

    pub const fn count_ended(&mut self) {
        self.ended = self.ended.saturating_add(1);
    }

    pub fn fail(&mut self, code: HostErrorCode, message: String) {
        if code == HostErrorCode::DiskFull {
            self.disk_full = Some(message.clone());
        }
        self.last_error = Some(HostError { at: Clock::System.now(), code, message });
    }

    pub fn update(&mut self, change: HostUpdate) {
        let HostSettings { mode, slots, .. } = &mut self.settings;
        let wishes = HostWishes { mode: *mode, slots: *slots }.after(change);
        (*mode, *slots) = (wishes.mode, wishes.slots);
    }

    /// How the host does.
    pub const fn state(&self) -> HostState {
        self.state
    }

    /// Notes when the host changes how it does.
    pub fn note(&mut self, state: HostState, next_attempt: Option<Instant>) {
        if self.state != state {
            let host = &self.settings.name;
            match (self.state, state) {
                (_, HostState::Quarantined) => tracing::warn!(
                    %host,
                    "the Docker host is in quarantine: programs do not run there as they should; nothing new is sent there"
                ),
                (HostState::Quarantined, HostState::Healthy) => {
                    tracing::info!(%host, "the Docker host is out of quarantine");
                }
                _others => {}
            }
            self.state = state;
            self.since = Clock::System.now();
        }
        if self.next_attempt.map(|(instant, _)| instant) != next_attempt {
            let left = |instant: Instant| instant.saturating_duration_since(Instant::now());
            self.next_attempt =
                next_attempt.map(|instant| (instant, Clock::System.now().plus(left(instant))));
        }
    }

    /// What an operator should look at.
    fn warnings(&self) -> Vec<Warning> {
        let connection = self.connection.as_ref();
        let mut warnings = connection.map(|connection| connection.warnings.clone()).unwrap_or_default();
        let warning = |matter, message| Warning { matter, message };
        warnings.extend(self.weaknesses.iter().map(|text| warning(Matter::WeakerIsolation, text.clone())));
        let full = |text: &String| format!("its disk is full: make room there ({text})");
        warnings.extend(self.disk_full.iter().map(|text| warning(Matter::DiskFull, full(text))));
        let is_coming = |runtime| self.copying.as_ref().is_some_and(|(coming, _)| coming == runtime);
        let missing = self.images.iter().filter(|(_, image)| matches!(image, ImageState::Missing));
        let missing = missing.filter(|(runtime, _)| !is_coming(*runtime));
        warnings.extend(missing.map(|(runtime, _)| {
            let text = format!("the image of {runtime} is missing: {MISSING_IMAGE_ADVICE}");
            warning(Matter::MissingImage, text)
        }));
        warnings
    }

    /// The host as operators see it.
    ///
    /// * `population` — the containers of a runtime on it.
    pub fn view(&self, occupancy: Occupancy, population: impl Fn(&RuntimeId) -> Population) -> HostView {
        let HostSettings { name, url, certs, slots, source, mode, created_at } = self.settings.clone();
        let connection = self.connection.as_ref();
        let runtime = |(id, image): (&RuntimeId, &ImageState)| {
            let Population { warm, busy, .. } = population(id);
            let coming = self.copying.as_ref().filter(|(runtime, _)| runtime == id);
            let image =
                coming.map_or(*image, |(_, thousandths)| ImageState::Copying { thousandths: *thousandths });
            HostRuntime { id: id.clone(), image, warm, busy, error: self.defects.get(id).cloned() }
        };
        HostView {
            name,
            url,
            certs,
            source,
            mode,
            drained: !mode.takes_work() && occupancy.taken == 0,
            state: self.state,
            since: self.since,
            next_attempt_at: self.next_attempt.map(|(_, at)| at),
            engine: connection.map(|connection| connection.facts.clone()),
            warnings: self.warnings(),
            slots: SlotCounts { configured: slots, total: occupancy.total, busy: occupancy.busy },
            runtimes: self.images.iter().map(runtime).collect(),
            submissions: SubmissionCounts { running: occupancy.running, ended: self.ended, lost: self.lost },
            last_error: self.last_error.clone(),
            created_at,
        }
    }
}
