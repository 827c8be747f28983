//! JSON taken strictly: no key twice, no list in an object's place, and a pointer to what doesn't fit.
//!
//! [`parse`] answers whether the bytes are JSON; [`read`] whether the value is what a type asks for. `serde_json` alone
//! would take `["a", "b"]` for a struct of two fields and the last of two equal keys.

use std::fmt;

use serde::de::value::{MapDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

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
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = UniqueKeys.deserialize(&mut reader).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ParseError::DuplicateKey(error.to_string()),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => ParseError::Malformed(error.to_string()),
    })?;
    reader.end().map_err(|error| ParseError::Malformed(error.to_string()))?;
    Ok(value)
}

struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
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
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} comes twice")));
            }
            let value = entries.next_value_seed(Self)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// What doesn't fit, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer.
    pub pointer: String,
    /// What is wrong: a lower-case fragment.
    pub message: String,
}

/// Turns a value into what `T` asks for; the first misfit ends it.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Misfit> {
    T::deserialize(Node { value, path: &Path::Root })
        .map_err(|fault| Misfit { pointer: fault.pointer.unwrap_or_default(), message: fault.message })
}

enum Path<'a> {
    Root,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(parent, name) => {
                write!(f, "{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// A misfit on its way up: whoever first knows the place writes it down.
#[derive(Debug)]
struct Fault {
    pointer: Option<String>,
    field: Option<String>,
    message: String,
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

struct Node<'a> {
    value: Value,
    path: &'a Path<'a>,
}

impl Node<'_> {
    fn unexpected(&self) -> de::Unexpected<'_> {
        match &self.value {
            Value::Null => de::Unexpected::Unit,
            Value::Bool(value) => de::Unexpected::Bool(*value),
            Value::Number(_) => de::Unexpected::Other("number"),
            Value::String(text) => de::Unexpected::Str(text),
            Value::Array(_) => de::Unexpected::Seq,
            Value::Object(_) => de::Unexpected::Map,
        }
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, Some(value)) => visitor.visit_f64(value),
                (None, None, None) => Err(de::Error::custom("must be a number in range")),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                visitor.visit_seq(Items { rest: items.into_iter(), index: 0, path: self.path })
            }
            Value::Object(entries) => {
                visitor.visit_map(Entries { rest: entries.into_iter(), pending: None, path: self.path })
            }
        }
    }
}

impl<'de> de::Deserializer<'de> for Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let path = self.path;
        self.visit(visitor).map_err(|fault| fault.at(path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
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
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if self.value.is_object() {
            self.deserialize_any(visitor)
        } else {
            Err(Fault::at(de::Error::invalid_type(self.unexpected(), &"an object"), self.path))
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(text) => {
                let name: StringDeserializer<Fault> = text.into_deserializer();
                visitor.visit_enum(name).map_err(|fault| fault.at(self.path))
            }
            _ => Err(Fault::at(de::Error::unknown_variant("", variants), self.path)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a> {
    rest: std::vec::IntoIter<Value>,
    index: usize,
    path: &'a Path<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let path = Path::Item(self.path, self.index);
        self.index += 1;
        seed.deserialize(Node { value, path: &path }).map(Some).map_err(|fault| fault.at(&path))
    }
}

struct Entries<'a> {
    rest: serde_json::map::IntoIter,
    pending: Option<(String, Value)>,
    path: &'a Path<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let name: StringDeserializer<Fault> = key.clone().into_deserializer();
        let read = seed.deserialize(name).map_err(|mut fault| {
            // A key that is refused is itself the place, whether its name is unknown or its form.
            fault.field.get_or_insert(key.clone());
            fault.at(self.path)
        })?;
        self.pending = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = self.pending.take().unwrap_or_default();
        let path = Path::Field(self.path, &key);
        seed.deserialize(Node { value, path: &path }).map_err(|fault| fault.at(&path))
    }
}

/// Reads query parameters, all text, into what `T` asks for.
pub fn read_query<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Result<T, Misfit> {
    let mut seen: Vec<&str> = Vec::with_capacity(pairs.len());
    for (name, _) in &pairs {
        if seen.contains(&name.as_str()) {
            return Err(Misfit { pointer: name.clone(), message: "comes twice".to_owned() });
        }
        seen.push(name);
    }
    let parameters =
        pairs.into_iter().map(|(name, value)| (name.clone(), Parameter { name, value })).collect::<Vec<_>>();
    let fields: MapDeserializer<'_, _, Fault> = MapDeserializer::new(parameters.into_iter());
    T::deserialize(fields).map_err(|fault| Misfit {
        pointer: fault.pointer.or(fault.field).unwrap_or_default(),
        message: fault.message,
    })
}

struct Parameter {
    name: String,
    value: String,
}

impl IntoDeserializer<'_, Fault> for Parameter {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Parameter {
    fn read<T>(name: String, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        read().map_err(|mut fault| {
            fault.pointer.get_or_insert(name);
            fault
        })
    }
}

impl<'de> de::Deserializer<'de> for Parameter {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Self::read(self.name, || visitor.visit_string(self.value))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Self::read(self.name, || {
            // One spelling each: no plus sign, no leading zeros, no spaces.
            match self.value.parse::<i64>() {
                Ok(number) if number.to_string() == self.value => visitor.visit_i64(number),
                Ok(_) | Err(_) => Err(de::Error::custom("must be a whole number")),
            }
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Self::read(self.name, || {
            let name: StringDeserializer<Fault> = self.value.into_deserializer();
            visitor.visit_enum(name)
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::{Misfit, ParseError, parse, read, read_query};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        files: Vec<Part>,
        #[serde(default)]
        _limit: Option<u64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        path: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        limit: Option<u32>,
    }

    fn misfit(value: serde_json::Value) -> (String, String) {
        let Misfit { pointer, message } = read::<Shape>(value).unwrap_err();
        (pointer, message)
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let (pointer, message) = misfit(json!({"files": [{"path": "a"}, {"path": 3}]}));

        assert_eq!((pointer.as_str(), message.as_str()), ("/files/1/path", "must be a string"));
    }

    #[test]
    fn an_unknown_field_is_the_place_itself() {
        assert_eq!(misfit(json!({"files": [{"path": "a", "a/b": 1}]})).0, "/files/0/a~1b");
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(misfit(json!({"files": [{}]})), ("/files/0/path".to_owned(), "is missing".to_owned()));
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(misfit(json!({"files": [["a"]]})).0, "/files/0");
        assert_eq!(misfit(json!([[]])).0, "");
    }

    #[test]
    fn a_negative_number_is_refused_where_none_may_be() {
        assert_eq!(misfit(json!({"files": [], "_limit": -1})).0, "/_limit");
    }

    #[test]
    fn a_key_that_comes_twice_is_json_that_does_not_fit() {
        assert!(matches!(parse(br#"{"a":1,"a":2}"#), Err(ParseError::DuplicateKey(_))));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(100_000);

        assert!(matches!(parse(deep.as_bytes()), Err(ParseError::Malformed(_))));
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        assert!(matches!(parse(b"{} x"), Err(ParseError::Malformed(_))));
    }

    #[test]
    fn a_query_parameter_has_one_spelling_and_comes_once() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());

        assert_eq!(read_query::<Query>(vec![pair("limit", "7")]).unwrap().limit, Some(7));
        assert_eq!(read_query::<Query>(vec![pair("limit", "-1")]).unwrap_err().pointer, "limit");
        assert_eq!(read_query::<Query>(vec![pair("limit", "+7")]).unwrap_err().pointer, "limit");
        assert_eq!(read_query::<Query>(vec![pair("other", "7")]).unwrap_err().pointer, "other");
        assert!(read_query::<Query>(vec![pair("limit", "7"), pair("limit", "7")]).is_err());
    }

    #[test]
    fn parts_are_read() {
        assert_eq!(read::<Shape>(json!({"files": [{"path": "a"}]})).unwrap().files[0].path, "a");
    }
}
