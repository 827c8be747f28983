//! The JSON of JsonBeans: what its writers make, which is not always JSON, and what its readers take.
//!
//! Writers leave quotes out where they can: a name goes to the next colon, a value to the next comma or closing
//! bracket, and escapes count in both. Whatever is not quoted is a text too, `null` excepted. Names of classes are
//! compared with a few known ones; they never decide what is made here.

use std::fmt::Write as _;

use super::message::{Malformed, Message, Packet};
use super::{Charset, JsonSettings};

/// Objects within objects, at most.
const MAX_DEPTH: usize = 32;
/// The class of a text.
const STRING: &str = "java.lang.String";
/// Classes of Java that are maps of texts. Any other class whose name begins as Java's own do is no packet.
const MAPS: [&str; 5] = [
    "java.util.HashMap",
    "java.util.LinkedHashMap",
    "java.util.TreeMap",
    "java.util.Hashtable",
    "java.util.concurrent.ConcurrentHashMap",
];
const JAVA: [&str; 5] = ["java.", "javax.", "jdk.", "sun.", "com.sun."];

/// How packets are written and texts are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    /// The class of what is sent: `java.lang.String`, a map, or an application's own.
    pub packet_class: String,
    /// What bytes are that are no UTF-8.
    pub inbound: Charset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Null,
    Text(String),
    Object(Vec<(String, Self)>),
    Array,
}

impl Json {
    /// As the settings say.
    pub fn of(settings: &JsonSettings) -> Self {
        Self { packet_class: settings.packet_class.clone(), inbound: settings.inbound_charset }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It holds something else than what links know, or not quite that.
    pub fn decode(&self, payload: &[u8]) -> Result<Message, Malformed> {
        let text = self.inbound.decode(payload).ok_or(Malformed::Character)?;
        let mut reader = Reader { text: &text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.peek().is_some() {
            return Err(Malformed::Trailing);
        }
        match value {
            Value::Text(text) => Ok(Message::Packet(Packet::Text(text))),
            Value::Object(fields) => object(&fields),
            Value::Null => Err(Malformed::Null),
            Value::Array => Err(Malformed::NoObject),
        }
    }

    /// Writes a payload, all in ASCII: readers differ in how they take other bytes.
    pub fn encode(&self, message: &Message) -> Vec<u8> {
        let mut text = String::new();
        let mut field = |name: &str, value: &str, quoted: bool| {
            text.push(if text.is_empty() { '{' } else { ',' });
            put_quoted(&mut text, name);
            text.push(':');
            if quoted { put_quoted(&mut text, value) } else { text.push_str(value) }
        };
        match message {
            Message::RegisterTcp { connection } => {
                field("class", "RegisterTCP", true);
                field("connectionID", &connection.to_string(), false);
            }
            Message::RegisterUdp { connection } => {
                field("class", "RegisterUDP", true);
                field("connectionID", &connection.to_string(), false);
            }
            Message::KeepAlive => field("class", "KeepAlive", true),
            Message::DiscoverHost => field("class", "DiscoverHost", true),
            Message::Ping { id, reply } => {
                field("class", "Ping", true);
                field("id", &id.to_string(), false);
                field("isReply", if *reply { "true" } else { "false" }, false);
            }
            Message::Packet(Packet::Fields(fields)) if self.packet_class != STRING => {
                field("class", &self.packet_class, true);
                for (name, value) in fields {
                    field(name, value, true);
                }
            }
            Message::Packet(packet) => {
                field("class", STRING, true);
                field("value", &packet.text(), true);
            }
        }
        text.push('}');
        text.into_bytes()
    }
}

/// What an object of that class and those fields is.
fn object(fields: &[(String, Value)]) -> Result<Message, Malformed> {
    let class = match find(fields, "class") {
        Some(Value::Text(class)) => class.as_str(),
        Some(Value::Null | Value::Object(_) | Value::Array) => return Err(Malformed::Class),
        None => "",
    };
    Ok(match class {
        "RegisterTCP" => Message::RegisterTcp { connection: number(fields, "connectionID")? },
        "RegisterUDP" => Message::RegisterUdp { connection: number(fields, "connectionID")? },
        "KeepAlive" => Message::KeepAlive,
        "DiscoverHost" => Message::DiscoverHost,
        "Ping" => Message::Ping { id: number(fields, "id")?, reply: truth(fields, "isReply")? },
        STRING => {
            let Some(Value::Text(text)) = find(fields, "value") else { return Err(Malformed::Null) };
            Message::Packet(Packet::Text(text.clone()))
        }
        class if !MAPS.contains(&class) && JAVA.iter().any(|java| class.starts_with(java)) => {
            return Err(Malformed::Class);
        }
        _ => Message::Packet(Packet::Fields(texts(fields))),
    })
}

/// The fields that are texts, or texts in a wrapper. The others are nobody's concern.
fn texts(fields: &[(String, Value)]) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::Text(text) => Some(text.clone()),
        Value::Object(inner) => match (find(inner, "class"), find(inner, "value")) {
            (Some(Value::Text(class)), Some(Value::Text(text))) if class == STRING => Some(text.clone()),
            _ => None,
        },
        Value::Null | Value::Array => None,
    };
    let named = fields.iter().filter(|(name, _)| name != "class");
    named.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

fn find<'a>(fields: &'a [(String, Value)], wanted: &str) -> Option<&'a Value> {
    fields.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// A number; writers leave a field out that has its default.
fn number(fields: &[(String, Value)], name: &'static str) -> Result<i32, Malformed> {
    match find(fields, name) {
        None => Ok(0),
        Some(Value::Text(text)) => text.parse().map_err(|_source| Malformed::Field(name)),
        Some(Value::Null | Value::Object(_) | Value::Array) => Err(Malformed::Field(name)),
    }
}

fn truth(fields: &[(String, Value)], name: &'static str) -> Result<bool, Malformed> {
    match find(fields, name) {
        None => Ok(false),
        Some(Value::Text(text)) => text.parse().map_err(|_source| Malformed::Field(name)),
        Some(Value::Null | Value::Object(_) | Value::Array) => Err(Malformed::Field(name)),
    }
}

/// Writes a text with quotes, in ASCII.
fn put_quoted(to: &mut String, text: &str) {
    to.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(quoted @ ('"' | '\\')) => to.extend(['\\', quoted]),
            Ok(plain @ ' '..='~') => to.push(plain),
            Ok(_) | Err(_) => {
                let _written = write!(to, "\\u{unit:04x}");
            }
        }
    }
    to.push('"');
}

/// A text, and how far it is read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// White space, and commas that stand around.
    fn skip_between(&mut self) {
        while self.peek().is_some_and(|byte| byte == b',' || byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::Depth);
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.fields(depth),
            Some(b'[') => self.items(depth),
            Some(b'"') => Ok(Value::Text(self.quoted()?)),
            Some(_) => {
                let raw = self.raw(b"}],")?;
                Ok(if raw == "null" { Value::Null } else { Value::Text(raw) })
            }
            None => Err(Malformed::Syntax(self.at)),
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.at += 1;
        let mut fields = Vec::new();
        loop {
            self.skip_between();
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(Value::Object(fields));
            }
            let name = if self.peek() == Some(b'"') { self.quoted()? } else { self.raw(b":")? };
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(Malformed::Syntax(self.at));
            }
            self.at += 1;
            fields.push((name, self.value(depth + 1)?));
        }
    }

    fn items(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.at += 1;
        loop {
            self.skip_between();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(Value::Array);
            }
            let before = self.at;
            self.value(depth + 1)?;
            if self.at == before {
                return Err(Malformed::Syntax(self.at));
            }
        }
    }

    /// Text between quotes.
    fn quoted(&mut self) -> Result<String, Malformed> {
        self.at += 1;
        let text = self.up_to(b"\"")?;
        self.at += 1;
        unescape(text).ok_or(Malformed::Syntax(self.at))
    }

    /// Text without quotes up to one of those bytes, which is left there; white space around it doesn't count.
    fn raw(&mut self, ends: &[u8]) -> Result<String, Malformed> {
        let text = self.up_to(ends)?;
        unescape(text.trim_ascii()).ok_or(Malformed::Syntax(self.at))
    }

    /// What stands before the first of those bytes that no backslash hides.
    fn up_to(&mut self, ends: &[u8]) -> Result<&'a str, Malformed> {
        let from = self.at;
        while self.peek().is_some_and(|byte| !ends.contains(&byte)) {
            self.at += if self.peek() == Some(b'\\') { 2 } else { 1 };
        }
        let before = self.text.get(from..self.at).filter(|_| self.peek().is_some());
        before.ok_or(Malformed::Syntax(from))
    }
}

/// A text with its escapes read. Halves of a UTF-16 pair find each other; without the other they become U+FFFD.
fn unescape(raw: &str) -> Option<String> {
    let mut units = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(plain) = chars.next() {
        let read = match plain {
            '\\' => match chars.next()? {
                same @ ('"' | '\\' | '/' | '\'') => same,
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let (digits, rest) = chars.as_str().split_at_checked(4)?;
                    let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(digits, 16).ok().filter(|_| hex)?);
                    chars = rest.chars();
                    continue;
                }
                _ => return None,
            },
            plain => plain,
        };
        units.extend_from_slice(read.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}
