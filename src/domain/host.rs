//! Docker hosts, as operators name and use them.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::ids::InvalidId;
use super::time::Timestamp;

/// Longest name of a host, and of the folder of its certificates.
const MAX_NAME: usize = 63;

/// What stands among the hosts in the API and is none.
const RESERVED: &str = "events";

/// A Docker host's name: 1 to 63 characters of `a–z 0–9 -`, the first no hyphen; not `events`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for HostName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text == RESERVED {
            return Err(InvalidId("another name than events, which the stream of all hosts has"));
        }
        if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_allowed) && !text.starts_with('-') {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId("1 to 63 characters of a-z 0-9 -, the first no hyphen"))
        }
    }
}

/// The folder of a host's certificates, below that of all: 1 to 63 characters of `A–Z a–z 0–9 . _ -`, the first no dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertsName(String);

impl CertsName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CertsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for CertsName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_allowed) && !text.starts_with('.') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("1 to 63 characters of A-Z a-z 0-9 . _ -, the first no dot"))
        }
    }
}

/// What an operator wants of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMode {
    /// It takes submissions.
    Active,
    /// It takes nothing new.
    Cordoned,
    /// It takes nothing new, since it is to be emptied.
    Draining,
}

impl HostSource {
    /// Its name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Api => "api",
        }
    }
}

impl HostMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Cordoned, Self::Draining];

    /// Its name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
        }
    }

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Whether a host takes new submissions in it.
    pub const fn takes_work(self) -> bool {
        match self {
            Self::Active => true,
            Self::Cordoned | Self::Draining => false,
        }
    }
}

/// Where a host comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSource {
    /// The settings.
    Config,
    /// An operator added it while the service ran.
    Api,
}

/// A host, as those who look after it want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSettings {
    /// Its name.
    pub name: HostName,
    /// Where its engine is: `unix:///path` or `tcp://host:port`.
    pub url: String,
    /// The folder below `docker.certs_dir` with what proves us to it and it to us; `None`: plain.
    pub certs: Option<CertsName>,
    /// Its slots; `None`: as many as `execution.slots` says.
    pub slots: Option<NonZeroU32>,
    /// Where it comes from.
    pub source: HostSource,
    /// What it is for.
    pub mode: HostMode,
    /// When it was first heard of.
    pub created_at: Timestamp,
}

/// What is to be changed of a host; `None`: it stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostUpdate {
    /// What it is for.
    pub mode: Option<HostMode>,
    /// Its slots; `Some(None)`: the default.
    pub slots: Option<Option<NonZeroU32>>,
}

/// What an operator wants of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostWishes {
    /// What it is for.
    pub mode: HostMode,
    /// Its slots; `None`: the default.
    pub slots: Option<NonZeroU32>,
}

impl HostWishes {
    /// What he wants after a change.
    #[must_use]
    pub fn after(self, change: HostUpdate) -> Self {
        Self { mode: change.mode.unwrap_or(self.mode), slots: change.slots.unwrap_or(self.slots) }
    }
}

#[cfg(test)]
mod tests {
    use super::{CertsName, HostName};

    #[test]
    fn the_folder_of_certificates_is_one_below_that_of_all() {
        for name in ["judge-2", "judge-2.example", "A_b", "-"] {
            assert!(name.parse::<CertsName>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".git", "a/b", "/a", "a\\b", "a\0", "é", "a b"] {
            assert!(name.parse::<CertsName>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_of_a_host_fits_into_a_url_and_a_command_line() {
        let longest = "a".repeat(63);
        for name in ["a", "0", "judge-2", longest.as_str()] {
            assert!(name.parse::<HostName>().is_ok(), "{name}");
        }
        let too_long = "a".repeat(64);
        for name in ["events", "", "-a", "A", "a_b", "a.b", "é", "a b", too_long.as_str()] {
            assert!(name.parse::<HostName>().is_err(), "{name}");
        }
    }
}
