//! What programs wrote, and how much of it a result keeps.

use guichet_agent::{Report, Stream};

use crate::domain::blob::Blob;
use crate::domain::verdict::{Capture, RESULT_STREAM_BYTES};

/// The output of one command while it runs.
///
/// Standard output is kept whole, since a checker reads it; its length is bounded by the command's output limit.
#[derive(Debug, Default)]
pub struct Collected {
    /// Standard output.
    pub stdout: Written,
    /// Standard error.
    pub stderr: Written,
}

/// What came of one stream, or of both in one.
#[derive(Debug, Default)]
pub struct Written {
    /// What came.
    pub bytes: Vec<u8>,
    /// Whether the command wrote more, beyond its limit.
    pub is_cut: bool,
}

impl Collected {
    /// Takes bytes in.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.bytes.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.bytes.extend_from_slice(bytes),
        }
    }

    /// Takes in what the agent did not send.
    pub fn end(&mut self, report: &Report) {
        self.stdout.is_cut = report.stdout_dropped_bytes > 0;
        self.stderr.is_cut = report.stderr_dropped_bytes > 0;
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

    /// The beginning of a stream, at most `most` bytes, with a flag if the command wrote more.
    pub fn capture(&mut self, written: &Written, most: usize) -> Capture {
        let kept = cut(&written.bytes, most.min(self.left));
        self.left -= kept.len();
        let truncated = written.is_cut || kept.len() < written.bytes.len();
        Capture { truncated, bytes: Blob::from(kept.to_vec()) }
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
    use super::{Budget, Written};
    use crate::domain::verdict::RESULT_STREAM_BYTES;

    fn written(bytes: &[u8]) -> Written {
        Written { bytes: bytes.to_vec(), is_cut: false }
    }

    #[test]
    fn a_long_stream_is_cut_and_says_so() {
        let capture = Budget::new().capture(&written(b"123456"), 4);

        assert_eq!((capture.bytes.as_bytes(), capture.truncated), (&b"1234"[..], true));
    }

    #[test]
    fn a_stream_of_which_not_all_came_is_cut_however_short_it_is() {
        let capture = Budget::new().capture(&Written { bytes: b"123".to_vec(), is_cut: true }, 4);

        assert_eq!((capture.bytes.as_bytes(), capture.truncated), (&b"123"[..], true));
    }

    #[test]
    fn text_is_not_cut_within_a_character() {
        let capture = Budget::new().capture(&written("ab\u{e9}\u{e9}".as_bytes()), 3);

        assert_eq!(capture.bytes.as_text(), Some("ab"));
    }

    #[test]
    fn a_whole_result_keeps_no_more_than_its_budget() {
        let mut budget = Budget::new();
        budget.capture(&written(&vec![b'x'; RESULT_STREAM_BYTES]), usize::MAX);

        assert!(budget.capture(&written(b"y"), usize::MAX).truncated);
    }

    #[test]
    fn what_a_test_holds_is_kept_whole_or_not_at_all() {
        let mut budget = Budget::new();

        assert_eq!(budget.whole(&"1234".into(), 4), Some("1234".into()));
        assert_eq!(budget.whole(&"12345".into(), 4), None);
        budget.capture(&written(&vec![b'x'; RESULT_STREAM_BYTES - 6]), usize::MAX);
        assert_eq!(budget.whole(&"123".into(), 4), None);
        assert_eq!(budget.whole(&"12".into(), 4), Some("12".into()));
    }
}
