//! Checking a token: signature first, by the key's own algorithm, then every claim by its exact type.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::{Key, Keys};
use super::settings::{Algorithm, AuthSettings};
use crate::app::{Caller, Role};
use crate::domain::time::Timestamp;
use crate::json;

/// How far a clock of an issuer may be ahead of ours.
const LEEWAY: Duration = Duration::from_mins(1);
/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// A caller and how long his token proves him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who asks.
    pub caller: Caller,
    /// From then on the token is worth nothing.
    pub expires_at: Timestamp,
}

/// Why a token proves nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is no JWT of the compact form, or asks for extensions that nobody knows here.
    #[error("the token is malformed")]
    Malformed,
    /// No key fits, or the signature is not the key's.
    #[error("the token is not signed by a known key")]
    Signature,
    /// It is over, or not valid yet.
    #[error("the token has expired or is not valid yet")]
    Expired,
    /// It is meant for another service or comes from elsewhere.
    #[error("the token is from another issuer or for another audience")]
    Elsewhere,
    /// A claim is missing or says what it can't.
    #[error("a claim of the token is missing or wrong")]
    Claims,
}

/// Checks tokens by the keys and names of the settings.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
    /// Empty: anything.
    issuer: String,
    /// Empty: anything.
    audience: String,
    /// What tells the keys from others.
    fingerprint: String,
}

struct Parts<'a> {
    signed: &'a str,
    header: Map<String, Value>,
    payload: &'a str,
    signature: &'a str,
}

impl Verifier {
    /// A verifier with these keys, and issuer and audience of the settings.
    pub fn new(keys: Keys, settings: &AuthSettings) -> Self {
        let fingerprint = keys.fingerprint();
        Self { keys, issuer: settings.issuer.clone(), audience: settings.audience.clone(), fingerprint }
    }

    /// What tells the keys of the settings from others, without telling them: what is bound to it ends with a change of
    /// them. It stays where an issuer changes the keys that it publishes.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The caller that `token` proves.
    ///
    /// # Errors
    /// [`InvalidToken`] if it proves nobody at `now`.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, InvalidToken> {
        let parts = split(token)?;
        let key = self.key(&parts.header, now).await?;
        check_signature(&key, &parts)?;
        let claims = decode_object(parts.payload)?;
        self.check_names(&claims)?;
        let expires_at = check_times(&claims, now)?;
        Ok(Verified { caller: read_caller(&claims)?, expires_at })
    }

    async fn key(&self, header: &Map<String, Value>, now: Timestamp) -> Result<Key, InvalidToken> {
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str()),
            Some(_) => return Err(InvalidToken::Malformed),
        };
        if let Some(key) = self.keys.fixed(kid) {
            return Ok(key.clone());
        }
        let kid = kid.ok_or(InvalidToken::Signature)?;
        for set in &self.keys.remote {
            if let Some(key) = set.key(kid, now).await {
                return Ok(key);
            }
        }
        Err(InvalidToken::Signature)
    }

    fn check_names(&self, claims: &Map<String, Value>) -> Result<(), InvalidToken> {
        match claims.get("iss") {
            None if self.issuer.is_empty() => {}
            Some(Value::String(said)) if self.issuer.is_empty() || *said == self.issuer => {}
            None | Some(_) => return Err(InvalidToken::Elsewhere),
        }
        let said = match claims.get("aud") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => {
                many.iter().map(Value::as_str).collect::<Option<_>>().ok_or(InvalidToken::Claims)?
            }
            Some(_) => return Err(InvalidToken::Claims),
        };
        if self.audience.is_empty() || said.contains(&self.audience.as_str()) {
            Ok(())
        } else {
            Err(InvalidToken::Elsewhere)
        }
    }
}

fn split(token: &str) -> Result<Parts<'_>, InvalidToken> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(InvalidToken::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(InvalidToken::Malformed)?;
    if payload.contains('.') {
        return Err(InvalidToken::Malformed);
    }
    let header = decode_object(header)?;
    // `crit` asks to refuse the token unless its extensions are understood; none is (RFC 7515 §4.1.11).
    if header.contains_key("crit") {
        return Err(InvalidToken::Malformed);
    }
    Ok(Parts { signed, header, payload, signature })
}

fn decode_object(part: &str) -> Result<Map<String, Value>, InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_source| InvalidToken::Malformed)?;
    match json::parse(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(InvalidToken::Malformed),
    }
}

fn check_signature(key: &Key, parts: &Parts<'_>) -> Result<(), InvalidToken> {
    // The header's algorithm only has to agree with the key's; it never chooses.
    if parts.header.get("alg").and_then(Value::as_str) != Some(key.algorithm.name()) {
        return Err(InvalidToken::Signature);
    }
    let algorithm = match key.algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    };
    match jsonwebtoken::crypto::verify(parts.signature, parts.signed.as_bytes(), &key.decoding, algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(InvalidToken::Signature),
    }
}

fn instant(claim: &Value) -> Result<Timestamp, InvalidToken> {
    let seconds = claim.as_i64().filter(|seconds| *seconds >= 0).ok_or(InvalidToken::Claims)?;
    seconds.checked_mul(1000).map(Timestamp::from_millis).ok_or(InvalidToken::Claims)
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, InvalidToken> {
    let expires_at = instant(claims.get("exp").ok_or(InvalidToken::Claims)?)?;
    if expires_at <= now {
        return Err(InvalidToken::Expired);
    }
    if let Some(not_before) = claims.get("nbf")
        && instant(not_before)? > now.plus(LEEWAY)
    {
        return Err(InvalidToken::Expired);
    }
    if let Some(issued_at) = claims.get("iat")
        && !issued_at.is_number()
    {
        return Err(InvalidToken::Claims);
    }
    Ok(expires_at)
}

fn read_caller(claims: &Map<String, Value>) -> Result<Caller, InvalidToken> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(InvalidToken::Claims)?;
    let subject = subject.parse().map_err(|_source| InvalidToken::Claims)?;
    let role = match claims.get("role") {
        None => Role::Student,
        Some(Value::String(name)) => Role::from_name(name).ok_or(InvalidToken::Claims)?,
        Some(_) => return Err(InvalidToken::Claims),
    };
    Ok(Caller { subject, role })
}
