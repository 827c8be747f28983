//! What the compiler doesn't hold: arrows between rooms, heads and sizes of files, words, paths in documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::engine::{root, say};

/// Lines from which on a file needs a reason.
const LONG: usize = 400;

/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 2] = [
    ("src/json.rs", "a deserializer: one method for each shape of serde's data model"),
    ("src/config.rs", "every setting with its meaning"),
];

/// Which rooms each room may name. `serve`, `main` and the tests may name everything.
const ARROWS: [(&str, &[&str]); 20] = [
    ("domain", &[]),
    ("chain", &[]),
    ("clock", &["domain"]),
    ("shutdown", &[]),
    ("json", &[]),
    ("units", &[]),
    ("config", &["domain", "auth", "legacy", "units", "chain"]),
    ("telemetry", &["config", "chain"]),
    ("runtimes", &["domain", "chain"]),
    ("storage", &["domain", "chain"]),
    ("pool", &["domain", "chain"]),
    ("judge", &["domain", "pool", "chain"]),
    ("feed", &["domain", "storage", "clock", "shutdown", "chain"]),
    ("app", &["domain", "storage", "feed", "pool", "clock", "runtimes", "chain"]),
    ("scheduler", &["domain", "storage", "judge", "pool", "clock", "shutdown", "chain", "app"]),
    ("auth", &["app", "domain", "json", "chain"]),
    ("http", &["app", "auth", "domain", "feed", "clock", "json", "shutdown", "chain"]),
    ("legacy", &["app", "domain", "feed", "auth", "clock", "json", "shutdown", "units", "chain"]),
    (
        "cli",
        &[
            "app", "auth", "clock", "config", "domain", "http", "pool", "runtimes", "storage", "units",
            "chain",
        ],
    ),
    ("main", &["cli", "config", "serve", "chain"]),
];

/// Words that say that something is not finished, or where it was made.
const FORBIDDEN: [&str; 9] =
    ["TODO", "FIXME", "XXX", "HACK", "todo!(", "unimplemented!(", "dbg!(", "/home/", "/tmp/engine"];

fn tracked(endings: &[&str]) -> Vec<PathBuf> {
    let listed = say(Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root()));
    let files = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    let wanted = |path: &PathBuf| {
        root().join(path).is_file() && endings.iter().any(|ending| path.to_string_lossy().ends_with(ending))
    };
    files.filter(wanted).collect()
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

/// The rooms that a source names by `crate::…`, its tests left out.
fn named_rooms(source: &str) -> BTreeSet<String> {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut rooms = BTreeSet::new();
    for line in product.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for behind in line.split("crate::").skip(1) {
            let list =
                behind.strip_prefix('{').map_or_else(|| vec![behind], |list| list.split(',').collect());
            for name in list {
                let name: String =
                    name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                rooms.insert(name);
            }
        }
    }
    rooms
}

#[test]
fn rooms_name_only_those_below_them() {
    let known: BTreeSet<_> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    for path in tracked(&[".rs"]) {
        let Some(room) = room(&path).filter(|room| !["serve", "lib"].contains(&room.as_str())) else {
            continue;
        };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: no arrows are known for the room {room}", path.display()));
            continue;
        };
        for named in named_rooms(&read(&path)) {
            if named != room
                && (known.contains(named.as_str()) || named == "serve")
                && !allowed.contains(&named.as_str())
            {
                wrong.push(format!("{}: {room} must not name {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn protocols_and_drivers_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for path in tracked(&[".rs"]) {
        let Some(room) = room(&path) else { continue };
        let source = read(&path);
        let homes: [(&str, &[&str]); 5] = [
            ("sqlx::", &["storage"]),
            ("rusqlite::", &["storage"]),
            ("bollard::", &["pool"]),
            ("axum::", &["http", "legacy"]),
            ("jsonwebtoken::", &["auth"]),
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
    let is_metric = |word: &&str| {
        word.starts_with("guichet_") && word.chars().all(|c| c == '_' || c.is_ascii_lowercase())
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
