//! Reading and following submissions.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{App, Caller, Error};
use crate::domain::exercise::SourceFile;
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::submission::State;
use crate::feed::{Follow, Resume};
use crate::storage::{self, ListCursor, Placed, Storage as _, SubmissionFilter};

impl App {
    /// A submission, if the caller may see it.
    pub async fn submission(&self, caller: &Caller, id: SubmissionId) -> Result<Placed, Error> {
        let placed = self.inner.storage.submission(id).await?.ok_or(Error::NotFound)?;
        if caller.sees(&placed.submission.owner) { Ok(placed) } else { Err(Error::NotFound) }
    }

    /// The submission when it has ended, when it is a draft, or when the time is over, whichever comes first.
    ///
    /// * `placed` — as it was just now; a caller who has it may see it.
    pub async fn wait_ended(&self, placed: Placed, at_most: Duration) -> Result<Placed, Error> {
        if !is_worth_waiting(&placed, at_most) {
            return Ok(placed);
        }
        let waiter = self.inner.feed.waiter(placed.submission.id);
        self.wait_for(waiter.ended(), placed, at_most).await
    }

    /// Waits for `ended`, which tells the end of what `placed` was just now.
    pub(super) async fn wait_for(
        &self,
        ended: impl Future<Output = storage::Result<Option<Placed>>>,
        placed: Placed,
        at_most: Duration,
    ) -> Result<Placed, Error> {
        if !is_worth_waiting(&placed, at_most) {
            return Ok(placed);
        }
        let id = placed.submission.id;
        let ended = tokio::select! {
            ended = ended => ended?,
            () = tokio::time::sleep(at_most) => self.inner.storage.submission(id).await?,
            () = self.inner.stopping.cancelled() => self.inner.storage.submission(id).await?,
        };
        ended.ok_or(Error::NotFound)
    }

    /// One file of a submission.
    pub async fn file(&self, caller: &Caller, id: SubmissionId, path: &str) -> Result<SourceFile, Error> {
        self.submission(caller, id).await?;
        self.inner.storage.file(id, path).await?.ok_or(Error::NotFound)
    }

    /// All files of a submission, in their order.
    pub async fn files(&self, caller: &Caller, id: SubmissionId) -> Result<Vec<SourceFile>, Error> {
        self.submission(caller, id).await?;
        Ok(self.inner.storage.files(id).await?)
    }

    /// Submissions that match and that the caller may see, newest first.
    pub async fn submissions(
        &self,
        caller: &Caller,
        mut filter: SubmissionFilter,
        after: Option<ListCursor>,
        limit: u32,
    ) -> Result<Vec<Placed>, Error> {
        if !caller.sees_all() {
            if filter.owner.as_ref().is_some_and(|owner| *owner != caller.subject) {
                return Ok(Vec::new());
            }
            filter.owner = Some(caller.subject.clone());
        }
        Ok(self.inner.storage.list(filter, after, limit).await?)
    }

    /// Follows the log of one submission.
    pub async fn follow(&self, caller: &Caller, id: SubmissionId, from: Resume) -> Result<Follow, Error> {
        self.submission(caller, id).await?;
        Ok(self.inner.feed.follow(id, from).await?)
    }

    /// Cancelled when streams of events are to end: the process stops, and followers were told what had happened before.
    pub fn streams_end(&self) -> &CancellationToken {
        self.inner.feed.ending()
    }

    /// Follows the log of all submissions of `owner`.
    pub fn follow_owner(&self, caller: &Caller, owner: &Owner, from: Resume) -> Result<Follow, Error> {
        if caller.subject != *owner && !caller.acts_for_others() {
            return Err(Error::Forbidden("only a backend or an admin may follow another's submissions"));
        }
        Ok(Follow::Live(self.inner.feed.follow_owner(owner, from)))
    }
}

/// Whether a round goes on that may end in that time.
fn is_worth_waiting(placed: &Placed, at_most: Duration) -> bool {
    let state = &placed.submission.state;
    !at_most.is_zero() && !matches!(state, State::Draft) && !state.is_ended()
}
