//! Links that sign in once, and sessions that were ended.

use std::time::Duration;

use guichet::domain::sign_in::{Role, SessionId, SignInLink};
use guichet::domain::time::Timestamp;
use guichet::storage::{LinkDigest, Retention, Storage};

use crate::storage::factory::{at, owner};

const DIGEST: LinkDigest = [7; 32];
const RETENTION: Retention =
    Retention { submissions: Duration::from_hours(24), events: Duration::from_hours(24) };

pub fn link(expires_at: Timestamp) -> SignInLink {
    SignInLink {
        subject: owner("alice"),
        role: Role::Teacher,
        session_ttl: Duration::from_mins(90),
        path: "/exercises/sum".parse().unwrap(),
        expires_at,
    }
}

pub async fn a_link_is_used_once(db: &impl Storage) {
    db.add_sign_in_link(DIGEST, link(at(100))).await.unwrap();

    let first = db.use_sign_in_link(DIGEST, at(1)).await.unwrap();
    let second = db.use_sign_in_link(DIGEST, at(1)).await.unwrap();

    assert_eq!((first, second), (Some(link(at(100))), None));
    assert_eq!(db.use_sign_in_link([8; 32], at(1)).await.unwrap(), None);
}

pub async fn looking_at_a_link_uses_nothing_up(db: &impl Storage) {
    db.add_sign_in_link(DIGEST, link(at(100))).await.unwrap();

    let looks =
        [db.sign_in_link(DIGEST, at(1)).await.unwrap(), db.sign_in_link(DIGEST, at(99)).await.unwrap()];

    assert_eq!(looks, [Some(link(at(100))), Some(link(at(100)))]);
    assert_eq!(db.use_sign_in_link(DIGEST, at(99)).await.unwrap(), Some(link(at(100))));
    assert_eq!(db.sign_in_link(DIGEST, at(99)).await.unwrap(), None);
}

pub async fn a_link_is_worth_nothing_from_its_end_on(db: &impl Storage) {
    db.add_sign_in_link(DIGEST, link(at(100))).await.unwrap();

    assert_eq!(db.sign_in_link(DIGEST, at(100)).await.unwrap(), None);
    assert_eq!(db.use_sign_in_link(DIGEST, at(100)).await.unwrap(), None);
}

pub async fn an_ended_session_stays_ended_and_others_go_on(db: &impl Storage) {
    let (ended, other) = (SessionId::generate(), SessionId::generate());

    db.end_session(ended, at(100)).await.unwrap();
    db.end_session(ended, at(100)).await.unwrap();

    assert!(db.is_session_ended(ended).await.unwrap());
    assert!(!db.is_session_ended(other).await.unwrap());
}

pub async fn what_is_over_goes_and_what_is_not_stays(db: &impl Storage) {
    let session = SessionId::generate();
    db.add_sign_in_link(DIGEST, link(at(100))).await.unwrap();
    db.end_session(session, at(200)).await.unwrap();

    db.prune(RETENTION, at(150)).await.unwrap();

    // Looked at from before its end, it would still be there.
    assert_eq!(db.sign_in_link(DIGEST, at(1)).await.unwrap(), None);
    assert!(db.is_session_ended(session).await.unwrap());
    db.prune(RETENTION, at(200)).await.unwrap();
    assert!(!db.is_session_ended(session).await.unwrap());
}
