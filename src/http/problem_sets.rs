//! The error answers of each kind of operation, as the OpenAPI document shows them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::app::budget::Overloaded;
use crate::app::{self, Conflict, FieldError, Location};
use crate::domain::ids::{RejudgeId, SubmissionId};
use crate::http::problem::{Code, Problem};

/// What every operation that wants a token or a session may answer.
const COMMON: [Code; 5] =
    [Code::InvalidToken, Code::SessionExpired, Code::RateLimited, Code::Internal, Code::Unavailable];
/// What the operations answer that look at a link or a session by themselves.
const SIGNING_IN: [Code; 3] = [Code::RateLimited, Code::Internal, Code::Unavailable];
/// What every operation that takes a body may answer besides.
const BODY: [Code; 6] = [
    Code::MalformedBody,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
    Code::Overloaded,
];

macro_rules! problem_set {
    ($(#[$doc:meta])* $name:ident: $($codes:expr),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let sets: &[&[Code]] = &[$(&$codes),+];
                describe(&sets.concat())
            }
        }
    };
}

problem_set!(
    /// Of making submissions.
    Submitting: COMMON, BODY,
        [Code::Forbidden, Code::LegacyIdTaken, Code::ExerciseNotFound, Code::IdempotencyKeyReused],
        [Code::TooManyQueued, Code::TooManyDrafts, Code::QueueFull, Code::Stopping]
);
problem_set!(
    /// Of entering the queue.
    Enqueuing: COMMON, [Code::Forbidden, Code::NotFound, Code::ValidationFailed, Code::TooManyQueued, Code::QueueFull]
);
problem_set!(
    /// Of judging again.
    Rejudging: COMMON, [
        Code::Forbidden,
        Code::NotFound,
        Code::SubmissionActive,
        Code::SubmissionNotGraded,
        Code::ValidationFailed,
        Code::QueueFull,
    ]
);
problem_set!(
    /// Of judging an exercise's submissions again.
    BeginningRejudge: COMMON, BODY, [Code::Forbidden, Code::NotFound, Code::RejudgeActive, Code::Stopping]
);
problem_set!(
    /// Of reading one thing that is for those who teach.
    ReadingOfTeachers: COMMON, [Code::Forbidden, Code::NotFound]
);
problem_set!(
    /// Of reading what differs.
    ListingRejudgeChanges: COMMON, [Code::Forbidden, Code::NotFound, Code::ValidationFailed]
);
problem_set!(
    /// Of deciding about a preview.
    DecidingRejudge: COMMON, [Code::Forbidden, Code::NotFound, Code::RejudgeActive, Code::RejudgeOver]
);
problem_set!(
    /// Of following how it goes on.
    FollowingRejudge: COMMON, [Code::Forbidden, Code::NotFound, Code::ValidationFailed, Code::Overloaded]
);
problem_set!(
    /// Of checking an exercise.
    Checking: COMMON, [Code::Forbidden, Code::NotFound, Code::NoSolutions, Code::QueueFull, Code::Stopping]
);
problem_set!(
    /// Of replacing files.
    ReplacingFiles: COMMON, BODY, [Code::Forbidden, Code::NotFound, Code::SubmissionActive]
);
problem_set!(
    /// Of cancelling.
    Cancelling: COMMON, [Code::NotFound, Code::SubmissionEnded]
);
problem_set!(
    /// Of reading one thing.
    Reading: COMMON, [Code::NotFound]
);
problem_set!(
    /// Of reading what everybody may see.
    Looking: COMMON
);
problem_set!(
    /// Of reading a list.
    Listing: COMMON, [Code::ValidationFailed]
);
problem_set!(
    /// Of following one submission.
    Following: COMMON, [Code::NotFound, Code::ValidationFailed, Code::Overloaded]
);
problem_set!(
    /// Of following an owner.
    FollowingOwner: COMMON, [Code::Forbidden, Code::ValidationFailed, Code::Overloaded]
);
problem_set!(
    /// Of making a ticket.
    MakingTicket: COMMON, BODY, [Code::Forbidden, Code::NotFound]
);
problem_set!(
    /// Of writing an exercise.
    WritingExercise: COMMON, BODY, [Code::Forbidden, Code::PreconditionFailed]
);
problem_set!(
    /// Of importing an exercise.
    ImportingExercise: COMMON, BODY, [Code::Forbidden, Code::PreconditionFailed, Code::InvalidPackage]
);
problem_set!(
    /// Of exporting an exercise.
    ExportingExercise: COMMON, [Code::Forbidden, Code::NotFound]
);
problem_set!(
    /// Of deleting an exercise.
    DeletingExercise: COMMON, [Code::Forbidden, Code::NotFound, Code::PreconditionFailed]
);
problem_set!(
    /// Of reading the results of an exercise.
    ReadingResults: COMMON, [Code::Forbidden, Code::NotFound, Code::ValidationFailed]
);
problem_set!(
    /// Of what only admins and backends read.
    Administering: COMMON, [Code::Forbidden]
);
problem_set!(
    /// Of listing hosts.
    ListingHosts: COMMON, [Code::Forbidden, Code::Stopping]
);
problem_set!(
    /// Of listing containers.
    ListingContainers: COMMON, [Code::Forbidden, Code::ValidationFailed, Code::Stopping]
);
problem_set!(
    /// Of reading a host, or ending a container.
    ReadingHost: COMMON, [Code::Forbidden, Code::NotFound, Code::Stopping]
);
problem_set!(
    /// Of changing a host.
    ChangingHost: COMMON, BODY, [Code::Forbidden, Code::NotFound, Code::Stopping]
);
problem_set!(
    /// Of adding a host.
    AddingHost: COMMON, BODY, [Code::Forbidden, Code::HostExists, Code::Stopping]
);
problem_set!(
    /// Of removing a host.
    RemovingHost: COMMON,
        [Code::Forbidden, Code::NotFound, Code::HostBusy, Code::HostConfigured, Code::ValidationFailed, Code::Stopping]
);
problem_set!(
    /// Of making a sign-in link.
    MakingLink: COMMON, BODY, [Code::Forbidden]
);
problem_set!(
    /// Of showing a sign-in link.
    OpeningLink: [Code::SignInLinkOver, Code::ValidationFailed, Code::Internal, Code::Unavailable]
);
problem_set!(
    /// Of using a sign-in link.
    UsingLink: SIGNING_IN, [Code::Forbidden, Code::SignInLinkOver, Code::ValidationFailed]
);
problem_set!(
    /// Of making a session.
    MakingSession: SIGNING_IN, BODY, [Code::InvalidToken, Code::Forbidden]
);
problem_set!(
    /// Of ending a session.
    EndingSession: SIGNING_IN, [Code::InvalidToken]
);
problem_set!(
    /// Of explaining a code.
    Explaining: [Code::NotFound, Code::Internal]
);
problem_set!(
    /// Of the question whether new work is taken.
    Readiness: [Code::Stopping, Code::Unavailable, Code::Internal]
);

fn describe(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    // The same codes are described in the same words, whatever set they come from.
    for codes in by_status.values_mut() {
        codes.sort_unstable_by_key(|code| code.name());
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(&codes).into())).collect()
}

fn response(codes: &[Code]) -> Response {
    let described: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}.", code.name(), code.title())).collect();
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    for code in codes {
        if let Ok(example) = serde_json::to_value(example(*code).body("01993b5e-7a11-7c3e-8a51-0e5fd0a2c6aa"))
        {
            let example = utoipa::openapi::example::ExampleBuilder::new().value(Some(example)).build();
            content = content.examples_from_iter([(code.name(), example)]);
        }
    }
    let mut response = ResponseBuilder::new()
        .description(described.join(" "))
        .content("application/problem+json", content.build());
    let text = |description: &str| {
        let schema = RefOr::T(Schema::Object(Object::with_type(Type::String)));
        HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
    };
    if codes.contains(&Code::InvalidToken) {
        response = response.header("WWW-Authenticate", text("How to authenticate."));
    }
    if codes.iter().any(|code| matches!(code.status().as_u16(), 429 | 503)) {
        response = response.header("Retry-After", text("Seconds until it is worth trying again."));
    }
    response.build()
}

/// A problem as it is answered.
fn example(code: Code) -> Problem {
    let plain = |detail: &str| Problem::new(code, detail);
    let field = |place, pointer: &str, message: &str| {
        let (pointer, message) = (pointer.to_owned(), message.to_owned());
        Problem::invalid(code, vec![FieldError { place, pointer, message }])
    };
    match code {
        Code::MalformedBody => plain("EOF while parsing an object at line 1 column 1"),
        Code::MalformedRequest => plain("a request has one Host header"),
        Code::UnsupportedTransferCoding => plain("the only transfer coding is chunked"),
        Code::InvalidToken => plain("the token has expired or is not valid yet"),
        Code::SessionExpired => plain("sign in again"),
        Code::SignInLinkOver => plain("ask for a new one where you got it"),
        Code::Forbidden => plain("a student may not set the priority"),
        Code::NotFound => Problem::not_found(),
        Code::MethodNotAllowed => plain("the header Allow names those it has"),
        Code::RequestTimeout => plain("it must come within 30 s"),
        Code::SubmissionActive => app::Error::Conflict(Conflict::SubmissionActive).into(),
        Code::SubmissionEnded => app::Error::Conflict(Conflict::SubmissionEnded).into(),
        Code::SubmissionNotGraded => app::Error::Conflict(Conflict::SubmissionNotGraded).into(),
        Code::RejudgeActive => {
            let id = RejudgeId::from_uuid(uuid::uuid!("01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1"));
            app::Error::Conflict(Conflict::RejudgeActive(id)).into()
        }
        Code::RejudgeOver => app::Error::Conflict(Conflict::RejudgeOver).into(),
        Code::NoSolutions => app::Error::Conflict(Conflict::NoSolutions).into(),
        Code::LegacyIdTaken => {
            let submission = SubmissionId::from_uuid(uuid::uuid!("01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1"));
            let pointer = "/legacy_id".to_owned();
            app::Error::Conflict(Conflict::LegacyIdTaken { pointer, submission }).into()
        }
        Code::HostExists => app::Error::Conflict(Conflict::HostExists).into(),
        Code::HostBusy => app::Error::Conflict(Conflict::HostBusy).into(),
        Code::HostConfigured => app::Error::Conflict(Conflict::HostConfigured).into(),
        Code::PreconditionFailed => app::Error::PreconditionFailed.into(),
        Code::PayloadTooLarge => plain("the files of a submission may have 1048576 bytes together"),
        Code::UnsupportedMediaType => plain("Content-Type must be application/json"),
        Code::ValidationFailed => field(Location::Body, "/runtime", "there is no such runtime"),
        Code::InvalidPackage => field(Location::Body, "/data/secret/1.ans", "is missing"),
        Code::ExerciseNotFound => field(Location::Body, "/exercise_id", "there is no such exercise"),
        Code::IdempotencyKeyReused => {
            field(Location::Header, "Idempotency-Key", "was used for another request")
        }
        Code::RateLimited => plain("slow down"),
        Code::TooManyQueued => app::Error::TooManyQueued { retry_after_s: 5 }.into(),
        Code::TooManyDrafts => app::Error::TooManyDrafts.into(),
        Code::Internal => Problem::internal(),
        Code::QueueFull => app::Error::QueueFull { retry_after_s: 5 }.into(),
        Code::Stopping => app::Error::Stopping.into(),
        Code::Unavailable => plain("the database is not available"),
        Code::Overloaded => Overloaded.into(),
    }
}
