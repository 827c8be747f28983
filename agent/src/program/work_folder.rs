//! The work folder `/w`: what Guichet wrote and what a compilation made is recorded and stays; all else goes.
//!
//! All that stays belongs to root, in folders of root that are sticky: a command may create files everywhere, and
//! neither change, rename nor remove what was there before it. So a record is a folder's path and, in it, names
//! and inode numbers.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{CStr, CString},
    fs::{File, Permissions},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt, fchown},
    },
};

use super::{
    fault::{Context, Fault},
    folder::{Entry, Kind, Sweeper},
    sys,
};

/// Folders in which commands may create files: sticky and open to all.
const SHARED_MODE: u32 = 0o1777;

/// Longest path, in bytes, that is kept.
const PATH_BYTES: usize = 1024;

/// Most folders on the way to what is kept.
const PATH_FOLDERS: usize = 32;

/// Names and inode numbers of what stays in one folder.
type Kept = HashMap<CString, u64>;

/// The work folder and the record of what stays in it.
pub struct WorkFolder {
    root: OwnedFd,
    /// By path relative to the root, which is the empty path.
    folders: BTreeMap<Vec<u8>, Kept>,
}

impl WorkFolder {
    /// Takes an open folder as the work folder; nothing in it is recorded.
    pub fn new(root: OwnedFd) -> Self {
        let mut folder = Self { root, folders: BTreeMap::new() };
        folder.forget();
        folder
    }

    /// Forgets what was recorded: the next [`Self::clean`] removes everything.
    pub fn forget(&mut self) {
        self.folders.clear();
        self.folders.insert(Vec::new(), Kept::new());
    }

    /// Writes a file of Guichet, with the folders on its way; it takes the place of what a command made.
    pub fn write(
        &mut self,
        sweeper: &mut Sweeper,
        path: &str,
        append: bool,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let (folder_path, name) = check(path)?;
        let mut walked = Vec::new();
        let mut dir = self.root.try_clone().context("open the work folder")?;
        for part in folder_path {
            dir = self.enter(sweeper, &dir, &mut walked, &part).context("make a folder of a file")?;
        }
        let mut file = if append {
            self.kept_in(&walked, &name)?;
            let fd = sys::open_at(dir.as_fd(), &name, libc::O_WRONLY | libc::O_APPEND, 0);
            File::from(fd.context("open a file again")?)
        } else {
            self.create(sweeper, &dir, &walked, name).context("create a file")?
        };
        file.write_all(bytes).context("write a file")
    }

    fn kept_in(&self, folder: &[u8], name: &CStr) -> Result<(), Fault> {
        let kept = self.folders.get(folder).is_some_and(|kept| kept.contains_key(name));
        if kept { Ok(()) } else { Err(Fault::Request("more of a file that was not begun")) }
    }

    fn enter(
        &mut self,
        sweeper: &mut Sweeper,
        dir: &OwnedFd,
        walked: &mut Vec<u8>,
        part: &CStr,
    ) -> io::Result<OwnedFd> {
        let inside = join(walked, part);
        if !self.folders.contains_key(&inside) {
            self.displace(sweeper, dir.as_fd(), walked, part)?;
            sys::make_folder_at(dir.as_fd(), part)?;
        }
        let folder = sys::open_folder_at(dir.as_fd(), part)?;
        if !self.folders.contains_key(&inside) {
            let inode = share(folder.as_fd())?;
            self.record(walked, part.to_owned(), inode);
            self.folders.insert(inside.clone(), Kept::new());
        }
        *walked = inside;
        Ok(folder)
    }

    fn create(
        &mut self,
        sweeper: &mut Sweeper,
        dir: &OwnedFd,
        walked: &[u8],
        name: CString,
    ) -> io::Result<File> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        let opened = match sys::open_at(dir.as_fd(), &name, flags, 0o644) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.displace(sweeper, dir.as_fd(), walked, &name)?;
                sys::open_at(dir.as_fd(), &name, flags, 0o644)
            }
            other => other,
        };
        let file = File::from(opened?);
        let inode = settle(&file, 0o644)?;
        self.record(walked, name, inode);
        Ok(file)
    }

    /// Removes what has the name of something that is to be written, and the records of it.
    fn displace(
        &mut self,
        sweeper: &mut Sweeper,
        dir: BorrowedFd<'_>,
        walked: &[u8],
        name: &CStr,
    ) -> io::Result<()> {
        sweeper.remove(dir, self.root.as_fd(), name)?;
        if let Some(kept) = self.folders.get_mut(walked) {
            kept.remove(name);
        }
        let mut below = join(walked, name);
        self.folders.remove(&below);
        below.push(b'/');
        self.folders.retain(|path, _| !path.starts_with(&below));
        Ok(())
    }

    fn record(&mut self, folder: &[u8], name: CString, inode: u64) {
        if let Some(kept) = self.folders.get_mut(folder) {
            kept.insert(name, inode);
        }
    }

    /// Removes everything that is not recorded.
    pub fn clean(&self, sweeper: &mut Sweeper) -> io::Result<()> {
        // Backwards, so that the root comes last: what is moved into it goes with it.
        for (path, kept) in self.folders.iter().rev() {
            let opened = self.open(path)?;
            let dir = opened.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            sweeper.sweep(dir, self.root.as_fd(), |entry| is_kept(kept, entry))?;
        }
        Ok(())
    }

    /// Records everything: regular files and folders become root's, everything else is removed.
    ///
    /// Of a file with several names one stays, of a setuid or setgid file none. Folders too deep to be walked by path are removed.
    pub fn keep(&mut self, sweeper: &mut Sweeper) -> io::Result<()> {
        let mut waiting: Vec<Vec<u8>> = self.folders.keys().cloned().collect();
        while let Some(path) = waiting.pop() {
            let opened = self.open(&path)?;
            let dir = opened.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            let kept = self.folders.entry(path.clone()).or_default();
            sweeper.for_each(dir, |entry| {
                if is_kept(kept, &entry) {
                    return Ok(());
                }
                let inside = join(&path, entry.name);
                let inode = match entry.kind {
                    Kind::File => adopt_file(dir, entry.name)?,
                    Kind::Folder if can_stay(&inside) => {
                        let folder = sys::open_folder_at(dir, entry.name)?;
                        waiting.push(inside);
                        Some(share(folder.as_fd())?)
                    }
                    Kind::Folder | Kind::Other => None,
                };
                if let Some(inode) = inode {
                    kept.insert(entry.name.to_owned(), inode);
                }
                Ok(())
            })?;
        }
        self.clean(sweeper)
    }

    /// Opens a recorded folder, or `None` for the root.
    fn open(&self, path: &[u8]) -> io::Result<Option<OwnedFd>> {
        let mut opened: Option<OwnedFd> = None;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let name = CString::new(part)?;
            let dir = opened.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            opened = Some(sys::open_folder_at(dir, &name)?);
        }
        Ok(opened)
    }

    /// Whether nothing at all is in the work folder.
    pub fn is_empty(&self, sweeper: &mut Sweeper) -> io::Result<bool> {
        sweeper.is_empty(self.root.as_fd())
    }
}

fn is_kept(kept: &Kept, entry: &Entry<'_>) -> bool {
    kept.get(entry.name).is_some_and(|inode| *inode == entry.inode)
}

fn can_stay(folder: &[u8]) -> bool {
    folder.len() <= PATH_BYTES && folder.split(|byte| *byte == b'/').count() <= PATH_FOLDERS
}

fn join(folder: &[u8], name: &CStr) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
    path
}

/// The folders of a path and its last name, if every part is a plain name.
fn check(path: &str) -> Result<(Vec<CString>, CString), Fault> {
    const WRONG: Fault = Fault::Request("a path that is not below the work folder");
    if path.len() > PATH_BYTES || path.split('/').count() > PATH_FOLDERS {
        return Err(WRONG);
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        if matches!(part, "" | "." | "..") || part.len() > 255 {
            return Err(WRONG);
        }
        parts.push(CString::new(part).or(Err(WRONG))?);
    }
    let name = parts.pop().ok_or(WRONG)?;
    Ok((parts, name))
}

/// Opens a folder to all commands, and gives its inode number.
fn share(folder: BorrowedFd<'_>) -> io::Result<u64> {
    settle(&File::from(folder.try_clone_to_owned()?), SHARED_MODE)
}

/// Makes a file that a command created root's, or says that it cannot stay.
fn adopt_file(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<u64>> {
    let file = File::from(sys::open_at(dir, name, libc::O_RDONLY | libc::O_NONBLOCK, 0)?);
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(None);
    }
    if facts.nlink() > 1 || facts.mode() & 0o6000 != 0 {
        sys::unlink_at(dir, name)?;
        return Ok(None);
    }
    let mode = if facts.mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    settle(&file, mode).map(Some)
}

/// Gives a file or folder to root, then sets its mode (which also masks what an access list would allow).
fn settle(file: &File, mode: u32) -> io::Result<u64> {
    fchown(file, Some(0), Some(0))?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file.metadata()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_plain_names_is_taken_apart() {
        let (folders, name) = check("a/b c/d.txt").unwrap();
        assert_eq!(folders, [c"a".to_owned(), c"b c".to_owned()]);
        assert_eq!(name, c"d.txt".to_owned());
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\0b"] {
            assert!(check(path).is_err(), "{path:?}");
        }
    }
}
