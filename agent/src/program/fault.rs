//! Why the agent stops: each of these ends the process, and with it the container.

use std::io;

use guichet_agent::FrameError;

/// What the agent cannot go on after.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The connection ended: Guichet is gone.
    #[error("the connection ended")]
    Gone,
    /// SIGTERM, SIGINT or SIGHUP came.
    #[error("told to end")]
    Terminated,
    /// Bytes that are no request.
    #[error("connection: {0}")]
    Frame(#[from] FrameError),
    /// A request that makes no sense now, or at all.
    #[error("{0}")]
    Request(&'static str),
    /// A system call that must not fail.
    #[error("{what}: {source}")]
    System {
        /// What the call was for.
        what: &'static str,
        /// Its error.
        source: io::Error,
    },
}

/// Names what a failed system call was for.
pub trait Context<T> {
    /// Turns the error into [`Fault::System`] with `what`.
    fn context(self, what: &'static str) -> Result<T, Fault>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: &'static str) -> Result<T, Fault> {
        self.map_err(|source| Fault::System { what, source })
    }
}
