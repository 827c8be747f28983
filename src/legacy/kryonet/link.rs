//! One connection as a machine: what to do when a frame comes or time passes. It neither reads, writes nor waits.
//!
//! ```text
//! AwaitRegisterTcp ──RegisterTCP──┬──────────────────────────────────────▶ Ready   (HANDSHAKE is sent on the way)
//!                                 └─▶ AwaitRegisterUdp ──RegisterUDP──────▶
//! ```
//!
//! Until it is ready nothing is sent over TCP: a backend that waits for a datagram hangs up at the first byte. Whatever
//! fails is a [`Fault`], which ends the connection; another one begins with another machine.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::Settings;
use super::codec::{Codec, Unrecognised};
use super::frame::FrameError;
use super::message::{Invalid, Message, Packet, Request};
use crate::app::links::Encoding;
use crate::domain::ids::LegacyId;

/// Between two datagrams of the registration.
const DATAGRAMS: Duration = Duration::from_millis(100);

/// Time to look at what came while this process stood still.
const LOOK: Duration = Duration::from_millis(250);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send that payload: the HANDSHAKE. The link is connected.
    Handshake {
        /// The payload; it holds the token.
        payload: Vec<u8>,
        /// How the backend writes.
        encoding: Encoding,
    },
    /// Send that payload, which is the library's own.
    Send(Vec<u8>),
    /// Send that payload as a datagram.
    Datagram(Vec<u8>),
    /// Run what is stored under that id.
    Exercise(LegacyId),
    /// Count a packet that isn't understood.
    Invalid(Invalid),
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    /// No connection in time.
    #[error("no connection within connect_timeout_ms")]
    ConnectTimeout,
    /// No `RegisterTCP` in time.
    #[error("the backend accepted, and sent no RegisterTCP within register_timeout_ms")]
    RegisterTcpTimeout,
    /// No `RegisterUDP` in time.
    #[error(
        "the backend answered no datagram within register_timeout_ms; is udp_port the port it has bound?"
    )]
    RegisterUdpTimeout,
    /// The first frame is another one.
    #[error("{0}")]
    Unrecognised(#[from] Unrecognised),
    /// The HANDSHAKE doesn't fit into a frame that the backend takes.
    #[error("the HANDSHAKE has {bytes} bytes, and max_frame_out is {max}: it was not sent")]
    HandshakeTooLong {
        /// Its bytes.
        bytes: usize,
        /// The setting.
        max: usize,
    },
    /// Nothing came.
    #[error("the backend sent nothing for read_timeout_ms")]
    ReadTimeout,
    /// Where a frame begins is not known any more.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The backend closed the connection.
    #[error("the backend closed the connection{}", if *inside { " within a frame" } else { "" })]
    Closed {
        /// Whether a frame was incomplete.
        inside: bool,
    },
    /// The backend closed the connection right after the HANDSHAKE.
    #[error(
        "the backend closed the connection right after the HANDSHAKE: is the token right, does it wait for UDP \
         (udp_port), does it expect another json.packet_class or kryo.string_id, or take no frame of {bytes} bytes?"
    )]
    Refused {
        /// Bytes of the HANDSHAKE.
        bytes: usize,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] std::io::Error),
    /// The backend asks for answers and takes none.
    #[error("the backend does not take what is sent to it")]
    Stalled,
}

impl Fault {
    /// What it is called in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) | Self::ConnectTimeout => "connect",
            Self::RegisterTcpTimeout | Self::RegisterUdpTimeout => "register_timeout",
            Self::Unrecognised(_) => "unrecognised",
            Self::HandshakeTooLong { .. } => "handshake_too_long",
            Self::ReadTimeout => "read_timeout",
            Self::Frame(_) => "frame",
            Self::Closed { .. } => "closed",
            Self::Refused { .. } => "refused",
            Self::Broken(_) => "broken",
            Self::Stalled => "stalled",
        }
    }
}

#[derive(Debug)]
enum Phase {
    AwaitRegisterTcp { until: Instant },
    AwaitRegisterUdp { codec: Codec, connection: i32, next: Instant, until: Instant },
    Ready { codec: Codec, since: Instant },
}

/// One connection.
#[derive(Debug)]
pub struct Link<'a> {
    settings: &'a Settings,
    token: &'a SecretString,
    phase: Phase,
    last_read: Instant,
    last_write: Instant,
}

impl<'a> Link<'a> {
    /// A connection that was opened at `now`.
    pub fn opened(settings: &'a Settings, token: &'a SecretString, now: Instant) -> Self {
        let until = now + settings.register_timeout();
        Self { settings, token, phase: Phase::AwaitRegisterTcp { until }, last_read: now, last_write: now }
    }

    /// Bytes came in, or are not read on purpose.
    pub const fn heard(&mut self, now: Instant) {
        self.last_read = now;
    }

    /// This process stood still for so long, until now: what came meanwhile has not been read, and what is waited for has
    /// as much longer, and a moment at least.
    pub fn stood_still(&mut self, length: Duration, now: Instant) {
        let least = now + LOOK;
        self.last_read += length;
        if let Some(deadline) = self.read_deadline() {
            self.last_read += least.saturating_duration_since(deadline);
        }
        match &mut self.phase {
            Phase::AwaitRegisterTcp { until } | Phase::AwaitRegisterUdp { until, .. } => {
                *until = (*until + length).max(least);
            }
            Phase::Ready { .. } => {}
        }
    }

    /// Bytes went out.
    pub const fn spoke(&mut self, now: Instant) {
        self.last_write = now;
    }

    /// Since when the HANDSHAKE is sent; `None` before.
    pub const fn ready_since(&self) -> Option<Instant> {
        match self.phase {
            Phase::Ready { since, .. } => Some(since),
            Phase::AwaitRegisterTcp { .. } | Phase::AwaitRegisterUdp { .. } => None,
        }
    }

    /// A whole frame came in.
    ///
    /// # Errors
    /// The connection is of no use.
    pub fn frame(&mut self, payload: &[u8], now: Instant) -> Result<Option<Action>, Fault> {
        let codec = match &self.phase {
            Phase::AwaitRegisterTcp { .. } => return self.recognise(payload, now).map(Some),
            Phase::AwaitRegisterUdp { codec, .. } | Phase::Ready { codec, .. } => codec,
        };
        let message = match codec.decode(payload) {
            Ok(message) => message,
            Err(malformed) => return Ok(Some(Action::Invalid(malformed.into()))),
        };
        match (message, &self.phase) {
            (Message::RegisterUdp { .. }, Phase::AwaitRegisterUdp { codec, .. }) => {
                let codec = codec.clone();
                self.handshake(codec, now).map(Some)
            }
            (Message::Ping { id, reply: false }, Phase::Ready { codec, .. }) => {
                Ok(Some(Action::Send(codec.encode(&Message::Ping { id, reply: true }))))
            }
            (Message::Packet(packet), _) => Ok(Some(match Request::read(&packet) {
                Ok(Request::Exercise(id)) => Action::Exercise(id),
                Err(invalid) => Action::Invalid(invalid),
            })),
            (
                Message::RegisterTcp { .. }
                | Message::RegisterUdp { .. }
                | Message::KeepAlive
                | Message::DiscoverHost
                | Message::Ping { .. },
                _,
            ) => Ok(None),
        }
    }

    fn recognise(&mut self, payload: &[u8], now: Instant) -> Result<Action, Fault> {
        let (codec, connection) = Codec::recognise(payload, self.settings)?;
        if self.settings.udp_port.is_none() {
            return self.handshake(codec, now);
        }
        let until = now + self.settings.register_timeout();
        let datagram = codec.encode(&Message::RegisterUdp { connection });
        self.phase = Phase::AwaitRegisterUdp { codec, connection, next: now + DATAGRAMS, until };
        Ok(Action::Datagram(datagram))
    }

    fn handshake(&mut self, codec: Codec, now: Instant) -> Result<Action, Fault> {
        let payload = codec.encode(&Message::Packet(Packet::handshake(self.token)));
        if payload.len() > self.settings.max_frame_out {
            return Err(Fault::HandshakeTooLong { bytes: payload.len(), max: self.settings.max_frame_out });
        }
        let encoding = codec.encoding();
        self.phase = Phase::Ready { codec, since: now };
        Ok(Action::Handshake { payload, encoding })
    }

    /// Time has passed; `None` when nothing is due.
    ///
    /// # Errors
    /// Too much time has passed.
    pub fn due(&mut self, now: Instant) -> Result<Option<Action>, Fault> {
        if self.read_deadline().is_some_and(|deadline| deadline <= now) {
            return Err(Fault::ReadTimeout);
        }
        match &mut self.phase {
            Phase::AwaitRegisterTcp { until } if *until <= now => Err(Fault::RegisterTcpTimeout),
            Phase::AwaitRegisterUdp { until, .. } if *until <= now => Err(Fault::RegisterUdpTimeout),
            Phase::AwaitRegisterUdp { codec, connection, next, .. } if *next <= now => {
                *next = now + DATAGRAMS;
                let message = Message::RegisterUdp { connection: *connection };
                Ok(Some(Action::Datagram(codec.encode(&message))))
            }
            Phase::Ready { codec, .. } => {
                let keepalive = codec.encode(&Message::KeepAlive);
                let due = self.write_deadline().is_some_and(|deadline| deadline <= now);
                // Counted from now on even if it can't be written yet: one is enough.
                if due {
                    self.last_write = now;
                }
                Ok(due.then_some(Action::Send(keepalive)))
            }
            Phase::AwaitRegisterTcp { .. } | Phase::AwaitRegisterUdp { .. } => Ok(None),
        }
    }

    /// When [`Self::due`] should be asked next.
    pub fn wake_at(&self) -> Option<Instant> {
        let next = match &self.phase {
            Phase::AwaitRegisterTcp { until } => Some(*until),
            Phase::AwaitRegisterUdp { next, until, .. } => Some(*next.min(until)),
            Phase::Ready { .. } => self.write_deadline(),
        };
        next.into_iter().chain(self.read_deadline()).min()
    }

    fn read_deadline(&self) -> Option<Instant> {
        self.settings.read_timeout().map(|after| self.last_read + after)
    }

    fn write_deadline(&self) -> Option<Instant> {
        self.settings.keepalive().map(|after| self.last_write + after)
    }
}
