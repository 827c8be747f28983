//! Who asks, and what he may see.

use crate::domain::ids::Owner;
pub use crate::domain::sign_in::Role;

/// A caller who was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Subject of the token; the owner of what he sends.
    pub subject: Owner,
    /// What he is.
    pub role: Role,
}

impl Caller {
    /// Whether he may see everybody's submissions.
    pub const fn sees_all(&self) -> bool {
        match self.role {
            Role::Student => false,
            Role::Teacher | Role::Backend | Role::Admin => true,
        }
    }

    /// Whether he may see the submissions of `owner`.
    pub fn sees(&self, owner: &Owner) -> bool {
        self.sees_all() || self.subject == *owner
    }

    /// Whether he may replace the files of a submission of `owner` and queue it.
    pub fn sends_for(&self, owner: &Owner) -> bool {
        self.acts_for_others() || self.subject == *owner
    }

    /// Whether he may see input, expected output and output of hidden tests.
    pub const fn sees_hidden(&self) -> bool {
        self.sees_all()
    }

    /// Whether he may name another owner, a backend, or follow another's events.
    pub const fn acts_for_others(&self) -> bool {
        match self.role {
            Role::Student | Role::Teacher => false,
            Role::Backend | Role::Admin => true,
        }
    }

    /// Whether he may choose a priority, write exercises, and cancel what is not his.
    pub const fn teaches(&self) -> bool {
        self.sees_all()
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Role};

    #[test]
    fn a_teacher_sees_what_others_sent_and_sends_nothing_in_their_name() {
        let teacher = Caller { subject: "tina".parse().unwrap(), role: Role::Teacher };
        let alice = "alice".parse().unwrap();

        assert!(teacher.sees(&alice));
        assert!(!teacher.sends_for(&alice));
        assert!(teacher.sends_for(&teacher.subject));
    }

    #[test]
    fn a_backend_sends_for_anybody() {
        let backend = Caller { subject: "platform".parse().unwrap(), role: Role::Backend };

        assert!(backend.sends_for(&"alice".parse().unwrap()));
    }
}
