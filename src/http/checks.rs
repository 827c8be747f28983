//! `/v1/exercises/{id}/check` and `/v1/checks`: exercises, checked by their reference solutions.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::domain::ids::CheckId;
use crate::http::auth::Caller;
use crate::http::auth::extract::Teach;
use crate::http::body::{ExercisePath, parameter};
use crate::http::dto::check::{Check, CheckBegun};
use crate::http::problem::Problem;
use crate::http::problem_sets::{Checking, ReadingOfTeachers};
use crate::http::state::HttpState;

/// The check that the path names; what is no id names nothing.
#[derive(Clone, Copy, Debug)]
pub struct CheckPath(CheckId);

impl FromRequestParts<HttpState> for CheckPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let id = parameter(parts, state, "id").await?;
        id.parse().map(Self).map_err(|_malformed| Problem::not_found())
    }
}

/// Has all reference solutions of an exercise judged (teacher, backend, admin).
///
/// They wait in the class `rejudge`, behind all others, and are judged with the newest version. What is judged is the caller's, counts in
/// no list, result or quota, and is read by its id.
#[utoipa::path(
    post,
    path = "/v1/exercises/{id}/check",
    tag = "exercises",
    params(
        ("id" = String, Path, description = "The exercise.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
    ),
    responses(
        (status = 202, description = "It goes on.", body = CheckBegun, headers(
            ("Location" = String, description = "Where the check is."),
        )),
        Checking,
    ),
)]
pub async fn check_exercise(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    path: ExercisePath,
) -> Result<Response, Problem> {
    let id = state.app.check_exercise(&caller, &path.existing()?).await?;
    let mut response = (StatusCode::ACCEPTED, Json(CheckBegun { id: id.to_string() })).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/checks/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Tells which verdicts the solutions got, and whether they are those that they must get.
#[utoipa::path(
    get,
    path = "/v1/checks/{id}",
    tag = "exercises",
    params(("id" = String, Path, description = "What `check_exercise` answered.", format = Uuid)),
    responses((status = 200, description = "The check as far as it is.", body = Check), ReadingOfTeachers),
)]
pub async fn get_check(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    CheckPath(id): CheckPath,
) -> Result<Json<Check>, Problem> {
    let check = state.app.check_standing(&caller, id).await?;
    Ok(Json(Check::from(&check)))
}
