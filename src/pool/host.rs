//! One connected Docker host, and the task that watches it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::docker::Engine;
use super::facts::EngineFacts;
use super::host_view::Warning;
use super::review::review;
use super::transport::Ways;
use crate::clock::Clock;

/// Time between two questions whether a host answers.
const ROUND: Duration = Duration::from_secs(5);

/// Time after which a host that did not answer is asked again.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Questions without an answer, one after the other, that make a host lost: with a question's own deadline, a
/// host that swallows them is lost within 15 s.
const SILENCES: u32 = 2;

/// A connection to a host, as long as it holds.
#[derive(Debug)]
pub(super) struct HostConnection {
    pub(super) address: String,
    pub(super) engine: Engine,
    /// What the engine said about itself.
    pub(super) facts: Arc<EngineFacts>,
    /// What of that an operator should look at.
    pub(super) warnings: Vec<Warning>,
    /// Cancelled when the host is lost: who waits for something there gives up.
    pub(super) gone: CancellationToken,
    doubts: Notify,
    /// How its agents are reached.
    pub(super) ways: Ways,
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
    pub(super) fn new(address: String, engine: Engine, facts: EngineFacts, ways: Ways) -> Self {
        let warnings = Warning::of(review(&facts, Clock::System.now().millis()));
        let facts = Arc::new(facts);
        Self { address, engine, facts, warnings, gone: CancellationToken::new(), doubts: Notify::new(), ways }
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
