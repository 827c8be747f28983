//! Query parameters, all text, read as strictly as bodies.

use serde::de::value::{MapDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};

use super::read::{Fault, Misfit};

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

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        Self::read(self.name, || match self.value.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(de::Error::custom("must be true or false")),
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
        i8 i16 i32 i128 u8 u16 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::read_query;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        limit: Option<u32>,
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
}
