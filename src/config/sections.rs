//! The sections of the settings that belong to no other room.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::units::{duration, optional_address};

/// The API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Origins of pages that may call it from a browser.
    pub cors_origins: Vec<String>,
    /// What browsers write before its paths; empty: what their requests say.
    pub public_url: String,
    /// How long running submissions may go on after a stop was asked for.
    #[serde(deserialize_with = "duration")]
    pub shutdown_grace: Duration,
}

/// The data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Its path.
    pub dir: PathBuf,
}

/// The database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its URL; empty: `SQLite` in the data folder.
    pub url: String,
    /// Whether `serve` migrates by itself.
    pub migrate: bool,
}

/// Running programs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// Folder of the runtimes; empty: see [`super::Config::runtimes_dir`].
    pub runtimes_dir: PathBuf,
    /// The agent's program; empty: see [`super::Config::agent_path`].
    pub agent_path: PathBuf,
    /// Slots of each host; 0, or more than it has cores: one for each core.
    pub slots: usize,
    /// Free slots of each host that hold a warm container of each runtime; 0: all.
    pub warm_per_runtime: usize,
    /// Submissions after which a container is replaced; at least 1.
    pub submissions_per_container: std::num::NonZeroU32,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Submissions in all.
    pub max_length: u64,
    /// Submissions of one owner.
    pub max_per_owner: u64,
    /// Stored drafts of one owner, which wait for nothing.
    pub max_drafts_per_owner: u64,
}

/// How many requests a student or teacher may make.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Sustained, per second; at least 1.
    pub per_second: std::num::NonZeroU32,
    /// At once; at least 1.
    pub burst: std::num::NonZeroU32,
}

/// Figures for operators.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// A listener of its own, without a token.
    #[serde(deserialize_with = "optional_address")]
    pub listen: Option<SocketAddr>,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// A level or filter.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is kept, and how long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Ended submissions.
    #[serde(deserialize_with = "duration")]
    pub submissions: Duration,
    /// Event logs of ended submissions.
    #[serde(deserialize_with = "duration")]
    pub events: Duration,
}
