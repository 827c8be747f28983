//! Followers that have just begun, and are to be told where their submissions stand.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::SubmissionId;

/// Queued submissions whose followers have just begun. The lock is held for operations of the list only.
#[derive(Debug, Default)]
pub struct Begun {
    submissions: Mutex<Vec<SubmissionId>>,
}

impl Begun {
    /// Adds some.
    pub fn add(&self, mut submissions: Vec<SubmissionId>) {
        self.lock().append(&mut submissions);
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<SubmissionId> {
        std::mem::take(&mut self.lock())
    }

    /// Locks; what a panicking holder left is still a valid list.
    fn lock(&self) -> MutexGuard<'_, Vec<SubmissionId>> {
        self.submissions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
