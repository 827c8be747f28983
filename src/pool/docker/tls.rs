//! TLS with an engine, in which both sides show a certificate: what the files of a host hold, and what goes wrong.
//!
//! The files are named as Docker's own clients name them. No other authority than that of `ca.pem` is trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, ClientConfig, Error, InconsistentKeys, RootCertStore};

use crate::domain::time::Timestamp;

/// The authorities whose certificates an engine may show.
const AUTHORITIES: &str = "ca.pem";
/// What we show.
const CERTIFICATE: &str = "cert.pem";
/// The key of that.
const KEY: &str = "key.pem";

/// What is wrong with a file whose sections do not end, or hold no Base64: the parser tells them as bytes.
const NO_PEM: &str = "it is no whole PEM file";

/// Why there is no TLS with an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what}")]
    Empty {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// What a file holds cannot be used.
    #[error("{path} cannot be used: {reason}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Our certificate and key are not of one pair.
    #[error("{key} is not the key of {certificate}")]
    OtherKey {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Our certificate has expired.
    #[error("our certificate {path} expired at {at}")]
    OwnExpired {
        /// Its file.
        path: PathBuf,
        /// Its end.
        at: Timestamp,
    },
    /// Our certificate begins later.
    #[error("our certificate {path} is not valid before {at}")]
    OwnNotYetValid {
        /// Its file.
        path: PathBuf,
        /// Its beginning.
        at: Timestamp,
    },
    /// The engine's certificate comes from another authority.
    #[error("no authority in {authorities} has signed the certificate of {place}")]
    OtherAuthority {
        /// Host and port.
        place: String,
        /// The file of those that are trusted.
        authorities: PathBuf,
    },
    /// The engine's certificate is for another name.
    #[error("the certificate of {place} is not for that name, but for {presented}")]
    OtherName {
        /// Host and port.
        place: String,
        /// The names in it.
        presented: String,
    },
    /// The engine's certificate has expired.
    #[error("the certificate of {place} expired at {at}")]
    Expired {
        /// Host and port.
        place: String,
        /// Its end.
        at: Timestamp,
    },
    /// The engine's certificate begins later.
    #[error("the certificate of {place} is not valid before {at}")]
    NotYetValid {
        /// Host and port.
        place: String,
        /// Its beginning.
        at: Timestamp,
    },
    /// The engine's certificate is of no use for another reason.
    #[error("the certificate of {place} is not valid: {reason}")]
    Invalid {
        /// Host and port.
        place: String,
        /// The reason.
        reason: String,
    },
    /// The engine does not take our certificate.
    #[error(
        "{place} refuses our certificate {path} (TLS alert {alert}): is it of an authority that the engine trusts?"
    )]
    Refused {
        /// Host and port.
        place: String,
        /// The file of the certificate.
        path: PathBuf,
        /// The reason that the engine gives.
        alert: String,
    },
    /// Something else than TLS answers.
    #[error("{place} does not speak TLS: an engine does at the port of its --tlsverify")]
    NotSpoken {
        /// Host and port.
        place: String,
    },
    /// Only TLS answers.
    #[error("{place} speaks TLS: name the folder of its certificates in `certs`")]
    Wanted {
        /// Host and port.
        place: String,
    },
    /// The handshake failed otherwise.
    #[error("no TLS with {place}: {reason}")]
    Failed {
        /// Host and port.
        place: String,
        /// What happened.
        reason: String,
    },
}

/// A certificate that ends soon, or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its file, or the engine that shows it.
    pub certificate: String,
    /// Its end.
    pub at: Timestamp,
}

/// The certificates and the key of a host, as they are in its folder now.
pub(super) struct Files {
    folder: PathBuf,
    authorities: Vec<CertificateDer<'static>>,
    trusted: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// Which file is missing, or does not hold what it should.
    pub(super) async fn read(folder: &Path) -> Result<Self, TlsError> {
        let read = async |name| {
            let path = folder.join(name);
            let bytes = tokio::fs::read(&path).await;
            bytes.map_err(|error| TlsError::Unreadable { path, reason: error.to_string() })
        };
        let (authorities, chain, key) =
            (read(AUTHORITIES).await?, read(CERTIFICATE).await?, read(KEY).await?);
        let authorities = certificates(folder.join(AUTHORITIES), &authorities)?;
        let mut trusted = RootCertStore::empty();
        for authority in &authorities {
            trusted.add(authority.clone()).map_err(|error| unusable(folder.join(AUTHORITIES), &error))?;
        }
        let path = folder.join(KEY);
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| match error {
            PemError::NoItemsFound => TlsError::Empty { path, what: "private key without a passphrase" },
            _ => unusable(path, &NO_PEM),
        })?;
        Ok(Self {
            chain: certificates(folder.join(CERTIFICATE), &chain)?,
            folder: folder.to_owned(),
            authorities,
            trusted: Arc::new(trusted),
            key,
        })
    }

    /// The certificates in them that end before `by`.
    pub(super) fn ending(&self, by: Timestamp) -> Vec<Ending> {
        let authorities = self.authorities.iter().map(|authority| (AUTHORITIES, authority));
        let own = self.chain.first().map(|own| (CERTIFICATE, own));
        let ending = |(name, certificate): (&str, &CertificateDer<'_>)| {
            let at = end_before(certificate, &self.trusted, by)?;
            Some(Ending { certificate: self.folder.join(name).display().to_string(), at })
        };
        authorities.chain(own).filter_map(ending).collect()
    }

    /// When the certificate that an engine showed ends, if that is before `by`.
    pub(super) fn end_of(&self, shown: &CertificateDer<'_>, by: Timestamp) -> Option<Timestamp> {
        end_before(shown, &self.trusted, by)
    }

    /// How TLS is spoken with them.
    ///
    /// # Errors
    /// That our certificate is not valid now, or not the key's.
    pub(super) fn config(self) -> Result<ClientConfig, TlsError> {
        let Self { folder, trusted, chain, key, .. } = self;
        let path = folder.join(CERTIFICATE);
        if let Some(own) = chain.first() {
            match validity(own, &trusted, UnixTime::now()) {
                Some(CertificateError::ExpiredContext { not_after, .. }) => {
                    return Err(TlsError::OwnExpired { path, at: timestamp(not_after) });
                }
                Some(CertificateError::NotValidYetContext { not_before, .. }) => {
                    return Err(TlsError::OwnNotYetValid { path, at: timestamp(not_before) });
                }
                Some(_) | None => {}
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(path.clone(), &error))?
            .with_root_certificates(trusted);
        config.with_client_auth_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::OtherKey { certificate: path, key: folder.join(KEY) }
            }
            error => unusable(path, &error),
        })
    }
}

/// TLS that tells whether it is spoken at all: no certificate is trusted.
pub(super) fn config_of_a_question() -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// What an error of TLS with the engine at `place` means, whose files are in `folder`.
pub(super) fn explain(error: &Error, place: &str, folder: &Path) -> TlsError {
    let place = place.to_owned();
    match error {
        Error::InvalidCertificate(error) => match error {
            // An authority of the same name may have another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsError::OtherAuthority { place, authorities: folder.join(AUTHORITIES) }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<_> = presented.iter().map(|name| without_kind(name)).collect();
                TlsError::OtherName { place, presented: names.join(", ") }
            }
            CertificateError::ExpiredContext { not_after, .. } => {
                TlsError::Expired { place, at: timestamp(*not_after) }
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                TlsError::NotYetValid { place, at: timestamp(*not_before) }
            }
            error => TlsError::Invalid { place, reason: error.to_string() },
        },
        Error::AlertReceived(alert) => {
            TlsError::Refused { place, path: folder.join(CERTIFICATE), alert: format!("{alert:?}") }
        }
        Error::InvalidMessage(_) => TlsError::NotSpoken { place },
        error => TlsError::Failed { place, reason: error.to_string() },
    }
}

/// What is wrong with a certificate at that time, as far as it can be told by itself.
///
/// The period is what a verifier looks at first; whom the engine trusts is not known here.
fn validity(
    certificate: &CertificateDer<'_>,
    authorities: &Arc<RootCertStore>,
    at: UnixTime,
) -> Option<CertificateError> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), provider()).build().ok()?;
    match verifier.verify_client_cert(certificate, &[], at) {
        Err(Error::InvalidCertificate(error)) => Some(error),
        Ok(_) | Err(_) => None,
    }
}

fn end_before(
    certificate: &CertificateDer<'_>,
    trusted: &Arc<RootCertStore>,
    by: Timestamp,
) -> Option<Timestamp> {
    let by = Duration::from_millis(u64::try_from(by.millis()).ok()?);
    match validity(certificate, trusted, UnixTime::since_unix_epoch(by)) {
        Some(CertificateError::ExpiredContext { not_after, .. }) => Some(timestamp(not_after)),
        Some(_) | None => None,
    }
}

fn certificates(path: PathBuf, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::Empty { path, what: "certificate" }),
        Ok(found) => Ok(found),
        Err(_broken) => Err(unusable(path, &NO_PEM)),
    }
}

/// A name in a certificate, which comes as `DnsName("judge-2.example")` or `IpAddress(10.0.0.2)`.
fn without_kind(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_kind, inner)| inner.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn unusable(path: PathBuf, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::Unusable { path, reason: error.to_string() }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn timestamp(time: UnixTime) -> Timestamp {
    Timestamp::from_millis(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000))
}
