//! `/v1/exercises`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{self, ExercisePut, Expected};
use crate::chain::Chain;
use crate::domain::exercise;
use crate::domain::ids::ExerciseId;
use crate::http::auth::Caller;
use crate::http::auth::extract::{Anyone, Teach};
use crate::http::body::{ExercisePath, JsonBody, Query, READ_AT_ONCE, refuse};
use crate::http::cursor::{self, Cursors};
use crate::http::dto::exercise::{Exercise, ExerciseList};
use crate::http::dto::exercise_request::ExerciseRequest;
use crate::http::headers::{Tags, tagged_bytes};
use crate::http::problem::Problem;
use crate::http::problem_sets::{DeletingExercise, Listing, Reading, WritingExercise};
use crate::http::state::HttpState;
use crate::http::submissions::next_link;

/// The version of what `caller` sees. Who doesn't see hidden tests sees something else under the same version.
pub(super) fn tag(exercise: &exercise::Exercise, caller: &app::Caller) -> String {
    if caller.sees_hidden() {
        format!("\"{}\"", exercise.version)
    } else {
        format!("\"{}-public\"", exercise.version)
    }
}

/// Stores an exercise: makes it, or makes its next version if anything changed.
///
/// Takes what `get_exercise` gave, whole: the fields that the service sets itself (`id`, `version`, `updated_at`,
/// `test_count`) may stand there as they are stored. A `version` that is not the stored one any more is refused.
#[utoipa::path(
    put,
    path = "/v1/exercises/{id}",
    tag = "exercises",
    params(
        ("id" = String, Path, description = "Its id, chosen by you.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that you mean to change, or `*`."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet."),
    ),
    request_body = ExerciseRequest,
    responses(
        (status = 200, description = "It was changed, or is what it was.", body = Exercise, headers(
            ("ETag" = String, description = "Its version."),
        )),
        (status = 201, description = "It is new.", body = Exercise, headers(
            ("ETag" = String, description = "Its version."),
            ("Location" = String, description = "Where the exercise is."),
        )),
        WritingExercise,
    ),
)]
pub async fn put_exercise(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    path: ExercisePath,
    headers: HeaderMap,
    body: JsonBody<ExerciseRequest>,
) -> Result<Response, Problem> {
    let id = path.writable()?;
    let (set_by_service, spec) = body.asked;
    refuse(set_by_service.check_id(&id))?;
    let mut expected = expected(&state, &caller, &id, &headers).await?;
    if expected != NO_VERSION && !set_by_service.is_left_out() {
        let stored = stored(&state, &caller, &id).await?;
        refuse(set_by_service.changed(stored.as_deref()))?;
        expected = stored.map_or(Expected::Absent, |stored| Expected::Version(stored.version));
    }
    let (status, stored) = match state.app.put_exercise(&caller, &id, spec, expected).await? {
        ExercisePut::Created(stored) => (StatusCode::CREATED, stored),
        ExercisePut::Changed(stored) | ExercisePut::Unchanged(stored) => (StatusCode::OK, stored),
        ExercisePut::VersionMismatch => return Err(app::Error::PreconditionFailed.into()),
    };
    let stored = Arc::new(stored);
    let shown = written(&state, Arc::clone(&stored), &caller).await?;
    let mut response = (status, [(header::CONTENT_TYPE, JSON)], shown).into_response();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::ETAG, &tag(&stored, &caller));
    if status == StatusCode::CREATED {
        set(header::LOCATION, &format!("/v1/exercises/{id}"));
    }
    Ok(response)
}

/// The exercise as it is stored, if there is one.
async fn stored(
    state: &HttpState,
    caller: &app::Caller,
    id: &ExerciseId,
) -> Result<Option<Arc<exercise::Exercise>>, Problem> {
    match state.app.exercise(caller, id).await {
        Ok(stored) => Ok(Some(stored)),
        Err(app::Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What no stored exercise meets. The use case still looks at the rest first: a precondition counts only for what
/// would be done without it (RFC 9110 §13.2.1).
const NO_VERSION: Expected = Expected::Version(0);

/// What the preconditions of a request expect of the stored exercise (RFC 9110 §13.1).
pub(super) async fn expected(
    state: &HttpState,
    caller: &app::Caller,
    id: &ExerciseId,
    headers: &HeaderMap,
) -> Result<Expected, Problem> {
    let matching = Tags::of(headers, &header::IF_MATCH);
    let absent = Tags::of(headers, &header::IF_NONE_MATCH);
    match (matching, absent) {
        (None, None) => Ok(Expected::Anything),
        (Some(Tags::Any), None) => Ok(Expected::Existing),
        (None, Some(Tags::Any)) => Ok(Expected::Absent),
        (matching, absent) => {
            // What is read now is expected to be so still when it's written.
            let stored = stored(state, caller, id).await?;
            let named =
                |tags: &Tags| stored.as_ref().is_some_and(|stored| tags.match_strongly(&tag(stored, caller)));
            if matching.is_some_and(|tags| !named(&tags)) || absent.is_some_and(|tags| named(&tags)) {
                return Ok(NO_VERSION);
            }
            Ok(stored.map_or(Expected::Absent, |stored| Expected::Version(stored.version)))
        }
    }
}

/// Shows an exercise; a student sees of hidden tests their name, visibility and weight.
///
/// Answers 304 if `If-None-Match` names its `ETag`.
#[utoipa::path(
    get,
    path = "/v1/exercises/{id}",
    tag = "exercises",
    params(
        ("id" = String, Path, description = "The exercise.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that you have."),
    ),
    responses(
        (status = 200, description = "The exercise.", body = Exercise, headers(
            ("ETag" = String, description = "Its version."),
        )),
        (status = 304, description = "It is as you have it.", headers(
            ("ETag" = String, description = "The one that you have."),
        )),
        Reading,
    ),
)]
pub async fn get_exercise(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    path: ExercisePath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let stored = state.app.exercise(&caller, &path.existing()?).await?;
    let tag = tag(&stored, &caller);
    let shown = written(&state, stored, &caller).await?;
    Ok(tagged_bytes(&headers, shown, JSON, Some(&tag)))
}

/// An exercise as its caller sees it, as JSON. A long one is written on a thread that serves no requests.
async fn written(
    state: &HttpState,
    stored: Arc<exercise::Exercise>,
    caller: &app::Caller,
) -> Result<Vec<u8>, Problem> {
    let is_long = app::exercises::bytes_of(&stored.spec) > READ_AT_ONCE;
    let caller = caller.clone();
    let write = move || serde_json::to_vec(&Exercise::of(&stored, &caller));
    let written = if is_long {
        state.tasks.tracker().spawn_blocking(write).await.map_err(|_panicked| Problem::internal())?
    } else {
        write()
    };
    written.map_err(|error| {
        tracing::error!(error = %Chain(&error), "an exercise cannot be written as JSON");
        Problem::internal()
    })
}

/// What is asked of a list of exercises.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExerciseQuery {
    /// Most items of the page, 50 if left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists exercises, newest first, without their tests.
#[utoipa::path(
    get,
    path = "/v1/exercises",
    tag = "exercises",
    params(ExerciseQuery),
    responses(
        (status = 200, description = "A page; `Link: rel=\"next\"` names the next one.", body = ExerciseList, headers(
            ("Link" = String, description = "The next page, if there is one."),
        )),
        Listing,
    ),
)]
pub async fn list_exercises(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    uri: Uri,
    Query(query): Query<ExerciseQuery>,
) -> Result<Response, Problem> {
    let limit = cursor::limit(query.limit)?;
    let cursors = Cursors::new(state.app.secret(), &caller, "exercises", "");
    let after = query.cursor.as_deref().map(|cursor| cursors.exercise(cursor)).transpose()?;
    let asked = u32::try_from(limit).unwrap_or(u32::MAX);
    let page = state.app.exercises(&caller, after, asked).await?;
    let last = page.items.last().filter(|_| page.more);
    let next_cursor = last.map(|listed| cursors.behind_exercise(listed.exercise.id.as_str()));
    let items = page.items.iter().map(Exercise::listed).collect();
    let link = next_cursor.as_deref().and_then(|next| next_link(&uri, next));
    let mut response = Json(ExerciseList { items, next_cursor }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Deletes an exercise: it takes no submissions any more; its old ones stay readable.
#[utoipa::path(
    delete,
    path = "/v1/exercises/{id}",
    tag = "exercises",
    params(
        ("id" = String, Path, description = "The exercise.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that you mean to delete, or `*`."),
    ),
    responses(
        (status = 204, description = "It is deleted."),
        DeletingExercise,
    ),
)]
pub async fn delete_exercise(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    path: ExercisePath,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = path.existing()?;
    let expected = match Tags::of(&headers, &header::IF_MATCH) {
        None | Some(Tags::Any) => Expected::Anything,
        Some(tags @ Tags::Listed(_)) => {
            let stored = state.app.exercise(&caller, &id).await?;
            let named = tags.match_strongly(&tag(&stored, &caller));
            if named { Expected::Version(stored.version) } else { NO_VERSION }
        }
    };
    state.app.delete_exercise(&caller, &id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
