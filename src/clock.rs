//! What time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::time::Timestamp;

/// A clock: the system's, or one that a test moves.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's wall clock.
    System,
    /// Stands still until it's moved.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.millis())))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()),
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the system's stays as it is.
    pub fn advance(&self, by: std::time::Duration) {
        match self {
            Self::System => {}
            Self::Manual(millis) => {
                millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
            }
        }
    }
}
