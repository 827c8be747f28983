//! The links to original backends, as they are now: a board that links write and everybody may read.
//!
//! It holds facts and counts only. The task that keeps a link has the pen of it; when the pen is gone, the last words stay.

use tokio::sync::watch;

use super::App;
use crate::domain::ids::BackendName;
use crate::domain::time::Timestamp;

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It opens a connection.
    Connecting,
    /// It is connected and waits for the backend to register it.
    Registering,
    /// It has sent its HANDSHAKE.
    Connected,
    /// It pauses before it tries again.
    Waiting,
}

impl LinkState {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Registering => "registering",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
        }
    }
}

/// How a backend writes objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Kryo's bytes.
    Kryo,
    /// JSON.
    Json,
}

impl Encoding {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kryo => "kryo",
            Self::Json => "json",
        }
    }
}

/// What became of the packets that ask to run something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExerciseCounts {
    /// Queued.
    pub enqueued: u64,
    /// Queued, running or graded already.
    pub duplicate: u64,
    /// Nothing is stored under that id.
    pub unknown: u64,
    /// Not understood, or what is stored can't run.
    pub invalid: u64,
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkError {
    /// When.
    pub at: Timestamp,
    /// What: a lower-case fragment without secrets.
    pub message: String,
}

/// A link as it is now. Counts begin with the process; messages of the library are not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// The backend's name.
    pub name: BackendName,
    /// Name or address of its machine.
    pub host: String,
    /// Its port.
    pub tcp_port: u16,
    /// Where the link stands.
    pub state: LinkState,
    /// How the backend writes objects; `None` until the first frame of a connection, and without one.
    pub encoding: Option<Encoding>,
    /// Since when the state is this one.
    pub since: Timestamp,
    /// Connections opened.
    pub connections: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// What became of those received.
    pub exercises: ExerciseCounts,
    /// What went wrong last.
    pub last_error: Option<LinkError>,
}

/// All links.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: Vec<watch::Receiver<LinkView>>,
}

/// Writes one link's part of the board.
#[derive(Clone, Debug)]
pub struct LinkPen {
    view: watch::Sender<LinkView>,
}

impl Links {
    /// Puts a link on the board, in the order of the settings.
    pub fn add(&mut self, name: BackendName, host: String, tcp_port: u16, now: Timestamp) -> LinkPen {
        let (view, link) = watch::channel(LinkView {
            name,
            host,
            tcp_port,
            state: LinkState::Connecting,
            encoding: None,
            since: now,
            connections: 0,
            packets_in: 0,
            packets_out: 0,
            exercises: ExerciseCounts::default(),
            last_error: None,
        });
        self.links.push(link);
        LinkPen { view }
    }
}

impl LinkPen {
    /// Changes what the board says.
    pub fn write(&self, change: impl FnOnce(&mut LinkView)) {
        self.view.send_modify(change);
    }
}

impl App {
    /// All links to original backends, in the order of the settings.
    pub fn links(&self) -> Vec<LinkView> {
        self.inner.links.links.iter().map(|link| link.borrow().clone()).collect()
    }
}
