//! `/v1/containers`: what every container is doing, for admins.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::app::containers::ContainerFilter;
use crate::http::auth::Caller;
use crate::http::auth::extract::Administer;
use crate::http::body::{self, Query, refuse};
use crate::http::cursor::{self, Cursors};
use crate::http::dto::container::{Container, ContainerList};
use crate::http::dto::names::ContainerState;
use crate::http::problem::Problem;
use crate::http::problem_sets::{ListingContainers, ReadingHost};
use crate::http::state::HttpState;
use crate::http::submissions::{next_link, read};

/// The container that the path names.
#[derive(Clone, Debug)]
pub struct ContainerPath(String);

impl FromRequestParts<HttpState> for ContainerPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        body::parameter(parts, state, "id").await.map(Self)
    }
}

/// What is asked of a list of containers.
#[derive(Clone, Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContainerQuery {
    /// On this host.
    #[param(min_length = 1, max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*$")]
    host: Option<String>,
    /// For this runtime.
    #[param(min_length = 1, max_length = 64)]
    runtime: Option<String>,
    /// Doing this.
    state: Option<ContainerState>,
    /// Most items of the page, 50 if left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
}

impl ContainerQuery {
    fn filter(&self) -> Result<ContainerFilter, Problem> {
        let mut errors = Vec::new();
        let filter = ContainerFilter {
            host: read(self.host.as_ref(), "host", &mut errors),
            runtime: read(self.runtime.as_ref(), "runtime", &mut errors),
            state: self.state.map(Into::into),
        };
        refuse(errors)?;
        Ok(filter)
    }

    /// The filters as one text, to bind cursors to.
    fn filters(&self) -> String {
        serde_json::to_string(&Self { limit: None, cursor: None, ..self.clone() }).unwrap_or_default()
    }
}

/// Lists the containers of all hosts and what each is doing, newest first.
///
/// Those of this process: each start makes its own.
#[utoipa::path(
    get,
    path = "/v1/containers",
    tag = "containers",
    params(ContainerQuery),
    responses(
        (status = 200, description = "A page; `Link: rel=\"next\"` names the next one.", body = ContainerList, headers(
            ("Link" = String, description = "The next page, if there is one."),
        )),
        ListingContainers,
    ),
)]
pub async fn list_containers(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
    uri: Uri,
    Query(query): Query<ContainerQuery>,
) -> Result<Response, Problem> {
    let filter = query.filter()?;
    let limit = cursor::limit(query.limit)?;
    let filters = query.filters();
    let cursors = Cursors::new(state.app.secret(), &caller, "containers", &filters);
    let after = query.cursor.as_deref().map(|cursor| cursors.container(cursor)).transpose()?;
    let mut found = state.app.containers(&caller, &filter, after, limit.saturating_add(1)).await?;
    let more = cursor::cut(&mut found, limit);
    let next_cursor = found.last().filter(|_| more).map(|last| cursors.behind_container(last));
    let link = next_cursor.as_deref().and_then(|next| next_link(&uri, next));
    let items = found.into_iter().map(Container::from).collect();
    let mut response = Json(ContainerList { items, next_cursor }).into_response();
    response.headers_mut().extend(link.map(|link| (header::LINK, link)));
    Ok(response)
}

/// Kills a container; another one takes its place.
///
/// What runs in it is tried again at its old place in the queue, with the reason `container_lost`; that counts as no
/// failed attempt. Answers at once, also for one that is being removed already.
#[utoipa::path(
    delete,
    path = "/v1/containers/{id}",
    tag = "containers",
    params(("id" = String, Path, description = "The container's id at its engine.")),
    responses((status = 202, description = "It is being removed.", body = Container), ReadingHost),
)]
pub async fn delete_container(
    State(state): State<HttpState>,
    caller: Caller<Administer>,
    path: ContainerPath,
) -> Result<(StatusCode, Json<Container>), Problem> {
    let killed = state.app.kill_container(&caller, &path.0).await?;
    Ok((StatusCode::ACCEPTED, Json(killed.into())))
}
