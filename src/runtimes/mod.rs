//! Reads the languages: each folder of `runtimes` with a `runtime.toml` is one.

pub mod recipe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::exercise::SourceFile;
use crate::domain::ids::RuntimeId;
use crate::domain::limits::Limits;
use crate::domain::runtime::{Runtime, SOURCES_PLACEHOLDER, Step};

const FILE: &str = "runtime.toml";

/// Folder of the program that proves a runtime's image, in the runtime's folder.
const CHECK: &str = "check";

/// Why the languages can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file can't be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file doesn't say what it must.
    #[error("{path} is not valid")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A file contradicts itself or its folder.
    #[error("{path}: {problem}")]
    Inconsistent {
        /// Which.
        path: PathBuf,
        /// How.
        problem: String,
    },
    /// No folder has a runtime.
    #[error("{0} holds no runtime")]
    None(PathBuf),
}

/// The languages below `folder`, by id; at least one.
pub fn load(folder: &Path) -> Result<BTreeMap<RuntimeId, Runtime>, Error> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    let mut runtimes = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let file = path.join(FILE);
        if file.is_file() {
            let runtime = read(&path, &file)?;
            runtimes.insert(runtime.id.clone(), runtime);
        }
    }
    if runtimes.is_empty() { Err(Error::None(folder.to_owned())) } else { Ok(runtimes) }
}

/// The program that proves the image of the runtime `id` below `folder`: its files, from the folder `check`.
///
/// # Errors
/// That there is none, or it can't be read.
pub fn check_program(folder: &Path, id: &RuntimeId) -> Result<Vec<SourceFile>, Error> {
    let top = folder.join(id.as_str()).join(CHECK);
    let mut files = Vec::new();
    let mut waiting = vec![top.clone()];
    while let Some(path) = waiting.pop() {
        let unreadable = |source| Error::Unreadable { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let content = std::fs::read(&path);
            let content = content.map_err(|source| Error::Unreadable { path: path.clone(), source })?;
            let name = path.strip_prefix(&top).unwrap_or(&path).to_string_lossy().into_owned();
            files.push(SourceFile { path: name, content: content.into() });
        }
    }
    Ok(files)
}

fn read(folder: &Path, file: &Path) -> Result<Runtime, Error> {
    let path = || file.to_owned();
    let text = std::fs::read_to_string(file).map_err(|source| Error::Unreadable { path: path(), source })?;
    let runtime: Runtime =
        toml::from_str(&text).map_err(|source| Error::Invalid { path: path(), source: Box::new(source) })?;
    let inconsistent = |problem: String| Error::Inconsistent { path: path(), problem };
    if folder.file_name().and_then(|name| name.to_str()) != Some(runtime.id.as_str()) {
        return Err(inconsistent(format!("the id {} is not the folder's name", runtime.id)));
    }
    for step in runtime.compile.iter().chain([&runtime.run]) {
        check(step).map_err(inconsistent)?;
    }
    Ok(runtime)
}

fn check(step: &Step) -> Result<(), String> {
    if step.command.is_empty() {
        return Err("a command is empty".to_owned());
    }
    if let Some(word) =
        step.command.iter().find(|word| word.contains(SOURCES_PLACEHOLDER) && *word != SOURCES_PLACEHOLDER)
    {
        return Err(format!("{word}: {SOURCES_PLACEHOLDER} must be a word of its own"));
    }
    let numbers = |limits: &Limits| {
        [
            ("cpu_time_ms", limits.cpu_time_ms),
            ("wall_time_ms", limits.wall_time_ms),
            ("memory_bytes", limits.memory_bytes),
            ("output_bytes", limits.output_bytes),
            ("processes", u64::from(limits.processes)),
        ]
    };
    let (default, maximum) = (numbers(&step.limits.default), numbers(&step.limits.maximum));
    match default
        .into_iter()
        .zip(maximum)
        .find(|((_, default), (_, maximum))| *default == 0 || default > maximum)
    {
        Some(((name, default), (_, maximum))) => {
            Err(format!("{name}: the default {default} must be between 1 and the maximum {maximum}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_runtimes_of_this_repository_are_valid() {
        let runtimes = super::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/runtimes"))).unwrap();

        assert_eq!(
            runtimes.keys().map(crate::domain::ids::RuntimeId::as_str).collect::<Vec<_>>(),
            ["c", "python"]
        );
    }
}
