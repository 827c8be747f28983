//! JSON text written anew without losing a digit: `serde_json`'s own numbers have 64 bits.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How deep the text may be nested, so that the whole request stays within what readers of JSON take.
const MAX_DEPTH: usize = 120;

/// In which order entries of objects are written, and how numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they were sent.
    AsSent,
    /// Entries by their key, equal numbers equally.
    ByKey,
}

/// Why a text can't be written.
#[derive(Debug)]
pub(super) enum Fault {
    Malformed(String),
    KeyTwice(String),
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Writes a JSON text to `out` without white space between its tokens.
pub(super) fn write(text: &str, order: Order, out: &mut String) -> Result<(), Fault> {
    write_at(text, order, MAX_DEPTH, out)
}

/// A string as JSON.
pub(super) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a string's JSON says.
pub(super) fn said(text: &str) -> serde_json::Result<Cow<'_, str>> {
    match text.get(1..text.len().saturating_sub(1)) {
        Some(said) if !said.contains('\\') => Ok(Cow::Borrowed(said)),
        Some(_) | None => serde_json::from_str(text).map(Cow::Owned),
    }
}

/// The entries of an object, in their order, each value as its text.
pub(super) fn entries(text: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &str)>> {
    serde_json::Deserializer::from_str(text).deserialize_map(Entries)
}

/// The items of a list, each as its text.
pub(super) fn items(text: &str) -> serde_json::Result<Vec<&str>> {
    serde_json::Deserializer::from_str(text).deserialize_seq(Items)
}

fn write_at(text: &str, order: Order, levels: usize, out: &mut String) -> Result<(), Fault> {
    let below =
        || levels.checked_sub(1).ok_or_else(|| Fault::Malformed("recursion limit exceeded".to_owned()));
    match text.bytes().next() {
        Some(b'{') => {
            let below = below()?;
            let mut entries = entries(text)?;
            check_keys(&entries)?;
            if order == Order::ByKey {
                entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            }
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                out.push_str(&string(key));
                out.push(':');
                write_at(value, order, below, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let below = below()?;
            out.push('[');
            for (index, item) in items(text)?.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_at(item, order, below, out)?;
            }
            out.push(']');
        }
        Some(b'"') => out.push_str(&string(&serde_json::from_str::<String>(text)?)),
        Some(b'-' | b'0'..=b'9') if order == Order::ByKey => out.push_str(&normal(text)),
        Some(_) | None => out.push_str(text),
    }
    Ok(())
}

fn check_keys(entries: &[(Cow<'_, str>, &str)]) -> Result<(), Fault> {
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    match entries.iter().find(|(key, _)| !seen.insert(key.as_ref())) {
        Some((key, _)) => Err(Fault::KeyTwice(key.clone().into_owned())),
        None => Ok(()),
    }
}

/// A key, borrowed from the text if nothing in it is escaped.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::new();
        while let Some((Key(key), value)) = entries.next_entry::<_, &RawValue>()? {
            read.push((key, value.get()));
        }
        Ok(read)
    }
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element::<&RawValue>()? {
            read.push(item.get());
        }
        Ok(read)
    }
}

/// A number as its digits, the first and the last not 0, and a power of ten: the same for equal numbers.
fn normal(number: &str) -> String {
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let Ok(power) = power.parse::<i64>() else { return number.to_owned() };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.trim_start_matches('0').is_empty() {
        return "0".to_owned();
    }
    let [kept, moved] =
        [significant.len(), whole.len()].map(|length| i64::try_from(length).unwrap_or(i64::MAX));
    // Places behind the digits that are left: as many as the point was moved, less those that were cut off.
    let power = power.saturating_add(moved).saturating_sub(kept);
    format!("{sign}{}e{power}", significant.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn equal_numbers_are_written_equally() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.00150", "15E-4"),
            ("-0.0", "0"),
            ("12.50e+1", "125"),
            ("9007199254740993", "9007199254740993.0"),
        ] {
            assert_eq!(normal(one), normal(other), "{one} {other}");
        }
        assert_ne!(normal("9007199254740993"), normal("9007199254740992"));
        assert_ne!(normal("1"), normal("-1"));
        assert_ne!(normal("1"), normal("10"));
        assert_ne!(normal("1e99999999999999999999"), normal("1e99999999999999999998"));
    }
}
