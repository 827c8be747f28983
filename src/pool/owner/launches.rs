//! How launches end, and what that says of their hosts.

use tokio::time::Instant;

use super::Owner;
use crate::domain::host::HostName;
use crate::pool::hosts::{HostErrorCode, HostState, ImageState};
use crate::pool::state::{ContainerPlace, LaunchFailure};
use crate::pool::work::{Idle, NotLaunched};

impl Owner {
    /// A launch has ended.
    ///
    /// * `canary` — whether the runtime's canary was to end well in the container.
    pub(super) fn hear_launched(
        &mut self,
        place: &ContainerPlace,
        canary: bool,
        result: Result<Idle, NotLaunched>,
    ) {
        match result {
            Ok(idle) => self.launched(place, canary, idle),
            Err(error) => self.not_launched(place, canary, &error),
        }
    }

    fn launched(&mut self, place: &ContainerPlace, canary: bool, idle: Idle) {
        let (host, transport) = (place.host.to_string(), idle.transport);
        metrics::counter!("guichet_containers_launched_total", "host" => host, "transport" => transport.name())
            .increment(1);
        if canary {
            count_canary(&place.host, "passed");
        }
        self.note(&place.host, |record| record.works(&place.runtime));
        if !idle.hello.weaknesses.is_empty() {
            let text = format!("containers are weaker here: {}", idle.hello.weaknesses.join(", "));
            self.note(&place.host, |record| record.weaknesses(text));
        }
        self.containers.launched(place, transport);
        self.machine.launch_took(&place.host, idle.started_within);
        drop(self.machine.launched(place, idle, Instant::now().into_std()));
        // It came in place of one that was killed while it started.
        if self.containers.is_killed(place)
            && let Some(action) = self.machine.retire(place)
        {
            self.begin(action);
        }
    }

    fn not_launched(&mut self, place: &ContainerPlace, canary: bool, error: &NotLaunched) {
        let killed = self.containers.is_killed(place);
        self.containers.forget(place);
        let why = match error {
            // Why is noted of the host.
            NotLaunched::HostGone => LaunchFailure::GivenUp,
            NotLaunched::Failed(_) | NotLaunched::Canary(_) if killed => LaunchFailure::GivenUp,
            NotLaunched::Failed(error) if error.is_image_gone() => LaunchFailure::ImageGone,
            NotLaunched::Failed(_) | NotLaunched::Canary(_) => LaunchFailure::Broken,
        };
        if why != LaunchFailure::GivenUp {
            self.note_failed_launch(place, canary, error, why);
        }
        self.machine.launch_failed(place, why, Instant::now().into_std());
        if self.is_quarantined(&place.host) {
            self.release_unserved();
        }
    }

    fn note_failed_launch(
        &mut self,
        place: &ContainerPlace,
        canary: bool,
        error: &NotLaunched,
        why: LaunchFailure,
    ) {
        let ContainerPlace { host, runtime, .. } = place;
        metrics::counter!("guichet_containers_failed_total", "host" => host.to_string()).increment(1);
        if canary && why == LaunchFailure::Broken {
            count_canary(host, "failed");
        }
        let code = match error {
            NotLaunched::Canary(_) => HostErrorCode::Canary,
            NotLaunched::Failed(error) if error.is_disk_full() => HostErrorCode::DiskFull,
            NotLaunched::Failed(_) | NotLaunched::HostGone => HostErrorCode::Launch,
        };
        let text = match error {
            NotLaunched::Canary(error) => error.to_string(),
            NotLaunched::Failed(_) | NotLaunched::HostGone => format!("a container did not start: {error}"),
        };
        self.note(host, |record| {
            record.complain(Some(runtime), &text);
            match why {
                LaunchFailure::ImageGone => record.image_failed(runtime.clone(), ImageState::Missing),
                LaunchFailure::Broken | LaunchFailure::GivenUp => {
                    record.does_not_work(runtime, text.clone());
                }
            }
            record.fail(code, format!("{runtime}: {text}"));
        });
    }

    fn is_quarantined(&self, host: &HostName) -> bool {
        matches!(self.machine.condition(host), Some((HostState::Quarantined, _)))
    }
}

fn count_canary(host: &HostName, outcome: &'static str) {
    metrics::counter!("guichet_host_canaries_total", "host" => host.to_string(), "outcome" => outcome)
        .increment(1);
}
