//! How the judging of an exercise's submissions goes on, for one reader: what is true now, and again when it is not any more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::domain::ids::RejudgeId;
use crate::domain::rejudge::{Rejudge, RejudgeState};
use crate::feed::Bell;
use crate::storage::{self, Rejudges as _, Store};

/// Pause between two looks: a reader is told at most five times a second.
const PAUSE: Duration = Duration::from_millis(220);

type Look = Pin<Box<dyn Future<Output = storage::Result<Option<Rejudge>>> + Send>>;

/// What tells two standings apart.
pub fn mark(of: &Rejudge) -> String {
    format!("{}.{}", of.ended, of.state.name())
}

/// Reads how it stands, each time that it stands otherwise; ends when nothing is judged any more.
pub struct RejudgeFollower {
    storage: Store,
    id: RejudgeId,
    bell: Bell,
    looking: Look,
    is_over: bool,
}

impl RejudgeFollower {
    pub(super) fn new(storage: Store, id: RejudgeId, known: Option<String>) -> Self {
        let looking = Box::pin(look(storage.clone(), id, known, Duration::ZERO));
        Self { storage, id, bell: Bell::default(), looking, is_over: false }
    }

    /// Wakes the task that polls the follower, though there may be nothing to tell.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// How it stands now; `None` if nothing will come.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<storage::Result<Option<Rejudge>>> {
        self.bell.register(context.waker());
        if self.is_over {
            return Poll::Ready(Ok(None));
        }
        let standing = ready!(self.looking.as_mut().poll(context));
        self.is_over = match &standing {
            Ok(Some(rejudge)) => {
                self.looking = Box::pin(look(self.storage.clone(), self.id, Some(mark(rejudge)), PAUSE));
                rejudge.state != RejudgeState::Running
            }
            Ok(None) | Err(_) => true,
        };
        Poll::Ready(standing)
    }
}

/// Looks, at first after `pause`, until it stands otherwise than is known.
async fn look(
    storage: Store,
    id: RejudgeId,
    known: Option<String>,
    pause: Duration,
) -> storage::Result<Option<Rejudge>> {
    tokio::time::sleep(pause).await;
    loop {
        let standing = storage.rejudge_standing(id).await?;
        match &standing {
            Some(rejudge) if known.as_ref() == Some(&mark(rejudge)) => tokio::time::sleep(PAUSE).await,
            Some(_) | None => return Ok(standing),
        }
    }
}

impl std::fmt::Debug for RejudgeFollower {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RejudgeFollower").field("id", &self.id).finish_non_exhaustive()
    }
}
