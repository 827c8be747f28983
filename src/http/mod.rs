//! REST, server-sent events, tokens, the OpenAPI document and the page: bytes in, a use case of `app`, bytes out.
//!
//! Nothing is decided here that another way in would have to decide again. JSON names live in [`dto`], status codes in
//! [`problem`], who asks in [`auth`]. Invariant: every route of the API stands in the one list of `routes`, which is also
//! what the OpenAPI document is made of.

pub mod auth;
pub mod body;
pub mod checks;
pub mod containers;
pub mod csv;
pub mod cursor;
pub mod dto;
pub mod events;
pub mod exercise_packages;
pub mod exercises;
pub mod files;
pub mod framing;
pub mod headers;
pub mod health;
pub mod host_events;
pub mod hosts;
pub mod layers;
pub mod links;
pub mod openapi;
pub mod origin;
pub mod page;
pub mod problem;
mod problem_of;
pub mod problem_pages;
pub mod problem_sets;
pub mod queue;
pub mod rate;
pub mod rejudges;
mod request_tasks;
pub mod results;
pub mod seal;
pub mod server;
pub mod sign_in;
mod sign_in_page;
pub mod state;
pub mod stream;
pub mod submissions;
mod timer;
pub mod zip_body;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

pub use openapi::openapi_json;
pub use server::{Patience, serve, serve_with};
pub use state::{HttpSettings, HttpState};

use problem::{Code, Problem};

/// Routes that want a token or a session, with their operations in the document.
fn with_token() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(submissions::create_submission, submissions::list_submissions))
        .routes(routes!(submissions::create_submission_batch))
        .routes(routes!(submissions::get_submission))
        .routes(routes!(submissions::enqueue_submission))
        .routes(routes!(submissions::rejudge_submission))
        .routes(routes!(files::get_submission_files, files::replace_submission_files))
        .routes(routes!(files::get_submission_file))
        .routes(routes!(submissions::cancel_submission))
        .routes(routes!(events::create_stream_ticket))
        .routes(routes!(sign_in::create_sign_in_link))
        .routes(routes!(exercises::list_exercises))
        .routes(routes!(exercises::get_exercise, exercises::put_exercise, exercises::delete_exercise))
        .routes(routes!(exercise_packages::import_exercise))
        .routes(routes!(exercise_packages::export_exercise))
        .routes(routes!(results::get_exercise_results))
        .routes(routes!(rejudges::rejudge_exercise))
        .routes(routes!(rejudges::get_rejudge))
        .routes(routes!(rejudges::list_rejudge_changes))
        .routes(routes!(rejudges::apply_rejudge))
        .routes(routes!(rejudges::cancel_rejudge))
        .routes(routes!(checks::check_exercise))
        .routes(routes!(checks::get_check))
        .routes(routes!(queue::list_runtimes))
        .routes(routes!(queue::get_queue))
        .routes(routes!(queue::get_queue_history))
        .routes(routes!(queue::get_me))
        .routes(routes!(links::list_links))
        .routes(routes!(hosts::list_hosts, hosts::add_host))
        .routes(routes!(hosts::get_host, hosts::update_host, hosts::remove_host))
        .routes(routes!(containers::list_containers))
        .routes(routes!(containers::delete_container))
        .routes(routes!(health::get_metrics))
}

/// Routes that want a token, a session or a stream ticket.
fn with_ticket() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(events::follow_submission_events))
        .routes(routes!(events::follow_events))
        .routes(routes!(host_events::follow_host_events))
        .routes(routes!(rejudges::follow_rejudge))
}

/// Routes that want nothing, or look for themselves at what they want.
fn open() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_readiness))
        .routes(routes!(problem_pages::explain_problem))
        .routes(routes!(sign_in::show_sign_in_link, sign_in::use_sign_in_link))
        .routes(routes!(sign_in::create_session, sign_in::delete_session))
}

/// All routes of the API, for the document.
fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::with_openapi(openapi::head()).merge(with_token()).merge(with_ticket()).merge(open())
}

/// The whole API with everything around it.
pub fn router(state: HttpState) -> Router {
    let token = middleware::from_fn_with_state(state.clone(), auth::extract::require_token);
    let ticket = middleware::from_fn_with_state(state.clone(), auth::extract::require_token_or_ticket);
    let document = openapi_json();
    let api = Router::new()
        .merge(Router::from(with_token()).route_layer(token))
        .merge(Router::from(with_ticket()).route_layer(ticket))
        .merge(Router::from(open()))
        .route("/openapi.json", get(move || async move { json(document) }))
        .merge(documentation())
        .merge(page::router())
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "the header Allow names those it has")
        });
    let api = match cors(&state.cors_origins) {
        Some(cors) => api.layer(cors),
        None => api,
    };
    around(api).with_state(state)
}

/// `/metrics` alone, without a token, for a listener of its own.
pub fn metrics_router(metrics: PrometheusHandle) -> Router {
    let render = |State(metrics): State<PrometheusHandle>| async move { health::render(&metrics) };
    around(Router::new().route("/metrics", get(render)).fallback(|| async { Problem::not_found() }))
        .with_state(metrics)
}

fn around<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(CatchPanicLayer::custom(layers::after_panic))
        .layer(middleware::from_fn(layers::drain))
        .layer(middleware::from_fn(layers::frame))
}

fn json(document: String) -> axum::response::Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], document).into_response()
}

/// The page that shows the document. It runs scripts of its own, so it has a policy of its own.
fn documentation<S: Clone + Send + Sync + 'static>() -> Router<S> {
    const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                          frame-ancestors 'none'";
    let page: Router<S> =
        SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json")).into();
    page.layer(tower_http::set_header::SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    ))
}

/// Lets pages of the listed origins call the API; without any, no header of CORS is ever sent.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let names = |names: &'static [&'static str]| names.iter().map(|name| HeaderName::from_static(name));
    let asked = names(&["idempotency-key", "prefer", "last-event-id", "x-request-id"]);
    let shown = names(&[
        "location",
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "x-request-id",
        "etag",
        "link",
        "preference-applied",
    ]);
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(
                asked
                    .chain([
                        header::AUTHORIZATION,
                        header::CONTENT_TYPE,
                        header::IF_MATCH,
                        header::IF_NONE_MATCH,
                    ])
                    .collect::<Vec<_>>(),
            )
            .expose_headers(shown.collect::<Vec<_>>())
            .max_age(std::time::Duration::from_mins(10)),
    )
}
