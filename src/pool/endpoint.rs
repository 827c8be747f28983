//! Where a Docker engine is, and with which certificates it is spoken to.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hyper::Uri;

use super::docker;
use crate::domain::host::CertsName;
use crate::domain::time::Timestamp;

pub use super::docker::Ending;

/// What the URL of an engine must be, for messages.
pub const URL_FORM: &str = "unix:///path or tcp://host:port";

/// Where an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `unix:///path` or `tcp://host:port`.
    pub url: String,
    /// The folder of `ca.pem`, `cert.pem` and `key.pem`, for TLS on `tcp://`; `None`: plain.
    pub certs: Option<PathBuf>,
}

impl Endpoint {
    /// The engine at `url`, whose certificates are in the folder of that name below `certs_dir`.
    pub fn new(url: &str, certs: Option<&CertsName>, certs_dir: &Path) -> Self {
        Self { url: url.to_owned(), certs: certs.map(|certs| certs_dir.join(certs.as_str())) }
    }

    /// The certificates that end before `by`: the engine's, ours, and the authorities' in `ca.pem`.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn ending_certificates(&self, by: Timestamp) -> Result<Vec<Ending>, docker::Error> {
        docker::ending_certificates(self, by).await
    }

    /// Whether all who reach the engine's port may use it, from other machines, too.
    pub fn is_open(&self) -> bool {
        let uri: Option<Uri> = self.tcp_place().and_then(|place| format!("http://{place}").parse().ok());
        let near = uri.as_ref().and_then(Uri::host).is_none_or(|host| {
            let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        });
        self.certs.is_none() && !near
    }

    /// Host and port of an engine that is reached over TCP.
    pub(super) fn tcp_place(&self) -> Option<&str> {
        self.url.strip_prefix("tcp://")
    }
}

/// Whether an engine can be at `url`: it has the form [`URL_FORM`].
pub fn is_engine_url(url: &str) -> bool {
    let names_a_port = |place: &str| {
        let uri: Result<Uri, _> = format!("http://{place}").parse();
        uri.is_ok_and(|uri| {
            let named = uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16().is_some();
            named && uri.authority().is_some_and(|authority| authority.as_str() == place)
        })
    };
    match url.strip_prefix("unix://") {
        Some(path) => path.starts_with('/'),
        None => url.strip_prefix("tcp://").is_some_and(names_a_port),
    }
}

/// Whether an engine at `url` can be spoken to by TLS.
pub fn takes_certs(url: &str) -> bool {
    url.starts_with("tcp://")
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, is_engine_url};

    #[test]
    fn a_plain_port_of_another_machine_is_open() {
        let is_open = |url: &str, certs: Option<&str>| {
            Endpoint { url: url.to_owned(), certs: certs.map(Into::into) }.is_open()
        };

        assert!(is_open("tcp://judge-2.example:2375", None) && is_open("tcp://[fe80::1]:2375", None));
        assert!(!is_open("tcp://judge-2.example:2376", Some("/certs")));
        for near in ["unix:///a", "tcp://127.0.0.9:1", "tcp://[::1]:1", "tcp://localhost:1"] {
            assert!(!is_open(near, None), "{near}");
        }
    }

    #[test]
    fn the_url_of_an_engine_names_a_socket_or_a_host_and_its_port() {
        for url in ["unix:///a", "tcp://b:1", "tcp://judge-2.example:2376", "tcp://[::1]:2376"] {
            assert!(is_engine_url(url), "{url}");
        }
        let wrong = [
            "",
            "unix://",
            "unix://a",
            "/a",
            "tcp://",
            "tcp://b",
            "tcp://:1",
            "tcp://b:x",
            "tcp://b:1/path",
            "tcp://b:99999",
            "tcp://b c:1",
            "http://b:1",
            "ssh://b:22",
        ];
        for url in wrong {
            assert!(!is_engine_url(url), "{url}");
        }
    }
}
