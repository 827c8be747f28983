//! Why an engine did not do what it was asked.

use std::time::Duration;

use bollard::errors::Error as DockerError;

use super::ConnectError;
use crate::pool::endpoint::URL_FORM;
use crate::pool::hosts::HostErrorCode;

/// What engines say with the error number of a full disk.
const DISK_FULL: &str = "no space left on device";

/// What engines say of an image that a step of a build needs and that is gone: when it begins, and when it ends.
const LOST_IMAGE: [&str; 2] = ["No such image", "unknown parent image ID"];

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It said no, or the connection broke.
    #[error(transparent)]
    Engine(DockerError),
    /// There is no connection to it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The URL has another form.
    #[error("{0} is not {URL_FORM}")]
    Address(String),
    /// The image is not on the host.
    #[error("image {0} is not on the host")]
    MissingImage(String),
    /// The image cannot be used as it is.
    #[error("image {image}: {reason}")]
    UnusableImage {
        /// Its name.
        image: String,
        /// What is in the way.
        reason: String,
    },
}

impl From<DockerError> for Error {
    fn from(error: DockerError) -> Self {
        match ConnectError::within(&error) {
            Some(error) => Self::Connect(error),
            None => Self::Engine(error),
        }
    }
}

impl Error {
    /// What kept a host from being connected.
    pub const fn code(&self) -> HostErrorCode {
        match self {
            Self::Connect(ConnectError::Tls(_)) => HostErrorCode::Tls,
            Self::Connect(ConnectError::Refused { .. })
            | Self::Engine(DockerError::DockerResponseServerError { .. }) => HostErrorCode::Refused,
            Self::Silent(_) => HostErrorCode::Silent,
            Self::Connect(ConnectError::Unreachable { .. }) | Self::Engine(_) | Self::Address(_) => {
                HostErrorCode::Unreachable
            }
            Self::MissingImage(_) | Self::UnusableImage { .. } => HostErrorCode::Image,
        }
    }

    /// Whether the engine's disk is full. Its API tells that by the text of the error number alone.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Engine(error) if says_disk_full(error))
    }

    /// Whether an image was gone in the middle of a build. Engines tell that by a text alone.
    pub fn is_lost_image(&self) -> bool {
        let says = |error: &String| LOST_IMAGE.iter().any(|text| error.contains(text));
        matches!(self, Self::Engine(DockerError::DockerStreamError { error }) if says(error))
    }

    /// Whether there is no TLS with it.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Connect(ConnectError::Tls(_)))
    }

    /// Whether the engine answered, and said no.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Engine(DockerError::DockerResponseServerError { .. }))
    }

    /// Whether the engine answered, and said that what was named does not exist.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Engine(DockerError::DockerResponseServerError { status_code: 404, .. }))
    }
}

/// Whether an engine says that its disk is full.
pub(super) fn says_disk_full(error: &DockerError) -> bool {
    match error {
        DockerError::DockerResponseServerError { message: text, .. }
        | DockerError::DockerStreamError { error: text } => text.contains(DISK_FULL),
        _other => false,
    }
}
