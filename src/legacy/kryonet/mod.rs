//! Links to original backends, which speak KryoNet: Guichet is the client and connects again by itself.
//!
//! ```text
//!            ┌────────────────────────── fault: pause ──────────────────────────┐
//!            ▼                                                                   │
//!        connecting ──TCP──▶ registering ──RegisterTCP, [RegisterUDP]──▶ connected: HANDSHAKE sent
//!            │                     │                                             │
//!            └─────────────────────┴──────── fault ──▶ waiting ◀── fault ────────┘
//! ```
//!
//! Bytes become frames (`frame`), frames messages (`codec`, `kryo`, `jsonbeans`, `message`), and a machine says what
//! they mean (`link`); all that is pure. One task a link owns the sockets (`reconnect`, `connection`), another queues what
//! the backend asks for (`intake`), so that a slow database never keeps a link from saying that it lives.
//!
//! Invariants: the HANDSHAKE is the first packet of every connection and the only one ever sent; nothing is read while
//! there is no room for what it asks; the token is in no log, error or metric. Once a packet is read it is queued or
//! counted, unless the process dies: the protocol acknowledges nothing. Source of the wire format: frames captured
//! between original endpoints (`tests/data/README.md`).

mod backoff;
mod charset;
pub mod codec;
mod connection;
pub mod frame;
mod intake;
pub mod jsonbeans;
pub mod kryo;
mod lines;
pub mod link;
pub mod message;
mod reconnect;
mod settings;

use std::convert::Infallible;

use secrecy::SecretString;
use tokio::sync::mpsc;

pub use self::settings::{Charset, JsonSettings, KryoSettings, Serialization, Settings};

use self::connection::Shared;
use self::intake::Intake;
use self::reconnect::Reconnect;
use crate::app::App;
use crate::app::links::{LinkPen, Links};
use crate::clock::Clock;
use crate::legacy::InvalidSetting;
use crate::shutdown::Tasks;

/// Links that are on the board and not up yet.
#[derive(Debug)]
pub struct Prepared {
    links: Vec<(Settings, SecretString, LinkPen)>,
}

/// Links that are kept up.
#[derive(Debug)]
pub struct Running {
    /// Closed when the last intake is gone.
    intakes: mpsc::Receiver<Infallible>,
}

impl Prepared {
    /// Reads the tokens and puts one link a backend on the board.
    ///
    /// # Errors
    /// [`InvalidSetting`] if a token can't be read.
    pub fn read(backends: &[Settings], clock: &Clock, board: &mut Links) -> Result<Self, InvalidSetting> {
        let mut links = Vec::with_capacity(backends.len());
        for settings in backends {
            let token = settings.read_token()?;
            let (name, host) = (settings.name.clone(), settings.host.clone());
            let pen = board.add(name, host, settings.tcp_port.get(), clock.now());
            links.push((settings.clone(), token, pen));
        }
        Ok(Self { links })
    }

    /// Keeps the links up until the soft stop.
    pub fn start(self, app: &App, tasks: &Tasks) -> Running {
        let (alive, intakes) = mpsc::channel(1);
        for (settings, token, pen) in self.links {
            let (ids, waiting) = mpsc::channel(intake::WAITING);
            let intake = Intake {
                app: app.clone(),
                backend: settings.name.clone(),
                pen: pen.clone(),
                ids: waiting,
                give_up: tasks.handing_back().clone(),
            };
            let alive = alive.clone();
            tasks.start(async move {
                intake.run().await;
                drop(alive);
            });
            let (clock, stop) = (app.clock().clone(), tasks.soft().clone());
            tasks.start(Reconnect::new(Shared { settings, token, pen, ids, clock, stop }).run());
        }
        Running { intakes }
    }
}

impl Running {
    /// Waits, after the soft stop, until everything that was received is queued.
    pub async fn drained(&mut self) {
        while self.intakes.recv().await.is_some() {}
    }
}
