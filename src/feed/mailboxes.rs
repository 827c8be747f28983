//! Who waits for what: one mailbox per open stream.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Bell, LogEntry, Position};
use crate::domain::ids::{Owner, SubmissionId};

/// Entries of a log that wait for one stream; with more of them it reads the log itself when it comes to it.
const MOST_ENTRIES: usize = 32;
/// Streams that are rung for at once.
const BATCH: usize = 64;
/// Pause between two batches of those who are told a place only.
const PAUSE: Duration = Duration::from_millis(1);

/// What a stream is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One submission.
    Submission(SubmissionId),
    /// All submissions of an owner.
    Owner(Owner),
}

/// What waits for one stream, and a bell.
#[derive(Debug, Default)]
pub struct Mailbox {
    bell: Bell,
    waiting: Mutex<Waiting>,
    /// Whether its log had no event when it was read: of its submission's removal none will tell.
    is_of_draft: AtomicBool,
}

/// What waits for one stream.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Whether there is something in the log that does not wait here.
    pub must_read: bool,
    /// New entries of its log, oldest first.
    pub entries: Vec<Arc<LogEntry>>,
    /// The newest place of each submission of which no entry came since.
    pub places: BTreeMap<SubmissionId, Position>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        !self.must_read && self.entries.is_empty() && self.places.is_empty()
    }
}

impl Mailbox {
    /// Takes what waits; `waker` is woken when something is put in.
    pub fn take(&self, waker: &Waker) -> Waiting {
        // Registered before the look: what comes in between is seen, or rings.
        self.bell.register(waker);
        std::mem::take(&mut lock(&self.waiting))
    }

    /// Wakes the stream's reader.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// What wakes the stream's reader.
    pub const fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Notes whether its submission is a draft.
    pub fn note_draft(&self, is_draft: bool) {
        self.is_of_draft.store(is_draft, Ordering::Relaxed);
    }

    /// Puts an entry in; whether no other waited before.
    fn put_entry(&self, entry: &Arc<LogEntry>) -> bool {
        let mut waiting = lock(&self.waiting);
        let was_empty = !waiting.must_read && waiting.entries.is_empty();
        // It is older than the entry.
        waiting.places.remove(&entry.submission);
        if waiting.entries.len() >= MOST_ENTRIES {
            waiting.entries = Vec::new();
            waiting.must_read = true;
        }
        if !waiting.must_read {
            waiting.entries.push(Arc::clone(entry));
        }
        was_empty
    }

    /// Puts a place in, instead of an older one of the same submission; whether nothing waited before.
    fn put_place(&self, place: Position) -> bool {
        let mut waiting = lock(&self.waiting);
        let was_empty = waiting.is_empty();
        waiting.places.insert(place.submission, place);
        was_empty
    }

    fn must_read(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.entries = Vec::new();
        waiting.must_read = true;
    }
}

/// All mailboxes by topic. The lock is held for map operations only.
#[derive(Debug, Default)]
pub struct Mailboxes {
    by_topic: Mutex<ByTopic>,
}

#[derive(Debug, Default)]
struct ByTopic {
    submissions: HashMap<SubmissionId, Vec<Arc<Mailbox>>>,
    owners: HashMap<Owner, Vec<Arc<Mailbox>>>,
}

impl ByTopic {
    fn following(&self, submission: SubmissionId, owner: &Owner) -> impl Iterator<Item = &Arc<Mailbox>> {
        let of_submission = self.submissions.get(&submission).into_iter();
        of_submission.chain(self.owners.get(owner)).flatten()
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.submissions.values().chain(self.owners.values()).flatten()
    }
}

impl Mailboxes {
    /// A mailbox for a new stream, until it is closed.
    pub fn open(&self, topic: &Topic) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        let mut by_topic = lock(&self.by_topic);
        let of_topic = match topic {
            Topic::Submission(submission) => by_topic.submissions.entry(*submission).or_default(),
            Topic::Owner(owner) => by_topic.owners.entry(owner.clone()).or_default(),
        };
        of_topic.push(Arc::clone(&mailbox));
        mailbox
    }

    /// Forgets the mailbox of a stream that ends.
    pub fn close(&self, topic: &Topic, mailbox: &Arc<Mailbox>) {
        let mut by_topic = lock(&self.by_topic);
        match topic {
            Topic::Submission(submission) => remove(&mut by_topic.submissions, submission, mailbox),
            Topic::Owner(owner) => remove(&mut by_topic.owners, owner, mailbox),
        }
    }

    /// Hands an entry to all who follow its submission or owner; they are rung for later.
    pub fn deliver(&self, entry: &Arc<LogEntry>, bells: &mut Vec<Arc<Mailbox>>) {
        let following = self.following(entry.submission, &entry.owner);
        bells.extend(following.into_iter().filter(|mailbox| mailbox.put_entry(entry)));
    }

    /// Tells all followers of the submission or its owner where it stands; whether there are any. They are rung for
    /// later.
    pub fn place(&self, owner: &Owner, place: Position, bells: &mut Vec<Arc<Mailbox>>) -> bool {
        let following = self.following(place.submission, owner);
        let is_followed = !following.is_empty();
        bells.extend(following.into_iter().filter(|mailbox| mailbox.put_place(place)));
        is_followed
    }

    /// Has all followers of the submission or its owner read the log.
    pub fn have_read(&self, submission: SubmissionId, owner: &Owner) {
        for mailbox in self.following(submission, owner) {
            mailbox.must_read();
            mailbox.ring();
        }
    }

    /// Has all followers read; they are rung for later.
    pub fn have_all_read(&self, bells: &mut Vec<Arc<Mailbox>>) {
        let all: Vec<_> = lock(&self.by_topic).all().cloned().collect();
        for mailbox in &all {
            mailbox.must_read();
        }
        bells.extend(all);
    }

    /// Drafts that are followed.
    pub fn drafts(&self) -> Vec<SubmissionId> {
        let by_topic = lock(&self.by_topic);
        let is_draft = |mailbox: &Arc<Mailbox>| mailbox.is_of_draft.load(Ordering::Relaxed);
        let topics = by_topic.submissions.iter().filter(|(_, mailboxes)| mailboxes.iter().any(is_draft));
        topics.map(|(submission, _)| *submission).collect()
    }

    /// Has all followers of a submission itself read the log.
    pub fn have_followers_read(&self, submission: SubmissionId) {
        let following = lock(&self.by_topic).submissions.get(&submission).cloned().unwrap_or_default();
        for mailbox in following {
            mailbox.must_read();
            mailbox.ring();
        }
    }

    /// Whether nothing is followed.
    pub fn is_empty(&self) -> bool {
        let by_topic = lock(&self.by_topic);
        by_topic.submissions.is_empty() && by_topic.owners.is_empty()
    }

    /// Number of open streams.
    pub fn count(&self) -> usize {
        lock(&self.by_topic).all().count()
    }

    /// Whether anybody follows the submission or its owner.
    pub fn follows(&self, submission: SubmissionId, owner: &Owner) -> bool {
        let by_topic = lock(&self.by_topic);
        by_topic.submissions.contains_key(&submission) || by_topic.owners.contains_key(owner)
    }

    fn following(&self, submission: SubmissionId, owner: &Owner) -> Vec<Arc<Mailbox>> {
        lock(&self.by_topic).following(submission, owner).cloned().collect()
    }
}

fn remove<T: Eq + Hash>(by_topic: &mut HashMap<T, Vec<Arc<Mailbox>>>, topic: &T, mailbox: &Arc<Mailbox>) {
    if let Some(of_topic) = by_topic.get_mut(topic) {
        of_topic.retain(|other| !Arc::ptr_eq(other, mailbox));
        if of_topic.is_empty() {
            by_topic.remove(topic);
        }
    }
}

/// Rings for those whose log grew: in batches, between which others come to their turn.
pub async fn ring(bells: Vec<Arc<Mailbox>>) {
    for batch in bells.chunks(BATCH) {
        for mailbox in batch {
            mailbox.ring();
        }
        tokio::task::yield_now().await;
    }
}

/// Those who are told a place only: a crowd of them waits behind requests and whatever else there is to do.
#[derive(Debug, Default)]
pub struct Crowd {
    waiting: Mutex<VecDeque<Arc<Mailbox>>>,
    came: Notify,
}

impl Crowd {
    /// Has these be rung for in turn.
    pub fn add(&self, bells: Vec<Arc<Mailbox>>) {
        if !bells.is_empty() {
            lock(&self.waiting).extend(bells);
            self.came.notify_one();
        }
    }

    /// Rings for them, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.came.notified() => {}
            }
            while self.ring_for_some() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Rings for a batch; whether others are left.
    fn ring_for_some(&self) -> bool {
        let mut waiting = lock(&self.waiting);
        let end = waiting.len().min(BATCH);
        let batch: Vec<_> = waiting.drain(..end).collect();
        let are_left = !waiting.is_empty();
        if !are_left {
            *waiting = VecDeque::new();
        }
        drop(waiting);
        for mailbox in batch {
            mailbox.ring();
        }
        are_left
    }
}

/// Locks; what a panicking holder left is still a valid map.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use super::{Crowd, MOST_ENTRIES, Mailboxes, Topic};
    use crate::domain::event::{Epoch, Event, EventBody};
    use crate::domain::ids::{Owner, SubmissionId};
    use crate::domain::queue::PositionReason;
    use crate::domain::time::Timestamp;
    use crate::feed::{LogEntry, Position};

    fn place(submission: SubmissionId, position: u64) -> Position {
        let reason = PositionReason::AheadLeft;
        Position { submission, round: 1, attempt: 0, position, eta: None, reason }
    }

    fn entry(submission: SubmissionId, owner: &Owner) -> Arc<LogEntry> {
        Arc::new(LogEntry::from(Event {
            submission,
            seq: 1,
            epoch: Epoch::from_bits(1),
            owner: owner.clone(),
            owner_seq: 1,
            round: 1,
            attempt: 1,
            at: Timestamp::from_millis(0),
            body: EventBody::Started { position_before: 1 },
        }))
    }

    #[test]
    fn who_reads_slowly_keeps_a_few_entries_waiting_and_then_reads_the_log() {
        let mailboxes = Mailboxes::default();
        let (submission, owner): (_, Owner) = (SubmissionId::generate(), "alice".parse().unwrap());
        let (mailbox, mut bells) = (mailboxes.open(&Topic::Owner(owner.clone())), Vec::new());
        let entry = entry(submission, &owner);

        for _ in 0..MOST_ENTRIES {
            mailboxes.deliver(&entry, &mut bells);
        }
        let few = mailbox.take(Waker::noop());
        for _ in 0..=MOST_ENTRIES {
            mailboxes.deliver(&entry, &mut bells);
        }
        let many = mailbox.take(Waker::noop());

        assert_eq!(bells.len(), 2, "once for each that took all");
        assert_eq!((few.must_read, few.entries.len()), (false, MOST_ENTRIES));
        assert_eq!((many.must_read, many.entries.len()), (true, 0));
        assert!(mailbox.take(Waker::noop()).is_empty());
    }

    #[test]
    fn the_newest_place_waits_and_rings_once() {
        let mailboxes = Mailboxes::default();
        let (submission, owner): (_, Owner) = (SubmissionId::generate(), "alice".parse().unwrap());
        let (mailbox, mut bells) = (mailboxes.open(&Topic::Submission(submission)), Vec::new());

        assert!(mailboxes.place(&owner, place(submission, 3), &mut bells));
        assert!(mailboxes.place(&owner, place(submission, 2), &mut bells));
        assert!(!mailboxes.place(&owner, place(SubmissionId::generate(), 9), &mut bells));

        assert_eq!(bells.len(), 1);
        assert_eq!(mailbox.take(Waker::noop()).places, [(submission, place(submission, 2))].into());
    }

    #[test]
    fn a_place_is_over_with_the_next_entry_of_its_submission() {
        let mailboxes = Mailboxes::default();
        let (submission, owner): (_, Owner) = (SubmissionId::generate(), "alice".parse().unwrap());
        let (mailbox, mut bells) = (mailboxes.open(&Topic::Owner(owner.clone())), Vec::new());
        let other = place(SubmissionId::generate(), 4);
        mailboxes.place(&owner, place(submission, 1), &mut bells);
        mailboxes.place(&owner, other, &mut bells);

        mailboxes.deliver(&entry(submission, &owner), &mut bells);

        assert_eq!(mailbox.take(Waker::noop()).places, [(other.submission, other)].into());
    }

    #[test]
    fn a_stream_that_ends_while_it_is_to_be_rung_for_is_forgotten() {
        let (mailboxes, crowd) = (Mailboxes::default(), Crowd::default());
        let topic = Topic::Submission(SubmissionId::generate());
        let mailbox = mailboxes.open(&topic);
        crowd.add(vec![Arc::clone(&mailbox)]);

        mailboxes.close(&topic, &mailbox);

        assert!(mailboxes.is_empty());
    }
}
