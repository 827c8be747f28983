//! What goes over a link, apart from how it is written: the library's own messages and the two packets.

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::domain::ids::LegacyId;
use crate::json;

/// What one frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The backend accepted the connection.
    RegisterTcp {
        /// Its number of the connection, from 1.
        connection: i32,
    },
    /// To the backend by UDP: this address belongs to that connection; from it by TCP: understood.
    RegisterUdp {
        /// The number of the connection; 0 in the answer.
        connection: i32,
    },
    /// Says only that the sender lives.
    KeepAlive,
    /// Looks for backends; links never send it.
    DiscoverHost,
    /// Asks for an answer, or is it.
    Ping {
        /// The same in question and answer.
        id: i32,
        /// Whether it is the answer.
        reply: bool,
    },
    /// Something of the application.
    Packet(Packet),
}

/// Something of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// JSON in a `java.lang.String`.
    Text(String),
    /// The fields of a map or another object, in the order they were sent, as texts.
    Fields(Vec<(String, String)>),
}

impl Packet {
    /// The packet as JSON without spaces.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
                Value::Object(fields.collect::<Map<_, _>>()).to_string()
            }
        }
    }

    /// The first packet on every connection. It holds the token, so it is for the backend only.
    pub fn handshake(token: &SecretString) -> Self {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self::Fields(vec![field("cmd", "HANDSHAKE"), field("TOKEN", token.expose_secret())])
    }
}

/// Why a frame says nothing that links know. Where the next one begins is known all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The payload ends too early.
    #[error("the payload ends too early")]
    Short,
    /// Bytes behind what was sent.
    #[error("bytes follow the object")]
    Trailing,
    /// Java's `null`.
    #[error("it is null")]
    Null,
    /// A number of more than 32 bits.
    #[error("a number is too long")]
    LongNumber,
    /// No UTF-8, nor what Java makes of it.
    #[error("a character is not valid; json.inbound_charset may tell which characters the backend writes")]
    Character,
    /// The same object once more, which no packet has.
    #[error("it refers to an earlier object")]
    Reference,
    /// A class with a number that isn't known.
    #[error("its class has the unknown id {0}")]
    ClassId(u32),
    /// A class with a name instead of a number.
    #[error("its class is named instead of numbered")]
    ClassByName,
    /// A class of Java that no packet is made of.
    #[error("no packet has its class")]
    Class,
    /// An array, or another thing without fields.
    #[error("it is neither a text nor an object")]
    NoObject,
    /// No text in the library's dialect of JSON.
    #[error("it is not readable as JSON of JsonBeans, at byte {0}")]
    Syntax(usize),
    /// Objects within objects within objects.
    #[error("it is nested too deeply")]
    Depth,
    /// A field of the library's own messages that doesn't fit.
    #[error("the field {0} does not fit")]
    Field(&'static str),
}

/// What a backend asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run what is stored under that id.
    Exercise(LegacyId),
}

/// Why a packet asks for nothing that is known here. The texts never quote the packet: a backend may send a token back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The frame is none that links know.
    #[error("the frame is not understood: {0}")]
    Malformed(#[from] Malformed),
    /// The text is no JSON, or a key comes twice in it.
    #[error("the packet is not JSON, or a key comes twice")]
    NotJson,
    /// The JSON is no object.
    #[error("the packet is no JSON object")]
    NoObject,
    /// There is no `cmd`, or another than those known.
    #[error("its cmd is missing or unknown")]
    Command,
    /// `id` is missing, or no text that anything is stored under.
    #[error("its id must be a text of 1 to 1,024 bytes without NUL, or a whole number")]
    Id,
}

impl Request {
    /// Reads a packet of the backend.
    ///
    /// # Errors
    /// It isn't understood.
    pub fn read(packet: &Packet) -> Result<Self, Invalid> {
        let (command, id) = match packet {
            Packet::Text(text) => {
                let packet = json::parse(text.as_bytes()).map_err(|_source| Invalid::NotJson)?;
                let Value::Object(fields) = packet else { return Err(Invalid::NoObject) };
                (fields.get("cmd").and_then(as_text), fields.get("id").and_then(as_text))
            }
            Packet::Fields(fields) => {
                let named = |name: &str| {
                    let mut named = fields.iter().filter(|(known, _)| known == name);
                    named.next().filter(|_| named.next().is_none()).map(|(_, value)| value.clone())
                };
                (named("cmd"), named("id"))
            }
        };
        match command.as_deref() {
            Some("EXERCISE") => {
                let id = id.and_then(|id| id.parse().ok()).ok_or(Invalid::Id)?;
                Ok(Self::Exercise(id))
            }
            Some(_) | None => Err(Invalid::Command),
        }
    }
}

/// A text, or a whole number as its digits. Other numbers have more than one spelling, so they are nobody's id.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The beginning of a payload in hex, or only its length if it holds the token.
pub fn hex(payload: &[u8], token: &SecretString) -> String {
    const SHOWN: usize = 64;
    // Kryo marks the last byte of a string, so the token is looked for without it.
    let token = token.expose_secret().as_bytes();
    let secret = token.split_last().map_or(token, |(_, start)| start);
    if !secret.is_empty() && payload.windows(secret.len()).any(|window| window == secret) {
        return format!("{} bytes that hold the token", payload.len());
    }
    let mut hex = String::with_capacity(2 * SHOWN + 3);
    for byte in payload.iter().take(SHOWN) {
        let _written = write!(hex, "{byte:02x}");
    }
    if payload.len() > SHOWN {
        hex.push('…');
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::{Invalid, Packet, Request, hex};

    fn read(text: &str) -> Result<String, Invalid> {
        Request::read(&Packet::Text(text.to_owned())).map(|Request::Exercise(id)| id.to_string())
    }

    #[test]
    fn an_exercise_is_asked_for_by_its_id() {
        assert_eq!(read(r#"{"cmd":"EXERCISE","id":"ID_EXERCICE"}"#), Ok("ID_EXERCICE".to_owned()));
        assert_eq!(read(r#" {"id": 42, "more": [{}], "cmd": "EXERCISE"} "#), Ok("42".to_owned()));
    }

    #[test]
    fn a_key_that_comes_twice_makes_it_no_packet() {
        let fields = |names: [&str; 3]| {
            let field = |name: &str| (name.to_owned(), "EXERCISE".to_owned());
            Request::read(&Packet::Fields(names.map(field).to_vec()))
        };

        assert_eq!(read(r#"{"cmd":"EXERCISE","id":"a","id":"b"}"#), Err(Invalid::NotJson));
        assert_eq!(fields(["cmd", "id", "id"]), Err(Invalid::Id));
        assert_eq!(fields(["cmd", "id", "cmd"]), Err(Invalid::Command));
    }

    #[test]
    fn what_is_not_understood_says_why() {
        assert_eq!(read("EXERCISE"), Err(Invalid::NotJson));
        assert_eq!(read(r#"{"cmd":"EXERCISE","id":"a"}{"#), Err(Invalid::NotJson));
        assert_eq!(read(r#"["EXERCISE"]"#), Err(Invalid::NoObject));
        assert_eq!(read("{}"), Err(Invalid::Command));
        assert_eq!(read(r#"{"cmd":"HANDSHAKE","TOKEN":"x"}"#), Err(Invalid::Command));
        assert_eq!(read(r#"{"cmd":5}"#), Err(Invalid::Command));
        assert_eq!(read(&"[".repeat(100_000)), Err(Invalid::NotJson));
    }

    #[test]
    fn an_id_is_a_text_or_a_whole_number() {
        let with_id = |id: &str| read(&format!(r#"{{"cmd":"EXERCISE","id":{id}}}"#));
        let longest = "x".repeat(1024);

        assert_eq!(with_id(&format!("\"{longest}\"")), Ok(longest));
        assert_eq!(with_id("-7"), Ok("-7".to_owned()));
        for wrong in
            ["null", "1.5", "1e3", "true", "[]", "\"\"", "\"a\\u0000\"", &format!("\"{}\"", "x".repeat(1025))]
        {
            assert_eq!(with_id(wrong), Err(Invalid::Id), "{wrong}");
        }
    }

    #[test]
    fn a_handshake_has_the_keys_in_order_and_no_spaces() {
        let packet = Packet::handshake(&"SERVER_TOKEN".into());

        assert_eq!(packet.text(), r#"{"cmd":"HANDSHAKE","TOKEN":"SERVER_TOKEN"}"#);
    }

    #[test]
    fn a_frame_that_holds_the_token_is_not_shown() {
        assert_eq!(hex(&[0x0b, 0x02], &"SERVER_TOKEN".into()), "0b02");
        assert_eq!(hex(b"\x12SERVER_TOKE\xce", &"SERVER_TOKEN".into()), "13 bytes that hold the token");
        assert!(hex(&[7; 1000], &"t".into()).len() < 140);
    }
}
