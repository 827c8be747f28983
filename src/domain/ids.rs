//! Names of things: one type per kind, so that none fits in another's place.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is no id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be {0}")]
pub struct InvalidId(pub(super) &'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with these bits.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bits.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            /// Reads the hyphenated lower-case form only: every id has one spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let uuid = Uuid::try_parse(text).map_err(|_source| InvalidId("a UUID"))?;
                if uuid.to_string() == text { Ok(Self(uuid)) } else { Err(InvalidId("a UUID")) }
            }
        }
    };
}

uuid_id!(
    /// A submission's id: a UUID of version 7, so that ids sort by the time they were made.
    SubmissionId
);
uuid_id!(
    /// The id of an exercise's submissions that are judged again together.
    RejudgeId
);
uuid_id!(
    /// The id of a check of an exercise by its reference solutions.
    CheckId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $allowed:expr, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() || text.len() > $max || !text.chars().all(allowed) {
                    return Err(InvalidId($rule));
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '~')
}

fn is_printable(c: char) -> bool {
    !c.is_control()
}

text_id!(
    /// An exercise's id, chosen by the platform: 1 to 128 characters of `A–Z a–z 0–9 - _ . : ~`.
    ExerciseId, 128, is_name_char, "1 to 128 characters of A-Z a-z 0-9 - _ . : ~"
);
text_id!(
    /// A runtime's id, the name of its folder: 1 to 64 characters of `A–Z a–z 0–9 - _ . : ~`.
    RuntimeId, 64, is_name_char, "1 to 64 characters of A-Z a-z 0-9 - _ . : ~"
);
text_id!(
    /// Whom submissions belong to: the subject of a token, 1 to 255 bytes without control characters.
    Owner, 255, is_printable, "1 to 255 bytes without control characters"
);
text_id!(
    /// Name of an original backend, as in the settings: 1 to 128 bytes without control characters.
    BackendName, 128, is_printable, "1 to 128 bytes without control characters"
);
text_id!(
    /// An id that an original backend gave: 1 to 1,024 bytes of any text but NUL.
    LegacyId, 1024, |c| c != '\0', "1 to 1024 bytes without NUL"
);

impl Owner {
    /// Whose log has the events of submissions that are set aside. It is no subject: those have no control characters.
    pub fn of_what_is_set_aside() -> Self {
        Self("\u{1}".to_owned())
    }
}

impl Default for BackendName {
    /// The backend of a legacy id that is named without one.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

text_id!(
    /// A process that judges: its name in leases, 1 to 128 bytes without control characters.
    WorkerId, 128, is_printable, "1 to 128 bytes without control characters"
);

#[cfg(test)]
mod tests {
    use super::{ExerciseId, LegacyId, SubmissionId};

    #[test]
    fn an_id_has_one_spelling() {
        let id = SubmissionId::generate();

        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<SubmissionId>().is_err());
    }

    #[test]
    fn an_id_of_an_original_backend_is_any_text_but_nul() {
        assert!("\n \u{e9}/7".parse::<LegacyId>().is_ok());
        assert!("7".repeat(1024).parse::<LegacyId>().is_ok());
        assert!("7".repeat(1025).parse::<LegacyId>().is_err());
        assert!("".parse::<LegacyId>().is_err());
        assert!("a\0".parse::<LegacyId>().is_err());
    }

    #[test]
    fn an_exercise_id_with_a_slash_is_refused() {
        assert!("a/b".parse::<ExerciseId>().is_err());
    }
}
