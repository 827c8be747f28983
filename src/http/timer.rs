//! Waits of the HTTP server: for peers, so that only time counts that this process lives through.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt;

use crate::clock::Patience;

/// Makes the waits that hyper itself counts: of a request's head, and of answers to pings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Wait::of(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

/// A wait that is over when all patience is spent.
pub(super) struct Wait(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Wait {
    /// A wait of so long.
    pub(super) fn of(most: Duration) -> Self {
        let mut patience = Patience::in_eighths(most);
        Self(Box::pin(async move { patience.spent().await }))
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl rt::Sleep for Wait {}
