//! The original packets: JSON text ↔ values, pure. Keys and their order are the original's, without spaces, and every
//! value that is sent is a string. What can't be understood is a value, too.

use serde_json::{Map, Value};

use crate::json;

/// What a user asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// He says who he is.
    Auth {
        /// His token; `None` if the packet has none that is a text.
        token: Option<String>,
    },
    /// He asks where a submission stands.
    AskPlace {
        /// Its id, as he knows it.
        id: String,
    },
    /// A command that nobody knows, or that lacks what it's about.
    Unknown,
    /// No command at all: no JSON, no object, or an object without `cmd`.
    Malformed,
}

/// What a user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// His command was carried out.
    Ok,
    /// Where a submission stands.
    Place {
        /// Its id, as the user knows it.
        id: String,
        /// Its place, 1 = next.
        place: u64,
    },
    /// A submission was graded.
    Executed {
        /// Its id, as the user knows it.
        id: String,
    },
    /// Something is wrong.
    Error(Fault),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 401: he has not said who he is, or could not prove it.
    Authentication,
    /// 403: it belongs to another user.
    Unauthorized(Target),
    /// 404: there is none.
    NotFound(Target),
    /// 404: nobody knows this command.
    UnknownCommand,
    /// 500: it could not be compiled or run.
    Execution(Target),
    /// 500: something is broken here.
    Internal,
}

/// What an error is about, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A submission.
    Exercise(String),
    /// A container.
    Container(String),
}

impl Command {
    /// The command in a text. A key that comes twice makes it no JSON; keys that nobody knows are ignored.
    pub fn read(text: &str) -> Self {
        let Ok(Value::Object(packet)) = json::parse(text.as_bytes()) else { return Self::Malformed };
        let Some(Value::String(name)) = packet.get("cmd") else { return Self::Malformed };
        match name.as_str() {
            "AUTH" => Self::Auth { token: text_of(&packet, "TOKEN") },
            "PLACE_IN_QUEUE" => {
                text_of(&packet, "user_exercice_id").map_or(Self::Unknown, |id| Self::AskPlace { id })
            }
            _unknown => Self::Unknown,
        }
    }

    /// Its name, for figures.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Auth { .. } => "AUTH",
            Self::AskPlace { .. } => "PLACE_IN_QUEUE",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
        }
    }
}

/// A text, or a whole number as its text.
fn text_of(packet: &Map<String, Value>, key: &str) -> Option<String> {
    match packet.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Packet {
    /// The packet's text.
    ///
    /// * `exercise` — how the target that is a submission is called: `EXERCICE` or `EXERCISE`.
    pub fn write(&self, exercise: &str) -> String {
        match self {
            Self::Ok => object(&[("cmd", "OK")]),
            Self::Place { id, place } => {
                object(&[("cmd", "PLACE_IN_QUEUE"), ("user_exercice_id", id), ("place", &place.to_string())])
            }
            Self::Executed { id } => object(&[("cmd", "EXERCICE_EXECUTED"), ("id", id)]),
            Self::Error(fault) => {
                let (code, target) = fault.parts();
                let (target, id) = match target {
                    Some(Target::Exercise(id)) => (exercise, id.as_str()),
                    Some(Target::Container(id)) => ("CONTAINER", id.as_str()),
                    None => ("OTHER", "N/A"),
                };
                object(&[("cmd", "ERROR"), ("error_code", code), ("target", target), ("target_id", id)])
            }
        }
    }

    /// Its name, for figures.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Place { .. } => "PLACE_IN_QUEUE",
            Self::Executed { .. } => "EXERCICE_EXECUTED",
            Self::Error(_) => "ERROR",
        }
    }
}

impl Fault {
    /// Its `error_code`.
    pub const fn code(&self) -> &'static str {
        self.parts().0
    }

    const fn parts(&self) -> (&'static str, Option<&Target>) {
        match self {
            Self::Authentication => ("401", None),
            Self::Unauthorized(target) => ("403", Some(target)),
            Self::NotFound(target) => ("404", Some(target)),
            Self::UnknownCommand => ("404", None),
            Self::Execution(target) => ("500", Some(target)),
            Self::Internal => ("500", None),
        }
    }
}

/// An object of texts, in this order.
fn object(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| format!("\"{key}\":{}", Value::from(*value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Command, Fault, Packet, Target};

    fn ask(id: &str) -> Command {
        Command::AskPlace { id: id.to_owned() }
    }

    #[test]
    fn commands_are_read_as_the_original_writes_them() {
        let auth = Command::read(r#"{"cmd":"AUTH","TOKEN":"TOKEN_UTILISATEUR"}"#);

        assert_eq!(auth, Command::Auth { token: Some("TOKEN_UTILISATEUR".to_owned()) });
        assert_eq!(Command::read(r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":"12"}"#), ask("12"));
    }

    #[test]
    fn numbers_are_taken_for_ids_and_other_keys_are_ignored() {
        let text = r#" { "place": null, "user_exercice_id": 12, "more": [1], "cmd": "PLACE_IN_QUEUE" } "#;

        assert_eq!(Command::read(text), ask("12"));
        assert_eq!(Command::read(r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":-7}"#), ask("-7"));
    }

    #[test]
    fn a_token_that_is_no_text_is_none() {
        for packet in
            [r#"{"cmd":"AUTH"}"#, r#"{"cmd":"AUTH","TOKEN":{"a":1}}"#, r#"{"cmd":"AUTH","TOKEN":null}"#]
        {
            assert_eq!(Command::read(packet), Command::Auth { token: None }, "{packet}");
        }
    }

    #[test]
    fn a_command_that_nobody_knows_is_told_from_what_is_no_command() {
        for packet in [
            r#"{"cmd":"RUN"}"#,
            r#"{"cmd":"auth","TOKEN":"t"}"#,
            r#"{"cmd":"OK"}"#,
            r#"{"cmd":"PLACE_IN_QUEUE"}"#,
            r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":1.5}"#,
            r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":["1"]}"#,
        ] {
            assert_eq!(Command::read(packet), Command::Unknown, "{packet}");
        }
        let deep = "[".repeat(60_000);
        for packet in [
            "",
            "AUTH",
            "[]",
            "null",
            "{}",
            r#"{"cmd":1}"#,
            r#"{"cmd":"OK"} {}"#,
            r#"{"cmd":"OK","cmd":"OK"}"#,
            r#"{"cmd":"AUTH","TOKEN":"a","TOKEN":"b"}"#,
            r"{cmd:AUTH,TOKEN:t}",
            &deep,
            "\u{feff}{\"cmd\":\"OK\"}",
        ] {
            assert_eq!(Command::read(packet), Command::Malformed, "{packet:.20}");
        }
    }

    #[test]
    fn packets_are_written_byte_for_byte_as_the_original_s() {
        let id = "ID_EXERCICE".to_owned();
        let exercise = Target::Exercise(id.clone());
        let container = Target::Container("c0ffee".to_owned());
        let error = |code, target, id| {
            format!(r#"{{"cmd":"ERROR","error_code":"{code}","target":"{target}","target_id":"{id}"}}"#)
        };
        for (packet, text) in [
            (Packet::Ok, r#"{"cmd":"OK"}"#.to_owned()),
            (
                Packet::Place { id: id.clone(), place: 7 },
                r#"{"cmd":"PLACE_IN_QUEUE","user_exercice_id":"ID_EXERCICE","place":"7"}"#.to_owned(),
            ),
            (Packet::Executed { id }, r#"{"cmd":"EXERCICE_EXECUTED","id":"ID_EXERCICE"}"#.to_owned()),
            (Packet::Error(Fault::Authentication), error(401, "OTHER", "N/A")),
            (Packet::Error(Fault::Unauthorized(exercise.clone())), error(403, "EXERCICE", "ID_EXERCICE")),
            (Packet::Error(Fault::Unauthorized(container.clone())), error(403, "CONTAINER", "c0ffee")),
            (Packet::Error(Fault::NotFound(exercise.clone())), error(404, "EXERCICE", "ID_EXERCICE")),
            (Packet::Error(Fault::NotFound(container.clone())), error(404, "CONTAINER", "c0ffee")),
            (Packet::Error(Fault::UnknownCommand), error(404, "OTHER", "N/A")),
            (Packet::Error(Fault::Execution(exercise)), error(500, "EXERCICE", "ID_EXERCICE")),
            (Packet::Error(Fault::Execution(container)), error(500, "CONTAINER", "c0ffee")),
            (Packet::Error(Fault::Internal), error(500, "OTHER", "N/A")),
        ] {
            assert_eq!(packet.write("EXERCICE"), text);
        }
    }

    #[test]
    fn the_target_may_be_spelled_in_english() {
        let packet = Packet::Error(Fault::NotFound(Target::Exercise("1".to_owned())));

        assert!(packet.write("EXERCISE").contains(r#""target":"EXERCISE""#));
    }

    proptest! {
        #[test]
        fn any_id_is_read_as_it_was_written(id in any::<String>()) {
            let text = Packet::Place { id: id.clone(), place: 1 }.write("EXERCICE");

            prop_assert_eq!(Command::read(&text), Command::AskPlace { id });
        }

        #[test]
        fn no_text_is_a_panic(text in any::<String>()) {
            Command::read(&text);
        }
    }
}
