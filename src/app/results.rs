//! What came of an exercise.

use super::{App, Caller, Error};
use crate::domain::ids::ExerciseId;
use crate::storage::{ExerciseResults, ResultsPage, Storage as _};

impl App {
    /// What each owner reached in an exercise and how often its tests fail, also once it is deleted.
    pub async fn results(
        &self,
        caller: &Caller,
        of: &ExerciseId,
        page: ResultsPage,
    ) -> Result<ExerciseResults, Error> {
        if !caller.sees_all() {
            return Err(Error::Forbidden("a student may not read what others reached"));
        }
        self.inner.storage.results(of, page).await?.ok_or(Error::NotFound)
    }
}
