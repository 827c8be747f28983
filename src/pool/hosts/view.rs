//! A Docker host as operators see it: plain values.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::domain::host::{CertsName, HostMode, HostName, HostSource};
use crate::domain::ids::RuntimeId;
use crate::domain::time::Timestamp;
use crate::pool::facts::EngineFacts;
use crate::pool::review::{Grade, Matter, Remark};

/// How a host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// It was not reached yet; the first attempt goes on.
    Connecting,
    /// It answers.
    Healthy,
    /// It did not answer the last time; nothing new is sent there.
    Suspect,
    /// It cannot be reached; it is tried again and again.
    Unreachable,
    /// It answers, and programs do not run there as they should: no runtime's canary has passed, some has failed. They are
    /// tried again and again.
    Quarantined,
}

impl HostState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Connecting, Self::Healthy, Self::Suspect, Self::Unreachable, Self::Quarantined];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Healthy => "healthy",
            Self::Suspect => "suspect",
            Self::Unreachable => "unreachable",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A host, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostView {
    /// Its name.
    pub name: HostName,
    /// Where its engine is.
    pub url: String,
    /// The folder of its certificates.
    pub certs: Option<CertsName>,
    /// Where it comes from.
    pub source: HostSource,
    /// What an operator wants of it.
    pub mode: HostMode,
    /// Whether it takes nothing new and runs nothing any more.
    pub drained: bool,
    /// How it does.
    pub state: HostState,
    /// Since when it does so.
    pub since: Timestamp,
    /// When it is tried again, while it pauses between attempts.
    pub next_attempt_at: Option<Timestamp>,
    /// What its engine said about itself when it was connected; `None` while it isn't.
    pub engine: Option<Arc<EngineFacts>>,
    /// What an operator should look at.
    pub warnings: Vec<Warning>,
    /// Its slots.
    pub slots: SlotCounts,
    /// The runtimes whose image was looked for since it was connected.
    pub runtimes: Vec<HostRuntime>,
    /// What ran there.
    pub submissions: SubmissionCounts,
    /// What went wrong last.
    pub last_error: Option<HostError>,
    /// When it was first heard of.
    pub created_at: Timestamp,
}

/// Something that an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// About what.
    pub matter: Matter,
    /// What was found, and what to do.
    pub message: String,
}

impl Warning {
    /// The remarks that are no praise.
    pub fn of(remarks: Vec<Remark>) -> Vec<Self> {
        let bad = remarks.into_iter().filter(|remark| remark.grade != Grade::Good);
        let told = |Remark { matter, text, advice, .. }: Remark| {
            let message = advice.map_or_else(|| text.clone(), |advice| format!("{text}: {advice}"));
            Self { matter, message }
        };
        bad.map(told).collect()
    }
}

/// Slots of a host, each with a core of its own; none while it is not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotCounts {
    /// As the settings say of this host.
    pub configured: Option<NonZeroU32>,
    /// In all.
    pub total: u32,
    /// On whose cores something runs.
    pub busy: u32,
}

/// A runtime on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRuntime {
    /// Which.
    pub id: RuntimeId,
    /// Its image.
    pub image: ImageState,
    /// Containers that wait for a submission.
    pub warm: u32,
    /// Containers that serve one.
    pub busy: u32,
    /// Why programs of it do not run there, if they don't.
    pub error: Option<String>,
}

/// What is known of an image on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// Containers can be made of it.
    Ready,
    /// It is not there.
    Missing,
    /// It comes from another host.
    Copying {
        /// How much has come: 0 to 1000.
        thousandths: u16,
    },
    /// It is there, or may be, and is of no use.
    Failed,
}

/// What ran on a host since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmissionCounts {
    /// Running now.
    pub running: u32,
    /// Those that had a container there and gave it back.
    pub ended: u64,
    /// Those that ran there when the host was lost.
    pub lost: u64,
}

/// Something that went wrong on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError {
    /// When.
    pub at: Timestamp,
    /// What.
    pub code: HostErrorCode,
    /// The same for people.
    pub message: String,
}

/// What went wrong on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostErrorCode {
    /// There is no way to it.
    Unreachable,
    /// There is no TLS with it: a certificate or key is missing or of no use, or one side speaks plainly.
    Tls,
    /// It takes no connection, or answers with a refusal.
    Refused,
    /// It stopped answering.
    Silent,
    /// An image could not be used.
    Image,
    /// A container did not start.
    Launch,
    /// A runtime's canary, its check program, did not end well.
    Canary,
    /// Its disk is full.
    DiskFull,
}
