//! The files of a submission: replaced, read one by one, and all as a zip.

use std::io::{Cursor, Write as _};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::chain::Chain;
use crate::domain::exercise::SourceFile;
use crate::http::auth::Caller;
use crate::http::auth::extract::Anyone;
use crate::http::body::{FilePath, JsonBody, SubmissionPath};
use crate::http::dto::bytes::Binary;
use crate::http::dto::report::Detail;
use crate::http::dto::submission::Submission;
use crate::http::dto::submission_request::SubmissionFilesRequest;
use crate::http::headers::tagged_bytes;
use crate::http::problem::Problem;
use crate::http::problem_sets::{Reading, ReplacingFiles};
use crate::http::state::HttpState;

/// Whatever a program's text looks like, no browser shows it as a page of ours.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Replaces all files of a draft or ended submission.
#[utoipa::path(
    put,
    path = "/v1/submissions/{id}/files",
    tag = "submissions",
    params(("id" = String, Path, description = "The submission.", format = Uuid)),
    request_body = SubmissionFilesRequest,
    responses(
        (status = 200, description = "It has these files.", body = Submission),
        ReplacingFiles,
    ),
)]
pub async fn replace_submission_files(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    SubmissionPath(id): SubmissionPath,
    body: JsonBody<SubmissionFilesRequest>,
) -> Result<Json<Submission>, Problem> {
    let placed = state.app.replace_files(&caller, id, body.asked).await?;
    Ok(Json(Submission::of(&state.app, &placed, Detail::Full, &caller)))
}

/// Reads all files of a submission as a zip, in the order sent.
///
/// Answers 304 if `If-None-Match` names its `ETag`, which changes with the files.
#[utoipa::path(
    get,
    path = "/v1/submissions/{id}/files",
    tag = "submissions",
    params(
        ("id" = String, Path, description = "The submission.", format = Uuid),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that you have."),
    ),
    responses(
        (status = 200, description = "The zip.", content_type = "application/zip", body = inline(Binary), headers(
            ("Content-Disposition" = String, description = "A name for it."),
            ("ETag" = String, description = "Changes with the files."),
        )),
        (status = 304, description = "They are as you have them.", headers(
            ("ETag" = String, description = "The one that you have."),
        )),
        Reading,
    ),
)]
pub async fn get_submission_files(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    SubmissionPath(id): SubmissionPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let files = state.app.files(&caller, id).await?;
    let zip = zip_of(&files).map_err(|error| {
        tracing::error!(error = %Chain(&error), submission.id = %id, "files cannot be written as a zip");
        Problem::internal()
    })?;
    let mut response = tagged_bytes(&headers, zip, HeaderValue::from_static("application/zip"), None);
    let name = format!("attachment; filename=\"submission-{id}.zip\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, NO_PAGE);
    Ok(response)
}

/// The files as a zip: the same bytes for the same files. All that a submission may have are held in memory twice.
fn zip_of(files: &[SourceFile]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644);
    for file in files {
        // Paths were checked when they came: relative, without `..`, backslash and control characters.
        zip.start_file(file.path.as_str(), plain)?;
        zip.write_all(file.content.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Reads one file of a submission.
#[utoipa::path(
    get,
    path = "/v1/submissions/{id}/files/{*path}",
    tag = "submissions",
    params(
        ("id" = String, Path, description = "The submission.", format = Uuid),
        ("path" = String, Path, description = "Path of the file as sent; may contain `/`."),
    ),
    responses(
        (status = 200, description = "Its bytes.", content_type = "application/octet-stream", body = inline(Binary)),
        Reading,
    ),
)]
pub async fn get_submission_file(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
    path: FilePath,
) -> Result<Response, Problem> {
    let file = state.app.file(&caller, path.submission, &path.path).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_SECURITY_POLICY, NO_PAGE),
    ];
    Ok((headers, file.content.into_bytes()).into_response())
}
