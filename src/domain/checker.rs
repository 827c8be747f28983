//! Comparing an output with what was expected: pure, linear in the length of both.
//!
//! The tolerance follows the ICPC default validator: a token that reads as a number on both sides is right if
//! `|a − e| ≤ absolute` or `|a − e| ≤ relative · |e|`.

use super::exercise::{Checker, FloatTolerance, SourceFile};
use super::quote::{Apart, apart, quote};

/// How outputs differ, for people; `None` if they are the same to the checker, and of one that is a program.
pub fn difference(checker: &Checker, expected: &[u8], actual: &[u8]) -> Option<String> {
    match checker {
        Checker::Exact => exact(expected, actual),
        Checker::Tokens { case_sensitive, float_tolerance } => {
            let rule = TokenRule { case_sensitive: *case_sensitive, tolerance: *float_tolerance };
            tokens(&rule, expected, actual)
        }
        Checker::Program(_) => None,
    }
}

/// How a file that a program left differs from what was expected, for people.
///
/// * `left` — its first bytes and how long it is; `None` if there is none.
pub fn file_difference(
    checker: &Checker,
    expected: &SourceFile,
    left: Option<(&[u8], u64)>,
) -> Option<String> {
    let path = quote(expected.path.as_bytes());
    let Some((bytes, length)) = left else { return Some(format!("{path} is missing")) };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) < length {
        return Some(format!("{path} is longer than {} bytes", bytes.len()));
    }
    let difference = difference(checker, expected.content.as_bytes(), bytes)?;
    Some(format!("{path}, {difference}"))
}

fn exact(expected: &[u8], actual: &[u8]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let same = expected.iter().zip(actual).take_while(|(want, got)| want == got).count();
    let (common, missing) = expected.split_at_checked(same)?;
    let too_much = actual.get(same..)?;
    let line = common.iter().filter(|byte| **byte == b'\n').count() + 1;
    let starts_line = common.last().is_none_or(|byte| *byte == b'\n');
    Some(if too_much.is_empty() {
        match told_rest(missing, starts_line) {
            Rest::Newline => format!("line {line}: the newline at the end is missing"),
            Rest::EmptyLine => format!("line {line}: an empty line is missing at the end"),
            Rest::Text(text) => format!("line {line}: the output ends too early: expected {}", quote(text)),
        }
    } else if missing.is_empty() {
        match told_rest(too_much, starts_line) {
            Rest::Newline => format!("line {line}: the newline at the end is too much"),
            Rest::EmptyLine => format!("line {line}: an empty line is too much"),
            Rest::Text(text) => format!("line {line}: {} is too much", quote(text)),
        }
    } else {
        let start = common.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        told_apart(line, first_line(expected, start), first_line(actual, start))
    })
}

/// What one output has behind the end of the other.
enum Rest<'a> {
    Newline,
    EmptyLine,
    /// The first line of it that is not empty.
    Text(&'a [u8]),
}

fn told_rest(rest: &[u8], starts_line: bool) -> Rest<'_> {
    match rest.iter().position(|byte| *byte != b'\n') {
        Some(start) => Rest::Text(first_line(rest, start)),
        None if starts_line || rest.len() > 1 => Rest::EmptyLine,
        None => Rest::Newline,
    }
}

/// The line that begins at `start`, without its end.
fn first_line(bytes: &[u8], start: usize) -> &[u8] {
    let from = bytes.get(start..).unwrap_or_default();
    from.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn told_apart(line: usize, want: &[u8], got: &[u8]) -> String {
    let Apart { expected, actual, note } = apart(want, got);
    let or_nothing = |quoted: String| if quoted == "``" { "an empty line".to_owned() } else { quoted };
    format!("line {line}: expected {}, got {}{note}", or_nothing(expected), or_nothing(actual))
}

struct TokenRule {
    case_sensitive: bool,
    tolerance: Option<FloatTolerance>,
}

fn tokens(rule: &TokenRule, expected: &[u8], actual: &[u8]) -> Option<String> {
    let mut expected = Tokens::of(expected);
    let mut actual = Tokens::of(actual);
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return None,
            (Some(want), Some(got)) => {
                if !rule.accepts(want.bytes, got.bytes) {
                    return Some(told_apart(got.line, want.bytes, got.bytes));
                }
            }
            (Some(want), None) => {
                return Some(format!("the output ends too early: expected {}", quote(want.bytes)));
            }
            (None, Some(got)) => {
                return Some(format!("line {}: {} is too much", got.line, quote(got.bytes)));
            }
        }
    }
}

impl TokenRule {
    fn accepts(&self, want: &[u8], got: &[u8]) -> bool {
        if want == got || (!self.case_sensitive && want.eq_ignore_ascii_case(got)) {
            return true;
        }
        match self.tolerance {
            Some(tolerance) => match (number(want), number(got)) {
                (Some(want), Some(got)) => {
                    let apart = (want - got).abs();
                    apart <= tolerance.absolute || apart <= tolerance.relative * want.abs()
                }
                _ => false,
            },
            None => false,
        }
    }
}

/// A finite decimal number; words like `nan` and `inf` are none, nor is what overflows.
fn number(token: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(token).ok()?;
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let value: f64 = if plain { text.parse().ok()? } else { return None };
    value.is_finite().then_some(value)
}

struct Token<'a> {
    bytes: &'a [u8],
    line: usize,
}

/// The pieces of an output between ASCII white space, each with its line.
struct Tokens<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Tokens<'a> {
    const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, line: 1 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let start = self.rest.iter().position(|byte| !is_space(byte))?;
        let (space, token_on) = self.rest.split_at(start);
        self.line += space.iter().filter(|byte| **byte == b'\n').count();
        let (bytes, rest) = token_on.split_at(token_on.iter().position(is_space).unwrap_or(token_on.len()));
        self.rest = rest;
        Some(Token { bytes, line: self.line })
    }
}

#[cfg(test)]
mod tests {
    use super::{Checker, FloatTolerance, SourceFile, difference, file_difference};

    fn tolerant() -> Checker {
        let tolerance = FloatTolerance { absolute: 1e-6, relative: 1e-6 };
        Checker::Tokens { case_sensitive: true, float_tolerance: Some(tolerance) }
    }

    const TOKENS: Checker = Checker::Tokens { case_sensitive: true, float_tolerance: None };
    const CASELESS: Checker = Checker::Tokens { case_sensitive: false, float_tolerance: None };

    #[test]
    fn white_space_only_separates_tokens() {
        assert_eq!(difference(&TOKENS, b"1 2\n3\n", b"\t1\r\n2 3"), None);
    }

    #[test]
    fn exact_wants_every_byte() {
        assert_eq!(difference(&Checker::Exact, b"3\n", b"3\n"), None);
    }

    #[test]
    fn exact_names_what_makes_the_difference() {
        let told = |expected: &str, actual: &str| {
            difference(&Checker::Exact, expected.as_bytes(), actual.as_bytes()).unwrap()
        };

        assert_eq!(told("3\n", "3"), "line 1: the newline at the end is missing");
        assert_eq!(told("3", "3\n"), "line 1: the newline at the end is too much");
        assert_eq!(told("3\n\n", "3\n"), "line 2: an empty line is missing at the end");
        assert_eq!(told("3\n", "3\n\n"), "line 2: an empty line is too much");
        assert_eq!(told("1\n2\n", "1\n"), "line 2: the output ends too early: expected `2`");
        assert_eq!(told("1\n2\n", "1"), "line 1: the output ends too early: expected `2`");
        assert_eq!(told("3", ""), "line 1: the output ends too early: expected `3`");
        assert_eq!(told("1\n", "1\nbye\n"), "line 2: `bye` is too much");
        assert_eq!(told("3\n", "3 \n"), "line 1: expected `3`, got `3⟨space⟩`");
        assert_eq!(told("3\n", "3\r\n"), "line 1: expected `3`, got `3⟨carriage return⟩`");
        assert_eq!(told("a\tb\n", "a b\n"), "line 1: expected `a⟨tab⟩b`, got `a⟨space⟩b`");
        assert_eq!(told("1\n2\n", "1\n\n2\n"), "line 2: expected `2`, got an empty line");
        assert_eq!(told("don't\n", "don't!\n"), "line 1: expected `don't`, got `don't!`");
    }

    #[test]
    fn a_token_is_quoted_as_it_was_printed_and_what_cannot_be_seen_in_it_is_named() {
        let told = |expected: &str, actual: &str| {
            difference(&TOKENS, expected.as_bytes(), actual.as_bytes()).unwrap()
        };

        assert_eq!(told("do", "don't"), "line 1: expected `do`, got `don't`");
        assert_eq!(told("\"a\\b\"", "c"), "line 1: expected `\"a\\b\"`, got `c`");
        assert_eq!(told("3", "\u{feff}3"), "line 1: expected `3`, got `⟨byte order mark⟩3`");
        assert_eq!(told("1 2", "1\u{a0}2"), "line 1: expected `1`, got `1⟨no-break space⟩2`");
        assert_eq!(told("3", "3\0"), "line 1: expected `3`, got `3⟨NUL⟩`");
        assert_eq!(told("3", "3\u{200b}"), "line 1: expected `3`, got `3⟨zero width space⟩`");
        assert_eq!(told("a", "а"), "line 1: expected `a`, got `а` (U+0430 instead of U+0061)");
    }

    #[test]
    fn a_difference_is_told_with_its_line() {
        assert_eq!(
            difference(&TOKENS, b"1\n2\n", b"1\n5\n").as_deref(),
            Some("line 2: expected `2`, got `5`")
        );
    }

    #[test]
    fn what_comes_after_a_nul_still_counts() {
        assert!(difference(&TOKENS, b"1", b"1\x002").is_some());
        assert!(difference(&TOKENS, b"1", b"1 2").is_some());
    }

    #[test]
    fn letters_may_differ_in_case_when_the_exercise_says_so() {
        assert_eq!(difference(&CASELESS, b"Yes", b"YES"), None);
        assert!(difference(&TOKENS, b"Yes", b"YES").is_some());
    }

    #[test]
    fn a_file_is_compared_as_the_output_is_and_named() {
        let expected = SourceFile { path: "out.txt".to_owned(), content: "1 2\n".into() };
        let told = |left: Option<(&[u8], u64)>| file_difference(&TOKENS, &expected, left);

        assert_eq!(told(Some((b"1\n2", 3))), None);
        assert_eq!(told(Some((b"1 3", 3))).as_deref(), Some("`out.txt`, line 1: expected `2`, got `3`"));
        assert_eq!(told(None).as_deref(), Some("`out.txt` is missing"));
        assert_eq!(told(Some((b"1 2", 9))).as_deref(), Some("`out.txt` is longer than 3 bytes"));
    }

    #[test]
    fn numbers_may_differ_within_the_tolerance() {
        assert_eq!(difference(&tolerant(), b"0.333333333", b"0.3333334"), None);
        assert_eq!(difference(&tolerant(), b"1000000", b"1.0000005e6"), None);
        assert!(difference(&tolerant(), b"0.33", b"0.34").is_some());
    }

    #[test]
    fn no_word_passes_for_a_number() {
        assert!(difference(&tolerant(), b"1", b"nan").is_some());
        assert!(difference(&tolerant(), b"1", b"1e999999").is_some());
        assert!(difference(&tolerant(), b"1e999999", b"2e999999").is_some());
    }
}
