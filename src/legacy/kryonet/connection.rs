//! One connection's sockets: bytes in and out, for a [`Link`] that says what they mean.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::frame::{Frames, framed};
use super::intake;
use super::lines::Lines;
use super::link::{Action, Fault, Link};
use super::message::{self, Invalid};
use crate::app::links::{LinkPen, LinkState};
use crate::clock::{self, Clock, Patience};
use crate::domain::ids::LegacyId;

/// How often the clock is looked at, to see that this process stood still.
const TICK: Duration = Duration::from_millis(250);
/// Room for one read.
const READ: usize = 64 << 10;
/// Bytes that wait to be written, at most: only answers to pings can be so many.
const MAX_UNWRITTEN: usize = 64 << 10;
/// Bytes that are still taken at a stop, at most; they had arrived before it.
const MAX_LAST: usize = 4 << 20;
/// From this size on some versions of the library can't read a frame.
const LONG_HANDSHAKE: usize = 512;
/// A connection that ends so soon after the HANDSHAKE was refused.
const RIGHT_AFTER: Duration = Duration::from_secs(1);

/// What connections of one link share.
#[derive(Debug)]
pub struct Shared {
    /// The backend.
    pub settings: Settings,
    /// What the HANDSHAKE carries.
    pub token: SecretString,
    /// What is told.
    pub pen: LinkPen,
    /// Where ids go.
    pub ids: mpsc::Sender<LegacyId>,
    /// What time it is.
    pub clock: Clock,
    /// When to take nothing new.
    pub stop: CancellationToken,
}

impl Shared {
    /// Tells where the link stands.
    pub fn tell(&self, state: LinkState) {
        let now = self.clock.now();
        let up = if matches!(state, LinkState::Connected) { 1.0 } else { 0.0 };
        metrics::gauge!("guichet_link_up", "link" => self.settings.name.to_string()).set(up);
        self.pen.write(|view| {
            (view.state, view.since) = (state, now);
            if matches!(state, LinkState::Connecting | LinkState::Waiting) {
                view.encoding = None;
            }
        });
    }

    fn count_packet(&self, direction: &'static str) {
        let name = self.settings.name.to_string();
        metrics::counter!("guichet_link_packets_total", "link" => name, "direction" => direction)
            .increment(1);
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection<'a> {
    shared: &'a Shared,
    lines: &'a mut Lines,
    link: Link<'a>,
    peer: SocketAddr,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    udp: Option<UdpSocket>,
    frames: Frames,
    unwritten: BytesMut,
    /// Whether writing failed; what has come may still be read.
    deaf: bool,
    /// An id that found no room; nothing is read until it has.
    parked: Option<LegacyId>,
    first_frame: bool,
    handshake_bytes: usize,
}

impl<'a> Connection<'a> {
    /// Opens a connection.
    ///
    /// # Errors
    /// [`Fault::Connect`] or [`Fault::ConnectTimeout`].
    pub async fn open(shared: &'a Shared, lines: &'a mut Lines) -> Result<Self, Fault> {
        let settings = &shared.settings;
        let address = (settings.host.as_str(), settings.tcp_port.get());
        let mut patience = Patience::new(settings.connect_timeout());
        let connected = patience.wait_for(TcpStream::connect(address)).await;
        let stream = connected.ok_or(Fault::ConnectTimeout)?.map_err(Fault::Connect)?;
        stream.set_nodelay(true).map_err(Fault::Connect)?;
        let peer = stream.peer_addr().map_err(Fault::Connect)?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            shared,
            lines,
            link: Link::opened(settings, &shared.token, Instant::now()),
            peer,
            reader,
            writer,
            udp: None,
            frames: Frames::new(settings.max_frame_in),
            unwritten: BytesMut::new(),
            deaf: false,
            parked: None,
            first_frame: true,
            handshake_bytes: 0,
        })
    }

    /// Since when the HANDSHAKE is sent.
    pub const fn ready_since(&self) -> Option<Instant> {
        self.link.ready_since()
    }

    /// Speaks until the stop, or until the connection is of no use.
    ///
    /// # Errors
    /// What made it useless.
    pub async fn run(&mut self) -> Result<(), Fault> {
        let ended = self.speak().await;
        let soon = self.link.ready_since().is_some_and(|since| since.elapsed() < RIGHT_AFTER);
        match ended {
            Err(Fault::Closed { inside: false } | Fault::Broken(_)) if soon => {
                Err(Fault::Refused { bytes: self.handshake_bytes })
            }
            ended => ended,
        }
    }

    async fn speak(&mut self) -> Result<(), Fault> {
        loop {
            self.take_frames().await?;
            let room = self.frames.buffer();
            if room.capacity() - room.len() < READ / 4 {
                room.reserve(READ);
            }
            let tick = Instant::now() + TICK;
            let wake_at = self.link.wake_at().map_or(tick, |at| at.min(tick));
            let reading = self.parked.is_none();
            let writing = !self.deaf && !self.unwritten.is_empty();
            tokio::select! {
                () = self.shared.stop.cancelled() => return self.take_the_last().await,
                permit = self.shared.ids.reserve(), if !reading => match permit {
                    Ok(permit) => {
                        // It was not listened to, so its silence doesn't count.
                        self.link.heard(Instant::now());
                        if let Some(id) = self.parked.take() {
                            permit.send(id);
                        }
                    }
                    Err(_intake_is_gone) => return Ok(()),
                },
                read = self.reader.read_buf(self.frames.buffer()), if reading => match read {
                    Ok(0) => return Err(Fault::Closed { inside: self.frames.held() > 0 }),
                    Ok(_) => self.link.heard(Instant::now()),
                    Err(error) => return Err(Fault::Broken(error)),
                },
                written = self.writer.write_buf(&mut self.unwritten), if writing => match written {
                    Ok(_) => self.link.spoke(Instant::now()),
                    Err(_broken) => self.deaf = true,
                },
                () = tokio::time::sleep_until(wake_at) => self.look_at_the_clock(wake_at).await?,
            }
        }
    }

    /// * `due` — when it was to be looked at.
    async fn look_at_the_clock(&mut self, due: Instant) -> Result<(), Fault> {
        let now = Instant::now();
        if self.parked.is_some() {
            self.link.heard(now);
        }
        if clock::stood_still(due, now) {
            self.link.stood_still(now.duration_since(due), now);
        }
        match self.link.due(now)? {
            Some(action) => self.perform(action, &[]).await,
            None => Ok(()),
        }
    }

    /// Takes frames until one must wait for room, or none is whole.
    async fn take_frames(&mut self) -> Result<(), Fault> {
        while self.parked.is_none() {
            let Some(payload) = self.frames.next_frame()? else { return Ok(()) };
            if std::mem::take(&mut self.first_frame) {
                let frame = message::hex(&payload, &self.shared.token);
                tracing::info!(backend = %self.shared.settings.name, frame, "first frame");
            }
            if let Some(action) = self.link.frame(&payload, Instant::now())? {
                self.perform(action, &payload).await?;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, action: Action, payload: &[u8]) -> Result<(), Fault> {
        match action {
            Action::Handshake { payload, encoding } => {
                self.handshake_bytes = payload.len();
                self.warn_if_long();
                self.write(&payload)?;
                self.shared.tell(LinkState::Connected);
                self.shared.count_packet("out");
                self.shared.pen.write(|view| {
                    view.encoding = Some(encoding);
                    view.packets_out = view.packets_out.saturating_add(1);
                });
                let encoding = encoding.name();
                tracing::info!(backend = %self.shared.settings.name, encoding, "linked; HANDSHAKE sent");
            }
            Action::Send(payload) => self.write(&payload)?,
            Action::Datagram(payload) => self.send_datagram(&payload).await?,
            Action::Exercise(id) => {
                self.count_in();
                if let Err(mpsc::error::TrySendError::Full(id)) = self.shared.ids.try_send(id) {
                    self.parked = Some(id);
                }
            }
            Action::Invalid(invalid) => self.count_invalid(&invalid, payload),
        }
        Ok(())
    }

    fn warn_if_long(&self) {
        if self.handshake_bytes > LONG_HANDSHAKE {
            tracing::warn!(
                backend = %self.shared.settings.name,
                bytes = self.handshake_bytes,
                "the HANDSHAKE is longer than 512 bytes, which KryoNet 2.21 cannot read"
            );
        }
    }

    fn count_in(&self) {
        self.shared.count_packet("in");
        self.shared.pen.write(|view| view.packets_in = view.packets_in.saturating_add(1));
    }

    fn count_invalid(&mut self, invalid: &Invalid, payload: &[u8]) {
        let backend = &self.shared.settings.name;
        self.count_in();
        intake::count(backend, "invalid");
        self.shared.pen.write(|view| view.exercises.invalid = view.exercises.invalid.saturating_add(1));
        let Some(unlogged) = self.lines.another(Instant::now()) else { return };
        match invalid {
            Invalid::Malformed(_) => {
                let frame = message::hex(payload, &self.shared.token);
                tracing::warn!(%backend, reason = %invalid, frame, unlogged, "packet ignored");
            }
            Invalid::NotJson | Invalid::NoObject | Invalid::Command | Invalid::Id => {
                tracing::warn!(%backend, reason = %invalid, bytes = payload.len(), unlogged, "packet ignored");
            }
        }
    }

    fn write(&mut self, payload: &[u8]) -> Result<(), Fault> {
        if self.deaf {
            return Ok(());
        }
        let frame = framed(payload).unwrap_or_default();
        if self.unwritten.len() + frame.len() > MAX_UNWRITTEN + self.handshake_bytes {
            return Err(Fault::Stalled);
        }
        self.unwritten.extend_from_slice(&frame);
        Ok(())
    }

    /// Sends a datagram to the machine that accepted the connection, and to no other. Nothing is read from its socket:
    /// the answer comes over TCP. One that can't be sent is sent again soon.
    async fn send_datagram(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let Some(port) = self.shared.settings.udp_port else { return Ok(()) };
        let socket = match self.udp.take() {
            Some(socket) => socket,
            None => {
                let any = if self.peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).await.map_err(Fault::Connect)?;
                socket.connect((self.peer.ip(), port.get())).await.map_err(Fault::Connect)?;
                socket
            }
        };
        if let Err(error) = socket.send(payload).await {
            tracing::debug!(backend = %self.shared.settings.name, %error, "a datagram was not sent");
        }
        self.udp = Some(socket);
        Ok(())
    }

    /// At the stop: takes the EXERCISE packets that had arrived, for nobody will send them again.
    async fn take_the_last(&mut self) -> Result<(), Fault> {
        let most = self.frames.held() + MAX_LAST;
        while self.link.ready_since().is_some() && self.frames.held() < most {
            self.frames.buffer().reserve(READ);
            if !self.reader.try_read_buf(self.frames.buffer()).is_ok_and(|bytes| bytes > 0) {
                break;
            }
        }
        loop {
            self.take_frames().await?;
            let Some(id) = self.parked.take() else { return Ok(()) };
            if self.shared.ids.send(id).await.is_err() {
                return Ok(());
            }
        }
    }
}
