//! The state of one connection, and nothing more: who its user is and what he did wrong. Pure but for the clock's
//! instants that come in.

use std::time::Duration;

use tokio::time::Instant;

use super::notifications::Notifications;
use super::recent::Recent;
use crate::app::Caller;

/// Refusals after which the connection is closed.
const MOST_REFUSALS: u32 = 5;
/// Packets that nobody understands, within [`MISTAKES_SPAN`], after which the connection is closed.
const MOST_MISTAKES: usize = 20;
const MISTAKES_SPAN: Duration = Duration::from_mins(1);
/// Pings within [`PINGS_SPAN`] after which the connection is closed. Java clients send one a minute.
const MOST_PINGS: usize = 100;
const PINGS_SPAN: Duration = Duration::from_secs(10);
/// Packets that are taken within [`COMMANDS_SPAN`]; more have to wait. It's the default rate of REST.
const MOST_COMMANDS: usize = 200;
const COMMANDS_SPAN: Duration = Duration::from_secs(4);

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    user: Option<User>,
    /// Refusals since the peer last proved who he is.
    refusals: u32,
    mistakes: Recent,
    pings: Recent,
    commands: Recent,
    /// What its user was told.
    pub notifications: Notifications,
}

#[derive(Debug)]
struct User {
    caller: Caller,
    /// Until when his token proves him; `None`: longer than the process lives.
    until: Option<Instant>,
    /// Whether his token is over.
    is_expired: bool,
}

/// What a good token comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The connection has a user, who is told from now on what is his.
    Begins,
    /// It had this user, and has him for longer.
    Renews,
    /// It has another user, and keeps him.
    Other,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            user: None,
            refusals: 0,
            mistakes: Recent::new(MOST_MISTAKES, MISTAKES_SPAN),
            pings: Recent::new(MOST_PINGS, PINGS_SPAN),
            commands: Recent::new(MOST_COMMANDS, COMMANDS_SPAN),
            notifications: Notifications::default(),
        }
    }
}

impl Session {
    /// Who it speaks for; nobody before AUTH and after his token is over.
    pub fn caller(&self) -> Option<&Caller> {
        self.user.as_ref().filter(|user| !user.is_expired).map(|user| &user.caller)
    }

    /// When its user's token is over.
    pub fn expires_at(&self) -> Option<Instant> {
        self.user.as_ref().filter(|user| !user.is_expired).and_then(|user| user.until)
    }

    /// Takes a token over that proves `caller` for `left`.
    pub fn prove(&mut self, caller: Caller, left: Duration, now: Instant) -> Proof {
        let proof = match &self.user {
            Some(user) if user.caller.subject != caller.subject => return Proof::Other,
            Some(user) if !user.is_expired => Proof::Renews,
            Some(_) | None => Proof::Begins,
        };
        self.user = Some(User { caller, until: now.checked_add(left), is_expired: false });
        self.refusals = 0;
        proof
    }

    /// Its user's token is over: he is told nothing more, and may prove himself again.
    pub fn expire(&mut self) {
        if let Some(user) = &mut self.user {
            user.is_expired = true;
        }
        self.notifications = Notifications::default();
    }

    /// Counts a refusal; whether it was the last that is borne.
    pub const fn refuse(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals >= MOST_REFUSALS
    }

    /// Counts a packet that nobody understands; whether it was the last that is borne.
    pub fn mistake(&mut self, now: Instant) -> bool {
        self.mistakes.count(now)
    }

    /// Counts a ping; whether it was the last that is borne.
    pub fn ping(&mut self, now: Instant) -> bool {
        self.pings.count(now)
    }

    /// Counts a packet.
    pub fn command(&mut self, now: Instant) {
        self.commands.count(now);
    }

    /// When the next packet is taken; `None`: at once.
    pub fn takes_at(&mut self, now: Instant) -> Option<Instant> {
        self.commands.free_at(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Proof, Session};
    use crate::app::{Caller, Role};

    const HOUR: Duration = Duration::from_hours(1);

    fn caller(subject: &str) -> Caller {
        Caller { subject: subject.parse().unwrap(), role: Role::Student }
    }

    #[test]
    fn the_first_user_stays() {
        let mut session = Session::default();
        let now = Instant::now();
        session.prove(caller("alice"), HOUR, now);

        let proof = session.prove(caller("bob"), HOUR, now);

        assert_eq!(proof, Proof::Other);
        assert_eq!(session.caller(), Some(&caller("alice")));
    }

    #[test]
    fn a_second_token_of_the_same_user_lasts_longer() {
        let mut session = Session::default();
        let now = Instant::now();
        session.prove(caller("alice"), HOUR, now);

        let proof = session.prove(caller("alice"), 2 * HOUR, now);

        assert_eq!(proof, Proof::Renews);
        assert_eq!(session.expires_at(), Some(now + 2 * HOUR));
    }

    #[test]
    fn whose_token_is_over_may_come_back_and_nobody_else() {
        let mut session = Session::default();
        let now = Instant::now();
        session.prove(caller("alice"), HOUR, now);
        session.expire();
        assert_eq!((session.caller(), session.expires_at()), (None, None));

        assert_eq!(session.prove(caller("bob"), HOUR, now), Proof::Other);
        assert_eq!(session.prove(caller("alice"), HOUR, now), Proof::Begins);
    }

    #[test]
    fn the_fifth_refusal_is_the_last_unless_a_token_was_good_in_between() {
        let mut session = Session::default();
        let refused: Vec<_> = (0..4).map(|_| session.refuse()).collect();
        assert_eq!(refused, [false; 4]);

        session.prove(caller("alice"), HOUR, Instant::now());

        let refused: Vec<_> = (0..5).map(|_| session.refuse()).collect();
        assert_eq!(refused, [false, false, false, false, true]);
    }

    #[test]
    fn a_token_for_ever_is_no_overflow() {
        let mut session = Session::default();

        session.prove(caller("alice"), Duration::MAX, Instant::now());

        assert_eq!(session.expires_at(), None);
        assert!(session.caller().is_some());
    }
}
