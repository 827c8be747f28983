//! The page for people at `/`: its files, which build.rs puts into the program, and the addresses of its views.
//!
//! It uses nothing but the public API, so nothing here knows callers. All its addresses are relative to its `base`, which
//! is told from the path of the request: behind a proxy that takes a prefix off, the page keeps it.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

use crate::http::problem::Problem;

/// The views that have an address (web-demo/src/router.ts).
const VIEWS: [&str; 9] = [
    "/",
    "/sign-in",
    "/run",
    "/exercises/{id}",
    "/submissions",
    "/submissions/{id}",
    "/teach",
    "/teach/{id}",
    "/operate",
];
/// Where its other files are.
const ASSETS: &str = "/assets/{name}";
/// The one file whose name stays: the licences of the packages that the page is made of.
const LICENCES: &str = "licenses.md";
/// What index.html has where the way to `/` belongs.
const BASE: &str = "__BASE__";
/// What index.html has where the nonce of the editor's styles belongs.
const NONCE: &str = "__NONCE__";
/// For scripts and what they start: a worker follows the policy that it came with.
const ASSET_POLICY: &str =
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

static PAGE: Page = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What was built.
#[derive(Debug)]
struct Page {
    /// The document; `None` if the program was built without the page.
    index: Option<&'static str>,
    /// The files that it names, by name.
    assets: &'static [Asset],
}

/// A file whose name changes with what is in it, but for [`LICENCES`].
#[derive(Debug)]
struct Asset {
    name: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// The page's routes. They are no operations: the OpenAPI document says nothing of them.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let views = VIEWS.into_iter().fold(Router::new(), |router, path| router.route(path, get(show_view)));
    views.route(ASSETS, get(get_asset))
}

async fn show_view(uri: Uri) -> Response {
    PAGE.view(uri.path())
}

async fn get_asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let asset = PAGE.assets.iter().find(|asset| asset.name == name).ok_or_else(Problem::not_found)?;
    Ok(asset.answer(&headers))
}

impl Page {
    /// The document for the view at `path`.
    fn view(&self, path: &str) -> Response {
        let Some(index) = self.index else { return not_built(&base(path)) };
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let document = index.replace(BASE, &base(path)).replace(NONCE, &nonce);
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; \
             connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
        );
        let mut response = Html(document).into_response();
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

impl Asset {
    fn answer(&self, request: &HeaderMap) -> Response {
        let packed = [("br", self.brotli), ("gzip", self.gzip)];
        let packed = packed.into_iter().find_map(|(coding, bytes)| {
            bytes.filter(|_| accepts(request, coding)).map(|bytes| (coding, bytes))
        });
        let mut response = packed.map_or(self.plain, |(_, bytes)| bytes).into_response();
        let headers = response.headers_mut();
        if let Some((coding, _)) = packed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let kept = if self.name == LICENCES { "no-cache" } else { "public, max-age=31536000, immutable" };
        let fixed = [
            (header::CONTENT_TYPE, kind(self.name)),
            (header::CACHE_CONTROL, kept),
            (header::VARY, "Accept-Encoding"),
            (header::CONTENT_SECURITY_POLICY, ASSET_POLICY),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// The way from `path` to the root.
fn base(path: &str) -> String {
    match path.matches('/').count().saturating_sub(1) {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md") => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether the caller takes that content coding; one with `q=0` he refuses.
fn accepts(request: &HeaderMap, coding: &str) -> bool {
    let sent = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|offer| {
        let (name, parameters) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), |q| q.trim().parse::<f32>());
        name.trim().eq_ignore_ascii_case(coding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// * `base` — the way to the root.
fn not_built(base: &str) -> Response {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Guichet</title>\
         <h1>Guichet runs, without its page</h1>\
         <p>This program was built without it. In its source folder, <code>make up</code> or <code>make build</code> \
         build both; <code>scripts/page.sh</code> and then <code>cargo build</code> do it by hand.</p>\
         <p>The API works: <a href=\"{base}docs\">its documentation</a>.</p></html>"
    ))
    .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::{HeaderMap, HeaderValue, header};
    use axum::response::Response;

    use super::{Asset, Page, accepts, base};

    const PAGE: Page =
        Page { index: Some("<base href=\"__BASE__\"><meta nonce=\"__NONCE__\">"), assets: &[] };

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    fn policy(response: &Response) -> String {
        response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    fn taking(codings: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(codings))])
    }

    #[test]
    fn the_base_leads_from_every_view_to_the_root() {
        assert_eq!([base("/"), base("/run")], ["./", "./"]);
        assert_eq!([base("/exercises/sum"), base("/a/b/c")], ["../", "../../"]);
    }

    #[tokio::test]
    async fn each_answer_has_a_nonce_of_its_own_in_document_and_policy() {
        let (first, second) = (PAGE.view("/"), PAGE.view("/"));
        let (first_policy, second_policy) = (policy(&first), policy(&second));

        let document = text(first).await;

        let nonce = document.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(nonce.len() >= 32 && first_policy.contains(&format!("'nonce-{nonce}'")), "{first_policy}");
        assert!(!second_policy.contains(nonce));
        assert!(!first_policy.contains("unsafe"));
    }

    #[tokio::test]
    async fn a_program_without_the_page_says_how_to_build_it() {
        let page = Page { index: None, assets: &[] };

        let document = text(page.view("/exercises/sum")).await;

        assert!(document.contains("scripts/page.sh"), "{document}");
        assert!(document.contains("href=\"../docs\""), "{document}");
    }

    #[tokio::test]
    async fn an_asset_comes_packed_to_those_who_take_that() {
        let asset = Asset { name: "a.js", plain: b"plain", brotli: Some(b"br"), gzip: Some(b"gz") };
        let answers = [
            (taking("gzip, deflate, br"), Some("br"), "br"),
            (taking("gzip, br;q=0"), Some("gzip"), "gz"),
            (taking("identity"), None, "plain"),
            (HeaderMap::new(), None, "plain"),
        ];
        for (request, coding, bytes) in answers {
            let answer = asset.answer(&request);

            assert_eq!(
                answer.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap()),
                coding
            );
            assert_eq!(answer.headers()[header::VARY], "Accept-Encoding");
            assert_eq!(text(answer).await, bytes);
        }
        assert!(!accepts(&taking("br;q=x"), "br"));
    }
}
