//! Packages of exercises on this machine: a folder or a zip is read, checked, sent to a service, and written.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use guichet_client::Client;
use reqwest::Method;
use serde_json::{Value, json};

use super::api::{Error, shown};
use crate::config::Config;
use crate::http::exercise_packages;
use crate::packages::{self, Draft, Files, MAX_FILES, MAX_UNPACKED_BYTES, archive};
use crate::runtimes;

/// Longest archive that is read.
const MAX_ARCHIVE_BYTES: u64 = 48 << 20;

fn unfit(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Unfit(format!("{}: {reason}", path.display()))
}

/// Checks a package without any service, by the languages of the settings; answers whether an import would take it.
///
/// # Errors
/// [`Error::Unfit`] if it cannot be read at all.
pub fn validate(
    config: &Config,
    path: &Path,
    as_json: bool,
    out: &mut (dyn Write + Send),
) -> Result<bool, Error> {
    let runtimes = runtimes::load(&config.runtimes_dir()).map_err(|error| Error::Unfit(error.to_string()))?;
    let files = load(path)?;
    let mut draft = match packages::read(files, &runtimes) {
        Ok(draft) => draft,
        Err(error) => {
            return told(
                &Told { id: None, notes: Vec::new(), errors: vec![of_package(&error)] },
                as_json,
                out,
            );
        }
    };
    let checked = exercise_packages::check(&mut draft, &runtimes);
    let errors = checked.err().unwrap_or_default();
    let errors = errors.into_iter().map(|error| (error.pointer, error.message)).collect();
    let Draft { id, notes, .. } = draft;
    let notes = notes.into_iter().map(|note| (note.path, note.message)).collect();
    told(&Told { id, notes, errors }, as_json, out)
}

/// What is said about a package: places with messages.
struct Told {
    id: Option<String>,
    notes: Vec<(String, String)>,
    errors: Vec<(String, String)>,
}

fn of_package(error: &packages::Error) -> (String, String) {
    match error {
        packages::Error::Unfit { path, message } => (path.clone(), message.clone()),
        packages::Error::TooLarge(_) | packages::Error::NoRoom => (String::new(), error.to_string()),
    }
}

fn told(told: &Told, as_json: bool, out: &mut (dyn Write + Send)) -> Result<bool, Error> {
    let Told { id, notes, errors } = told;
    let is_valid = errors.is_empty();
    if as_json {
        let notes: Vec<Value> =
            notes.iter().map(|(path, message)| json!({ "path": path, "message": message })).collect();
        let errors: Vec<Value> =
            errors.iter().map(|(place, message)| json!({ "pointer": place, "message": message })).collect();
        writeln!(out, "{:#}", json!({ "id": id, "valid": is_valid, "notes": notes, "errors": errors }))?;
        return Ok(is_valid);
    }
    print_notes(notes.iter().map(|(path, message)| (path.as_str(), message.as_str())), out)?;
    for (place, message) in errors {
        writeln!(out, "error: {} {}", shown(place), shown(message))?;
    }
    let id = id.as_deref().unwrap_or("the exercise");
    writeln!(out, "{} is {}", shown(id), if is_valid { "valid" } else { "not valid" })?;
    Ok(is_valid)
}

fn print_notes<'a>(
    notes: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    for (path, message) in notes {
        writeln!(out, "note: {} {}", shown(path), shown(message))?;
    }
    Ok(())
}

/// Sends a package to a service; its id is the one given, else its own, else the name of its folder or file.
///
/// # Errors
/// [`Error`].
pub async fn import(client: &Client, path: &Path, id: Option<String>) -> Result<Value, Error> {
    let files = load(path)?;
    let id = id.or_else(|| packages::id_of(&files));
    let zip = if path.is_dir() {
        archive::write(files.iter()).map_err(|error| unfit(path, error))?
    } else {
        std::fs::read(path).map_err(|error| unfit(path, error))?
    };
    let query: Vec<(&str, &str)> = id.as_deref().map(|id| ("id", id)).into_iter().collect();
    Ok(client
        .send_bytes(Method::POST, &["v1", "exercises", "import"], &query, "application/zip", zip)
        .await?)
}

/// Says what was imported.
///
/// # Errors
/// [`Error::Output`].
pub fn tell_import(answer: &Value, out: &mut (dyn Write + Send)) -> Result<(), Error> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let notes = answer.get("notes").and_then(Value::as_array).cloned().unwrap_or_default();
    let notes: Vec<_> = notes.iter().map(|note| (text(note, "path"), text(note, "message"))).collect();
    print_notes(notes.iter().map(|(path, message)| (path.as_str(), message.as_str())), out)?;
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    let tests = number("test_count");
    let tests = format!("{tests} {}", if tests == 1 { "test" } else { "tests" });
    writeln!(out, "{} is stored: version {}, {tests}", shown(&text(answer, "id")), number("version"))?;
    Ok(())
}

/// Writes an exercise of a service to a file that is not there yet.
///
/// # Errors
/// [`Error`]; nothing is written over.
pub async fn export(client: &Client, id: &str, to: Option<PathBuf>) -> Result<PathBuf, Error> {
    let zip = client.bytes(&["v1", "exercises", id, "export"]).await?;
    let to = to.unwrap_or_else(|| PathBuf::from(format!("{}.zip", id.replace('/', "_"))));
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&to).map_err(|error| unfit(&to, error))?;
    file.write_all(&zip).map_err(|error| unfit(&to, error))?;
    Ok(to)
}

/// The files of a folder or a zip, in a folder of its name.
fn load(path: &Path) -> Result<Files, Error> {
    let is_folder = path.is_dir();
    let whole = path.canonicalize().map_err(|error| unfit(path, error))?;
    let name = if is_folder { whole.file_name() } else { whole.file_stem() };
    let name = name.and_then(|name| name.to_str()).map(str::to_owned);
    let files = if is_folder {
        let mut files = Files::default();
        walk(&whole, &whole, &mut files)?;
        files
    } else {
        let length = std::fs::metadata(&whole).map_err(|error| unfit(path, error))?.len();
        if length > MAX_ARCHIVE_BYTES {
            return Err(unfit(path, format!("an archive may have {MAX_ARCHIVE_BYTES} bytes")));
        }
        let bytes = std::fs::read(&whole).map_err(|error| unfit(path, error))?;
        archive::read(&bytes, &mut |_unpacked| true).map_err(|error| unfit(path, error))?
    };
    Ok(files.below_their_top().in_folder(name))
}

/// Adds the files below `folder`. Links are followed within the package, as its format allows, and nowhere else.
fn walk(top: &Path, folder: &Path, files: &mut Files) -> Result<(), Error> {
    let mut waiting = vec![(folder.to_owned(), String::new())];
    let mut entries = 0;
    while let Some((folder, below)) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| unfit(&folder, error))? {
            let entry = entry.map_err(|error| unfit(&folder, error))?;
            entries += 1;
            if entries > MAX_FILES {
                return Err(unfit(top, format!("has more than {MAX_FILES} files and folders")));
            }
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| unfit(&entry.path(), "has a name that is not UTF-8"))?;
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let target = entry.path().canonicalize().map_err(|error| unfit(&entry.path(), error))?;
            if !target.starts_with(top) {
                return Err(unfit(&entry.path(), "leads out of the package"));
            }
            let about = std::fs::metadata(&target).map_err(|error| unfit(&entry.path(), error))?;
            if about.is_dir() {
                files.add_folder(&path).map_err(|error| unfit(top, error))?;
                waiting.push((target, path));
            } else if about.is_file() {
                let most = u64::try_from(MAX_UNPACKED_BYTES).unwrap_or(u64::MAX);
                if about.len() > most {
                    return Err(unfit(
                        &entry.path(),
                        format!("the files of a package may have {most} bytes together"),
                    ));
                }
                let content = std::fs::read(&target).map_err(|error| unfit(&entry.path(), error))?;
                files.add(&path, content).map_err(|error| unfit(top, error))?;
            } else {
                return Err(unfit(&entry.path(), "is neither a file nor a folder"));
            }
        }
    }
    Ok(())
}
