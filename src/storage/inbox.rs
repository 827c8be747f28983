//! What is said of original backends' ids, and of the drafts that they write into the inbox.

use super::Placed;
use crate::domain::exercise::SourceFile;
use crate::domain::ids::SubmissionId;
use crate::domain::submission::NewSubmission;

/// A draft in the inbox, as an original backend wrote it there. Texts that are no UTF-8 or far too long for what they
/// are stand here as texts that no rule lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyDraft {
    /// Whose it is.
    pub owner: String,
    /// The exercise it is for.
    pub exercise_id: String,
    /// The runtime its program is for.
    pub runtime: String,
    /// The program's files by their paths; `None` if they are more than was to be read.
    pub files: Option<Vec<SourceFile>>,
}

/// How much of a draft in the inbox is read: anybody who shares the database writes there.
#[derive(Clone, Copy, Debug, Default)]
pub struct DraftBounds {
    /// Most files.
    pub files: usize,
    /// Most bytes of their contents together.
    pub bytes: usize,
    /// Most bytes of a path.
    pub path_bytes: usize,
}

/// What is known of an original backend's id, read at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct LegacyStanding {
    /// The submission that has it.
    pub stored: Option<Placed>,
    /// What the inbox holds for it: newer than what is stored.
    pub draft: Option<LegacyDraft>,
}

/// A draft of the inbox that was checked.
#[derive(Clone, Debug)]
pub struct Intake {
    /// As it was read.
    pub draft: LegacyDraft,
    /// How much of it was read.
    pub bounds: DraftBounds,
    /// What it asks for: to be queued, with the id of its backend.
    pub submission: NewSubmission,
}

/// What became of an original backend's wish that a submission enter the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyEnqueued {
    /// It entered the queue (as the first or a new round).
    Queued(SubmissionId),
    /// It was queued or running; or it had ended and has the files it was graded with.
    Unchanged(SubmissionId),
    /// Neither a submission nor a draft in the inbox has the id.
    Unknown,
    /// The inbox holds something else than what was checked: nothing happened.
    InboxChanged,
    /// The submission that has the id is another owner's, or for another exercise: nothing happened.
    BelongsElsewhere,
}
