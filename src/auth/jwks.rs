//! An issuer's published keys: fetched when needed, kept for ten minutes, and kept on when the issuer is away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::keys::Key;
use super::settings::Algorithm;
use crate::chain::Chain;
use crate::domain::time::Timestamp;
use crate::json;

/// How long a set is used without asking again.
const FRESH: Duration = Duration::from_mins(10);
/// Least pause between two fetches, whatever tokens ask for.
const PAUSE: Duration = Duration::from_mins(1);
/// Longest a fetch may take.
const FETCH: Duration = Duration::from_secs(5);
/// Longest set that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

type Set = Arc<HashMap<String, Key>>;

/// The keys behind one URL.
#[derive(Debug)]
pub struct RemoteSet {
    url: String,
    algorithm: Algorithm,
    only: Option<String>,
    client: reqwest::Client,
    /// Held while fetching, so that many tokens at once cause one fetch.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Set,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer")]
    Transport(#[from] reqwest::Error),
    #[error("the set is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the answer is no key set")]
    NotASet,
}

impl RemoteSet {
    /// The keys of `algorithm` at `url`; with `only`, just the one of that id.
    pub fn new(url: String, algorithm: Algorithm, only: Option<String>) -> Result<Self, reqwest::Error> {
        let client =
            reqwest::Client::builder().timeout(FETCH).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { url, algorithm, only, client, state: Mutex::default() })
    }

    /// The key with that id, after a fetch if the set is old or lacks it.
    pub async fn key(&self, kid: &str, now: Timestamp) -> Option<Key> {
        if self.only.as_ref().is_some_and(|only| only != kid) {
            return None;
        }
        let mut state = self.state.lock().await;
        let passed = |since: Option<Timestamp>, least: Duration| {
            since.is_none_or(|at| u128::from(now.millis_since(at)) >= least.as_millis())
        };
        let wanted = passed(state.fetched_at, FRESH) || !state.keys.contains_key(kid);
        if wanted && passed(state.tried_at, PAUSE) {
            state.tried_at = Some(now);
            match self.fetch().await {
                Ok(keys) => {
                    state.keys = Arc::new(keys);
                    state.fetched_at = Some(now);
                }
                Err(error) => {
                    tracing::warn!(jwks.url = self.url, error = %Chain(&error), "cannot fetch the key set; the old one stays");
                }
            }
        }
        state.keys.get(kid).cloned()
    }

    async fn fetch(&self) -> Result<HashMap<String, Key>, FetchError> {
        let mut answer = self.client.get(&self.url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let set = json::parse(&body).map_err(|_source| FetchError::NotASet)?;
        let listed = set.get("keys").and_then(serde_json::Value::as_array).ok_or(FetchError::NotASet)?;
        let mut keys = HashMap::new();
        for jwk in listed {
            let kid = jwk.get("kid").and_then(serde_json::Value::as_str);
            if let (Some(kid), Some(key)) = (kid, Key::from_jwk(self.algorithm, jwk)) {
                keys.entry(kid.to_owned()).or_insert(key);
            }
        }
        Ok(keys)
    }
}
