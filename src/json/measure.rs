//! How large a text is, counted while its bytes come and before anything is built of them.
//!
//! It parses nothing: what it counts of a text that is no JSON means nothing, and `super::parse` refuses such a text
//! afterwards. All that it keeps are five numbers.

/// What a text may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes, with each escape counted as the bytes that it stands for.
    pub bytes: usize,
    /// Most bytes of one string, counted in the same way.
    pub string_bytes: usize,
    /// Most values; objects and lists count, too.
    pub values: usize,
}

/// Most objects and lists in each other.
pub(super) const MAX_DEPTH: usize = 128;

/// Which bound a text broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It, or one string of it, is too long.
    Bytes,
    /// It has too many values.
    Values,
    /// Too many objects and lists stand in each other.
    Depth,
}

/// What a text came to so far.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    bytes: usize,
    values: usize,
    depth: usize,
    deepest: usize,
    longest_string: usize,
    /// Where the string that is being read began.
    string_from: usize,
    place: Place,
}

/// Where in a text the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Outside,
    String,
    /// Behind a backslash.
    Escape,
    /// Behind `\u` and so many digits, which make this number.
    Digits(u8, u32),
}

impl Measure {
    /// Counts the next piece of a text, of any length.
    ///
    /// # Errors
    /// The bound that the text breaks with this piece.
    pub fn add(&mut self, piece: &[u8], bounds: &Bounds) -> Result<(), Excess> {
        for byte in piece {
            self.count(*byte);
        }
        if self.deepest > MAX_DEPTH {
            Err(Excess::Depth)
        } else if self.values > bounds.values {
            Err(Excess::Values)
        } else if self.bytes > bounds.bytes || self.longest_string > bounds.string_bytes {
            Err(Excess::Bytes)
        } else {
            Ok(())
        }
    }

    /// Bytes so far, with each escape counted as the bytes that it stands for.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Values so far: at least as many as there are.
    pub const fn values(&self) -> usize {
        self.values
    }

    fn count(&mut self, byte: u8) {
        match self.place {
            Place::Outside => {
                self.bytes += 1;
                match byte {
                    b'"' => {
                        self.string_from = self.bytes;
                        self.place = Place::String;
                    }
                    b'{' | b'[' => {
                        self.values += 1;
                        self.depth += 1;
                        self.deepest = self.deepest.max(self.depth);
                    }
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    b',' => self.values += 1,
                    _ => {}
                }
            }
            Place::String => match byte {
                b'\\' => self.place = Place::Escape,
                b'"' => {
                    self.bytes += 1;
                    self.place = Place::Outside;
                }
                _ => self.in_string(1),
            },
            Place::Escape if byte == b'u' => self.place = Place::Digits(0, 0),
            Place::Escape => {
                self.in_string(1);
                self.place = Place::String;
            }
            Place::Digits(digits, number) => self.digit(byte, digits, number),
        }
    }

    fn digit(&mut self, byte: u8, digits: u8, number: u32) {
        let number = number * 16 + char::from(byte).to_digit(16).unwrap_or(0);
        if digits < 3 {
            self.place = Place::Digits(digits + 1, number);
        } else {
            // Two surrogates make one character of four bytes.
            self.in_string(match number {
                0..0x80 => 1,
                0x80..0x800 | 0xd800..0xe000 => 2,
                _ => 3,
            });
            self.place = Place::String;
        }
    }

    fn in_string(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.longest_string = self.longest_string.max(self.bytes - self.string_from);
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Excess, MAX_DEPTH, Measure};

    const WIDE: Bounds = Bounds { bytes: 1 << 20, string_bytes: 1 << 20, values: 1 << 20 };

    fn measured(text: &str) -> Measure {
        let mut measure = Measure::default();
        measure.add(text.as_bytes(), &WIDE).unwrap();
        measure
    }

    fn within(text: &str, bounds: &Bounds) -> Result<(), Excess> {
        Measure::default().add(text.as_bytes(), bounds)
    }

    #[test]
    fn an_escape_counts_as_what_it_stands_for() {
        for (escaped, plain) in [
            (r#""\u0061\n\"\\\/""#, "\"an'xy\""),
            (r#""\u00e9""#, "\"\u{e9}\""),
            (r#""\u4e2d""#, "\"\u{4e2d}\""),
            (r#""\ud83d\ude00""#, "\"\u{1f600}\""),
        ] {
            assert_eq!(measured(escaped).bytes(), plain.len(), "{escaped}");
        }
    }

    #[test]
    fn a_text_is_the_same_in_pieces_of_any_length() {
        let text = r#"{"a":[1,"\ud83d\ude00,[{",{}],"b\\":null}"#;
        let whole = measured(text);
        let mut bytewise = Measure::default();
        for byte in text.as_bytes() {
            bytewise.add(&[*byte], &WIDE).unwrap();
        }

        assert_eq!((bytewise.bytes(), bytewise.values()), (whole.bytes(), whole.values()));
        assert_eq!(whole.values(), 6);
    }

    #[test]
    fn each_bound_is_told_by_its_name() {
        let few = Bounds { values: 3, ..WIDE };

        assert_eq!(within("[1,2]", &few), Ok(()));
        assert_eq!(within("[1,2,3,4]", &few), Err(Excess::Values));
        assert_eq!(within("[[],[]]", &few), Err(Excess::Values));
        assert_eq!(within(r#"[",,,,"]"#, &few), Ok(()));
        assert_eq!(within("[    ]", &Bounds { bytes: 5, ..WIDE }), Err(Excess::Bytes));
        assert_eq!(within(r#"["abc","de"]"#, &Bounds { string_bytes: 3, ..WIDE }), Ok(()));
        assert_eq!(within(r#"["abcd"]"#, &Bounds { string_bytes: 3, ..WIDE }), Err(Excess::Bytes));
        assert_eq!(within(&"[".repeat(MAX_DEPTH), &WIDE), Ok(()));
        assert_eq!(within(&"[".repeat(MAX_DEPTH + 1), &WIDE), Err(Excess::Depth));
    }
}
