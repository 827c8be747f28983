//! Changing submissions that exist: enqueue, new files, cancel.

use super::submit::retry_after_s;
use super::validate::{self, Faults};
use super::{App, Caller, Conflict, Error};
use crate::domain::exercise::SourceFile;
use crate::domain::ids::SubmissionId;
use crate::domain::submission::{StateName, Submission};
use crate::storage::{CancelRequested, Enqueued, FilesReplaced, Placed, Rejudged, Storage as _};

impl App {
    /// Queues a draft, or a new round of an ended submission whose files changed; else nothing happens.
    pub async fn enqueue(&self, caller: &Caller, id: SubmissionId) -> Result<Placed, Error> {
        let placed = self.sent_by(caller, id).await?;
        self.require_runtime(&placed.submission)?;
        let now = self.inner.clock.now();
        match self.inner.storage.enqueue(id, self.inner.caps, self.pace(), now).await? {
            Enqueued::Queued(placed) | Enqueued::Unchanged(placed) => Ok(placed),
            Enqueued::QueueFull => Err(Error::QueueFull { retry_after_s: retry_after_s(&self.pace()) }),
            Enqueued::TooManyQueued => {
                Err(Error::TooManyQueued { retry_after_s: retry_after_s(&self.pace()) })
            }
            Enqueued::NotFound => Err(Error::NotFound),
        }
    }

    /// Queues what finished or failed for a new round, with the newest version of its exercise.
    pub async fn rejudge(&self, caller: &Caller, id: SubmissionId) -> Result<Placed, Error> {
        if !caller.teaches() {
            return Err(Error::Forbidden("a student may not have a submission judged again"));
        }
        let placed = self.submission(caller, id).await?;
        self.require_runtime(&placed.submission)?;
        let now = self.inner.clock.now();
        match self.inner.storage.rejudge(id, self.inner.caps, self.pace(), now).await? {
            Rejudged::Queued(placed) => Ok(*placed),
            Rejudged::Active => Err(Error::Conflict(Conflict::SubmissionActive)),
            Rejudged::NotGraded => Err(Error::Conflict(Conflict::SubmissionNotGraded)),
            Rejudged::QueueFull => Err(Error::QueueFull { retry_after_s: retry_after_s(&self.pace()) }),
            Rejudged::NotFound => Err(Error::NotFound),
        }
    }

    /// A submission that the caller may change as who sent it.
    async fn sent_by(&self, caller: &Caller, id: SubmissionId) -> Result<Placed, Error> {
        let placed = self.submission(caller, id).await?;
        if caller.sends_for(&placed.submission.owner) {
            Ok(placed)
        } else {
            Err(Error::Forbidden("only its owner, a backend or an admin may change or queue a submission"))
        }
    }

    /// Nobody would ever lease what no runtime here can run.
    pub(super) fn require_runtime(&self, submission: &Submission) -> Result<(), Error> {
        if self.inner.runtimes.contains_key(&submission.runtime) {
            Ok(())
        } else {
            Err(Error::field("/runtime", "there is no such runtime any more"))
        }
    }

    /// Replaces the files of a draft or ended submission.
    pub async fn replace_files(
        &self,
        caller: &Caller,
        id: SubmissionId,
        files: Vec<SourceFile>,
    ) -> Result<Placed, Error> {
        let placed = self.sent_by(caller, id).await?;
        if !placed.submission.state.is_editable() {
            return Err(Error::Conflict(Conflict::SubmissionActive));
        }
        let mut faults = Faults::default();
        validate::files(&mut faults, "/files", &files)?;
        if let Some(runtime) = self.inner.runtimes.get(&placed.submission.runtime) {
            validate::entry(&mut faults, "/files", runtime, &files);
        }
        faults.none()?;
        match self.inner.storage.replace_files(id, files, self.inner.clock.now()).await? {
            FilesReplaced::Replaced(placed) => Ok(placed),
            FilesReplaced::Active => Err(Error::Conflict(Conflict::SubmissionActive)),
            FilesReplaced::NotFound => Err(Error::NotFound),
        }
    }

    /// Cancels a submission. When this returns it is cancelled, and no process of it exists any more.
    pub async fn cancel(&self, caller: &Caller, id: SubmissionId) -> Result<Placed, Error> {
        self.submission(caller, id).await?;
        match self.inner.storage.cancel(id, self.inner.clock.now()).await? {
            CancelRequested::Cancelled(placed) => Ok(placed),
            CancelRequested::Ended => Err(Error::Conflict(Conflict::SubmissionEnded)),
            CancelRequested::NotFound => Err(Error::NotFound),
            CancelRequested::Running(_) => {
                crate::failpoint!("cancel_wished");
                // The worker that holds the lease sees the request, kills the run and ends it; the feed tells when.
                let placed = self.inner.feed.waiter(id).ended().await?.ok_or(Error::NotFound)?;
                if placed.submission.state.name() == StateName::Cancelled {
                    Ok(placed)
                } else {
                    Err(Error::Conflict(Conflict::SubmissionEnded))
                }
            }
        }
    }
}
