//! Settings: embedded defaults, a file over them, the environment over both. Unknown keys are refused.
//!
//! In a source folder there is a layer between defaults and file: what `make up` left there of the service that it
//! started, so that commands mean that service without being told.
//!
//! The only place that reads environment variables.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::auth::AuthSettings;
use crate::legacy;
use crate::pool::docker_settings::DockerSettings;

pub mod reference;
mod sections;

pub use sections::{Data, Database, Execution, Log, LogFormat, Metrics, Queue, RateLimit, Retention, Server};

const DEFAULTS: &str = include_str!("../config.default.toml");
const DEFAULT_FILE: &str = "guichet.toml";
/// What scripts/start.sh writes and scripts/down.sh removes.
const RECORD: &str = ".guichet/up.toml";
const PREFIX: &str = "GUICHET_";
/// Settings without a default; they are texts.
const OPTIONAL: [(&str, &str); 2] = [("auth", "issuer"), ("auth", "audience")];
/// Names without a section that scripts may rely on.
const SHORT_NAMES: [(&str, &str, &str); 4] = [
    ("LISTEN", "server", "listen"),
    ("DATA_DIR", "data", "dir"),
    ("DATABASE_URL", "database", "url"),
    ("DOCKER_HOSTS", "docker", "hosts"),
];

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The data folder can't be made.
    #[error("cannot make the data folder {path}")]
    DataFolder {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is not TOML")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A variable names no setting.
    #[error("the variable {0} names no setting")]
    UnknownVariable(String),
    /// A variable's value doesn't fit its setting.
    #[error("the variable {name} must be {expected}")]
    Variable {
        /// Which variable.
        name: String,
        /// What would fit.
        expected: &'static str,
    },
    /// A setting is unknown or doesn't fit.
    #[error("the settings are not valid")]
    Invalid(#[source] Box<toml::de::Error>),
    /// A setting of the original protocols makes no sense.
    #[error(transparent)]
    Legacy(#[from] legacy::InvalidSetting),
}

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API.
    pub server: Server,
    /// The data folder.
    pub data: Data,
    /// The database.
    pub database: Database,
    /// Docker engines.
    pub docker: DockerSettings,
    /// Running programs.
    pub execution: Execution,
    /// How much may wait.
    pub queue: Queue,
    /// Who may come in.
    pub auth: AuthSettings,
    /// How often.
    pub rate_limit: RateLimit,
    /// Figures for operators.
    pub metrics: Metrics,
    /// What is logged.
    pub log: Log,
    /// What is kept.
    pub retention: Retention,
    /// The protocols of the original system.
    pub legacy: legacy::Settings,
}

impl Config {
    /// The settings from `file` and the environment; without a file, from `guichet.toml` over what `make up` left, if
    /// these are there.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        // A name or value that is no text is none of ours.
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name.strip_prefix(PREFIX)?.to_owned(), value.into_string().ok()?))
        });
        let layers = match file {
            Some(file) => vec![read(file)?],
            None => vec![read_if_there(Path::new(RECORD))?, read_if_there(Path::new(DEFAULT_FILE))?],
        };
        Self::from_parts(layers, variables)
    }

    /// Later layers stand over earlier ones, and variables over all.
    fn from_parts(
        layers: Vec<Table>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut settings: Table = DEFAULTS.parse().map_err(|source| Error::Invalid(Box::new(source)))?;
        for layer in layers {
            overlay(&mut settings, layer);
        }
        for (name, value) in variables {
            set_variable(&mut settings, &name, &value)?;
        }
        let config: Self =
            Value::Table(settings).try_into().map_err(|source| Error::Invalid(Box::new(source)))?;
        config.legacy.check()?;
        Ok(config)
    }

    /// Makes the data folder, open to its owner only, unless it is there.
    ///
    /// # Errors
    /// [`Error::DataFolder`].
    pub fn make_data_folder(&self) -> Result<(), Error> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&self.data.dir)
            .map_err(|source| Error::DataFolder { path: self.data.dir.clone(), source })
    }

    /// The file of the `SQLite` database.
    pub fn sqlite_path(&self) -> PathBuf {
        self.data.dir.join("guichet.sqlite")
    }

    /// The key that signs tokens if none is configured.
    pub fn generated_key_path(&self) -> PathBuf {
        self.data.dir.join("key")
    }

    /// The folder of the folders with the certificates of Docker hosts.
    pub fn certs_dir(&self) -> PathBuf {
        if self.docker.certs_dir.as_os_str().is_empty() {
            self.data.dir.join("certs")
        } else {
            self.docker.certs_dir.clone()
        }
    }

    /// The agent's program.
    pub fn agent_path(&self) -> PathBuf {
        if self.execution.agent_path.as_os_str().is_empty() {
            beside_program("guichet-agent")
        } else {
            self.execution.agent_path.clone()
        }
    }

    /// The folder of the runtimes: as set, or `runtimes` in the working folder, or beside the program.
    pub fn runtimes_dir(&self) -> PathBuf {
        let here = PathBuf::from("runtimes");
        if !self.execution.runtimes_dir.as_os_str().is_empty() {
            self.execution.runtimes_dir.clone()
        } else if here.is_dir() {
            here
        } else {
            beside_program("runtimes")
        }
    }
}

fn beside_program(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().map(|folder| folder.join(name)).unwrap_or_default()
}

fn read(path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    text.parse().map_err(|source| Error::Syntax { path: path.to_owned(), source: Box::new(source) })
}

/// What a file sets; nothing if it isn't there.
fn read_if_there(path: &Path) -> Result<Table, Error> {
    match read(path) {
        Err(Error::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Table::new())
        }
        read => read,
    }
}

fn overlay(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => overlay(inner, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Sets what a variable names. One without `__` that is no short name belongs to another program.
fn set_variable(settings: &mut Table, name: &str, value: &str) -> Result<(), Error> {
    let short = SHORT_NAMES.iter().find(|(short, ..)| *short == name);
    let path: Vec<String> = match short {
        Some((_, section, key)) => vec![(*section).to_owned(), (*key).to_owned()],
        None => name.split("__").map(str::to_lowercase).collect(),
    };
    let [sections @ .., key] = path.as_slice() else { return Ok(()) };
    let [section, ..] = sections else { return Ok(()) };
    let table = sections
        .iter()
        .try_fold(settings, |table, section| table.get_mut(section).and_then(Value::as_table_mut));
    let known = table.and_then(|table| {
        if OPTIONAL.contains(&(section.as_str(), key.as_str())) {
            table.entry(key).or_insert(Value::String(String::new()));
        }
        table.get_mut(key)
    });
    let Some(known) = known else { return Err(Error::UnknownVariable(format!("{PREFIX}{name}"))) };
    let wrong = |expected| Error::Variable { name: format!("{PREFIX}{name}"), expected };
    *known = match known {
        Value::String(_) => Value::String(value.to_owned()),
        Value::Integer(_) => Value::Integer(value.parse().map_err(|_source| wrong("a whole number"))?),
        Value::Boolean(_) => Value::Boolean(value.parse().map_err(|_source| wrong("true or false"))?),
        Value::Array(_) => Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        ),
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => return Err(wrong("set in the file")),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Config, Error, Table};

    fn with(variables: &[(&str, &str)], file: &str) -> Result<Config, Error> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_parts(vec![file.parse::<Table>().unwrap()], variables)
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = with(&[], "").unwrap();

        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.queue.max_per_owner, 500);
    }

    #[test]
    fn the_environment_stands_over_the_file() {
        let config = with(
            &[("LISTEN", "127.0.0.1:9"), ("QUEUE__MAX_LENGTH", "7")],
            "[server]\nlisten = '127.0.0.1:8'",
        )
        .unwrap();

        assert_eq!(config.server.listen.port(), 9);
        assert_eq!(config.queue.max_length, 7);
    }

    #[test]
    fn lists_in_the_environment_are_separated_by_commas() {
        let config = with(&[("DOCKER_HOSTS", "unix:///a, tcp://b:1")], "").unwrap();

        let urls: Vec<&str> = config.docker.hosts.iter().map(|host| host.url.as_str()).collect();
        assert_eq!(urls, ["unix:///a", "tcp://b:1"]);
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(with(&[], "[server]\nlisten_on = 'x'").is_err());
        assert!(matches!(with(&[("SERVER__LISTEN_ON", "x")], ""), Err(Error::UnknownVariable(_))));
    }

    #[test]
    fn the_environment_reaches_inner_sections() {
        let config = with(&[("LEGACY__WEBSOCKET__PATHS", "/old, /older")], "").unwrap();

        assert_eq!(config.legacy.websocket.paths, ["/old", "/older"]);
        assert!(matches!(with(&[("LEGACY__OTHER__PATHS", "/old")], ""), Err(Error::UnknownVariable(_))));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let nobody = "[[legacy.backends]]\nhost = 'backend.example'\ntcp_port = 54555";

        assert_eq!(
            with(&[], nobody).unwrap_err().to_string(),
            "legacy.backends[0].token is missing; token_file does as well"
        );
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        assert!(with(&[("TEST_DOCKER_HOST", "x")], "").is_ok());
    }

    #[test]
    fn the_data_folder_is_its_owners_alone() {
        let base = std::env::temp_dir().join(format!("guichet-config-{}", std::process::id()));
        let folder = base.join("data");
        let config = with(&[("DATA_DIR", &folder.to_string_lossy())], "").unwrap();

        config.make_data_folder().unwrap();

        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        std::fs::remove_dir_all(&base).unwrap();
        assert_eq!(mode & 0o777, 0o700);
    }
}
