//! Taking over the container: descriptors, signals, and folders that commands may write to.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::fs::{MetadataExt, PermissionsExt, fchown},
    },
    path::Path,
};

use super::{
    BASE_FOLDER, OWN_FOLDER,
    connection::Connection,
    fault::{Context, Fault},
    scratch,
    signals::WaitMask,
    sys,
};

/// Descriptors of the connection are moved here or above, away from what commands get.
const LOWEST_FD: RawFd = 100;

/// Makes this process the agent, and the standard streams its connection.
pub fn take_over() -> io::Result<(Connection, WaitMask)> {
    sys::hide_memory()?;
    // SAFETY: no memory is involved.
    unsafe { libc::umask(0o022) };
    keep_heap_small();
    keep_pages_small();
    let mask = WaitMask::install()?;
    let (input, output) = (move_up(0)?, move_up(1)?);
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for stream in 0..3 {
        // SAFETY: no memory is involved, and the streams' owners in the standard library do not use them.
        let replaced = unsafe { libc::dup2(nothing.as_raw_fd(), stream) };
        sys::checked(replaced.into())?;
    }
    Ok((Connection::new(input, output)?, mask))
}

/// Gives large blocks back when they are freed: the agent's memory counts in the slot.
fn keep_heap_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no memory is involved, and no other thread exists.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

/// Counts what commands touch page by page: a huge page would count whole, and whether there is one is the kernel's
/// choice. What they run inherits it.
fn keep_pages_small() {
    // A kernel without huge pages has nothing to turn off.
    drop(sys::prctl(libc::PR_SET_THP_DISABLE, 1));
}

/// A second descriptor of the same, out of the way of what commands get.
pub fn move_up(fd: RawFd) -> io::Result<File> {
    // SAFETY: the new descriptor is nobody else's.
    unsafe {
        let moved = sys::checked(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, LOWEST_FD).into())?;
        Ok(File::from_raw_fd(moved as RawFd))
    }
}

/// Refuses to go on anywhere but in a container: what lies in the folders of commands is removed.
pub fn check_container() -> Result<(), Fault> {
    let root = fs::symlink_metadata("/").context("look at the root folder")?.dev();
    let is_apart =
        |folder: &str| fs::symlink_metadata(folder).is_ok_and(|facts| facts.is_dir() && facts.dev() != root);
    if Path::new(OWN_FOLDER).is_dir() && is_apart(BASE_FOLDER) && is_apart("/tmp") {
        Ok(())
    } else {
        Err(Fault::Request(
            "this is no container of Guichet: it needs /.guichet, and file systems at /w and /tmp",
        ))
    }
}

/// Opens the folder of submissions, which becomes root's alone, and lets commands write to `/tmp`.
pub fn open_base_folder() -> io::Result<OwnedFd> {
    let folder = scratch::open_folder(BASE_FOLDER)?;
    fchown(&folder, Some(0), Some(0))?;
    folder.set_permissions(Permissions::from_mode(0o755))?;
    scratch::open_to_all(&scratch::open_folder("/tmp")?)?;
    Ok(folder.into())
}
