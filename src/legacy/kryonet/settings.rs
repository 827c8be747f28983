//! One entry of `legacy.backends` in the settings, with its defaults: those of KryoNet where it has any.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};

use crate::domain::ids::BackendName;
use crate::legacy::InvalidSetting;

/// Longest time that may be set: a day.
const MAX_MS: u64 = 86_400_000;
/// Largest frame that may be taken in: it is the memory that one hostile backend costs.
const MAX_FRAME: usize = 64 << 20;
/// Least room for a frame: a HANDSHAKE with a short token.
const MIN_FRAME: usize = 64;

/// One entry of `legacy.backends`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Submissions of this backend carry it in `backend`; different from those of the others.
    #[serde(default = "default_name")]
    pub name: BackendName,
    /// Name or address of the backend's machine.
    pub host: String,
    /// Its TCP port.
    pub tcp_port: NonZeroU16,
    /// Its UDP port; only if the backend binds one.
    pub udp_port: Option<NonZeroU16>,
    /// What HANDSHAKE carries. Either this or `token_file`; [`Settings::read_token`] answers it.
    token: Option<SecretString>,
    /// File with the token; white space at its end doesn't count.
    token_file: Option<PathBuf>,
    /// How packets are written.
    #[serde(default)]
    pub serialization: Serialization,
    /// What Kryo leaves open.
    #[serde(default)]
    pub kryo: KryoSettings,
    /// What JSON leaves open.
    #[serde(default)]
    pub json: JsonSettings,
    /// How long a TCP connect may take, in milliseconds; at least 1.
    #[serde(default = "default_connect_ms")]
    connect_timeout_ms: u64,
    /// How long the backend may take to register the connection, in milliseconds; at least 1.
    #[serde(default = "default_connect_ms")]
    register_timeout_ms: u64,
    /// Milliseconds without a write after which a KeepAlive is sent; 0: never.
    #[serde(default = "default_keepalive_ms")]
    keepalive_ms: u64,
    /// Milliseconds without a byte after which the connection is given up; 0: never.
    #[serde(default = "default_read_timeout_ms")]
    read_timeout_ms: u64,
    /// Largest payload taken in, in bytes.
    #[serde(default = "default_max_frame_in")]
    pub max_frame_in: usize,
    /// Largest payload sent, in bytes: the backend's object buffer.
    #[serde(default = "default_max_frame_out")]
    pub max_frame_out: usize,
    /// Shortest pause before the next connect, in milliseconds; at least 1.
    #[serde(default = "default_reconnect_min_ms")]
    reconnect_min_ms: u64,
    /// Longest pause before the next connect, in milliseconds; at least the shortest.
    #[serde(default = "default_reconnect_max_ms")]
    reconnect_max_ms: u64,
}

/// How packets are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serialization {
    /// As the first frame of the backend shows.
    #[default]
    Auto,
    /// Kryo's bytes.
    Kryo,
    /// JsonBeans text.
    Json,
}

/// What Kryo leaves open.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KryoSettings {
    /// Class id of KryoNet's first own message: 11 or 12; none: as the first frame shows.
    #[serde(deserialize_with = "framework_base")]
    pub framework_base: Option<u8>,
    /// Whether objects are followed by a reference number; none: as the first frame shows.
    #[serde(deserialize_with = "references")]
    pub references: Option<bool>,
    /// Class id of `java.lang.String`: 3, or 10 with Kryo 2.15 and older.
    pub string_id: u8,
}

/// What JSON leaves open.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JsonSettings {
    /// Java class that a packet is wrapped in: `java.lang.String` carries it as one text, `java.util.HashMap` and
    /// classes of the backend's own carry its members.
    pub packet_class: String,
    /// How the backend's texts are encoded.
    pub inbound_charset: Charset,
}

/// How the backend's texts are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Charset {
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows' Western European code page.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl Default for KryoSettings {
    fn default() -> Self {
        Self { framework_base: None, references: None, string_id: 3 }
    }
}

impl Default for JsonSettings {
    fn default() -> Self {
        Self { packet_class: "java.lang.String".to_owned(), inbound_charset: Charset::Utf8 }
    }
}

impl Settings {
    /// How long a TCP connect may take.
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// How long the backend may take to register the connection.
    pub const fn register_timeout(&self) -> Duration {
        Duration::from_millis(self.register_timeout_ms)
    }

    /// How long nothing may be written until a KeepAlive is sent; none: for ever.
    pub fn keepalive(&self) -> Option<Duration> {
        (self.keepalive_ms > 0).then_some(Duration::from_millis(self.keepalive_ms))
    }

    /// How long nothing may come until the connection is given up; none: for ever.
    pub fn read_timeout(&self) -> Option<Duration> {
        (self.read_timeout_ms > 0).then_some(Duration::from_millis(self.read_timeout_ms))
    }

    /// Shortest and longest pause before the next connect.
    pub const fn reconnect(&self) -> (Duration, Duration) {
        (Duration::from_millis(self.reconnect_min_ms), Duration::from_millis(self.reconnect_max_ms))
    }

    /// What HANDSHAKE carries.
    ///
    /// # Errors
    /// [`InvalidSetting`] if the file can't be read or is empty.
    pub fn read_token(&self) -> Result<SecretString, InvalidSetting> {
        let at = format!("legacy.backends.{}", self.name);
        let (token, key) = match (&self.token, &self.token_file) {
            (Some(token), _) => (token.clone(), "token"),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|source| InvalidSetting::File {
                    setting: format!("{at}.token_file"),
                    path: path.clone(),
                    source,
                })?;
                (SecretString::from(text.trim_end()), "token_file")
            }
            (None, None) => return Err(InvalidSetting::new(&at, "token", "is missing")),
        };
        if token.expose_secret().is_empty() {
            return Err(InvalidSetting::new(&at, key, "must not be empty"));
        }
        Ok(token)
    }

    pub(in crate::legacy) fn check(&self, at: &str) -> Result<(), InvalidSetting> {
        let wrong = |key, problem| Err(InvalidSetting::new(at, key, problem));
        if self.host.is_empty() || self.host.contains(|c: char| c.is_whitespace() || c == '/') {
            return wrong("host", "must be a name or an address");
        }
        match (&self.token, &self.token_file) {
            (None, None) => return wrong("token", "is missing; token_file does as well"),
            (Some(_), Some(_)) => return wrong("token_file", "must not be set beside token"),
            (Some(_), None) | (None, Some(_)) => {}
        }
        if self.token.as_ref().is_some_and(|token| token.expose_secret().is_empty()) {
            return wrong("token", "must not be empty");
        }
        if !matches!(self.kryo.string_id, 3 | 10) {
            return wrong("kryo.string_id", "must be 3 or 10");
        }
        let is_class = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$');
        if self.json.packet_class.is_empty() || !self.json.packet_class.chars().all(is_class) {
            return wrong("json.packet_class", "must be the full name of a Java class");
        }
        for (key, size) in [("max_frame_in", self.max_frame_in), ("max_frame_out", self.max_frame_out)] {
            if !(MIN_FRAME..=MAX_FRAME).contains(&size) {
                return wrong(key, "must be between 64 and 67108864 bytes");
            }
        }
        self.check_times(at)
    }

    fn check_times(&self, at: &str) -> Result<(), InvalidSetting> {
        let wrong = |key, problem| Err(InvalidSetting::new(at, key, problem));
        for (key, millis) in [
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("register_timeout_ms", self.register_timeout_ms),
            ("reconnect_min_ms", self.reconnect_min_ms),
            ("reconnect_max_ms", self.reconnect_max_ms),
        ] {
            if !(1..=MAX_MS).contains(&millis) {
                return wrong(key, "must be between 1 and 86400000");
            }
        }
        for (key, millis) in [("keepalive_ms", self.keepalive_ms), ("read_timeout_ms", self.read_timeout_ms)]
        {
            if millis > MAX_MS {
                return wrong(key, "must be between 0 and 86400000");
            }
        }
        if self.reconnect_max_ms < self.reconnect_min_ms {
            return wrong("reconnect_max_ms", "must not be less than reconnect_min_ms");
        }
        Ok(())
    }
}

/// A value, or the word `auto`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Choice<T> {
    Word(String),
    Value(T),
}

fn framework_base<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match Choice::<u8>::deserialize(deserializer) {
        Ok(Choice::Word(word)) if word == "auto" => Ok(None),
        Ok(Choice::Value(base @ (11 | 12))) => Ok(Some(base)),
        Ok(Choice::Word(_) | Choice::Value(_)) | Err(_) => {
            Err(serde::de::Error::custom("must be \"auto\", 11 or 12"))
        }
    }
}

fn references<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Choice::<bool>::deserialize(deserializer) {
        Ok(Choice::Word(word)) if word == "auto" => Ok(None),
        Ok(Choice::Value(references)) => Ok(Some(references)),
        Ok(Choice::Word(_)) | Err(_) => Err(serde::de::Error::custom("must be \"auto\", true or false")),
    }
}

fn default_name() -> BackendName {
    BackendName::default()
}

const fn default_connect_ms() -> u64 {
    5000
}

const fn default_keepalive_ms() -> u64 {
    8000
}

const fn default_read_timeout_ms() -> u64 {
    12_000
}

const fn default_max_frame_in() -> usize {
    1 << 20
}

const fn default_max_frame_out() -> usize {
    2048
}

const fn default_reconnect_min_ms() -> u64 {
    1000
}

const fn default_reconnect_max_ms() -> u64 {
    30_000
}
