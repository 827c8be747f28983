//! Waiting for the end of one submission, without reading its log.

use std::sync::Arc;

use super::Feed;
use super::slots::{Slot, Topic};
use crate::domain::ids::SubmissionId;
use crate::storage::{self, Placed, Storage as _};

/// A place among those that are rung for when a round of the submission ends.
#[derive(Debug)]
struct Waiter {
    feed: Feed,
    topic: Topic,
    slot: Arc<Slot>,
}

/// The submission once it has ended, or `None` if there is none.
pub(super) async fn wait(feed: Feed, id: SubmissionId) -> storage::Result<Option<Placed>> {
    let topic = Topic::Submission(id);
    let slot = feed.inner.waiters.open(topic.clone());
    let waiter = Waiter { feed, topic, slot };
    loop {
        match waiter.feed.inner.storage.submission(id).await? {
            Some(placed) if !placed.submission.state.is_ended() => {}
            ended => return Ok(ended),
        }
        waiter.slot.rung().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.slot = Arc::default();
        self.feed.inner.waiters.close(&self.topic);
    }
}
