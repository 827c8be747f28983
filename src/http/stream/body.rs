//! The body of an open stream's answer: what its connection takes when it can take something, and nothing besides.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::{Bytes, BytesMut};
use hyper::body::Frame;
use tokio::time::Instant;

use super::frame::{self, View};
use super::open::{Come, End, Open};
use super::pulse::Pulse;
use crate::app::App;
use crate::chain::Chain;

/// What is handed over at one time, if more waits.
const CHUNK: usize = 16 << 10;
/// A comment, so that no proxy closes a quiet stream.
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// An open stream.
pub(super) struct StreamBody {
    pub(super) app: App,
    pub(super) view: View,
    pub(super) open: Arc<Open>,
    /// Says when it is to end.
    pub(super) pulse: Arc<Pulse>,
    pub(super) progress: Progress,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was told.
    New,
    /// It goes on.
    Running,
    /// All was told.
    Ended,
}

impl StreamBody {
    /// Ends it; the readers of streams that end at one time are each told another moment to come back.
    fn end(&mut self, end: End) -> Bytes {
        self.progress = Progress::Ended;
        self.open.end(end);
        match end {
            End::Stop | End::Expired => frame::come_back_later(),
            End::Log | End::Reader | End::Stalled | End::Fault => Bytes::new(),
        }
    }

    /// What is to be told now, and be it that nothing was for a while. Empty if there is nothing, or nothing more.
    fn tell(&mut self, context: &mut Context<'_>) -> Bytes {
        match self.open.come(Instant::now()) {
            Come::Ended => {
                self.progress = Progress::Ended;
                Bytes::new()
            }
            Come::Expired => self.end(End::Expired),
            Come::Open | Come::Quiet if self.pulse.is_stopping() => match self.gather(context) {
                nothing if nothing.is_empty() && self.progress != Progress::Ended => self.end(End::Stop),
                told => told,
            },
            Come::Open => self.gather(context),
            Come::Quiet => match self.gather(context) {
                nothing if nothing.is_empty() && self.progress != Progress::Ended => COMMENT,
                told => told,
            },
        }
    }

    /// What waits: as much as is there, up to a chunk.
    fn gather(&mut self, context: &mut Context<'_>) -> Bytes {
        let mut chunk = Chunk::default();
        if self.progress == Progress::New {
            self.progress = Progress::Running;
            chunk.add(frame::first());
        }
        while chunk.len() < CHUNK {
            let told = match self.open.poll_next(context) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(notice))) => notice.lines(&self.app, &self.view),
                Poll::Ready(Ok(None)) => {
                    chunk.add(self.end(End::Log));
                    break;
                }
                Poll::Ready(Err(error)) => {
                    tracing::error!(error = %Chain(&error), "a stream ends: the log cannot be read");
                    chunk.add(self.end(End::Fault));
                    break;
                }
            };
            match told {
                Ok(told) => chunk.add(told),
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "a stream ends: an event cannot be written");
                    chunk.add(self.end(End::Fault));
                    break;
                }
            }
        }
        chunk.into_bytes()
    }
}

impl HttpBody for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        while this.progress != Progress::Ended {
            let told = this.tell(context);
            if !told.is_empty() {
                this.open.note_told();
                return Poll::Ready(Some(Ok(Frame::data(told))));
            }
            // It may have been woken before it could be.
            let is_woken = this.open.is_called() || this.open.is_signed_out() || this.pulse.is_stopping();
            if this.progress != Progress::Ended && !is_woken {
                return Poll::Pending;
            }
        }
        Poll::Ready(None)
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.open.leave();
    }
}

/// Frames that are handed over together; a single one is not copied.
#[derive(Default)]
struct Chunk {
    only: Bytes,
    many: BytesMut,
}

impl Chunk {
    fn len(&self) -> usize {
        self.only.len().saturating_add(self.many.len())
    }

    fn add(&mut self, frame: Bytes) {
        if self.len() == 0 {
            self.only = frame;
            return;
        }
        let only = std::mem::take(&mut self.only);
        self.many.extend_from_slice(&only);
        self.many.extend_from_slice(&frame);
    }

    fn into_bytes(self) -> Bytes {
        if self.many.is_empty() { self.only } else { self.many.freeze() }
    }
}
