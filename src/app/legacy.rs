//! What original backends ask for: to run what they stored before, here or in the inbox, by the id they gave it.

use tokio::sync::broadcast;

use super::submit::Submit;
use super::validate::{Faults, MAX_FILES, MAX_FILES_BYTES, MAX_PATH_BYTES};
use super::{App, Caller, Error, Role};
use crate::domain::ids::{BackendName, LegacyId, Owner, SubmissionId};
use crate::domain::submission::LegacyRef;
use crate::feed::RefusedDraft;
use crate::storage::{DraftBounds, Intake, LegacyDraft, LegacyEnqueued, Storage as _};

/// How much of a draft in the inbox is read: what a submission may have.
const BOUNDS: DraftBounds =
    DraftBounds { files: MAX_FILES, bytes: MAX_FILES_BYTES, path_bytes: MAX_PATH_BYTES };
/// Faults of a draft that are named; the first ones say what is wrong.
const NAMED_FAULTS: usize = 3;

/// What became of a backend's wish to run what it stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyEnqueue {
    /// It entered the queue: for the first time, or with other files than those it was graded with.
    Enqueued(SubmissionId),
    /// It is queued or running, or ended with the files it has: nothing happened.
    Duplicate(SubmissionId),
    /// Nothing with that id is stored.
    Unknown,
    /// What is stored can't be run; its owner was told.
    Invalid {
        /// Whose it is, if that can be said.
        owner: Option<Owner>,
        /// What is wrong, for the log: names and rules, nothing of a program.
        reason: String,
    },
}

impl App {
    /// Queues what a backend stored under its own id, past the limits of the queue.
    ///
    /// A draft in the inbox is held to all rules of [`App::submit`] and taken in. Two equal requests at the same time are
    /// one: the second caller finds the submission queued.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database can't be reached; nothing happened then, and the wish may be repeated.
    pub async fn enqueue_by_legacy_id(
        &self,
        backend: &BackendName,
        legacy_id: &LegacyId,
    ) -> Result<LegacyEnqueue, Error> {
        let legacy = LegacyRef { backend: backend.clone(), legacy_id: legacy_id.clone() };
        let enqueue = loop {
            // Another turn only if the backend wrote to its draft while that was checked.
            if let Some(enqueue) = self.try_enqueue(&legacy).await? {
                break enqueue;
            }
        };
        if let LegacyEnqueue::Invalid { owner: Some(owner), .. } = &enqueue {
            let refused = RefusedDraft { owner: owner.clone(), legacy_id: legacy_id.clone() };
            self.inner.feed.refuse_draft(refused);
        }
        Ok(enqueue)
    }

    /// Drafts that [`App::enqueue_by_legacy_id`] refuses from now on.
    pub fn refused_drafts(&self) -> broadcast::Receiver<RefusedDraft> {
        self.inner.feed.refused_drafts()
    }

    async fn try_enqueue(&self, legacy: &LegacyRef) -> Result<Option<LegacyEnqueue>, Error> {
        let standing = self.inner.storage.legacy_standing(legacy, BOUNDS).await?;
        let stored = standing.stored.map(|placed| placed.submission);
        if let Some(active) = stored.as_ref().filter(|submission| !submission.state.is_editable()) {
            return Ok(Some(LegacyEnqueue::Duplicate(active.id)));
        }
        let owner = match (&standing.draft, &stored) {
            (Some(draft), _) => draft.owner.parse().ok(),
            (None, Some(submission)) => Some(submission.owner.clone()),
            (None, None) => return Ok(Some(LegacyEnqueue::Unknown)),
        };
        let checked = match (standing.draft, &stored) {
            (Some(draft), _) => self.intake(legacy, draft).await.map(Some),
            (None, Some(submission)) => self.require_runtime(submission).map(|()| None),
            (None, None) => Ok(None),
        };
        let intake = match checked {
            Ok(intake) => intake,
            Err(Error::Invalid { errors, .. }) => {
                let named: Vec<_> = errors
                    .iter()
                    .take(NAMED_FAULTS)
                    .map(|fault| format!("{} {}", fault.pointer, fault.message))
                    .collect();
                return Ok(Some(LegacyEnqueue::Invalid { owner, reason: named.join("; ") }));
            }
            Err(Error::TooLarge(reason)) => return Ok(Some(LegacyEnqueue::Invalid { owner, reason })),
            Err(other) => return Err(other),
        };
        let now = self.inner.clock.now();
        crate::failpoint!("draft_checked");
        let enqueued = self.inner.storage.enqueue_by_legacy(legacy, intake, self.pace(), now).await?;
        crate::failpoint!("draft_queued");
        Ok(match enqueued {
            LegacyEnqueued::Queued(id) => Some(LegacyEnqueue::Enqueued(id)),
            LegacyEnqueued::Unchanged(id) => Some(LegacyEnqueue::Duplicate(id)),
            LegacyEnqueued::Unknown => Some(LegacyEnqueue::Unknown),
            LegacyEnqueued::InboxChanged => None,
            LegacyEnqueued::BelongsElsewhere => {
                let reason = "the id belongs to a submission of another owner or exercise".to_owned();
                Some(LegacyEnqueue::Invalid { owner, reason })
            }
        })
    }

    /// A draft of the inbox as the submission that it asks for.
    async fn intake(&self, legacy: &LegacyRef, draft: LegacyDraft) -> Result<Intake, Error> {
        let Some(files) = draft.files.clone() else {
            return Err(Error::TooLarge(format!(
                "a draft may have {MAX_FILES} files of {MAX_FILES_BYTES} bytes together, and paths of {MAX_PATH_BYTES} bytes"
            )));
        };
        let mut faults = Faults::default();
        let submission = match faults.parse::<Owner>("/owner", &draft.owner) {
            Some(subject) => {
                let request = Submit {
                    exercise_id: Some(draft.exercise_id.clone()),
                    runtime: draft.runtime.clone(),
                    files,
                    backend: Some(legacy.backend.to_string()),
                    legacy_id: Some(legacy.legacy_id.to_string()),
                    enqueue: true,
                    ..Submit::default()
                };
                self.check(&Caller { subject, role: Role::Backend }, request, "", &mut faults).await?
            }
            None => None,
        };
        faults.none()?;
        let submission = submission.ok_or_else(|| Error::field("", "asks for nothing"))?;
        Ok(Intake { draft, bounds: BOUNDS, submission })
    }
}
