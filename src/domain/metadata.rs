//! What the creator of a submission wants to find again with it.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JSON object of the creator's own, as its text: a number has as many digits as it was sent with.
///
/// It is a string in documents of ours; those of before hold the object itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    /// The object with this text; `None` if it's the text of something else.
    ///
    /// * `text` — JSON without white space between its tokens.
    pub fn from_text(text: String) -> Option<Self> {
        text.starts_with('{').then_some(Self(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Length of its text, in bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.0 == "{}"
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Metadata;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Metadata, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Metadata, E> {
        Metadata::from_text(text).ok_or_else(|| E::custom("must be an object"))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Metadata, A::Error> {
        let object = serde_json::Map::deserialize(MapAccessDeserializer::new(entries))?;
        serde_json::to_string(&object).map(Metadata).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Metadata;

    #[test]
    fn a_document_of_before_holds_the_object_itself() {
        let read: Metadata = serde_json::from_str(r#"{"lesson": 4, "nul": "\u0000"}"#).unwrap();

        assert_eq!(read.as_str(), r#"{"lesson":4,"nul":"\u0000"}"#);
    }

    #[test]
    fn its_text_survives_a_document() {
        let metadata = Metadata::from_text(r#"{"big":123456789012345678901234567890}"#.to_owned()).unwrap();

        let document = serde_json::to_string(&metadata).unwrap();

        assert_eq!(serde_json::from_str::<Metadata>(&document).unwrap(), metadata);
        assert_eq!(Metadata::from_text("[]".to_owned()), None);
    }
}
