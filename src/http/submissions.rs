//! `/v1/submissions`: bytes in, use case, the submission as its caller may see it out.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::app::submit::Idempotency;
use crate::app::{FieldError, Location, Placed, SubmissionFilter};
use crate::domain::ids::SubmissionId;
use crate::domain::submission::State as Life;
use crate::domain::time::Timestamp;
use crate::http::auth::Caller;
use crate::http::auth::extract::Anyone;
use crate::http::body::{JsonBody, Query, SubmissionPath, refuse};
use crate::http::cursor::{self, Cursors};
use crate::http::dto::names::{SubmissionState, Verdict};
use crate::http::dto::report::Detail;
use crate::http::dto::submission::{Submission, SubmissionBatch, SubmissionList, location};
use crate::http::dto::submission_request::{SubmissionBatchRequest, SubmissionRequest};
use crate::http::headers::{Wait, idempotency_key, tagged};
use crate::http::problem::Problem;
use crate::http::problem_sets::{Cancelling, Enqueuing, Listing, Reading, Rejudging, Submitting};
use crate::http::state::HttpState;

/// Sends a program in.
///
/// Answers 202 when it is stored; with `Prefer: wait=N` 200 if it ended within N seconds (at most 60). The same
/// `Idempotency-Key` with the same body answers the same submission, as it is now, for 24 h; the order of keys, white space
/// and escapes make no other body.
#[utoipa::path(
    post,
    path = "/v1/submissions",
    tag = "submissions",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat for 24 h.", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the end."),
    ),
    request_body = SubmissionRequest,
    responses(
        (status = 200, description = "It ended within the time that `Prefer` names.", body = Submission, headers(
            ("Location" = String, description = "Where the submission is."),
            ("Preference-Applied" = String, description = "The `wait` that was followed."),
        )),
        (status = 202, description = "It is stored.", body = Submission, headers(
            ("Location" = String, description = "Where the submission is."),
            ("Preference-Applied" = String, description = "The `wait` that was followed."),
        )),
        Submitting,
    ),
)]
pub async fn create_submission(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    headers: HeaderMap,
    body: JsonBody<SubmissionRequest>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?.zip(body.digest).map(|(key, digest)| Idempotency { key, digest });
    let wait = Wait::of(&headers);
    let placed = match wait {
        Some(wait) => {
            // It is stored at once, and then only waited for.
            drop(body.memory);
            state.app.submit_and_wait(&caller, body.asked, key, wait.duration()).await?
        }
        None => state.app.submit(&caller, body.asked, key).await?,
    };
    let status = match wait {
        Some(_) if placed.submission.state.is_ended() => StatusCode::OK,
        Some(_) | None => StatusCode::ACCEPTED,
    };
    let mut response = (status, Json(shown(&state, &placed, &caller))).into_response();
    set_location(response.headers_mut(), placed.submission.id);
    if let Some(wait) = wait {
        wait.applied(response.headers_mut());
    }
    Ok(response)
}

fn shown(state: &HttpState, placed: &Placed, caller: &Caller<Anyone>) -> Submission {
    Submission::of(&state.app, placed, Detail::Full, caller)
}

fn set_location(headers: &mut HeaderMap, id: SubmissionId) {
    if let Ok(location) = HeaderValue::from_str(&location(id)) {
        headers.insert(header::LOCATION, location);
    }
}

/// Sends several programs in, all or none.
#[utoipa::path(
    post,
    path = "/v1/submissions/batch",
    tag = "submissions",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat for 24 h.", min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
    ),
    request_body = SubmissionBatchRequest,
    responses(
        (status = 202, description = "They are stored.", body = SubmissionBatch),
        Submitting,
    ),
)]
pub async fn create_submission_batch(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    headers: HeaderMap,
    body: JsonBody<SubmissionBatchRequest>,
) -> Result<(StatusCode, Json<SubmissionBatch>), Problem> {
    let key = idempotency_key(&headers)?.zip(body.digest).map(|(key, digest)| Idempotency { key, digest });
    let placed = state.app.submit_batch(&caller, body.asked, key).await?;
    let items = placed.iter().map(|placed| shown(&state, placed, &caller)).collect();
    Ok((StatusCode::ACCEPTED, Json(SubmissionBatch { items })))
}

/// Asks for a draft to be run, or for an ended submission whose files changed to be run again.
///
/// Of one that is queued, running or ended with the files it has, nothing happens.
#[utoipa::path(
    post,
    path = "/v1/submissions/{id}/enqueue",
    tag = "submissions",
    params(("id" = String, Path, description = "The submission.", format = Uuid)),
    responses(
        (status = 202, description = "It is queued, or was before.", body = Submission, headers(
            ("Location" = String, description = "Where the submission is."),
        )),
        Enqueuing,
    ),
)]
pub async fn enqueue_submission(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    SubmissionPath(id): SubmissionPath,
) -> Result<Response, Problem> {
    let placed = state.app.enqueue(&caller, id).await?;
    let mut response = (StatusCode::ACCEPTED, Json(shown(&state, &placed, &caller))).into_response();
    set_location(response.headers_mut(), id);
    Ok(response)
}

/// Has a submission judged again, with the newest version of its exercise (teacher, backend, admin).
///
/// It waits in the class `rejudge`, behind all others. Its result stays in `result` (`result.round` tells of which round it is)
/// until the new one replaces it. One that is queued or running is not judged again: 409 `submission_active`.
#[utoipa::path(
    post,
    path = "/v1/submissions/{id}/rejudge",
    tag = "submissions",
    params(("id" = String, Path, description = "The submission.", format = Uuid)),
    responses(
        (status = 202, description = "It is queued for a new round.", body = Submission, headers(
            ("Location" = String, description = "Where the submission is."),
        )),
        Rejudging,
    ),
)]
pub async fn rejudge_submission(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    SubmissionPath(id): SubmissionPath,
) -> Result<Response, Problem> {
    let placed = state.app.rejudge(&caller, id).await?;
    let mut response = (StatusCode::ACCEPTED, Json(shown(&state, &placed, &caller))).into_response();
    set_location(response.headers_mut(), id);
    Ok(response)
}

/// What is asked of a list of submissions.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubmissionQuery {
    /// For this exercise.
    #[param(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$")]
    exercise_id: Option<String>,
    /// Of this owner.
    #[param(min_length = 1, max_length = 255)]
    owner: Option<String>,
    /// In this state.
    state: Option<SubmissionState>,
    /// With this verdict in the newest result.
    verdict: Option<Verdict>,
    /// Of this original backend.
    #[param(min_length = 1, max_length = 128)]
    backend: Option<String>,
    /// With this id at an original backend: at most 1,024 bytes.
    #[param(min_length = 1, max_length = 1024)]
    legacy_id: Option<String>,
    /// Stored at or after this instant.
    #[param(format = DateTime)]
    created_after: Option<String>,
    /// Stored before this instant.
    #[param(format = DateTime)]
    created_before: Option<String>,
    /// Most items of the page, 50 if left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
}

impl SubmissionQuery {
    fn filter(&self) -> Result<SubmissionFilter, Problem> {
        let mut errors = Vec::new();
        let filter = SubmissionFilter {
            owner: read(self.owner.as_ref(), "owner", &mut errors),
            exercise_id: read(self.exercise_id.as_ref(), "exercise_id", &mut errors),
            state: self.state.map(Into::into),
            verdict: self.verdict.map(Into::into),
            backend: self.backend.clone(),
            legacy_id: read(self.legacy_id.as_ref(), "legacy_id", &mut errors),
            created_after: read(self.created_after.as_ref(), "created_after", &mut errors),
            created_before: read::<Timestamp>(self.created_before.as_ref(), "created_before", &mut errors),
        };
        if self.backend.as_ref().is_some_and(|name| name.is_empty() || name.len() > 128) {
            let message = "must be 1 to 128 bytes".to_owned();
            errors.push(FieldError { place: Location::Query, pointer: "backend".to_owned(), message });
        }
        refuse(errors)?;
        Ok(filter)
    }

    /// The filters as one text, to bind cursors to.
    fn filters(&self) -> String {
        let of_page = Self {
            limit: None,
            cursor: None,
            exercise_id: self.exercise_id.clone(),
            owner: self.owner.clone(),
            backend: self.backend.clone(),
            legacy_id: self.legacy_id.clone(),
            created_after: self.created_after.clone(),
            created_before: self.created_before.clone(),
            ..*self
        };
        serde_json::to_string(&of_page).unwrap_or_default()
    }
}

/// A parameter of the query, if it is there and fits.
pub fn read<T>(text: Option<&String>, name: &str, errors: &mut Vec<FieldError>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text?
        .parse()
        .map_err(|error: T::Err| {
            let message = error.to_string();
            errors.push(FieldError { place: Location::Query, pointer: name.to_owned(), message });
        })
        .ok()
}

/// Lists submissions, newest first; a student sees his own.
#[utoipa::path(
    get,
    path = "/v1/submissions",
    tag = "submissions",
    params(SubmissionQuery),
    responses(
        (status = 200, description = "A page; `Link: rel=\"next\"` names the next one.", body = SubmissionList, headers(
            ("Link" = String, description = "The next page, if there is one."),
        )),
        Listing,
    ),
)]
pub async fn list_submissions(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    uri: Uri,
    Query(query): Query<SubmissionQuery>,
) -> Result<Response, Problem> {
    let filter = query.filter()?;
    let limit = cursor::limit(query.limit)?;
    let filters = query.filters();
    let cursors = Cursors::new(state.app.secret(), &caller, "submissions", &filters);
    let after = query.cursor.as_deref().map(|cursor| cursors.submission(cursor)).transpose()?;
    let asked = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
    let mut placed = state.app.submissions(&caller, filter, after, asked).await?;
    let more = cursor::cut(&mut placed, limit);
    let next_cursor = placed
        .last()
        .filter(|_| more)
        .map(|Placed { submission, .. }| cursors.behind_submission(submission.created_at, submission.id));
    let items =
        placed.iter().map(|placed| Submission::of(&state.app, placed, Detail::Listed, &caller)).collect();
    let link = next_cursor.as_deref().and_then(|next| next_link(&uri, next));
    let mut response = Json(SubmissionList { items, next_cursor }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// The address of the next page: the same query with another cursor.
pub fn next_link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let kept = uri.query().unwrap_or_default().split('&');
    let mut query: Vec<String> =
        kept.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor=")).map(str::to_owned).collect();
    query.push(format!("cursor={cursor}"));
    HeaderValue::from_str(&format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))).ok()
}

/// Shows a submission; with `Prefer: wait=N` when it has ended, or after N seconds.
///
/// Answers 304 if `If-None-Match` names its `ETag`, which changes with anything in the answer.
#[utoipa::path(
    get,
    path = "/v1/submissions/{id}",
    tag = "submissions",
    params(
        ("id" = String, Path, description = "The submission.", format = Uuid),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (at most 60) for the end."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that you have."),
    ),
    responses(
        (status = 200, description = "The submission.", body = Submission, headers(
            ("ETag" = String, description = "Changes with anything in the answer, place and eta included."),
            ("Preference-Applied" = String, description = "The `wait` that was followed."),
        )),
        (status = 304, description = "It is as you have it.", headers(
            ("ETag" = String, description = "The one that you have."),
        )),
        Reading,
    ),
)]
pub async fn get_submission(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    SubmissionPath(id): SubmissionPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wait = Wait::of(&headers);
    let mut placed = state.app.submission(&caller, id).await?;
    if let Some(wait) = wait {
        placed = state.app.wait_ended(placed, wait.duration()).await?;
    }
    let mut response = tagged(&headers, &shown(&state, &placed, &caller), None)?;
    if let Some(wait) = wait {
        wait.applied(response.headers_mut());
    }
    Ok(response)
}

/// Takes a submission back; when this answers, no process of it exists any more.
#[utoipa::path(
    post,
    path = "/v1/submissions/{id}/cancel",
    tag = "submissions",
    params(("id" = String, Path, description = "The submission.", format = Uuid)),
    responses(
        (status = 200, description = "It is cancelled, now or before.", body = Submission),
        Cancelling,
    ),
)]
pub async fn cancel_submission(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    SubmissionPath(id): SubmissionPath,
) -> Result<Json<Submission>, Problem> {
    let placed = state.app.cancel(&caller, id).await?;
    debug_assert!(matches!(placed.submission.state, Life::Cancelled(_)));
    Ok(Json(shown(&state, &placed, &caller)))
}
