//! The section `legacy` of the settings, and what makes no sense in it.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::{kryonet, websocket};

/// The section `legacy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Links to original backends, with different names; none by default.
    pub backends: Vec<kryonet::Settings>,
    /// Where old front ends connect.
    pub websocket: websocket::Settings,
}

impl Settings {
    /// Checks what a single setting can't: values that make no sense, alone or together.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let mut names = HashSet::new();
        for (index, backend) in self.backends.iter().enumerate() {
            let at = format!("legacy.backends[{index}]");
            if !names.insert(&backend.name) {
                return Err(InvalidSetting::new(&at, "name", "is the name of another backend"));
            }
            backend.check(&at)?;
        }
        self.websocket.check("legacy.websocket")
    }
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSetting {
    /// Its value is wrong.
    #[error("{setting} {problem}")]
    Value {
        /// Its full name, like `legacy.backends[0].token`.
        setting: String,
        /// What is wrong, in words that follow the name.
        problem: &'static str,
    },
    /// The file that it names can't be read.
    #[error("{setting}: cannot read {}", path.display())]
    File {
        /// Its full name.
        setting: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl InvalidSetting {
    pub(super) fn new(section: &str, key: &str, problem: &'static str) -> Self {
        Self::Value { setting: format!("{section}.{key}"), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    const WEBSOCKET: &str =
        "[websocket]\npaths = ['/ws']\nlisten = ''\norigins = []\nerror_target = 'EXERCICE'\n";
    const BACKEND: &str = "[[backends]]\nhost = 'backend.example'\ntcp_port = 54555\n";

    /// What is wrong with these settings.
    fn fault(text: &str) -> String {
        match toml::from_str::<Settings>(text) {
            Ok(settings) => settings.check().map_or_else(|wrong| wrong.to_string(), |()| String::new()),
            Err(unreadable) => unreadable.message().to_owned(),
        }
    }

    /// The same with one entry of `backends` that has a token and more.
    fn fault_with(more: &str) -> String {
        fault(&format!("{BACKEND}token = 'secret'\n{more}\n{WEBSOCKET}"))
    }

    /// The same with one setting of `websocket` instead of its default.
    fn fault_of_websocket(key: &str, value: &str) -> String {
        let lines = WEBSOCKET.lines().filter(|line| !line.starts_with(key));
        let rest: Vec<_> = lines.collect();
        fault(&format!("backends = []\n{}\n{key} = {value}", rest.join("\n")))
    }

    #[test]
    fn a_backend_needs_no_more_than_host_port_and_token() {
        let settings: Settings = toml::from_str(&format!("{BACKEND}token = 'secret'\n{WEBSOCKET}")).unwrap();

        assert!(settings.check().is_ok());
        assert_eq!(settings.backends.first().unwrap().name.as_str(), "default");
    }

    #[test]
    fn a_token_is_not_shown() {
        let settings: Settings = toml::from_str(&format!("{BACKEND}token = 'secret'\n{WEBSOCKET}")).unwrap();

        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn two_backends_of_one_name_are_refused() {
        let two = format!("{BACKEND}token = 'a'\n{BACKEND}token = 'b'\n{WEBSOCKET}");

        assert_eq!(fault(&two), "legacy.backends[1].name is the name of another backend");
    }

    #[test]
    fn a_token_has_one_source() {
        assert_eq!(
            fault(&format!("{BACKEND}{WEBSOCKET}")),
            "legacy.backends[0].token is missing; token_file does as well"
        );
        assert_eq!(
            fault_with("token_file = 'x'"),
            "legacy.backends[0].token_file must not be set beside token"
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        assert!(fault_with("connect_timeout_ms = 0").contains("connect_timeout_ms must be between"));
        assert!(fault_with("reconnect_max_ms = 999").contains("reconnect_max_ms must not be less"));
        assert!(fault_with("max_frame_in = 0").contains("max_frame_in must be between"));
        assert!(fault_with("kryo = { framework_base = 13 }").contains("must be \"auto\", 11 or 12"));
        assert!(fault_with("kryo = { references = 'no' }").contains("must be \"auto\", true or false"));
        assert!(fault_with("json = { packet_class = '' }").contains("json.packet_class must be"));
        assert!(fault_with("serialisation = 'kryo'").contains("unknown field"));
    }

    #[test]
    fn zero_switches_keepalive_and_read_timeout_off() {
        assert_eq!(fault_with("keepalive_ms = 0\nread_timeout_ms = 0"), "");
    }

    #[test]
    fn what_kryo_leaves_open_can_be_pinned() {
        let pinned = "kryo = { framework_base = 11, references = true, string_id = 10 }";

        assert_eq!(fault_with(pinned), "");
    }

    #[test]
    fn a_websocket_takes_no_path_of_the_api() {
        assert_eq!(fault_of_websocket("paths", "['/ws', '/a/b']"), "");
        assert!(fault_of_websocket("paths", "['/']").contains("must not be paths of the API"));
        assert!(fault_of_websocket("paths", "['/v1/ws']").contains("must not be paths of the API"));
        assert!(fault_of_websocket("paths", "['/run']").contains("must not be paths of the API"));
        assert!(fault_of_websocket("paths", "['/{id}']").contains("must be plain"));
        assert!(fault_of_websocket("paths", "['/:id']").contains("must be plain"));
        assert!(fault_of_websocket("paths", "['/ws', '/ws']").contains("must be different"));
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(fault_of_websocket("origins", "['https://school.example']"), "");
        assert!(fault_of_websocket("origins", "['https://school.example/']").contains("origins must be"));
    }
}
