//! What wakes the reader of one stream.

use std::sync::Arc;
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// Wakes the task that polls one stream; until one has polled it, none.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<AtomicWaker>);

impl Bell {
    /// Wakes it, though there may be nothing to tell.
    pub fn ring(&self) {
        self.0.wake();
    }

    /// Has `waker` be woken from now on: a caller registers first and then looks what there is.
    pub fn register(&self, waker: &Waker) {
        self.0.register(waker);
    }
}
