//! The page as it is served: for every view, beside the API, and as caches and browsers need it.

use super::house::{Answer, House};

/// Every view, and the way from it to the root.
const VIEWS: [(&str, &str); 9] = [
    ("/", "./"),
    ("/sign-in", "./"),
    ("/run", "./"),
    ("/exercises/sum", "../"),
    ("/submissions", "./"),
    ("/submissions/01993b5e-7a11-7c3e-8a51-0e5fd0a2c6d1", "../"),
    ("/teach", "./"),
    ("/teach/sum", "../"),
    ("/operate", "./"),
];

const NOT_BUILT: &str =
    "the page is not built: scripts/page.sh does it, and then cargo puts it into the program";

fn html(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

/// What the page names in its `assets`.
fn assets(document: &str) -> Vec<String> {
    let named = document.split("\"./assets/").skip(1).filter_map(|rest| rest.split('"').next());
    let named: Vec<_> = named.map(|name| format!("/assets/{name}")).collect();
    assert!(named.len() >= 2, "{NOT_BUILT}\n{document}");
    named
}

#[tokio::test]
async fn every_view_is_the_page_with_the_way_to_its_root() {
    let house = House::build().await;
    for (path, base) in VIEWS {
        let answer = house.get(path).send().await;

        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "text/html; charset=utf-8")
        );
        let document = html(&answer);
        assert!(document.contains(&format!("<base href=\"{base}\"")), "{NOT_BUILT}\n{path}: {document}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
    }
}

#[tokio::test]
async fn the_page_runs_no_script_but_its_own() {
    let house = House::build().await;

    let answer = house.get("/").send().await;

    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let document = html(&answer);
    assert!(!document.contains("<script>") && !document.contains("__"), "{document}");
}

#[tokio::test]
async fn what_the_page_names_may_be_kept_for_ever_and_comes_packed() {
    let house = House::build().await;
    for path in assets(&html(&house.get("/").send().await)) {
        let plain = house.get(&path).send().await;
        let packed = house.get(&path).header("accept-encoding", "gzip, deflate, br").send().await;

        assert_eq!((plain.status.as_u16(), packed.status.as_u16()), (200, 200), "{path}");
        assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(packed.header("content-encoding"), "br", "{path}");
        assert!(packed.bytes.len() < plain.bytes.len());
    }
}

#[tokio::test]
async fn the_licences_of_what_the_page_is_made_of_come_with_it() {
    let house = House::build().await;

    let answer = house.get("/assets/licenses.md").send().await;

    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        ("text/markdown; charset=utf-8", "no-cache")
    );
    for package in ["@codemirror/view", "dompurify", "marked", "eventsource-parser"] {
        assert!(html(&answer).contains(&format!("## {package} - ")), "{package}");
    }
}

#[tokio::test]
async fn what_is_no_view_and_no_asset_stays_a_problem() {
    let house = House::build().await;
    for path in [
        "/exercises",
        "/exercises/",
        "/assets/",
        "/assets/none.js",
        "/assets/..%2findex.html",
        "/v1",
        "/index.html",
    ] {
        let answer = house.get(path).send().await;

        assert_eq!(answer.problem(), (404, "not_found".to_owned(), vec![]), "{path}");
    }
}
