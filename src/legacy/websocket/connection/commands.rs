//! What a user asks, and what he is told of.

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::source::{Named, Notices, Source};
use super::{Connection, End};
use crate::app::{self, NoStream};
use crate::chain::Chain;
use crate::feed::{Follow, RefusedDraft, Resume};
use crate::legacy::websocket::frame::CloseCode;
use crate::legacy::websocket::message::{Command, Fault, Packet, Target};
use crate::legacy::websocket::notifications;
use crate::legacy::websocket::session::Proof;

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection<S> {
    pub(super) async fn obey(&mut self, command: Command) -> Result<(), End> {
        metrics::counter!("guichet_websocket_packets_total", "direction" => "in", "packet" => command.name())
            .increment(1);
        match command {
            Command::Auth { token } => self.auth(token).await,
            Command::AskPlace { .. } | Command::Unknown if self.session.caller().is_none() => {
                self.refuse().await
            }
            Command::AskPlace { id } => self.answer_place(id).await,
            Command::Unknown | Command::Malformed => {
                self.send(&Packet::Error(Fault::UnknownCommand)).await?;
                if self.session.mistake(Instant::now()) {
                    return Err(End::Closed(CloseCode::Policy, "too many packets that nobody understands"));
                }
                Ok(())
            }
        }
    }

    async fn auth(&mut self, token: Option<String>) -> Result<(), End> {
        let now = self.sessions.app.clock().now();
        let verified = match token {
            Some(token) => self.sessions.verifier.verify(&token, now).await.ok(),
            None => None,
        };
        let Some(verified) = verified else {
            let begun = Instant::now();
            let pause = self.sessions.failures.count(self.address, begun);
            if pause.is_zero() {
                return self.refuse().await;
            }
            self.held_until = Some(begun + pause);
            return Ok(());
        };
        let left = std::time::Duration::from_millis(verified.expires_at.millis_since(now));
        match self.session.prove(verified.caller.clone(), left, Instant::now()) {
            Proof::Other => self.refuse().await,
            Proof::Renews => {
                self.send(&Packet::Ok).await?;
                self.send_all(&self.session.notifications.places()).await
            }
            Proof::Begins => {
                self.unauthenticated = None;
                self.count(&verified.caller)?;
                self.follow(&verified.caller).await
            }
        }
    }

    fn count(&mut self, caller: &app::Caller) -> Result<(), End> {
        if self.counted.is_none() {
            let refused = |reason| match reason {
                NoStream::TooMany => End::Closed(CloseCode::Policy, "too many connections of one user"),
                NoStream::Overloaded(_) => End::Closed(CloseCode::TryAgainLater, "too much at once"),
            };
            self.counted = Some(self.sessions.open.open(caller).map_err(refused)?);
        }
        Ok(())
    }

    /// Follows what is the caller's. OK is sent when his log was found: whatever he does then is told.
    async fn follow(&mut self, caller: &app::Caller) -> Result<(), End> {
        let app = self.sessions.app.clone();
        let mut notices: Notices = match app.follow_owner(caller, &caller.subject, Resume::Start) {
            Ok(Follow::Live(follower)) => {
                Source::new(app, caller.clone(), follower).notices(self.sessions.patience.fault)
            }
            Ok(Follow::Ended) => Box::pin(futures_util::stream::empty()),
            Err(error) => Box::pin(futures_util::stream::iter([Err(error)])),
        };
        match notices.next().await {
            Some(Ok(first)) => {
                self.is_faulty = false;
                self.notices = Some(notices);
                self.send(&Packet::Ok).await?;
                self.tell(first).await
            }
            Some(Err(error)) => {
                tracing::error!(error = %Chain(&error), "a websocket's user cannot be told what is his");
                self.session.expire();
                self.send(&Packet::Error(Fault::Internal)).await
            }
            None => self.send(&Packet::Ok).await,
        }
    }

    /// Answers 401, and ends if that was once too often.
    pub(super) async fn refuse(&mut self) -> Result<(), End> {
        self.send(&Packet::Error(Fault::Authentication)).await?;
        if self.session.refuse() {
            return Err(End::Closed(CloseCode::Policy, "too many refusals"));
        }
        Ok(())
    }

    async fn answer_place(&mut self, id: String) -> Result<(), End> {
        let Some(caller) = self.session.caller() else { return self.refuse().await };
        match self.sessions.app.own_submission_named(caller, &id).await {
            Ok(placed) => {
                if let Some(place) = placed.position {
                    self.send(&Packet::Place { id: notifications::name(&placed.submission), place }).await?;
                }
                self.send(&Packet::Ok).await
            }
            Err(app::Error::NotFound) => {
                self.send(&Packet::Error(Fault::NotFound(Target::Exercise(id)))).await
            }
            Err(app::Error::Forbidden(_)) => {
                self.send(&Packet::Error(Fault::Unauthorized(Target::Exercise(id)))).await
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "a place cannot be told");
                self.send(&Packet::Error(Fault::Internal)).await
            }
        }
    }

    pub(super) async fn tell(&mut self, (notice, name): Named) -> Result<(), End> {
        let packets = self.session.notifications.take(notice, name);
        self.send_all(&packets).await
    }

    /// Tells the owner of a draft that it could not be queued.
    pub(super) async fn tell_refused(&mut self, draft: &RefusedDraft) -> Result<(), End> {
        if self.session.caller().is_none_or(|caller| caller.subject != draft.owner) {
            return Ok(());
        }
        let target = Target::Exercise(draft.legacy_id.to_string());
        self.send(&Packet::Error(Fault::Execution(target))).await
    }

    /// Something can't be read now: its user is told once, until it can be read again.
    pub(super) async fn on_fault(&mut self, error: &app::Error) -> Result<(), End> {
        if std::mem::replace(&mut self.is_faulty, true) {
            return Ok(());
        }
        tracing::error!(error = %Chain(error), "a websocket's user cannot be told what happened");
        self.send(&Packet::Error(Fault::Internal)).await
    }
}
