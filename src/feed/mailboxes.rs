//! Who waits for what: one mailbox per open stream.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::Position;
use crate::domain::ids::{Owner, SubmissionId};

/// What a stream is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One submission.
    Submission(SubmissionId),
    /// All submissions of an owner.
    Owner(Owner),
}

/// What waits for one stream: a bell, whether its log changed, and the newest place of each submission.
#[derive(Debug, Default)]
pub struct Mailbox {
    bell: Notify,
    log_changed: AtomicBool,
    places: Mutex<Vec<Position>>,
}

impl Mailbox {
    /// Whether the log may have changed since this was asked the last time. A wake-up for a place alone asks for no look
    /// at the log.
    pub fn take_change(&self) -> bool {
        self.log_changed.swap(false, Ordering::AcqRel)
    }

    fn wake(&self) {
        self.log_changed.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Waits until something was put in since the last time.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes the newest place of each submission.
    pub fn take_places(&self) -> Vec<Position> {
        std::mem::take(&mut lock(&self.places))
    }

    /// Puts a place in, instead of an older one of the same submission.
    fn put(&self, place: Position) {
        let mut places = lock(&self.places);
        places.retain(|older| older.submission != place.submission);
        places.push(place);
        drop(places);
        self.bell.notify_one();
    }
}

/// All mailboxes by topic. The lock is held for map operations only.
#[derive(Debug, Default)]
pub struct Mailboxes {
    by_topic: Mutex<HashMap<Topic, Vec<Weak<Mailbox>>>>,
}

impl Mailboxes {
    /// A mailbox for a new stream; it is forgotten when the last handle is dropped.
    pub fn open(&self, topic: Topic) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        let mut by_topic = lock(&self.by_topic);
        let of_topic = by_topic.entry(topic).or_default();
        of_topic.retain(|other| other.strong_count() > 0);
        of_topic.push(Arc::downgrade(&mailbox));
        mailbox
    }

    /// Forgets the mailboxes of a topic whose streams are closed.
    pub fn close(&self, topic: &Topic) {
        let mut by_topic = lock(&self.by_topic);
        if let Some(of_topic) = by_topic.get_mut(topic) {
            of_topic.retain(|mailbox| mailbox.strong_count() > 0);
            if of_topic.is_empty() {
                by_topic.remove(topic);
            }
        }
    }

    /// Rings for everybody who follows the submission or its owner.
    pub fn wake(&self, submission: SubmissionId, owner: &Owner) {
        for topic in [Topic::Submission(submission), Topic::Owner(owner.clone())] {
            for mailbox in self.of(&topic) {
                mailbox.wake();
            }
        }
    }

    /// Rings for everybody.
    pub fn wake_all(&self) {
        for mailbox in lock(&self.by_topic).values().flatten().filter_map(Weak::upgrade) {
            mailbox.wake();
        }
    }

    /// Tells everybody who follows the submission or its owner where it stands; whether anybody does.
    pub fn place(&self, owner: &Owner, place: Position) -> bool {
        let mut is_followed = false;
        for topic in [Topic::Submission(place.submission), Topic::Owner(owner.clone())] {
            for mailbox in self.of(&topic) {
                mailbox.put(place);
                is_followed = true;
            }
        }
        is_followed
    }

    /// Whether anybody follows anything.
    pub fn is_empty(&self) -> bool {
        lock(&self.by_topic).is_empty()
    }

    /// Number of open streams.
    pub fn count(&self) -> usize {
        lock(&self.by_topic).values().flatten().filter(|mailbox| mailbox.strong_count() > 0).count()
    }

    /// Whether anybody follows the submission or its owner.
    pub fn follows(&self, submission: SubmissionId, owner: &Owner) -> bool {
        let by_topic = lock(&self.by_topic);
        by_topic.contains_key(&Topic::Submission(submission))
            || by_topic.contains_key(&Topic::Owner(owner.clone()))
    }

    fn of(&self, topic: &Topic) -> Vec<Arc<Mailbox>> {
        lock(&self.by_topic)
            .get(topic)
            .map(|mailboxes| mailboxes.iter().filter_map(Weak::upgrade).collect())
            .unwrap_or_default()
    }
}

/// Queued submissions whose followers have just begun. The lock is held for operations of the list only.
#[derive(Debug, Default)]
pub struct Begun {
    submissions: Mutex<Vec<SubmissionId>>,
}

impl Begun {
    /// Adds some.
    pub fn add(&self, mut submissions: Vec<SubmissionId>) {
        lock(&self.submissions).append(&mut submissions);
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<SubmissionId> {
        std::mem::take(&mut lock(&self.submissions))
    }
}

/// Locks; what a panicking holder left is still a valid map.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Mailboxes, Topic};
    use crate::domain::ids::{Owner, SubmissionId};
    use crate::domain::queue::PositionReason;
    use crate::feed::Position;

    #[test]
    fn who_is_told_a_place_only_needs_no_look_at_the_log() {
        let mailboxes = Mailboxes::default();
        let (submission, owner): (_, Owner) = (SubmissionId::generate(), "alice".parse().unwrap());
        let mailbox = mailboxes.open(Topic::Owner(owner.clone()));
        let reason = PositionReason::AheadLeft;

        mailboxes
            .place(&owner, Position { submission, round: 1, attempt: 0, position: 1, eta: None, reason });
        assert!(!mailbox.take_change());
        assert_eq!(mailbox.take_places().len(), 1);

        mailboxes.wake(submission, &owner);
        assert!(mailbox.take_change());
        assert!(!mailbox.take_change());
        mailboxes.wake_all();
        assert!(mailbox.take_change());
    }
}
