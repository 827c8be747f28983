//! `/v1/hosts`: the Docker hosts, for admins.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::hosts::Removal;
use crate::domain::host::HostName;
use crate::http::auth::Caller;
use crate::http::auth::extract::Administer;
use crate::http::body::{self, JsonBody, Query};
use crate::http::dto::host::{Host, HostList};
use crate::http::dto::host_request::{HostPatch, HostRequest};
use crate::http::problem::Problem;
use crate::http::problem_sets::{AddingHost, ChangingHost, ListingHosts, ReadingHost, RemovingHost};
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
/// Those of the settings in their order, then those that were added, by age.
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

/// Adds a Docker host.
///
/// It is stored and answered at once, connected or not; `state` and `last_error` tell how it does. It takes submissions as soon as
/// it is connected and has a runtime's image.
#[utoipa::path(
    post,
    path = "/v1/hosts",
    tag = "hosts",
    request_body = HostRequest,
    responses(
        (status = 201, description = "The host, which is being connected.", body = Host, headers(
            ("Location" = String, description = "Where the host is."),
        )),
        AddingHost,
    ),
)]
pub async fn add_host(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
    body: JsonBody<HostRequest>,
) -> Result<Response, Problem> {
    let asked = body.asked.ok_or_else(Problem::internal)?;
    let host = Host::from(state.app.add_host(&caller, asked).await?);
    let location = host.links.itself.clone();
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(host)).into_response())
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

/// Cordons, drains or activates a Docker host, or changes how many slots it has.
///
/// A host that is cordoned or draining takes nothing new, and what runs there ends as usual; `drained` is true when nothing
/// runs there any more. More slots come at once; fewer as what runs in them ends. When this is answered, the change holds, and
/// it outlives a restart.
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
    Ok(Json(state.app.update_host(&caller, &path.0, body.asked).await?.into()))
}

/// How a host is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RemoveHostQuery {
    /// Also while something runs there; false if left out.
    force: Option<bool>,
}

/// Removes a Docker host that was added.
///
/// Our containers there are removed soon after. With `force=true` what runs there is queued again at its old place, and that
/// counts no attempt. A host of the settings stays.
#[utoipa::path(
    delete,
    path = "/v1/hosts/{name}",
    tag = "hosts",
    params(
        ("name" = String, Path, description = "The host.", min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*$"),
        RemoveHostQuery,
    ),
    responses((status = 204, description = "It is removed."), RemovingHost),
)]
pub async fn remove_host(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
    path: HostPath,
    Query(query): Query<RemoveHostQuery>,
) -> Result<StatusCode, Problem> {
    let removal = if query.force == Some(true) { Removal::OfBusy } else { Removal::OfEmpty };
    state.app.remove_host(&caller, &path.0, removal).await?;
    Ok(StatusCode::NO_CONTENT)
}
