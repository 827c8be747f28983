//! Rules for what comes from outside, each with a pointer to what breaks it.

use std::collections::HashSet;

use super::error::{Error, FieldError, InvalidCode};
use crate::domain::exercise::SourceFile;
use crate::domain::runtime::Runtime;

/// Most bytes of a submission's files together.
pub const MAX_FILES_BYTES: usize = 1 << 20;
/// Most files of a submission.
pub const MAX_FILES: usize = 256;
/// Longest path of a file, in bytes.
pub const MAX_PATH_BYTES: usize = 255;
/// Most parts of a path: folders and the name. The agent refuses more, and the work folder has room for so many
/// folders of [`MAX_FILES`] files.
pub const MAX_PATH_PARTS: usize = 32;
/// Longest arguments of a program together, in bytes.
pub const MAX_ARGS_BYTES: usize = 64 << 10;

/// Most wrong fields that are listed.
const MAX_LISTED: usize = 1000;

/// What is wrong with a request, found so far; what comes behind the first 1,000 is not listed.
#[derive(Debug, Default)]
pub struct Faults {
    errors: Vec<FieldError>,
}

impl Faults {
    /// Adds a wrong field of the body.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.errors.len() < MAX_LISTED {
            self.errors.push(FieldError::body(pointer, message));
        }
    }

    /// Everything found, as an error; nothing found is success.
    pub fn none(self) -> Result<(), Error> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid { code: InvalidCode::ValidationFailed, errors: self.errors })
        }
    }

    /// Parses an id; what is wrong with it is added.
    pub fn parse<T>(&mut self, pointer: impl Into<String>, text: &str) -> Option<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.add(pointer, T::Err::to_string(&error));
                None
            }
        }
    }
}

/// Files of a submission: 1 to 256, with different, harmless paths.
///
/// # Errors
/// [`Error::TooLarge`] if they are longer than [`MAX_FILES_BYTES`] together.
pub fn files(faults: &mut Faults, pointer: &str, files: &[SourceFile]) -> Result<(), Error> {
    if files.iter().map(|file| file.content.len()).sum::<usize>() > MAX_FILES_BYTES {
        return Err(Error::TooLarge(format!(
            "the files of a submission may have {MAX_FILES_BYTES} bytes together"
        )));
    }
    if files.is_empty() || files.len() > MAX_FILES {
        faults.add(pointer, format!("must have 1 to {MAX_FILES} files"));
    }
    paths(faults, pointer, files);
    Ok(())
}

/// Paths of files: relative, plain, different, and none a folder of another.
pub fn paths(faults: &mut Faults, pointer: &str, files: &[SourceFile]) {
    let mut seen = HashSet::new();
    // Not of any path: one of a million slashes would have as many folders.
    let plain = files.iter().filter(|file| path_problem(&file.path).is_none());
    let folders: HashSet<&str> = plain.flat_map(|file| folders_of(&file.path)).collect();
    for (index, file) in files.iter().enumerate() {
        let at = format!("{pointer}/{index}/path");
        if let Some(problem) = path_problem(&file.path) {
            faults.add(at, problem);
        } else if !seen.insert(file.path.as_str()) {
            faults.add(at, "is the path of another file");
        } else if folders.contains(file.path.as_str()) {
            faults.add(at, "is a folder of another file");
        }
    }
}

fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(end, _)| path.get(..end))
}

/// What is wrong with a path, if anything.
fn path_problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("must not be empty")
    } else if path.len() > MAX_PATH_BYTES {
        Some("must not be longer than 255 bytes")
    } else if path.starts_with('/') {
        Some("must be relative")
    } else if path.contains('\\') || path.chars().any(char::is_control) {
        Some("must not contain a backslash, NUL or control characters")
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("must not contain empty parts, `.` or `..`")
    } else if path.split('/').count() > MAX_PATH_PARTS {
        Some("must not have more than 32 parts")
    } else {
        None
    }
}

/// That one of the files is what the runtime runs.
pub fn entry(faults: &mut Faults, pointer: &str, runtime: &Runtime, files: &[SourceFile]) {
    if !files.is_empty() && runtime.entry(files.iter().map(|file| file.path.as_str())).is_none() {
        faults.add(pointer, format!("one of several files must be named {}", runtime.entry_file));
    }
    for (index, file) in files.iter().enumerate() {
        if file.path.starts_with('-') {
            faults.add(format!("{pointer}/{index}/path"), "must not begin with `-`");
        }
    }
}

/// Arguments of a program.
pub fn args(faults: &mut Faults, pointer: &str, args: &[String]) {
    if args.iter().map(|arg| arg.len() + 1).sum::<usize>() > MAX_ARGS_BYTES {
        faults.add(pointer, format!("must not be longer than {MAX_ARGS_BYTES} bytes together"));
    }
    for (index, arg) in args.iter().enumerate() {
        if arg.contains('\0') {
            faults.add(format!("{pointer}/{index}"), "must not contain NUL");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, MAX_LISTED, MAX_PATH_PARTS, SourceFile, args, files};

    fn verdict_on(paths: &[&str]) -> Vec<String> {
        let all: Vec<SourceFile> =
            paths.iter().map(|path| SourceFile { path: (*path).to_owned(), content: "".into() }).collect();
        let mut faults = Faults::default();
        files(&mut faults, "/files", &all).unwrap();
        faults.errors.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn plain_paths_in_folders_are_taken() {
        assert!(verdict_on(&["main.py", "pkg/a.py", "pkg/b c#é.py"]).is_empty());
    }

    #[test]
    fn paths_that_leave_or_confuse_are_refused() {
        let hostile = ["", ".", "/etc/passwd", "a/../b", "a\\b", "a\0b", "a\nb", "a//b", "a/"];

        assert_eq!(verdict_on(&hostile).len(), hostile.len());
    }

    #[test]
    fn a_path_deeper_than_the_agent_takes_is_refused() {
        let deepest = "a/".repeat(MAX_PATH_PARTS - 1) + "b";

        assert!(verdict_on(&[&deepest]).is_empty());
        assert_eq!(verdict_on(&[&format!("a/{deepest}")]), ["/files/0/path"]);
    }

    #[test]
    fn a_path_that_comes_twice_is_refused() {
        assert_eq!(verdict_on(&["main.py", "main.py"]), ["/files/1/path"]);
    }

    #[test]
    fn a_path_of_nothing_but_slashes_costs_no_more_than_another() {
        let slashes = "a/".repeat(1 << 20);

        assert_eq!(verdict_on(&[&slashes, "a"]), ["/files/0/path"]);
    }

    #[test]
    fn a_long_list_of_faults_is_cut() {
        let mut faults = Faults::default();

        args(&mut faults, "/args", &vec!["\0".to_owned(); 10_000]);

        assert_eq!(faults.errors.len(), MAX_LISTED);
    }

    #[test]
    fn a_file_is_no_folder() {
        assert_eq!(verdict_on(&["a", "a/b"]), ["/files/0/path"]);
    }
}
