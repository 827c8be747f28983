//! Keeps one link up: connects, and when that ends, pauses and connects again.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::{Backoff, random};
use super::connection::{Connection, Shared};
use super::lines::Lines;
use super::link::Fault;
use crate::app::links::{LinkError, LinkState};

/// Keeps one link up.
#[derive(Debug)]
pub struct Reconnect {
    shared: Shared,
    pauses: Backoff,
    lines: Lines,
}

impl Reconnect {
    /// A link that isn't up yet.
    pub fn new(shared: Shared) -> Self {
        let pauses = Backoff::between(shared.settings.reconnect());
        Self { shared, pauses, lines: Lines::from(Instant::now()) }
    }

    /// Connects again and again until the stop.
    pub async fn run(mut self) {
        let stop = self.shared.stop.clone();
        while !stop.is_cancelled() {
            let Err(fault) = self.connect().await else { break };
            let pause = self.pauses.next(random());
            self.tell_fault(&fault, pause);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.shared.tell(LinkState::Waiting);
    }

    /// One connection from its beginning to its end; `Ok` at the stop.
    async fn connect(&mut self) -> Result<(), Fault> {
        let shared = &self.shared;
        shared.tell(LinkState::Connecting);
        let mut connection = tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            opened = Connection::open(shared, &mut self.lines) => opened?,
        };
        shared.tell(LinkState::Registering);
        shared.pen.write(|view| view.connections = view.connections.saturating_add(1));
        metrics::counter!("guichet_link_connections_total", "link" => shared.settings.name.to_string())
            .increment(1);
        let ended = connection.run().await;
        self.pauses.after(connection.ready_since().map_or(Duration::ZERO, |since| since.elapsed()));
        ended
    }

    fn tell_fault(&self, fault: &Fault, pause: Duration) {
        let backend = &self.shared.settings.name;
        let error = LinkError { at: self.shared.clock.now(), message: fault.to_string() };
        self.shared.tell(LinkState::Waiting);
        self.shared.pen.write(|view| view.last_error = Some(error));
        metrics::counter!(
            "guichet_link_faults_total", "link" => backend.to_string(), "reason" => fault.name()
        )
        .increment(1);
        tracing::warn!(%backend, %fault, pause_ms = pause.as_millis(), "no link to the backend");
    }
}
