//! Signing in to the page: roles, sessions, and where a link leads.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::{InvalidId, Owner};
use super::time::Timestamp;

/// Longest path of the page.
const MAX_PATH: usize = 2048;

/// What a caller is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Creates, reads, streams and cancels his own submissions.
    Student,
    /// Writes exercises; reads and cancels anyone's submissions.
    Teacher,
    /// A platform: creates submissions for any owner.
    Backend,
    /// All.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Student, Self::Teacher, Self::Backend, Self::Admin];

    /// Its name in tokens and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Teacher => "teacher",
            Self::Backend => "backend",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether who has it may let others in with `role`: one who acts for others gives no right that he has not himself.
    pub const fn may_let_in(self, role: Self) -> bool {
        match self {
            Self::Student | Self::Teacher => false,
            Self::Backend => !matches!(role, Self::Admin),
            Self::Admin => true,
        }
    }
}

/// A session's id. It proves nothing by itself: the cookie that holds it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl SessionId {
    /// A fresh id.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The bits.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// An address within the page, as links have it: it begins with one `/`, which stands for the page's root, and never leads
/// out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagePath(String);

impl PagePath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PagePath {
    /// The root.
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl std::str::FromStr for PagePath {
    type Err = InvalidId;

    /// Takes visible ASCII alone: browsers drop tabs and line feeds, and read `\` as `/`. Nor may a part be `.` or `..`,
    /// however it is spelled.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_dots =
            |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        let is_within = text.len() <= MAX_PATH
            && text.starts_with('/')
            && !text.starts_with("//")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !path.split('/').any(is_dots);
        if is_within {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId(
                "a path of the page, like /exercises/sum: visible ASCII, one / at its start, no \\, . or ..",
            ))
        }
    }
}

/// What a sign-in link makes, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInLink {
    /// Who is signed in.
    pub subject: Owner,
    /// As what.
    pub role: Role,
    /// How long the session lives.
    pub session_ttl: Duration,
    /// Where he goes then.
    pub path: PagePath,
    /// From then on the link is worth nothing.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::{PagePath, Role};

    #[test]
    fn a_path_of_the_page_leads_nowhere_else() {
        for path in
            ["/", "/exercises/sum", "/submissions?state=queued#last", "/exercises/a.b..c", "/x?to=//y"]
        {
            assert!(path.parse::<PagePath>().is_ok(), "{path}");
        }
        let hostile = [
            "",
            "sum",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x=1",
            "/\t/evil.example",
            "/a b",
            "/é",
            "/..",
            "/../x",
            "/a/../../x",
            "/%2e%2E/x",
            "/.%2e",
            "/./x",
            "/a\0",
        ];
        for path in hostile {
            assert!(path.parse::<PagePath>().is_err(), "{path:?}");
        }
        assert!(format!("/{}", "x".repeat(2048)).parse::<PagePath>().is_err());
    }

    #[test]
    fn a_backend_lets_no_admin_in_and_others_let_no_one_in() {
        let lets_in = |role: Role| Role::ALL.map(|other| role.may_let_in(other));

        assert_eq!(lets_in(Role::Student), [false; 4]);
        assert_eq!(lets_in(Role::Teacher), [false; 4]);
        assert_eq!(lets_in(Role::Backend), [true, true, true, false]);
        assert_eq!(lets_in(Role::Admin), [true; 4]);
    }
}
