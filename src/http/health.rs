//! `/livez`, `/readyz`, `/metrics`: for machines that look after machines.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::http::auth::Caller;
use crate::http::auth::extract::Administer;
use crate::http::problem::Problem;
use crate::http::problem_sets::{Administering, Readiness};
use crate::http::state::HttpState;

/// Tells that the process runs; depends on nothing.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "health",
    security(()),
    responses((status = 200, description = "It runs.", body = String, content_type = "text/plain")),
)]
pub async fn get_liveness() -> &'static str {
    "ok\n"
}

/// Tells whether new work is taken: the database can be written and no shutdown has begun.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    responses((status = 200, description = "New work is taken.", body = String, content_type = "text/plain"), Readiness),
)]
pub async fn get_readiness(State(state): State<HttpState>) -> Result<&'static str, Problem> {
    state.app.check_ready().await?;
    Ok("ok\n")
}

/// The process's figures in Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "All figures.", body = String, content_type = "text/plain"), Administering),
)]
pub async fn get_metrics(State(state): State<HttpState>, _caller: Caller<Administer>) -> Response {
    render(&state.metrics)
}

/// All figures as an answer.
pub fn render(metrics: &PrometheusHandle) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
}
