//! The one task that looks at hosts and queue for all who follow them.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;

use super::PAUSE;
use crate::app::App;
use crate::chain::Chain;
use crate::storage::{Change, Storage as _};

/// Pause between two looks if nothing is told to have changed: the age of what is queued and the last minute's ends are
/// told by no hint.
const POLL: Duration = Duration::from_secs(1);

/// Looks while a follower is there; ends when the pool has ended.
pub(super) async fn run(app: &App) {
    let mut followers = app.host_events.followers();
    let mut hosts = app.inner.pool.changes();
    let mut changes = app.inner.storage.changes();
    let mut queue_is_known = true;
    // The app holds the sender.
    while followers.wait_for(|count| *count > 0).await.is_ok() {
        while *followers.borrow_and_update() > 0 {
            // What changes from now on calls for another look.
            hosts.mark_unchanged();
            changes = changes.resubscribe();
            if !look(app, &mut queue_is_known).await {
                return;
            }
            sleep(PAUSE).await;
            tokio::select! {
                changed = hosts.changed() => if changed.is_err() { return },
                () = queue_changed(&mut changes) => {}
                _left = followers.wait_for(|count| *count == 0) => {}
                () = sleep(POLL) => {}
            }
        }
        app.host_events.rest();
    }
}

/// Takes in how hosts and queue are; whether there is a pool.
///
/// * `queue_is_known` — whether it was the last time: that it is not is said once.
async fn look(app: &App, queue_is_known: &mut bool) -> bool {
    let Some(hosts) = app.inner.pool.hosts().await else { return false };
    let queue = app.queue_now().await;
    if let Err(error) = &queue
        && std::mem::replace(queue_is_known, false)
    {
        tracing::warn!(error = %Chain(error), "the queue cannot be told to those who follow the hosts");
    }
    *queue_is_known = queue.is_ok();
    app.host_events.note(hosts, queue.ok());
    true
}

/// Waits until it is told that the queue changed, or something that was told was missed.
async fn queue_changed(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Queued | Change::Unqueued | Change::RoundEnded { .. }) | Err(RecvError::Lagged(_)) => {
                return;
            }
            Ok(Change::Log { .. } | Change::Deleted { .. } | Change::Cancel { .. }) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
