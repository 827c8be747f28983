//! Bytes ↔ messages: a four-byte big-endian length, then that many bytes of postcard.
//!
//! Pure: it reads and writes nothing. [`encode`] is the one way out, [`Decoder`] the one way in, on both sides.

use serde::{Serialize, de::DeserializeOwned};

/// Longest body of a frame, in bytes; a longer one is refused before anything is allocated for it.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Bytes of the length before each body.
const HEADER_BYTES: usize = 4;

/// Memory that an empty [`Decoder`] may keep for what comes next.
const KEPT_BYTES: usize = 128 << 10;

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

/// Appends `message` as one frame to `out`.
///
/// # Errors
/// [`FrameError::Length`] if its body is longer than [`MAX_FRAME_BYTES`]; `out` is as it was before.
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    let body = start + HEADER_BYTES;
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let encoded = append_body(message, out).and_then(|()| {
        let length = out.len() - body;
        match u32::try_from(length) {
            Ok(header) if (1..=MAX_FRAME_BYTES).contains(&length) => Ok(header),
            _ => Err(FrameError::Length(length)),
        }
    });
    match (encoded, out.get_mut(start..body)) {
        (Ok(header), Some(place)) => {
            place.copy_from_slice(&header.to_be_bytes());
            Ok(())
        }
        (Ok(_), None) => Err(FrameError::Length(0)),
        (Err(error), _) => {
            out.truncate(start);
            Err(error)
        }
    }
}

fn append_body<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    /// Lets postcard fill a vector that stays ours when it fails.
    struct Tail<'a>(&'a mut Vec<u8>);

    impl postcard::ser_flavors::Flavor for Tail<'_> {
        type Output = ();

        fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
            self.0.extend_from_slice(data);
            Ok(())
        }

        fn try_push(&mut self, data: u8) -> postcard::Result<()> {
            self.0.push(data);
            Ok(())
        }

        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }

    Ok(postcard::serialize_with_flavor(message, Tail(out))?)
}

/// Turns a stream of bytes, split anywhere, back into messages.
///
/// Holds at most what was pushed and not yet pulled: a caller that pulls until `None` after each push keeps it below
/// one frame and one push. After an error the stream has no meaning any more; drop the connection.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// An empty decoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.buffer.is_empty() {
                self.buffer.shrink_to(KEPT_BYTES);
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` if its frame has not fully arrived.
    ///
    /// # Errors
    /// [`FrameError::Length`] for a length of 0 or above [`MAX_FRAME_BYTES`], [`FrameError::Body`] for a body that
    /// is not exactly one `T`.
    pub fn pull<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let pending = self.buffer.get(self.start..).unwrap_or_default();
        let Some((header, rest)) = pending.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if !(1..=MAX_FRAME_BYTES).contains(&length) {
            return Err(FrameError::Length(length));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let (message, trailing) = postcard::take_from_bytes(body)?;
        if !trailing.is_empty() {
            return Err(FrameError::Body(postcard::Error::DeserializeBadEncoding));
        }
        self.start += HEADER_BYTES + length;
        Ok(Some(message))
    }

    /// Bytes that were pushed and belong to no message pulled so far.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{Reply, Request, Stream};

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            Just(Request::Begin),
            Just(Request::End),
            Just(Request::Abort),
            (".{0,40}", any::<bool>(), vec(any::<u8>(), 0..300))
                .prop_map(|(path, append, bytes)| Request::Write { path, append, bytes }),
            (".{0,40}", any::<u64>(), any::<u64>()).prop_map(|(path, offset, most_bytes)| Request::Read {
                path,
                offset,
                most_bytes
            }),
            (vec(any::<u8>(), 0..3000), any::<bool>())
                .prop_map(|(bytes, last)| Request::Stdin { bytes, last }),
        ]
    }

    fn pull_all(decoder: &mut Decoder) -> Vec<Request> {
        std::iter::from_fn(|| decoder.pull().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn messages_survive_any_split_of_their_bytes(
            messages in vec(request(), 0..12),
            sizes in vec(1usize..200, 1..50),
        ) {
            let mut bytes = Vec::new();
            for message in &messages {
                encode(message, &mut bytes).unwrap();
            }

            let mut decoder = Decoder::new();
            let mut pulled = Vec::new();
            let mut rest = bytes.as_slice();
            for size in sizes.iter().cycle() {
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                decoder.push(piece);
                pulled.extend(pull_all(&mut decoder));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }

            prop_assert_eq!(pulled, messages);
            prop_assert_eq!(decoder.pending_bytes(), 0);
        }

        #[test]
        fn garbage_is_an_error_or_a_message_and_never_a_panic(bytes in vec(any::<u8>(), 0..600)) {
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.pull::<Request>() {}
        }

        #[test]
        fn a_garbled_body_is_an_error_or_a_message_and_never_a_panic(body in vec(any::<u8>(), 1..600)) {
            let mut decoder = Decoder::new();
            decoder.push(&u32::try_from(body.len()).unwrap().to_be_bytes());
            decoder.push(&body);
            while let Ok(Some(_)) = decoder.pull::<Reply>() {}
        }
    }

    #[test]
    fn a_length_of_zero_is_refused() {
        let mut decoder = Decoder::new();
        decoder.push(&[0; 4]);
        assert!(matches!(decoder.pull::<Request>(), Err(FrameError::Length(0))));
    }

    #[test]
    fn a_length_above_the_maximum_is_refused_before_its_body_arrives() {
        let mut decoder = Decoder::new();
        decoder.push(&u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_be_bytes());
        assert!(matches!(decoder.pull::<Request>(), Err(FrameError::Length(_))));
    }

    #[test]
    fn bytes_behind_the_message_of_a_frame_are_refused() {
        let mut decoder = Decoder::new();
        decoder.push(&[0, 0, 0, 2, 1, 7]);
        assert!(matches!(decoder.pull::<Request>(), Err(FrameError::Body(_))));
    }

    #[test]
    fn a_message_longer_than_a_frame_leaves_the_output_as_it_was() {
        let mut out = vec![1, 2, 3];
        let message = Reply::Output { stream: Stream::Stdout, bytes: vec![0; MAX_FRAME_BYTES] };
        assert!(matches!(encode(&message, &mut out), Err(FrameError::Length(_))));
        assert_eq!(out, [1, 2, 3]);
    }
}
