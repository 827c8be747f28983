//! Where one frame ends and the next begins: four bytes of length, signed and big-endian, then as many bytes.

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of a length.
const HEAD: usize = 4;

/// Why nothing more can be read from a connection: where the next frame begins is no longer known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame has at least one byte.
    #[error("a frame announced a length of {0}")]
    NotPositive(i32),
    /// A frame is longer than the settings allow.
    #[error("a frame announced {announced} bytes, and max_frame_in is {max}")]
    TooLong {
        /// Bytes announced.
        announced: u32,
        /// Bytes allowed.
        max: usize,
    },
}

/// Cuts a stream of bytes into frames, however it was split on its way.
///
/// It holds what has come in, and never makes room for what was only announced.
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    max: usize,
}

impl Frames {
    /// Frames of at most `max` bytes each, heads not counted.
    pub fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), max }
    }

    /// Where bytes that come in are put, at the end.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes that are no whole frame yet, or not taken yet.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole frame's payload, 1 byte at least; `None` while one is incomplete.
    ///
    /// # Errors
    /// What is left is of no use then.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<HEAD>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*head);
        let length = match u32::try_from(announced) {
            Ok(0) | Err(_) => return Err(FrameError::NotPositive(announced)),
            Ok(length) => length,
        };
        let Some(bytes) = usize::try_from(length).ok().filter(|bytes| *bytes <= self.max) else {
            return Err(FrameError::TooLong { announced: length, max: self.max });
        };
        if self.buffer.len() - HEAD < bytes {
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        Ok(Some(self.buffer.split_to(bytes).freeze()))
    }
}

/// A payload as a frame. `None` if it is empty or longer than a length can say.
pub fn framed(payload: &[u8]) -> Option<Vec<u8>> {
    let length = i32::try_from(payload.len()).ok().filter(|length| *length > 0)?;
    Some([&length.to_be_bytes(), payload].concat())
}

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;
    use proptest::prelude::*;

    use super::{FrameError, Frames, framed};

    /// Every frame in `bytes`, which come in pieces of these sizes.
    fn cut(bytes: &[u8], pieces: &[usize], max: usize) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut frames = Frames::new(max);
        let (mut cut, mut rest, mut sizes) = (Vec::new(), bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
            let (piece, behind) = rest.split_at(size);
            frames.buffer().put_slice(piece);
            rest = behind;
            while let Some(frame) = frames.next_frame()? {
                cut.push(frame.to_vec());
            }
        }
        Ok(cut)
    }

    #[test]
    fn an_announced_length_is_never_allocated() {
        let mut frames = Frames::new(1 << 20);
        frames.buffer().put_i32(1 << 20);

        assert_eq!(frames.next_frame(), Ok(None));
        assert!(frames.buffer().capacity() < 1024);
    }

    #[test]
    fn lengths_that_no_frame_has_end_it() {
        let of = |length: i32| cut(&length.to_be_bytes(), &[4], 2048);

        assert_eq!(of(0), Err(FrameError::NotPositive(0)));
        assert_eq!(of(-1), Err(FrameError::NotPositive(-1)));
        assert_eq!(of(i32::MIN), Err(FrameError::NotPositive(i32::MIN)));
        assert_eq!(of(2048), Ok(vec![]));
        assert_eq!(of(2049), Err(FrameError::TooLong { announced: 2049, max: 2048 }));
        assert_eq!(of(i32::MAX), Err(FrameError::TooLong { announced: 0x7fff_ffff, max: 2048 }));
    }

    #[test]
    fn an_empty_payload_is_no_frame() {
        assert_eq!(framed(&[]), None);
        assert_eq!(framed(&[0x0b, 0x02]), Some(vec![0, 0, 0, 2, 0x0b, 0x02]));
    }

    proptest! {
        #[test]
        fn frames_are_the_same_however_they_are_split(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
            pieces in prop::collection::vec(1..50_usize, 1..10),
        ) {
            let bytes: Vec<_> = payloads.iter().flat_map(|payload| framed(payload).unwrap()).collect();

            prop_assert_eq!(cut(&bytes, &pieces, 40), Ok(payloads));
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            pieces in prop::collection::vec(1..50_usize, 1..4),
        ) {
            let whole = cut(&bytes, &[300], 64);

            prop_assert_eq!(cut(&bytes, &pieces, 64), whole);
        }
    }
}
