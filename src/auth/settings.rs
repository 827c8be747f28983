//! What the settings say about tokens: `auth.keys`, `auth.issuer`, `auth.audience`.

use std::path::PathBuf;

use serde::Deserialize;

/// A signature algorithm; each key is pinned to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Its name in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// One entry of `auth.keys`; exactly one of the three sources is named.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The key's id. With a `jwks_url`: take only that key of the set.
    pub kid: Option<String>,
    /// The algorithm its tokens must use.
    pub algorithm: Algorithm,
    /// File with the secret of `HS256`, at least 32 bytes; white space at its end doesn't count.
    pub secret_file: Option<PathBuf>,
    /// File with a public key in PEM.
    pub pem_file: Option<PathBuf>,
    /// Where the issuer publishes its public keys (`http` or `https`).
    pub jwks_url: Option<String>,
}

/// The table `auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// Keys that tokens may be signed with; none: a generated one.
    pub keys: Vec<KeySettings>,
    /// What `iss` must be; empty: anything.
    pub issuer: String,
    /// What `aud` must be or contain; empty: anything.
    pub audience: String,
}
