//! What is sent: the files of a program, as the API takes them.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guichet_client::Client;
use guichet_client::types::Runtime;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::text_of;
use crate::cli::api::Error;

/// The files of a program.
#[derive(Debug)]
pub(super) struct Sources {
    files: Vec<Value>,
    /// Ending of the first one's name.
    ending: Option<String>,
}

impl Sources {
    /// Reads them. A file below the folder of the first keeps its path there, another one its name.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let folder = paths.first().and_then(|first| first.parent()).unwrap_or(Path::new(""));
        let mut files = Vec::new();
        for path in paths {
            let content = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
            let mut file = content_of("content", "content_base64", content);
            file.insert("path".to_owned(), Value::from(name_of(path, folder)));
            files.push(Value::Object(file));
        }
        let ending =
            paths.first().and_then(|path| path.extension()).map(|e| e.to_string_lossy().into_owned());
        Ok(Self { files, ending })
    }
}

/// A file's path as the service has it: below the folder of the first one, or its name alone.
fn name_of(path: &Path, folder: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let is_below = below.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let mut names = below.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _other => None,
    });
    if is_below { names.collect::<Vec<_>>().join("/") } else { names.next_back().unwrap_or_default() }
}

/// Bytes in one of two fields: as text if they are, else in base64.
fn content_of(text: &str, base64: &str, bytes: Vec<u8>) -> Map<String, Value> {
    let field = match String::from_utf8(bytes) {
        Ok(content) => (text.to_owned(), Value::from(content)),
        Err(error) => (base64.to_owned(), Value::from(STANDARD.encode(error.into_bytes()))),
    };
    Map::from_iter([field])
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unfit(format!("{} cannot be read: {error}", path.display()))
}

/// What a run gets.
pub(super) fn run_of(stdin: Option<&Path>, arguments: &[String]) -> Result<Value, Error> {
    let input = match stdin {
        None => Vec::new(),
        Some(path) if path == Path::new("-") => {
            let mut input = Vec::new();
            std::io::stdin().read_to_end(&mut input).map_err(|error| unreadable(path, &error))?;
            input
        }
        Some(path) => std::fs::read(path).map_err(|error| unreadable(path, &error))?,
    };
    let mut run = content_of("stdin", "stdin_base64", input);
    run.insert("args".to_owned(), json!(arguments));
    Ok(Value::Object(run))
}

/// The body of a submission.
///
/// * `runtime` — without it, the one whose entry file has the ending of the first file.
/// * `complete` — adds what it is for.
pub(super) async fn request(
    client: &Client,
    sources: Sources,
    runtime: Option<&str>,
    complete: impl FnOnce(&mut Map<String, Value>),
) -> Result<Value, Error> {
    let Sources { files, ending } = sources;
    let runtime = match runtime {
        Some(runtime) => runtime.to_owned(),
        None => runtime_for(&client.runtimes().await?, ending.as_deref())?,
    };
    let mut body = Map::from_iter([
        ("runtime".to_owned(), Value::from(runtime)),
        ("files".to_owned(), Value::from(files)),
    ]);
    complete(&mut body);
    Ok(Value::Object(body))
}

/// The runtime whose entry file has this ending; of several the one that is called as its language.
fn runtime_for(runtimes: &[Runtime], ending: Option<&str>) -> Result<String, Error> {
    let has_ending = |runtime: &&Runtime| {
        ending.is_some() && Path::new(&runtime.entry_file).extension().and_then(|e| e.to_str()) == ending
    };
    let fitting: Vec<&Runtime> = runtimes.iter().filter(has_ending).collect();
    let plain: Vec<&Runtime> = fitting.iter().copied().filter(|one| one.id == one.language).collect();
    match (fitting.as_slice(), plain.as_slice()) {
        ([only], _) | (_, [only]) => Ok(only.id.clone()),
        _none_or_several => {
            let ids: Vec<&str> = runtimes.iter().map(|runtime| runtime.id.as_str()).collect();
            Err(Error::Unfit(format!("name the runtime by --runtime; there are {}", ids.join(", "))))
        }
    }
}

/// Sends it.
pub(super) async fn submit(client: &Client, body: &Value) -> Result<Value, Error> {
    Ok(client.send(Method::POST, &["v1", "submissions"], body).await?)
}

/// The id of a submission.
pub(super) fn id_of(submission: &Value) -> Result<&str, Error> {
    text_of(submission, "/id").ok_or_else(|| Error::Unfit("the service's answer has no id".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{name_of, runtime_for};

    #[test]
    fn files_below_the_folder_of_the_first_keep_their_paths_and_others_their_names() {
        let names = [
            ("", "main.py", "main.py"),
            ("", "./a/b.py", "a/b.py"),
            ("a", "a/main.py", "main.py"),
            ("a", "a/b/c.py", "b/c.py"),
            ("a", "../x/c.py", "c.py"),
            ("/x", "/x/y/d.py", "y/d.py"),
            ("/x", "/z/d.py", "d.py"),
        ];

        for (folder, path, name) in names {
            assert_eq!(name_of(Path::new(path), Path::new(folder)), name);
        }
    }

    #[test]
    fn a_runtime_is_found_by_an_ending_and_of_several_the_one_called_as_its_language() {
        let limits = json!({ "cpu_time_ms": 1, "wall_time_ms": 1, "memory_bytes": 1, "output_bytes": 1, "processes": 1 });
        let runtime = |id: &str, language: &str, entry_file: &str| {
            let range = json!({ "default": limits, "maximum": limits });
            let fields = json!({ "id": id, "language": language, "version": "1", "name": id, "entry_file": entry_file,
                "compiled": false, "limits": range, "ready": true, "blocked_by": null });
            serde_json::from_value(fields).unwrap()
        };
        let runtimes = [
            runtime("c", "c", "main.c"),
            runtime("python", "python", "main.py"),
            runtime("python-old", "python", "main.py"),
            runtime("a", "rust", "main.rs"),
            runtime("b", "rust", "main.rs"),
        ];

        assert_eq!(runtime_for(&runtimes, Some("c")).unwrap(), "c");
        assert_eq!(runtime_for(&runtimes, Some("py")).unwrap(), "python");
        for ending in [Some("rs"), Some("go"), None] {
            let error = runtime_for(&runtimes, ending).unwrap_err().to_string();
            assert_eq!(error, "name the runtime by --runtime; there are c, python, python-old, a, b");
        }
    }
}
