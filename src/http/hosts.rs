//! `/v1/hosts`: the Docker hosts, for admins.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;

use crate::domain::host::HostName;
use crate::http::auth::Caller;
use crate::http::auth::extract::Administer;
use crate::http::body::{self, JsonBody};
use crate::http::dto::host::{Host, HostList, HostPatch};
use crate::http::problem::Problem;
use crate::http::problem_sets::{ChangingHost, ListingHosts, ReadingHost};
use crate::http::state::HttpState;

/// The host that the path names.
#[derive(Clone, Debug)]
pub struct HostPath(HostName);

impl FromRequestParts<HttpState> for HostPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let name = body::parameter(parts, state, "name").await?;
        name.parse().map(Self).map_err(|_malformed| Problem::not_found())
    }
}

/// Lists the Docker hosts.
///
/// In the order of the settings.
#[utoipa::path(
    get,
    path = "/v1/hosts",
    tag = "hosts",
    responses((status = 200, description = "All hosts.", body = HostList), ListingHosts),
)]
pub async fn list_hosts(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
) -> Result<Json<HostList>, Problem> {
    let hosts = state.app.hosts(&caller).await?;
    Ok(Json(HostList { items: hosts.into_iter().map(Host::from).collect() }))
}

/// Shows a Docker host.
#[utoipa::path(
    get,
    path = "/v1/hosts/{name}",
    tag = "hosts",
    params(("name" = String, Path, description = "The host.", min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*$")),
    responses((status = 200, description = "The host.", body = Host), ReadingHost),
)]
pub async fn get_host(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
    path: HostPath,
) -> Result<Json<Host>, Problem> {
    Ok(Json(state.app.host(&caller, &path.0).await?.into()))
}

/// Cordons, drains or activates a Docker host.
///
/// A host that is cordoned or draining takes nothing new, and what runs there ends as usual; `drained` is true when nothing
/// runs there any more. When this is answered, the change holds, and it outlives a restart.
#[utoipa::path(
    patch,
    path = "/v1/hosts/{name}",
    tag = "hosts",
    params(("name" = String, Path, description = "The host.", min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*$")),
    request_body = HostPatch,
    responses((status = 200, description = "The host as it is now.", body = Host), ChangingHost),
)]
pub async fn update_host(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
    path: HostPath,
    body: JsonBody<HostPatch>,
) -> Result<Json<Host>, Problem> {
    let mode = body.asked.mode.map(Into::into);
    Ok(Json(state.app.update_host(&caller, &path.0, mode).await?.into()))
}
