//! `/v1/links`: how the links to original backends do.

use axum::Json;
use axum::extract::State;

use crate::http::auth::Caller;
use crate::http::auth::extract::Operate;
use crate::http::dto::link::{Link, LinkList};
use crate::http::problem_sets::Administering;
use crate::http::state::HttpState;

/// Lists the links to original backends.
///
/// One for each of `legacy.backends`, in their order. Counts begin with the process.
#[utoipa::path(
    get,
    path = "/v1/links",
    tag = "links",
    responses((status = 200, description = "All links.", body = LinkList), Administering),
)]
pub async fn list_links(State(state): State<HttpState>, _caller: Caller<Operate>) -> Json<LinkList> {
    Json(LinkList { items: state.app.links().into_iter().map(Link::from).collect() })
}
