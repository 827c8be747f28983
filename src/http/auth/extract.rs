//! The caller in a handler's signature, and the layer that proves him before any handler runs.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::ticket::{Scope, Ticket};
use crate::app::{self, Role};
use crate::auth::Verified;
use crate::domain::ids::SubmissionId;
use crate::domain::time::Timestamp;
use crate::http::problem::{Code, Problem};
use crate::http::server::Stalled;
use crate::http::state::HttpState;
use crate::http::stream::Audience;

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

/// A caller whose token was checked and whose role has the operation `P`.
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
    /// When his token is over.
    pub const fn expires_at(&self) -> Timestamp {
        self.verified.expires_at
    }
}

impl<P: Permission> FromRequestParts<HttpState> for Caller<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Problem> {
        let Some(Proof::Token(verified)) = parts.extensions.get::<Proof>() else {
            return Err(Problem::unauthorized("a token is needed"));
        };
        if !P::allows(verified.caller.role) {
            return Err(Problem::new(Code::Forbidden, "your role never has this operation"));
        }
        Ok(Self { verified: verified.clone(), permission: PhantomData })
    }
}

/// A caller who may follow events: by a token, or by a ticket within its scope.
#[derive(Debug)]
pub struct Listener {
    /// Who listens.
    pub caller: app::Caller,
    /// What he is confined to; `None` with a token.
    pub scope: Option<Scope>,
    /// When his token or ticket is over.
    pub expires_at: Timestamp,
    /// Whether his connection ended because he took nothing.
    pub stalled: Stalled,
}

impl Listener {
    /// As the reader of a stream about `submission`, or about all of an owner.
    pub fn audience(self, submission: Option<SubmissionId>) -> Audience {
        let Self { caller, expires_at, stalled, scope: _ } = self;
        Audience { caller, expires_at, submission, stalled }
    }
}

impl FromRequestParts<HttpState> for Listener {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Problem> {
        let stalled = parts.extensions.get::<Stalled>().cloned().unwrap_or_default();
        match parts.extensions.get::<Proof>().cloned() {
            Some(Proof::Token(Verified { caller, expires_at })) => {
                Ok(Self { caller, scope: None, expires_at, stalled })
            }
            Some(Proof::Ticket(Ticket { caller, scope, expires_at })) => {
                Ok(Self { caller, scope: Some(scope), expires_at, stalled })
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
    Ticket(Ticket),
}

impl Proof {
    const fn caller(&self) -> &app::Caller {
        match self {
            Self::Token(verified) => &verified.caller,
            Self::Ticket(ticket) => &ticket.caller,
        }
    }
}

/// Lets through who shows a token, at his rate.
pub async fn require_token(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let proof = by_token(&state, request.headers()).await;
    proceed(&state, proof, request, next).await
}

/// Lets through who shows a token or, without one, a stream ticket in the query.
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
        Some(_) | None => by_token(&state, request.headers()).await,
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
