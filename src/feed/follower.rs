//! One open stream: replays a log, then goes live.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::mailboxes::{Mailbox, Topic};
use super::{Feed, Follow, Notice, Position, Resume};
use crate::domain::event::{Event, EventBody, LogPlace};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::queue::PositionReason;
use crate::storage::{self, LogPage, Placed, Storage as _};

/// Events read at one time. An ending event carries a whole result, and each open stream may hold a page.
const PAGE: u32 = 16;

/// Reads a log in order, and the places in between.
#[derive(Debug)]
pub struct Follower {
    feed: Feed,
    topic: Topic,
    mailbox: Arc<Mailbox>,
    from: Resume,
    /// Whether [`Self::from`] was dealt with.
    begun: bool,
    /// How far the log was read.
    after: LogPlace,
    pending: VecDeque<Notice>,
    /// Whether the log was read to its end once.
    live: bool,
    /// Whether it was read to its end, and nobody rang since because it grew.
    caught_up: bool,
    waiting: HashMap<SubmissionId, Waiting>,
}

/// A queued submission as the follower was told.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    round: u32,
    attempt: u32,
    /// The place told last.
    position: Option<u64>,
}

impl Follower {
    /// A follower of one submission, or [`Follow::Ended`] if there is nothing behind the asked place and nothing
    /// will come, also because the log was pruned.
    pub(super) async fn of_submission(feed: Feed, id: SubmissionId, from: Resume) -> storage::Result<Follow> {
        let mut follower = Self::open(feed, Topic::Submission(id), from);
        let after = match from {
            Resume::After(place) => Some(place),
            Resume::Start => Some(LogPlace::Start),
            Resume::Unreadable => None,
        };
        if let Some(place) = after
            && let LogPage::Events(events) = follower.feed.inner.storage.events_since(id, place, 1).await?
            && events.is_empty()
            && follower.is_over(id).await?
        {
            return Ok(Follow::Ended);
        }
        follower.begin().await?;
        Ok(Follow::Live(follower))
    }

    /// A follower of all submissions of an owner.
    pub(super) fn of_owner(feed: Feed, owner: Owner, from: Resume) -> Self {
        Self::open(feed, Topic::Owner(owner), from)
    }

    fn open(feed: Feed, topic: Topic, from: Resume) -> Self {
        let mailbox = feed.inner.mailboxes.open(topic.clone());
        let waiting = HashMap::new();
        Self {
            feed,
            topic,
            mailbox,
            from,
            begun: false,
            after: LogPlace::Start,
            pending: VecDeque::new(),
            live: false,
            caught_up: false,
            waiting,
        }
    }

    /// The next thing to tell, or `None` after the ending event of the last round. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> storage::Result<Option<Notice>> {
        loop {
            if !self.begun {
                self.begin().await?;
            }
            if let Some(notice) = self.pending.pop_front() {
                return Ok(Some(notice));
            }
            // Asked before the log is read: what grows meanwhile is seen the next time.
            let changed = self.mailbox.take_change();
            if (changed || !self.caught_up) && self.read_log().await? {
                return Ok(None);
            }
            if !self.caught_up {
                continue;
            }
            for place in self.mailbox.take_places() {
                self.take_place(place);
            }
            if self.pending.is_empty() {
                self.mailbox.rung().await;
            }
        }
    }

    /// Takes the next page of the log over, or finds that there is none. Whether nothing will come any more.
    async fn read_log(&mut self) -> storage::Result<bool> {
        self.caught_up = false;
        match self.page(self.after).await? {
            LogPage::Unknown => self.reset().await?,
            LogPage::Events(events) if events.is_empty() => {
                self.live = true;
                if let Topic::Submission(id) = self.topic
                    && self.is_over(id).await?
                {
                    // What was written between the two reads is still told.
                    let late = self.page(self.after).await?;
                    return Ok(matches!(late, LogPage::Events(late) if late.is_empty()));
                }
                self.caught_up = true;
            }
            LogPage::Events(events) => {
                for event in events {
                    self.take_event(event);
                }
            }
        }
        Ok(false)
    }

    /// Finds out where to start.
    async fn begin(&mut self) -> storage::Result<()> {
        match (self.from, self.topic.clone()) {
            (Resume::Start, Topic::Submission(id)) => self.feed.tell_places_of(vec![id]),
            (Resume::Start, Topic::Owner(_)) => self.snapshot().await?,
            (Resume::After(place), Topic::Submission(id)) => {
                let placed = self.feed.inner.storage.submission(id).await?;
                self.expect_places(placed.as_slice());
                self.after = place;
            }
            (Resume::After(place), Topic::Owner(owner)) => {
                let unfinished = self.feed.inner.storage.unfinished(&owner).await?;
                self.expect_places(&unfinished.items);
                self.after = place;
            }
            (Resume::Unreadable, _) => self.reset().await?,
        }
        self.begun = true;
        Ok(())
    }

    async fn reset(&mut self) -> storage::Result<()> {
        self.waiting.clear();
        self.live = false;
        match &self.topic {
            Topic::Submission(_) => {
                self.after = LogPlace::Start;
                self.pending.push_back(Notice::Reset);
            }
            Topic::Owner(_) => {
                let told = self.pending.len();
                self.snapshot().await?;
                self.pending.insert(told, Notice::Reset);
            }
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> storage::Result<()> {
        let Topic::Owner(owner) = &self.topic else { return Ok(()) };
        let snapshot = self.feed.inner.storage.unfinished(owner).await?;
        self.expect_places(&snapshot.items);
        for Placed { submission, position } in &snapshot.items {
            // It tells the place, too.
            if let Some(waiting) = self.waiting.get_mut(&submission.id) {
                waiting.position = *position;
            }
        }
        // What comes after it is new.
        self.live = true;
        self.after = snapshot.end;
        self.pending.push_back(Notice::Snapshot { items: snapshot.items, end: snapshot.end });
        Ok(())
    }

    /// Has the places of those be told that are queued, as they are from now on.
    fn expect_places(&mut self, items: &[Placed]) {
        let mut queued = Vec::new();
        for Placed { submission, .. } in items {
            if submission.state.queue_key().is_some() {
                let waiting =
                    Waiting { round: submission.round, attempt: submission.state.attempt(), position: None };
                self.waiting.insert(submission.id, waiting);
                queued.push(submission.id);
            }
        }
        self.feed.tell_places_of(queued);
    }

    async fn page(&self, after: LogPlace) -> storage::Result<LogPage> {
        let storage = &self.feed.inner.storage;
        match &self.topic {
            Topic::Submission(id) => storage.events_since(*id, after, PAGE).await,
            Topic::Owner(owner) => storage.owner_events_since(owner, after, PAGE).await,
        }
    }

    async fn is_over(&self, id: SubmissionId) -> storage::Result<bool> {
        let placed = self.feed.inner.storage.submission(id).await?;
        Ok(placed.is_none_or(|placed| placed.submission.state.is_ended()))
    }

    fn take_event(&mut self, event: Event) {
        let standing = |position| Waiting { round: event.round, attempt: event.attempt, position };
        match &event.body {
            EventBody::Queued { position, .. } | EventBody::Requeued { position, .. } => {
                self.waiting.insert(event.submission, standing(Some(*position)));
            }
            EventBody::Started { position_before } => {
                if let Some(waiting) = self.waiting.remove(&event.submission)
                    && self.live
                    && waiting.position != Some(*position_before)
                {
                    self.pending.push_back(self.last_place(&event, waiting, *position_before));
                }
            }
            EventBody::Compiled { .. } | EventBody::TestFinished { .. } => {}
            EventBody::Finished { .. } | EventBody::Failed { .. } | EventBody::Cancelled { .. } => {
                self.waiting.remove(&event.submission);
            }
        }
        self.after = match self.topic {
            Topic::Submission(_) => event.place(),
            Topic::Owner(_) => event.owner_place(),
        };
        self.pending.push_back(Notice::Event(event));
    }

    /// The place from which a submission started, which the pushed ones may have skipped.
    fn last_place(&self, started: &Event, waiting: Waiting, position: u64) -> Notice {
        Notice::Position(Position {
            submission: started.submission,
            round: waiting.round,
            attempt: waiting.attempt,
            position,
            eta: self.feed.inner.pace.borrow().eta_if_ready(position),
            // It may have been overtaken by what waits for another runtime.
            reason: match waiting.position {
                Some(told) if told < position => PositionReason::OvertakenByFairness,
                Some(_) | None => PositionReason::AheadLeft,
            },
        })
    }

    /// Tells a place unless it's known, or older than what the log says.
    fn take_place(&mut self, place: Position) {
        let Some(waiting) = self.waiting.get_mut(&place.submission) else { return };
        if (waiting.round, waiting.attempt) != (place.round, place.attempt) {
            return;
        }
        let told = waiting.position.replace(place.position);
        let reason = match told {
            Some(told) if told == place.position && place.reason != PositionReason::SlotsChanged => return,
            Some(told) if told > place.position => PositionReason::AheadLeft,
            Some(_) | None => place.reason,
        };
        self.pending.push_back(Notice::Position(Position { reason, ..place }));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.mailbox = Arc::default();
        self.feed.inner.mailboxes.close(&self.topic);
    }
}
