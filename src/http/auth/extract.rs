//! The caller in a handler's signature, and the layer that proves him before any handler runs.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::session::{self, Session};
use super::ticket::{Scope, Ticket};
use crate::app::{self, Role};
use crate::auth::Verified;
use crate::domain::ids::SubmissionId;
use crate::domain::time::Timestamp;
use crate::http::problem::{Code, Problem};
use crate::http::server::Stalled;
use crate::http::state::HttpState;
use crate::http::stream::{Audience, SessionEnd};

/// Which roles have an operation.
pub trait Permission: Send + Sync {
    /// Whether `role` has it.
    fn allows(role: Role) -> bool;
}

/// Every role has it.
#[derive(Debug)]
pub struct Anyone;

impl Permission for Anyone {
    fn allows(_role: Role) -> bool {
        true
    }
}

/// Callers who write exercises have it.
#[derive(Debug)]
pub struct Teach;

impl Permission for Teach {
    fn allows(role: Role) -> bool {
        matches!(role, Role::Teacher | Role::Backend | Role::Admin)
    }
}

/// Callers who run a platform or this service have it.
#[derive(Debug)]
pub struct Operate;

impl Permission for Operate {
    fn allows(role: Role) -> bool {
        matches!(role, Role::Backend | Role::Admin)
    }
}

/// Admins have it.
#[derive(Debug)]
pub struct Administer;

impl Permission for Administer {
    fn allows(role: Role) -> bool {
        matches!(role, Role::Admin)
    }
}

/// A caller whose token or session was checked and whose role has the operation `P`.
#[derive(Debug)]
pub struct Caller<P> {
    verified: Verified,
    permission: PhantomData<P>,
}

impl<P> Deref for Caller<P> {
    type Target = app::Caller;

    fn deref(&self) -> &app::Caller {
        &self.verified.caller
    }
}

impl<P> Caller<P> {
    /// The caller, and until when he is proved.
    pub const fn verified(&self) -> &Verified {
        &self.verified
    }

    /// When his token or session is over.
    pub const fn expires_at(&self) -> Timestamp {
        self.verified.expires_at
    }
}

impl<P: Permission> FromRequestParts<HttpState> for Caller<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Problem> {
        let verified = match parts.extensions.get::<Proof>() {
            Some(Proof::Token(verified) | Proof::Session(verified, _)) => verified,
            Some(Proof::Ticket(_)) | None => return Err(Problem::unauthorized("a token is needed")),
        };
        if !P::allows(verified.caller.role) {
            return Err(Problem::new(Code::Forbidden, "your role never has this operation"));
        }
        Ok(Self { verified: verified.clone(), permission: PhantomData })
    }
}

/// A caller who may follow events: by a token, by a session, or by a ticket within its scope.
#[derive(Debug)]
pub struct Listener {
    /// Who listens.
    pub caller: app::Caller,
    /// What he is confined to; `None` with a token or session.
    pub scope: Option<Scope>,
    /// When his token, session or ticket is over.
    pub expires_at: Timestamp,
    /// Whether his session was ended; `None` without one.
    pub session: Option<Arc<SessionEnd>>,
    /// Whether his connection ended because he took nothing.
    pub stalled: Stalled,
}

impl Listener {
    /// As the reader of a stream about `submission`, or about all of an owner.
    pub fn audience(self, submission: Option<SubmissionId>) -> Audience {
        let Self { caller, expires_at, session, stalled, scope: _ } = self;
        Audience { caller, expires_at, session, submission, stalled }
    }
}

impl FromRequestParts<HttpState> for Listener {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Problem> {
        let stalled = parts.extensions.get::<Stalled>().cloned().unwrap_or_default();
        match parts.extensions.get::<Proof>().cloned() {
            Some(Proof::Token(Verified { caller, expires_at })) => {
                Ok(Self { caller, scope: None, expires_at, session: None, stalled })
            }
            Some(Proof::Session(Verified { caller, expires_at }, end)) => {
                Ok(Self { caller, scope: None, expires_at, session: Some(end), stalled })
            }
            Some(Proof::Ticket(Ticket { caller, scope, expires_at })) => {
                Ok(Self { caller, scope: Some(scope), expires_at, session: None, stalled })
            }
            None => Err(Problem::unauthorized("a token or a ticket is needed")),
        }
    }
}

/// Who was proved to have sent a request, if its route wants that.
pub fn caller_of(extensions: &Extensions) -> Option<&app::Caller> {
    extensions.get::<Proof>().map(Proof::caller)
}

/// What a request proved its caller with.
#[derive(Clone, Debug)]
enum Proof {
    Token(Verified),
    /// With what tells whether it was ended.
    Session(Verified, Arc<SessionEnd>),
    Ticket(Ticket),
}

impl Proof {
    const fn caller(&self) -> &app::Caller {
        match self {
            Self::Token(verified) | Self::Session(verified, _) => &verified.caller,
            Self::Ticket(ticket) => &ticket.caller,
        }
    }
}

/// Lets through who shows a token or, without one, a session, at his rate.
pub async fn require_token(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let proof = by_token_or_session(&state, request.method(), request.headers()).await;
    proceed(&state, proof, request, next).await
}

/// Lets through who shows a token or, without one, a stream ticket in the query, or a session.
pub async fn require_token_or_ticket(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let proof = match ticket_in(&request) {
        Some(ticket) if !request.headers().contains_key(header::AUTHORIZATION) => {
            Ticket::open(state.app.secret(), &ticket, state.app.clock().now())
                .map(Proof::Ticket)
                .ok_or_else(|| Problem::unauthorized("the ticket is over, or was not made here"))
        }
        Some(_) | None => by_token_or_session(&state, request.method(), request.headers()).await,
    };
    proceed(&state, proof, request, next).await
}

async fn proceed(
    state: &HttpState,
    proof: Result<Proof, Problem>,
    mut request: Request,
    next: Next,
) -> Response {
    let proof = match proof {
        Ok(proof) => proof,
        Err(problem) => return problem.into_response(),
    };
    let allowance = match state.limiter.check(proof.caller()) {
        Ok(allowance) => allowance,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(proof);
    let mut response = next.run(request).await;
    allowance.write(response.headers_mut());
    response
}

/// A token counts where both are shown: a program that sends one knows for whom it asks.
async fn by_token_or_session(
    state: &HttpState,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Proof, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        by_token(state, headers).await
    } else {
        by_session(state, method, headers).await
    }
}

async fn by_session(state: &HttpState, method: &Method, headers: &HeaderMap) -> Result<Proof, Problem> {
    let shown = session::shown(state, method, headers)?;
    // First, so that no end comes between the look and a stream.
    let end = state.sessions.watch(shown.id);
    session::check(state, &shown).await?;
    let Session { verified, id: _ } = shown;
    Ok(Proof::Session(verified, end))
}

async fn by_token(state: &HttpState, headers: &HeaderMap) -> Result<Proof, Problem> {
    let token = bearer(headers)?;
    Ok(Proof::Token(state.verifier.verify(token, state.app.clock().now()).await?))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let only = match (sent.next(), sent.next()) {
        (Some(only), None) => only.to_str().ok(),
        (None, _) => return Err(Problem::unauthorized("a token is needed")),
        (Some(_), Some(_)) => None,
    };
    only.and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, token)| token.trim_start_matches(' '))
        .ok_or_else(|| Problem::unauthorized("the header must be: Authorization: Bearer <token>"))
}

fn ticket_in(request: &Request) -> Option<String> {
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?;
    query.0.into_iter().find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket)
}
