//! A value as what a type asks for, with a pointer to what doesn't fit.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::unknown::{Unknown, known};

/// What doesn't fit, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer.
    pub pointer: String,
    /// What is wrong: a lower-case fragment.
    pub message: String,
}

/// Turns a value into what `T` asks for.
///
/// # Errors
/// All fields that `T` doesn't know (at most 100, and how many more there are), and the first other misfit, which ends
/// it.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Vec<Misfit>> {
    let unknown = RefCell::default();
    let read = T::deserialize(Node { value, path: &Path::Root, unknown: &unknown });
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
                write!(f, "{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
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
    unknown: &'a RefCell<Unknown>,
}

impl Node<'_> {
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
                let rest = items.into_iter();
                visitor.visit_seq(Items { rest, index: 0, path: self.path, unknown: self.unknown })
            }
            Value::Object(entries) => {
                let rest = entries.into_iter();
                visitor.visit_map(Entries { rest, pending: None, path: self.path, unknown: self.unknown })
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
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self { value, path, unknown } = self;
        match value {
            // A visitor would stop at the first field that it doesn't know.
            Value::Object(entries) => {
                let value = Value::Object(known(entries, fields, path, unknown));
                Node { value, path, unknown }.deserialize_any(visitor)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(<Fault as de::Error>::custom("must be an object").at(path))
            }
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
    unknown: &'a RefCell<Unknown>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let path = Path::Item(self.path, self.index);
        self.index += 1;
        let node = Node { value, path: &path, unknown: self.unknown };
        seed.deserialize(node).map(Some).map_err(|fault| fault.at(&path))
    }
}

struct Entries<'a> {
    rest: serde_json::map::IntoIter,
    pending: Option<(String, Value)>,
    path: &'a Path<'a>,
    unknown: &'a RefCell<Unknown>,
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
        let node = Node { value, path: &path, unknown: self.unknown };
        seed.deserialize(node).map_err(|fault| fault.at(&path))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::super::unknown::MAX_UNKNOWN;
    use super::{Misfit, read};

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

    fn misfit(value: serde_json::Value) -> (String, String) {
        let misfits = read::<Shape>(value).unwrap_err();
        let [Misfit { pointer, message }] = <[Misfit; 1]>::try_from(misfits).unwrap();
        (pointer, message)
    }

    fn pointers(value: serde_json::Value) -> Vec<String> {
        read::<Shape>(value).unwrap_err().into_iter().map(|misfit| misfit.pointer).collect()
    }

    #[test]
    fn all_unknown_fields_are_listed_and_the_first_other_misfit() {
        let value =
            json!({ "a": 1, "files": [{ "path": "x", "b": 1 }, { "path": 3, "c": { "d": 1 } }], "e": 1 });

        assert_eq!(pointers(value), ["/a", "/e", "/files/0/b", "/files/1/c", "/files/1/path"]);
        assert_eq!(pointers(json!({ "file": [] })), ["/file", "/files"]);
    }

    #[test]
    fn a_list_of_unknown_fields_is_bounded() {
        let many =
            (0..1000).map(|index| (format!("x{index}"), json!(0))).chain([("files".to_owned(), json!([]))]);

        let misfits = read::<Shape>(many.collect::<serde_json::Map<_, _>>().into()).unwrap_err();

        assert_eq!(misfits.len(), MAX_UNKNOWN + 1);
        assert_eq!(misfits[MAX_UNKNOWN].message, "has 900 more unknown fields");
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
    fn parts_are_read() {
        assert_eq!(read::<Shape>(json!({"files": [{"path": "a"}]})).unwrap().files[0].path, "a");
    }
}
