//! ICPC and Kattis problem packages, in the legacy format and in that of 2023-07.
//!
//! Sources: the Kattis problem package format, versions `legacy` and `2023-07-draft`. What is read of it and what
//! becomes of it is listed in `docs/packages.md`; whatever else stands in a package is noted.

mod checker;
mod data;
mod groups;
mod metadata;
mod program;
mod scoring;
#[cfg(test)]
mod scoring_tests;
mod statement;
mod submissions;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Draft, Error, Files, Notes, PROBLEM};
use crate::domain::ids::RuntimeId;
use crate::domain::runtime::Runtime;
use metadata::{Format, Metadata};

/// Folders whose content is no part of an exercise here, with what that means.
const LEFT_OUT: [(&str, &str); 11] = [
    ("attachments", "is left out: an exercise has no attachments"),
    ("solution", "is left out: an exercise has no written solution"),
    ("generators", "is left out: tests are taken as they are"),
    ("input_validators", "is left out: inputs are not validated"),
    ("input_format_validators", "is left out: inputs are not validated"),
    ("input_visualizer", "is left out: tests have no pictures"),
    ("output_visualizer", "is left out: outputs have no pictures"),
    (
        "static_validator",
        "is not run: sources are not looked at, so submissions may be accepted that it would reject",
    ),
    ("graders", "is not run: a group's score comes from its tests as testdata.yaml says"),
    ("include", "is left out: nothing is added to what a student submits, so solutions that need it fail"),
    ("test_case_visualizer", "is left out: tests have no pictures"),
];

/// What the parts of a package are read with.
struct Package<'a> {
    files: Files,
    runtimes: &'a BTreeMap<RuntimeId, Runtime>,
    notes: Notes,
    origins: BTreeMap<String, String>,
}

/// The exercise that a problem package describes.
pub(super) fn read(files: Files, runtimes: &BTreeMap<RuntimeId, Runtime>) -> Result<Draft, Error> {
    let mut package = Package { files, runtimes, notes: Notes::default(), origins: BTreeMap::new() };
    let metadata = metadata::read(&mut package)?;
    let data = data::read(&mut package, &metadata)?;
    let (title, statement) = statement::read(&mut package, &metadata)?;
    let checker = checker::read(&mut package, &metadata, &data)?;
    let has_program = checker.get("type").is_some_and(|kind| kind == "program");
    let groups = groups::groups(&mut package, &metadata, &data, has_program);
    let solutions = submissions::read(&mut package, &metadata)?;
    let mut document = Map::new();
    document.insert("title".to_owned(), Value::String(title));
    document.insert("statement".to_owned(), Value::String(statement));
    document.insert("kind".to_owned(), json!("stdio"));
    document.insert("runtimes".to_owned(), metadata.runtimes(&package)?);
    let limits = metadata.limits(&mut package);
    document.insert("limits".to_owned(), limits.run);
    document.insert("compile_limits".to_owned(), limits.compile);
    document.insert("checker".to_owned(), checker);
    if !solutions.is_empty() {
        document.insert("solutions".to_owned(), Value::Array(solutions));
    }
    document.insert("groups".to_owned(), groups);
    document.insert("tests".to_owned(), data::tests(&mut package, &data));
    for (pointer, path) in
        [("/title", PROBLEM), ("/runtimes", PROBLEM), ("/limits", PROBLEM), ("/compile_limits", PROBLEM)]
    {
        package.origins.insert(pointer.to_owned(), path.to_owned());
    }
    package.note_the_rest(metadata.format);
    let Package { files, notes, origins, .. } = package;
    let id = files.top().map(str::to_owned);
    Ok(Draft { id, document: Value::Object(document), notes: notes.0, origins })
}

impl Package<'_> {
    /// The tree of a YAML file; `None` if there is none.
    fn yaml(&self, path: &str, metadata: Option<&Metadata>) -> Result<Option<Map<String, Value>>, Error> {
        let Some(text) = self.files.text(path)? else { return Ok(None) };
        let filled = metadata.map_or_else(|| text.to_owned(), |metadata| metadata.fill(text));
        match super::yaml::parse(&filled).map_err(|reason| Error::unfit(path, reason))? {
            Value::Object(entries) => Ok(Some(entries)),
            Value::Null => Ok(Some(Map::new())),
            _ => Err(Error::unfit(path, "must be a map")),
        }
    }

    /// Notes what stands at the top and was not read.
    fn note_the_rest(&mut self, format: Format) {
        let names: Vec<String> =
            super::files::names(self.files.paths()).into_iter().map(str::to_owned).collect();
        for name in names {
            if let Some((_, message)) = LEFT_OUT.iter().find(|(folder, _)| *folder == name) {
                self.notes.add(name, *message);
            } else if !format.reads(&name) {
                self.notes.add(name, "is not known here and left out");
            }
        }
    }
}
