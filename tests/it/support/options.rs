//! How a service is started.

use std::path::{Path, PathBuf};

use super::guichet::TestGuichet;

/// How a service is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(super) slots: Option<usize>,
    pub(super) env: Vec<(String, String)>,
    pub(super) arguments: Vec<String>,
    pub(super) docker_host: Option<String>,
    pub(super) settings: Option<String>,
    pub(super) control_group: Option<PathBuf>,
}

impl Options {
    /// Submissions that run at the same time.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = Some(slots);
        self
    }

    /// An environment variable: a setting, or `FAILPOINTS`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An argument behind `serve`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// A settings file with this text.
    #[must_use]
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings = Some(toml.to_owned());
        self
    }

    /// Whether its settings file names Docker hosts.
    pub(super) fn names_hosts(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| settings.contains("[[docker.hosts]]"))
    }

    /// Arguments of a command for its settings file, which is written into a folder; none without one.
    pub(super) fn config_arguments(&self, folder: &Path) -> Vec<String> {
        let Some(settings) = &self.settings else { return Vec::new() };
        let file = folder.join("guichet.toml");
        std::fs::write(&file, settings).expect("the settings");
        vec!["--config".to_owned(), file.to_string_lossy().into_owned()]
    }

    /// Another engine than the one of all tests.
    #[must_use]
    pub fn docker_host(mut self, address: &str) -> Self {
        self.docker_host = Some(address.to_owned());
        self
    }

    /// A control group that it is started in.
    #[must_use]
    pub fn control_group(mut self, folder: &Path) -> Self {
        self.control_group = Some(folder.to_owned());
        self
    }

    /// Starts a service on an empty data folder and waits until it is ready.
    pub async fn start(self) -> TestGuichet {
        let guichet = TestGuichet::prepare(self);
        guichet.restart().await;
        guichet
    }
}
