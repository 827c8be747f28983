//! Pieces of an output, quoted for people: as they were printed, but what can't be seen is named in `⟨ ⟩`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Length of a quote before and from the first difference on, in characters; a name may go beyond it.
const BEFORE_CHARS: usize = 30;
const FROM_CHARS: usize = 40;
/// Longest character in UTF-8, in bytes.
const CHAR_BYTES: usize = 4;

/// Two pieces that differ, each cut to what is around the first difference.
#[derive(Debug, PartialEq, Eq)]
pub struct Apart {
    /// What was expected.
    pub expected: String,
    /// What was printed.
    pub actual: String,
    /// Where they may look the same all the same: which characters they are. Else empty.
    pub note: String,
}

/// Quotes two pieces that differ.
pub fn apart(expected: &[u8], actual: &[u8]) -> Apart {
    let same = expected.iter().zip(actual).take_while(|(one, other)| one == other).count();
    let at = start_of_char(expected, same).min(start_of_char(actual, same));
    Apart { expected: around(expected, at), actual: around(actual, at), note: note(expected, actual, at) }
}

/// Quotes the start of one piece.
pub fn quote(piece: &[u8]) -> String {
    around(piece, 0)
}

/// Where the character begins that holds the byte at `at`, as far as the bytes are UTF-8.
fn start_of_char(bytes: &[u8], at: usize) -> usize {
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let earliest = at.saturating_sub(CHAR_BYTES - 1);
    (earliest..=at).rev().find(|at| !is_inside(at)).unwrap_or(at)
}

/// A character of an output, or a byte that belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Char(char),
    Byte(u8),
}

fn signs(bytes: &[u8]) -> impl DoubleEndedIterator<Item = Sign> {
    let read: Vec<Sign> = bytes
        .utf8_chunks()
        .flat_map(|chunk| {
            let broken = chunk.invalid().iter().copied().map(Sign::Byte);
            chunk.valid().chars().map(Sign::Char).chain(broken)
        })
        .collect();
    read.into_iter()
}

/// The piece, or what is around `at` of it, between backticks.
fn around(piece: &[u8], at: usize) -> String {
    let (before, from) = piece.split_at_checked(at).unwrap_or((piece, &[]));
    let far = before.len().saturating_sub(CHAR_BYTES * (BEFORE_CHARS + 1));
    let near = before.get(start_of_char(before, far)..).unwrap_or_default();
    let (mut shown, mut length, mut cut) = (Vec::new(), 0, near.len() < before.len());
    for sign in signs(near).rev() {
        if length >= BEFORE_CHARS {
            cut = true;
            break;
        }
        let text = shown_as(sign, Place::Within);
        length += text.chars().count();
        shown.push(text);
    }
    let mut quoted = String::from(if cut { "`…" } else { "`" });
    shown.iter().rev().for_each(|text| quoted.push_str(text));
    let near = from.get(..CHAR_BYTES * (FROM_CHARS + 1)).unwrap_or(from);
    let (mut length, mut rest) = (0, signs(near).enumerate().peekable());
    while let Some((index, sign)) = rest.next() {
        if length >= FROM_CHARS {
            quoted.push('…');
            break;
        }
        let is_last = rest.peek().is_none() && near.len() == from.len();
        let text = shown_as(sign, if index == 0 || is_last { Place::Edge } else { Place::Within });
        length += text.chars().count();
        quoted.push_str(&text);
    }
    quoted.push('`');
    quoted
}

/// Where a character stands in a quote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the first difference, or last.
    Edge,
    Within,
}

fn shown_as(sign: Sign, place: Place) -> Cow<'static, str> {
    let sign = match sign {
        Sign::Char(sign) => sign,
        Sign::Byte(byte) => return format!("⟨byte 0x{byte:02X}⟩").into(),
    };
    match name(sign, place) {
        Some(name) => format!("⟨{name}⟩").into(),
        None => sign.to_string().into(),
    }
}

/// What a character is called that can't be seen where it stands.
fn name(sign: char, place: Place) -> Option<Cow<'static, str>> {
    let known = match sign {
        ' ' => (place == Place::Edge).then_some("space")?,
        // These shape their neighbours, and belong to some scripts and to emoji.
        '\u{200c}' => (place == Place::Edge).then_some("zero width non-joiner")?,
        '\u{200d}' => (place == Place::Edge).then_some("zero width joiner")?,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            (place == Place::Edge).then_some("variation selector")?
        }
        '\0' => "NUL",
        '\u{7}' => "bell",
        '\u{8}' => "backspace",
        '\t' => "tab",
        '\n' => "newline",
        '\u{b}' => "vertical tab",
        '\u{c}' => "form feed",
        '\r' => "carriage return",
        '\u{1b}' => "escape",
        '\u{7f}' => "delete",
        '\u{85}' => "next line",
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero width space",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202f}' => "narrow no-break space",
        '\u{2060}' => "word joiner",
        '\u{3000}' => "ideographic space",
        '\u{feff}' => "byte order mark",
        _ => return is_unseen(sign).then(|| Cow::from(format!("{} {}", kind(sign), code_point(sign)))),
    };
    Some(known.into())
}

/// Whether it has no picture of its own: control and format characters, white space, fillers.
fn is_unseen(sign: char) -> bool {
    sign.is_control()
        || sign.is_whitespace()
        || matches!(sign,
            '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn kind(sign: char) -> &'static str {
    if sign.is_control() {
        "control character"
    } else if sign.is_whitespace() {
        "space"
    } else {
        "invisible character"
    }
}

fn code_point(sign: char) -> String {
    format!("U+{:04X}", u32::from(sign))
}

/// Which characters stand at the difference, if they may look alike: letters of two alphabets, accents put together.
fn note(expected: &[u8], actual: &[u8], at: usize) -> String {
    let seen_at = |piece: &[u8]| {
        let near = piece.get(at..).unwrap_or_default();
        match signs(near.get(..CHAR_BYTES).unwrap_or(near)).next() {
            Some(Sign::Char(sign)) => name(sign, Place::Edge).is_none().then_some(sign),
            Some(Sign::Byte(_)) | None => None,
        }
    };
    let mut note = String::new();
    if let (Some(want), Some(got)) = (seen_at(expected), seen_at(actual))
        && !(want.is_ascii() && got.is_ascii())
    {
        // Writing to a string does not fail.
        write!(note, " ({} instead of {})", code_point(got), code_point(want)).unwrap_or_default();
    }
    note
}

#[cfg(test)]
mod tests {
    use super::{apart, quote};

    fn quotes(expected: &str, actual: &str) -> (String, String) {
        let apart = apart(expected.as_bytes(), actual.as_bytes());
        (apart.expected, apart.actual)
    }

    #[test]
    fn what_can_be_seen_is_quoted_as_it_was_printed() {
        let printed = r#"don't "say" \n {é} 日本 👩‍🚀 `x`"#;

        assert_eq!(quote(printed.as_bytes()), format!("`{printed}`"));
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        assert_eq!(quote("\u{feff}3".as_bytes()), "`⟨byte order mark⟩3`");
        assert_eq!(quote("1\u{a0}2\t3\r".as_bytes()), "`1⟨no-break space⟩2⟨tab⟩3⟨carriage return⟩`");
        assert_eq!(quote("a\0b\u{1}".as_bytes()), "`a⟨NUL⟩b⟨control character U+0001⟩`");
        assert_eq!(quote("1\u{2009}\u{202e}".as_bytes()), "`1⟨space U+2009⟩⟨invisible character U+202E⟩`");
        assert_eq!(quote("3 ".as_bytes()), "`3⟨space⟩`");
        assert_eq!(quote(b"caf\xe9"), "`caf⟨byte 0xE9⟩`");
    }

    #[test]
    fn a_blank_is_named_where_it_makes_the_difference() {
        assert_eq!(quotes("a b", "a  b"), ("`a b`".to_owned(), "`a ⟨space⟩b`".to_owned()));
        assert_eq!(quotes("👩🚀", "👩\u{200d}🚀").1, "`👩⟨zero width joiner⟩🚀`");
    }

    #[test]
    fn letters_that_look_alike_are_told_apart() {
        assert_eq!(apart(b"a", "а".as_bytes()).note, " (U+0430 instead of U+0061)");
        assert_eq!(apart("é".as_bytes(), "e\u{301}".as_bytes()).note, " (U+0065 instead of U+00E9)");
        assert_eq!(apart("é".as_bytes(), "è".as_bytes()).actual, "`è`");
        assert_eq!(apart(b"a", b"b").note, "");
    }

    #[test]
    fn a_long_piece_is_cut_around_the_difference() {
        let (long, other) = ("é".repeat(5000), format!("{}x{}", "é".repeat(2000), "é".repeat(3000)));

        let (expected, actual) = quotes(&long, &other);

        assert!(actual.starts_with("`…é") && actual.contains("éxé") && actual.ends_with("é…`"), "{actual}");
        assert!(expected.chars().count() <= 80 && actual.chars().count() <= 80, "{expected} {actual}");
    }

    #[test]
    fn a_quote_is_bounded_whatever_it_holds() {
        for sign in ["\0", "\u{202e}", "\u{10ffff}", "`"] {
            assert!(quote(sign.repeat(100_000).as_bytes()).chars().count() < 120);
        }
        assert!(quote(&vec![0xff; 100_000]).chars().count() < 120);
    }
}
