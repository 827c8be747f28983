//! Taking over the container: descriptors, signals, and folders that commands may write to.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

use super::{WORK_FOLDER, connection::Connection, scratch, signals::WaitMask, sys};

/// Descriptors of the connection are moved here or above, away from what commands get.
const LOWEST_FD: RawFd = 100;

/// Makes this process the agent, and the standard streams its connection.
pub fn take_over() -> io::Result<(Connection, WaitMask)> {
    sys::hide_memory()?;
    // SAFETY: no memory is involved.
    unsafe { libc::umask(0o022) };
    let mask = WaitMask::install()?;
    let (input, output) = (move_up(0)?, move_up(1)?);
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for stream in 0..3 {
        // SAFETY: no memory is involved, and the streams' owners in the standard library do not use them.
        let replaced = unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&nothing), stream) };
        sys::checked(replaced.into())?;
    }
    Ok((Connection::new(input, output)?, mask))
}

fn move_up(fd: RawFd) -> io::Result<File> {
    // SAFETY: the new descriptor is nobody else's.
    unsafe {
        let moved = sys::checked(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, LOWEST_FD).into())?;
        Ok(File::from_raw_fd(moved as RawFd))
    }
}

/// Opens the work folder, and lets commands write to it and to `/tmp`.
pub fn open_work_folder() -> io::Result<OwnedFd> {
    let path = WORK_FOLDER.to_str().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let folder = scratch::open_folder(path)?;
    scratch::open_to_all(&folder)?;
    scratch::open_to_all(&scratch::open_folder("/tmp")?)?;
    Ok(folder.into())
}
