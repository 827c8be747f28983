//! The key that is made at the first start, and tokens signed with it (`guichet token`).

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::keys::{KeyError, read_secret};
use super::settings::AuthSettings;
use crate::app::Caller;
use crate::domain::time::Timestamp;

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The key can't be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It can't be signed.
    #[error("cannot sign the token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Makes a random secret at `path`, readable by its owner only, unless a file is there. Answers whether it did.
///
/// Two processes that start together agree on one: the file appears whole or not at all.
///
/// # Errors
/// [`KeyError::File`]; no file is left behind then but maybe a `.new` beside it.
pub fn generate_key_if_missing(path: &Path) -> Result<bool, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    if path.try_exists().map_err(failed)? {
        return Ok(false);
    }
    let mut secret = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut secret)
        .map_err(|_source| failed(std::io::Error::other("the system gives no random bytes")))?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(failed)?;
    file.write_all(URL_SAFE_NO_PAD.encode(secret).as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// A token for `caller`, signed with the generated key, valid for `ttl` from `now` on.
///
/// # Errors
/// [`MintError`] if the key can't be read.
pub fn mint(
    key_file: &Path,
    settings: &AuthSettings,
    caller: &Caller,
    ttl: Duration,
    now: Timestamp,
) -> Result<String, MintError> {
    let secret = read_secret(key_file)?;
    let issued_at = now.millis() / 1000;
    let mut claims = json!({
        "sub": caller.subject.as_str(),
        "role": caller.role.name(),
        "iat": issued_at,
        // Rounded up, so that a token lives at least as long as it was asked to.
        "exp": now.plus(ttl).millis().saturating_add(999) / 1000,
    });
    if let Some(claims) = claims.as_object_mut() {
        let names = [("iss", &settings.issuer), ("aud", &settings.audience)];
        for (name, value) in names {
            if !value.is_empty() {
                claims.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&secret))
        .map_err(MintError::Sign)
}
