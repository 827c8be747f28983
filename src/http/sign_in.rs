//! `/v1/sign-in-links`, `/v1/sign-in`, `/v1/session`: how the page's users sign in, and out.
//!
//! A link lies at `/v1/sign-in` with what is in it in the query, so that the session that it makes has the path of the API
//! ([`session`]). Opening it changes nothing, since programs that look through mails open links; its button uses it up.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::sign_in::SignInLink as Link;
use crate::app::{Caller as Known, Location};
use crate::auth::Verified;
use crate::http::auth::Caller;
use crate::http::auth::extract::Operate;
use crate::http::auth::session::{self, Session};
use crate::http::body::JsonBody;
use crate::http::dto::queue::Me;
use crate::http::dto::sign_in::{SessionRequest, SignInLink, SignInLinkRequest};
use crate::http::problem::{Code, Problem};
use crate::http::problem_sets::{EndingSession, MakingLink, MakingSession, OpeningLink, UsingLink};
use crate::http::state::HttpState;
use crate::http::{origin, queue, sign_in_page};

/// Where links lie.
const LINK: &str = "/v1/sign-in?link=";

/// Makes a link that signs its reader in to the page, once.
///
/// Hand it to its user: who opens it sees a button, and the button signs him in. A backend makes links for students, teachers
/// and backends, an admin for all.
#[utoipa::path(
    post,
    path = "/v1/sign-in-links",
    tag = "sign-in",
    request_body = SignInLinkRequest,
    responses((status = 201, description = "The link.", body = SignInLink), MakingLink),
)]
pub async fn create_sign_in_link(
    State(state): State<HttpState>,
    caller: Caller<Operate>,
    headers: HeaderMap,
    body: JsonBody<SignInLinkRequest>,
) -> Result<(StatusCode, Json<SignInLink>), Problem> {
    let asked = body.asked.ok_or_else(Problem::internal)?;
    let made = state.app.make_sign_in_link(&caller, asked, state.verifier.fingerprint()).await?;
    let url = origin::address(&headers, state.public_url.as_ref(), &format!("{LINK}{}", made.secret));
    Ok((StatusCode::CREATED, Json(SignInLink { url, expires_at: made.expires_at.to_string() })))
}

/// What a link's address has. Others may have hung something on it on its way: that is left alone.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    /// What is in the link. Of any text that is in none the link is over: mail programs cut addresses.
    link: String,
}

type LinkParameters = Result<axum::extract::Query<LinkQuery>, axum::extract::rejection::QueryRejection>;

fn secret(query: LinkParameters) -> Result<String, Problem> {
    let missing = |_rejection| Problem::field(Location::Query, "link", "is missing");
    query.map(|query| query.0.link).map_err(missing)
}

async fn link(state: &HttpState, secret: &str) -> Result<Link, Problem> {
    state.app.sign_in_link(secret, state.verifier.fingerprint()).await?.ok_or_else(over)
}

fn over() -> Problem {
    Problem::new(Code::SignInLinkOver, "ask for a new one where you got it")
}

/// Shows who a sign-in link signs in, with a button that does it. Changes nothing.
#[utoipa::path(
    get,
    path = "/v1/sign-in",
    tag = "sign-in",
    security(()),
    params(LinkQuery),
    responses((status = 200, description = "A page with a button.", body = String, content_type = "text/html"), OpeningLink),
)]
pub async fn show_sign_in_link(
    State(state): State<HttpState>,
    headers: HeaderMap,
    query: LinkParameters,
) -> Result<Response, Problem> {
    match link(&state, &secret(query)?).await {
        Ok(link) => Ok(sign_in_page::button(&headers, &link)),
        Err(problem) if problem.code == Code::SignInLinkOver => sign_in_page::over(&headers).ok_or(problem),
        Err(problem) => Err(problem),
    }
}

/// Uses a sign-in link up: sets the cookie `guichet_session` and leads to the link's path.
///
/// What the button of `show_sign_in_link` sends. Of several at once one is signed in.
#[utoipa::path(
    post,
    path = "/v1/sign-in",
    tag = "sign-in",
    security(()),
    params(LinkQuery),
    responses(
        (status = 303, description = "He is signed in.", headers(
            ("Location" = String, description = "Where he goes, relative to this address."),
            ("Set-Cookie" = String, description = "The session."),
        )),
        UsingLink,
    ),
)]
pub async fn use_sign_in_link(
    State(state): State<HttpState>,
    headers: HeaderMap,
    query: LinkParameters,
) -> Result<Response, Problem> {
    only_own(&state, &headers)?;
    let secret = secret(query)?;
    match take(&state, &secret).await {
        Ok(link) => signed_in(&state, &headers, link),
        Err(problem) if problem.code == Code::SignInLinkOver => sign_in_page::over(&headers).ok_or(problem),
        Err(problem) => Err(problem),
    }
}

/// Looks first: what is no link costs the database no more than that. Its subject's rate counts.
async fn take(state: &HttpState, secret: &str) -> Result<Link, Problem> {
    let Link { subject, role, .. } = link(state, secret).await?;
    state.limiter.check(&Known { subject, role })?;
    state.app.use_sign_in_link(secret, state.verifier.fingerprint()).await?.ok_or_else(over)
}

fn signed_in(state: &HttpState, headers: &HeaderMap, link: Link) -> Result<Response, Problem> {
    let Link { subject, role, session_ttl, path, expires_at: _ } = link;
    let expires_at = state.app.clock().now().plus(session_ttl);
    let session = Session::begin(Verified { caller: Known { subject, role }, expires_at });
    let cookie = session.cookie(state, headers)?;
    // Relative, since a proxy may have taken a prefix off: the root is one step up from here.
    let location =
        HeaderValue::from_str(&format!("..{}", path.as_str())).map_err(|_source| Problem::internal())?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::SET_COOKIE, cookie)]).into_response())
}

/// A page of another origin signs no one in here: he would work under a name that is not his.
fn only_own(state: &HttpState, headers: &HeaderMap) -> Result<(), Problem> {
    if origin::is_own(headers, state.public_url.as_ref()) {
        Ok(())
    } else {
        Err(Problem::new(Code::Forbidden, "a page of another origin may sign no one in"))
    }
}

/// Makes a session of a token: sets the cookie `guichet_session`, for the page of this service.
///
/// The session lives as long as the token. Requests by cookie count for pages of the same origin alone, and those that change
/// something need the header `X-Guichet-Page: 1`.
#[utoipa::path(
    post,
    path = "/v1/session",
    tag = "sign-in",
    security(()),
    request_body = SessionRequest,
    responses(
        (status = 201, description = "Who is signed in now.", body = Me, headers(
            ("Set-Cookie" = String, description = "The session."),
        )),
        MakingSession,
    ),
)]
pub async fn create_session(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: JsonBody<SessionRequest>,
) -> Result<Response, Problem> {
    only_own(&state, &headers)?;
    let verified = state.verifier.verify(&body.asked.token, state.app.clock().now()).await?;
    let allowance = state.limiter.check(&verified.caller)?;
    let session = Session::begin(verified);
    let me = queue::me(&state, &session.verified).await?;
    let cookie = session.cookie(&state, &headers)?;
    let mut response = (StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(me)).into_response();
    allowance.write(response.headers_mut());
    Ok(response)
}

/// Ends the session of the cookie: it is worth nothing any more, and event streams that were opened with it end.
///
/// One that is over already is taken away, too.
#[utoipa::path(
    delete,
    path = "/v1/session",
    tag = "sign-in",
    security(("session" = [])),
    responses(
        (status = 204, description = "It is ended.", headers(
            ("Set-Cookie" = String, description = "Takes the cookie away."),
        )),
        EndingSession,
    ),
)]
pub async fn delete_session(
    State(state): State<HttpState>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Session { id, verified } = session::shown(&state, &method, &headers)?;
    let allowance = state.limiter.check(&verified.caller)?;
    if verified.expires_at > state.app.clock().now() {
        state.app.end_session(id, verified.expires_at).await?;
    }
    // After the database has it: a stream that comes now finds it ended there.
    state.sessions.end(id);
    let gone = session::no_cookie(&state, &headers)?;
    let mut response = (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response();
    allowance.write(response.headers_mut());
    Ok(response)
}
