//! What the compiler doesn't hold: arrows between rooms, heads and sizes of files, words, paths in documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use guichet::http::auth::session::COOKIE;
use serde_json::Value;

use crate::support::engine::{root, say};

/// Lines from which on a file needs a reason.
const LONG: usize = 400;

/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Words that say that something is not finished, or where it was made, or that don't say who acts.
const FORBIDDEN: [&str; 13] = [
    "TODO",
    "FIXME",
    "XXX",
    "HACK",
    "todo!(",
    "unimplemented!(",
    "dbg!(",
    "/home/",
    "/tmp/engine",
    "whoever",
    "Whoever",
    "somebody",
    "Somebody",
];

/// All that a commit of now would hold.
fn sources() -> impl Iterator<Item = PathBuf> {
    let listed = say(Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root()));
    let paths: Vec<_> = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    paths.into_iter()
}

fn tracked(endings: &[&str]) -> Vec<PathBuf> {
    let wanted = |path: &PathBuf| {
        root().join(path).is_file() && endings.iter().any(|ending| path.to_string_lossy().ends_with(ending))
    };
    sources().filter(wanted).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The room of a file below `src`; tests, which may name everything, are in none.
fn room(path: &Path) -> Option<String> {
    let below = path.strip_prefix("src").ok()?;
    if below.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name)) {
        return None;
    }
    let first = below.components().next()?.as_os_str().to_string_lossy().into_owned();
    Some(first.trim_end_matches(".rs").to_owned())
}

/// The rooms that a source names by `crate::…` (`main.rs`: by `guichet::…`), its tests left out.
fn named_rooms(source: &str) -> BTreeSet<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default().replace("use guichet::", "crate::");
    let code: String = product.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut rooms = BTreeSet::new();
    for behind in code.split("crate::").skip(1) {
        let names = behind.strip_prefix('{').map_or_else(|| vec![behind], listed);
        rooms.extend(names.into_iter().map(|name| {
            name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        }));
    }
    rooms
}

/// The members of a list in braces, whose opening brace is left out.
fn listed(list: &str) -> Vec<&str> {
    let mut depth = 1_u32;
    let mut ends = |c: char| {
        depth = if c == '{' { depth + 1 } else { depth - u32::from(c == '}') };
        depth == 0 || (depth == 1 && c == ',')
    };
    let mut names = Vec::new();
    let mut rest = list;
    while let Some(end) = rest.find(&mut ends) {
        names.push(&rest[..end]);
        if rest[end..].starts_with('}') {
            break;
        }
        rest = &rest[end + 1..];
    }
    names
}

/// What `ARCHITECTURE.md` says about arrows.
fn told_arrows() -> String {
    let text = read(Path::new("ARCHITECTURE.md"));
    let behind = text.split("\n## Arrows\n").nth(1).expect("a chapter on arrows");
    behind.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The rows of its table: a room, and the rooms that it names.
fn tabled_arrows() -> BTreeMap<String, BTreeSet<String>> {
    let told = told_arrows();
    let rows = told.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |row: &str| {
        let mut names = row.split('`').step_by(2).map(str::to_owned);
        (names.next().expect("a room"), names.collect())
    };
    rows.map(row).collect()
}

/// The lines of its drawing: the rooms on each.
fn drawn_levels() -> Vec<BTreeSet<String>> {
    let told = told_arrows();
    let drawing = told.split("```").nth(1).expect("a drawing");
    let rooms = drawing.lines().filter_map(|line| line.split_once('│'));
    rooms.map(|(rooms, _)| rooms.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn rooms_name_those_that_the_architecture_says() {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in tracked(&[".rs"]) {
        if let Some(room) = room(&path).filter(|room| room != "lib") {
            arrows.entry(room).or_default().extend(named_rooms(&read(&path)));
        }
    }
    let rooms: BTreeSet<_> = arrows.keys().cloned().collect();
    for (room, named) in &mut arrows {
        named.retain(|name| name != room && rooms.contains(name));
    }

    assert_eq!(tabled_arrows(), arrows);
}

#[test]
fn arrows_go_down_in_the_drawing() {
    let levels = drawn_levels();
    let level = |room: &str| {
        levels.iter().position(|rooms| rooms.contains(room)).unwrap_or_else(|| panic!("{room} is not drawn"))
    };
    let arrows = tabled_arrows();
    let up: Vec<_> = arrows
        .iter()
        .flat_map(|(room, named)| named.iter().map(move |named| (room, named)))
        .filter(|(room, named)| level(room) >= level(named))
        .collect();

    assert!(up.is_empty(), "{up:?}");
    assert_eq!(levels.iter().map(BTreeSet::len).sum::<usize>(), arrows.len());
}

#[test]
fn protocols_and_drivers_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for path in tracked(&[".rs"]) {
        let Some(room) = room(&path) else { continue };
        let source = read(&path);
        let homes: [(&str, &[&str]); 6] = [
            ("sqlx::", &["storage"]),
            ("rusqlite::", &["storage"]),
            ("bollard::", &["pool"]),
            ("axum::", &["http", "legacy"]),
            ("jsonwebtoken::", &["auth"]),
            ("guichet_agent", &["judge", "pool"]),
        ];
        for (words, homes) in homes {
            if !homes.contains(&room.as_str())
                && source.lines().any(|line| line.contains(words) && !line.trim_start().starts_with("//"))
            {
                wrong.push(format!("{} names {words}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_source_opens_with_its_responsibility() {
    let sources = tracked(&[".rs"]);
    let headless: Vec<_> = sources.iter().filter(|path| !read(path).starts_with("//! ")).collect();

    assert!(sources.len() > 50 && headless.is_empty(), "{headless:#?}");
}

#[test]
fn long_files_have_a_reason() {
    let excused = |path: &Path| LONG_FILES.iter().any(|(excused, _reason)| Path::new(excused) == path);
    let long: Vec<_> = tracked(&[".rs", ".sh"])
        .into_iter()
        .filter(|path| !excused(path))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LONG)
        .collect();

    assert!(long.is_empty(), "{long:#?}");
    let needless: Vec<_> =
        LONG_FILES.iter().filter(|(path, _)| read(Path::new(path)).lines().count() <= LONG).collect();
    assert!(needless.is_empty(), "{needless:#?}");
}

/// Archives of the sources may hold a link as a file that contains its target.
#[test]
fn no_source_is_a_link() {
    let (links, others): (Vec<_>, Vec<_>) = sources().partition(|path| root().join(path).is_symlink());

    assert!(others.len() > 50 && links.is_empty(), "{links:#?}");
}

#[test]
fn nothing_unfinished_and_no_place_of_one_machine_is_written_down() {
    let mut wrong = Vec::new();
    for path in
        tracked(&[".rs", ".md", ".sh", ".toml", ".sql", ".json", ".yml", "Makefile", "Dockerfile", ".ci/run"])
    {
        // The words themselves, and what others sent.
        if ["tests/it/tidy.rs", "tests/data/kryonet-frames.json"].iter().any(|own| path == Path::new(own)) {
            continue;
        }
        for (number, line) in (1..).zip(read(&path).lines()) {
            for word in FORBIDDEN {
                if line.contains(word) {
                    wrong.push(format!("{}:{number}: {word}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn paths_in_documents_exist() {
    let mut wrong = Vec::new();
    let tops = [
        "src/",
        "tests/",
        "agent/",
        "docs/",
        "scripts/",
        "runtimes/",
        "exercises/",
        "openapi/",
        "migrations/",
        "benches/",
        ".ci/",
    ];
    for path in tracked(&[".md"]) {
        let text = read(&path);
        for quoted in text
            .split('`')
            .skip(1)
            .step_by(2)
            .chain(text.split("](").skip(1).filter_map(|link| link.split(')').next()))
        {
            let named =
                quoted.split(|c: char| c.is_whitespace() || "#:".contains(c)).next().unwrap_or_default();
            let placeholder = named.contains(['<', '*', '…', '{', '$']);
            if tops.iter().any(|top| named.starts_with(top)) && !placeholder && !root().join(named).exists() {
                wrong.push(format!("{}: {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_route_is_in_the_document() {
    let document: Value =
        serde_json::from_str(&read(Path::new("openapi/openapi.json"))).expect("the document");
    let paths: BTreeSet<_> =
        document["paths"].as_object().into_iter().flatten().map(|(path, _)| path.clone()).collect();
    let mut routes = BTreeSet::new();
    for path in tracked(&[".rs"]).into_iter().filter(|path| path.starts_with("src/http")) {
        let source = read(&path);
        for behind in source.split(".route(\"").skip(1).chain(source.split("path = \"/").skip(1).map(|_| ""))
        {
            if let Some(route) = behind.split('"').next().filter(|route| route.starts_with('/')) {
                routes.insert(route.to_owned());
            }
        }
    }
    // The document itself and the page that shows it.
    let missing: Vec<_> = routes
        .into_iter()
        .filter(|route| !["/openapi.json", "/docs"].contains(&route.as_str()) && !paths.contains(route))
        .collect();

    assert!(missing.is_empty(), "{missing:#?}");
    for path in [
        "/v1/submissions",
        "/v1/submissions/batch",
        "/v1/submissions/{id}/events",
        "/v1/events",
        "/v1/exercises/{id}",
        "/v1/runtimes",
        "/v1/links",
        "/v1/queue",
        "/v1/me",
        "/v1/stream-tickets",
        "/livez",
        "/readyz",
        "/metrics",
    ] {
        assert!(paths.contains(path), "{path}");
    }
}

#[test]
fn every_metric_is_in_its_document() {
    // The page's cookie is called like them.
    let is_metric = |word: &&str| {
        *word != COOKIE
            && word.starts_with("guichet_")
            && word.chars().all(|c| c == '_' || c.is_ascii_lowercase())
    };
    let mut counted = BTreeSet::new();
    for path in tracked(&[".rs"]).into_iter().filter(|path| path.starts_with("src")) {
        let source = read(&path);
        counted.extend(source.split('"').skip(1).step_by(2).filter(is_metric).map(str::to_owned));
    }
    let document = read(Path::new("docs/metrics.md"));
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<_> =
        rows.filter_map(|row| row.split('`').next()).filter(is_metric).map(str::to_owned).collect();

    assert!(counted.len() > 20);
    assert_eq!(told, counted);
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let mut tests = BTreeSet::new();
    for path in tracked(&[".rs"]) {
        let source = read(&path);
        tests.extend(
            source.split("fn ").skip(1).filter_map(|behind| behind.split('(').next()).map(str::to_owned),
        );
    }
    let mut named = BTreeSet::new();
    for path in tracked(&[".md"]) {
        let text = read(&path);
        for quoted in text
            .lines()
            .filter(|line| line.starts_with('|'))
            .flat_map(|line| line.split('`').skip(1).step_by(2))
        {
            // Longer names than those of the source's own items.
            if let Some((_, test)) =
                quoted.rsplit_once("::").filter(|(_, name)| name.matches('_').count() > 3)
            {
                named.insert(test.to_owned());
            }
        }
    }
    assert!(named.len() > 50, "{named:?}");
    assert_eq!(named.difference(&tests).collect::<Vec<_>>(), Vec::<&String>::new());
}
