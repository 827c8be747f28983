//! What a user is told, with the names that he knows his submissions by.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;

use crate::app::{self, App, Caller};
use crate::feed::{Follower, Notice};
use crate::legacy::websocket::notifications;

/// A notice, with the name of its submission if it takes one to tell it.
pub(super) type Named = (Notice, Option<String>);
/// What a user is told, in order.
pub(super) type Notices = Pin<Box<dyn Stream<Item = Result<Named, app::Error>> + Send>>;

/// Where a user's notices come from.
pub(super) struct Source {
    app: App,
    caller: Caller,
    follower: Follower,
    /// What the follower told, until the name of its submission is read.
    unnamed: Option<Notice>,
}

impl Source {
    pub(super) const fn new(app: App, caller: Caller, follower: Follower) -> Self {
        Self { app, caller, follower, unnamed: None }
    }

    /// What it tells; after a fault it goes on where it was, a `pause` later.
    pub(super) fn notices(self, pause: Duration) -> Notices {
        let told = futures_util::stream::unfold((self, false), move |(mut source, has_failed)| async move {
            if has_failed {
                tokio::time::sleep(pause).await;
            }
            match source.next().await {
                Ok(named) => Some((Ok(named?), (source, false))),
                Err(error) => Some((Err(error), (source, true))),
            }
        });
        Box::pin(told)
    }

    /// The next notice. A fault loses nothing: it's told the next time.
    async fn next(&mut self) -> Result<Option<Named>, app::Error> {
        loop {
            if self.unnamed.is_none() {
                self.unnamed = self.follower.next().await?;
            }
            let Some(notice) = &self.unnamed else { return Ok(None) };
            let name = match notifications::nameless(notice) {
                Some(id) => match self.app.submission(&self.caller, id).await {
                    Ok(placed) => Some(notifications::name(&placed.submission)),
                    // It was removed just now.
                    Err(app::Error::NotFound) => {
                        self.unnamed = None;
                        continue;
                    }
                    Err(error) => return Err(error),
                },
                None => None,
            };
            return Ok(self.unnamed.take().map(|notice| (notice, name)));
        }
    }
}
