//! The error answers of each kind of operation, as the OpenAPI document shows them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::app::FieldError;
use crate::http::problem::{Code, Problem};

/// What every operation that wants a token may answer.
const COMMON: [Code; 4] = [Code::InvalidToken, Code::RateLimited, Code::Internal, Code::Unavailable];
/// What every operation that takes a body may answer besides.
const BODY: [Code; 5] = [
    Code::MalformedBody,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
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
    Following: COMMON, [Code::NotFound, Code::ValidationFailed]
);
problem_set!(
    /// Of following an owner.
    FollowingOwner: COMMON, [Code::Forbidden, Code::ValidationFailed]
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
    /// Of deleting an exercise.
    DeletingExercise: COMMON, [Code::Forbidden, Code::NotFound, Code::PreconditionFailed]
);
problem_set!(
    /// Of what only admins and backends read.
    Administering: COMMON, [Code::Forbidden]
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

fn example(code: Code) -> Problem {
    match code {
        Code::ValidationFailed => {
            Problem::invalid(code, vec![FieldError::body("/runtime", "there is no such runtime")])
        }
        Code::ExerciseNotFound => {
            Problem::invalid(code, vec![FieldError::body("/exercise_id", "there is no such exercise")])
        }
        _ => Problem::new(code, code.title().to_lowercase()),
    }
}
