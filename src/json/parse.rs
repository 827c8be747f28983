//! Bytes that are JSON, with every key once.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::exact::{self, Order};

/// The key of a request whose value is its sender's own and comes back as it was sent.
const OWN: &str = "metadata";
/// Longest such value that is looked into; more than four times what the longest one that is taken needs if each
/// character of it is escaped.
const MAX_OWN_BYTES: usize = 32 << 10;

/// Why bytes are no JSON value.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// They are no JSON, or nested too deep (128).
    #[error("{0}")]
    Malformed(String),
    /// They are JSON, with a key that comes twice in one object.
    #[error("{0}")]
    DuplicateKey(String),
}

/// Reads a whole JSON text; numbers beyond the range of a double are refused.
pub fn parse(bytes: &[u8]) -> Result<Value, ParseError> {
    parse_with(bytes, None)
}

/// Reads the JSON text of a request, also behind a byte order mark.
///
/// What stands under the key `metadata` becomes a string: its JSON text without white space between the tokens, numbers
/// as they were sent. A `Value` would round them.
pub fn parse_request(bytes: &[u8]) -> Result<Value, ParseError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ParseError::Malformed("it must be UTF-8, and begins as UTF-16 does".to_owned()));
    }
    parse_with(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), Some(OWN))
}

fn parse_with(bytes: &[u8], own: Option<&'static str>) -> Result<Value, ParseError> {
    let key_twice = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = UniqueKeys { own, key_twice: &key_twice }.deserialize(&mut reader);
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) if key_twice.get() => Err(ParseError::DuplicateKey(error.to_string())),
        Err(error) => Err(ParseError::Malformed(error.to_string())),
    }
}

/// The text of what [`parse_request`] read: the same for the same JSON, whatever the order of its keys, its white space,
/// its escapes and the notation of its numbers.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in sorted {
                out.push_str(&exact::string(key));
                out.push(':');
                match value {
                    Value::String(own) if key == OWN => {
                        // It was read before; what was too long to be looked into is never stored.
                        exact::write(own, Order::ByKey, out).unwrap_or_default();
                    }
                    value => write_canonical(value, out),
                }
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::String(text) => out.push_str(&exact::string(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

#[derive(Clone, Copy)]
struct UniqueKeys<'a> {
    own: Option<&'static str>,
    key_twice: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl UniqueKeys<'_> {
    fn own_text<E: de::Error>(self, own: &RawValue) -> Result<Value, E> {
        if own.get() == "null" {
            return Ok(Value::Null);
        }
        if own.get().len() > MAX_OWN_BYTES {
            return Ok(Value::String(own.get().to_owned()));
        }
        let mut text = String::with_capacity(own.get().len());
        match exact::write(own.get(), Order::AsSent, &mut text) {
            Ok(()) => Ok(Value::String(text)),
            Err(exact::Fault::KeyTwice(key)) => Err(self.twice(&key)),
            Err(exact::Fault::Malformed(detail)) => Err(E::custom(detail)),
        }
    }

    fn twice<E: de::Error>(self, key: &str) -> E {
        self.key_twice.set(true);
        E::custom(format_args!("the key {key:?} comes twice"))
    }
}

impl<'de> Visitor<'de> for UniqueKeys<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(self.twice(&key));
            }
            let value = if self.own == Some(key.as_str()) {
                self.own_text(entries.next_value()?)?
            } else {
                entries.next_value_seed(self)?
            };
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ParseError, canonical, parse, parse_request};

    #[test]
    fn a_key_that_comes_twice_is_json_that_does_not_fit() {
        assert!(matches!(parse(br#"{"a":1,"a":2}"#), Err(ParseError::DuplicateKey(_))));
        assert!(matches!(
            parse_request(br#"{"metadata":{"a":{"b":1,"b":2}}}"#),
            Err(ParseError::DuplicateKey(_))
        ));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(100_000);
        let own = format!("{{\"metadata\":{}{}}}", "[".repeat(200), "]".repeat(200));

        assert!(matches!(parse(deep.as_bytes()), Err(ParseError::Malformed(_))));
        assert!(matches!(parse_request(own.as_bytes()), Err(ParseError::Malformed(_))));
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(matches!(parse(b"{} x"), Err(ParseError::Malformed(_))));
    }

    #[test]
    fn a_byte_order_mark_may_stand_before_a_request() {
        assert_eq!(parse_request(b"\xef\xbb\xbf[1]").unwrap(), json!([1]));
        assert!(parse_request(b"\xff\xfe{\0}\0").unwrap_err().to_string().contains("UTF-16"));
    }

    #[test]
    fn the_sender_s_own_is_kept_as_text_with_its_numbers() {
        let sent = br#"{"metadata": { "n": [123456789012345678901234567890, 1e400, 1.50, -0], "\u00e9\/": "\u0041\n" } }"#;

        let own = parse_request(sent).unwrap()["metadata"].take();

        let kept = r#"{"n":[123456789012345678901234567890,1e400,1.50,-0],"\u{e9}/":"A\n"}"#;
        assert_eq!(own, json!(kept.replace("\\u{e9}", "\u{e9}")));
        assert_eq!(parse_request(br#"{"metadata":null}"#).unwrap(), json!({ "metadata": null }));
    }

    #[test]
    fn the_sender_s_own_is_json_like_the_rest() {
        for own in [r#""\ud800""#, "{\"a\":}", "01", "[1,]", "nul", "\"\u{1}\""] {
            let sent = format!("{{\"metadata\":{own}}}");

            assert!(matches!(parse_request(sent.as_bytes()), Err(ParseError::Malformed(_))), "{own}");
        }
    }

    #[test]
    fn the_same_json_has_one_canonical_text() {
        let text = |sent: &str| canonical(&parse_request(sent.as_bytes()).unwrap());
        let one = text(r#"{"a":[1,"\u00e9"],"metadata":{"x":1.50,"y":[100, 0]}}"#);

        assert_eq!(one, text("{ \"metadata\": {\"y\":[1E+2,-0.0e7],\"x\":15e-1},\n\"a\":[1,\"\u{e9}\"] }"));
        for other in [
            r#"{"a":["\u00e9",1],"metadata":{"x":1.50,"y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":1.51,"y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":"1.50","y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":-1.50,"y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":1.50,"y":[1000, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":null}"#,
        ] {
            assert_ne!(one, text(other));
        }
    }
}
