//! Stream tickets: what an `EventSource`, which cannot send headers, shows instead of a token.
//!
//! A ticket opens streams of events only, of one subject or one submission, for an hour at most. It speaks for the caller who
//! made it, or, if it was made for another owner, for a student of that name.

use serde::{Deserialize, Serialize};

use crate::app::{Caller, Role};
use crate::domain::ids::{Owner, SubmissionId};
use crate::domain::time::Timestamp;
use crate::http::seal::{self, Purpose};

/// Longest life of a ticket, in seconds.
pub const MAX_TTL_S: u32 = 3600;

/// What a ticket opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All events of its subject.
    Subject,
    /// The events of one submission.
    Submission(SubmissionId),
}

/// A ticket's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// For whom it speaks.
    pub caller: Caller,
    /// What it opens.
    pub scope: Scope,
    /// From then on it is worth nothing.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    sub: Owner,
    role: String,
    scope: Scope,
    exp: Timestamp,
}

impl Ticket {
    /// The ticket as text.
    pub fn seal(&self, secret: &[u8]) -> Result<String, serde_json::Error> {
        let sealed = Sealed {
            sub: self.caller.subject.clone(),
            role: self.caller.role.name().to_owned(),
            scope: self.scope.clone(),
            exp: self.expires_at,
        };
        Ok(seal::seal(secret, Purpose::Ticket, "", &serde_json::to_string(&sealed)?))
    }

    /// The ticket in a text, if it was made here and is not over at `now`.
    pub fn open(secret: &[u8], text: &str, now: Timestamp) -> Option<Self> {
        let payload = seal::open(secret, Purpose::Ticket, "", text)?;
        let sealed: Sealed = serde_json::from_str(&payload).ok()?;
        let caller = Caller { subject: sealed.sub, role: Role::from_name(&sealed.role)? };
        (sealed.exp > now).then_some(Self { caller, scope: sealed.scope, expires_at: sealed.exp })
    }
}

#[cfg(test)]
mod tests {
    use super::{Scope, Ticket};
    use crate::app::{Caller, Role};
    use crate::domain::time::Timestamp;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn ticket() -> Ticket {
        Ticket {
            caller: Caller { subject: "alice".parse().unwrap(), role: Role::Student },
            scope: Scope::Subject,
            expires_at: Timestamp::from_millis(5000),
        }
    }

    #[test]
    fn a_ticket_opens_until_its_time_is_over() {
        let text = ticket().seal(SECRET).unwrap();

        assert_eq!(Ticket::open(SECRET, &text, Timestamp::from_millis(4999)), Some(ticket()));
        assert_eq!(Ticket::open(SECRET, &text, Timestamp::from_millis(5000)), None);
    }

    #[test]
    fn a_ticket_of_another_installation_does_not_open() {
        let text = ticket().seal(b"another installation").unwrap();

        assert_eq!(Ticket::open(SECRET, &text, Timestamp::from_millis(0)), None);
    }
}
