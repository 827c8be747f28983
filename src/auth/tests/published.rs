//! Keys that an issuer publishes: fetched when needed, not more often than allowed, kept while it is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::{NOW, SECRET, by_secret, claims, claims_with, key_settings, later, pem};
use crate::auth::{Algorithm, AuthSettings, InvalidToken, KeySettings, Keys, Verifier};

/// An issuer that publishes one key, counts who asks, and can be away.
struct Issuer {
    url: String,
    asked: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
    pair: Ed25519KeyPair,
}

impl Issuer {
    async fn start(kid: &'static str) -> Self {
        Self::start_with(kid, json!({})).await
    }

    /// With further members of the published key.
    async fn start_with(kid: &'static str, members: Value) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let (asked, away) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let mut key =
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x });
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let secret = json!({ "kty": "oct", "kid": "secret", "k": URL_SAFE_NO_PAD.encode(SECRET) });
        let set = json!({ "keys": [secret, key] });
        let answer = {
            let (asked, away) = (Arc::clone(&asked), Arc::<AtomicBool>::clone(&away));
            move || async move {
                asked.fetch_add(1, Ordering::SeqCst);
                if away.load(Ordering::SeqCst) {
                    Err(axum::http::StatusCode::BAD_GATEWAY)
                } else {
                    Ok(axum::Json(set))
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer);
        tokio_util::task::TaskTracker::new().spawn(crate::http::serve(
            listener,
            router,
            tokio_util::sync::CancellationToken::new(),
        ));
        Self { url, asked, away, pair }
    }

    fn sign(&self, kid: &str, expires_in: i64) -> String {
        let private: Pkcs8V1Der<'_> = self.pair.as_der().unwrap();
        let key = EncodingKey::from_ed_pem(&pem("PRIVATE KEY", private.as_ref())).unwrap();
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(jsonwebtoken::Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims_with("exp", json!(later(expires_in))), &key).unwrap()
    }

    fn verifier(&self) -> Verifier {
        let settings =
            KeySettings { jwks_url: Some(self.url.clone()), ..key_settings(Algorithm::EdDsa, None) };
        Verifier::new(Keys::from_settings(&[settings]).unwrap(), &AuthSettings::default())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_published_key_is_fetched_once_in_ten_minutes() {
    let issuer = Issuer::start("2026").await;
    let verifier = issuer.verifier();
    let token = issuer.sign("2026", 3600);

    verifier.verify(&token, NOW).await.unwrap();
    verifier.verify(&token, NOW.plus(Duration::from_mins(9))).await.unwrap();
    assert_eq!(issuer.asked(), 1);
    verifier.verify(&token, NOW.plus(Duration::from_mins(10))).await.unwrap();

    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn unknown_kids_cause_one_fetch_a_minute() {
    let issuer = Issuer::start("2026").await;
    let verifier = issuer.verifier();
    for kid in ["a", "b", "secret"] {
        assert_eq!(verifier.verify(&issuer.sign(kid, 3600), NOW).await, Err(InvalidToken::Signature));
    }
    assert_eq!(issuer.asked(), 1);

    assert!(verifier.verify(&issuer.sign("a", 3600), NOW.plus(Duration::from_mins(1))).await.is_err());

    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn the_old_set_serves_on_while_the_issuer_is_away() {
    let issuer = Issuer::start("2026").await;
    let verifier = issuer.verifier();
    let token = issuer.sign("2026", 7200);
    verifier.verify(&token, NOW).await.unwrap();

    issuer.away.store(true, Ordering::SeqCst);

    assert!(verifier.verify(&token, NOW.plus(Duration::from_mins(30))).await.is_ok());
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn a_published_secret_is_no_key() {
    let issuer = Issuer::start("2026").await;

    let forged = by_secret(SECRET, Some("secret"), &claims());

    assert_eq!(issuer.verifier().verify(&forged, NOW).await, Err(InvalidToken::Signature));
}

#[tokio::test]
async fn a_published_key_that_is_not_for_checking_signatures_is_none() {
    for (members, is_taken) in [
        (json!({ "key_ops": ["verify"] }), true),
        (json!({ "key_ops": ["sign", "verify"] }), true),
        (json!({ "key_ops": ["sign"] }), false),
        (json!({ "key_ops": [] }), false),
        (json!({ "key_ops": "verify" }), false),
        (json!({ "key_ops": null }), false),
        (json!({ "use": "enc" }), false),
        (json!({ "alg": "ES256" }), false),
    ] {
        let issuer = Issuer::start_with("2026", members.clone()).await;

        let outcome = issuer.verifier().verify(&issuer.sign("2026", 3600), NOW).await;

        assert_eq!(outcome.is_ok(), is_taken, "{members}");
    }
}
