//! Bytes ↔ messages: a four-byte big-endian length, then that many bytes of postcard.

/// Longest body of a frame, in bytes; a longer one is refused before anything is allocated for it.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length is 0 or above [`MAX_FRAME_BYTES`].
    #[error("frame of {0} bytes")]
    Length(usize),
    /// The body is not the message that was expected.
    #[error("malformed message")]
    Body(#[from] postcard::Error),
}
