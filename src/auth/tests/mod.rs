//! Attacks on tokens, and tokens that are what they should be.

mod published;

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Algorithm, AuthSettings, InvalidToken, KeySettings, Keys, Verified, Verifier};
use super::{generate_key_if_missing, mint};
use crate::app::{Caller, Role};
use crate::domain::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const SECRET: &str = "a secret of at least thirty-two bytes";

fn later(seconds: i64) -> i64 {
    NOW.millis() / 1000 + seconds
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der)).into_bytes()
}

/// A key pair: what an issuer signs with, and what is known here.
struct Pair {
    algorithm: Algorithm,
    signing: EncodingKey,
    public: Vec<u8>,
}

impl Pair {
    fn rsa() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        Self {
            algorithm: Algorithm::Rs256,
            signing: EncodingKey::from_rsa_pem(&pem("PRIVATE KEY", private.as_ref())).unwrap(),
            public: pem("PUBLIC KEY", public.as_ref()),
        }
    }

    fn ec() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = key.to_pkcs8v1().unwrap();
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        Self {
            algorithm: Algorithm::Es256,
            signing: EncodingKey::from_ec_pem(&pem("PRIVATE KEY", private.as_ref())).unwrap(),
            public: pem("PUBLIC KEY", public.as_ref()),
        }
    }

    fn ed() -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        let private: Pkcs8V1Der<'_> = key.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        Self {
            algorithm: Algorithm::EdDsa,
            signing: EncodingKey::from_ed_pem(&pem("PRIVATE KEY", private.as_ref())).unwrap(),
            public: pem("PUBLIC KEY", public.as_ref()),
        }
    }

    fn header(&self) -> Header {
        Header::new(match self.algorithm {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        })
    }

    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..self.header() };
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

fn key_settings(algorithm: Algorithm, kid: Option<&str>) -> KeySettings {
    KeySettings { kid: kid.map(str::to_owned), algorithm, secret_file: None, pem_file: None, jwks_url: None }
}

/// Settings whose keys lie in a folder of their own.
struct House {
    folder: TempDir,
    keys: Vec<KeySettings>,
    auth: AuthSettings,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keys: Vec::new(), auth: AuthSettings::default() }
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(self.keys.len().to_string());
        std::fs::write(&path, content).unwrap();
        path
    }

    fn secret(mut self, kid: Option<&str>, secret: &str) -> Self {
        let secret_file = Some(self.file(secret.as_bytes()));
        self.keys.push(KeySettings { secret_file, ..key_settings(Algorithm::Hs256, kid) });
        self
    }

    fn public(mut self, kid: Option<&str>, algorithm: Algorithm, pem: &[u8]) -> Self {
        let pem_file = Some(self.file(pem));
        self.keys.push(KeySettings { pem_file, ..key_settings(algorithm, kid) });
        self
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(Keys::from_settings(&self.keys).unwrap(), &self.auth)
    }

    async fn verify(&self, token: &str) -> Result<Verified, InvalidToken> {
        self.verifier().verify(token, NOW).await
    }
}

fn claims() -> Value {
    json!({ "sub": "alice", "exp": later(60) })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn by_secret(secret: &str, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(jsonwebtoken::Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A token whose parts are any text, signed with [`SECRET`].
fn raw(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

const HS256: &str = r#"{"alg":"HS256"}"#;

#[tokio::test]
async fn a_token_of_each_algorithm_proves_its_subject() {
    for pair in [Pair::rsa(), Pair::ec(), Pair::ed()] {
        let house = House::new().public(Some("k"), pair.algorithm, &pair.public);

        let verified = house.verify(&pair.sign(Some("k"), &claims())).await.unwrap();

        assert_eq!(verified.caller, Caller { subject: "alice".parse().unwrap(), role: Role::Student });
        assert_eq!(verified.expires_at, Timestamp::from_millis(later(60) * 1000));
    }
}

#[tokio::test]
async fn a_role_is_one_of_four() {
    let house = House::new().secret(None, SECRET);
    let of = async |role: Value| house.verify(&by_secret(SECRET, None, &claims_with("role", role))).await;

    assert_eq!(of(json!("backend")).await.unwrap().caller.role, Role::Backend);
    assert_eq!(of(json!("root")).await, Err(InvalidToken::Claims));
    assert_eq!(of(json!(["admin"])).await, Err(InvalidToken::Claims));
    assert_eq!(of(json!(null)).await, Err(InvalidToken::Claims));
}

#[tokio::test]
async fn a_token_without_signature_proves_nobody() {
    let house = House::new().secret(None, SECRET);
    let payload = claims().to_string();
    for alg in ["none", "None", "nOnE", "", "HS512", "hs256"] {
        let header = json!({ "alg": alg }).to_string();
        let signed = raw(&header, &payload);
        let (unsigned, _) = signed.rsplit_once('.').unwrap();

        assert!(house.verify(&signed).await.is_err(), "{alg}");
        assert!(house.verify(&format!("{unsigned}.")).await.is_err(), "{alg}");
        assert!(house.verify(unsigned).await.is_err(), "{alg}");
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for pair in [Pair::rsa(), Pair::ec(), Pair::ed()] {
        let house = House::new().public(None, pair.algorithm, &pair.public);
        let public = String::from_utf8(pair.public).unwrap();

        let forged = by_secret(&public, None, &claims());

        assert_eq!(house.verify(&forged).await, Err(InvalidToken::Signature));
        assert!(house.verify(&by_secret(public.trim_end(), None, &claims())).await.is_err());
    }
}

#[tokio::test]
async fn a_key_of_another_kind_does_not_fit() {
    let (ec, ed) = (Pair::ec(), Pair::ed());
    let house = House::new().public(Some("k"), Algorithm::Es256, &ec.public);

    assert!(house.verify(&ed.sign(Some("k"), &claims())).await.is_err());
    assert!(house.verify(&Pair::ec().sign(Some("k"), &claims())).await.is_err());
}

#[tokio::test]
async fn a_kid_selects_the_key_and_an_unknown_one_none() {
    let other = "another secret of thirty-two bytes and more";
    let house = House::new().secret(Some("old"), SECRET).secret(Some("new"), other);

    assert!(house.verify(&by_secret(other, Some("new"), &claims())).await.is_ok());
    for kid in [None, Some("old"), Some("../new"), Some("new' OR 1=1 --"), Some("")] {
        assert!(house.verify(&by_secret(other, kid, &claims())).await.is_err(), "{kid:?}");
    }
}

#[tokio::test]
async fn a_header_that_is_ambiguous_or_asks_for_more_is_refused() {
    let house = House::new().secret(Some("k"), SECRET);
    let payload = claims().to_string();
    let headers = [
        r#"{"alg":"HS256","kid":"k","kid":"k"}"#,
        r#"{"alg":"HS256","kid":["k"]}"#,
        r#"{"alg":"HS256","kid":"k","crit":["exp"],"exp":1}"#,
        r#"["HS256"]"#,
        "",
    ];
    for header in headers {
        assert_eq!(house.verify(&raw(header, &payload)).await, Err(InvalidToken::Malformed), "{header}");
    }
}

#[tokio::test]
async fn a_key_in_the_header_is_not_looked_at() {
    let house = House::new().secret(Some("k"), SECRET);
    let stranger = "the secret of another service, long enough";
    let header = Header {
        kid: Some("stranger".to_owned()),
        jku: Some("http://127.0.0.1:9/keys".to_owned()),
        x5u: Some("http://127.0.0.1:9/cert".to_owned()),
        ..Header::new(jsonwebtoken::Algorithm::HS256)
    };
    let token =
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(stranger.as_bytes())).unwrap();

    assert_eq!(house.verify(&token).await, Err(InvalidToken::Signature));
}

#[tokio::test]
async fn a_token_is_valid_in_its_time_only() {
    let house = House::new().secret(None, SECRET);
    let of = async |claims: Value| house.verify(&by_secret(SECRET, None, &claims)).await.map(|_| ());

    assert_eq!(of(claims_with("exp", json!(later(0)))).await, Err(InvalidToken::Expired));
    assert_eq!(of(claims_with("exp", json!(later(-3600)))).await, Err(InvalidToken::Expired));
    assert_eq!(of(claims_with("nbf", json!(later(3600)))).await, Err(InvalidToken::Expired));
    assert_eq!(of(claims_with("nbf", json!(later(30)))).await, Ok(()));
    assert_eq!(of(json!({ "sub": "alice" })).await, Err(InvalidToken::Claims));
}

#[tokio::test]
async fn a_claim_of_another_type_is_not_skipped() {
    let house = House::new().secret(None, SECRET);
    let exp = later(60);
    let payloads = [
        format!(r#"{{"sub":"alice","exp":"{exp}"}}"#),
        format!(r#"{{"sub":"alice","exp":{exp}.5}}"#),
        format!(r#"{{"sub":"alice","exp":[{exp}]}}"#),
        r#"{"sub":"alice","exp":1e400}"#.to_owned(),
        r#"{"sub":"alice","exp":-1}"#.to_owned(),
        r#"{"sub":"alice","exp":9223372036854775807}"#.to_owned(),
        format!(r#"{{"sub":"alice","exp":{exp},"nbf":"0"}}"#),
        format!(r#"{{"sub":"alice","exp":{exp},"iat":"0"}}"#),
        format!(r#"{{"sub":"alice","exp":{exp},"aud":1}}"#),
        format!(r#"{{"sub":"alice","exp":{exp},"iss":["x"]}}"#),
        format!(r#"{{"sub":7,"exp":{exp}}}"#),
        format!(r#"{{"sub":"","exp":{exp}}}"#),
        format!(r#"{{"exp":{exp}}}"#),
        format!(r#"[{{"sub":"alice","exp":{exp}}}]"#),
        format!(r#"{{"sub":"alice","exp":1,"exp":{exp}}}"#),
        "alice".to_owned(),
    ];
    for payload in payloads {
        assert!(house.verify(&raw(HS256, &payload)).await.is_err(), "{payload}");
    }
    assert!(house.verify(&raw(HS256, &claims().to_string())).await.is_ok());
}

#[tokio::test]
async fn issuer_and_audience_are_compared_letter_by_letter() {
    let mut house = House::new().secret(None, SECRET);
    house.auth =
        AuthSettings { issuer: "school".to_owned(), audience: "guichet".to_owned(), ..Default::default() };
    let of = async |iss: Value, aud: Value| {
        let claims = json!({ "sub": "alice", "exp": later(60), "iss": iss, "aud": aud });
        house.verify(&by_secret(SECRET, None, &claims)).await.map(|_| ())
    };

    assert_eq!(of(json!("school"), json!("guichet")).await, Ok(()));
    assert_eq!(of(json!("school"), json!(["x", "guichet"])).await, Ok(()));
    for (iss, aud) in [("School", "guichet"), ("school", "Guichet"), ("", "guichet"), ("school", "")] {
        assert_eq!(of(json!(iss), json!(aud)).await, Err(InvalidToken::Elsewhere), "{iss} {aud}");
    }
    assert!(house.verify(&by_secret(SECRET, None, &claims())).await.is_err());
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let house = House::new().secret(None, SECRET);
    let good = by_secret(SECRET, None, &claims());
    let long = format!("{good}{}", "A".repeat(20_000));
    let padded = format!("{good}=");
    let four = format!("{good}.x");
    for token in ["", ".", "..", "...", "a.b.c", &long, &padded, &four] {
        assert!(house.verify(token).await.is_err(), "{token:.40}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let ec = Pair::ec();
    let settings = |house: &House| Keys::from_settings(&house.keys).map(|_| ()).unwrap_err().to_string();
    let twice = House::new().secret(Some("k"), SECRET).secret(Some("k"), SECRET);
    let short = House::new().secret(None, "short");
    let other_kind = House::new().public(None, Algorithm::Rs256, &ec.public);
    let mut nothing = House::new();
    nothing.keys.push(key_settings(Algorithm::Es256, None));

    assert!(settings(&twice).contains("same kid"));
    assert!(settings(&short).contains("shorter"));
    assert!(settings(&other_kind).contains("no public key for RS256"));
    assert!(settings(&nothing).contains("name one of"));
}

#[tokio::test]
async fn a_minted_token_is_verified_with_the_generated_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    assert!(generate_key_if_missing(&path).unwrap());
    assert!(!generate_key_if_missing(&path).unwrap());
    let caller = Caller { subject: "tina".parse().unwrap(), role: Role::Teacher };
    let settings = AuthSettings { audience: "guichet".to_owned(), ..Default::default() };

    let token = mint(&path, &settings, &caller, Duration::from_mins(1), NOW).unwrap();

    let verifier = Verifier::new(Keys::from_generated(&path).unwrap(), &settings);
    assert_eq!(verifier.verify(&token, NOW).await.unwrap().caller, caller);
    assert_eq!(verifier.verify(&token, NOW.plus(Duration::from_mins(2))).await, Err(InvalidToken::Expired));
}

#[test]
fn the_generated_key_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");

    generate_key_if_missing(&path).unwrap();

    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
