//! The section `docker` of the settings, and what makes no sense in it.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;

use super::endpoint::{Endpoint, URL_FORM, is_engine_url, takes_certs};
use crate::domain::host::{CertsName, HostName};

/// The engine of this machine.
const LOCAL_ENGINE: &str = "unix:///var/run/docker.sock";

/// The section `docker`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Section")]
pub struct DockerSettings {
    /// The Docker hosts, at least one; names and URLs differ.
    pub hosts: Vec<ConfiguredHost>,
    /// The folder of the folders with the hosts' certificates; empty: one in the data folder.
    pub certs_dir: PathBuf,
}

/// A Docker host of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredHost {
    /// Its name.
    pub name: HostName,
    /// Where its engine is: `unix:///…` or `tcp://host:port`.
    pub url: String,
    /// The folder of its certificates, for TLS; `None`: plain.
    pub certs: Option<CertsName>,
    /// Its slots; `None`: as many as `execution.slots` says.
    pub slots: Option<NonZeroU32>,
    /// The OCI runtime of its containers, by the name that its engine has for it; `None`: the engine's default.
    pub oci_runtime: Option<String>,
}

impl ConfiguredHost {
    /// How it is reached.
    ///
    /// * `certs_dir` — the folder of the folders with the hosts' certificates.
    pub fn endpoint(&self, certs_dir: &Path) -> Endpoint {
        Endpoint::new(&self.url, self.certs.as_ref(), certs_dir)
    }
}

/// Why hosts of the settings can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("docker.hosts[{index}]{key} {problem}")]
pub struct InvalidHost {
    /// Which one, from 0.
    index: usize,
    /// `.name`, `.url`, `.certs` or `.oci_runtime`; empty for an entry that is a URL itself.
    key: &'static str,
    /// What is wrong.
    problem: String,
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    hosts: Vec<Entry>,
    #[serde(default)]
    certs_dir: PathBuf,
}

/// A URL alone, or a table.
enum Entry {
    Url(String),
    Host(Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    url: String,
    certs: Option<String>,
    slots: Option<NonZeroU32>,
    oci_runtime: Option<String>,
}

impl Table {
    const fn plain(name: String, url: String) -> Self {
        Self { name, url, certs: None, slots: None, oci_runtime: None }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Entry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a URL, or a table with `name` and `url`")
            }

            fn visit_str<E>(self, url: &str) -> Result<Entry, E> {
                Ok(Entry::Url(url.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(Entry::Host)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl TryFrom<Section> for DockerSettings {
    type Error = InvalidHost;

    fn try_from(Section { hosts: entries, certs_dir }: Section) -> Result<Self, InvalidHost> {
        if entries.is_empty() {
            let local = Table::plain("local".to_owned(), LOCAL_ENGINE.to_owned());
            return Ok(Self { hosts: vec![host(0, "", local)?], certs_dir });
        }
        let (mut names, mut urls) = (HashSet::new(), HashSet::new());
        let mut hosts = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let (key, table) = match entry {
                Entry::Url(url) => ("", Table::plain(format!("host-{}", index + 1), url)),
                Entry::Host(table) => (".url", table),
            };
            let host = host(index, key, table)?;
            if !names.insert(host.name.clone()) {
                return Err(InvalidHost::new(index, ".name", "is the name of another host"));
            }
            if !urls.insert(host.url.clone()) {
                return Err(InvalidHost::new(index, key, "is the URL of another host"));
            }
            hosts.push(host);
        }
        Ok(Self { hosts, certs_dir })
    }
}

/// * `url_key` — how the settings name its URL.
fn host(index: usize, url_key: &'static str, table: Table) -> Result<ConfiguredHost, InvalidHost> {
    let Table { name, url, certs, slots, oci_runtime } = table;
    let name = name.parse().map_err(|error| InvalidHost::new(index, ".name", format!("{name:?} {error}")))?;
    if !is_engine_url(&url) {
        return Err(InvalidHost::new(index, url_key, format!("{url:?} must be {URL_FORM}")));
    }
    if certs.is_some() && !takes_certs(&url) {
        return Err(InvalidHost::new(index, ".certs", "is for tcp://host:port only"));
    }
    let named = |certs: String| {
        let wrong = |error| InvalidHost::new(index, ".certs", format!("{certs:?} {error}"));
        certs.parse().map_err(wrong)
    };
    if oci_runtime.as_ref().is_some_and(String::is_empty) {
        return Err(InvalidHost::new(
            index,
            ".oci_runtime",
            "is empty: leave it out for the engine's default",
        ));
    }
    Ok(ConfiguredHost { name, url, certs: certs.map(named).transpose()?, slots, oci_runtime })
}

impl InvalidHost {
    fn new(index: usize, key: &'static str, problem: impl Into<String>) -> Self {
        Self { index, key, problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::DockerSettings;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        let settings: Result<DockerSettings, _> = toml::from_str(text);
        let settings = settings.map_err(|error| error.message().to_owned())?;
        Ok(settings.hosts.into_iter().map(|host| (host.name.to_string(), host.url)).collect())
    }

    fn named(name: &str, url: &str) -> String {
        format!("[[hosts]]\nname = '{name}'\nurl = '{url}'\n")
    }

    fn pair(name: &str, url: &str) -> (String, String) {
        (name.to_owned(), url.to_owned())
    }

    #[test]
    fn without_any_the_local_engine_is_the_host_local() {
        assert_eq!(read("hosts = []"), Ok(vec![pair("local", "unix:///var/run/docker.sock")]));
    }

    #[test]
    fn hosts_that_are_urls_alone_are_numbered() {
        assert_eq!(
            read("hosts = ['unix:///a', 'tcp://b:1']"),
            Ok(vec![pair("host-1", "unix:///a"), pair("host-2", "tcp://b:1")])
        );
    }

    #[test]
    fn hosts_have_the_names_and_slots_that_they_are_given() {
        let text = named("near", "unix:///a") + "slots = 3\n" + &named("far", "tcp://b:1");
        let settings: DockerSettings = toml::from_str(&text).unwrap();
        let slots: Vec<Option<u32>> =
            settings.hosts.iter().map(|host| host.slots.map(std::num::NonZeroU32::get)).collect();

        assert_eq!(read(&text), Ok(vec![pair("near", "unix:///a"), pair("far", "tcp://b:1")]));
        assert_eq!(slots, [Some(3), None]);
    }

    #[test]
    fn the_certificates_of_a_host_are_in_a_folder_below_that_of_all() {
        let text =
            format!("certs_dir = '/etc/guichet/certs'\n{}certs = 'judge'\n", named("far", "tcp://b:1"));
        let settings: DockerSettings = toml::from_str(&text).unwrap();
        let endpoint = settings.hosts[0].endpoint(&settings.certs_dir);

        assert_eq!(endpoint.url, "tcp://b:1");
        assert_eq!(endpoint.certs, Some("/etc/guichet/certs/judge".into()));
    }

    #[test]
    fn what_is_wrong_with_a_host_is_told_with_its_place() {
        let fault = |text: &str| read(text).unwrap_err();
        let first = named("near", "unix:///a");

        assert_eq!(
            fault(&(first.clone() + &named("Far", "tcp://b:1"))),
            "docker.hosts[1].name \"Far\" must be 1 to 63 characters of a-z 0-9 -, the first no hyphen"
        );
        assert_eq!(
            fault(&named("a", "http://b:1")),
            "docker.hosts[0].url \"http://b:1\" must be unix:///path or tcp://host:port"
        );
        assert_eq!(
            fault("hosts = ['/var/run/docker.sock']"),
            "docker.hosts[0] \"/var/run/docker.sock\" must be unix:///path or tcp://host:port"
        );
        assert_eq!(
            fault(&(first.clone() + &named("near", "unix:///b"))),
            "docker.hosts[1].name is the name of another host"
        );
        assert_eq!(
            fault(&(first.clone() + &named("far", "unix:///a"))),
            "docker.hosts[1].url is the URL of another host"
        );
        assert_eq!(
            fault(&(first.clone() + "certs = 'near'")),
            "docker.hosts[0].certs is for tcp://host:port only"
        );
        assert_eq!(
            fault(&(named("far", "tcp://b:1") + "certs = '../far'")),
            "docker.hosts[0].certs \"../far\" must be 1 to 63 characters of A-Z a-z 0-9 . _ -, the first no dot"
        );
        assert!(fault(&(first.clone() + "slots = 0")).contains("nonzero"));
        assert!(fault(&(first + "ports = 1")).contains("unknown field"));
        assert!(fault("hosts = [7]").contains("a URL, or a table"));
    }
}
