//! The serve loop: HTTP/1 and HTTP/2 without TLS, with a limit of time for everything a peer may leave undone.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use axum::{Extension, Router, middleware};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use super::framing::{self, Refusals};
use super::request_tasks::RequestTasks;
use super::timer::{Timer, Wait};

/// How long peers may leave things undone, in time that this process lives through.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until a request's head is there, also the first after a quiet time.
    pub head: Duration,
    /// Until a peer takes something of what is written to it.
    pub stalled: Duration,
    /// Until open requests are answered, once the loop is to end.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), stalled: Duration::from_secs(30), end: Duration::from_secs(5) }
    }
}

/// Whether a connection ended because its peer took nothing; each request of the connection has it as an extension.
#[derive(Clone, Debug, Default)]
pub struct Stalled(Arc<AtomicBool>);

impl Stalled {
    /// Whether it did.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Pause after the system refused a connection, as when all file descriptors are in use.
const PAUSE: Duration = Duration::from_millis(100);
/// What a connection of HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Requests of one connection at the same time.
const MAX_H2_STREAMS: u32 = 250;

/// Serves `router` until `stop` is cancelled; ends when the open requests have been answered, or after 5 s.
///
/// Handlers find the peer's address as `ConnectInfo<SocketAddr>` and [`Stalled`] among the extensions, and may take a connection over by an upgrade of
/// HTTP/1.1; what becomes of it then is their concern, but for a peer that takes nothing of what is written to it.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(Patience::default(), listener, router, stop).await;
}

/// [`serve`] with another patience.
pub async fn serve_with(patience: Patience, listener: TcpListener, router: Router, stop: CancellationToken) {
    let refusals = Arc::new(Refusals::default());
    let router = router.layer(middleware::from_fn_with_state(refusals, framing::require_one_meaning));
    let http = Arc::new(Versions::new(patience));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            // What is left of those that ended goes at once, not with the next that comes.
            Some(_ended) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::error!(%error, "cannot accept a connection");
                        tokio::time::sleep(PAUSE).await;
                    }
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection broke at once");
            continue;
        }
        let stalled = Stalled::default();
        let of_connection = (Extension(ConnectInfo(peer)), Extension(stalled.clone()));
        let service = TowerToHyperService::new(of_connection.layer(router.clone()));
        let (http, stop) = (Arc::clone(&http), stop.clone());
        connections.spawn(async move {
            if let Err(error) = http.serve(stream, stalled, service, &stop).await {
                tracing::debug!(error, "a connection broke");
            }
        });
    }
    drop(listener);
    let answered = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience.end, answered).await.is_err() {
        tracing::warn!("some requests were not answered to their end");
    }
}

/// Why a connection ended before its time.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// What serves a connection, by what is known of it.
struct Versions {
    patience: Patience,
    http_1: http1::Builder,
    any: auto::Builder<RequestTasks>,
}

impl Versions {
    fn new(patience: Patience) -> Self {
        let mut http_1 = http1::Builder::new();
        http_1.timer(Timer).header_read_timeout(patience.head).max_buf_size(MAX_HEAD_BYTES);
        let mut any = auto::Builder::new(RequestTasks);
        any.http1()
            .timer(Timer)
            .header_read_timeout(patience.head)
            .max_buf_size(MAX_HEAD_BYTES)
            .http2()
            .timer(Timer)
            .max_concurrent_streams(MAX_H2_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(patience.head)
            .keep_alive_timeout(patience.stalled);
        Self { patience, http_1, any }
    }

    /// Serves one connection to its end, which `stop` brings as soon as no request is open.
    async fn serve<S>(
        &self,
        stream: TcpStream,
        stalled: Stalled,
        service: S,
        stop: &CancellationToken,
    ) -> Result<(), Broken>
    where
        S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Send + 'static,
        S::Future: 'static,
    {
        let begins = tokio::select! {
            begins = beginning(&stream, self.patience.head) => begins?,
            () = stop.cancelled() => return Ok(()),
        };
        let guarded = TokioIo::new(Guarded::new(stream, &self.patience, stalled));
        match begins {
            Beginning::Http1 => {
                let connection = self.http_1.serve_connection(guarded, service).with_upgrades();
                let mut connection = std::pin::pin!(connection);
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => return Ok(ended?),
                    () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
                }
                Ok(connection.await?)
            }
            Beginning::Any => {
                let connection = self.any.serve_connection_with_upgrades(guarded, service);
                let mut connection = std::pin::pin!(connection);
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => return ended,
                    () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
                }
                connection.await
            }
        }
    }
}

/// What a connection's first bytes say.
enum Beginning {
    /// It speaks HTTP/1.
    Http1,
    /// It speaks HTTP/2, or what has come does not tell yet.
    Any,
}

/// Looks at the first bytes and leaves them there. A server that takes them itself to tell the versions apart gives each
/// connection of HTTP/1 twice the buffer to read into.
async fn beginning(stream: &TcpStream, patience: Duration) -> io::Result<Beginning> {
    let mut first = [0; PREFACE.len()];
    let come = tokio::select! {
        come = stream.peek(&mut first) => come?,
        () = Wait::of(patience) => return Err(io::ErrorKind::TimedOut.into()),
    };
    let begins = first.get(..come).unwrap_or_default();
    Ok(if PREFACE.starts_with(begins) { Beginning::Any } else { Beginning::Http1 })
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection that breaks when its peer leaves it undone: the first bytes late, or writes not taken.
struct Guarded<S> {
    stream: S,
    read: usize,
    /// Set until the first bytes are there.
    opening: Option<Wait>,
    patience: Duration,
    /// Set while a write waits for the peer.
    waiting: Option<Wait>,
    stalled: Stalled,
}

impl<S> Guarded<S> {
    fn new(stream: S, patience: &Patience, stalled: Stalled) -> Self {
        let opening = Some(Wait::of(patience.head));
        Self { stream, read: 0, opening, patience: patience.stalled, waiting: None, stalled }
    }

    /// A write's outcome, or an error once the peer has taken nothing for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Wait::of(patience));
        match Pin::new(waiting).poll(context) {
            Poll::Ready(()) => {
                self.stalled.note();
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(opening) = &mut self.opening else { return outcome };
        if outcome.is_pending() && Pin::new(opening).poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let taken = buffer.filled().len().saturating_sub(before);
        self.read = self.read.saturating_add(taken);
        if self.read >= PREFACE.len() {
            self.opening = None;
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::{Guarded, Patience, Stalled};

    const SHORT: Patience = Patience {
        head: Duration::from_millis(20),
        stalled: Duration::from_millis(20),
        end: Duration::from_millis(20),
    };

    #[tokio::test]
    async fn a_write_that_nobody_takes_ends_in_time() {
        let (near, _far) = duplex(16);

        let stalled = Stalled::default();
        let written = Guarded::new(near, &SHORT, stalled.clone()).write_all(&[0; 64]).await;

        assert!(stalled.is_so());
        assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn first_bytes_that_do_not_come_end_the_connection() {
        let (near, mut far) = duplex(16);
        far.write_all(b"PRI").await.unwrap();
        let mut guarded = Guarded::new(near, &SHORT, Stalled::default());
        let mut bytes = [0; 24];

        let read = guarded.read_exact(&mut bytes).await;

        assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        assert!(bytes.starts_with(b"PRI"));
    }
}
