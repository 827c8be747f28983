//! The OpenAPI document: made from the routes, then brought into the form that generators of clients read.

use serde_json::{Map, Value, json};
use utoipa::ToSchema as _;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
    ServerBuilder, tag::TagBuilder,
};

use crate::http::auth::session;
use crate::http::problem::{Code, ProblemBody, ProblemField, ProblemPlace};

mod examples;
mod judging_examples;
mod problems;
mod unions;

/// The document without its operations.
pub fn head() -> OpenApi {
    let tag =
        |name: &str, description: &str| TagBuilder::new().name(name).description(Some(description)).build();
    OpenApiBuilder::new()
        .info(info())
        .servers(Some([ServerBuilder::new()
            .url("/")
            .description(Some("Where this document is served."))
            .build()]))
        .security(Some(
            ["bearer", "session"].map(|name| SecurityRequirement::new(name, Vec::<String>::new())),
        ))
        .components(Some(components()))
        .tags(Some([
            tag("submissions", "Programs on their way through the counter."),
            tag("events", "What happens, as it happens."),
            tag("exercises", "What is to be solved."),
            tag("rejudges", "What was graded, judged again."),
            tag("queue", "What there is, how long it takes, and who asks."),
            tag("sign-in", "How people sign in to the page."),
            tag("hosts", "The Docker engines that programs run on."),
            tag("containers", "What programs run in."),
            tag("links", "Connections to the backends of the original system."),
            tag("problems", "What went wrong, explained."),
            tag("health", "For machines that look after machines."),
        ]))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Guichet")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The counter where programming exercises queue and get graded. Errors are problem details (RFC 9457). \
             Members may be added to answers, and values to enumerations, within a version.",
        ))
        .license(Some(LicenseBuilder::new().name("EUPL-1.2").identifier(Some("EUPL-1.2")).build()))
        .build()
}

fn components() -> utoipa::openapi::Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("`sub` is who asks; `role` is student (if missing), teacher, backend or admin."))
        .build();
    let ticket = ApiKey::Query(ApiKeyValue::with_description(
        "ticket",
        "A stream ticket, for streams of events only; see `create_stream_ticket`.",
    ));
    let session = ApiKey::Cookie(ApiKeyValue::with_description(
        session::COOKIE,
        "The page's session; see `create_sign_in_link` and `create_session`. It counts for pages of the same origin alone, not \
         beside a token, and what changes something needs the header `X-Guichet-Page: 1`.",
    ));
    let mut schemas =
        vec![(ProblemBody::name().into_owned(), <ProblemBody as utoipa::PartialSchema>::schema())];
    ProblemBody::schemas(&mut schemas);
    schemas
        .push((<Code as utoipa::ToSchema>::name().into_owned(), <Code as utoipa::PartialSchema>::schema()));
    schemas.push((ProblemField::name().into_owned(), <ProblemField as utoipa::PartialSchema>::schema()));
    schemas.push((ProblemPlace::name().into_owned(), <ProblemPlace as utoipa::PartialSchema>::schema()));
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("session", SecurityScheme::ApiKey(session))
        .security_scheme("ticket", SecurityScheme::ApiKey(ticket))
        .build()
}

/// The document as text, as it is served and committed.
pub fn openapi_json() -> String {
    let document = super::routes().into_openapi();
    let mut document = serde_json::to_value(&document).unwrap_or(Value::Null);
    finish(&mut document);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn finish(document: &mut Value) {
    name_catch_all(document);
    unions::finish(document);
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            parameters_are_not_null(operation);
            summary_is_plain(operation);
            examples::add(operation);
        }
    }
    problems::share(document);
}

/// OpenAPI has no name for "the rest of the path"; the parameter is described instead.
fn name_catch_all(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    let named = std::mem::take(paths);
    *paths = named.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
}

/// A summary is plain text to its readers; only descriptions are Markdown.
fn summary_is_plain(operation: &mut Value) {
    if let Some(Value::String(summary)) = operation.get_mut("summary") {
        summary.retain(|sign| sign != '`');
    }
}

/// A parameter is there or not; null is for bodies.
fn parameters_are_not_null(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for schema in parameters.into_iter().flatten().filter_map(|parameter| parameter.get_mut("schema")) {
        if let Some(kinds) = schema.get_mut("type")
            && let Some(kind) =
                kinds.as_array().and_then(|all| all.iter().find(|kind| **kind != json!("null")))
        {
            *kinds = kind.clone();
        }
        let null = json!({"type": "null"});
        let only = schema.get("oneOf").and_then(Value::as_array).and_then(|all| {
            let mut rest = all.iter().filter(|one| **one != null);
            rest.next().filter(|_| rest.next().is_none()).cloned()
        });
        if let Some(only) = only {
            *schema = only;
        }
    }
}
