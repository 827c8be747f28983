//! Bytes of files as fields of a document: text, or base64 in the field's twin.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Puts bytes into the field `name`, or into `name_base64` if they are no text or mostly control characters, of which JSON
/// writes six bytes for each.
pub(super) fn put(object: &mut Map<String, Value>, name: &str, bytes: Vec<u8>) {
    let escaped =
        bytes.iter().filter(|byte| **byte < 0x20 && !matches!(**byte, b'\n' | b'\t' | b'\r')).count();
    let is_plain = escaped <= bytes.len() / 16;
    match String::from_utf8(bytes) {
        Ok(text) if is_plain => object.insert(name.to_owned(), Value::String(text)),
        Ok(text) => object.insert(format!("{name}_base64"), Value::String(STANDARD.encode(text))),
        Err(bytes) => {
            object.insert(format!("{name}_base64"), Value::String(STANDARD.encode(bytes.into_bytes())))
        }
    };
}

/// The bytes of the field `name` or its twin, taken out; `None` if neither says anything.
pub(super) fn take(object: &mut Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let twin = format!("{name}_base64");
    match (object.get(name), object.get(&twin)) {
        (Some(Value::String(text)), _) => {
            let bytes = text.clone().into_bytes();
            object.shift_remove(name);
            object.shift_remove(&twin);
            Some(bytes)
        }
        (_, Some(Value::String(base64))) => {
            let bytes = STANDARD.decode(base64).ok()?;
            object.shift_remove(name);
            object.shift_remove(&twin);
            Some(bytes)
        }
        _ => None,
    }
}

/// A file as an entry of a list of files.
pub(super) fn file(path: &str, content: Vec<u8>) -> Value {
    let mut object = Map::new();
    object.insert("path".to_owned(), path.into());
    put(&mut object, "content", content);
    Value::Object(object)
}
