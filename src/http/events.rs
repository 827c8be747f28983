//! `/v1/events`, `/v1/submissions/{id}/events` and the tickets that open them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{self, Location, Role};
use crate::domain::ids::{InvalidId, Owner, SubmissionId};
use crate::feed::Resume;
use crate::http::auth::Caller;
use crate::http::auth::extract::{Anyone, Listener};
use crate::http::auth::ticket::{MAX_TTL_S, Scope, Ticket};
use crate::http::body::{JsonBody, Query, SubmissionPath};
use crate::http::dto::event::StreamEvent;
use crate::http::dto::queue::{TicketBody, TicketRequest};
use crate::http::problem::{Code, Problem};
use crate::http::problem_sets::{Following, FollowingOwner, MakingTicket};
use crate::http::state::HttpState;
use crate::http::stream;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What is asked of the events of one submission, or of the hosts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FollowQuery {
    /// A stream ticket, in place of a token.
    #[serde(rename = "ticket")]
    _ticket: Option<String>,
    /// Go on behind this event; the header `Last-Event-ID` wins.
    pub(super) last_event_id: Option<String>,
}

/// What is asked of the events of all submissions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FollowOwnerQuery {
    /// A stream ticket, in place of a token.
    #[serde(rename = "ticket")]
    _ticket: Option<String>,
    /// Go on behind this event; the header `Last-Event-ID` wins.
    last_event_id: Option<String>,
    /// Whose events (backend, admin); yours if left out.
    #[param(min_length = 1, max_length = 255)]
    owner: Option<String>,
}

/// Where a stream goes on: the header wins over the query. What is no event's id of this kind of stream can't be gone
/// on from.
pub(super) fn resume(headers: &HeaderMap, query: Option<&str>, prefix: &str) -> Resume {
    match last_event_id(headers, query) {
        None => Resume::Start,
        Some(text) => match text.strip_prefix(prefix).map(str::parse) {
            Some(Ok(place)) => Resume::After(place),
            Some(Err(InvalidId { .. })) | None => Resume::Unreadable,
        },
    }
}

/// The event that is known already: the header wins over the query.
pub(super) fn last_event_id<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"));
    header.or(query).filter(|id| !id.is_empty())
}

/// Follows one submission: its log from the first event (or behind `Last-Event-ID`), then live.
///
/// Ends after the ending event of the last round. A reader who reconnects with that event's id gets 204.
#[utoipa::path(
    get,
    path = "/v1/submissions/{id}/events",
    tag = "events",
    security(("bearer" = []), ("session" = []), ("ticket" = [])),
    params(
        ("id" = String, Path, description = "The submission.", format = Uuid),
        ("Last-Event-ID" = Option<String>, Header, description = "Go on behind this event."),
        FollowQuery,
    ),
    responses(
        (status = 200, description = "Events; the schema is that of one event's `data`.", content_type = "text/event-stream", body = StreamEvent),
        (status = 204, description = "The log has ended where you are."),
        Following,
    ),
)]
pub async fn follow_submission_events(
    State(state): State<HttpState>,
    listener: Listener,
    SubmissionPath(id): SubmissionPath,
    headers: HeaderMap,
    Query(query): Query<FollowQuery>,
) -> Result<Response, Problem> {
    match &listener.scope {
        Some(Scope::Submission(only)) if *only != id => return Err(outside()),
        Some(Scope::Subject) => {
            // A ticket for a subject opens what is his, also where its maker may see more.
            let placed = state.app.submission(&listener.caller, id).await?;
            if placed.submission.owner != listener.caller.subject {
                return Err(Problem::not_found());
            }
        }
        Some(Scope::Submission(_)) | None => {}
    }
    let from = resume(&headers, query.last_event_id.as_deref(), stream::LOG_OF_SUBMISSION);
    let follow = state.app.follow(&listener.caller, id, from).await?;
    stream::respond(&state, follow, listener.audience(Some(id)))
}

pub(super) fn outside() -> Problem {
    Problem::unauthorized("the ticket opens another stream")
}

/// Follows all of the caller's submissions on one connection; never ends by itself.
///
/// Begins with a `stream.snapshot` of the unfinished ones, or goes on behind `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    security(("bearer" = []), ("session" = []), ("ticket" = [])),
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "Go on behind this event."),
        FollowOwnerQuery,
    ),
    responses(
        (status = 200, description = "Events; the schema is that of one event's `data`.", content_type = "text/event-stream", body = StreamEvent),
        FollowingOwner,
    ),
)]
pub async fn follow_events(
    State(state): State<HttpState>,
    listener: Listener,
    headers: HeaderMap,
    Query(query): Query<FollowOwnerQuery>,
) -> Result<Response, Problem> {
    let owner = match query.owner {
        Some(owner) => read_owner(&owner, Location::Query, "owner")?,
        None => listener.caller.subject.clone(),
    };
    match &listener.scope {
        Some(Scope::Submission(_)) => return Err(outside()),
        Some(Scope::Subject) if owner != listener.caller.subject => return Err(outside()),
        Some(Scope::Subject) | None => {}
    }
    let from = resume(&headers, query.last_event_id.as_deref(), stream::LOG_OF_OWNER);
    let follow = state.app.follow_owner(&listener.caller, &owner, from)?;
    stream::respond(&state, follow, listener.audience(None))
}

fn read_owner(text: &str, place: Location, pointer: &str) -> Result<Owner, Problem> {
    text.parse().map_err(|error: InvalidId| Problem::field(place, pointer, error.to_string()))
}

/// Makes a ticket for an `EventSource`, which can't send headers.
///
/// It opens streams of events only, of one subject or one submission, and shows what its maker may see; one for
/// another owner shows what a student of that name may see. It is over with the token that made it, at the latest.
#[utoipa::path(
    post,
    path = "/v1/stream-tickets",
    tag = "events",
    request_body = TicketRequest,
    responses((status = 201, description = "The ticket.", body = TicketBody), MakingTicket),
)]
pub async fn create_stream_ticket(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    body: JsonBody<TicketRequest>,
) -> Result<(StatusCode, Json<TicketBody>), Problem> {
    let request = body.asked;
    let ttl_s = request.ttl_s.unwrap_or(MAX_TTL_S);
    if !(1..=MAX_TTL_S).contains(&ttl_s) {
        return Err(Problem::field(Location::Body, "/ttl_s", format!("must be between 1 and {MAX_TTL_S}")));
    }
    let speaker = match request.owner {
        None => (*caller).clone(),
        Some(_) if !caller.acts_for_others() => {
            return Err(Problem::new(Code::Forbidden, "only a backend or an admin may name an owner"));
        }
        Some(owner) => {
            app::Caller { subject: read_owner(&owner, Location::Body, "/owner")?, role: Role::Student }
        }
    };
    let scope = match request.submission_id {
        None => Scope::Subject,
        Some(id) => {
            let wrong =
                |_malformed| Problem::field(Location::Body, "/submission_id", "must be a submission's id");
            let id: SubmissionId = id.parse().map_err(wrong)?;
            state.app.submission(&speaker, id).await?;
            Scope::Submission(id)
        }
    };
    let wanted = state.app.clock().now().plus(Duration::from_secs(u64::from(ttl_s)));
    let expires_at = wanted.min(caller.expires_at());
    let ticket = Ticket { caller: speaker, scope, expires_at };
    let sealed = ticket.seal(state.app.secret()).map_err(|_source| Problem::internal())?;
    let body = TicketBody { ticket: sealed, expires_at: expires_at.to_string() };
    Ok((StatusCode::CREATED, Json(body)))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{LAST_EVENT_ID, resume};
    use crate::domain::event::{Epoch, LogPlace};
    use crate::feed::Resume;

    fn behind(seq: i64) -> Resume {
        Resume::After(LogPlace::Behind { seq, epoch: Epoch::from_bits(0x2a) })
    }

    #[test]
    fn the_header_wins_over_the_query() {
        let headers = HeaderMap::from_iter([(LAST_EVENT_ID, HeaderValue::from_static("7.000000000000002a"))]);
        let query = Some("3.000000000000002a");

        assert_eq!(resume(&headers, query, ""), behind(7));
        assert_eq!(resume(&HeaderMap::new(), query, ""), behind(3));
        assert_eq!(resume(&HeaderMap::new(), None, ""), Resume::Start);
    }

    #[test]
    fn what_is_no_event_s_id_cannot_be_gone_on_from() {
        for text in ["-1", "x", "7", " 7.000000000000002a", "o7.000000000000002a"] {
            assert_eq!(resume(&HeaderMap::new(), Some(text), ""), Resume::Unreadable, "{text}");
        }
        let text = Some("7.000000000000002a");
        assert_eq!(resume(&HeaderMap::new(), text, "o"), Resume::Unreadable);
        assert_eq!(resume(&HeaderMap::new(), Some("o7.000000000000002a"), "o"), behind(7));
        assert_eq!(resume(&HeaderMap::new(), Some("o0"), "o"), Resume::After(LogPlace::Start));
    }
}
