//! A place in line for a container.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::container::Container;
use super::owner::Message;
use crate::clock::Patience;

/// How long a container may take: it is being emptied, or the one that was promised died and another one starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container to come: at once, or when the one that was promised has been emptied. It is given up when dropped.
#[derive(Debug)]
pub struct Reservation {
    pub(super) container: oneshot::Receiver<Container>,
    pub(super) messages: mpsc::Sender<Message>,
}

impl Reservation {
    /// The container; `None` if the pool ends before, or none of the runtime has come within ten seconds. The slot is
    /// taken until it is released or dropped.
    pub async fn container(mut self) -> Option<Container> {
        Patience::new(PATIENCE).wait_for(&mut self.container).await?.ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.container.close();
        // If there is no room, the owner has other messages to hear and looks at its reservations all the same.
        let _heard = self.messages.try_send(Message::Withdrawn);
    }
}
