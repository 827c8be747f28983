//! Requests and their answers.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a stream may be quiet: the service writes at least every 15 s.
const QUIET: Duration = Duration::from_secs(40);

/// Names and values behind the `?`.
pub(crate) type Query<'a> = [(&'a str, &'a str)];

/// What a client proves with who it is.
pub enum Token {
    /// The same for all requests.
    Fixed(SecretString),
    /// One for each request.
    Made(Box<dyn Fn() -> Result<SecretString, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>),
}

impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self::Fixed(token.trim().into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// A service that is asked.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    token: Token,
}

impl Client {
    /// A client of the service at `url`, which may have a path; it is not asked yet.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if this machine cannot make connections.
    pub fn new(url: Url, token: impl Into<Token>) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER)
            .read_timeout(QUIET)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| Error::Unreachable { url: url.clone(), source })?;
        Ok(Self { http, url, token: token.into() })
    }

    /// The resource at `path`, whose segments are taken as they are.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Error> {
        let url = self.at(path, &[]);
        self.ask(self.http.get(url.clone()), &url).await
    }

    /// The first entries of a list, at most so many, of however many pages.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        filters: &Query<'_>,
        most: usize,
    ) -> Result<Vec<T>, Error> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut url = self.at(path, filters);
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let mut page: Value = self.ask(self.http.get(url.clone()), &url).await?;
            let entries = page.get_mut("items").map(Value::take).unwrap_or_default();
            items.extend(read::<Vec<T>>(entries)?);
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }

    /// What the service answers to a request with a body.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let url = self.at(path, &[]);
        let body = serde_json::to_string(body).map_err(Error::Unknown)?;
        let request = self.http.request(method, url.clone());
        self.ask(request.header("content-type", "application/json").body(body), &url).await
    }

    /// What the service answers to a request whose body is bytes of that kind.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send_bytes<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        options: &Query<'_>,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<T, Error> {
        let url = self.at(path, options);
        let request = self.http.request(method, url.clone());
        self.ask(request.header("content-type", kind).body(body), &url).await
    }

    /// What the service answers to a request without a body that has it do something.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn act<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        options: &Query<'_>,
    ) -> Result<T, Error> {
        let url = self.at(path, options);
        self.ask(self.http.request(method, url.clone()), &url).await
    }

    /// The bytes at `path`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn bytes(&self, path: &[&str]) -> Result<Vec<u8>, Error> {
        let url = self.at(path, &[]);
        let answer = self.answer(self.http.get(url.clone()), &url).await?;
        let bytes = answer.bytes().await.map_err(|source| unreachable(&url, source))?;
        Ok(bytes.into())
    }

    /// An event stream, behind the event of that id; `None` if nothing follows it. It breaks when nothing comes for a while.
    pub(crate) async fn events(
        &self,
        path: &[&str],
        last_id: Option<&str>,
    ) -> Result<Option<Response>, Error> {
        let url = self.at(path, &[]);
        let mut request = self.http.get(url.clone()).timeout(Duration::MAX);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let answer = self.answer(request, &url).await?;
        Ok((answer.status() != StatusCode::NO_CONTENT).then_some(answer))
    }

    fn at(&self, path: &[&str], query: &Query<'_>) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder, url: &Url) -> Result<T, Error> {
        let answer = self.answer(request, url).await?;
        let text = answer.text().await.map_err(|source| unreachable(url, source))?;
        let text = if text.is_empty() { "null" } else { &text };
        let answer: Value = serde_json::from_str(text)
            .map_err(|error| Error::Foreign { url: url.clone(), reason: error.to_string() })?;
        read(answer)
    }

    /// An answer that is no refusal.
    async fn answer(&self, request: RequestBuilder, url: &Url) -> Result<Response, Error> {
        let token = match &self.token {
            Token::Fixed(token) => token.clone(),
            Token::Made(make) => make().map_err(Error::NoToken)?,
        };
        let request = request.bearer_auth(token.expose_secret());
        let answer = request.send().await.map_err(|source| unreachable(url, source))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.map_err(|source| unreachable(url, source))?;
        Err(match serde_json::from_str(&text) {
            Ok(problem) => Error::Refused(Box::new(problem)),
            Err(_not_ours) => Error::Foreign { url: url.clone(), reason: format!("its status is {status}") },
        })
    }
}

/// An answer as a type of ours.
///
/// # Errors
/// [`Error::Unknown`] if it has something else.
fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(Error::Unknown)
}

fn unreachable(url: &Url, source: reqwest::Error) -> Error {
    Error::Unreachable { url: url.clone(), source: source.without_url() }
}
