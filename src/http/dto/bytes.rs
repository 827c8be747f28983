//! Bytes in JSON: a text field, and in its place a base64 twin when they are not UTF-8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use utoipa::ToSchema;

use crate::app::FieldError;
use crate::domain::blob::Blob;

/// Bytes as the body of an answer.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Binary(#[expect(dead_code, reason = "only its schema is used")] Vec<u8>);

/// A text field and its twin, as an answer shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The text; `None` if the bytes are not UTF-8.
    pub text: Option<String>,
    /// The bytes in base64, if they are not UTF-8.
    pub base64: Option<String>,
}

impl Shown {
    /// The bytes as text, or else in base64.
    pub fn of(blob: &Blob) -> Self {
        match blob.as_text() {
            Some(text) => Self { text: Some(text.to_owned()), base64: None },
            None => Self { text: None, base64: Some(STANDARD.encode(blob.as_bytes())) },
        }
    }

    /// Text with U+FFFD where the bytes are not UTF-8, and then the bytes in base64 too.
    pub fn lossy(blob: &Blob) -> Self {
        match blob.as_text() {
            Some(text) => Self { text: Some(text.to_owned()), base64: None },
            None => Self { text: Some(lossy(blob)), base64: Some(STANDARD.encode(blob.as_bytes())) },
        }
    }
}

/// Text with U+FFFD where the bytes are not UTF-8.
pub fn lossy(blob: &Blob) -> String {
    String::from_utf8_lossy(blob.as_bytes()).into_owned()
}

/// Base64 as encoders write it that break lines (RFC 2045).
fn on_one_line(mut base64: String) -> String {
    base64.retain(|sign| !sign.is_ascii_whitespace());
    base64
}

/// A field of bytes in a request, named by the place of its text form.
#[derive(Debug)]
pub struct Sent<'a> {
    /// Pointer to the object that holds it.
    pub parent: &'a str,
    /// Name of the text field; its twin is `<name>_base64`.
    pub name: &'a str,
    /// The text field.
    pub text: Option<String>,
    /// Its twin.
    pub base64: Option<String>,
}

impl Sent<'_> {
    /// The bytes; `None` if neither field is there. What is wrong goes to `errors`.
    pub fn read(self, errors: &mut Vec<FieldError>) -> Option<Blob> {
        let twin = format!("{}/{}_base64", self.parent, self.name);
        match (self.text, self.base64) {
            (None, None) => None,
            (Some(text), None) => Some(Blob::from(text)),
            (None, Some(base64)) => match STANDARD.decode(on_one_line(base64)) {
                Ok(bytes) => Some(Blob::from(bytes)),
                Err(_) => {
                    add(errors, twin, "must be base64 (RFC 4648 §4) with padding".to_owned());
                    Some(Blob::default())
                }
            },
            (Some(_), Some(_)) => {
                add(errors, twin, format!("must not stand beside {}", self.name));
                Some(Blob::default())
            }
        }
    }

    /// The bytes, or an error that the field is missing.
    pub fn read_required(self, errors: &mut Vec<FieldError>) -> Blob {
        let pointer = format!("{}/{}", self.parent, self.name);
        self.read(errors).unwrap_or_else(|| {
            add(errors, pointer, "is missing".to_owned());
            Blob::default()
        })
    }
}

/// Most wrong fields that are listed: a batch may have tens of thousands.
const MAX_LISTED: usize = 1000;

fn add(errors: &mut Vec<FieldError>, pointer: String, message: String) {
    if errors.len() < MAX_LISTED {
        errors.push(FieldError::body(pointer, message));
    }
}

#[cfg(test)]
mod tests {
    use super::{Blob, Sent, Shown};

    fn sent<'a>(text: Option<&str>, base64: Option<&str>) -> Sent<'a> {
        Sent {
            parent: "/files/0",
            name: "content",
            text: text.map(Into::into),
            base64: base64.map(Into::into),
        }
    }

    #[test]
    fn bytes_come_as_text_or_in_base64_but_not_both() {
        let mut errors = Vec::new();

        assert_eq!(sent(Some("é"), None).read(&mut errors), Some(Blob::from("é")));
        assert_eq!(sent(None, Some("/wA=")).read(&mut errors), Some(Blob::from(vec![255, 0])));
        assert!(errors.is_empty());
        sent(Some(""), Some("")).read(&mut errors);
        sent(None, Some("?")).read(&mut errors);
        assert_eq!(errors.iter().filter(|error| error.pointer == "/files/0/content_base64").count(), 2);
    }

    #[test]
    fn base64_may_be_broken_into_lines() {
        let mut errors = Vec::new();
        for base64 in ["/wA=\n", "/w\nA=\n", "/w\r\nA=\r\n", " /wA\t= "] {
            let read = sent(None, Some(base64)).read(&mut errors);

            assert_eq!(read, Some(Blob::from(vec![255, 0])), "{base64:?}");
        }
        assert!(errors.is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_in_base64() {
        let shown = Shown::of(&Blob::from(vec![255]));

        assert_eq!((shown.text, shown.base64.as_deref()), (None, Some("/w==")));
        assert_eq!(Shown::lossy(&Blob::from(vec![255])).text.as_deref(), Some("\u{fffd}"));
    }
}
