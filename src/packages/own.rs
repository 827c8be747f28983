//! Our own format: `exercise.json` is the document itself, in which `<field>_file` names a file in place of a field.
//!
//! ```text
//! exercise.json      "statement_file": "statement.md"
//! statement.md       tests: { "stdin_file": "tests/1.in", "expected_file": "tests/1.ans" }
//! tests/1.in …       files: { "path": "main.py", "content_file": "starter_files/main.py" }
//! ```

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::{Draft, Error, Files, MAX_UNPACKED_BYTES, Notes, OWN, bytes};
use crate::json::{self, Bounds, Measure};

/// Fields that a file may stand for.
const FIELDS: [&str; 4] = ["statement", "content", "stdin", "expected"];
/// What the service sets itself and the next import would be refused for.
const SET_BY_SERVICE: [&str; 3] = ["version", "updated_at", "test_count"];
/// What `exercise.json` may come to.
const BOUNDS: Bounds =
    Bounds { bytes: MAX_UNPACKED_BYTES, string_bytes: MAX_UNPACKED_BYTES, values: 130_000 };
/// Longest path that is given to a file.
const MAX_PATH_BYTES: usize = 512;

/// The exercise that `exercise.json` and the files that it names describe.
pub(super) fn read(mut files: Files) -> Result<Draft, Error> {
    let text = files.take(OWN).unwrap_or_default();
    let unfit = |message: String| Error::unfit(OWN, message);
    let mut document = document(&text)?;
    let mut filled =
        Filled { files: &files, used: HashSet::new(), bytes: text.len(), origins: BTreeMap::new() };
    filled.fill(&mut document, "")?;
    let Filled { used, origins, .. } = filled;
    let mut notes = Notes::default();
    for path in files.paths().filter(|path| !used.contains(*path)) {
        notes.add(path, "is named by nothing in exercise.json and left out");
    }
    let id = match document.get("id") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Null) | None => files.top().map(str::to_owned),
        Some(_) => return Err(unfit("/id must be a string".to_owned())),
    };
    if let Some(fields) = document.as_object_mut() {
        for field in SET_BY_SERVICE {
            fields.shift_remove(field);
        }
        fields.shift_remove("id");
    }
    Ok(Draft { id, document, notes: notes.0, origins })
}

/// The tree of `exercise.json`, whose size is looked at first.
pub(super) fn document(text: &[u8]) -> Result<Value, Error> {
    let unfit = |message: String| Error::unfit(OWN, message);
    Measure::default()
        .add(text, &BOUNDS)
        .map_err(|_excess| unfit("has too many values, or too many in each other".to_owned()))?;
    json::Text::of_request(text).map_err(|error| unfit(format!("is no JSON: {error}")))?;
    let plain = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    serde_json::from_slice(plain).map_err(|error| unfit(format!("is no JSON: {error}")))
}

/// A document on its way.
struct Filled<'a> {
    files: &'a Files,
    used: HashSet<String>,
    bytes: usize,
    origins: BTreeMap<String, String>,
}

impl Filled<'_> {
    /// Puts files into the fields that name them; depth is bounded by the reader of JSON.
    fn fill(&mut self, value: &mut Value, at: &str) -> Result<(), Error> {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.fill(item, &format!("{at}/{index}"))?;
                }
            }
            Value::Object(object) => {
                for (name, value) in
                    object.iter_mut().filter(|(_, value)| value.is_array() || value.is_object())
                {
                    self.fill(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")))?;
                }
                for field in FIELDS {
                    self.fill_field(object, field, at)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(())
    }

    fn fill_field(&mut self, object: &mut Map<String, Value>, field: &str, at: &str) -> Result<(), Error> {
        let name = format!("{field}_file");
        let Some(path) = object.get(&name) else { return Ok(()) };
        let unfit = |message: String| Error::unfit(OWN, format!("{at}/{name} {message}"));
        let path = path.as_str().ok_or_else(|| unfit("must be the path of a file".to_owned()))?.to_owned();
        let path = path.strip_prefix("./").unwrap_or(&path);
        let twin = format!("{field}_base64");
        if [field, &twin].iter().any(|other| object.get(*other).is_some_and(|value| !value.is_null())) {
            return Err(unfit(format!("must not stand beside {field}")));
        }
        let content = self
            .files
            .get(path)
            .ok_or_else(|| unfit(format!("names {path}, which is not in the package")))?;
        // One file may be named a thousand times.
        self.bytes += content.len();
        if self.bytes > MAX_UNPACKED_BYTES {
            return Err(Error::TooLarge(format!(
                "an exercise may not name more than {MAX_UNPACKED_BYTES} bytes of files"
            )));
        }
        let content = content.to_vec();
        if field == "statement" && std::str::from_utf8(&content).is_err() {
            return Err(Error::unfit(path, "is not UTF-8"));
        }
        self.used.insert(path.to_owned());
        self.origins.insert(format!("{at}/{field}"), path.to_owned());
        for said in [&name, field, &twin] {
            object.shift_remove(said);
        }
        if field == "statement" {
            // It is UTF-8.
            let text = String::from_utf8(content).unwrap_or_default();
            object.insert(field.to_owned(), Value::String(text));
        } else {
            bytes::put(object, field, content);
        }
        Ok(())
    }
}

/// The files of an exercise in our own format, `exercise.json` first: the same for the same document.
///
/// * `document` — as `GET /v1/exercises/{id}` shows it to a teacher.
///
/// # Errors
/// [`Error::Unfit`] if it cannot be written as JSON.
pub fn files(mut document: Value) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut out = Taken::default();
    if let Some(fields) = document.as_object_mut() {
        for field in SET_BY_SERVICE {
            fields.shift_remove(field);
        }
        out.take(fields, "statement", "statement.md");
        out.take_tests(fields);
        out.take_files(fields, "starter_files", "starter_files");
        for holder in ["checker", "interactor", "unit_tests"] {
            if let Some(Value::Object(fields)) = fields.get_mut(holder) {
                out.take_files(fields, "files", holder);
            }
        }
        for (number, solution) in (1..).zip(objects(fields, "solutions")) {
            out.take_files(solution, "files", &format!("solutions/{number}"));
        }
    }
    let mut text = serde_json::to_vec_pretty(&document)
        .map_err(|error| Error::unfit(OWN, format!("cannot be written: {error}")))?;
    text.push(b'\n');
    let mut files = vec![(OWN.to_owned(), text)];
    files.extend(out.files);
    Ok(files)
}

fn objects<'a>(
    fields: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// What was taken out of a document.
#[derive(Default)]
struct Taken {
    files: Vec<(String, Vec<u8>)>,
    /// Paths and their folders, in small letters.
    names: HashSet<String>,
}

impl Taken {
    /// Takes a field out into a file; it stays where it is if another file is called so on some system.
    fn take(&mut self, object: &mut Map<String, Value>, field: &str, path: &str) {
        let lower = path.to_lowercase();
        if path.len() > MAX_PATH_BYTES || self.names.contains(&lower) {
            return;
        }
        let place = object.keys().position(|key| key == field).unwrap_or(object.len());
        let Some(content) = bytes::take(object, field) else { return };
        let place = place.min(object.len());
        if content.is_empty() {
            object.shift_insert(place, field.to_owned(), Value::String(String::new()));
            return;
        }
        object.shift_insert(place, format!("{field}_file"), Value::String(path.to_owned()));
        self.names.insert(lower);
        self.files.push((path.to_owned(), content));
    }

    fn take_files(&mut self, fields: &mut Map<String, Value>, list: &str, folder: &str) {
        let mut folders: BTreeMap<String, String> = BTreeMap::new();
        for file in objects(fields, list) {
            let Some(path) = file.get("path").and_then(Value::as_str).map(str::to_owned) else { continue };
            // Folders that differ in case alone are one folder on some systems.
            let twin = path.match_indices('/').filter_map(|(end, _)| path.get(..end)).any(|parent| {
                *folders.entry(parent.to_lowercase()).or_insert_with(|| parent.to_owned()) != parent
            });
            if !twin {
                self.take(file, "content", &format!("{folder}/{path}"));
            }
        }
    }

    fn take_tests(&mut self, fields: &mut Map<String, Value>) {
        let count = fields.get("tests").and_then(Value::as_array).map_or(0, Vec::len);
        let width = count.to_string().len();
        for (number, test) in (1..).zip(objects(fields, "tests")) {
            let base = format!("tests/{number:0width$}");
            self.take(test, "stdin", &format!("{base}.in"));
            self.take(test, "expected", &format!("{base}.ans"));
            self.take_files(test, "files", &format!("{base}.files"));
            self.take_files(test, "expected_files", &format!("{base}.expected"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Error, Files, files, read};

    fn package(files: &[(&str, &[u8])]) -> Files {
        let mut package = Files::default();
        for (path, content) in files {
            package.add(path, content.to_vec()).unwrap();
        }
        package
    }

    fn document() -> Value {
        json!({
            "id": "sum", "version": 3, "updated_at": "2026-01-01T00:00:00Z", "title": "Sum", "statement": "Add.", "test_count": 2,
            "starter_files": [ { "path": "Main.py", "content": "x" }, { "path": "main.py", "content": "y" } ],
            "tests": [ { "name": "a", "stdin": "1\n", "expected": null, "expected_base64": "/w==" },
                       { "name": "b", "stdin": "", "expected": "2\n" } ],
            "solutions": [ { "name": "ok", "files": [ { "path": "a/b.py", "content": "z" } ] } ],
        })
    }

    #[test]
    fn an_exported_document_is_read_again_as_it_was() {
        let written = files(document()).unwrap();
        let names: Vec<_> = written.iter().map(|(path, _)| path.as_str()).collect();
        let again =
            written.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect::<Vec<_>>();

        let draft = read(package(&again)).unwrap();

        assert_eq!(
            names,
            [
                "exercise.json",
                "statement.md",
                "tests/1.in",
                "tests/1.ans",
                "tests/2.ans",
                "starter_files/Main.py",
                "solutions/1/a/b.py"
            ]
        );
        let mut whole = json!({ "id": draft.id });
        whole.as_object_mut().unwrap().extend(draft.document.as_object().unwrap().clone());
        let parsed = |files: &[(String, Vec<u8>)]| serde_json::from_slice::<Value>(&files[0].1).unwrap();
        let rewritten = files(whole).unwrap();
        assert_eq!((parsed(&rewritten), &rewritten[1..]), (parsed(&written), &written[1..]));
        assert_eq!(draft.document["tests"][0]["expected_base64"], "/w==");
        assert_eq!(draft.document["starter_files"][1]["content"], "y");
        assert!(draft.notes.is_empty(), "{:?}", draft.notes);
    }

    #[test]
    fn a_file_that_is_missing_named_beside_its_field_or_named_too_often_is_refused() {
        let refused = |document: Value, more: &[(&str, &[u8])]| {
            let text = document.to_string();
            let mut all = vec![("exercise.json", text.as_bytes())];
            all.extend_from_slice(more);
            read(package(&all)).unwrap_err()
        };
        let big = vec![b'x'; 1 << 20];
        let many = vec![json!({ "stdin_file": "big" }); 100];

        assert!(
            refused(json!({ "statement_file": "no.md" }), &[])
                .to_string()
                .contains("/statement_file names no.md")
        );
        assert!(refused(json!({ "statement_file": 3 }), &[]).to_string().contains("path of a file"));
        assert!(
            refused(json!({ "statement_file": "s", "statement": "" }), &[("s", b"")])
                .to_string()
                .contains("beside")
        );
        assert!(refused(json!({ "statement_file": "s" }), &[("s", b"\xff")]).to_string().contains("UTF-8"));
        assert!(matches!(refused(json!({ "tests": many }), &[("big", &big)]), Error::TooLarge(_)));
    }

    #[test]
    fn what_nothing_names_is_noted() {
        let draft = read(package(&[("exercise.json", b"{}"), ("README.md", b"")])).unwrap();

        assert_eq!(draft.notes[0].path, "README.md");
    }
}
