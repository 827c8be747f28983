//! Paths below a folder: plain names only, so that they lead nowhere else.

use std::ffi::{CStr, CString};

use super::fault::Fault;

/// Longest path, in bytes.
const PATH_BYTES: usize = 1024;

/// Most names in a path.
const NAMES: usize = 33;

/// Longest name, in bytes.
const NAME_BYTES: usize = 255;

/// A path of one or more plain names. In the order of paths a folder comes before what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<u8>);

impl From<&CStr> for Path {
    /// The path of one name, which is plain.
    fn from(name: &CStr) -> Self {
        Self(name.to_bytes().to_vec())
    }
}

impl Path {
    /// The path of `name`, which is plain, inside this one.
    pub fn join(&self, name: &CStr) -> Self {
        Self([&self.0, b"/".as_slice(), name.to_bytes()].concat())
    }

    /// The path behind this one that Guichet asks for.
    pub fn join_asked(&self, asked: &str) -> Result<Self, Fault> {
        const WRONG: Fault = Fault::Request("a path that is not below the work folder");
        let is_plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES;
        let path = Self([&self.0, b"/".as_slice(), asked.as_bytes()].concat());
        if asked.split('/').all(is_plain) && !asked.contains('\0') && path.is_short() {
            Ok(path)
        } else {
            Err(WRONG)
        }
    }

    /// The folders that this path leads through below `top`, from the outermost.
    pub fn folders_below(&self, top: &Self) -> impl Iterator<Item = Self> {
        let ends = self.0.iter().enumerate().skip(top.0.len() + 1).filter(|(_, byte)| **byte == b'/');
        ends.filter_map(|(end, _)| Some(Self(self.0.get(..end)?.to_vec())))
    }

    /// Whether this path leads through `folder`.
    pub fn is_inside(&self, folder: &Self) -> bool {
        self.0.strip_prefix(folder.0.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
    }

    /// Whether it is short enough to be walked.
    pub fn is_short(&self) -> bool {
        self.0.len() <= PATH_BYTES && self.0.split(|byte| *byte == b'/').count() <= NAMES
    }

    /// As the kernel takes it.
    pub fn to_text(&self) -> std::io::Result<CString> {
        Ok(CString::new(self.0.as_slice())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top() -> Path {
        Path::from(c"work")
    }

    #[test]
    fn a_path_of_plain_names_leads_through_its_folders() {
        let path = top().join_asked("a/b c/d.txt").unwrap();

        let folders: Vec<_> = path.folders_below(&top()).map(|folder| folder.to_text().unwrap()).collect();

        assert_eq!(folders, [c"work/a".to_owned(), c"work/a/b c".to_owned()]);
        assert!(path.is_inside(&top().join(c"a")) && !path.is_inside(&top().join(c"a/b")));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\0b"] {
            assert!(top().join_asked(path).is_err(), "{path:?}");
        }
    }
}
