//! Removing what commands left in a folder: relative to descriptors, without following links and without recursion.
//!
//! Only called while no process but the agent exists, so nothing changes under its hands.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::fchown,
    },
};

use super::sys;

/// Bytes of raw entries read at one time.
const BUFFER_BYTES: usize = 32 << 10;

/// What a folder entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, pipe, socket, device or something unknown.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its name; any bytes but `/` and NUL.
    pub name: &'a CStr,
}

/// Parses what [`sys::read_entries`] wrote, without `.` and `..`.
fn parse(mut raw: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    const NAME: usize = 19;
    std::iter::from_fn(move || {
        loop {
            let length = usize::from(u16::from_ne_bytes(raw.get(16..18)?.try_into().ok()?));
            let (record, rest) = raw.split_at_checked(length)?;
            raw = rest;
            let kind = match *record.get(18)? {
                libc::DT_REG => Kind::File,
                libc::DT_DIR => Kind::Folder,
                _ => Kind::Other,
            };
            let name = CStr::from_bytes_until_nul(record.get(NAME..)?).ok()?;
            if name != c"." && name != c".." {
                return Some(Entry { kind, name });
            }
        }
    })
}

/// Walks folders with one buffer for all of them.
pub struct Sweeper {
    buffer: Box<[u8]>,
    next_name: u64,
}

impl Sweeper {
    /// A sweeper.
    pub fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), next_name: 0 }
    }

    /// Calls `each` with every entry of `dir`.
    pub fn for_each(
        &mut self,
        dir: BorrowedFd<'_>,
        mut each: impl FnMut(Entry<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        sys::rewind(dir)?;
        loop {
            let read = sys::read_entries(dir, &mut self.buffer)?;
            if read == 0 {
                return Ok(());
            }
            parse(self.buffer.get(..read).unwrap_or_default()).try_for_each(&mut each)?;
        }
    }

    /// Whether `dir` has no entry.
    pub fn is_empty(&mut self, dir: BorrowedFd<'_>) -> io::Result<bool> {
        let mut empty = true;
        self.for_each(dir, |_| {
            empty = false;
            Ok(())
        })?;
        Ok(empty)
    }

    /// Removes every entry of `dir` that `keeps` does not claim.
    ///
    /// * `attic` — a folder of the same file system into which the insides of removed folders may be moved;
    ///   it has to be swept afterwards (it may be `dir` itself).
    pub fn sweep(
        &mut self,
        dir: BorrowedFd<'_>,
        attic: BorrowedFd<'_>,
        keeps: impl Fn(&Entry<'_>) -> bool,
    ) -> io::Result<()> {
        let mut inside = Inside { buffer: vec![], next_name: self.next_name };
        loop {
            let mut removed = false;
            self.for_each(dir, |entry| {
                if keeps(&entry) {
                    return Ok(());
                }
                removed = true;
                inside.remove(dir, attic, &entry)
            })?;
            self.next_name = inside.next_name;
            if !removed {
                return Ok(());
            }
        }
    }

    /// Removes one entry of `dir`, whatever it is; `attic` as for [`Self::sweep`].
    pub fn remove(&mut self, dir: BorrowedFd<'_>, attic: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        let mut inside = Inside { buffer: vec![], next_name: self.next_name };
        let removed = inside.remove(dir, attic, &Entry { kind: Kind::Other, name });
        self.next_name = inside.next_name;
        removed
    }
}

/// Removes entries, and empties the folders among them by moving what is in these to the attic.
struct Inside {
    buffer: Vec<u8>,
    next_name: u64,
}

impl Inside {
    fn remove(&mut self, dir: BorrowedFd<'_>, attic: BorrowedFd<'_>, entry: &Entry<'_>) -> io::Result<()> {
        if entry.kind != Kind::Folder {
            match unlink(dir, entry.name) {
                Err(error) if error.raw_os_error() == Some(libc::EISDIR) => {}
                other => return other,
            }
        }
        match remove_folder(dir, entry.name) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                self.empty(dir, attic, entry.name)?;
                remove_folder(dir, entry.name)
            }
            other => other,
        }
    }

    fn empty(&mut self, dir: BorrowedFd<'_>, attic: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        let folder = sys::open_folder_at(dir, name)?;
        let folder = folder.as_fd();
        // In a sticky folder only its owner may remove what others own.
        fchown(folder, Some(0), Some(0))?;
        self.buffer.resize(BUFFER_BYTES, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            sys::rewind(folder)?;
            let read = sys::read_entries(folder, &mut buffer)?;
            let mut emptied = true;
            for entry in parse(buffer.get(..read).unwrap_or_default()) {
                emptied = false;
                self.remove_or_move(folder, attic, &entry)?;
            }
            if emptied {
                self.buffer = buffer;
                return Ok(());
            }
        }
    }

    fn remove_or_move(
        &mut self,
        folder: BorrowedFd<'_>,
        attic: BorrowedFd<'_>,
        entry: &Entry<'_>,
    ) -> io::Result<()> {
        if entry.kind != Kind::Folder {
            return unlink(folder, entry.name);
        }
        match remove_folder(folder, entry.name) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                self.move_to_attic(folder, attic, entry.name)
            }
            other => other,
        }
    }

    fn move_to_attic(
        &mut self,
        folder: BorrowedFd<'_>,
        attic: BorrowedFd<'_>,
        name: &CStr,
    ) -> io::Result<()> {
        loop {
            self.next_name += 1;
            let new_name = CString::new(format!(".attic-{}", self.next_name))?;
            match sys::move_at(folder, name, attic, &new_name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }
}

fn unlink(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    found(sys::unlink_at(dir, name))
}

fn remove_folder(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    found(sys::remove_folder_at(dir, name))
}

/// What an earlier pass already removed is as good as removed now.
fn found(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;

    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("guichet-agent-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn sweep(&self) {
            let dir = fs::File::open(&self.0).unwrap();
            Sweeper::new().sweep(dir.as_fd(), dir.as_fd(), |entry| entry.name == c"kept").unwrap();
        }

        fn names(&self) -> Vec<String> {
            fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn nest(path: &Path, depth: usize) {
        let mut dir = std::os::fd::OwnedFd::from(fs::File::open(path).unwrap());
        for _ in 0..depth {
            sys::make_folder_at(dir.as_fd(), c"x").unwrap();
            sys::open_at(dir.as_fd(), c"file", libc::O_CREAT | libc::O_WRONLY, 0o600).unwrap();
            dir = sys::open_folder_at(dir.as_fd(), c"x").unwrap();
        }
    }

    #[test]
    fn five_thousand_nested_folders_are_removed_and_what_is_claimed_stays() {
        let scratch = Scratch::new("nested");
        fs::write(scratch.0.join("kept"), "").unwrap();
        nest(&scratch.0, 5000);

        scratch.sweep();

        assert_eq!(scratch.names(), ["kept"]);
    }

    #[test]
    fn more_entries_than_one_buffer_holds_are_removed() {
        let scratch = Scratch::new("wide");
        for number in 0..3000 {
            fs::create_dir_all(scratch.0.join(format!("folder{number}/-rf\n{number}"))).unwrap();
        }

        scratch.sweep();

        assert!(scratch.names().is_empty());
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let scratch = Scratch::new("links");
        let outside = Scratch::new("outside");
        fs::write(outside.0.join("precious"), "").unwrap();
        symlink(&outside.0, scratch.0.join("link")).unwrap();
        fs::create_dir(scratch.0.join("folder")).unwrap();
        symlink(&outside.0, scratch.0.join("folder/link")).unwrap();

        scratch.sweep();

        assert!(scratch.names().is_empty());
        assert_eq!(outside.names(), ["precious"]);
    }
}
