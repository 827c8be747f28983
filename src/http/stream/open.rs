//! One open stream as it is counted: until when, whether its reader takes what comes, and why it ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sessions::SessionEnd;
use super::source::{Notice, Source};
use crate::app::{self, OpenStream};
use crate::domain::ids::Owner;
use crate::feed::Bell;
use crate::http::request_tasks;
use crate::http::server::Stalled;

/// How long a reader may take nothing.
const STALLED: Duration = Duration::from_secs(30);
/// How long a reader whose token or ticket is over may take to come for the end.
const GRACE: Duration = Duration::from_secs(1);
/// Pause between two comments, so that no proxy closes a quiet stream.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The log ended.
    Log,
    /// The reader went away.
    Reader,
    /// The reader took nothing for too long.
    Stalled,
    /// The reader's token, session or ticket is over.
    Expired,
    /// The process stops.
    Stop,
    /// The log can't be read now.
    Fault,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Reader => "reader",
            Self::Stalled => "stalled",
            Self::Expired => "expired",
            Self::Stop => "stop",
            Self::Fault => "fault",
        }
    }
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Open {
    subject: Owner,
    bell: Bell,
    /// When its reader's token, session or ticket is over.
    expires_at: Instant,
    /// Whether its reader's session was ended.
    session: Option<Arc<SessionEnd>>,
    /// Whether the connection ended because its peer took nothing.
    stalled: Stalled,
    /// Cuts the stream off, if its connection may carry others.
    cut: Option<CancellationToken>,
    /// `None` once it has ended: a connection that takes nothing may keep its body for long.
    source: Mutex<Option<Source>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When its reader took something last, a comment included.
    told_at: Instant,
    /// Since when it is woken and does not come.
    called_at: Option<Instant>,
    /// Counts it; `None` once it has ended.
    counted: Option<OpenStream>,
}

impl Open {
    /// Called by the task that makes the answer.
    pub(super) fn new(
        subject: Owner,
        source: Option<Source>,
        (opened_at, expires_at): (Instant, Instant),
        stalled: Stalled,
        counted: OpenStream,
    ) -> Self {
        metrics::gauge!("guichet_streams_open").increment(1.0);
        let state = State { told_at: opened_at, called_at: None, counted: Some(counted) };
        let bell = source.as_ref().map(Source::bell).unwrap_or_default();
        Self {
            subject,
            bell,
            expires_at,
            session: None,
            stalled,
            cut: request_tasks::cut(),
            source: Mutex::new(source),
            state: Mutex::new(state),
        }
    }

    /// The same, read by that session.
    pub(super) fn of(self, session: Option<Arc<SessionEnd>>) -> Self {
        Self { session, ..self }
    }

    /// Has it woken when its reader's session is ended.
    pub(super) fn listen_for_sign_out(self: &Arc<Self>) {
        if let Some(session) = &self.session {
            session.enter(self);
        }
    }

    /// Whether its reader's session was ended.
    pub(super) fn is_signed_out(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_over())
    }

    /// When it is to be looked at first.
    pub(super) fn first_look(&self) -> Instant {
        self.next_look(self.lock().told_at)
    }

    fn next_look(&self, told_at: Instant) -> Instant {
        self.expires_at.min(told_at + HEARTBEAT)
    }

    /// Wakes its reader.
    pub(super) fn wake(&self) {
        self.bell.ring();
    }

    /// Wakes its reader if that is due; answers when to look again, `None` if it has ended.
    pub(super) fn look(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        state.counted.as_ref()?;
        let due = self.next_look(state.told_at);
        if due > now {
            return Some(due);
        }
        let was_called = state.called_at.is_some();
        let called_at = *state.called_at.get_or_insert(now);
        drop(state);
        let is_over = now >= self.expires_at || self.is_signed_out();
        if is_over && was_called {
            self.give_up(End::Expired);
            return None;
        }
        if now.duration_since(called_at) >= STALLED {
            self.give_up(End::Stalled);
            return None;
        }
        self.wake();
        Some(now + if is_over { GRACE } else { HEARTBEAT })
    }

    /// Notes that its reader takes what comes; whether the stream goes on, and whether a comment is due.
    pub(super) fn come(&self, now: Instant) -> Come {
        let mut state = self.lock();
        state.called_at = None;
        if state.counted.is_none() {
            Come::Ended
        } else if now >= self.expires_at || self.is_signed_out() {
            Come::Expired
        } else if now.duration_since(state.told_at) >= HEARTBEAT {
            Come::Quiet
        } else {
            Come::Open
        }
    }

    /// Whether its reader was woken since he came.
    pub(super) fn is_called(&self) -> bool {
        self.lock().called_at.is_some()
    }

    /// Notes that something was told.
    pub(super) fn note_told(&self) {
        self.lock().told_at = Instant::now();
    }

    /// Notes that its reader went away, or was given up because he took nothing.
    pub(super) fn leave(&self) {
        self.end(if self.stalled.is_so() { End::Stalled } else { End::Reader });
    }

    /// Ends it, though its reader does not come for the end.
    fn give_up(&self, end: End) {
        self.end(end);
        if let Some(cut) = &self.cut {
            cut.cancel();
        }
    }

    /// Counts its end, once.
    pub(super) fn end(&self, end: End) {
        if self.lock().counted.take().is_none() {
            return;
        }
        drop(self.source().take());
        if end == End::Stalled {
            let subject = &self.subject;
            tracing::info!(%subject, "a stream ends: its reader took nothing for too long");
        }
        metrics::counter!("guichet_streams_ended_total", "reason" => end.name()).increment(1);
        metrics::gauge!("guichet_streams_open").decrement(1.0);
    }

    /// The next thing to tell; `None` if nothing will come.
    pub(super) fn poll_next(&self, context: &mut Context<'_>) -> Poll<Result<Option<Notice>, app::Error>> {
        match &mut *self.source() {
            Some(source) => source.poll_next(context),
            None => Poll::Ready(Ok(None)),
        }
    }

    fn source(&self) -> MutexGuard<'_, Option<Source>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks; what a panicking holder left is still valid.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a stream stands when its reader can take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Come {
    /// It goes on.
    Open,
    /// It goes on, and nothing was told for a while.
    Quiet,
    /// Its reader's token, session or ticket is over.
    Expired,
    /// It was given up.
    Ended,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Come, GRACE, HEARTBEAT, Open};
    use crate::app::{Caller, OpenStreams, Role};
    use crate::http::server::Stalled;

    const HOUR: Duration = Duration::from_hours(1);

    fn open(streams: &Arc<OpenStreams>, now: Instant) -> Open {
        let alice = Caller { subject: "alice".parse().unwrap(), role: Role::Student };
        let counted = streams.open(&alice).unwrap();
        Open::new(alice.subject, None, (now, now + HOUR), Stalled::default(), counted)
    }

    #[test]
    fn a_quiet_stream_has_a_comment_due_after_fifteen_seconds() {
        let now = Instant::now();
        let stream = open(&Arc::default(), now);

        assert_eq!(stream.first_look(), now + HEARTBEAT);
        assert_eq!(stream.come(now + HEARTBEAT / 2), Come::Open);
        assert_eq!(stream.look(now + HEARTBEAT / 2), Some(now + HEARTBEAT));
        assert_eq!(stream.look(now + HEARTBEAT), Some(now + HEARTBEAT * 2));
        assert!(stream.is_called());
        assert_eq!(stream.come(now + HEARTBEAT), Come::Quiet);
        assert!(!stream.is_called());
    }

    #[test]
    fn a_stream_is_over_with_its_token_though_it_was_never_quiet() {
        let now = Instant::now();
        let stream = open(&Arc::default(), now);

        assert_eq!(stream.look(now + HOUR), Some(now + HOUR + GRACE));
        assert_eq!(stream.come(now + HOUR), Come::Expired);
    }

    #[test]
    fn a_reader_that_was_called_and_did_not_come_is_given_up_and_counted_no_more() {
        let (now, streams) = (Instant::now(), Arc::default());
        let stream = open(&streams, now);
        let others: Vec<_> = (1..100).map(|_| open(&streams, now)).collect();
        let alice = Caller { subject: "alice".parse().unwrap(), role: Role::Student };
        assert!(streams.open(&alice).is_err());

        let looks: Vec<_> = (1..=3).map(|beat| stream.look(now + HEARTBEAT * beat)).collect();

        assert_eq!(looks, [Some(now + HEARTBEAT * 2), Some(now + HEARTBEAT * 3), None]);
        assert_eq!(stream.come(now + HEARTBEAT * 3), Come::Ended);
        assert!(streams.open(&alice).is_ok());
        drop(others);
    }
}
