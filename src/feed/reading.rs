//! What a follower reads from the database until it is live.

use std::time::Duration;

use super::mailboxes::Topic;
use super::{Feed, LogEntry, Resume};
use crate::chain::Chain;
use crate::domain::event::{Event, LogPlace};
use crate::domain::ids::{Owner, SubmissionId};
use crate::storage::{self, LogPage, Placed, Snapshot, Storage as _};

/// Events read at one time. An ending event carries a whole result, and each open stream may hold a page.
const PAGE: u32 = 16;
/// How often it is read again before a database that can't be reached ends a follower's reading; with the pauses, about
/// half a minute.
const TRIES: u32 = 12;
/// Pause before it is read again, doubled each time, and its longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(4));

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// Where to start.
    Begin(Resume),
    /// What stands in the log from there on.
    Page(LogPlace),
}

/// What was read.
pub(super) enum Read {
    /// Submissions whose places are to be told, and the first page.
    Placed {
        /// Those.
        items: Vec<Placed>,
        /// The page.
        then: Box<Read>,
    },
    /// A piece of the log.
    Page {
        /// Where it begins.
        after: LogPlace,
        /// The events, oldest first.
        entries: Vec<LogEntry>,
        /// Whether nothing stood behind it, and something may come.
        is_end: bool,
    },
    /// The log ends there, and nothing will come.
    Over,
    /// The log of a submission can't be continued.
    Reset,
    /// The owner's unfinished submissions.
    Snapshot {
        /// Whether his log can't be continued from where he was.
        is_reset: bool,
        /// Queued and running ones.
        items: Vec<Placed>,
        /// Where his log ended.
        end: LogPlace,
    },
}

/// The same as [`read`], again and again while the database can't be reached, for about half a minute: a reader outlives
/// a fault that passes.
///
/// # Errors
/// The last one.
pub(super) async fn read_patiently(feed: Feed, topic: Topic, what: Reading) -> storage::Result<Read> {
    let mut pause = PAUSE.0;
    for _ in 0..TRIES {
        match read(feed.clone(), topic.clone(), what).await {
            Err(error @ storage::Error::Unavailable(_)) => {
                tracing::debug!(error = %Chain(&error), "a log cannot be read yet");
            }
            done => return done,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
    read(feed, topic, what).await
}

/// Reads from the log of `topic`.
pub(super) async fn read(feed: Feed, topic: Topic, what: Reading) -> storage::Result<Read> {
    // It is never closed; without a permit it is read all the same.
    let _permit = match what {
        Reading::Begin(_) => None,
        Reading::Page(_) => feed.inner.readers.acquire().await.ok(),
    };
    match (what, topic) {
        (Reading::Begin(Resume::Start), Topic::Submission(id)) => {
            feed.tell_places_of(vec![id]);
            of_submission(&feed, id, LogPlace::Start).await
        }
        (Reading::Begin(Resume::After(place)), Topic::Submission(id)) => {
            let placed = feed.inner.storage.submission(id).await?;
            let then = Box::new(of_submission(&feed, id, place).await?);
            Ok(Read::Placed { items: placed.into_iter().collect(), then })
        }
        (Reading::Begin(Resume::Unreadable), Topic::Submission(_)) => Ok(Read::Reset),
        (Reading::Page(after), Topic::Submission(id)) => of_submission(&feed, id, after).await,
        (Reading::Begin(Resume::Start), Topic::Owner(owner)) => snapshot(&feed, &owner, false).await,
        (Reading::Begin(Resume::Unreadable), Topic::Owner(owner)) => snapshot(&feed, &owner, true).await,
        (Reading::Begin(Resume::After(place)), Topic::Owner(owner)) => {
            let unfinished = feed.inner.storage.unfinished(&owner).await?;
            let then = Box::new(of_owner(&feed, &owner, place).await?);
            Ok(Read::Placed { items: unfinished.items, then })
        }
        (Reading::Page(after), Topic::Owner(owner)) => of_owner(&feed, &owner, after).await,
    }
}

async fn of_submission(feed: &Feed, id: SubmissionId, after: LogPlace) -> storage::Result<Read> {
    let storage = &feed.inner.storage;
    let LogPage::Events(events) = storage.events_since(id, after, PAGE).await? else {
        return Ok(Read::Reset);
    };
    if is_whole(&events) {
        return Ok(page(after, events, false));
    }
    // Only behind the end of a round, or of a log that has none, may be nothing to come.
    if events.last().is_none_or(|last| last.body.ends_round()) {
        let placed = storage.submission(id).await?;
        if placed.is_none_or(|placed| placed.submission.state.is_ended()) {
            return over(feed, id, after, events).await;
        }
    }
    Ok(page(after, events, true))
}

/// The end of a log whose submission has ended; what was written between the two reads is still told.
async fn over(feed: &Feed, id: SubmissionId, after: LogPlace, events: Vec<Event>) -> storage::Result<Read> {
    if !events.is_empty() {
        return Ok(page(after, events, false));
    }
    let late = feed.inner.storage.events_since(id, after, PAGE).await?;
    Ok(match late {
        LogPage::Events(late) if late.is_empty() => Read::Over,
        LogPage::Events(late) => page(after, late, false),
        LogPage::Unknown => Read::Reset,
    })
}

async fn of_owner(feed: &Feed, owner: &Owner, after: LogPlace) -> storage::Result<Read> {
    match feed.inner.storage.owner_events_since(owner, after, PAGE).await? {
        LogPage::Unknown => snapshot(feed, owner, true).await,
        LogPage::Events(events) => {
            let is_end = events.is_empty();
            Ok(page(after, events, is_end))
        }
    }
}

async fn snapshot(feed: &Feed, owner: &Owner, is_reset: bool) -> storage::Result<Read> {
    let Snapshot { items, end } = feed.inner.storage.unfinished(owner).await?;
    Ok(Read::Snapshot { is_reset, items, end })
}

fn is_whole(events: &[Event]) -> bool {
    u32::try_from(events.len()).is_ok_and(|read| read >= PAGE)
}

fn page(after: LogPlace, events: Vec<Event>, is_end: bool) -> Read {
    Read::Page { after, entries: events.into_iter().map(LogEntry::from).collect(), is_end }
}
