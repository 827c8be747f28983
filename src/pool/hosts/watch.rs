//! The task that watches one connection to a Docker host.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::HostConnection;
use crate::pool::docker;

/// Time between two questions whether a host answers.
const ROUND: Duration = Duration::from_secs(5);

/// Time after which a host that did not answer is asked again.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Questions without an answer, one after the other, that make a host lost: with a question's own deadline, a
/// host that swallows them is lost within 15 s.
const SILENCES: u32 = 2;

/// What the watch of a host saw.
#[derive(Debug)]
pub enum News {
    /// A container of ours died or was paused.
    Stopped(String),
    /// It did not answer.
    Silent,
    /// It has answered, within this time.
    Answers(Duration),
    /// It is gone; the watch ends.
    Lost,
}

/// The watch of one connection.
pub struct HostWatch {
    connection: Arc<HostConnection>,
    labels: Vec<String>,
    closing: CancellationToken,
}

/// A watch over containers with these labels; ends when the host is lost or removed, or `closing` is cancelled.
pub const fn watch_host(
    connection: Arc<HostConnection>,
    labels: Vec<String>,
    closing: CancellationToken,
) -> HostWatch {
    HostWatch { connection, labels, closing }
}

impl HostWatch {
    /// Tells what it sees; ends when nobody listens.
    pub async fn run<Heard>(self, tell: impl Fn(Arc<HostConnection>, News) -> Heard + Send)
    where
        Heard: Future<Output = bool> + Send,
    {
        let (closing, gone) = (self.closing.clone(), self.connection.gone.clone());
        tokio::select! {
            () = self.watch(tell) => {}
            () = gone.cancelled() => {}
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
        let mut next_round = Instant::now();
        loop {
            tokio::select! {
                stop = stops.next(), if stops_seen => {
                    if let Some(id) = stop {
                        connection.stops.note(&id);
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
            let took = loop {
                let error = match ask(&connection).await {
                    Ok(took) => break took,
                    Err(error) => error,
                };
                tracing::debug!(host = %connection.host, %error, "the Docker host did not answer");
                silences += 1;
                let news = if silences < SILENCES { News::Silent } else { News::Lost };
                if !say(news).await || silences == SILENCES {
                    return;
                }
                sleep(SECOND_LOOK).await;
            };
            if !say(News::Answers(took)).await {
                return;
            }
            if !stops_seen {
                stops.set(connection.engine.stops(&labels).fuse());
                stops_seen = true;
            }
        }
    }
}

/// Asks a host whether it answers; tells how long that took.
async fn ask(connection: &HostConnection) -> Result<Duration, docker::Error> {
    let asked_at = Instant::now();
    connection.engine.ping().await?;
    let (took, host) = (asked_at.elapsed(), connection.host.to_string());
    metrics::histogram!("guichet_host_round_trip_seconds", "host" => host).record(took);
    Ok(took)
}
