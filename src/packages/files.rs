//! The files of a package by path, in the order of their paths.

use std::collections::{BTreeMap, HashMap};

use super::{Error, OWN, PROBLEM};

/// Most bytes that the files of a package may have together.
pub const MAX_UNPACKED_BYTES: usize = 64 << 20;
/// Most files and folders of a package.
pub const MAX_FILES: usize = 10_000;
/// Longest path, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// Most parts of a path.
const MAX_PATH_PARTS: usize = 32;

/// What other programs leave in folders and archives.
const LITTER: [&str; 4] = ["__MACOSX", ".DS_Store", "Thumbs.db", ".git"];

/// Files by path: relative, with `/`, in UTF-8 and harmless.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The folder that all of them are in, which their paths do not name.
    top: Option<String>,
    by_path: BTreeMap<String, Vec<u8>>,
    /// Each path and each of its folders in small letters, as it is written.
    written: HashMap<String, String>,
    bytes: usize,
}

impl Files {
    /// Adds a file; its bytes count against [`MAX_UNPACKED_BYTES`].
    ///
    /// # Errors
    /// [`Error::Unfit`] for a path that leaves the package, is too long, or is another's for some system.
    pub fn add(&mut self, path: &str, content: Vec<u8>) -> Result<(), Error> {
        self.enter(path)?;
        if is_litter(path) {
            return Ok(());
        }
        self.bytes += content.len();
        if self.bytes > MAX_UNPACKED_BYTES {
            return Err(too_large());
        }
        match self.by_path.insert(path.to_owned(), content) {
            None => Ok(()),
            Some(_) => Err(Error::unfit(path, "comes twice")),
        }
    }

    /// Takes note of a folder, which has no content of its own.
    ///
    /// # Errors
    /// As for a file.
    pub fn add_folder(&mut self, path: &str) -> Result<(), Error> {
        match path.trim_end_matches('/') {
            "" => Err(Error::unfit(path, "is the path of no folder")),
            path => self.enter(&format!("{path}/")),
        }
    }

    /// Remembers a path and its folders, so that no two differ in case alone and none is file and folder.
    fn enter(&mut self, path: &str) -> Result<(), Error> {
        if let Some(problem) = path_problem(path) {
            return Err(Error::unfit(shortened(path), problem));
        }
        let ends = path.match_indices('/').map(|(end, _)| (end, true)).chain(
            // What ends with a slash is a folder, and was met by it.
            (!path.ends_with('/')).then_some((path.len(), false)),
        );
        for (end, is_folder) in ends {
            let part = path.get(..end).unwrap_or(path);
            let written = if is_folder { format!("{part}/") } else { part.to_owned() };
            match self.written.get(&part.to_lowercase()) {
                None => {
                    if self.written.len() >= 2 * MAX_FILES {
                        return Err(Error::unfit("", format!("has more than {MAX_FILES} files and folders")));
                    }
                    self.written.insert(part.to_lowercase(), written);
                }
                Some(other) if *other == written && is_folder => {}
                Some(other) if *other == written => return Err(Error::unfit(part, "comes twice")),
                Some(other) if other.trim_end_matches('/') == part => {
                    return Err(Error::unfit(part, "is a file and a folder"));
                }
                Some(other) => {
                    let message = format!("differs from {} in case alone", other.trim_end_matches('/'));
                    return Err(Error::unfit(part, message));
                }
            }
        }
        Ok(())
    }

    /// The same files without the only folder that holds them, unless what describes the package stands beside it.
    #[must_use]
    pub fn below_their_top(mut self) -> Self {
        let first = self.by_path.keys().find_map(|path| Some(path.split_once('/')?.0.to_owned()));
        let (false, false, Some(top)) = (self.has(OWN), self.has(PROBLEM), first) else { return self };
        let inside = format!("{top}/");
        if self.by_path.keys().all(|path| path.starts_with(&inside)) {
            let files = std::mem::take(&mut self.by_path).into_iter();
            let shorter = |(path, content): (String, _)| {
                (path.get(inside.len()..).unwrap_or_default().to_owned(), content)
            };
            self.by_path = files.map(shorter).collect();
            self.top = Some(top);
        }
        self
    }

    /// The folder that all of them are in, as it is called.
    pub(super) fn top(&self) -> Option<&str> {
        self.top.as_deref()
    }

    /// Names the folder that they are in, if no archive does.
    #[must_use]
    pub fn in_folder(mut self, name: Option<String>) -> Self {
        self.top = self.top.or(name);
        self
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn get(&self, path: &str) -> Option<&[u8]> {
        self.by_path.get(path).map(Vec::as_slice)
    }

    /// Takes a file out.
    pub(super) fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.by_path.remove(path)
    }

    /// The text of a file; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Unfit`] if it is not UTF-8.
    pub(super) fn text(&self, path: &str) -> Result<Option<&str>, Error> {
        let text = self.get(path).map(std::str::from_utf8).transpose();
        text.map_err(|_not_text| Error::unfit(path, "is not UTF-8"))
    }

    /// All paths, in order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.by_path.keys().map(String::as_str)
    }

    /// The paths below a folder, which ends with `/`, in order and without it.
    pub(super) fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        let from = self.by_path.range(folder.to_owned()..).map(|(path, _)| path.as_str());
        from.map_while(move |path| path.strip_prefix(folder))
    }

    /// All files, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.by_path.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }
}

/// Names directly in a folder, of files and of folders, each once and in order.
pub(super) fn names<'a>(below: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = below.map(|path| path.split('/').next().unwrap_or(path)).collect();
    names.dedup();
    names
}

pub(super) fn too_large() -> Error {
    Error::TooLarge(format!("the files of a package may have {MAX_UNPACKED_BYTES} bytes together"))
}

fn is_litter(path: &str) -> bool {
    path.split('/').any(|part| LITTER.contains(&part))
}

/// What is wrong with a path, if anything; that of a folder ends with `/`.
fn path_problem(path: &str) -> Option<&'static str> {
    let plain = path.strip_suffix('/').unwrap_or(path);
    if plain.is_empty() {
        Some("is an empty path")
    } else if plain.len() > MAX_PATH_BYTES {
        Some("is the beginning of a path of more than 1024 bytes")
    } else if plain.starts_with('/') {
        Some("must be a relative path")
    } else if plain.contains('\\') || plain.chars().any(char::is_control) {
        Some("must not contain a backslash, NUL or control characters")
    } else if plain.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("must not contain empty parts, `.` or `..`")
    } else if plain.split('/').count() > MAX_PATH_PARTS {
        Some("must not have more than 32 parts")
    } else {
        None
    }
}

/// The beginning of a path, as an answer repeats it.
fn shortened(path: &str) -> &str {
    path.get(..path.floor_char_boundary(200)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{Error, Files, names};

    fn of(paths: &[&str]) -> Result<Files, Error> {
        let mut files = Files::default();
        for path in paths {
            files.add(path, Vec::new())?;
        }
        Ok(files)
    }

    #[test]
    fn a_path_that_leaves_the_package_or_is_anothers_somewhere_is_refused() {
        let long = "a".repeat(2000);
        let deep = "a/".repeat(40) + "b";
        let hostile = ["", "/etc/passwd", "../a", "a/../../b", "a\\b", "a\0b", "a//b", "a/./b", &long, &deep];
        for path in hostile {
            assert!(of(&[path]).is_err(), "{path:?}");
        }
        for twins in [["a", "a"], ["a/b", "A/c"], ["É", "é"], ["a", "a/b"], ["a/b", "a"]] {
            assert!(of(&twins).is_err(), "{twins:?}");
        }
        assert!(of(&["a/b", "a/c", "b", "a.b"]).is_ok());
    }

    #[test]
    fn the_only_folder_is_not_a_part_of_the_paths_and_litter_is_no_file() {
        let files = of(&["sum/problem.yaml", "sum/data/1.in", "__MACOSX/sum/._problem.yaml"]).unwrap();

        let files = files.below_their_top();

        assert_eq!(
            (files.top(), files.paths().collect::<Vec<_>>()),
            (Some("sum"), vec!["data/1.in", "problem.yaml"])
        );
        assert_eq!(names(files.paths()), ["data", "problem.yaml"]);
        assert_eq!(files.below("data/").collect::<Vec<_>>(), ["1.in"]);
    }
}
