//! Keys that tokens are checked with: secrets and public keys from files, sets from an issuer's URL.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, Digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use super::jwks::RemoteSet;
use super::settings::{Algorithm, KeySettings};

/// Least bytes of a secret: as many as the hash is long (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;
/// Least bits of an RSA modulus (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file can't be read or written.
    #[error("cannot use the key file {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no key of its algorithm.
    #[error("{} holds no public key for {}: {reason}", path.display(), algorithm.name())]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// The key's algorithm.
        algorithm: Algorithm,
        /// Why.
        reason: String,
    },
    /// A secret is so short that it could be guessed.
    #[error("the secret in {} is shorter than {MIN_SECRET_BYTES} bytes", path.display())]
    ShortSecret {
        /// Which file.
        path: PathBuf,
    },
    /// An entry of the settings makes no sense.
    #[error("auth.keys[{index}]: {reason}")]
    Settings {
        /// Which entry, from 0.
        index: usize,
        /// Why.
        reason: &'static str,
    },
    /// The client for key sets can't be made.
    #[error("cannot make a client for key sets")]
    Client(#[source] reqwest::Error),
}

/// A key and the one algorithm it is for.
#[derive(Clone)]
pub struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Key {
    /// A secret for `HS256`.
    pub fn from_secret(secret: &[u8]) -> Self {
        Self { algorithm: Algorithm::Hs256, decoding: DecodingKey::from_secret(secret) }
    }

    /// A public key in PEM.
    fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, String> {
        let decoding = match algorithm {
            Algorithm::Hs256 => return Err("HS256 takes a secret_file".to_owned()),
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
            Algorithm::Es256 => DecodingKey::from_ec_pem(pem),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(pem),
        }
        .map_err(|error| error.to_string())?;
        Ok(Self { algorithm, decoding })
    }

    /// A key of an issuer's set, if it is for `algorithm` and for checking signatures (RFC 7517 §4.2 to §4.4).
    pub(super) fn from_jwk(algorithm: Algorithm, jwk: &serde_json::Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
        let says_otherwise = |name: &str, value: &str| jwk.get(name).is_some_and(|said| said != value);
        let verifies = jwk.get("key_ops").is_none_or(|said| {
            said.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
        });
        if says_otherwise("alg", algorithm.name()) || says_otherwise("use", "sig") || !verifies {
            return None;
        }
        let decoding = match algorithm {
            Algorithm::Rs256 if text("kty")? == "RSA" => {
                let modulus = text("n")?;
                if modulus.len() * 6 < MIN_RSA_BITS {
                    return None;
                }
                DecodingKey::from_rsa_components(modulus, text("e")?)
            }
            Algorithm::Es256 if text("kty")? == "EC" && text("crv")? == "P-256" => {
                DecodingKey::from_ec_components(text("x")?, text("y")?)
            }
            Algorithm::EdDsa if text("kty")? == "OKP" && text("crv")? == "Ed25519" => {
                DecodingKey::from_ed_components(text("x")?)
            }
            // A key of another kind; of HS256, a secret, which nobody publishes.
            Algorithm::Hs256 | Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => return None,
        };
        decoding.ok().map(|decoding| Self { algorithm, decoding })
    }
}

#[derive(Debug)]
struct NamedKey {
    kid: Option<String>,
    key: Key,
}

/// All keys of the settings.
#[derive(Debug)]
pub struct Keys {
    fixed: Vec<NamedKey>,
    pub(super) remote: Vec<RemoteSet>,
    /// SHA-256 over what they were read from.
    digest: Digest,
}

impl Keys {
    /// Reads the files that `settings` name; sets are fetched when a token first needs one.
    ///
    /// # Errors
    /// [`KeyError`] for a file that can't be read or holds no key of its algorithm, a short secret, or an entry
    /// that names no source, several, or an id that another has.
    pub fn from_settings(settings: &[KeySettings]) -> Result<Self, KeyError> {
        let mut keys =
            Self { fixed: Vec::new(), remote: Vec::new(), digest: digest::digest(&digest::SHA256, &[]) };
        for (index, entry) in settings.iter().enumerate() {
            match (&entry.secret_file, &entry.pem_file, &entry.jwks_url) {
                (Some(path), None, None) if entry.algorithm == Algorithm::Hs256 => {
                    let secret = read_secret(path)?;
                    keys.mark(entry, &secret);
                    keys.add(index, entry.kid.clone(), Key::from_secret(&secret))?;
                }
                (None, Some(path), None) => {
                    let pem = read(path)?;
                    keys.mark(entry, &pem);
                    let key = Key::from_pem(entry.algorithm, &pem).map_err(|reason| KeyError::NotAKey {
                        path: path.clone(),
                        algorithm: entry.algorithm,
                        reason,
                    })?;
                    keys.add(index, entry.kid.clone(), key)?;
                }
                (None, None, Some(url)) if entry.algorithm != Algorithm::Hs256 => {
                    keys.mark(entry, url.as_bytes());
                    keys.remote.push(
                        RemoteSet::new(url.clone(), entry.algorithm, entry.kid.clone())
                            .map_err(KeyError::Client)?,
                    );
                }
                (Some(_), None, None) => {
                    return Err(KeyError::Settings { index, reason: "secret_file is for HS256 only" });
                }
                (None, None, Some(_)) => {
                    return Err(KeyError::Settings { index, reason: "HS256 takes a secret_file" });
                }
                _ => {
                    let reason = "name one of secret_file, pem_file, jwks_url";
                    return Err(KeyError::Settings { index, reason });
                }
            }
        }
        Ok(keys)
    }

    /// The single secret in a file, without an id: the one that [`super::mint()`] signs with.
    pub fn from_generated(path: &Path) -> Result<Self, KeyError> {
        let secret = read_secret(path)?;
        let fixed = vec![NamedKey { kid: None, key: Key::from_secret(&secret) }];
        Ok(Self { fixed, remote: Vec::new(), digest: digest::digest(&digest::SHA256, &secret) })
    }

    /// What tells these keys from others, without telling them.
    pub(super) fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.digest.as_ref())
    }

    /// Notes one more key in the digest: `source` is what it was read from.
    fn mark(&mut self, entry: &KeySettings, source: &[u8]) {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.digest.as_ref());
        context.update(entry.algorithm.name().as_bytes());
        context.update(
            digest::digest(&digest::SHA256, entry.kid.as_deref().unwrap_or("\0").as_bytes()).as_ref(),
        );
        context.update(digest::digest(&digest::SHA256, source).as_ref());
        self.digest = context.finish();
    }

    fn add(&mut self, index: usize, kid: Option<String>, key: Key) -> Result<(), KeyError> {
        if self.fixed.iter().any(|other| other.kid == kid) {
            let reason = "another key has the same kid (only one may have none)";
            return Err(KeyError::Settings { index, reason });
        }
        self.fixed.push(NamedKey { kid, key });
        Ok(())
    }

    /// The key for a token that names `kid`, or none: then the key without an id, or the only one there is.
    pub(super) fn fixed(&self, kid: Option<&str>) -> Option<&Key> {
        let named = self.fixed.iter().find(|key| key.kid.as_deref() == kid);
        let only = match (self.fixed.as_slice(), kid) {
            ([only], None) if self.remote.is_empty() => Some(only),
            _ => None,
        };
        named.or(only).map(|named| &named.key)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    std::fs::read(path).map_err(|source| KeyError::File { path: path.to_owned(), source })
}

/// The secret in a file, at least 32 bytes, without white space at its end.
pub(super) fn read_secret(path: &Path) -> Result<Vec<u8>, KeyError> {
    let bytes = read(path)?;
    let secret = bytes.trim_ascii_end();
    if secret.len() < MIN_SECRET_BYTES {
        return Err(KeyError::ShortSecret { path: path.to_owned() });
    }
    Ok(secret.to_vec())
}
