//! One connected Docker host, and the task that watches it.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::docker::Engine;
use super::transport::{SocketFolder, SocketFolders};

/// Time between two questions whether a host answers.
const ROUND: Duration = Duration::from_secs(5);

/// Time after which a host that did not answer is asked again.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Questions without an answer, one after the other, that make a host lost: with a question's own deadline, a
/// host that swallows them is lost within 15 s.
const SILENCES: u32 = 2;

/// Launches in a row whose agents could not be spoken to over a socket, after which no other tries. Fewer may be
/// something else's fault: a container killed meanwhile, an engine or a machine that has too much to do.
const SETBACKS: u32 = 3;

/// A connection to a host, as long as it holds.
#[derive(Debug)]
pub(super) struct HostConnection {
    pub(super) address: String,
    pub(super) engine: Engine,
    /// Cancelled when the host is lost: whoever waits for something there gives up.
    pub(super) gone: CancellationToken,
    doubts: Notify,
    /// `None` for an engine that is not on this machine, or if there can be no folders.
    sockets: Option<Arc<SocketFolders>>,
    /// Launches since the last one over a socket whose agents had to be spoken to through the engine.
    setbacks: AtomicU32,
}

/// What the watch of a host saw.
#[derive(Debug)]
pub(super) enum News {
    /// A container of ours died or was paused.
    Stopped(String),
    /// It did not answer.
    Silent,
    /// It answers again.
    Answers,
    /// It is gone; the watch ends.
    Lost,
}

impl HostConnection {
    pub(super) fn new(address: String, engine: Engine, sockets: Option<Arc<SocketFolders>>) -> Self {
        let sockets = sockets.filter(|_folders| address.starts_with("unix://"));
        Self {
            address,
            engine,
            gone: CancellationToken::new(),
            doubts: Notify::new(),
            sockets,
            setbacks: AtomicU32::new(0),
        }
    }

    /// Sees to it that there can be folders for containers to share with us, or that none of them tries.
    pub(super) async fn prepare_sockets(&mut self) {
        if let Some(folders) = &self.sockets
            && let Err(reason) = folders.prepare().await
        {
            self.say_that_all_are_attached(&reason);
            self.sockets = None;
        }
    }

    /// A folder for the next container to share with us, unless that is of no use here.
    pub(super) async fn socket_folder(&self) -> Option<SocketFolder> {
        let folders = self.sockets.as_ref().filter(|_| self.setbacks.load(Ordering::Relaxed) < SETBACKS)?;
        let made = folders.make().await;
        made.inspect_err(|reason| self.set_back(reason)).ok()
    }

    /// An agent is spoken to over its socket: what went wrong before was not the host's way.
    pub(super) fn speaks_over_a_socket(&self) {
        // What was given up and told stays so, whoever else was on the way then.
        let _given_up = self.setbacks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |setbacks| {
            (setbacks < SETBACKS).then_some(0)
        });
    }

    /// An agent had to be spoken to through the engine; after a few in a row all are.
    pub(super) fn set_back(&self, reason: &dyn Display) {
        let setbacks = self.setbacks.fetch_add(1, Ordering::Relaxed) + 1;
        if setbacks < SETBACKS {
            tracing::debug!(host = self.address, %reason, "an agent is spoken to through its engine");
        } else if setbacks == SETBACKS {
            self.say_that_all_are_attached(reason);
        }
    }

    fn say_that_all_are_attached(&self, reason: &dyn Display) {
        tracing::info!(
            host = self.address,
            %reason,
            "agents on this Docker host are spoken to through the engine, which takes a little longer"
        );
    }

    /// Lets the watch ask the host at once.
    pub(super) fn doubt(&self) {
        self.doubts.notify_one();
    }
}

/// The watch of one connection.
pub(super) struct HostWatch {
    connection: Arc<HostConnection>,
    labels: Vec<String>,
    closing: CancellationToken,
}

/// A watch over containers with these labels; ends when the host is lost or `closing` is cancelled.
pub(super) const fn watch_host(
    connection: Arc<HostConnection>,
    labels: Vec<String>,
    closing: CancellationToken,
) -> HostWatch {
    HostWatch { connection, labels, closing }
}

impl HostWatch {
    /// Tells what it sees; ends when nobody listens.
    pub(super) async fn run<Heard>(self, tell: impl Fn(Arc<HostConnection>, News) -> Heard + Send)
    where
        Heard: Future<Output = bool> + Send,
    {
        let closing = self.closing.clone();
        tokio::select! {
            () = self.watch(tell) => {}
            () = closing.cancelled() => {}
        }
    }

    async fn watch<Heard>(self, tell: impl Fn(Arc<HostConnection>, News) -> Heard + Send)
    where
        Heard: Future<Output = bool> + Send,
    {
        let Self { connection, labels, .. } = self;
        let say = |news| tell(Arc::clone(&connection), news);
        let mut stops = std::pin::pin!(connection.engine.stops(&labels).fuse());
        let mut stops_seen = true;
        let mut next_round = Instant::now() + ROUND;
        loop {
            tokio::select! {
                stop = stops.next(), if stops_seen => {
                    if let Some(id) = stop {
                        if !say(News::Stopped(id)).await {
                            return;
                        }
                        continue;
                    }
                    stops_seen = false;
                }
                () = sleep_until(next_round) => {}
                () = connection.doubts.notified() => {}
            }
            next_round = Instant::now() + ROUND;
            let mut silences = 0;
            while let Err(error) = connection.engine.ping().await {
                tracing::debug!(host = connection.address, %error, "the Docker host did not answer");
                silences += 1;
                let news = if silences < SILENCES { News::Silent } else { News::Lost };
                if !say(news).await || silences == SILENCES {
                    return;
                }
                sleep(SECOND_LOOK).await;
            }
            if silences > 0 && !say(News::Answers).await {
                return;
            }
            if !stops_seen {
                stops.set(connection.engine.stops(&labels).fuse());
                stops_seen = true;
            }
        }
    }
}
