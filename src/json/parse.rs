//! Bytes that are JSON, with every key once.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::exact::{self, Key, Order};
use super::measure::{Bounds, Excess, Measure};

/// The key of a request whose value is its sender's own and comes back as it was sent.
pub(super) const OWN: &str = "metadata";
/// Longest such value that is looked into; more than four times what the longest one that is taken needs if each
/// character of it is escaped.
pub(super) const MAX_OWN_BYTES: usize = 32 << 10;
/// Most such values that are looked into: as many as a batch may have. Those beyond stand where no type asks for them.
const MAX_OWN: u32 = 100;
/// Longest part of a key that an answer repeats.
pub(super) const MAX_SHOWN_BYTES: usize = 200;

/// What a packet or the claims of a token may come to, of which a tree is made. Their length is bounded before.
const SMALL: Bounds = Bounds { bytes: usize::MAX, string_bytes: usize::MAX, values: 10_000 };

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

/// Reads a whole short text, of at most 10,000 values, as a tree; numbers beyond the range of a double are refused.
pub fn parse(bytes: &[u8]) -> Result<Value, ParseError> {
    Measure::default().add(bytes, &SMALL).map_err(|excess| {
        ParseError::Malformed(match excess {
            Excess::Bytes => "it is too long".to_owned(),
            Excess::Values => "it has too many values".to_owned(),
            Excess::Depth => "recursion limit exceeded".to_owned(),
        })
    })?;
    let text = check(bytes, None)?;
    serde_json::from_str(text).map_err(|error| ParseError::Malformed(error.to_string()))
}

/// A text that is JSON with every key once.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// The JSON text of a request, also behind a byte order mark.
    ///
    /// What stands under the key `metadata` is its sender's own: [`super::read()`] gives it as a string, its JSON text
    /// without white space between the tokens and with numbers as they were sent.
    pub fn of_request(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(ParseError::Malformed("it must be UTF-8, and begins as UTF-16 does".to_owned()));
        }
        let text = check(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), Some(OWN))?;
        Ok(Self(text.trim_matches([' ', '\t', '\n', '\r'])))
    }

    pub(super) const fn as_str(self) -> &'a str {
        self.0
    }

    /// Writes what it says to `out`: the same for the same JSON, whatever the order of its keys, its white space, its
    /// escapes and the notation of its numbers.
    ///
    /// Costs time by its length and depth: meant for what [`super::read()`] has taken.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_canonical(self, out: &mut impl io::Write) -> io::Result<()> {
        write_canonical(self.0, out)
    }
}

fn write_canonical(text: &str, out: &mut impl io::Write) -> io::Result<()> {
    match text.bytes().next() {
        Some(b'{') => {
            let mut entries = exact::entries(text)?;
            entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            out.write_all(b"{")?;
            for (key, value) in entries {
                serde_json::to_writer(&mut *out, &*key)?;
                out.write_all(b":")?;
                if key == OWN && value != "null" {
                    let mut own = String::new();
                    // It was read before.
                    exact::write(value, Order::ByKey, &mut own).unwrap_or_default();
                    out.write_all(own.as_bytes())?;
                } else {
                    write_canonical(value, out)?;
                }
                out.write_all(b",")?;
            }
            out.write_all(b"}")
        }
        Some(b'[') => {
            out.write_all(b"[")?;
            for item in exact::items(text)? {
                write_canonical(item, out)?;
                out.write_all(b",")?;
            }
            out.write_all(b"]")
        }
        Some(b'"') => Ok(serde_json::to_writer(out, &*exact::said(text)?)?),
        Some(b'-' | b'0'..=b'9') => write!(out, "{}", serde_json::from_str::<serde_json::Number>(text)?),
        Some(_) | None => out.write_all(text.as_bytes()),
    }
}

/// The bytes as text, if they are JSON with every key once.
fn check<'a>(bytes: &'a [u8], own: Option<&'static str>) -> Result<&'a str, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|error| ParseError::Malformed(error.to_string()))?;
    let (key_twice, owns) = (Cell::new(false), Cell::new(0));
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = UniqueKeys { own, key_twice: &key_twice, owns: &owns }.deserialize(&mut reader);
    match read.and_then(|()| reader.end()) {
        Ok(()) => Ok(text),
        Err(error) if key_twice.get() => Err(ParseError::DuplicateKey(error.to_string())),
        Err(error) => Err(ParseError::Malformed(error.to_string())),
    }
}

/// The beginning of a key, as an answer repeats it.
pub(super) fn shown(key: &str) -> &str {
    key.get(..key.floor_char_boundary(MAX_SHOWN_BYTES)).unwrap_or(key)
}

#[derive(Clone, Copy)]
struct UniqueKeys<'a> {
    own: Option<&'static str>,
    key_twice: &'a Cell<bool>,
    /// Values of the sender's own so far.
    owns: &'a Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for UniqueKeys<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl UniqueKeys<'_> {
    fn check_own<E: de::Error>(self, own: &RawValue) -> Result<(), E> {
        self.owns.set(self.owns.get() + 1);
        if own.get().len() > MAX_OWN_BYTES || self.owns.get() > MAX_OWN {
            return Ok(());
        }
        match exact::write(own.get(), Order::AsSent, &mut String::new()) {
            Ok(()) => Ok(()),
            Err(exact::Fault::KeyTwice(key)) => Err(self.twice(&key)),
            Err(exact::Fault::Malformed(detail)) => Err(E::custom(detail)),
        }
    }

    fn twice<E: de::Error>(self, key: &str) -> E {
        self.key_twice.set(true);
        E::custom(format_args!("the key {:?} comes twice", shown(key)))
    }
}

impl<'de> Visitor<'de> for UniqueKeys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _value: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(Key(key)) = entries.next_key()? {
            if seen.contains(&key) {
                return Err(self.twice(&key));
            }
            if self.own == Some(key.as_ref()) {
                self.check_own(entries.next_value()?)?;
            } else {
                entries.next_value_seed(self)?;
            }
            seen.insert(key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_SHOWN_BYTES, ParseError, Text, parse};

    fn malformed(request: &str) -> bool {
        matches!(Text::of_request(request.as_bytes()), Err(ParseError::Malformed(_)))
    }

    fn canonical(request: &str) -> String {
        let mut written = Vec::new();
        Text::of_request(request.as_bytes()).unwrap().write_canonical(&mut written).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn a_key_that_comes_twice_is_json_that_does_not_fit() {
        assert!(matches!(parse(br#"{"a":1,"a":2}"#), Err(ParseError::DuplicateKey(_))));
        for request in
            [r#"{"a":1,"\u0061":2}"#, r#"[{"x":{"a":1,"b":2,"a":3}}]"#, r#"{"metadata":{"a":{"b":1,"b":2}}}"#]
        {
            let read = Text::of_request(request.as_bytes());

            assert!(matches!(read, Err(ParseError::DuplicateKey(_))), "{request}");
        }
    }

    #[test]
    fn a_long_key_is_not_repeated_whole() {
        let key = "k".repeat(10_000);

        let error = Text::of_request(format!(r#"{{"{key}":1,"{key}":2}}"#).as_bytes()).unwrap_err();

        assert!(error.to_string().len() < 2 * MAX_SHOWN_BYTES, "{error}");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(100_000);
        let own = format!("{{\"metadata\":{}{}}}", "[".repeat(200), "]".repeat(200));

        assert!(matches!(parse(deep.as_bytes()), Err(ParseError::Malformed(_))));
        assert!(malformed(&deep));
        assert!(malformed(&own));
    }

    #[test]
    fn a_tree_is_made_of_few_values_only() {
        let list = |items: usize| format!("[{}0]", "0,".repeat(items - 1));

        assert!(parse(list(9_999).as_bytes()).is_ok());
        assert!(parse(list(10_001).as_bytes()).is_err());
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(matches!(parse(b"{} x"), Err(ParseError::Malformed(_))));
        assert!(malformed("{} x"));
    }

    #[test]
    fn a_byte_order_mark_may_stand_before_a_request() {
        assert_eq!(Text::of_request(b"\xef\xbb\xbf [1]\n").unwrap().as_str(), "[1]");
        assert!(Text::of_request(b"\xff\xfe{\0}\0").unwrap_err().to_string().contains("UTF-16"));
    }

    #[test]
    fn the_sender_s_own_is_json_like_the_rest() {
        for own in [r#""\ud800""#, "{\"a\":}", "01", "[1,]", "nul", "\"\u{1}\""] {
            assert!(malformed(&format!("{{\"metadata\":{own}}}")), "{own}");
            assert!(malformed(&format!("{{\"other\":{own}}}")), "{own}");
        }
    }

    #[test]
    fn what_a_tree_is_made_of_is_json() {
        assert_eq!(parse(br#"{"a":[1,-2,0.5,null,true,"\u00e9"]}"#).unwrap()["a"][5], json!("\u{e9}"));
        assert!(parse(b"1e400").is_err());
    }

    #[test]
    fn the_same_json_has_one_canonical_text() {
        let one = canonical(r#"{"a":[1,"\u00e9"],"metadata":{"x":1.50,"y":[100, 0]}}"#);

        assert_eq!(
            one,
            canonical("{ \"metadata\": {\"y\":[1E+2,-0.0e7],\"x\":15e-1},\n\"a\":[1,\"\u{e9}\"] }")
        );
        for other in [
            r#"{"a":["\u00e9",1],"metadata":{"x":1.50,"y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":1.51,"y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":"1.50","y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":-1.50,"y":[100, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":{"x":1.50,"y":[1000, 0]}}"#,
            r#"{"a":[1,"\u00e9"],"metadata":null}"#,
        ] {
            assert_ne!(one, canonical(other));
        }
    }

    #[test]
    fn digests_of_stored_requests_stay_what_they_are() {
        let text = canonical(r#"{"b":[true,null,-1.0,"\n"],"a":{"k":1e2},"metadata":{"z":[1.0,2],"y":1}}"#);

        assert_eq!(
            text,
            r#"{"a":{"k":100.0,},"b":[true,null,-1.0,"\n",],"metadata":{"y":1e0,"z":[1e0,2e0]},}"#
        );
    }
}
