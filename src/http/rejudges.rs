//! `/v1/exercises/{id}/rejudge` and `/v1/rejudges`: an exercise's submissions, judged again.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::rejudges::mark;
use crate::domain::ids::RejudgeId;
use crate::domain::rejudge::RejudgeState;
use crate::http::auth::Caller;
use crate::http::auth::extract::{Listener, Teach};
use crate::http::auth::ticket::Scope;
use crate::http::body::{ExercisePath, JsonBody, Query, parameter};
use crate::http::cursor::{self, Cursors};
use crate::http::dto::rejudge::{Rejudge, RejudgeChangeList, RejudgeEvent, RejudgeRequest};
use crate::http::events::{FollowQuery, last_event_id, outside};
use crate::http::problem::Problem;
use crate::http::problem_sets::{
    BeginningRejudge, DecidingRejudge, FollowingRejudge, ListingRejudgeChanges, ReadingOfTeachers,
};
use crate::http::state::HttpState;
use crate::http::stream;
use crate::http::submissions::next_link;

/// The one that the path names; what is no id names nothing.
#[derive(Clone, Copy, Debug)]
pub struct RejudgePath(RejudgeId);

impl FromRequestParts<HttpState> for RejudgePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let id = parameter(parts, state, "id").await?;
        id.parse().map(Self).map_err(|_malformed| Problem::not_found())
    }
}

/// Has what was submitted for an exercise judged again, with its newest version (teacher, backend, admin).
///
/// All that finished or failed and matches; what waits or runs with an older version follows once it has ended. They wait in the
/// class `rejudge`, behind all others, and are judged with one version, also if the exercise is changed meanwhile. With `apply`
/// each has a new round, and its result stands until the new one replaces it. With `preview` copies are judged: nothing changes
/// until what differs is applied, all of it in one step. While one goes on for an exercise, or is a preview that was neither
/// applied nor cancelled, another is refused: 409 `rejudge_active`.
#[utoipa::path(
    post,
    path = "/v1/exercises/{id}/rejudge",
    tag = "rejudges",
    params(
        ("id" = String, Path, description = "The exercise.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
    ),
    request_body = RejudgeRequest,
    responses(
        (status = 202, description = "It goes on.", body = Rejudge, headers(
            ("Location" = String, description = "Where it tells how it stands."),
        )),
        BeginningRejudge,
    ),
)]
pub async fn rejudge_exercise(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    path: ExercisePath,
    body: JsonBody<RejudgeRequest>,
) -> Result<Response, Problem> {
    let rejudge = state.app.rejudge_exercise(&caller, &path.existing()?, body.asked).await?;
    let location = format!("/v1/rejudges/{}", rejudge.id);
    let mut response = (StatusCode::ACCEPTED, Json(Rejudge::from(&rejudge))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Tells how it stands with what is judged again.
#[utoipa::path(
    get,
    path = "/v1/rejudges/{id}",
    tag = "rejudges",
    params(("id" = String, Path, description = "What `rejudge_exercise` answered.", format = Uuid)),
    responses((status = 200, description = "How it stands.", body = Rejudge), ReadingOfTeachers),
)]
pub async fn get_rejudge(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    RejudgePath(id): RejudgePath,
) -> Result<Json<Rejudge>, Problem> {
    let rejudge = state.app.rejudge_standing(&caller, id).await?;
    Ok(Json(Rejudge::from(&rejudge)))
}

/// What is asked of a list of changes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RejudgeChangeQuery {
    /// Most items of the page, 50 if left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists submissions that came to another verdict or other points, in the order in which they were stored.
///
/// Of a preview before it is applied: what would change.
#[utoipa::path(
    get,
    path = "/v1/rejudges/{id}/changes",
    tag = "rejudges",
    params(
        ("id" = String, Path, description = "What `rejudge_exercise` answered.", format = Uuid),
        RejudgeChangeQuery,
    ),
    responses(
        (status = 200, description = "A page; `Link: rel=\"next\"` names the next one.", body = RejudgeChangeList, headers(
            ("Link" = String, description = "The next page, if there is one."),
        )),
        ListingRejudgeChanges,
    ),
)]
pub async fn list_rejudge_changes(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    RejudgePath(id): RejudgePath,
    uri: Uri,
    Query(query): Query<RejudgeChangeQuery>,
) -> Result<Response, Problem> {
    let limit = cursor::limit(query.limit)?;
    let filters = id.to_string();
    let cursors = Cursors::new(state.app.secret(), &caller, "rejudge_changes", &filters);
    let after = query.cursor.as_deref().map(|cursor| cursors.place(cursor)).transpose()?;
    let asked = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
    let mut changes = state.app.rejudge_changes(&caller, id, after.unwrap_or(0), asked).await?;
    let more = cursor::cut(&mut changes, limit);
    let next_cursor = changes.last().filter(|_| more).map(|last| cursors.behind_place(last.place));
    let items = changes.iter().map(Into::into).collect();
    let link = next_cursor.as_deref().and_then(|next| next_link(&uri, next));
    let mut response = Json(RejudgeChangeList { items, next_cursor }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Has what differs in a preview count: all of it in one step, and its owners are told by `submission.rejudged`.
///
/// Each submission that differs has a new round that ended. One that its owner changed since stays as it is and is counted in
/// `left_out`. A preview that was applied before stays so.
#[utoipa::path(
    post,
    path = "/v1/rejudges/{id}/apply",
    tag = "rejudges",
    params(("id" = String, Path, description = "What `rejudge_exercise` answered.", format = Uuid)),
    responses((status = 200, description = "It is applied, now or before.", body = Rejudge), DecidingRejudge),
)]
pub async fn apply_rejudge(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    RejudgePath(id): RejudgePath,
) -> Result<Json<Rejudge>, Problem> {
    let rejudge = state.app.apply_rejudge(&caller, id).await?;
    Ok(Json(Rejudge::from(&rejudge)))
}

/// Drops a preview, also one that goes on: nothing of it ever counts.
#[utoipa::path(
    post,
    path = "/v1/rejudges/{id}/cancel",
    tag = "rejudges",
    params(("id" = String, Path, description = "What `rejudge_exercise` answered.", format = Uuid)),
    responses((status = 200, description = "It is cancelled, now or before.", body = Rejudge), DecidingRejudge),
)]
pub async fn cancel_rejudge(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    RejudgePath(id): RejudgePath,
) -> Result<Json<Rejudge>, Problem> {
    let rejudge = state.app.cancel_rejudge(&caller, id).await?;
    Ok(Json(Rejudge::from(&rejudge)))
}

/// Follows how many were judged and how many of them differ.
///
/// Begins with how it stands, unless that is what `Last-Event-ID` names, and tells each time that it stands otherwise, at most five
/// times a second. Ends when nothing is judged any more; a reader who reconnects then gets 204.
#[utoipa::path(
    get,
    path = "/v1/rejudges/{id}/events",
    tag = "rejudges",
    security(("bearer" = []), ("session" = []), ("ticket" = [])),
    params(
        ("id" = String, Path, description = "What `rejudge_exercise` answered.", format = Uuid),
        ("Last-Event-ID" = Option<String>, Header, description = "What is known already."),
        FollowQuery,
    ),
    responses(
        (status = 200, description = "Events; the schema is that of one event's `data`.", content_type = "text/event-stream", body = RejudgeEvent),
        (status = 204, description = "It has ended, as you know."),
        FollowingRejudge,
    ),
)]
pub async fn follow_rejudge(
    State(state): State<HttpState>,
    listener: Listener,
    RejudgePath(id): RejudgePath,
    headers: HeaderMap,
    Query(query): Query<FollowQuery>,
) -> Result<Response, Problem> {
    match &listener.scope {
        Some(Scope::Submission(_)) => return Err(outside()),
        Some(Scope::Subject) | None => {}
    }
    let rejudge = state.app.rejudge_standing(&listener.caller, id).await?;
    let known = last_event_id(&headers, query.last_event_id.as_deref());
    let known = known.and_then(|known| known.strip_prefix(stream::LOG_OF_REJUDGE)).map(str::to_owned);
    if rejudge.state != RejudgeState::Running && known.as_ref() == Some(&mark(&rejudge)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = state.app.follow_rejudge(id, known);
    stream::respond_with_rejudge(&state, follower, listener.audience(None))
}
