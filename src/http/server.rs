//! The serve loop: HTTP/1 and HTTP/2 without TLS, with a limit of time for everything a peer may leave undone.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router, middleware};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use super::framing;

/// How long peers may leave things undone.
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
/// Bytes that tell HTTP/2 from HTTP/1.
const PREFACE_BYTES: u64 = 24;
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
    let router = router.layer(middleware::from_fn(framing::require_one_meaning));
    let http = builder(&patience);
    let open = GracefulShutdown::new();
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
        let connection = http
            .serve_connection_with_upgrades(TokioIo::new(Guarded::new(stream, &patience, stalled)), service)
            .into_owned();
        let watched = open.watch(connection);
        connections.spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error, "a connection broke");
            }
        });
    }
    drop(listener);
    let answered = async {
        open.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if tokio::time::timeout(patience.end, answered).await.is_err() {
        tracing::warn!("some requests were not answered to their end");
    }
}

fn builder(patience: &Patience) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(patience.head)
        .keep_alive_timeout(patience.stalled);
    builder
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection that breaks when its peer leaves it undone: the first bytes late, or writes not taken.
struct Guarded<S> {
    stream: S,
    read: u64,
    /// Set until the first bytes are there.
    opening: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    /// Set while a write waits for the peer.
    waiting: Option<Pin<Box<Sleep>>>,
    stalled: Stalled,
}

impl<S> Guarded<S> {
    fn new(stream: S, patience: &Patience, stalled: Stalled) -> Self {
        let opening = Some(Box::pin(tokio::time::sleep(patience.head)));
        Self { stream, read: 0, opening, patience: patience.stalled, waiting: None, stalled }
    }

    /// A write's outcome, or an error once the peer has taken nothing for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match waiting.as_mut().poll(context) {
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
        if outcome.is_pending() && opening.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let taken = buffer.filled().len().saturating_sub(before);
        self.read = self.read.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        if self.read >= PREFACE_BYTES {
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
