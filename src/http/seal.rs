//! Text that leaves the house and comes back unchanged: tickets, cursors and sessions, signed with the installation's secret.
//!
//! `base64url(payload) "." base64url(HMAC-SHA256(secret, purpose ‖ bound ‖ payload))`; what it is bound to is not in
//! the text, so it opens only where the same is known again.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest sealed text that is looked at, in bytes.
const MAX_BYTES: usize = 4 << 10;

/// What a sealed text is for; one for another purpose never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A stream ticket.
    Ticket,
    /// A place in a list.
    Cursor,
    /// A session of the page.
    Session,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Ticket => "guichet stream ticket",
            Self::Cursor => "guichet list cursor",
            Self::Session => "guichet session",
        }
    }
}

fn message(purpose: Purpose, bound: &str, payload: &str) -> Vec<u8> {
    // NUL stands in none of the three: the parts can't run into one another.
    [purpose.name(), bound, payload].join("\0").into_bytes()
}

/// Seals `payload`; only who knows `bound` opens it.
pub fn seal(secret: &[u8], purpose: Purpose, bound: &str, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, &message(purpose, bound, payload));
    format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(tag))
}

/// What was sealed, or `None` if anything of it is not as it was.
pub fn open(secret: &[u8], purpose: Purpose, bound: &str, sealed: &str) -> Option<String> {
    if sealed.len() > MAX_BYTES {
        return None;
    }
    let (payload, tag) = sealed.split_once('.')?;
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, &message(purpose, bound, &payload), &tag).ok()?;
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::{Purpose, open, seal};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    #[test]
    fn a_sealed_text_opens_where_it_was_bound_to() {
        let sealed = seal(SECRET, Purpose::Cursor, "alice", "here");

        assert_eq!(open(SECRET, Purpose::Cursor, "alice", &sealed).as_deref(), Some("here"));
        assert_eq!(open(SECRET, Purpose::Cursor, "bob", &sealed), None);
        assert_eq!(open(SECRET, Purpose::Ticket, "alice", &sealed), None);
        assert_eq!(open(b"another secret", Purpose::Cursor, "alice", &sealed), None);
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let sealed = seal(SECRET, Purpose::Ticket, "", "alice");
        let forged = sealed.replacen(&sealed[..4], "Ym9i", 1);

        assert_eq!(open(SECRET, Purpose::Ticket, "", &forged), None);
        assert_eq!(open(SECRET, Purpose::Ticket, "", ""), None);
    }
}
