//! What docs/legacy.md says of settings, held against the settings themselves.

use guichet::legacy::{kryonet, websocket};
use serde::de::DeserializeOwned;

use crate::support::engine::root;

/// The rows of the table below that line: key and default, without their quotes of Markdown.
fn table(behind: &str) -> Vec<(String, String)> {
    let document = std::fs::read_to_string(root().join("docs/legacy.md")).expect("the document");
    let section = document.split(behind).nth(1).expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned());
            (cells.next().expect("a key"), cells.next().expect("a default"))
        })
        .collect()
}

/// The keys that a section knows, as it tells those who name another.
fn known_keys<T: DeserializeOwned>(section: &str) -> Vec<String> {
    let refused = toml::from_str::<T>(&format!("{section}unknown = 1")).err().expect("a refusal");
    let message = refused.message().to_owned();
    let mut keys: Vec<_> = message.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    keys.sort();
    keys
}

fn keys(rows: &[(String, String)], inside: &str) -> Vec<String> {
    let mut keys: Vec<_> = rows
        .iter()
        .filter_map(|(key, _)| match key.split_once('.') {
            Some((section, key)) => (section == inside).then(|| key.to_owned()),
            None => inside.is_empty().then(|| key.clone()),
        })
        .collect();
    keys.sort();
    keys
}

#[test]
fn every_setting_of_a_backend_is_documented_with_its_default() {
    let rows = table("Each entry of `[[legacy.backends]]`");
    let mut named = keys(&rows, "");
    named.extend(["json".to_owned(), "kryo".to_owned()]);
    named.sort();
    let required = "host = 'h'\ntcp_port = 1\ntoken = 't'\n";
    let defaults = rows.iter().filter(|(_, default)| default != "required" && default != "none");
    let spelled: Vec<_> = defaults.map(|(key, default)| format!("{key} = {default}")).collect();

    assert_eq!(named, known_keys::<kryonet::Settings>(""));
    assert_eq!(keys(&rows, "kryo"), known_keys::<kryonet::KryoSettings>(""));
    assert_eq!(keys(&rows, "json"), known_keys::<kryonet::JsonSettings>(""));
    let as_documented: kryonet::Settings =
        toml::from_str(&format!("{required}{}", spelled.join("\n"))).unwrap();
    let as_it_is: kryonet::Settings = toml::from_str(required).unwrap();
    assert_eq!(format!("{as_documented:?}"), format!("{as_it_is:?}"));
}

#[test]
fn every_setting_of_the_websocket_is_documented_with_its_default() {
    let rows = table("`[legacy.websocket]`:");
    let spelled: Vec<_> = rows.iter().map(|(key, default)| format!("{key} = {default}")).collect();
    let built_in: toml::Table =
        std::fs::read_to_string(root().join("src/config.default.toml")).expect("defaults").parse().unwrap();

    assert_eq!(keys(&rows, ""), known_keys::<websocket::Settings>(""));
    let as_documented: toml::Table = spelled.join("\n").parse().unwrap();
    assert_eq!(Some(&toml::Value::Table(as_documented)), built_in["legacy"].get("websocket"));
}

#[test]
fn every_error_of_a_link_that_the_manual_explains_exists() {
    let sources: String = ["link", "codec", "frame"]
        .map(|name| format!("src/legacy/kryonet/{name}.rs"))
        .map(|path| std::fs::read_to_string(root().join(path)).expect("a source"))
        .concat();
    let rows = table("## When something is wrong");
    let beginnings: Vec<_> = rows
        .iter()
        .flat_map(|(beginnings, _)| beginnings.split("`, `"))
        .filter(|beginning| !beginning.starts_with("exercises."))
        .collect();

    let unknown: Vec<_> =
        beginnings.iter().filter(|beginning| !sources.contains(&format!("\"{beginning}"))).collect();
    assert!(beginnings.len() > 5 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_test_that_the_manual_names_exists() {
    let document = std::fs::read_to_string(root().join("docs/legacy.md")).expect("the document");
    let section = document.split("## What was tried against it").nth(1).expect("the section");
    let rows = section.split("\n## ").next().into_iter().flat_map(str::lines);
    let last_cells = rows.filter(|row| row.starts_with("| ") && !row.starts_with("| tried"));
    let named: Vec<&str> = last_cells
        .filter_map(|row| row.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let sources = sources_below(&root().join("tests/it/legacy"));

    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}()"))).collect();
    assert!(named.len() > 20 && missing.is_empty(), "{missing:#?}");
}

fn sources_below(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let read = |path: std::path::PathBuf| {
        if path.is_dir() { sources_below(&path) } else { std::fs::read_to_string(&path).expect("a source") }
    };
    entries.map(read).collect()
}
