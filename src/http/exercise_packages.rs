//! Exercises as packages: taken in as a zip, and given out as one of our own format.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::budget::Share;
use crate::app::exercises::Rules;
use crate::app::{self, ExercisePut, FieldError, Location};
use crate::chain::Chain;
use crate::domain::exercise::{self, ExerciseSpec};
use crate::domain::ids::{ExerciseId, RuntimeId};
use crate::domain::runtime::Runtime;
use crate::http::auth::Caller;
use crate::http::auth::extract::Teach;
use crate::http::body::{ExercisePath, Query, RequestBody as _};
use crate::http::dto::bytes::Binary;
use crate::http::dto::exercise::Exercise;
use crate::http::dto::exercise_request::ExerciseRequest;
use crate::http::dto::imported::{ImportNote, ImportedExercise};
use crate::http::exercises::{expected, tag};
use crate::http::headers::tagged_bytes;
use crate::http::problem::{Code, Problem};
use crate::http::problem_sets::{ExportingExercise, ImportingExercise};
use crate::http::state::HttpState;
use crate::http::zip_body::ZipBody;
use crate::json;
use crate::packages::{self, Draft, archive};

/// The last part of the path that imports are sent to: no exercise can be called so.
const TAKEN: &str = "import";

/// What an import may be asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// The exercise's id; the one that the package names, or the name of its only folder, if left out.
    #[param(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$")]
    id: Option<String>,
}

/// Imports an exercise from a zip: of Guichet's own format, or an ICPC or Kattis problem package.
///
/// Guichet's own format is `exercise.json`, as `PUT` takes it, with files beside it that it names. Of a problem package the
/// formats `legacy` and `2023-07` are read. What of it Guichet does not have is told in `notes`; a package of which no
/// sound exercise can be made is refused, and the errors name its files.
#[utoipa::path(
    post,
    path = "/v1/exercises/import",
    tag = "exercises",
    params(
        ImportQuery,
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that you mean to change, or `*`."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet."),
    ),
    request_body(content = inline(Binary), content_type = "application/zip", description = "The archive."),
    responses(
        (status = 200, description = "The exercise was changed, or is what it was.", body = ImportedExercise, headers(
            ("ETag" = String, description = "Its version."),
        )),
        (status = 201, description = "The exercise is new.", body = ImportedExercise, headers(
            ("ETag" = String, description = "Its version."),
            ("Location" = String, description = "Where the exercise is."),
        )),
        ImportingExercise,
    ),
)]
pub async fn import_exercise(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    body: ZipBody,
) -> Result<Response, Problem> {
    let (spec, draft, _memory) = unpacked(&state, body).await?;
    let id = chosen_id(query.id.as_deref(), &draft)?;
    let expected = expected(&state, &caller, &id, &headers).await?;
    let put = state.app.put_exercise(&caller, &id, spec, expected).await;
    let (status, stored) = match put.map_err(|error| told(error, &draft))? {
        ExercisePut::Created(stored) => (StatusCode::CREATED, stored),
        ExercisePut::Changed(stored) | ExercisePut::Unchanged(stored) => (StatusCode::OK, stored),
        ExercisePut::VersionMismatch => return Err(app::Error::PreconditionFailed.into()),
    };
    let etag = tag(&stored, &caller);
    let notes = draft.notes.into_iter().map(ImportNote::from).collect();
    let caller = (*caller).clone();
    let write =
        move || serde_json::to_vec(&ImportedExercise { exercise: Exercise::of(&stored, &caller), notes });
    let shown = in_background(&state, write).await?.map_err(unwritable)?;
    let kind = HeaderValue::from_static("application/json");
    let mut response = (status, [(header::CONTENT_TYPE, kind)], shown).into_response();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::ETAG, &etag);
    if status == StatusCode::CREATED {
        set(header::LOCATION, &format!("/v1/exercises/{id}"));
    }
    Ok(response)
}

/// The exercise in an archive, as far as its form tells that it is one.
async fn unpacked(state: &HttpState, body: ZipBody) -> Result<(ExerciseSpec, Draft, Share), Problem> {
    let ZipBody { bytes, mut memory } = body;
    // One after the other, as long bodies are.
    let turn = Arc::clone(&state.long_bodies).acquire_owned().await.map_err(|_closed| Problem::internal())?;
    let app = state.app.clone();
    in_background(state, move || {
        let _turn = turn;
        let mut draft = app.draft(bytes, &mut memory)?;
        let spec = spec_of(&mut draft).map_err(|errors| Problem::invalid(Code::ValidationFailed, errors))?;
        Ok((spec, draft, memory))
    })
    .await?
}

/// Runs on a thread that serves no requests.
async fn in_background<T: Send + 'static>(
    state: &HttpState,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    state.tasks.tracker().spawn_blocking(work).await.map_err(|_panicked| Problem::internal())
}

/// The exercise that a draft's document asks for, which is taken out of the draft.
fn spec_of(draft: &mut Draft) -> Result<ExerciseSpec, Vec<FieldError>> {
    let document = draft.document.take();
    let text = document.to_string();
    drop(document);
    let read = json::Text::of_request(text.as_bytes())
        .map_err(|error| vec![json::Misfit { pointer: String::new(), message: error.to_string() }]);
    let asked: Result<ExerciseRequest, _> = read.and_then(json::read);
    let mut errors = Vec::new();
    let spec = match asked {
        Ok(request) => Some(request.asked(&mut errors).1),
        Err(misfits) => {
            errors.extend(misfits.into_iter().map(|misfit| FieldError::body(misfit.pointer, misfit.message)));
            None
        }
    };
    match spec {
        Some(spec) if errors.is_empty() => Ok(spec),
        Some(_) | None => Err(with_files(errors, draft)),
    }
}

/// Errors with the files that they are about.
fn with_files(errors: Vec<FieldError>, draft: &Draft) -> Vec<FieldError> {
    let named = |error: FieldError| match draft.origin(&error.pointer) {
        Some(path) => FieldError { message: format!("{} ({path})", error.message), ..error },
        None => error,
    };
    errors.into_iter().map(named).collect()
}

fn told(error: app::Error, draft: &Draft) -> Problem {
    match error {
        app::Error::Invalid { code, errors } => {
            app::Error::Invalid { code, errors: with_files(errors, draft) }.into()
        }
        other => other.into(),
    }
}

/// All that is wrong with a draft where these languages are, as a request for its exercise would be told.
///
/// # Errors
/// The wrong fields; or [`app::Error::TooLarge`] as one of no field.
pub fn check(draft: &mut Draft, runtimes: &BTreeMap<RuntimeId, Runtime>) -> Result<(), Vec<FieldError>> {
    let spec = spec_of(draft)?;
    Rules { runtimes }.check(&spec).map_err(|error| match error {
        app::Error::Invalid { errors, .. } => with_files(errors, draft),
        other => vec![FieldError::body("", other.to_string())],
    })
}

/// The id that is asked for, or that the package names.
fn chosen_id(asked: Option<&str>, draft: &Draft) -> Result<ExerciseId, Problem> {
    let refuse = |message: String| Problem::field(Location::Query, "id", message);
    let Some(id) = asked.or(draft.id.as_deref()) else {
        return Err(refuse("is missing: the package has no name of its own".to_owned()));
    };
    if id == TAKEN {
        return Err(refuse("must be another: imports are sent to that path".to_owned()));
    }
    id.parse().map_err(|error: crate::domain::ids::InvalidId| refuse(error.to_string()))
}

fn unwritable(error: impl std::error::Error) -> Problem {
    tracing::error!(error = %Chain(&error), "an exercise cannot be written");
    Problem::internal()
}

/// Exports an exercise as a zip of Guichet's own format: the same bytes for the same version.
///
/// Answers 304 if `If-None-Match` names its `ETag`.
#[utoipa::path(
    get,
    path = "/v1/exercises/{id}/export",
    tag = "exercises",
    params(
        ("id" = String, Path, description = "The exercise.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that you have."),
    ),
    responses(
        (status = 200, description = "The zip.", content_type = "application/zip", body = inline(Binary), headers(
            ("Content-Disposition" = String, description = "A name for it."),
            ("ETag" = String, description = "Its version."),
        )),
        (status = 304, description = "It is as you have it.", headers(
            ("ETag" = String, description = "The one that you have."),
        )),
        ExportingExercise,
    ),
)]
pub async fn export_exercise(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    path: ExercisePath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let stored = state.app.exercise(&caller, &path.existing()?).await?;
    let (id, etag) = (stored.id.clone(), tag(&stored, &caller));
    let caller = (*caller).clone();
    let zip = in_background(&state, move || exported(&stored, &caller)).await?.map_err(unwritable)?;
    let mut response = tagged_bytes(&headers, zip, HeaderValue::from_static("application/zip"), Some(&etag));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.zip\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn exported(stored: &exercise::Exercise, caller: &app::Caller) -> Result<Vec<u8>, packages::Error> {
    let document = serde_json::to_value(Exercise::of(stored, caller)).unwrap_or_default();
    let files = packages::files_of(document)?;
    archive::write(files.iter().map(|(path, content)| (path.as_str(), content.as_slice())))
}
