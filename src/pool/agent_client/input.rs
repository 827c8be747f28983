//! What goes to an agent while a command runs.

use guichet_agent::{Request, STDIN_WINDOW_BYTES};

use super::Error;

/// Bytes of standard input in one message.
const INPUT_PIECE_BYTES: usize = STDIN_WINDOW_BYTES / 2;

/// What is still to be written while a command runs: encoded requests, then its standard input in pieces.
pub(super) struct Input<'a> {
    /// Whole requests; those before `written` are gone.
    encoded: Vec<u8>,
    written: usize,
    /// What of standard input is not encoded yet; `None` at its end.
    stdin: Option<&'a [u8]>,
    /// Bytes of standard input that the command has not taken, as far as we know.
    ahead: usize,
}

impl<'a> Input<'a> {
    pub(super) const fn new(encoded: Vec<u8>, stdin: &'a [u8]) -> Self {
        Self { encoded, written: 0, stdin: Some(stdin), ahead: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.encoded.get(self.written..).unwrap_or_default()
    }

    pub(super) fn advance(&mut self, written: usize) -> Result<(), Error> {
        if written == 0 {
            return Err(Error::Closed);
        }
        self.written += written;
        if self.bytes().is_empty() {
            self.encoded.clear();
            self.written = 0;
            self.refill()?;
        }
        Ok(())
    }

    /// Appends the next piece of standard input, if there is one and the agent has room for it.
    pub(super) fn refill(&mut self) -> Result<(), Error> {
        if self.ahead + INPUT_PIECE_BYTES > STDIN_WINDOW_BYTES {
            return Ok(());
        }
        if let Some(rest) = self.stdin.take() {
            let (piece, rest) = rest.split_at(rest.len().min(INPUT_PIECE_BYTES));
            let last = rest.is_empty();
            guichet_agent::encode(&Request::Stdin { bytes: piece.to_vec(), last }, &mut self.encoded)?;
            self.ahead += piece.len();
            self.stdin = (!last).then_some(rest);
        }
        Ok(())
    }

    /// The command took so much; the same as a number of bytes in memory.
    pub(super) fn taken(&mut self, bytes: u64) -> Result<usize, Error> {
        let taken = usize::try_from(bytes).ok().filter(|taken| *taken <= self.ahead);
        let taken = taken.ok_or(Error::Unexpected("more input taken than was sent"))?;
        self.ahead -= taken;
        if self.bytes().is_empty() {
            self.refill()?;
        }
        Ok(taken)
    }

    /// Lets `request` follow what is encoded, in place of the standard input that isn't.
    pub(super) fn cut_off(&mut self, request: &Request) -> Result<(), Error> {
        self.stdin = None;
        guichet_agent::encode(request, &mut self.encoded)?;
        Ok(())
    }
}
