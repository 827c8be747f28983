//! Which characters a backend's bytes are: its JSON is written in the character set of its platform.

use std::borrow::Cow;

use super::Charset;

/// What windows-1252 has in the places 0x80 to 0x9f; the others are as in Unicode. Free places stay as they are.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

impl Charset {
    /// The text in those bytes, UTF-8 first; `None` if they are no text.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match (str::from_utf8(bytes), self) {
            (Ok(text), _) => Some(Cow::Borrowed(text)),
            (Err(_), Self::Utf8) => None,
            (Err(_), Self::Windows1252) => Some(bytes.iter().map(|byte| windows_1252(*byte)).collect()),
        }
    }
}

fn windows_1252(byte: u8) -> char {
    let place = byte.checked_sub(0x80).map(usize::from);
    place.and_then(|place| WINDOWS_1252.get(place)).copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use crate::legacy::kryonet::Charset;

    #[test]
    fn bytes_that_are_no_utf8_may_be_windows_1252() {
        let bytes = b"\xe9l\xe8ve \x80";

        assert_eq!(Charset::Utf8.decode(bytes), None);
        assert_eq!(Charset::Windows1252.decode(bytes).as_deref(), Some("élève €"));
        assert_eq!(Charset::Windows1252.decode("é".as_bytes()).as_deref(), Some("é"));
    }
}
