//! The section `legacy.websocket` of the settings; its defaults are in `config.default.toml`.

use std::collections::HashSet;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::legacy::InvalidSetting;
use crate::units::optional_address;

/// First parts of paths that are the API's own and its page's on the main port.
const TAKEN: [&str; 15] = [
    "",
    "v1",
    "livez",
    "readyz",
    "metrics",
    "openapi.json",
    "docs",
    "problems",
    "assets",
    "sign-in",
    "run",
    "exercises",
    "submissions",
    "teach",
    "operate",
];

/// The section `legacy.websocket`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Paths of the main port, each as it stands in a URL; empty: none.
    pub paths: Vec<String>,
    /// A second listener that takes every path.
    #[serde(deserialize_with = "optional_address")]
    pub listen: Option<SocketAddr>,
    /// Origins of pages that may connect, like `https://school.example`; empty: any.
    pub origins: Vec<String>,
    /// How the target of an error that concerns a submission is spelled.
    pub error_target: ErrorTarget,
}

/// How the target of an error that concerns a submission is spelled: the original texts have both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ErrorTarget {
    /// As in the description of the packets.
    Exercice,
    /// As in the table of errors.
    Exercise,
}

impl Settings {
    pub(in crate::legacy) fn check(&self, at: &str) -> Result<(), InvalidSetting> {
        let wrong = |key, problem| Err(InvalidSetting::new(at, key, problem));
        let mut seen = HashSet::new();
        for path in &self.paths {
            let Some(first) = path.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or(rest))
            else {
                return wrong("paths", "must begin with / each");
            };
            if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}*?#:".contains(&byte)) {
                return wrong("paths", "must be plain: no white space, none of { } * ? # :");
            }
            if TAKEN.contains(&first) {
                return wrong("paths", "must not be paths of the API or its page");
            }
            if !seen.insert(path) {
                return wrong("paths", "must be different");
            }
        }
        let is_origin = |origin: &String| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
        };
        if !self.origins.iter().all(is_origin) {
            return wrong("origins", "must be like https://school.example each");
        }
        Ok(())
    }
}
