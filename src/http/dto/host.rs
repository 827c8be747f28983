//! Docker hosts, as they are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names::{HostErrorCode, HostMode, HostState};
use crate::app::hosts;
use crate::domain::host;

/// Where a host comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostSource {
    /// The settings.
    Config,
    /// An operator added it while the service ran.
    Api,
}

/// What a host's Docker engine says about itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostEngine {
    /// Its version.
    pub version: String,
    /// Newest version of its API.
    pub api_version: String,
    /// Version of its runc; null if it does not say.
    #[schema(required)]
    pub runc_version: Option<String>,
    /// Version of its machine's kernel; null if it does not say.
    #[schema(required)]
    pub kernel: Option<String>,
    /// Its control groups, `v1` or `v2`; null if it does not say.
    #[schema(required)]
    pub cgroup: Option<String>,
    /// Its cores; null if it does not say.
    #[schema(required)]
    pub cores: Option<u32>,
    /// The memory of its machine; null if it does not say.
    #[schema(required)]
    pub memory_bytes: Option<u64>,
}

/// Something that an operator should look at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostWarning {
    /// About what, for programs: `api`, `control_groups`, `rootless`, `system_call_filter`, `runc_known_escape`,
    /// `live_restore`, `clock`, `weaker_isolation`, `disk_full` or `missing_image`. More may be added.
    pub code: String,
    /// What was found and what to do, as `guichet doctor` says it.
    pub message: String,
}

/// Slots of a host; none while it is not connected.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostSlots {
    /// As is wanted of this host; null: `execution.slots` holds.
    #[schema(required)]
    pub configured: Option<u32>,
    /// In all.
    pub total: u32,
    /// On whose cores something runs.
    pub busy: u32,
    /// The others.
    pub free: u32,
}

/// The image of a runtime on a host. Unknown values may appear later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostImage {
    /// Containers can be made of it.
    Ready,
    /// It is not there.
    Missing,
    /// It comes from another host; `progress` tells how much has.
    Copying,
    /// It is of no use; `error` says why.
    Failed,
}

/// A runtime on a host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostRuntime {
    /// Its id.
    pub id: String,
    /// Its image.
    pub image: HostImage,
    /// How much of the image has come from another host, 0 to 1; null while none is on its way.
    #[schema(required)]
    pub progress: Option<f64>,
    /// Containers that wait for a submission.
    pub warm: u32,
    /// Containers that serve one.
    pub busy: u32,
    /// Why programs of it do not run there, for people; null if they do, or that is not known yet.
    #[schema(required)]
    pub error: Option<String>,
}

/// What ran on a host; counts begin with the process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostSubmissions {
    /// Running there now.
    pub running: u32,
    /// Those that had a container there and gave it back.
    pub ended: u64,
    /// Those that ran there when the host was lost.
    pub lost: u64,
}

/// What went wrong on a host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostFault {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What, for programs.
    pub code: HostErrorCode,
    /// What, for people.
    pub message: String,
}

/// Where to go from a host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostLinks {
    /// The host.
    #[serde(rename = "self")]
    pub itself: String,
    /// Its containers.
    pub containers: String,
}

/// A Docker host.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where its engine is.
    pub url: String,
    /// The folder below `docker.certs_dir` that holds its certificates; null without TLS.
    #[schema(required)]
    pub certs: Option<String>,
    /// Where it comes from.
    pub source: HostSource,
    /// What it is for.
    pub mode: HostMode,
    /// Whether it is cordoned or draining and runs nothing any more.
    pub drained: bool,
    /// How it does.
    pub state: HostState,
    /// Since when the state is this one.
    #[schema(format = DateTime)]
    pub since: String,
    /// When it is tried again; null unless it pauses between attempts.
    #[schema(required, format = DateTime)]
    pub next_attempt_at: Option<String>,
    /// What its engine said when it was connected; null while it isn't.
    #[schema(required)]
    pub engine: Option<HostEngine>,
    /// What an operator should look at.
    pub warnings: Vec<HostWarning>,
    /// Its slots.
    pub slots: HostSlots,
    /// The runtimes whose image was looked for since it was connected, by id.
    pub runtimes: Vec<HostRuntime>,
    /// What ran there.
    pub submissions: HostSubmissions,
    /// What went wrong last; null if nothing has.
    #[schema(required)]
    pub last_error: Option<HostFault>,
    /// When it was first heard of.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Where to go from here.
    pub links: HostLinks,
}

/// All Docker hosts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostList {
    /// Those of the settings in their order, then those that were added, by age.
    pub items: Vec<Host>,
}

impl From<host::HostSource> for HostSource {
    fn from(source: host::HostSource) -> Self {
        match source {
            host::HostSource::Config => Self::Config,
            host::HostSource::Api => Self::Api,
        }
    }
}

impl From<&hosts::EngineFacts> for HostEngine {
    fn from(facts: &hosts::EngineFacts) -> Self {
        Self {
            version: facts.version.clone(),
            api_version: facts.api_version.clone(),
            runc_version: facts.runc_version.clone(),
            kernel: facts.kernel.clone(),
            cgroup: facts.cgroup_version.map(|version| format!("v{version}")),
            cores: facts.cores,
            memory_bytes: facts.memory_bytes,
        }
    }
}

impl From<hosts::Warning> for HostWarning {
    fn from(warning: hosts::Warning) -> Self {
        Self { code: warning.matter.code().to_owned(), message: warning.message }
    }
}

impl From<hosts::SlotCounts> for HostSlots {
    fn from(slots: hosts::SlotCounts) -> Self {
        let hosts::SlotCounts { configured, total, busy } = slots;
        Self {
            configured: configured.map(std::num::NonZeroU32::get),
            total,
            busy,
            free: total.saturating_sub(busy),
        }
    }
}

impl From<hosts::HostRuntime> for HostRuntime {
    fn from(runtime: hosts::HostRuntime) -> Self {
        let hosts::HostRuntime { id, image, warm, busy, error } = runtime;
        let (image, progress) = match image {
            hosts::ImageState::Ready => (HostImage::Ready, None),
            hosts::ImageState::Missing => (HostImage::Missing, None),
            hosts::ImageState::Copying { thousandths } => {
                (HostImage::Copying, Some(f64::from(thousandths) / 1000.0))
            }
            hosts::ImageState::Failed => (HostImage::Failed, None),
        };
        Self { id: id.to_string(), image, progress, warm, busy, error }
    }
}

impl From<hosts::HostError> for HostFault {
    fn from(error: hosts::HostError) -> Self {
        let hosts::HostError { at, code, message } = error;
        Self { at: at.to_string(), code: code.into(), message }
    }
}

impl From<hosts::HostView> for Host {
    fn from(view: hosts::HostView) -> Self {
        let hosts::SubmissionCounts { running, ended, lost } = view.submissions;
        Self {
            links: HostLinks {
                itself: format!("/v1/hosts/{}", view.name),
                containers: format!("/v1/containers?host={}", view.name),
            },
            name: view.name.to_string(),
            url: view.url,
            certs: view.certs.map(|certs| certs.to_string()),
            source: view.source.into(),
            mode: view.mode.into(),
            drained: view.drained,
            state: view.state.into(),
            since: view.since.to_string(),
            next_attempt_at: view.next_attempt_at.map(|at| at.to_string()),
            engine: view.engine.as_deref().map(Into::into),
            warnings: view.warnings.into_iter().map(Into::into).collect(),
            slots: view.slots.into(),
            runtimes: view.runtimes.into_iter().map(Into::into).collect(),
            submissions: HostSubmissions { running, ended, lost },
            last_error: view.last_error.map(Into::into),
            created_at: view.created_at.to_string(),
        }
    }
}
