//! What programs wrote, and how much of it a result keeps.

use guichet_agent::Stream;

use crate::domain::blob::Blob;
use crate::domain::verdict::{Capture, RESULT_STREAM_BYTES};

/// The output of one command while it runs.
///
/// Standard output is kept whole, since a checker reads it; its length is bounded by the command's output limit.
#[derive(Debug, Default)]
pub struct Collected {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Collected {
    /// Takes bytes in.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
    }
}

/// Bytes of output that a result may still keep, of its compilation and its tests together.
#[derive(Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// The budget of a whole result.
    pub const fn new() -> Self {
        Self { left: RESULT_STREAM_BYTES }
    }

    /// The beginning of a stream, at most `most` bytes, with a flag if it is cut.
    pub fn capture(&mut self, bytes: &[u8], most: usize) -> Capture {
        let kept = cut(bytes, most.min(self.left));
        self.left -= kept.len();
        Capture { truncated: kept.len() < bytes.len(), bytes: Blob::from(kept.to_vec()) }
    }

    /// A test's input or expected output, whole or not at all: nothing would say that it is cut.
    ///
    /// * `most` — longest that is kept, in bytes.
    pub fn whole(&mut self, bytes: &Blob, most: usize) -> Option<Blob> {
        let fits = bytes.len() <= most.min(self.left);
        if fits {
            self.left -= bytes.len();
        }
        fits.then(|| bytes.clone())
    }
}

/// At most `most` bytes; text is not cut within a character.
fn cut(bytes: &[u8], most: usize) -> &[u8] {
    let Some(head) = bytes.get(..most) else { return bytes };
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).unwrap_or(head),
        Ok(_) | Err(_) => head,
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use crate::domain::verdict::RESULT_STREAM_BYTES;

    #[test]
    fn a_long_stream_is_cut_and_says_so() {
        let capture = Budget::new().capture(b"123456", 4);

        assert_eq!((capture.bytes.as_bytes(), capture.truncated), (&b"1234"[..], true));
    }

    #[test]
    fn text_is_not_cut_within_a_character() {
        let capture = Budget::new().capture("ab\u{e9}\u{e9}".as_bytes(), 3);

        assert_eq!(capture.bytes.as_text(), Some("ab"));
    }

    #[test]
    fn a_whole_result_keeps_no_more_than_its_budget() {
        let mut budget = Budget::new();
        budget.capture(&vec![b'x'; RESULT_STREAM_BYTES], usize::MAX);

        assert!(budget.capture(b"y", usize::MAX).truncated);
    }

    #[test]
    fn what_a_test_holds_is_kept_whole_or_not_at_all() {
        let mut budget = Budget::new();

        assert_eq!(budget.whole(&"1234".into(), 4), Some("1234".into()));
        assert_eq!(budget.whole(&"12345".into(), 4), None);
        budget.capture(&vec![b'x'; RESULT_STREAM_BYTES - 6], usize::MAX);
        assert_eq!(budget.whole(&"123".into(), 4), None);
        assert_eq!(budget.whole(&"12".into(), 4), Some("12".into()));
    }
}
