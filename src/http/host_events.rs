//! `/v1/hosts/events`: the Docker hosts and the queue as they change, for admins.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::auth::extract::Listener;
use crate::http::auth::ticket::Scope;
use crate::http::body::Query;
use crate::http::dto::host_event::HostEvent;
use crate::http::events::{FollowQuery, outside, resume};
use crate::http::problem::Problem;
use crate::http::problem_sets::FollowingOwner;
use crate::http::state::HttpState;
use crate::http::stream;

/// Follows the Docker hosts and the queue on one connection; never ends by itself.
///
/// Begins with a `hosts.snapshot` of all hosts and the queue, or goes on behind `Last-Event-ID`. Then comes each change as
/// `host.changed`, `host.removed` or `queue.changed`: at most five of one kind for one host a second, the newest of what came
/// in between. Where it cannot go on, `stream.reset` comes first, and then a snapshot.
#[utoipa::path(
    get,
    path = "/v1/hosts/events",
    tag = "hosts",
    security(("bearer" = []), ("session" = []), ("ticket" = [])),
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "Go on behind this event."),
        FollowQuery,
    ),
    responses(
        (status = 200, description = "Events; the schema is that of one event's `data`.", content_type = "text/event-stream", body = HostEvent),
        FollowingOwner,
    ),
)]
pub async fn follow_host_events(
    State(state): State<HttpState>,
    listener: Listener,
    headers: HeaderMap,
    Query(query): Query<FollowQuery>,
) -> Result<Response, Problem> {
    match &listener.scope {
        Some(Scope::Submission(_)) => return Err(outside()),
        // It opens what its maker may follow.
        Some(Scope::Subject) | None => {}
    }
    let from = resume(&headers, query.last_event_id.as_deref(), stream::LOG_OF_HOSTS);
    let follower = state.app.follow_hosts(&listener.caller, from)?;
    stream::respond_with_hosts(&state, follower, listener.audience(None))
}
