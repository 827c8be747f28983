//! The way in: an upgrade of HTTP/1.1 that becomes a session.
//!
//! Who the peer is plays no part here: a browser can't read why an upgrade was refused, so the answer to a bad token is
//! a packet. Only the origin of a page is looked at, before the upgrade.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;

use super::connection::Connection;
use super::failures::Failures;
use super::settings::{ErrorTarget, Settings};
use crate::app::{App, OpenStreams};
use crate::auth::Verifier;
use crate::shutdown::Tasks;

/// The version of RFC 6455.
const VERSION: HeaderValue = HeaderValue::from_static("13");
/// What a client's key is hashed with (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How long peers may leave things undone.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two pings.
    pub ping: Duration,
    /// Without a pong; looked at with each ping.
    pub mute: Duration,
    /// Until a peer answers a close.
    pub linger: Duration,
    /// Until the peer first proves who he is.
    pub unproven: Duration,
    /// The same for a peer that comes while [`Self::unauthenticated`] others have not proved who they are.
    pub crowded: Duration,
    /// See [`Self::crowded`].
    pub unauthenticated: usize,
    /// Before something that could not be read is read again.
    pub fault: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ping: Duration::from_mins(1),
            mute: Duration::from_secs(90),
            linger: Duration::from_secs(2),
            unproven: Duration::from_mins(10),
            crowded: Duration::from_secs(10),
            unauthenticated: 1000,
            fault: Duration::from_secs(2),
        }
    }
}

/// What every session works with.
#[derive(Debug)]
pub struct Sessions {
    pub(super) app: App,
    pub(super) verifier: Arc<Verifier>,
    pub(super) tasks: Tasks,
    /// Origins of pages that may connect; empty: any.
    origins: Vec<String>,
    /// How an error's target that is a submission is called.
    pub(super) exercise: &'static str,
    pub(super) patience: Patience,
    pub(super) failures: Failures,
    /// Open connections by user.
    pub(super) open: Arc<OpenStreams>,
    /// One handle is here, and one with each connection whose user has not said who he is.
    unauthenticated: Arc<()>,
}

/// A connection whose user has not said who he is.
#[derive(Debug)]
pub struct Unauthenticated {
    _counted: Arc<()>,
    /// How long he may go on.
    pub patience: Duration,
}

impl Sessions {
    /// Sessions on `app` for the users whom `verifier` knows.
    pub fn new(
        app: App,
        verifier: Arc<Verifier>,
        tasks: Tasks,
        settings: &Settings,
        patience: Patience,
    ) -> Arc<Self> {
        Arc::new(Self {
            open: Arc::new(OpenStreams::new(app.budget().clone())),
            app,
            verifier,
            tasks,
            origins: settings.origins.clone(),
            exercise: match settings.error_target {
                ErrorTarget::Exercice => "EXERCICE",
                ErrorTarget::Exercise => "EXERCISE",
            },
            patience,
            failures: Failures::default(),
            unauthenticated: Arc::default(),
        })
    }

    /// Counts one more who has not said who he is.
    pub(super) fn unauthenticated(&self) -> Unauthenticated {
        // The handle kept here belongs to no connection.
        let others = Arc::strong_count(&self.unauthenticated).saturating_sub(1);
        let counted = Arc::clone(&self.unauthenticated);
        let patience = if others < self.patience.unauthenticated {
            self.patience.unproven
        } else {
            self.patience.crowded
        };
        Unauthenticated { _counted: counted, patience }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if self.origins.is_empty() {
            return true;
        }
        // Programs that are no browsers send none; a browser always does.
        headers.get_all(header::ORIGIN).iter().all(|origin| {
            self.origins.iter().any(|admitted| origin.as_bytes().eq_ignore_ascii_case(admitted.as_bytes()))
        })
    }
}

/// Sessions at these paths.
pub fn router(sessions: &Arc<Sessions>, paths: &[String]) -> Router {
    paths
        .iter()
        .fold(Router::new().without_v07_checks(), |router, path| router.route(path, any(open_session)))
        .with_state(Arc::clone(sessions))
}

/// Sessions at every path.
pub fn router_of_any_path(sessions: &Arc<Sessions>) -> Router {
    Router::new().fallback(open_session).with_state(Arc::clone(sessions))
}

async fn open_session(State(sessions): State<Arc<Sessions>>, mut request: Request) -> Response {
    let accept = match check(&sessions, &request) {
        Ok(accept) => accept,
        Err(refusal) => return refusal,
    };
    let address = request
        .extensions()
        .get()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
    let upgrade = hyper::upgrade::on(&mut request);
    let tasks = sessions.tasks.clone();
    tasks.start(async move {
        match upgrade.await {
            Ok(upgraded) => Connection::new(TokioIo::new(upgraded), sessions, address).run().await,
            Err(error) => tracing::debug!(%error, "a websocket was given up before it began"),
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// What a client's key is answered with; else the answer to what is no upgrade to a WebSocket.
#[expect(clippy::result_large_err, reason = "it is answered once and taken apart at once")]
fn check(sessions: &Sessions, request: &Request) -> Result<HeaderValue, Response> {
    let headers = request.headers();
    let is_upgrade = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && names(headers, &header::UPGRADE, "websocket")
        && names(headers, &header::CONNECTION, "upgrade");
    if !is_upgrade {
        let mut response =
            refusal(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: connect with ws:// or wss://\n");
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        return Err(response);
    }
    if !sessions.admits(headers) {
        tracing::info!(origin = ?headers.get(header::ORIGIN), "a page of an origin that is not listed was refused");
        metrics::counter!("guichet_websocket_origins_refused_total").increment(1);
        return Err(refusal(StatusCode::FORBIDDEN, "pages of this origin may not connect\n"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        let mut response = refusal(StatusCode::UPGRADE_REQUIRED, "only version 13 is spoken\n");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, VERSION);
        return Err(response);
    }
    let bad_key = || refusal(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64, once\n");
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else { return Err(bad_key()) };
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => accept_of(key.as_bytes()).ok_or_else(bad_key),
        Ok(_) | Err(_) => Err(bad_key()),
    }
}

/// Whether a header's list has this entry, whatever its case.
fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(wanted))
}

fn accept_of(key: &[u8]) -> Option<HeaderValue> {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    HeaderValue::from_str(&STANDARD.encode(hash.finish())).ok()
}

fn refusal(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::accept_of;

    #[test]
    fn a_key_is_answered_as_in_the_example_of_the_rfc() {
        assert_eq!(accept_of(b"dGhlIHNhbXBsZSBub25jZQ==").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
