//! Comparing an output with what was expected: pure, linear in the length of both.
//!
//! The tolerance follows the ICPC default validator: a token that reads as a number on both sides is right if
//! `|a − e| ≤ absolute` or `|a − e| ≤ relative · |e|`.

use super::exercise::{Checker, FloatTolerance};

/// Longest piece of an output that a message quotes, in characters.
const QUOTED_CHARS: usize = 60;

/// How outputs differ, for people; `None` if they are the same to the checker.
pub fn difference(checker: &Checker, expected: &[u8], actual: &[u8]) -> Option<String> {
    match checker {
        Checker::Exact => exact(expected, actual),
        Checker::Tokens { case_sensitive, float_tolerance } => {
            let rule = TokenRule { case_sensitive: *case_sensitive, tolerance: *float_tolerance };
            tokens(&rule, expected, actual)
        }
    }
}

fn exact(expected: &[u8], actual: &[u8]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let at = expected.iter().zip(actual).position(|(e, a)| e != a);
    let line_of =
        |bytes: &[u8], end: usize| bytes.iter().take(end).filter(|byte| **byte == b'\n').count() + 1;
    Some(match at {
        Some(offset) => format!("line {}: differs from byte {} on", line_of(expected, offset), offset + 1),
        None if actual.len() < expected.len() => {
            format!("line {}: the output ends too early", line_of(actual, actual.len()))
        }
        None => format!("line {}: the output goes on after its end", line_of(expected, expected.len())),
    })
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
                    return Some(format!(
                        "line {}: expected {}, got {}",
                        got.line,
                        quote(want.bytes),
                        quote(got.bytes)
                    ));
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

fn quote(token: &[u8]) -> String {
    let text = String::from_utf8_lossy(token);
    let mut quoted: String = text.chars().take(QUOTED_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED_CHARS).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

#[cfg(test)]
mod tests {
    use super::{Checker, FloatTolerance, difference};

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
        assert_eq!(
            difference(&Checker::Exact, b"3\n", b"3").as_deref(),
            Some("line 1: the output ends too early")
        );
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
