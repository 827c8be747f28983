//! A place in line for a container.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::container::Container;
use super::hosts::HostConnection;
use super::owner::{Message, Wanted};
use crate::clock::Patience;

/// How long a container may take: it is being emptied, or the one that was promised died and another one starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container to come: at once, or when the one that was promised has been emptied. It is given up when dropped.
#[derive(Debug)]
pub struct Reservation {
    pub(super) wanted: Wanted,
    pub(super) container: oneshot::Receiver<Container>,
    pub(super) messages: mpsc::Sender<Message>,
}

impl Reservation {
    /// The container, whose agent has answered a moment ago; one that doesn't is replaced, and another one given.
    /// `None` if the pool ends before, or none of the runtime has come within ten seconds. The slot is taken until it
    /// is released or dropped.
    pub async fn container(mut self) -> Option<Container> {
        loop {
            let mut container = Patience::new(PATIENCE).wait_for(&mut self.container).await?.ok()?;
            let Err(error) = container.look().await else { return Some(container) };
            tracing::warn!(
                container.id = container.id(), %error,
                "a container that was to serve does not answer and is replaced"
            );
            let silent = container.connection().filter(|_host| error.is_silence());
            // First, so that nothing else is leased for the slot in between.
            self.reserve_again(silent).await?;
            if error.is_silence() {
                container.retire();
            }
        }
    }

    /// Takes the first place in line.
    ///
    /// * `silent` — the host of a container that was silent.
    async fn reserve_again(&mut self, silent: Option<Arc<HostConnection>>) -> Option<()> {
        let (reply, container) = oneshot::channel();
        self.messages
            .send(Message::ReserveAgain { wanted: self.wanted.clone(), reply, silent })
            .await
            .ok()?;
        self.container = container;
        Some(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.container.close();
        // If there is no room, the owner has other messages to hear and looks at its reservations all the same.
        let _heard = self.messages.try_send(Message::Withdrawn);
    }
}
