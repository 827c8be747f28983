//! `/v1/runtimes`, `/v1/queue` and its last hour, `/v1/me`: what there is, how long it takes, and who asks.

use axum::Json;
use axum::extract::State;

use crate::auth::Verified;
use crate::http::auth::Caller;
use crate::http::auth::extract::{Administer, Anyone};
use crate::http::dto::queue::{Me, Queue, Runtime, RuntimeList};
use crate::http::dto::queue_history::QueueHistory;
use crate::http::problem::Problem;
use crate::http::problem_sets::{Administering, Looking};
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
        items: runtimes.into_iter().map(|(runtime, hindrance)| Runtime::of(runtime, hindrance)).collect(),
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
    Ok(Json(state.app.queue(&caller).await?.into()))
}

/// Shows the last hour of the queue, minute by minute.
///
/// As far as this process has seen it: `since` says from when on. The minute that goes on now is the last one.
#[utoipa::path(
    get,
    path = "/v1/queue/history",
    tag = "queue",
    responses((status = 200, description = "The last hour.", body = QueueHistory), Administering),
)]
pub async fn get_queue_history(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
) -> Result<Json<QueueHistory>, Problem> {
    Ok(Json(state.app.queue_history(&caller)?.into()))
}

/// Shows who the token or session proves.
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "queue",
    responses((status = 200, description = "The caller.", body = Me), Looking),
)]
pub async fn get_me(State(state): State<HttpState>, caller: Caller<Anyone>) -> Result<Json<Me>, Problem> {
    me(&state, caller.verified()).await.map(Json)
}

/// That caller, as he is shown.
pub async fn me(state: &HttpState, Verified { caller, expires_at }: &Verified) -> Result<Me, Problem> {
    let standing = state.app.standing(caller).await?;
    Ok(Me {
        sub: caller.subject.to_string(),
        role: caller.role.into(),
        expires_at: expires_at.to_string(),
        queued: standing.queued,
        max_queued: standing.max_queued,
    })
}
