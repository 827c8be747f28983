//! A text as what a type asks for, with a pointer to what doesn't fit.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::exact::{self, Order};
use super::parse::{MAX_OWN_BYTES, OWN, Text, shown};
use super::unknown::{Unknown, known};

/// What doesn't fit, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer.
    pub pointer: String,
    /// What is wrong: a lower-case fragment.
    pub message: String,
}

/// Turns a text into what `T` asks for.
///
/// # Errors
/// All fields that `T` doesn't know (at most 100, and how many more there are), and the first other misfit, which ends
/// it.
pub fn read<T: DeserializeOwned>(text: Text<'_>) -> Result<T, Vec<Misfit>> {
    let unknown = RefCell::default();
    let read =
        T::deserialize(Node { text: text.as_str(), is_own: false, path: &Path::Root, unknown: &unknown });
    let mut misfits = unknown.into_inner().misfits();
    match read {
        Ok(value) if misfits.is_empty() => Ok(value),
        Ok(_) => Err(misfits),
        Err(fault) => {
            misfits.push(Misfit { pointer: fault.pointer.unwrap_or_default(), message: fault.message });
            Err(misfits)
        }
    }
}

/// Where a value stands.
pub(super) enum Path<'a> {
    Root,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(parent, name) => {
                write!(f, "{parent}/{}", shown(name).replace('~', "~0").replace('/', "~1"))
            }
            Self::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// A misfit on its way up: the first that knows the place writes it down.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) pointer: Option<String>,
    pub(super) field: Option<String>,
    pub(super) message: String,
}

impl Fault {
    fn at(mut self, path: &Path<'_>) -> Self {
        if self.pointer.is_none() {
            let pointer = match &self.field {
                Some(field) => Path::Field(path, field).to_string(),
                None => path.to_string(),
            };
            self.pointer = Some(pointer);
        }
        self
    }

    fn of_field(field: &str, message: String) -> Self {
        Self { pointer: None, field: Some(field.to_owned()), message }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        de::Error::custom(error)
    }
}

fn in_words(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        _ => expected,
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { pointer: None, field: None, message: message.to_string() }
    }

    fn invalid_type(_unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("must be {}", in_words(expected)))
    }

    fn invalid_value(_unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("must be {}", in_words(expected)))
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("must be one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _expected: &'static [&'static str]) -> Self {
        Self::of_field(field, "is not known here".to_owned())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of_field(field, "is missing".to_owned())
    }
}

struct Node<'t, 'a> {
    /// The value's text, which is JSON.
    text: &'t str,
    /// Whether it is its sender's own, which becomes a string.
    is_own: bool,
    path: &'a Path<'a>,
    unknown: &'a RefCell<Unknown>,
}

impl Node<'_, '_> {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { text, is_own, path, unknown } = self;
        if is_own {
            return visitor.visit_string(own(text)?);
        }
        match text.bytes().next() {
            Some(b'n') => visitor.visit_unit(),
            Some(b't') => visitor.visit_bool(true),
            Some(b'f') => visitor.visit_bool(false),
            Some(b'"') => visitor.visit_string(exact::said(text)?.into_owned()),
            Some(b'[') => {
                let rest = exact::items(text)?.into_iter();
                visitor.visit_seq(Items { rest, index: 0, path, unknown })
            }
            Some(b'{') => visit_entries(exact::entries(text)?, path, unknown, visitor),
            Some(_) | None => {
                let number: Number = serde_json::from_str(text)?;
                match (number.as_u64(), number.as_i64(), number.as_f64()) {
                    (Some(value), _, _) => visitor.visit_u64(value),
                    (None, Some(value), _) => visitor.visit_i64(value),
                    (None, None, Some(value)) => visitor.visit_f64(value),
                    (None, None, None) => Err(de::Error::custom("must be a number in range")),
                }
            }
        }
    }

    fn is_null(&self) -> bool {
        self.text == "null"
    }
}

fn visit_entries<'de, V: Visitor<'de>>(
    entries: Vec<(Cow<'_, str>, &str)>,
    path: &Path<'_>,
    unknown: &RefCell<Unknown>,
    visitor: V,
) -> Result<V::Value, Fault> {
    visitor.visit_map(Entries { rest: entries.into_iter(), pending: None, path, unknown })
}

/// Its sender's own, without white space between the tokens.
fn own(text: &str) -> Result<String, Fault> {
    if text.len() > MAX_OWN_BYTES {
        return Err(de::Error::custom("is too long"));
    }
    let mut written = String::with_capacity(text.len());
    match exact::write(text, Order::AsSent, &mut written) {
        Ok(()) => Ok(written),
        Err(exact::Fault::Malformed(detail) | exact::Fault::KeyTwice(detail)) => {
            Err(de::Error::custom(detail))
        }
    }
}

impl<'de> de::Deserializer<'de> for Node<'_, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let path = self.path;
        self.visit(visitor).map_err(|fault| fault.at(path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { text, path, unknown, .. } = self;
        let outcome = if text.starts_with('{') {
            // A visitor would stop at the first field that it doesn't know.
            let entries = exact::entries(text).map_err(Fault::from);
            entries.and_then(|entries| {
                visit_entries(known(entries, fields, path, unknown), path, unknown, visitor)
            })
        } else {
            Err(de::Error::custom("must be an object"))
        };
        outcome.map_err(|fault: Fault| fault.at(path))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !self.text.starts_with('"') {
            return Err(Fault::at(de::Error::unknown_variant("", variants), self.path));
        }
        let named = exact::said(self.text).map_err(Fault::from).and_then(|name| {
            let name: StringDeserializer<Fault> = name.into_owned().into_deserializer();
            visitor.visit_enum(name)
        });
        named.map_err(|fault| fault.at(self.path))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'t, 'a> {
    rest: std::vec::IntoIter<&'t str>,
    index: usize,
    path: &'a Path<'a>,
    unknown: &'a RefCell<Unknown>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(text) = self.rest.next() else { return Ok(None) };
        let path = Path::Item(self.path, self.index);
        self.index += 1;
        let node = Node { text, is_own: false, path: &path, unknown: self.unknown };
        seed.deserialize(node).map(Some).map_err(|fault| fault.at(&path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Entries<'t, 'a> {
    rest: std::vec::IntoIter<(Cow<'t, str>, &'t str)>,
    pending: Option<(Cow<'t, str>, &'t str)>,
    path: &'a Path<'a>,
    unknown: &'a RefCell<Unknown>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, text)) = self.rest.next() else { return Ok(None) };
        let name: StringDeserializer<Fault> = key.clone().into_owned().into_deserializer();
        let read = seed.deserialize(name).map_err(|mut fault| {
            // A key that is refused is itself the place, whether its name is unknown or its form.
            fault.field.get_or_insert_with(|| key.clone().into_owned());
            fault.at(self.path)
        })?;
        self.pending = Some((key, text));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, text) = self.pending.take().unwrap_or((Cow::Borrowed(""), "null"));
        let path = Path::Field(self.path, &key);
        let node = Node { text, is_own: key == OWN && text != "null", path: &path, unknown: self.unknown };
        seed.deserialize(node).map_err(|fault| fault.at(&path))
    }
}
