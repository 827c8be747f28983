//! The removal of a folder in which a program that means harm may have done, and may still do, whatever it likes.
//!
//! No link is followed, nothing outside is touched, and it ends: after [`REMOVAL`], and [`DEPTH`] folders down.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

/// Longest time for removing one folder, in which an honest agent has made a socket at most.
const REMOVAL: Duration = Duration::from_secs(2);

/// Folders within each other that are removed; what lies deeper stays.
const DEPTH: usize = 32;

/// How a folder of a container's is opened: never by a link.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes a folder; one that is gone already is no error.
///
/// # Errors
/// Why it is still there: a program fills it faster, folders lie too deep in it, or we may not.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    match openat(CWD, folder, FOLDER, Mode::empty()) {
        Ok(opened) => empty(opened.as_fd(), DEPTH, Instant::now() + REMOVAL)?,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    gone(unlinkat(CWD, folder, AtFlags::REMOVEDIR))
}

/// Removes what is in a folder, by descriptors: a program there may put links in the place of folders meanwhile.
fn empty(folder: BorrowedFd<'_>, depth: usize, latest: Instant) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if Instant::now() > latest {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let unlinked = match unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                // Each level holds a descriptor and a piece of the stack.
                let depth = depth.checked_sub(1).ok_or(io::Error::other("folders lie too deep in it"))?;
                empty(openat(folder, name, FOLDER, Mode::empty())?.as_fd(), depth, latest)?;
                unlinkat(folder, name, AtFlags::REMOVEDIR)
            }
            unlinked => unlinked,
        };
        gone(unlinked)?;
    }
    Ok(())
}

fn gone(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn all_that_is_in_it_goes_and_nothing_that_a_link_names() {
        let (folder, elsewhere) = (folder(), folder());
        std::fs::write(elsewhere.path().join("file"), "").unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/file"), "").unwrap();
        symlink(elsewhere.path(), folder.path().join("a/link")).unwrap();

        remove_folder(folder.path()).unwrap();

        assert!(!folder.path().exists());
        assert!(elsewhere.path().join("file").exists());
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let (folder, elsewhere) = (folder(), folder());
        std::fs::write(elsewhere.path().join("file"), "").unwrap();
        let link = folder.path().join("link");
        symlink(elsewhere.path(), &link).unwrap();

        remove_folder(&link).unwrap_err();

        assert!(elsewhere.path().join("file").exists());
    }

    #[test]
    fn folders_that_lie_too_deep_stay() {
        let folder = folder();
        let deep = |count: usize| folder.path().join("a/".repeat(count));
        std::fs::create_dir_all(deep(DEPTH + 1)).unwrap();

        let refused = remove_folder(folder.path()).unwrap_err();
        assert_eq!(refused.to_string(), "folders lie too deep in it");
        std::fs::remove_dir(deep(DEPTH + 1)).unwrap();

        remove_folder(folder.path()).unwrap();
    }

    #[test]
    fn one_that_is_filled_meanwhile_is_given_up_in_time() {
        let folder = folder();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let opened = openat(CWD, folder.path(), FOLDER, Mode::empty()).unwrap();

        let refused = empty(opened.as_fd(), DEPTH, Instant::now()).unwrap_err();

        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }
}
