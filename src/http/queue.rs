//! `/v1/runtimes`, `/v1/queue`, `/v1/me`: what there is, how long it takes, and who asks.

use axum::Json;
use axum::extract::State;

use crate::http::auth::Caller;
use crate::http::auth::extract::Anyone;
use crate::http::dto::queue::{Me, Queue, Runtime, RuntimeList, Slots};
use crate::http::problem::Problem;
use crate::http::problem_sets::Looking;
use crate::http::state::HttpState;

/// Lists the languages that programs may be written in.
#[utoipa::path(
    get,
    path = "/v1/runtimes",
    tag = "queue",
    responses((status = 200, description = "All runtimes.", body = RuntimeList), Looking),
)]
pub async fn list_runtimes(State(state): State<HttpState>, _caller: Caller<Anyone>) -> Json<RuntimeList> {
    let runtimes = state.app.runtimes();
    Json(RuntimeList {
        items: runtimes.into_iter().map(|(runtime, ready)| Runtime::of(runtime, ready)).collect(),
    })
}

/// Shows the queue in figures.
#[utoipa::path(
    get,
    path = "/v1/queue",
    tag = "queue",
    responses((status = 200, description = "The queue now.", body = Queue), Looking),
)]
pub async fn get_queue(
    State(state): State<HttpState>,
    caller: Caller<Anyone>,
) -> Result<Json<Queue>, Problem> {
    let view = state.app.queue(&caller).await?;
    Ok(Json(Queue {
        queued: view.figures.queued,
        running: view.figures.running,
        slots: Slots { total: view.slots_total, free: view.slots_free },
        oldest_queued_s: view.oldest_queued_s,
        finished_last_minute: view.figures.finished_last_minute,
        eta: view.eta.map(Into::into),
    }))
}

/// Shows who the token proves.
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "queue",
    responses((status = 200, description = "The caller.", body = Me), Looking),
)]
pub async fn get_me(State(state): State<HttpState>, caller: Caller<Anyone>) -> Result<Json<Me>, Problem> {
    let standing = state.app.standing(&caller).await?;
    Ok(Json(Me {
        sub: caller.subject.to_string(),
        role: caller.role.into(),
        expires_at: caller.expires_at().to_string(),
        queued: standing.queued,
        max_queued: standing.max_queued,
    }))
}
