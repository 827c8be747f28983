//! Docker hosts, as operators name and use them.

use super::ids::InvalidId;
use super::time::Timestamp;

/// Longest name of a host.
const MAX_NAME: usize = 63;

/// A Docker host's name: 1 to 63 characters of `a–z 0–9 -`, the first no hyphen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

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
        if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_allowed) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId("1 to 63 characters of a-z 0-9 -, the first no hyphen"))
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

/// What is remembered of a host from one start to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedHost {
    /// Its name.
    pub name: HostName,
    /// What an operator wants of it.
    pub mode: HostMode,
    /// When it was first heard of.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::HostName;

    #[test]
    fn a_name_of_a_host_fits_into_a_url_and_a_command_line() {
        let longest = "a".repeat(63);
        for name in ["a", "0", "judge-2", longest.as_str()] {
            assert!(name.parse::<HostName>().is_ok(), "{name}");
        }
        let too_long = "a".repeat(64);
        for name in ["", "-a", "A", "a_b", "a.b", "é", "a b", too_long.as_str()] {
            assert!(name.parse::<HostName>().is_err(), "{name}");
        }
    }
}
