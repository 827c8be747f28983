//! Which submission the user of an original front end means by an id.

use super::{App, Caller, Error};
use crate::storage::{Placed, Storage as _, SubmissionFilter};

impl App {
    /// The caller's own submission of that name: the newest with it as its backend's id, or the one with it as its id.
    ///
    /// What its role lets a caller see otherwise plays no part here.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if only another user's has it, [`Error::NotFound`] if none has.
    pub async fn own_submission_named(&self, caller: &Caller, name: &str) -> Result<Placed, Error> {
        let storage = &self.inner.storage;
        let named = |owner| async {
            let Ok(legacy_id) = name.parse() else { return Ok(None) };
            let filter =
                SubmissionFilter { owner, legacy_id: Some(legacy_id), ..SubmissionFilter::default() };
            Ok::<_, Error>(storage.list(filter, None, 1).await?.pop())
        };
        if let Some(own) = named(Some(caller.subject.clone())).await? {
            return Ok(own);
        }
        let by_id = match name.parse() {
            Ok(id) => storage.submission(id).await?,
            Err(_) => None,
        };
        match by_id {
            Some(placed) if placed.submission.owner == caller.subject => Ok(placed),
            Some(_) => Err(Error::Forbidden("it belongs to another user")),
            None if named(None).await?.is_some() => Err(Error::Forbidden("it belongs to another user")),
            None => Err(Error::NotFound),
        }
    }
}
