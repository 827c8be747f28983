//! How an engine is reached: by its socket on this machine, or over TCP, plain or with TLS.
//!
//! Connections over TCP are kept and used again. The files for TLS are read for each new one, so that renewed ones
//! count without a restart.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as DockerError;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::Service as _;

use super::tls::{self, Ending, Files, TlsError};
use super::{Error, QUESTION_DEADLINE, within};
use crate::clock::Patience;
use crate::domain::time::Timestamp;
use crate::pool::endpoint::Endpoint;

/// Longest time until a TCP connection stands; shorter than a question's, so that no connection is told from no answer.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// Silence after which a connection is tried.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Connections that are kept while nothing is asked.
const IDLE_CONNECTIONS: usize = 8;

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Why there is no connection to an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// There is no TLS with it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its machine says no: nothing listens there, or we may not use its socket.
    #[error("{place}: {reason}")]
    Refused {
        /// The socket, or host and port.
        place: String,
        /// What the system says.
        reason: String,
    },
    /// There is no way to it.
    #[error("{place}: {reason}")]
    Unreachable {
        /// The socket, or host and port.
        place: String,
        /// What the system says.
        reason: String,
    },
}

impl ConnectError {
    /// What of an error of the client is one of ours, or says that a socket on this machine takes no connection.
    pub(super) fn within(error: &DockerError) -> Option<Self> {
        match error {
            DockerError::IOError { err } => cause::<Self>(err).cloned(),
            DockerError::SocketNotFoundError(path) => {
                Some(Self::Unreachable { place: path.clone(), reason: "there is no such socket".to_owned() })
            }
            DockerError::HyperLegacyError { err } if err.is_connect() => Some(Self::of(err, "its socket")),
            _ => None,
        }
    }

    /// What the system says of a connection that did not come about.
    fn of(error: &(dyn StdError + 'static), place: &str) -> Self {
        let place = place.to_owned();
        let kind = cause::<io::Error>(error).map(io::Error::kind);
        match kind {
            Some(kind @ (io::ErrorKind::ConnectionRefused | io::ErrorKind::PermissionDenied)) => {
                Self::Refused { place, reason: kind.to_string() }
            }
            Some(io::ErrorKind::TimedOut) => {
                let reason = format!("no connection within {CONNECT_DEADLINE:?}");
                Self::Unreachable { place, reason }
            }
            Some(_) | None => Self::Unreachable { place, reason: innermost(error).to_string() },
        }
    }
}

/// Reaches the engine at `endpoint`.
///
/// * `deadline_seconds` — the longest time for one answer, by the client's own clock.
///
/// # Errors
/// Why it cannot be reached, or that it did not answer.
pub(in crate::pool) async fn reach(endpoint: &Endpoint, deadline_seconds: u64) -> Result<Docker, Error> {
    let docker = client(endpoint, deadline_seconds)?;
    let reached = within(QUESTION_DEADLINE, docker.negotiate_version()).await;
    if let (Err(Error::Engine(_)), Some(place), None) = (&reached, endpoint.tcp_place(), &endpoint.certs)
        && speaks_tls(place).await
    {
        return Err(ConnectError::from(TlsError::Wanted { place: place.to_owned() }).into());
    }
    reached
}

fn client(endpoint: &Endpoint, deadline_seconds: u64) -> Result<Docker, Error> {
    let Endpoint { url, certs } = endpoint;
    if url.starts_with("unix://") {
        return Ok(Docker::connect_with_unix(url, deadline_seconds, API_DEFAULT_VERSION)?);
    }
    let place: Arc<str> = endpoint.tcp_place().ok_or_else(|| Error::Address(url.clone()))?.into();
    let scheme = if certs.is_some() { "https" } else { "http" };
    let base = format!("{scheme}://{place}");
    let certs = certs.clone();
    let connector = {
        let (place, certs) = (Arc::clone(&place), certs.clone());
        tower::service_fn(move |uri: Uri| -> Answer<Connection, ConnectError> {
            let (place, certs) = (Arc::clone(&place), certs.clone());
            Box::pin(async move { connect(uri, &place, certs).await })
        })
    };
    let http =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_CONNECTIONS).build(connector);
    let transport = move |request: BollardRequest| -> Answer<_, DockerError> {
        let (answer, place, certs) = (http.request(request), Arc::clone(&place), certs.clone());
        Box::pin(async move {
            answer.await.map_err(|error| {
                // An engine may refuse our certificate when it has taken the first request already.
                let refused = || {
                    let error = cause::<rustls::Error>(&error)?;
                    Some(tls::explain(error, &place, certs.as_deref()?).into())
                };
                match cause::<ConnectError>(&error).cloned().or_else(refused) {
                    Some(known) => DockerError::IOError { err: io::Error::other(known) },
                    None => error.into(),
                }
            })
        })
    };
    Ok(Docker::connect_with_custom_transport(transport, Some(base), deadline_seconds, API_DEFAULT_VERSION)?)
}

async fn connect(uri: Uri, place: &str, certs: Option<PathBuf>) -> Result<Connection, ConnectError> {
    let Some(folder) = certs else {
        let connected = tcp().call(uri).await;
        return Ok(connected.map_err(|error| ConnectError::of(&error, place))?.into());
    };
    let config = Files::read(&folder).await?.config()?;
    let connected = HttpsConnector::from((tcp(), config)).call(uri).await;
    connected.map_err(|error| match cause::<rustls::Error>(&*error) {
        Some(error) => tls::explain(error, place, &folder).into(),
        // What comes from TCP has its own kind of error around it.
        None if error.is::<io::Error>() => {
            let reason = innermost(&*error).to_string();
            TlsError::Failed { place: place.to_owned(), reason }.into()
        }
        None => ConnectError::of(&*error, place),
    })
}

/// The certificates that the engine and we show each other, and those of the authorities, that end before `by`.
///
/// # Errors
/// Why there is no connection.
pub(in crate::pool) async fn ending_certificates(
    endpoint: &Endpoint,
    by: Timestamp,
) -> Result<Vec<Ending>, Error> {
    let (Some(place), Some(folder)) = (endpoint.tcp_place(), &endpoint.certs) else { return Ok(Vec::new()) };
    let Ok(uri) = format!("https://{place}").parse() else { return Ok(Vec::new()) };
    let files = Files::read(folder).await.map_err(ConnectError::from)?;
    let mut ending = files.ending(by);
    let connecting = connect(uri, place, Some(folder.clone()));
    let connected = Patience::new(QUESTION_DEADLINE).wait_for(connecting).await;
    if let MaybeHttpsStream::Https(stream) = connected.ok_or(Error::Silent(QUESTION_DEADLINE))?? {
        let (_, session) = stream.inner().get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let end = shown.and_then(|shown| files.end_of(shown, by));
        ending.extend(end.map(|at| Ending { certificate: place.to_owned(), at }));
    }
    Ok(ending)
}

fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    // Requests to the agent are small and wait for no acknowledgement.
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_DEADLINE));
    connector.set_keepalive(Some(KEEPALIVE));
    connector
}

/// Whether what listens at `place` speaks TLS: it shows a certificate, or says in TLS what it lacks.
async fn speaks_tls(place: &str) -> bool {
    let (Ok(uri), Ok(config)) = (format!("https://{place}").parse(), tls::config_of_a_question()) else {
        return false;
    };
    let mut connector = HttpsConnector::from((tcp(), config));
    let answer = Patience::new(QUESTION_DEADLINE).wait_for(connector.call(uri)).await;
    let Some(Err(error)) = answer else { return false };
    matches!(
        cause::<rustls::Error>(&*error),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
    )
}

/// The first of an error and its causes that is an `E`.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn innermost<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    causes(error).last().unwrap_or(error)
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        // What an error of input and output wraps stands in its place, so it is not its source.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}
