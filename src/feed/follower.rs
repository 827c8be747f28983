//! One open stream: replays a log, then goes live.
//!
//! Its mailbox is open before the log is first read, and entries are numbered without gaps: what the log did not show
//! yet waits in the mailbox, what comes twice is passed over, and where one is missing the log is read again.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::mailboxes::{Mailbox, Topic, Waiting as Mail};
use super::reading::{self, Read, Reading};
use super::{Bell, Feed, Follow, LogEntry, Notice, Position, Resume};
use crate::domain::event::{EventBody, LogPlace};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::queue::PositionReason;
use crate::storage::{self, Placed};

/// Reads a log in order, and the places in between.
pub struct Follower {
    feed: Feed,
    topic: Topic,
    mailbox: Arc<Mailbox>,
    state: State,
    /// How far the log was read.
    after: LogPlace,
    pending: VecDeque<Notice>,
    /// Whether it has read anything: who opens it learns at once that the log cannot be read.
    has_read: bool,
    /// Whether the log was read to its end once.
    live: bool,
    /// Whether places were told that may not have been taken over: of what the log had still to say.
    must_ask: bool,
    waiting: HashMap<SubmissionId, Waiting>,
}

/// Where its next notice comes from.
enum State {
    /// From the database, once this is read.
    MustRead(Reading),
    /// From the database.
    Reads(Reading, Pin<Box<dyn Future<Output = storage::Result<Read>> + Send>>),
    /// From the mailbox.
    Live,
    /// Nothing will come.
    Over,
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
        let mut follower = Self::open(feed, Topic::Submission(id), Reading::Begin(from));
        let after = match from {
            Resume::Start => LogPlace::Start,
            Resume::After(place) => place,
            Resume::Unreadable => return Ok(Follow::Live(follower)),
        };
        let begun =
            reading::read(follower.feed.clone(), follower.topic.clone(), Reading::Begin(from)).await?;
        follower.after = after;
        follower.take_read(begun);
        match follower.state {
            State::Over if follower.pending.is_empty() => Ok(Follow::Ended),
            State::MustRead(_) | State::Reads(..) | State::Live | State::Over => Ok(Follow::Live(follower)),
        }
    }

    /// A follower of all submissions of an owner.
    pub(super) fn of_owner(feed: Feed, owner: Owner, from: Resume) -> Self {
        Self::open(feed, Topic::Owner(owner), Reading::Begin(from))
    }

    fn open(feed: Feed, topic: Topic, first: Reading) -> Self {
        let mailbox = feed.inner.mailboxes.open(&topic);
        Self {
            feed,
            topic,
            mailbox,
            state: State::MustRead(first),
            after: LogPlace::Start,
            pending: VecDeque::new(),
            has_read: false,
            live: false,
            must_ask: false,
            waiting: HashMap::new(),
        }
    }

    /// Wakes the task that polls the follower, though there may be nothing to tell.
    pub fn bell(&self) -> Bell {
        self.mailbox.bell().clone()
    }

    /// The next thing to tell, or `None` after the ending event of the last round. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> storage::Result<Option<Notice>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The same, polled. A fault comes at once if nothing was read yet, and later after half a minute in which the log could not
    /// be read; it goes on where it was.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<storage::Result<Option<Notice>>> {
        loop {
            if let Some(notice) = self.pending.pop_front() {
                if self.pending.is_empty() {
                    self.pending = VecDeque::new();
                }
                return Poll::Ready(Ok(Some(notice)));
            }
            match &mut self.state {
                State::Over => return Poll::Ready(Ok(None)),
                State::MustRead(what) => {
                    let (feed, topic, what) = (self.feed.clone(), self.topic.clone(), *what);
                    let read: Pin<Box<dyn Future<Output = _> + Send>> = if self.has_read {
                        Box::pin(reading::read_patiently(feed, topic, what))
                    } else {
                        Box::pin(reading::read(feed, topic, what))
                    };
                    self.state = State::Reads(what, read);
                }
                State::Reads(what, read) => match ready!(read.as_mut().poll(context)) {
                    Ok(read) => self.take_read(read),
                    Err(error) => {
                        self.state = State::MustRead(*what);
                        return Poll::Ready(Err(error));
                    }
                },
                State::Live => {
                    let mail = self.mailbox.take(context.waker());
                    self.take_mail(mail);
                    if self.pending.is_empty() && matches!(self.state, State::Live) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Takes over what was read.
    fn take_read(&mut self, read: Read) {
        self.has_read = true;
        match read {
            Read::Placed { items, then } => {
                self.expect_places(&items);
                self.take_read(*then);
            }
            Read::Page { after, entries, is_end } => {
                self.after = after;
                for entry in entries {
                    self.take_entry(&Arc::new(entry));
                }
                self.state = if is_end { self.go_live() } else { State::MustRead(Reading::Page(self.after)) };
            }
            Read::Over => self.state = State::Over,
            Read::Reset => {
                self.waiting.clear();
                (self.live, self.must_ask) = (false, true);
                self.after = LogPlace::Start;
                self.pending.push_back(Notice::Reset);
                self.state = State::MustRead(Reading::Page(self.after));
            }
            Read::Snapshot { is_reset, items, end } => {
                self.waiting.clear();
                if is_reset {
                    self.pending.push_back(Notice::Reset);
                }
                self.expect_places(&items);
                for Placed { submission, position } in &items {
                    // It tells the place, too.
                    if let Some(waiting) = self.waiting.get_mut(&submission.id) {
                        waiting.position = *position;
                    }
                }
                self.after = end;
                self.pending.push_back(Notice::Snapshot { items, end });
                // What comes after it is new.
                self.state = self.go_live();
            }
        }
    }

    fn go_live(&mut self) -> State {
        self.live = true;
        self.mailbox.note_draft(self.after == LogPlace::Start && matches!(self.topic, Topic::Submission(_)));
        if std::mem::take(&mut self.must_ask) {
            self.feed.tell_places_of(self.waiting.keys().copied().collect());
        }
        State::Live
    }

    /// Takes over what waited in the mailbox: entries first, then places.
    fn take_mail(&mut self, mail: Mail) {
        let Mail { must_read, entries, places } = mail;
        for entry in entries {
            let (seq, next) = (self.place_behind(&entry).seq(), self.after.seq().saturating_add(1));
            if seq > next {
                self.read_again();
                break;
            }
            if seq == next {
                self.take_entry(&entry);
            }
            if entry.ends_log() && seq == self.after.seq() && matches!(self.topic, Topic::Submission(_)) {
                self.state = State::Over;
            }
        }
        if must_read {
            self.read_again();
        }
        for place in places.into_values() {
            self.take_place(place);
        }
    }

    fn read_again(&mut self) {
        self.state = State::MustRead(Reading::Page(self.after));
        self.must_ask = true;
    }

    /// Where its log goes on behind an entry.
    fn place_behind(&self, entry: &LogEntry) -> LogPlace {
        match self.topic {
            Topic::Submission(_) => entry.place(),
            Topic::Owner(_) => entry.owner_place(),
        }
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

    fn take_entry(&mut self, entry: &Arc<LogEntry>) {
        let standing = |position| Waiting { round: entry.round, attempt: entry.attempt, position };
        match &entry.body {
            EventBody::Queued { position, .. } | EventBody::Requeued { position, .. } => {
                self.waiting.insert(entry.submission, standing(Some(*position)));
            }
            EventBody::Started { position_before } => {
                if let Some(waiting) = self.stop_waiting(entry.submission)
                    && self.live
                    && waiting.position != Some(*position_before)
                {
                    self.pending.push_back(self.last_place(entry, waiting, *position_before));
                }
            }
            EventBody::Compiled { .. } | EventBody::TestFinished { .. } | EventBody::Rejudged { .. } => {}
            EventBody::Finished { .. } | EventBody::Failed { .. } | EventBody::Cancelled { .. } => {
                self.stop_waiting(entry.submission);
            }
        }
        self.after = self.place_behind(entry);
        self.pending.push_back(Notice::Event(Arc::clone(entry)));
    }

    fn stop_waiting(&mut self, submission: SubmissionId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&submission);
        if self.waiting.is_empty() {
            self.waiting = HashMap::new();
        }
        waiting
    }

    /// The place from which a submission started, which the pushed ones may have skipped.
    fn last_place(&self, started: &LogEntry, waiting: Waiting, position: u64) -> Notice {
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

impl std::fmt::Debug for Follower {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Follower").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.feed.inner.mailboxes.close(&self.topic, &self.mailbox);
    }
}
