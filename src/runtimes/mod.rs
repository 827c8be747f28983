//! Reads the languages: each folder of `runtimes` with a `runtime.toml` is one.

pub mod recipe;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::domain::exercise::SourceFile;
use crate::domain::ids::RuntimeId;
use crate::domain::limits::Limits;
use crate::domain::runtime::{ErrorFormat, OverlayFile, Runtime, SOURCES_PLACEHOLDER, Step};

const FILE: &str = "runtime.toml";

/// Folder of the program that proves a runtime's image, in the runtime's folder.
const CHECK: &str = "check";

/// Folder of the files that are laid over an image's tree, in the runtime's folder.
const IMAGE: &str = "image";

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
    for path in files_below(&top)? {
        let content = contents(&path)?.into();
        files.push(SourceFile { path: relative(&top, &path), content });
    }
    Ok(files)
}

/// What is laid over the tree of the image that the runtime in `folder` describes.
fn overlay(folder: &Path) -> Result<Vec<OverlayFile>, Error> {
    let top = folder.join(IMAGE);
    if !top.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in files_below(&top)? {
        let unreadable = |source| Error::Unreadable { path: path.clone(), source };
        let executable = path.metadata().map_err(unreadable)?.permissions().mode() & 0o111 != 0;
        files.push(OverlayFile { path: relative(&top, &path), content: contents(&path)?, executable });
    }
    files.sort_unstable();
    Ok(files)
}

fn files_below(top: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(path) = waiting.pop() {
        let unreadable = |source| Error::Unreadable { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() { waiting.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

fn contents(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

fn relative(top: &Path, path: &Path) -> String {
    path.strip_prefix(top).unwrap_or(path).to_string_lossy().into_owned()
}

fn read(folder: &Path, file: &Path) -> Result<Runtime, Error> {
    let path = || file.to_owned();
    let text = std::fs::read_to_string(file).map_err(|source| Error::Unreadable { path: path(), source })?;
    let mut runtime: Runtime =
        toml::from_str(&text).map_err(|source| Error::Invalid { path: path(), source: Box::new(source) })?;
    let inconsistent = |problem: String| Error::Inconsistent { path: path(), problem };
    if folder.file_name().and_then(|name| name.to_str()) != Some(runtime.id.as_str()) {
        return Err(inconsistent(format!("the id {} is not the folder's name", runtime.id)));
    }
    for step in runtime.compile.iter().chain([&runtime.run]) {
        check(step).map_err(inconsistent)?;
    }
    check_messages(&runtime).map_err(inconsistent)?;
    if let Some(recipe) = &mut runtime.build {
        recipe.overlay = overlay(folder)?;
    }
    Ok(runtime)
}

/// Whether what is said of messages stands where it is used, with the groups it needs.
fn check_messages(runtime: &Runtime) -> Result<(), String> {
    let compile = runtime.compile.as_ref();
    if compile.is_some_and(|step| step.error.is_some()) {
        return Err("error belongs to [run]: a compiler's messages are told by diagnostics".to_owned());
    }
    if !runtime.run.diagnostics.is_empty() {
        return Err(
            "diagnostics belong to [compile]: a failing program's message is told by [run.error]".to_owned()
        );
    }
    let patterns = compile.map_or(&[][..], |step| &step.diagnostics);
    if patterns.iter().any(|pattern| !pattern.has("message")) {
        return Err("a pattern of diagnostics has no group message".to_owned());
    }
    match &runtime.run.error {
        Some(error) if !error.message.has("message") => {
            Err("run.error.message has no group message".to_owned())
        }
        Some(ErrorFormat { place: Some(place), .. }) if !place.has("file") || !place.has("line") => {
            Err("run.error.place needs the groups file and line".to_owned())
        }
        Some(_) | None => Ok(()),
    }
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
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn refusal(change: impl Fn(&str) -> String) -> String {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("c");
        std::fs::create_dir(&folder).unwrap();
        let whole = include_str!("../../runtimes/c/runtime.toml");
        let (before, messages) = whole.split_once("[run.error]").unwrap();
        let (_messages, after) = messages.split_once("\n[build]").unwrap();
        std::fs::write(folder.join("runtime.toml"), change(&format!("{before}[build]{after}"))).unwrap();
        let error = super::load(top.path()).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    }

    #[test]
    fn the_runtimes_of_this_repository_are_valid() {
        let runtimes = super::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/runtimes"))).unwrap();

        assert!(["c", "python"].iter().all(|id| runtimes.keys().any(|known| known.as_str() == *id)));
    }

    #[test]
    fn a_pattern_must_be_one_and_stand_where_it_is_used() {
        let with = |lines: &str, section: &str| {
            let lines = lines.to_owned();
            let section = section.to_owned();
            refusal(move |toml| toml.replacen(&section, &format!("{section}\n{lines}"), 1))
        };

        assert!(with("diagnostics = ['(']", "[compile]").contains("regex parse error"));
        assert!(with("diagnostics = ['x']", "[compile]").contains("no group message"));
        assert!(with("diagnostics = ['(?P<message>x)']", "[run]").contains("belong to [compile]"));
        assert!(with("error = { message = '(?P<message>x)' }", "[compile]").contains("belongs to [run]"));
        assert!(with("error = { message = 'x' }", "[run]").contains("no group message"));
        assert!(
            with("error = { message = '(?P<message>x)', place = 'x' }", "[run]").contains("file and line")
        );
    }

    #[test]
    fn files_beside_a_recipe_are_laid_over_the_image_with_their_folders_and_whether_they_run() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("c");
        std::fs::create_dir_all(folder.join("image/usr/bin")).unwrap();
        std::fs::write(folder.join("runtime.toml"), include_str!("../../runtimes/c/runtime.toml")).unwrap();
        std::fs::write(folder.join("image/usr/bin/tool"), "x").unwrap();
        std::fs::set_permissions(folder.join("image/usr/bin/tool"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        std::fs::write(folder.join("image/note"), "y").unwrap();

        let runtimes = super::load(top.path()).unwrap();

        let overlay = &runtimes.values().next().unwrap().build.as_ref().unwrap().overlay;
        let told = overlay.iter().map(|file| (file.path.as_str(), file.executable));
        assert_eq!(told.collect::<Vec<_>>(), [("note", false), ("usr/bin/tool", true)]);
    }
}
