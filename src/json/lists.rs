//! Lists that may have only so many items: the first beyond them ends the reading.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a list of at most `MOST` items, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// It is no list, or has more.
pub fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(AtMost::<MOST, T>(PhantomData))
}

struct AtMost<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for AtMost<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::with_capacity(items.size_hint().unwrap_or(0).min(MOST));
        while let Some(item) = items.next_element()? {
            if read.len() == MOST {
                return Err(A::Error::custom(format_args!("must have at most {MOST} items")));
            }
            read.push(item);
        }
        Ok(read)
    }
}
