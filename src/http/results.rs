//! `/v1/exercises/{id}/results`: what came of an exercise, as JSON and as a table.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{self, ResultsPage, Tests};
use crate::domain::ids::{ExerciseId, Owner};
use crate::domain::standing::{Graded, Standing};
use crate::http::auth::Caller;
use crate::http::auth::extract::Teach;
use crate::http::body::{ExercisePath, Query};
use crate::http::csv::{Cell, row};
use crate::http::cursor::{self, Cursors};
use crate::http::dto::results::ExerciseResults;
use crate::http::headers::prefers;
use crate::http::problem::Problem;
use crate::http::problem_sets::ReadingResults;
use crate::http::state::HttpState;
use crate::http::submissions::next_link;

/// Owners that are read at once for a table.
const AT_ONCE: u32 = 100;
const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
const COLUMNS: &str = "owner,submissions,\
    best_submission_id,best_exercise_version,best_verdict,best_score,best_max_score,best_ended_at,\
    last_submission_id,last_exercise_version,last_verdict,last_score,last_max_score,last_ended_at\r\n";

/// What is asked of the results of an exercise.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResultsQuery {
    /// Most owners of the page, 50 if left out; of a table, all if left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Tells what each owner reached in an exercise, best and last, and how often each test fails.
///
/// Only what was graded counts: no runs, no drafts. With `Accept: text/csv` the owners come as a table, all of them unless
/// `limit` says otherwise; a text that a spreadsheet would take for a formula has an apostrophe before it there. Also of
/// an exercise that was deleted.
#[utoipa::path(
    get,
    path = "/v1/exercises/{id}/results",
    tag = "exercises",
    params(
        ("id" = String, Path, description = "The exercise.", min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$"),
        ResultsQuery,
    ),
    responses(
        (status = 200, description = "A page of owners; `Link: rel=\"next\"` names the next one.", content(
            (ExerciseResults = "application/json"),
            (String = "text/csv"),
        ), headers(
            ("Link" = String, description = "The next page, if there is one."),
        )),
        ReadingResults,
    ),
)]
pub async fn get_exercise_results(
    State(state): State<HttpState>,
    caller: Caller<Teach>,
    path: ExercisePath,
    uri: Uri,
    headers: HeaderMap,
    Query(query): Query<ResultsQuery>,
) -> Result<Response, Problem> {
    let limit = cursor::limit(query.limit)?;
    let id = path.existing()?;
    let cursors = Cursors::new(state.app.secret(), &caller, "results", id.as_str());
    let after = query.cursor.as_deref().map(|cursor| cursors.owner(cursor)).transpose()?;
    let is_table = prefers(&headers, "text/csv", "application/json");
    let mut response = if is_table && query.limit.is_none() {
        whole_table(state.app.clone(), (*caller).clone(), id, after).await?
    } else {
        let asked = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
        let tests = if after.is_none() && !is_table { Tests::Counted } else { Tests::LeftOut };
        let mut found = state.app.results(&caller, &id, ResultsPage { after, limit: asked, tests }).await?;
        let more = cursor::cut(&mut found.standings, limit);
        let next_cursor =
            found.standings.last().filter(|_| more).map(|last| cursors.behind_owner(&last.owner));
        let link = next_cursor.as_deref().and_then(|next| next_link(&uri, next));
        let mut page = if is_table {
            table(&id, table_of(&found.standings, Head::Shown).into())
        } else {
            let items = found.standings.iter().map(Into::into).collect();
            let tests = found.tests.as_ref().map(|tests| tests.iter().map(Into::into).collect());
            Json(ExerciseResults { items, next_cursor, tests }).into_response()
        };
        page.headers_mut().extend(link.map(|link| (header::LINK, link)));
        page
    };
    let kept =
        [(header::CACHE_CONTROL, "private, no-cache"), (header::VARY, "Authorization, Cookie, Accept")];
    for (name, value) in kept {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// All owners behind `after`, read as they are sent.
async fn whole_table(
    app: app::App,
    caller: app::Caller,
    id: ExerciseId,
    after: Option<Owner>,
) -> Result<Response, Problem> {
    let asked = |after| ResultsPage { after, limit: AT_ONCE, tests: Tests::LeftOut };
    // The first before the answer begins: what can be refused is refused.
    let first = app.results(&caller, &id, asked(after)).await?.standings;
    let begin = table_of(&first, Head::Shown);
    let name = id.clone();
    let rest = stream::try_unfold(first.last().map(|last| last.owner.clone()), move |last| {
        let (app, caller, id) = (app.clone(), caller.clone(), id.clone());
        async move {
            let Some(last) = last else { return Ok::<_, app::Error>(None) };
            let next = app.results(&caller, &id, asked(Some(last))).await?.standings;
            let end = next.last().map(|last| last.owner.clone());
            Ok((!next.is_empty()).then(|| (table_of(&next, Head::LeftOut), end)))
        }
    });
    let begin = stream::once(std::future::ready(Ok(begin)));
    Ok(table(&name, Body::from_stream(futures_util::StreamExt::chain(begin, rest))))
}

/// Whether a table names its columns.
#[derive(Clone, Copy, Debug)]
enum Head {
    Shown,
    LeftOut,
}

fn table_of(standings: &[Standing], head: Head) -> String {
    let mut text = match head {
        Head::Shown => COLUMNS.to_owned(),
        Head::LeftOut => String::new(),
    };
    for standing in standings {
        let (best, last) = (shown(&standing.best), shown(&standing.last));
        let mut cells = vec![Cell::Text(standing.owner.as_str()), Cell::Number(standing.submissions)];
        cells.extend(best.cells());
        cells.extend(last.cells());
        row(&mut text, &cells);
    }
    text
}

/// A graded submission with its texts.
struct Shown<'a> {
    graded: &'a Graded,
    id: String,
    ended_at: Option<String>,
}

fn shown(graded: &Graded) -> Shown<'_> {
    Shown { graded, id: graded.id.to_string(), ended_at: graded.ended_at.map(|at| at.to_string()) }
}

impl Shown<'_> {
    fn cells(&self) -> [Cell<'_>; 6] {
        let Graded { exercise_version, verdict, points, .. } = self.graded;
        [
            Cell::Text(&self.id),
            Cell::Number((*exercise_version).into()),
            Cell::Text(verdict.name()),
            Cell::Number(points.score),
            Cell::Number(points.max_score),
            self.ended_at.as_deref().map_or(Cell::Empty, Cell::Text),
        ]
    }
}

/// A table as a file to be kept. No name of an exercise needs quoting, but `:` is none for a file everywhere.
fn table(id: &ExerciseId, body: Body) -> Response {
    let name = id.as_str().replace(':', "_");
    let mut response = ([(header::CONTENT_TYPE, CSV)], body).into_response();
    if let Ok(kept) = HeaderValue::from_str(&format!("attachment; filename=\"results-{name}.csv\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, kept);
    }
    response
}
