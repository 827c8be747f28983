//! What a caller is told when something is wrong: RFC 9457 problem details, for every error of every route.
//!
//! A [`Problem`] travels as an extension of its response; [`crate::http::layers`] writes it down with the request's
//! id. The log gets the error with its sources, the caller never.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{FieldError, Location};
use crate::domain::ids::SubmissionId;

/// What is wrong, for programs. More may be added; treat one that you don't know by its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
pub enum Code {
    /// 400: the body is no JSON, or nested too deep.
    MalformedBody,
    /// 400: the head of the request could be read in two ways.
    MalformedRequest,
    /// 401: no token, or one that proves nobody.
    InvalidToken,
    /// 401: the session was ended, or its time is over.
    SessionExpired,
    /// 403: the role never has this operation or field.
    Forbidden,
    /// 404: there is no such thing, or the caller may not see it.
    NotFound,
    /// 405: the resource doesn't have this method.
    MethodNotAllowed,
    /// 408: the body took too long to come.
    RequestTimeout,
    /// 409: the submission is queued or running.
    SubmissionActive,
    /// 409: the submission finished or failed.
    SubmissionEnded,
    /// 409: the submission was never graded.
    SubmissionNotGraded,
    /// 409: an exercise's submissions are being judged again, or a preview of that waits for a decision.
    RejudgeActive,
    /// 409: it is no preview, or was applied or cancelled.
    RejudgeOver,
    /// 409: the exercise has no reference solutions.
    NoSolutions,
    /// 409: another submission has this backend's id.
    LegacyIdTaken,
    /// 409: another Docker host has this name.
    HostExists,
    /// 409: something runs on the Docker host.
    HostBusy,
    /// 409: the Docker host is one of the settings.
    HostConfigured,
    /// 410: the sign-in link was used, or its time is over.
    SignInLinkOver,
    /// 412: the stored version is another one.
    PreconditionFailed,
    /// 413: more bytes than are taken.
    PayloadTooLarge,
    /// 415: bodies are `application/json`, of packages `application/zip`, without content coding.
    UnsupportedMediaType,
    /// 422: fields of body, query, path or headers are wrong.
    ValidationFailed,
    /// 422: no exercise can be made of the package; the pointers are paths in it.
    InvalidPackage,
    /// 422: the exercise doesn't exist.
    ExerciseNotFound,
    /// 422: the idempotency key was used for another request.
    IdempotencyKeyReused,
    /// 429: too many requests in a short time.
    RateLimited,
    /// 429: the owner has too much in the queue.
    TooManyQueued,
    /// 429: the owner has too many drafts.
    TooManyDrafts,
    /// 500: something is broken here.
    Internal,
    /// 501: the body comes in another transfer coding than `chunked`.
    UnsupportedTransferCoding,
    /// 503: the queue takes no more.
    QueueFull,
    /// 503: the service is about to stop and takes nothing new.
    Stopping,
    /// 503: the database can't be reached now.
    Unavailable,
    /// 503: there is no memory left for this now.
    Overloaded,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 35] = [
        Self::MalformedBody,
        Self::MalformedRequest,
        Self::InvalidToken,
        Self::SessionExpired,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::SubmissionActive,
        Self::SubmissionEnded,
        Self::SubmissionNotGraded,
        Self::RejudgeActive,
        Self::RejudgeOver,
        Self::NoSolutions,
        Self::LegacyIdTaken,
        Self::HostExists,
        Self::HostBusy,
        Self::HostConfigured,
        Self::SignInLinkOver,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::InvalidPackage,
        Self::ExerciseNotFound,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::TooManyQueued,
        Self::TooManyDrafts,
        Self::Internal,
        Self::UnsupportedTransferCoding,
        Self::QueueFull,
        Self::Stopping,
        Self::Unavailable,
        Self::Overloaded,
    ];

    /// The status that goes with it.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedBody | Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::InvalidToken | Self::SessionExpired => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::SubmissionActive
            | Self::SubmissionEnded
            | Self::SubmissionNotGraded
            | Self::RejudgeActive
            | Self::RejudgeOver
            | Self::NoSolutions
            | Self::LegacyIdTaken
            | Self::HostExists
            | Self::HostBusy
            | Self::HostConfigured => StatusCode::CONFLICT,
            Self::SignInLinkOver => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed
            | Self::InvalidPackage
            | Self::ExerciseNotFound
            | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited | Self::TooManyQueued | Self::TooManyDrafts => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UnsupportedTransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::QueueFull | Self::Stopping | Self::Unavailable | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// One line for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::MalformedBody => "The body is not JSON",
            Self::MalformedRequest => "The request could be read in two ways",
            Self::InvalidToken => "A valid token is needed",
            Self::SessionExpired => "Your session is over",
            Self::Forbidden => "Your role does not have this",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "The resource does not have this method",
            Self::RequestTimeout => "The body took too long",
            Self::SubmissionActive => "The submission is queued or running",
            Self::SubmissionEnded => "The submission has ended",
            Self::SubmissionNotGraded => "The submission was never graded",
            Self::RejudgeActive => "Submissions of the exercise are being judged again",
            Self::RejudgeOver => "There is no preview to decide about",
            Self::NoSolutions => "The exercise has no reference solutions",
            Self::LegacyIdTaken => "Another submission has this legacy_id",
            Self::HostExists => "Another Docker host has this name",
            Self::HostBusy => "Something runs on the Docker host",
            Self::HostConfigured => "The Docker host is one of the settings",
            Self::SignInLinkOver => "The sign-in link is over",
            Self::PreconditionFailed => "The stored version is another one",
            Self::PayloadTooLarge => "Too many bytes",
            Self::UnsupportedMediaType => "The body is of another type",
            Self::ValidationFailed => "The request is not valid",
            Self::InvalidPackage => "No exercise can be made of the package",
            Self::ExerciseNotFound => "There is no such exercise",
            Self::IdempotencyKeyReused => "The idempotency key belongs to another request",
            Self::RateLimited => "Too many requests",
            Self::TooManyQueued => "Too many of your submissions are queued",
            Self::TooManyDrafts => "Too many of your drafts are stored",
            Self::Internal => "Something is broken here",
            Self::UnsupportedTransferCoding => "The only transfer coding is chunked",
            Self::QueueFull => "The queue is full",
            Self::Stopping => "The service is stopping",
            Self::Unavailable => "Not available now",
            Self::Overloaded => "Too much at once",
        }
    }

    /// Its name.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Something that went wrong with a request.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What.
    pub code: Code,
    /// This time, for people; without secrets.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
    /// The submission in the way.
    pub submission: Option<SubmissionId>,
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The part of a request that a problem is about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemPlace {
    /// The body; `pointer` is a JSON pointer.
    Body,
    /// The query; `pointer` is the parameter's name.
    Query,
    /// The path; `pointer` is the parameter's name.
    Path,
    /// A header; `pointer` is its name.
    Header,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemField {
    /// The part of the request.
    #[serde(rename = "in")]
    pub place: ProblemPlace,
    /// The field: a JSON pointer in the body, elsewhere a name.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// Problem details (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The kind of problem, as a URL reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for people, the same for all problems of this kind.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The kind of problem, for programs.
    pub code: Code,
    /// This problem, for people.
    pub detail: String,
    /// The request's id, also in the header `x-request-id` and in the log.
    pub request_id: String,
    /// Each field that is wrong; empty if the problem isn't about fields.
    pub errors: Vec<ProblemField>,
    /// With `legacy_id_taken`: the submission that has the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub submission_id: Option<String>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), submission: None, headers: Vec::new() }
    }

    /// Fields that are wrong.
    pub fn invalid(code: Code, errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is wrong".to_owned(),
            count => format!("{count} fields are wrong"),
        };
        Self { errors, ..Self::new(code, detail) }
    }

    /// One wrong field.
    pub fn field(place: Location, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { place, pointer: pointer.into(), message: message.into() };
        Self::invalid(Code::ValidationFailed, vec![error])
    }

    /// There is no such thing, or the caller may not see it.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is nothing here that you may see")
    }

    /// Something is broken here; the log knows what.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "the fault is in the log under this request's id")
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with the advice to come back later.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// What the caller reads.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("/problems/{}", self.code.name()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            errors: self.errors.iter().map(ProblemField::from).collect(),
            submission_id: self.submission.map(|id| id.to_string()),
        }
    }
}

impl From<&FieldError> for ProblemField {
    fn from(error: &FieldError) -> Self {
        let place = match error.place {
            Location::Body => ProblemPlace::Body,
            Location::Query => ProblemPlace::Query,
            Location::Path => ProblemPlace::Path,
            Location::Header => ProblemPlace::Header,
        };
        Self { place, pointer: error.pointer.clone(), message: error.message.clone() }
    }
}

impl Problem {
    /// No token, or one that proves nobody.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        Self::new(Code::InvalidToken, detail).with_header(header::WWW_AUTHENTICATE, challenge)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Problem};
    use crate::app;

    #[test]
    fn a_problem_has_the_shape_that_scripts_rely_on() {
        let problem = Problem::from(app::Error::field("/limits/cpu_time_ms", "must be between 1 and 60000"));

        let body = serde_json::to_value(problem.body("r-1")).unwrap();

        assert_eq!(
            body,
            serde_json::json!({
                "type": "/problems/validation_failed", "title": "The request is not valid", "status": 422,
                "code": "validation_failed", "detail": "1 field is wrong", "request_id": "r-1",
                "errors": [{"in": "body", "pointer": "/limits/cpu_time_ms", "message": "must be between 1 and 60000"}],
            })
        );
    }

    #[test]
    fn every_code_of_the_use_cases_has_the_same_name_here() {
        let error = app::Error::QueueFull { retry_after_s: 3 };
        let code = error.code();

        assert_eq!(Problem::from(error).code.name(), code);
        assert_eq!(Code::PayloadTooLarge.name(), app::Error::TooLarge(String::new()).code());
    }
}
