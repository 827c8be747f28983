//! Frames of RFC 6455: bytes ↔ messages, pure. A text is taken whole, whatever frames it came in; nothing that a
//! peer announces is allocated before it is there.
//!
//! ```text
//!  0        1                    2 …                          10 … 14
//! +--------+--------------------+----------------------------+----------+-----------------+
//! |FIN RSV |M  length: 0..=125, |126: 16 bits, 127: 64 bits, |mask      |payload          |
//! |  opcode|   126 or 127       |big-endian                  |(peer's)  |(masked by XOR)  |
//! +--------+--------------------+----------------------------+----------+-----------------+
//! ```

/// Longest text, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 << 10;
/// Most frames that one text may come in.
const MAX_FRAGMENTS: usize = 1024;
/// Longest payload of a ping, pong or close.
const MAX_CONTROL_BYTES: usize = 125;
/// Longest head of a frame.
const MAX_HEAD_BYTES: usize = 14;

/// Why a connection is closed, for its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// It has done what it was for.
    Normal,
    /// This end goes away.
    GoingAway,
    /// The peer broke the protocol.
    Protocol,
    /// The peer sent what is not taken here.
    Unsupported,
    /// A text is no UTF-8.
    InvalidUtf8,
    /// The peer asked too much.
    Policy,
    /// A text is too long.
    TooBig,
    /// There is no memory for the connection now.
    TryAgainLater,
}

impl CloseCode {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::InvalidUtf8 => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::TryAgainLater => 1013,
        }
    }
}

/// What a peer must not send. The bytes behind it mean nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// What it's told.
    pub code: CloseCode,
    /// The same for people.
    pub reason: &'static str,
}

const fn protocol(reason: &'static str) -> Violation {
    Violation { code: CloseCode::Protocol, reason }
}

/// What a peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text, at most [`MAX_TEXT_BYTES`] long.
    Text(String),
    /// A ping with its payload, at most 125 bytes.
    Ping(Vec<u8>),
    /// A pong, whatever its payload.
    Pong,
    /// It closes: number and reason, if it gave any.
    Close(Option<(u16, String)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Continuation,
    Text,
    Ping,
    Pong,
    Close,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    is_last: bool,
    kind: Kind,
    length: u64,
    mask: [u8; 4],
}

/// A frame whose payload is on its way.
#[derive(Clone, Copy, Debug)]
struct Open {
    is_last: bool,
    kind: Kind,
    left: usize,
    mask: [u8; 4],
    /// Which byte of the mask is next.
    turn: usize,
}

/// Makes messages of a client's bytes, however they are cut.
#[derive(Debug, Default)]
pub struct Decoder {
    head: Vec<u8>,
    open: Option<Open>,
    text: Vec<u8>,
    /// Frames of the text that is on its way, 0 if none is.
    fragments: usize,
    control: Vec<u8>,
}

impl Decoder {
    /// The next message of `input`, which loses the bytes that were taken; `None` when all were taken.
    ///
    /// # Errors
    /// [`Violation`]; the decoder must not be used again.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Violation> {
        loop {
            if let Some(open) = &mut self.open {
                let (taken, rest) = input.split_at(open.left.min(input.len()));
                *input = rest;
                let mask = open.mask.iter().cycle().skip(open.turn);
                let plain = taken.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
                match open.kind {
                    Kind::Text | Kind::Continuation => self.text.extend(plain),
                    Kind::Ping | Kind::Pong | Kind::Close => self.control.extend(plain),
                }
                open.left -= taken.len();
                open.turn = (open.turn + taken.len()) % open.mask.len();
                if open.left > 0 {
                    return Ok(None);
                }
                let (kind, is_last) = (open.kind, open.is_last);
                self.open = None;
                if let Some(message) = self.end(kind, is_last)? {
                    return Ok(Some(message));
                }
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.head.push(*byte);
            if let Some(head) = read_head(&self.head)? {
                self.head.clear();
                self.open = Some(self.begin(&head)?);
            }
        }
    }

    fn begin(&mut self, head: &Head) -> Result<Open, Violation> {
        match head.kind {
            Kind::Text if self.fragments > 0 => return Err(protocol("a text begins within another")),
            Kind::Continuation if self.fragments == 0 => return Err(protocol("nothing is to be continued")),
            Kind::Text | Kind::Continuation => self.fragments += 1,
            Kind::Ping | Kind::Pong | Kind::Close => {}
        }
        if self.fragments > MAX_FRAGMENTS {
            return Err(Violation { code: CloseCode::Policy, reason: "a text in too many frames" });
        }
        let room = match head.kind {
            Kind::Text | Kind::Continuation => MAX_TEXT_BYTES - self.text.len(),
            Kind::Ping | Kind::Pong | Kind::Close => MAX_CONTROL_BYTES,
        };
        let left = usize::try_from(head.length).ok().filter(|length| *length <= room);
        let left = left.ok_or(Violation { code: CloseCode::TooBig, reason: "a text over 64 KiB" })?;
        Ok(Open { is_last: head.is_last, kind: head.kind, left, mask: head.mask, turn: 0 })
    }

    fn end(&mut self, kind: Kind, is_last: bool) -> Result<Option<Incoming>, Violation> {
        match kind {
            Kind::Text | Kind::Continuation if !is_last => Ok(None),
            Kind::Text | Kind::Continuation => {
                self.fragments = 0;
                let text = String::from_utf8(std::mem::take(&mut self.text));
                text.map(|text| Some(Incoming::Text(text))).map_err(|_source| invalid_utf8())
            }
            Kind::Ping => Ok(Some(Incoming::Ping(std::mem::take(&mut self.control)))),
            Kind::Pong => {
                self.control = Vec::new();
                Ok(Some(Incoming::Pong))
            }
            Kind::Close => read_close(&std::mem::take(&mut self.control)).map(Some),
        }
    }
}

const fn invalid_utf8() -> Violation {
    Violation { code: CloseCode::InvalidUtf8, reason: "a text that is no UTF-8" }
}

/// The head in `bytes`, or `None` if it's longer.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, Violation> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(protocol("reserved bits are set"));
    }
    let kind = match first & 0x0f {
        0x0 => Kind::Continuation,
        0x1 => Kind::Text,
        0x2 => return Err(Violation { code: CloseCode::Unsupported, reason: "only texts are taken" }),
        0x8 => Kind::Close,
        0x9 => Kind::Ping,
        0xa => Kind::Pong,
        _unknown => return Err(protocol("an unknown opcode")),
    };
    let is_last = first & 0x80 != 0;
    if second & 0x80 == 0 {
        return Err(protocol("a frame that is not masked"));
    }
    let short = second & 0x7f;
    if matches!(kind, Kind::Ping | Kind::Pong | Kind::Close) && (!is_last || short > 125) {
        return Err(protocol("a control frame that is long or in parts"));
    }
    let Some((length, rest)) = read_length(short, rest)? else { return Ok(None) };
    Ok(rest.first_chunk().map(|mask| Head { is_last, kind, length, mask: *mask }))
}

fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (length, least, rest) = match short {
        126 => match rest.split_first_chunk() {
            Some((bytes, rest)) => (u64::from(u16::from_be_bytes(*bytes)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((bytes, rest)) => (u64::from_be_bytes(*bytes), 1 << 16, rest),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, rest),
    };
    if length < least || length > i64::MAX.unsigned_abs() {
        return Err(protocol("a length that is not well written"));
    }
    Ok(Some((length, rest)))
}

fn read_close(payload: &[u8]) -> Result<Incoming, Violation> {
    if payload.is_empty() {
        return Ok(Incoming::Close(None));
    }
    let (number, reason) = payload.split_first_chunk().ok_or(protocol("half a close code"))?;
    let number = u16::from_be_bytes(*number);
    if !matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(protocol("a close code that nobody sends"));
    }
    let reason = str::from_utf8(reason).map_err(|_source| invalid_utf8())?;
    Ok(Incoming::Close(Some((number, reason.to_owned()))))
}

/// One unfragmented frame with this text.
pub fn text(text: &str) -> Vec<u8> {
    frame(0x1, text.as_bytes())
}

/// A ping without payload.
pub fn ping() -> Vec<u8> {
    frame(0x9, &[])
}

/// A pong; `payload` is the ping's.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    frame(0xa, payload)
}

/// A close; `reason` has at most 123 bytes.
pub fn close(number: u16, reason: &str) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    frame(0x8, &payload)
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(MAX_HEAD_BYTES + payload.len());
    frame.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..=125), _) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        (_, Err(_)) => {
            frame.push(127);
            let long = u64::try_from(payload.len()).unwrap_or(u64::MAX);
            frame.extend_from_slice(&long.to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests;
