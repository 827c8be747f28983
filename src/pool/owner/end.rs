//! The pool's end: what was begun ends, and all containers go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

use super::{Message, Owner};
use crate::clock::Patience;
use crate::pool::hosts::{HostConnection, HostRecord};
use crate::pool::work::{remove_control_groups, sweep_until_gone};

/// Longest time for removing everything at the end.
const CLOSING_DEADLINE: Duration = Duration::from_secs(20);

/// What of it each step has at least.
const LAST_STEP: Duration = Duration::from_secs(5);

impl Owner {
    /// Removes what the pool has, as far as its hosts answer.
    pub(super) async fn close(
        &mut self,
        inbox: &mut mpsc::Receiver<Message>,
        closers: &mut Vec<oneshot::Sender<()>>,
    ) {
        self.machine.close();
        self.reserved.clear();
        self.awaited.clear();
        self.publish();
        self.closing.cancel();
        let mut patience = Patience::new(CLOSING_DEADLINE);
        while self.under_way > 0 {
            tokio::select! {
                Some(message) = inbox.recv() => closers.extend(self.hear(message)),
                () = patience.spent() => break,
            }
        }
        let labels = self.labels.of_instance();
        let connections: Vec<_> =
            self.hosts.values().filter_map(|record| record.connection.clone()).collect();
        let sweeps = connections.iter().map(|connection| sweep_until_gone(connection, &labels));
        let mut patience = Patience::new(patience.left().max(LAST_STEP));
        if patience.wait_for(join_all(sweeps)).await.is_none() {
            for connection in &connections {
                tell_what_is_left(connection, &labels).await;
            }
        }
        let removals = self.hosts_with_image().into_iter();
        let removals =
            removals.map(|(connection, image)| remove_control_groups(connection, image, self.labels));
        let mut patience = Patience::new(patience.left().max(LAST_STEP));
        // What is left then stays, empty, until the data folder is used again.
        let _in_time = patience.wait_for(join_all(removals)).await;
        for connection in connections {
            connection.lost.cancel();
        }
    }

    /// The hosts that some agent image was ready on, each with one: on others no container was made.
    fn hosts_with_image(&self) -> Vec<(Arc<HostConnection>, String)> {
        let with_image =
            |record: &HostRecord| Some((record.connection.clone()?, record.any_agent_image()?.clone()));
        self.hosts.values().filter_map(with_image).collect()
    }
}

async fn tell_what_is_left(connection: &HostConnection, labels: &[String]) {
    match connection.engine.describe(labels).await {
        Ok(left) if left.is_empty() => {}
        Ok(left) => tracing::warn!(
            host = %connection.host,
            containers = left.join(", "),
            "some containers could not be removed; the next start removes them"
        ),
        Err(error) => tracing::warn!(
            host = %connection.host, %error,
            "containers may not be removed; the next start removes them"
        ),
    }
}
