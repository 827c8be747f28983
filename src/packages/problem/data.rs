//! `data/`: the tests, the tree of groups that they are in, and what each group says about its own.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::yaml::as_text;
use super::super::{Error, bytes, files};
use super::Package;
use super::metadata::{Format, Metadata};

/// What says how a group is judged, in the form that has that name.
const LEGACY_GROUP: &str = "testdata.yaml";
const NEWER_GROUP: &str = "test_group.yaml";

/// Files beside a test that are for people.
const FOR_PEOPLE: [&str; 15] = [
    "hint",
    "desc",
    "png",
    "jpg",
    "jpeg",
    "svg",
    "interaction",
    "statement",
    "download",
    "out",
    "gif",
    "md",
    "txt",
    "gitkeep",
    "gitignore",
];

/// A folder of tests.
#[derive(Debug)]
pub(super) struct Folder {
    /// Its path below `data`; that one's own is empty.
    pub(super) name: String,
    /// What it says itself, if it has a file for that.
    pub(super) own: Option<Map<String, Value>>,
    /// That file, its parent's, or the folder's own path.
    pub(super) said_in: String,
    pub(super) entries: Vec<Entry>,
}

/// A test or a folder, in the order of their names.
#[derive(Debug)]
pub(super) enum Entry {
    Test(Test),
    Folder(Folder),
}

/// A test.
#[derive(Debug)]
pub(super) struct Test {
    /// Its path below `data`, without an ending.
    pub(super) name: String,
    args: Vec<String>,
    is_public: bool,
    /// What the output validator is called with, if the package says so for it or its group.
    pub(super) validator_args: Option<Vec<String>>,
    files: Vec<String>,
}

/// The folders `sample` and `secret`, as far as they hold tests.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) root: Folder,
}

/// What a group says that holds for what is below it.
#[derive(Clone, Debug, Default)]
struct Inherited {
    args: Vec<String>,
    validator_args: Option<Vec<String>>,
    is_public: bool,
    said_in: Option<String>,
}

impl Folder {
    /// The tests in it and below it, in order.
    pub(super) fn tests(&self) -> Vec<&Test> {
        let mut tests = Vec::new();
        for entry in &self.entries {
            match entry {
                Entry::Test(test) => tests.push(test),
                Entry::Folder(folder) => tests.extend(folder.tests()),
            }
        }
        tests
    }
}

pub(super) fn read(package: &mut Package<'_>, metadata: &Metadata) -> Result<Data, Error> {
    let root = Reader { package, metadata }.folder("", &Inherited::default())?;
    if root.tests().is_empty() {
        return Err(Error::unfit("data", "holds no test"));
    }
    Ok(Data { root })
}

struct Reader<'a, 'p> {
    package: &'a mut Package<'p>,
    metadata: &'a Metadata,
}

impl Reader<'_, '_> {
    /// The folder of that name below `data`; its depth is bounded by that of paths.
    fn folder(&mut self, name: &str, above: &Inherited) -> Result<Folder, Error> {
        let path = if name.is_empty() { "data/".to_owned() } else { format!("data/{name}/") };
        let (own, said_in) = self.own(&path)?;
        let mut inherited = above.clone();
        inherited.is_public |= name == "sample";
        if let Some(own) = &own {
            inherited.said_in = Some(said_in.clone());
            self.inherit(own, &mut inherited);
        }
        let here: Vec<String> =
            files::names(self.package.files.below(&path)).into_iter().map(str::to_owned).collect();
        let mut entries: Vec<(String, Entry)> = Vec::new();
        for entry in &here {
            let inner = if name.is_empty() { entry.clone() } else { format!("{name}/{entry}") };
            let is_folder = !self.package.files.has(&format!("{path}{entry}"));
            let is_own = [LEGACY_GROUP, NEWER_GROUP, "sample", "secret"].contains(&entry.as_str());
            if name.is_empty() && !is_own {
                self.package
                    .notes
                    .add(format!("{path}{entry}"), "is left out: tests are in data/sample and data/secret");
                continue;
            }
            match entry.rsplit_once('.') {
                Some((stem, "in")) if !is_folder => {
                    let test =
                        self.test(&format!("{path}{stem}"), inner.trim_end_matches(".in"), &inherited)?;
                    entries.push((stem.to_owned(), Entry::Test(test)));
                }
                Some((stem, ending))
                    if is_folder && ending == "files" && here.contains(&format!("{stem}.in")) => {}
                _ if is_folder => {
                    entries.push((entry.clone(), Entry::Folder(self.folder(&inner, &inherited)?)));
                }
                _ => self.other(&path, entry, &here),
            }
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let said_in = inherited.said_in.unwrap_or_else(|| path.trim_end_matches('/').to_owned());
        Ok(Folder {
            name: name.to_owned(),
            own,
            said_in,
            entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        })
    }

    /// What a folder says about itself, and in which file.
    fn own(&self, folder: &str) -> Result<(Option<Map<String, Value>>, String), Error> {
        let names: &[&str] = match self.metadata.format {
            Format::Legacy => &[LEGACY_GROUP],
            // Earlier drafts had the name of the legacy format.
            Format::Newer => &[NEWER_GROUP, LEGACY_GROUP],
        };
        for name in names {
            let path = format!("{folder}{name}");
            if let Some(own) = self.package.yaml(&path, Some(self.metadata))? {
                return Ok((Some(own), path));
            }
        }
        Ok((None, folder.trim_end_matches('/').to_owned()))
    }

    fn inherit(&mut self, own: &Map<String, Value>, inherited: &mut Inherited) {
        match self.metadata.format {
            // The closest file counts as a whole.
            Format::Legacy => inherited.validator_args = own.get("output_validator_flags").map(flags),
            Format::Newer => {
                if let Some(args) = own.get("args") {
                    inherited.args = flags(args);
                }
                if let Some(args) =
                    own.get("output_validator_args").or_else(|| own.get("output_validator_flags"))
                {
                    inherited.validator_args = Some(flags(args));
                }
                if let Some(Value::Bool(full)) = own.get("full_feedback") {
                    inherited.is_public = *full;
                }
            }
        }
    }

    /// The test whose files begin with `base`.
    fn test(&mut self, base: &str, name: &str, inherited: &Inherited) -> Result<Test, Error> {
        if !self.package.files.has(&format!("{base}.ans")) {
            return Err(Error::unfit(format!("{base}.ans"), "is missing"));
        }
        let mut inherited = inherited.clone();
        let said_in = format!("{base}.yaml");
        if let Some(own) = self.package.yaml(&said_in, Some(self.metadata))? {
            self.inherit(&own, &mut inherited);
            for key in own.keys() {
                if !["args", "output_validator_args", "full_feedback"].contains(&key.as_str()) {
                    self.package.notes.add(&said_in, format!("{key} is left out"));
                }
            }
        }
        let args_file = format!("{base}.args");
        if let Some(text) = self.package.files.text(&args_file)? {
            inherited.args = text.split_whitespace().map(str::to_owned).collect();
            if text.contains(['\'', '"', '\\']) {
                self.package
                    .notes
                    .add(&args_file, "is split at white space: quotes and backslashes mean nothing");
            }
        }
        let folder = format!("{base}.files/");
        let files: Vec<String> = self.package.files.below(&folder).map(str::to_owned).collect();
        let Inherited { args, validator_args, is_public, .. } = inherited;
        Ok(Test { name: name.to_owned(), args, is_public, validator_args, files })
    }

    /// A file that is no input and no group's own.
    fn other(&mut self, folder: &str, name: &str, here: &[String]) {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let belongs = here.contains(&format!("{stem}.in"));
        let is_own = [LEGACY_GROUP, NEWER_GROUP].contains(&name);
        if is_own || (belongs && ["ans", "yaml", "args"].contains(&ending)) {
            return;
        }
        if FOR_PEOPLE.contains(&ending) {
            self.package
                .notes
                .add(format!("{folder}*.{ending}"), "is left out: tests have an input and an answer only");
        } else if ending == "ans" {
            self.package.notes.add(format!("{folder}{name}"), format!("is left out: there is no {stem}.in"));
        } else {
            self.package.notes.add(format!("{folder}{name}"), "is not known here and left out");
        }
    }
}

/// Arguments as a list, or as one text that is split at white space.
pub(super) fn flags(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(as_text).collect(),
        // Of several validators, one by name.
        Value::Object(entries) => entries.get("flags").map(flags).unwrap_or_default(),
        other => as_text(other).unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    }
}

/// The tests as a document has them; their files are taken out of the package.
pub(super) fn tests(package: &mut Package<'_>, data: &Data) -> Value {
    let mut tests = Vec::new();
    for test in data.root.tests() {
        let base = format!("data/{}", test.name);
        let mut object = Map::new();
        object.insert("name".to_owned(), test.name.clone().into());
        object.insert("args".to_owned(), json!(test.args));
        bytes::put(&mut object, "stdin", package.files.take(&format!("{base}.in")).unwrap_or_default());
        bytes::put(&mut object, "expected", package.files.take(&format!("{base}.ans")).unwrap_or_default());
        object.insert("visibility".to_owned(), json!(if test.is_public { "public" } else { "hidden" }));
        object.insert("weight".to_owned(), json!(1));
        if !test.files.is_empty() {
            let content = |path: &String| {
                package.files.get(&format!("{base}.files/{path}")).unwrap_or_default().to_vec()
            };
            let files: Vec<Value> = test.files.iter().map(|path| bytes::file(path, content(path))).collect();
            object.insert("files".to_owned(), Value::Array(files));
        }
        package.origins.insert(format!("/tests/{}", tests.len()), format!("{base}.in"));
        tests.push(Value::Object(object));
    }
    Value::Array(tests)
}

/// How often each of several choices is made; the most frequent one and whether there are others.
pub(super) fn most_frequent<T: Ord + Clone>(choices: impl Iterator<Item = T>) -> Option<(T, bool)> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for choice in choices {
        *counts.entry(choice).or_default() += 1;
    }
    let has_others = counts.len() > 1;
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(choice, _)| (choice, has_others))
}
