//! One open WebSocket: takes packets, answers, tells, pings, and always ends.
//!
//! One task does it all, so nothing piles up: what is written is written before anything else is read or told. It ends
//! when its peer closes, goes away, stays mute or breaks a rule, when its peer takes nothing of what is written (the
//! server's patience), and at the soft stop.

mod commands;
mod source;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use self::source::{Named, Notices};
use super::frame::{self, CloseCode, Decoder, Incoming, Violation};
use super::message::{Command, Packet};
use super::session::Session;
use super::upgrade::{Sessions, Unauthenticated};
use crate::app::{self, OpenStream};
use crate::clock;
use crate::feed::RefusedDraft;

/// Bytes that are read at one time.
const READ_BYTES: usize = 1 << 10;

/// Why a connection ends with the process.
const STOPPING: &str = "the service stops";

/// One open WebSocket.
pub struct Connection<S> {
    stream: S,
    sessions: Arc<Sessions>,
    address: IpAddr,
    session: Session,
    decoder: Decoder,
    /// Read and not yet decoded.
    input: BytesMut,
    /// What its user is told; `None` while it has none.
    notices: Option<Notices>,
    /// Drafts that could not be queued, of all users.
    refused_drafts: Receiver<RefusedDraft>,
    /// Whether reading what its user is told failed, and he knows.
    is_faulty: bool,
    /// When a refusal that is held back is answered; nothing is read until then.
    held_until: Option<Instant>,
    /// Until the peer proved who he is: when that must have been.
    unauthenticated: Option<(Unauthenticated, Instant)>,
    /// Counts it among its user's connections.
    counted: Option<OpenStream>,
    next_ping: Instant,
    last_pong: Instant,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// It's closed from here.
    Closed(CloseCode, &'static str),
    /// Its peer broke the protocol, and can't be understood any more.
    Broken(Violation),
    /// Its peer closed it.
    Peer(Option<(u16, String)>),
    /// Its peer went away, or took nothing for too long.
    Gone,
    /// Its peer answers no ping.
    Mute,
}

enum Wake {
    Stop,
    Due,
    Read(std::io::Result<usize>),
    Notice(Option<Result<Named, app::Error>>),
    Refused(Result<RefusedDraft, RecvError>),
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection<S> {
    /// A connection that was just opened from `address`.
    pub fn new(stream: S, sessions: Arc<Sessions>, address: IpAddr) -> Self {
        let now = Instant::now();
        let next_ping = now + sessions.patience.ping;
        let unauthenticated = sessions.unauthenticated();
        let proof_due = now + unauthenticated.patience;
        let refused_drafts = sessions.app.refused_drafts();
        Self {
            stream,
            sessions,
            address,
            session: Session::default(),
            decoder: Decoder::default(),
            input: BytesMut::new(),
            notices: None,
            refused_drafts,
            is_faulty: false,
            held_until: None,
            unauthenticated: Some((unauthenticated, proof_due)),
            counted: None,
            next_ping,
            last_pong: now,
        }
    }

    /// Serves it to its end.
    pub async fn run(mut self) {
        let open = metrics::gauge!("guichet_websocket_sessions_open");
        open.increment(1.0);
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        self.notices = None;
        self.leave(&end).await;
        tracing::debug!(?end, "a websocket session ended");
        metrics::counter!("guichet_websocket_sessions_ended_total", "reason" => end.name()).increment(1);
        open.decrement(1.0);
    }

    async fn step(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let reads_at = self.held_until.or_else(|| self.session.takes_at(now));
        if reads_at.is_none() {
            if let Some(message) = self.decode().map_err(End::Broken)? {
                return self.take(message).await;
            }
            self.input.reserve(READ_BYTES);
        }
        let due = self.due(reads_at);
        let wake = tokio::select! {
            () = self.sessions.tasks.soft().cancelled() => Wake::Stop,
            () = tokio::time::sleep_until(due) => Wake::Due,
            read = self.stream.read_buf(&mut self.input), if reads_at.is_none() => Wake::Read(read),
            notice = next(&mut self.notices) => Wake::Notice(notice),
            refused = self.refused_drafts.recv() => Wake::Refused(refused),
        };
        match wake {
            Wake::Stop | Wake::Refused(Err(RecvError::Closed)) => {
                Err(End::Closed(CloseCode::GoingAway, STOPPING))
            }
            Wake::Due => self.on_due(Instant::now()).await,
            Wake::Read(Ok(0) | Err(_)) => Err(End::Gone),
            Wake::Read(Ok(_some)) => Ok(()),
            Wake::Notice(Some(Ok(named))) => {
                self.is_faulty = false;
                self.tell(named).await
            }
            Wake::Notice(Some(Err(error))) => self.on_fault(&error).await,
            Wake::Refused(Ok(draft)) => self.tell_refused(&draft).await,
            Wake::Refused(Err(RecvError::Lagged(_))) => Ok(()),
            Wake::Notice(None) => {
                self.notices = None;
                Ok(())
            }
        }
    }

    fn decode(&mut self) -> Result<Option<Incoming>, Violation> {
        let mut rest = &self.input[..];
        let message = self.decoder.next(&mut rest)?;
        let taken = self.input.len() - rest.len();
        self.input.advance(taken);
        Ok(message)
    }

    /// When something is to be done, whatever comes.
    fn due(&self, reads_at: Option<Instant>) -> Instant {
        let proof_due = self.unauthenticated.as_ref().map(|(_, due)| *due);
        let dates = [reads_at, proof_due, self.session.expires_at()];
        dates.into_iter().flatten().fold(self.next_ping, Instant::min)
    }

    async fn on_due(&mut self, now: Instant) -> Result<(), End> {
        let is_over = |date: Option<Instant>| date.is_some_and(|date| date <= now);
        if is_over(self.held_until) {
            self.held_until = None;
            self.refuse().await?;
        }
        if is_over(self.session.expires_at()) {
            self.session.expire();
            self.notices = None;
            self.refuse().await?;
        }
        if is_over(self.unauthenticated.as_ref().map(|(_, due)| *due)) {
            return Err(End::Closed(CloseCode::Policy, "nobody said who he is"));
        }
        if now >= self.next_ping {
            // What the peer answered while this process stood still has not been read.
            if clock::stood_still(self.next_ping, now) {
                self.last_pong = now;
            }
            if now.duration_since(self.last_pong) >= self.sessions.patience.mute {
                return Err(End::Mute);
            }
            self.next_ping = now + self.sessions.patience.ping;
            self.write(&frame::ping()).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: Incoming) -> Result<(), End> {
        let now = Instant::now();
        match message {
            Incoming::Text(text) => {
                self.session.command(now);
                self.obey(Command::read(&text)).await
            }
            Incoming::Ping(_) | Incoming::Pong if self.session.ping(now) => {
                Err(End::Closed(CloseCode::Policy, "too many pings"))
            }
            Incoming::Ping(payload) => self.write(&frame::pong(&payload)).await,
            Incoming::Pong => {
                self.last_pong = now;
                Ok(())
            }
            Incoming::Close(said) => Err(End::Peer(said)),
        }
    }

    async fn send_all(&mut self, packets: &[Packet]) -> Result<(), End> {
        for packet in packets {
            self.send(packet).await?;
        }
        Ok(())
    }

    async fn send(&mut self, packet: &Packet) -> Result<(), End> {
        metrics::counter!("guichet_websocket_packets_total", "direction" => "out", "packet" => packet.name())
            .increment(1);
        if let Packet::Error(fault) = packet {
            metrics::counter!("guichet_websocket_errors_total", "code" => fault.code()).increment(1);
        }
        let text = packet.write(self.sessions.exercise);
        self.write(&frame::text(&text)).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        tokio::select! {
            biased;
            written = write_whole(&mut self.stream, bytes) => written.map_err(|_broken| End::Gone),
            // Half a frame may be out: nothing can follow it.
            () = self.sessions.tasks.soft().cancelled() => Err(End::Gone),
        }
    }

    /// Says goodbye as the end demands, for [`super::Patience::linger`] at most.
    async fn leave(&mut self, end: &End) {
        let farewell = match end {
            End::Closed(code, reason) | End::Broken(Violation { code, reason }) => {
                frame::close(code.number(), reason)
            }
            End::Peer(Some((number, reason))) => frame::close(*number, reason),
            End::Peer(None) => frame::close(CloseCode::Normal.number(), ""),
            End::Gone | End::Mute => return,
        };
        let sessions = Arc::clone(&self.sessions);
        let leaving = async {
            write_whole(&mut self.stream, &farewell).await?;
            match end {
                End::Closed(..) => self.hear_out(true).await?,
                End::Broken(_) => self.hear_out(false).await?,
                End::Peer(_) | End::Gone | End::Mute => {}
            }
            self.stream.shutdown().await
        };
        let left = tokio::select! {
            left = tokio::time::timeout(sessions.patience.linger, leaving) => left,
            () = sessions.tasks.hard().cancelled() => return,
        };
        if !matches!(left, Ok(Ok(()))) {
            tracing::debug!("a websocket's peer did not hear the goodbye out");
        }
    }

    /// Reads on, so that the goodbye isn't lost in a broken connection, until the peer closes, too.
    async fn hear_out(&mut self, understands: bool) -> std::io::Result<()> {
        loop {
            let mut understood = understands;
            while understood {
                match self.decode() {
                    Ok(Some(Incoming::Close(_))) => return Ok(()),
                    Ok(Some(_ignored)) => {}
                    Ok(None) | Err(_) => understood = false,
                }
            }
            self.input.clear();
            self.input.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(());
            }
        }
    }
}

impl End {
    const fn name(&self) -> &'static str {
        match self {
            Self::Closed(code, _) | Self::Broken(Violation { code, .. }) => match code {
                CloseCode::Normal => "normal",
                CloseCode::GoingAway => "stop",
                CloseCode::Protocol => "protocol",
                CloseCode::Unsupported => "unsupported",
                CloseCode::InvalidUtf8 => "invalid_utf8",
                CloseCode::Policy => "policy",
                CloseCode::TooBig => "too_big",
                CloseCode::TryAgainLater => "overloaded",
            },
            Self::Peer(_) => "peer",
            Self::Gone => "gone",
            Self::Mute => "mute",
        }
    }
}

async fn write_whole(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn next(notices: &mut Option<Notices>) -> Option<Result<Named, app::Error>> {
    match notices {
        Some(notices) => notices.next().await,
        None => std::future::pending().await,
    }
}
